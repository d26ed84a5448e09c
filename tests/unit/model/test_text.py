"""Names, sizes and times as people see them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.model import text

FACTORS = {unit: 1024**power for power, unit in enumerate(text.UNITS)}


@given(st.text())
def test_what_is_shown_is_one_line_without_anything_that_a_terminal_obeys(name: str) -> None:
    """Escape sequences, line breaks, direction marks and lone surrogates are written as escapes."""
    shown = text.printable(name)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_a_plain_name_is_shown_as_it_is(name: str) -> None:
    """Letters of any script, digits, punctuation and symbols."""
    assert text.printable(name) == name


@given(st.integers(0, 2**63 - 1))
def test_a_size_in_units_is_near_the_size(count: int) -> None:
    """The number has at most four digits before the point, never 1024, and is right to its last digit."""
    number, unit = re.fullmatch(r"(\d+(?:\.\d)?) (\w+)", text.size_text(count)).groups()
    assert float(number) < 1024
    assert abs(float(number) * FACTORS[unit] - count) <= 0.051 * FACTORS[unit]


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)), st.integers(-12, 12))
def test_times_are_told_in_utc(time: datetime, hours: int) -> None:
    """Whatever zone they come in, programs get back the same moment, to the microsecond."""
    aware = time.replace(tzinfo=timezone(timedelta(hours=hours)))
    told = text.utc_text(aware)
    assert told.endswith("Z")
    assert datetime.fromisoformat(told.removesuffix("Z") + "+00:00") == aware
    assert datetime.strptime(text.time_text(aware) + "+0000", "%Y-%m-%d %H:%M:%S%z") == aware.replace(microsecond=0)
