"""What the tests of other libraries share: one small table."""

from __future__ import annotations

import pandas
import pytest


@pytest.fixture
def frame() -> pandas.DataFrame:
    """Text beyond ASCII, numbers, and a column to partition by."""
    return pandas.DataFrame({"name": ["a", "é", "c", "d"], "value": [1, 2, 3, 4], "year": [2025, 2025, 2026, 2026]})
