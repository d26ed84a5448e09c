"""What is known of a layer once it was read: how its bytes are had again. Pure."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from typing import NamedTuple

from registry_s3fs.registry.layers.compression import Compression

CHUNK_BYTES = 1024 * 1024
"""Compressed layers are kept, compared and decompressed again in chunks of so many uncompressed bytes."""
CHECKSUM_BYTES = 16
_MIN_DISTANCE_BYTES = CHUNK_BYTES
_MAX_BEGINS = 65_536


class Begin(NamedTuple):
    """Where a member of gzip or a frame of zstd begins."""

    compressed: int
    uncompressed: int


class TableChunk(NamedTuple):
    """A chunk of a file, by the layer's own table of contents."""

    start: int
    """Where it begins among all chunks, uncompressed, one behind the other."""
    size: int
    begin: int
    """Where its member or frame begins in the blob."""
    end: int
    """Where that ends at the latest."""
    inner: int
    """How many uncompressed bytes of the member or frame come before it."""
    digest: str
    """Its digest, or an empty text where it is all zeros and is not stored."""


class Layer(NamedTuple):
    """How the bytes of a layer are had."""

    compression: Compression
    size: int
    """The number of bytes, uncompressed."""
    checksums: bytes = b""
    """A checksum of each chunk of a compressed layer, taken when the whole layer had its digest."""
    begins: tuple[Begin, ...] = ()
    """Where decompression can begin."""
    table: tuple[TableChunk, ...] | None = None
    """The chunks of its table of contents, where it is read by that."""

    def has(self, number: int, chunk: bytes) -> bool:
        """Return whether these are the bytes of a chunk."""
        at = number * CHECKSUM_BYTES
        return self.checksums[at : at + CHECKSUM_BYTES] == checksum(chunk)

    def begin_before(self, offset: int) -> Begin:
        """Return the last place before an offset where decompression can begin."""
        at = bisect_right(self.begins, offset, key=lambda begin: begin.uncompressed)
        return self.begins[at - 1] if at else Begin(0, 0)


class Begins:
    """The places where decompression can begin, not all of them where they lie close together."""

    def __init__(self) -> None:
        self._found: list[Begin] = []
        self._distance = _MIN_DISTANCE_BYTES

    def add(self, compressed: int, uncompressed: int) -> None:
        """Note a place."""
        if self._found and uncompressed < self._found[-1].uncompressed + self._distance:
            return
        self._found.append(Begin(compressed, uncompressed))
        if len(self._found) > _MAX_BEGINS:
            self._distance *= 2
            del self._found[1::2]

    def found(self) -> tuple[Begin, ...]:
        """Return them in order."""
        return tuple(self._found)


def checksum(data: bytes) -> bytes:
    """Return the checksum by which what is kept is compared when it is used."""
    return hashlib.blake2b(data, digest_size=CHECKSUM_BYTES).digest()
