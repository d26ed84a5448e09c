"""Parameters of the tests that `make thorough` runs, and `make test` leaves out: they take long."""

from __future__ import annotations

from typing import Any

import pytest


def thorough(*values: Any) -> list[Any]:
    """Some values of a parameter, for which the test is marked `thorough`; tuples are values of several parameters."""
    each = (value if isinstance(value, tuple) else (value,) for value in values)
    return [pytest.param(*value, marks=pytest.mark.thorough) for value in each]
