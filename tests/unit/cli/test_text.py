"""Tables in columns."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.cli import text

CELLS = st.text(st.characters(min_codepoint=33, max_codepoint=0x9FFF, categories=["L", "N", "Mn"]), min_size=1)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1))
def test_the_columns_of_a_table_begin_below_each_other(lines: list[list[str]]) -> None:
    """Wide and combining characters are counted as a terminal shows them."""
    shown = text.aligned(lines, [False, True, False])
    starts = set()
    for line, cells in zip(shown, lines, strict=True):
        assert re.split(" +", line.strip()) == cells
        starts.add(text.width(line[: len(line) - len(cells[2])]))
    assert len(starts) == 1
