"""Ranges and part sizes keep to S3's limits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.model import ranges
from registry_s3fs.model.ranges import GIB, MAX_OBJECT_BYTES, MAX_PART_BYTES, MAX_PARTS, MIB, MIN_PART_BYTES

CHUNK = st.integers(MIN_PART_BYTES, MAX_PART_BYTES)


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("chunk", [MIN_PART_BYTES, 10 * MIB, 100 * MIB, GIB, MAX_PART_BYTES])
def test_ten_thousand_streamed_parts_hold_the_largest_object(chunk: int) -> None:
    """S3's 10,000 parts are no limit below 5 TiB. A stream's first 5,000 parts have `chunksize` bytes; from there
    sizes double every 450 parts.
    """
    sizes = [ranges.streamed_part_bytes(number, chunk) for number in range(1, MAX_PARTS + 1)]
    assert sum(sizes) >= MAX_OBJECT_BYTES
    assert max(sizes) <= MAX_PART_BYTES
    assert sizes == sorted(sizes)
    assert sizes[:5000] == [chunk] * 5000


@given(st.integers(1, MAX_OBJECT_BYTES), CHUNK)
def test_an_upload_of_known_size_fits_ten_thousand_parts(size: int, chunk: int) -> None:
    """Parts are uniform, as large as asked or as needed."""
    part = ranges.uniform_part_bytes(size, chunk)
    assert part >= chunk
    assert -(-size // part) <= MAX_PARTS
    assert part <= max(chunk, 526 * MIB)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 300))
def test_pieces_cover_a_range_without_gap_or_overlap(start: int, length: int, piece: int) -> None:
    """Joined in order, the pieces are the range."""
    pieces = ranges.split(start, start + length, piece)
    assert [byte for a, b in pieces for byte in range(a, b)] == list(range(start, start + length))


@given(st.one_of(st.none(), st.integers(-30, 30)), st.one_of(st.none(), st.integers(-30, 30)), st.integers(0, 20))
def test_resolve_is_pythons_slice(start: int | None, end: int | None, size: int) -> None:
    """`start` and `end` mean what they mean in data[start:end]."""
    data = bytes(range(size))
    first, last = ranges.resolve(start, end, size)
    assert data[first:last] == data[start:end]


WANTED = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 50), st.integers(0, 50)).map(lambda w: (w[0], w[1], w[1] + w[2])),
    max_size=12,
)


@given(WANTED, st.integers(0, 20))
def test_merged_requests_serve_exactly_what_was_asked(wanted: list[tuple[str, int, int]], gap: int) -> None:
    """Each asked range gets its own bytes, and no two requests of one file lie within the gap."""
    data = {"a": bytes(range(100)), "b": bytes(range(100, 200))}
    requests = ranges.requests(wanted, gap)
    served = {
        index: data[request.name][request.start : request.end][cut]
        for request in requests
        for index, cut in request.serves.items()
    }
    assert served == {index: data[name][start:end] for index, (name, start, end) in enumerate(wanted)}
    for name in "ab":
        ours = sorted((r.start, r.end) for r in requests if r.name == name)
        assert all(later[0] - earlier[1] > gap for earlier, later in pairwise(ours))


def test_ranges_from_the_end_are_never_merged() -> None:
    """Nobody knows where they lie."""
    requests = ranges.requests([("a", -5, None), ("a", 0, None), ("a", 0, -1)], 1000)
    assert [len(request.serves) for request in requests] == [1, 1, 1]


def test_the_plan_of_the_largest_copy() -> None:
    """A 5 TiB object is copied in at most 10,000 parts of at most 5 GiB."""
    plan = ranges.split_for_copy(MAX_OBJECT_BYTES, 32 * MIB)
    assert len(plan) <= MAX_PARTS
    assert max(end - start for start, end in plan) <= MAX_PART_BYTES
    assert plan[-1][1] == MAX_OBJECT_BYTES
