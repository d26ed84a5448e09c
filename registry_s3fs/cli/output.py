"""What a command writes to standard output: rows as a table, a tree, JSON, JSON lines or CSV, or one document."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TextIO

from registry_s3fs.cli.columns import PLAIN, Column, Row, Style, for_people, for_programs, in_order
from registry_s3fs.cli.text import aligned, width
from registry_s3fs.model.text import printable

MOST_LEVELS = 100
"""What lies deeper in a tree is shown with its slashes."""
FORMATS = ("table", "tree", "json", "jsonl", "csv")


class Node(NamedTuple):
    """A line of a tree, with what lies below it."""

    label: str
    children: Sequence[Node] = ()
    note: str = ""
    """What stands behind the label, such as a size."""


class Sorting(NamedTuple):
    """The column that rows are sorted by."""

    column: str
    direction: str = ""
    """``"asc"``, ``"desc"`` or, for the usual direction of the column, nothing."""


@dataclass(frozen=True)
class Output:
    """Where and how a command writes."""

    format: str = "table"
    style: Style = PLAIN
    sorting: Sorting | None = None
    limit: int | None = None
    is_quiet: bool = False
    """True if people want names alone."""

    @property
    def stream(self) -> TextIO:
        """Return standard output."""
        return sys.stdout

    @property
    def is_for_people(self) -> bool:
        """Return whether the format is for people, who want sizes in units and lines that sum up."""
        return self.format in ("table", "tree")

    def rows(
        self,
        rows: Iterable[Row],
        columns: Sequence[Column],
        notes: Sequence[str] = (),
        tree: Sequence[Node] = (),
        *,
        name: str = "",
        has_heading: bool = True,
    ) -> None:
        """Write rows in the format that was asked for.

        Args:
            rows: The rows. In a format that needs no widths and no order, each is written as it comes.
            columns: The columns.
            notes: What people read below the rows.
            tree: The same as a tree, by default made from the rows.
            name: The column that names a row, by default the first one.
            has_heading: False if the table goes without a heading.
        """
        rows = self.chosen(rows, columns)
        if self.format == "json":
            self._json_list(rows, columns)
        elif self.format == "jsonl":
            self.lines(json.dumps(_fields(row, columns)) for row in rows)
        elif self.format == "csv":
            self._csv(rows, columns)
        elif self.is_quiet:
            self.names(rows, name or columns[0].name)
        elif self.format == "tree":
            self.lines(drawn(tree or self._tree_of(rows, columns, name or columns[0].name)))
        else:
            self._table(list(rows), [column for column in columns if column.shown], notes, has_heading)

    def names(self, rows: Iterable[Row], name: str) -> None:
        """Write the names of rows, each as it comes.

        What has no name is left out, such as an instruction that made no layer.
        """
        self.lines(printable(str(row[name])) for row in rows if row[name] is not None)

    def document(
        self,
        document: Mapping[str, object],
        rows: Iterable[Row],
        columns: Sequence[Column],
        text: Iterable[str],
        name: str = "",
    ) -> None:
        """Write one document: as JSON whole, as lines for people, and as its rows for JSON lines and CSV.

        ``name`` is the column that names a row, by default the first one.
        """
        if self.format == "json":
            self.lines([json.dumps(for_programs(document), indent=2)])
        elif self.is_for_people and not self.is_quiet:
            self.lines(text)
        else:
            self.rows(rows, columns, name=name)

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines that are safe already."""
        for line in lines:
            self.stream.write(line + "\n")

    def cell(self, value: object, column: Column) -> str:
        """Return a value as people see it."""
        return for_people(value, column.kind, self.style)

    def size(self, count: int | None) -> str:
        """Return a number of bytes as people see it in a sentence."""
        text = for_people(count, "bytes", self.style)
        return text if self.style.iec or count is None else f"{text} bytes"

    def chosen(self, rows: Iterable[Row], columns: Sequence[Column]) -> Iterable[Row]:
        """Return rows sorted and limited as was asked for."""
        if self.sorting:
            column = next(each for each in columns if each.name == self.sorting.column)
            rows = in_order(list(rows), column, self.sorting.direction)
        return rows if self.limit is None else islice(rows, self.limit)

    def _json_list(self, rows: Iterable[Row], columns: Sequence[Column]) -> None:
        before = "[\n"
        for row in rows:
            self.stream.write(f"{before}  {json.dumps(_fields(row, columns))}")
            before = ",\n"
        self.stream.write("[]\n" if before == "[\n" else "\n]\n")

    def _csv(self, rows: Iterable[Row], columns: Sequence[Column]) -> None:
        writer = csv.writer(self.stream, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        for row in rows:
            writer.writerow([printable(_csv_cell(value)) for value in _fields(row, columns).values()])

    def _table(self, rows: Sequence[Row], columns: Sequence[Column], notes: Sequence[str], has_heading: bool) -> None:
        cells = [[self.cell(row.get(column.name), column) for column in columns] for row in rows]
        heading = [[column.heading for column in columns]] if has_heading and rows else []
        self.lines(aligned([*heading, *cells], [column.is_right for column in columns]))
        if notes:
            self.lines(["", *notes] if rows else notes)

    def _tree_of(self, rows: Iterable[Row], columns: Sequence[Column], name: str) -> list[Node]:
        """Return rows as a tree by the parts of their names."""
        noted: dict[str, str] = {}
        for row in rows:
            told = [(column, row.get(column.name)) for column in columns if column.shown and column.name != name]
            notes = [f"{column.name} {self.cell(value, column)}" for column, value in told if value not in (None, "")]
            noted[str(row[name])] = ", ".join(notes)
        return tree_of_names(noted)


def tree_of_names(noted: Mapping[str, str], level: int = 0) -> list[Node]:
    """Return names, each with a note, as a tree of what stands between their slashes, down to `MOST_LEVELS` levels.

    >>> for line in drawn(tree_of_names({"team/app": "2", "team/app/x": "", "z": ""})):
    ...     print(line)
    team
    └── app  2
        └── x
    z
    """
    below: dict[str, dict[str, str]] = {}
    for name, note in noted.items():
        first, _, rest = name.strip("/").partition("/") if level < MOST_LEVELS else (name, "", "")
        below.setdefault(first, {})[rest] = note
    return [
        Node(
            printable(first),
            tree_of_names({rest: note for rest, note in names.items() if rest}, level + 1),
            names.get("", ""),
        )
        for first, names in below.items()
    ]


def drawn(nodes: Iterable[Node], before: str = "", is_top: bool = True) -> Iterator[str]:
    """Yield the lines of a tree."""
    nodes = list(nodes)
    widest = max((width(node.label) for node in nodes), default=0)
    for node in nodes:
        is_last = node is nodes[-1]
        branch, rest = ("", "") if is_top else ("└── ", "    ") if is_last else ("├── ", "│   ")
        space = " " * (widest - width(node.label) + 2)
        yield before + branch + (f"{node.label}{space}{node.note}" if node.note else node.label)
        yield from drawn(node.children, before + rest, is_top=False)


def _fields(row: Row, columns: Sequence[Column]) -> dict[str, object]:
    return {column.name: for_programs(row.get(column.name)) for column in columns}


def _csv_cell(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value) if isinstance(value, (bool, list, dict)) else str(value)
