"""The geometry of the report's pictures."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.registry.report import treemap
from registry_s3fs.registry.report.curve import curve
from registry_s3fs.registry.report.growth import MOST_PERIODS, growth_of
from registry_s3fs.registry.schemas import SCHEMAS
from registry_s3fs.registry.tables import Tables, table_of

WIDTH, HEIGHT = 960.0, 440.0
GAP = 1.0
SIZES = st.lists(st.integers(1, 2**50), min_size=1, max_size=200)


def weights(sizes: list[int], folders: int) -> list[treemap.Weight]:
    ordered = sorted(sizes, reverse=True)
    return [treemap.Weight(f"f{rank % folders}/r{rank}", size, rank) for rank, size in enumerate(ordered)]


@given(SIZES, st.integers(1, 12), st.integers(0, 2**50))
def test_areas_are_as_large_as_the_bytes(sizes: list[int], folders: int, others: int) -> None:
    """Within the picture, together as large as it is; what is too small to be seen is in the one of all others."""
    given = weights(sizes, folders)
    rest = treemap.Others(1 if others else 0, others)
    cells = treemap.cells(given, rest, treemap.groups(given), WIDTH, HEIGHT)
    shown = sum(cell.bytes for cell in cells)
    for cell in cells:
        assert min(cell.x, cell.y) >= -1e-6
        assert cell.x + cell.width <= WIDTH + 1e-6
        assert cell.y + cell.height <= HEIGHT + 1e-6
        if min(cell.width, cell.height) > GAP:
            area = (cell.width + GAP) * (cell.height + GAP)
            assert area == pytest.approx(WIDTH * HEIGHT * cell.bytes / shown, rel=1e-6)
    assert (sum(sizes) + others) * (1 - 4 / WIDTH / HEIGHT) <= shown <= sum(sizes) + others


@given(SIZES, st.integers(1, 12))
def test_repositories_of_a_folder_have_its_colour(sizes: list[int], folders: int) -> None:
    """The heaviest folders have one each, and all others share one."""
    given = weights(sizes, folders)
    groups = treemap.groups(given)
    assert sum(group.bytes for group in groups) == sum(sizes)
    colours = {group.name: group.colour for group in groups[: treemap.COLOURS]}
    for cell in treemap.cells(given, treemap.Others(0, 0), groups, WIDTH, HEIGHT):
        if cell.name:
            assert cell.colour == colours.get(cell.name.split("/")[0], treemap.COLOURS)


def test_repositories_of_no_bytes_have_no_picture() -> None:
    """There is nothing to divide."""
    assert treemap.cells([], treemap.Others(3, 0), [], WIDTH, HEIGHT) == []


TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 29)) | st.datetimes(
    datetime(2024, 1, 1), datetime(2026, 1, 1)
)


def pushed(times: list[datetime | None]) -> Tables:
    tables: dict[str, pa.Table] = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    aware = [each and each.replace(tzinfo=timezone.utc) for each in times]
    tables["blobs"] = table_of(
        "blobs", [(f"sha256:{at:064x}", 2**at % 997, t, *(None,) * 7) for at, t in enumerate(aware)]
    )
    tables["revisions"] = table_of("revisions", [("app", f"sha256:{at:064x}", t, True) for at, t in enumerate(aware)])
    return Tables(**tables)


@given(st.lists(TIMES | st.none(), min_size=1, max_size=20))
def test_periods_follow_each_other_and_have_every_byte(times: list[datetime | None]) -> None:
    """From the first push to the last, with no gap; bytes of unknown times are told apart."""
    tables = pushed(times)
    growth = growth_of(tables)
    periods = growth.periods
    known = [each for each in times if each]
    assert bool(periods) == bool(known)
    assert len(periods) <= MOST_PERIODS + 1
    assert all(one.end == other.begin for one, other in pairwise(periods))
    stored = periods[-1].stored if periods else 0
    assert stored == sum(period.new for period in periods)
    assert stored + growth.undated == sum(tables.blobs["size"].to_pylist())
    assert sum(period.manifests for period in periods) == len(known)
    if known:
        assert periods[0].begin <= min(known).date()
        assert max(known).date() < periods[-1].end
    assert len({period.name for period in periods}) == len(periods)


def test_the_unit_grows_with_the_span() -> None:
    """Days for a month, weeks for a year, months for some years, then years."""
    begin = datetime(2020, 3, 5, 12)
    units = [growth_of(pushed([begin, begin + timedelta(days=days)])).unit for days in (0, 30, 365, 2000, 9000)]
    assert units == ["day", "day", "week", "month", "year"]


@given(st.lists(TIMES, min_size=1, max_size=5))
def test_the_curve_rises_within_its_axes(times: list[datetime]) -> None:
    """From nothing at the left to all at the right; at most as many labels as there is room for."""
    periods = growth_of(pushed(list(times))).periods
    made = curve(periods, WIDTH, 280.0, 8)
    points = [tuple(map(float, point.split(","))) for point in made.line.split()]
    assert points[0] == (made.left, made.bottom)
    assert points[-1][0] == pytest.approx(made.right, abs=0.1)
    heights = [y for _, y in points]
    assert heights == sorted(heights, reverse=True)
    assert min(heights) >= made.sizes[-1].at - 0.1
    assert len(made.times) <= 8
    assert len(made.sizes) <= 5
