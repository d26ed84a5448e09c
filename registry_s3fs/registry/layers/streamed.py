"""A layer read from its first byte to its last: its entries, and how its bytes are had again.

A compressed layer is read once. Nothing of it counts before all of it was read and had its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

from registry_s3fs import errors
from registry_s3fs.registry.layers import tar_index
from registry_s3fs.registry.layers.archives import PiecesArchive, RangedArchive
from registry_s3fs.registry.layers.compression import Compression, compression_of, decompressed
from registry_s3fs.registry.layers.contents import CHUNK_BYTES, Begins, Layer, checksum
from registry_s3fs.registry.layers.entries import LayerEntry
from registry_s3fs.registry.layers.stored_blob import StoredBlob

MAX_UNCOMPRESSED_BYTES = 256 * 1024 * 1024 * 1024
"""The size that a layer may expand to. Memory does not depend on it, but time does."""

_MAX_VERIFIED_BYTES = 1024 * 1024 * 1024
"""The largest layer without compression that is read to tell whether damage is why it is no archive."""

Keep = Callable[[int, bytes], object]
"""Is given the number and the bytes of each chunk."""


class Indexed(NamedTuple):
    """What came of reading a layer."""

    layer: Layer
    entries: list[LayerEntry]


def index(blob: StoredBlob, keep: Keep, max_bytes: int = MAX_UNCOMPRESSED_BYTES) -> Indexed:
    """Read a layer. Of one that is not compressed, large bodies are not read, and so its digest is not compared.

    Args:
        blob: Its blob.
        keep: Is given the chunks of a compressed layer, before its digest is known.
        max_bytes: What it may expand to.

    Raises:
        DigestMismatchError: It has another digest.
        LayerError: It is no layer, is cut short, or is beyond the bounds.
    """
    compression = compression_of(blob.range(0, min(4, blob.size)))
    if compression == "none":
        return _stored(blob)
    with closing(blob.verified()) as pieces:
        return _Stream(blob.digest, pieces, keep, max_bytes).index(compression)


def _stored(blob: StoredBlob) -> Indexed:
    """Read the headers of a layer that is not compressed. One that has none may be damaged, which its digest tells."""
    archive = RangedArchive(blob.range, blob.size)
    try:
        entries = list(tar_index.entries(archive, blob.digest))
    except errors.LayerError:
        if blob.size <= _MAX_VERIFIED_BYTES:
            for _ in blob.verified():
                pass
        raise
    return Indexed(Layer("none", blob.size), entries)


class _Stream:
    """A compressed layer while it is read."""

    def __init__(self, digest: str, pieces: Iterator[bytes], keep: Keep, max_bytes: int) -> None:
        self._digest = digest
        self._pieces = pieces
        self._keep = keep
        self._max_bytes = max_bytes
        self._size = 0
        self._checksums = bytearray()

    def index(self, compression: Compression) -> Indexed:
        begins = Begins()
        archive = PiecesArchive(self._chunks(decompressed(self._pieces, compression, begins.add)))
        try:
            entries = list(tar_index.entries(archive, self._digest))
            archive.skip(self._max_bytes + CHUNK_BYTES)
        except errors.LayerError:
            self._check_digest()  # whoever stored it is not to blame for what became of it
            raise
        self._check_digest()
        return Indexed(Layer(compression, self._size, bytes(self._checksums), begins.found()), entries)

    def _chunks(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for number, chunk in enumerate(in_chunks(pieces)):
            self._size += len(chunk)
            if self._size > self._max_bytes:
                raise errors.bad_layer(f"the layer expands to over {self._max_bytes} bytes")
            self._checksums += checksum(chunk)
            self._keep(number, chunk)
            yield chunk

    def _check_digest(self) -> None:
        for _ in self._pieces:
            pass


def in_chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield bytes again in chunks of `CHUNK_BYTES`, of which only the last may be smaller."""
    room = bytearray()
    for piece in pieces:
        room += piece
        while len(room) >= CHUNK_BYTES:
            yield bytes(memoryview(room)[:CHUNK_BYTES])
            del room[:CHUNK_BYTES]
    if room:
        yield bytes(room)
