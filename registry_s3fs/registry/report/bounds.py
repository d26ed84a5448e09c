"""As many rows as the page has room for: whatever the names are, it stays below 400 KB. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Generic, TypeVar

from registry_s3fs.model.text import printable

Row = TypeVar("Row")


@dataclass(frozen=True)
class Shown(Generic[Row]):
    """The rows that the page shows, and how many there are."""

    rows: Sequence[Row]
    total: int

    @property
    def left(self) -> int:
        """Return how many rows are not shown."""
        return self.total - len(self.rows)


def page_bytes(text: str | None) -> int:
    r"""Return how many bytes of the page a text takes.

    >>> page_bytes("a<b"), page_bytes("\x1b")
    (6, 4)
    """
    return len(escape(printable(text or "")).encode())


def fitting(rows: Iterable[Row], total: int, room: int, taken: Callable[[Row], int]) -> Shown[Row]:
    """Return the first rows for which there is room.

    Args:
        rows: Rows, of which no more than needed are taken.
        total: How many there are.
        room: The bytes of the page that they may take.
        taken: Gives how many a row takes.
    """
    shown: list[Row] = []
    for row in rows:
        room -= taken(row)
        if room < 0:
            break
        shown.append(row)
    return Shown(shown, total)


def shortened(text: str, most: int) -> str:
    """Return a text with its middle left out where it is longer than so many characters.

    >>> shortened("a-long-name", 7), shortened("short", 7)
    ('a-l…ame', 'short')
    """
    if len(text) <= most:
        return text
    end = most // 2
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"
