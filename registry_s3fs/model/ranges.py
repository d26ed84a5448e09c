"""Byte ranges and part sizes: S3's limits, and the plans that keep to them. Pure.

A byte range is half-open: ``(start, end)`` holds the bytes ``start`` to ``end - 1``. The limits are listed in
https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MIB = 1024 * 1024
GIB = 1024 * MIB
MIN_PART_BYTES = 5 * MIB
"""The fewest bytes of a part. Only the last part may have fewer."""
MAX_PART_BYTES = 5 * GIB
"""The most bytes of a part, and of an object that is put or copied in one request."""
MAX_PARTS = 10_000
MAX_OBJECT_BYTES = 5 * 1024 * GIB
MAX_KEY_BYTES = 1024
"""The most bytes of a key (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)."""
MAX_DELETE_KEYS = 1000
"""The most keys of one DeleteObjects (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)."""
STEADY_PARTS = 5_000
"""The number of parts of a stream that have one size, before sizes begin to double."""

PIECE_BYTES = 4 * MIB
"""The bytes of one read.

With fewer bytes, a request's own time weighs more than the time of its bytes. With more, memory is touched that no
cache holds.
"""
PARTS_PER_DOUBLING = 450
"""The number of parts after which sizes double, once they have begun to."""

Range = tuple[int, int]


def split(start: int, end: int, piece_bytes: int) -> list[Range]:
    """Cut a byte range into pieces of `piece_bytes`, the last of which may be shorter.

    >>> split(10, 35, 10)
    [(10, 20), (20, 30), (30, 35)]
    >>> split(5, 5, 10)
    []
    """
    return [(at, min(at + piece_bytes, end)) for at in range(start, end, piece_bytes)]


def split_evenly(size: int, most_bytes: int) -> list[Range]:
    """Cut `size` bytes into as few pieces as `most_bytes` allows, all of about one size.

    `size` is above 0. The last piece is thus not too small for a part.

    >>> split_evenly(7 * MIB, MAX_PART_BYTES) == [(0, 7 * MIB)]
    True
    >>> [end - start >= MIN_PART_BYTES for start, end in split_evenly(5 * GIB + 1, MAX_PART_BYTES)]
    [True, True]
    """
    pieces = -(-size // most_bytes)
    return split(0, size, -(-size // pieces))


class Pieces(Iterator[Range]):
    """The smaller byte ranges that a byte range is fetched in, side by side.

    Each is cut when its turn comes, so that the plan of the largest object is as small as any other.

    >>> pieces = Pieces(MIB, 10 * MIB)
    >>> len(pieces), [(end - start) // MIB for start, end in pieces], len(pieces)
    (3, [4, 4, 1], 0)
    """

    __slots__ = ("_end", "_start")

    def __init__(self, start: int, end: int) -> None:
        self._start, self._end = start, end

    def __len__(self) -> int:
        return max(0, -(-(self._end - self._start) // PIECE_BYTES))

    def __next__(self) -> Range:
        start = self._start
        if start >= self._end:
            raise StopIteration
        self._start = min(self._end, start + PIECE_BYTES)
        return start, self._start


def split_for_copy(size: int, piece_bytes: int) -> list[Range]:
    """Return the parts of a server-side copy: `piece_bytes` each, or more where `MAX_PARTS` would not do.

    >>> len(split_for_copy(MAX_OBJECT_BYTES, 32 * MIB)) <= MAX_PARTS
    True
    """
    return split(0, size, uniform_part_bytes(size, piece_bytes))


def uniform_part_bytes(size: int, chunk_bytes: int) -> int:
    """Return the part size for an upload of known size: `chunk_bytes`, or more where that made over `MAX_PARTS`.

    >>> uniform_part_bytes(100 * MIB, 10 * MIB) // MIB, uniform_part_bytes(MAX_OBJECT_BYTES, 10 * MIB) // MIB
    (10, 525)
    """
    smallest = -(-size // MAX_PARTS)
    return max(chunk_bytes, -(-smallest // MIB) * MIB)


def split_for_upload(size: int, chunk_bytes: int) -> list[Range]:
    """Return the parts of an upload of known size.

    A single part, which may be empty, is stored in one request.

    >>> [(b - a) // MIB for a, b in split_for_upload(25 * MIB, 10 * MIB)]
    [10, 10, 5]
    >>> split_for_upload(10, 10 * MIB), split_for_upload(0, 10 * MIB)
    ([(0, 10)], [(0, 0)])
    """
    return split(0, size, uniform_part_bytes(size, chunk_bytes)) or [(0, 0)]


def streamed_part_bytes(number: int, chunk_bytes: int) -> int:
    """Return the size of part `number` (from 1) of an upload whose size is not known beforehand.

    The first `STEADY_PARTS` have `chunk_bytes`. From there, sizes double every few hundred parts. So `MAX_PARTS` hold
    the largest object that S3 takes.

    >>> streamed_part_bytes(5000, 10 * MIB) // MIB, streamed_part_bytes(5001, 10 * MIB) // MIB
    (10, 20)
    """
    doublings = max(0, -(-(number - STEADY_PARTS) // PARTS_PER_DOUBLING))
    return min(int(chunk_bytes * 2**doublings), MAX_PART_BYTES)


def split_whole(size: int, part_bytes: int) -> list[Range]:
    """Cut as many bytes as possible into parts of exactly `part_bytes`, and leave out the rest.

    >>> split_whole(25, 10), split_whole(9, 10)
    ([(0, 10), (10, 20)], [])
    """
    return split(0, size - size % part_bytes, part_bytes)


def header(start: int, end: int | None) -> str:
    """Return HTTP's Range header; a negative `start` asks for that many last bytes.

    >>> header(0, 10), header(7, None), header(-5, None)
    ('bytes=0-9', 'bytes=7-', 'bytes=-5')
    """
    if start < 0:
        return f"bytes={start}"
    return f"bytes={start}-{'' if end is None else end - 1}"


def bounds(start: int | None, end: int | None) -> tuple[int | None, int | None]:
    """Return the bounds of a Python slice as Python's own integers.

    >>> bounds(None, 3)
    (None, 3)
    >>> bounds(0.5, 2)
    Traceback (most recent call last):
    TypeError: 'float' object cannot be interpreted as an integer

    Raises:
        TypeError: A bound is no integer.
    """
    return None if start is None else operator.index(start), None if end is None else operator.index(end)


def resolve(start: int | None, end: int | None, size: int) -> Range:
    """Return a Python slice of `size` bytes as a byte range, which is never reversed and never past the end.

    >>> resolve(None, None, 10), resolve(-3, None, 10), resolve(2, -2, 10), resolve(8, 99, 10), resolve(9, 4, 10)
    ((0, 10), (7, 10), (2, 8), (8, 10), (9, 9))
    """
    first, last, _ = slice(start, end).indices(size)
    return first, max(first, last)


class Request(NamedTuple):
    """One byte range of one file to fetch, and the wanted ranges that it serves.

    `serves` maps the index of each wanted range to its bytes in the response.
    """

    name: str
    start: int | None
    end: int | None
    serves: dict[int, slice]


def requests(wanted: Sequence[tuple[str, int | None, int | None]], max_gap_bytes: int | None) -> list[Request]:
    """Return the requests that fetch all wanted ranges, each ``(name, start, end)`` as in a Python slice.

    With a gap given, ranges of one file come in one request where they overlap or lie at most so far apart. A range
    that counts from the file's end has a request of its own, as its place is not known.

    >>> requests([("a", 0, 5), ("a", 100, 110), ("a", 6, 9)], max_gap_bytes=1)[0]
    Request(name='a', start=0, end=9, serves={0: slice(0, 5, None), 2: slice(6, 9, None)})
    """
    found: list[Request] = []
    mergeable: list[tuple[str, int, int, int]] = []
    for index, (name, *given) in enumerate(wanted):
        start, end = bounds(*given)
        if max_gap_bytes is None or (start or 0) < 0 or end is None or end < 0:
            found.append(Request(name, start, end, {index: slice(None)}))
        else:
            mergeable.append((name, start or 0, max(start or 0, end), index))
    return found + _merged(sorted(mergeable), max_gap_bytes or 0)


def _merged(wanted: Sequence[tuple[str, int, int, int]], max_gap_bytes: int) -> list[Request]:
    found: list[Request] = []
    open_at = open_end = 0
    for name, start, end, index in wanted:
        if found and found[-1].name == name and start - open_end <= max_gap_bytes:
            open_end = max(open_end, end)
        else:
            found.append(Request(name, start, end, {}))
            open_at, open_end = start, end
        found[-1].serves[index] = slice(start - open_at, end - open_at)
        found[-1] = found[-1]._replace(end=open_end)
    return found
