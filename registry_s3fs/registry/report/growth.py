"""What is stored now, by the time at which it was pushed. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import accumulate
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.tables import Tables

_DAY = 86_400_000_000
"""Microseconds of a day."""
_EPOCH = date(1970, 1, 1)
_LAST_DAY = (date.max - _EPOCH).days - 1
MOST_PERIODS = 80


class Period(NamedTuple):
    """A day, week, month or year, or several of these."""

    begin: date
    end: date
    """The first day of the next one."""
    name: str
    manifests: int
    """How many manifests were pushed in it, of those that are there now."""
    new: int
    """The bytes pushed in it, of those that are stored now."""
    stored: int
    """The same of this and all periods before."""


class Growth(NamedTuple):
    """The periods from the first push to the last."""

    unit: str
    periods: Sequence[Period]
    undated: int
    """The bytes of blobs whose time is not known."""


def growth_of(tables: Tables) -> Growth:
    """Return by when the bytes were pushed that are stored now. A blob counts from the time it was written."""
    sizes = _by_day(tables.blobs, "modified", "size")
    pushes = _by_day(tables.revisions, "linked_at")
    undated = (pc.sum(tables.blobs["size"]).as_py() or 0) - sizes.total()
    if not sizes:
        return Growth("", [], undated)
    unit, begins = _periods(_day(min(sizes)), _day(max(sizes)))
    new = _in_periods(sizes, begins)
    manifests = _in_periods(pushes, begins)
    stored = accumulate(new)
    spans = zip(begins, begins[1:], new, manifests, stored, strict=False)
    periods = [Period(begin, end, _name(begin, unit), pushed, size, sum_) for begin, end, size, pushed, sum_ in spans]
    return Growth(unit, periods, undated)


def _by_day(table: pa.Table, time: str, sum_of: str | None = None) -> Counter[int]:
    """Return the sum of a column for each day, or how many rows are of it. Days count from 1970."""
    days = pc.divide(table[time].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()), _DAY)
    counted = ("day", "count") if sum_of is None else (sum_of, "sum")
    grouped = table.append_column("day", days).group_by("day").aggregate([counted])
    found: Counter[int] = Counter()
    for day, value in rows(grouped, "day", "_".join(counted)):
        if day is not None and 0 <= day <= _LAST_DAY:
            found[day] += value or 0
    return found


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=number)


def _in_periods(by_day: Counter[int], begins: Sequence[date]) -> list[int]:
    """Return the sum of each period; what was before the first one or after the last one is in none."""
    numbers = [(begin - _EPOCH).days for begin in begins]
    sums = [0] * (len(begins) - 1)
    for day, value in by_day.items():
        if numbers[0] <= day < numbers[-1]:
            sums[bisect_right(numbers, day) - 1] += value
    return sums


def _periods(first: date, last: date) -> tuple[str, list[date]]:
    """Return the shortest unit of which there are not too many, and the days on which one begins.

    >>> _periods(date(2024, 2, 28), date(2024, 3, 1))[0], _periods(date(2020, 1, 1), date(2024, 3, 1))[0]
    ('day', 'month')
    """
    days = (last - first).days + 1
    years = last.year - first.year + 1
    if days <= MOST_PERIODS:
        return "day", _stepped(first, last, 1)
    if days <= MOST_PERIODS * 7:
        return "week", _stepped(first - timedelta(days=first.weekday()), last, 7)
    step = 1 if years * 12 <= MOST_PERIODS else 12 * -(-years // MOST_PERIODS)
    return ("month" if step == 1 else "year"), _months(first, last, step)


def _stepped(first: date, last: date, days: int) -> list[date]:
    count = (last - first).days // days + 1
    return [min(first + timedelta(days=days * each), date.max) for each in range(count + 1)]


def _months(first: date, last: date, step: int) -> list[date]:
    begin = first.year * 12 + (first.month - 1 if step == 1 else 0)
    count = (last.year * 12 + last.month - 1 - begin) // step + 1
    return list(map(_month, (begin + step * each for each in range(count + 1))))


def _month(number: int) -> date:
    year, month = divmod(number, 12)
    return date(year, month + 1, 1) if year <= date.max.year else date.max


def _name(begin: date, unit: str) -> str:
    return {"month": begin.isoformat()[:7], "year": begin.isoformat()[:4]}.get(unit, begin.isoformat())


def ticks(names: Iterable[str], most: int) -> list[int]:
    """Return the positions of at most so many names, evenly spread from the first one.

    >>> ticks("abcdefg", 3)
    [0, 3, 6]
    """
    count = len(list(names))
    return list(range(0, count, max(1, -(-count // most))))
