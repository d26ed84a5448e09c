"""Bytes of sparse files. Pure."""

from __future__ import annotations

from collections.abc import Callable

from registry_s3fs.registry.layers.tar_headers import Runs


def read_sparse(runs: Runs, read: Callable[[int, int], bytes], start: int, end: int) -> bytes:
    r"""Return the bytes of a sparse file from one offset up to another.

    >>> read_sparse(((2, 3),), lambda start, end: b"abc"[start:end], 0, 8)
    b'\x00\x00abc\x00\x00\x00'

    Args:
        runs: The offset and length of each run that is stored.
        read: Returns a range of the runs, which are stored one behind the other.
        start: Where to begin.
        end: Where to end, at most the file's size.
    """
    data = bytearray(end - start)
    stored = 0
    for offset, length in runs:
        first, last = max(start, offset), min(end, offset + length)
        if first < last:
            data[first - start : last - start] = read(stored + first - offset, stored + last - offset)
        stored += length
    return bytes(data)
