"""The large tables cut by the first byte of their digests: blobs, manifests and references of one byte are together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

import pyarrow as pa

BY_DIGEST = {"blobs": "digest", "manifests": "digest", "references": "parent"}
"""The tables whose rows come in the order of digests, each with the column of these."""

_AFTER_HEX = "g"


def first_byte(digest: str) -> str:
    """Return the beginning of a digest that all digests with the same algorithm and first byte have.

    >>> first_byte("sha256:ab01")
    'sha256:ab'
    """
    return digest[: digest.index(":") + 3]


def first_bytes(tables: Iterable[pa.ChunkedArray]) -> list[str]:
    """Return what digests of several sorted columns begin with, each once and sorted."""
    return sorted({byte for column in tables for byte, _, _ in _runs(column)})


def partitions(table: pa.Table, column: str, bytes_: Iterable[str]) -> Iterator[pa.Table]:
    """Yield the rows of each first byte of a table that is sorted by digests; none for a byte that it does not have.

    >>> table = pa.table({"digest": ["sha256:aa0", "sha256:ab0", "sha256:ab1"]})
    >>> [part["digest"].to_pylist() for part in partitions(table, "digest", ["sha256:a9", "sha256:ab"])]
    [[], ['sha256:ab0', 'sha256:ab1']]
    """
    runs = {byte: (start, end) for byte, start, end in _runs(table[column])}
    for byte in bytes_:
        start, end = runs.get(byte, (0, 0))
        yield table.slice(start, end - start)


def divisions(bytes_: Iterable[str]) -> list[str]:
    """Return the bounds between partitions, as dask has them: the first digest that each can have, and the last bound.

    >>> divisions(["sha256:aa", "sha256:ab"])
    ['sha256:aa', 'sha256:ab', 'sha256:abg']
    """
    begins = list(bytes_)
    return [*begins, begins[-1] + _AFTER_HEX] if begins else []


def _runs(column: pa.ChunkedArray) -> Iterator[tuple[str, int, int]]:
    """Yield each first byte of a sorted column, with the numbers of its first row and of the one after its last."""
    start = 0
    while start < len(column):
        byte = first_byte(column[start].as_py())
        end = bisect_left(range(len(column)), byte + _AFTER_HEX, lo=start, key=lambda row: column[row].as_py())
        yield byte, start, end
        start = end
