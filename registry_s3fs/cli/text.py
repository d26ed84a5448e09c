"""Tables of text in columns, as a terminal shows them. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import zip_longest


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    >>> width("abc"), width("大"), width("e\u0301")
    (3, 2, 1)
    """
    if text.isascii():
        return len(text)
    return sum(_columns(each) for each in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def aligned(lines: Sequence[Sequence[str]], to_right: Sequence[bool]) -> list[str]:
    """Return lines of cells as text in columns; those of numbers are aligned to the right.

    >>> aligned([["NAME", "SIZE"], ["app", "12"], ["worker", "5"]], [False, True])
    ['NAME    SIZE', 'app       12', 'worker     5']
    """
    widths = [max(map(width, column)) for column in zip_longest(*lines, fillvalue="")]
    return ["  ".join(map(_padded, line, widths, to_right)).rstrip() for line in lines]


def _padded(cell: str, columns: int, is_right: bool) -> str:
    space = " " * (columns - width(cell))
    return space + cell if is_right else cell + space
