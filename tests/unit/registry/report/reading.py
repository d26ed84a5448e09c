"""A page of HTML read back, as a browser reads it."""

from __future__ import annotations

import re
from collections import defaultdict
from html.parser import HTMLParser
from typing import NamedTuple

VOID = frozenset(["meta"])


class Element(NamedTuple):
    """A tag as it began."""

    tag: str
    attributes: dict[str, str]


class Page(HTMLParser):
    """What the elements of a page are, and what they say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: dict[str, list[str]] = defaultdict(list)
        """The texts of the elements of each tag, in their order."""
        self.tables: dict[str, list[list[Cell]]] = {}
        """The rows of each table, heads and foots included, by the beginning of its caption."""
        self._open: list[tuple[str, list[str]]] = []
        self._rows: list[list[Cell]] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs)
        self.elements.append(Element(tag, attributes))
        if tag not in VOID:
            self._open.append((tag, []))
        if tag == "table":
            self._rows = []
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append(Cell("", attributes.get("data-v")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        opened, texts = self._open.pop()
        assert opened == tag
        text = "".join(texts)
        self.texts[tag].append(text)
        if self._open:
            self._open[-1][1].append(text)
        if tag in ("td", "th"):
            self._rows[-1][-1] = self._rows[-1][-1]._replace(text=text)
        if tag == "table":
            self.tables[self.texts["caption"][-1]] = self._rows

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1][1].append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        """Give the attributes of the elements of a tag."""
        return [each.attributes for each in self.elements if each.tag == tag]

    def table(self, caption: str) -> list[list[Cell]]:
        """Give the rows of the one table whose caption begins so."""
        (rows,) = [rows for name, rows in self.tables.items() if name.startswith(caption)]
        return rows

    @property
    def text(self) -> str:
        """All that people read, in one line."""
        return re.sub(r"\s+", " ", self.texts["body"][0].replace(self.texts["script"][0], ""))


class Cell(NamedTuple):
    """A cell of a table: what people read, and the number that it is sorted by."""

    text: str
    value: str | None

    @property
    def number(self) -> int:
        assert self.value is not None
        return int(self.value)
