"""The columns of what a command shows: how each kind of value is written for people and for programs. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from registry_s3fs.model.text import age_text, printable, size_text, time_text, utc_text

Kind = Literal["text", "bytes", "number", "time", "age", "flag", "digest"]
Row = Mapping[str, object]
Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""What JSON can hold."""
SHORT_DIGEST = 12
"""The number of hexadecimal digits of a digest that a terminal shows, as docker does."""
MOST_CHARACTERS = 4096
"""The longest text of a cell, which every key of a bucket and path of Linux fits in. Other formats have it whole."""


class Column(NamedTuple):
    """One column."""

    name: str
    """Its name in JSON and CSV, which is that of the table's column."""
    kind: Kind = "text"
    title: str = ""
    """Its heading for people, by default the name."""
    shown: bool = True
    """False if people see it in JSON and CSV alone."""

    @property
    def heading(self) -> str:
        """Return the heading for people."""
        return (self.title or self.name.replace("_", " ")).upper()

    @property
    def is_right(self) -> bool:
        """Return whether its values are aligned to the right."""
        return self.kind in ("bytes", "number", "age")


class Style(NamedTuple):
    """How people get to see values."""

    iec: bool = False
    """Sizes in IEC units, not in bytes."""
    short_digests: bool = False


PLAIN = Style()


def for_people(value: object, kind: Kind, style: Style) -> str:
    """Return a value as a cell of a table.

    >>> for_people(1536, "bytes", Style(iec=True)), for_people(1536, "bytes", PLAIN), for_people(None, "text", PLAIN)
    ('1.5 KiB', '1536', '-')
    >>> for_people("sha256:" + "ab" * 32, "digest", Style(short_digests=True))
    'sha256:abababababab'
    """
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "bytes" and isinstance(value, int):
        return size_text(value) if style.iec else str(value)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, timedelta):
        return age_text(value)
    if kind == "age" and isinstance(value, int):
        return age_text(timedelta(seconds=value))
    if kind == "digest" and style.short_digests:
        return printable(short(str(value)))
    return for_terminal(_flat(value))


def for_terminal(text: str) -> str:
    """Return a text in one line, cut where it is far too long: all lines of a table are as wide as the widest.

    >>> len(for_terminal(100_000 * "x")) == MOST_CHARACTERS, for_terminal("app")
    (True, 'app')
    """
    return printable(text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "...")


def short(digest: str) -> str:
    """Return a digest with as many hexadecimal digits as a terminal shows."""
    algorithm, colon, digits = digest.partition(":")
    return algorithm + colon + digits[:SHORT_DIGEST] if colon else digest


def _flat(value: object) -> str:
    """Return a value of any type as text; a list's values with commas between."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_flat, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_flat(each)}" for name, each in value.items())
    return str(value)


def for_programs(value: object) -> Value:
    """Return a value as JSON has it: bytes, seconds, and times in UTC. JSON has no infinite numbers.

    >>> for_programs({"age": timedelta(minutes=2), "tags": ("v1",), "ratio": float("nan")})
    {'age': 120.0, 'tags': ['v1'], 'ratio': None}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(name): for_programs(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [for_programs(each) for each in value]
    return str(value)


def in_order(rows: Sequence[Row], column: Column, direction: str = "") -> list[Row]:
    """Return rows by the values of a column. Rows without a value come last.

    Args:
        rows: The rows.
        column: The column.
        direction: ``"asc"`` or ``"desc"``. By default, text goes up, and the largest and newest come first.
    """
    is_down = direction == "desc" or (not direction and column.kind in ("bytes", "number", "time", "age", "flag"))
    having = [row for row in rows if row.get(column.name) is not None]
    without = [row for row in rows if row.get(column.name) is None]
    return sorted(having, key=lambda row: _sortable(row[column.name]), reverse=is_down) + without


def _sortable(value: object) -> tuple[float, str]:
    if isinstance(value, (int, float)):
        return value, ""
    if isinstance(value, datetime):
        return value.timestamp(), ""
    if isinstance(value, timedelta):
        return value.total_seconds(), ""
    return 0.0, _flat(value)
