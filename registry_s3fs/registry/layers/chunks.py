"""Ranges of a compressed layer: from the cache, or decompressed again from the nearest place where that can begin.

Every chunk is compared with the checksum that it had when the whole layer had its digest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from registry_s3fs import errors
from registry_s3fs.registry.layers import seekable
from registry_s3fs.registry.layers.cache import Cache
from registry_s3fs.registry.layers.compression import decompressed
from registry_s3fs.registry.layers.contents import CHUNK_BYTES, Layer
from registry_s3fs.registry.layers.stored_blob import StoredBlob
from registry_s3fs.registry.layers.streamed import in_chunks
from registry_s3fs.threads.fork import Guard

FAR_BYTES = 8 * 1024 * 1024
"""Decompressing less than this costs less than to begin anew with a seekable index."""


class ChunkReader:
    """Reads ranges of one compressed layer. What follows the last range is decompressed from where that ended.

    Args:
        blob: The layer's blob.
        layer: What is known of the layer.
        cache: Has some of its chunks, and takes more.
        key: Makes the key of a chunk's number, or of the seekable index, in the cache.
    """

    def __init__(self, blob: StoredBlob, layer: Layer, cache: Cache, key: Callable[[object], str]) -> None:
        self._blob = blob
        self._layer = layer
        self._cache = cache
        self._key = key
        self._guard = Guard()
        self._next = 0
        self._process = os.getpid()
        self._following: Generator[bytes, None, None] | None = None

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from one offset of the uncompressed layer up to another.

        Raises:
            LayerError: The layer is not what it was.
        """
        parts = []
        for number in range(start // CHUNK_BYTES, -(-end // CHUNK_BYTES)):
            at = number * CHUNK_BYTES
            chunk = self._kept(number) or self._decompressed(number)
            parts.append(chunk[max(0, start - at) : end - at])
        return b"".join(parts)

    def close(self) -> None:
        """Close what is open."""
        with self._guard.lock:
            if self._following:
                self._following.close()
            self._following = None

    def _kept(self, number: int) -> bytes | None:
        chunk = self._cache.get(self._key(number))
        return chunk if chunk is not None and self._layer.has(number, chunk) else None

    def _decompressed(self, number: int) -> bytes:
        with self._guard.lock:
            kept = self._kept(number)  # by another thread, meanwhile
            if kept:
                return kept
            try:
                return self._advance(number)
            except BaseException:
                self.close()
                raise

    def _advance(self, number: int) -> bytes:
        """Decompress up to a chunk, from where the last ended or from a nearer place."""
        self._forget_after_fork()
        if not self._following or not self._is_near(number):
            self.close()
            self._next, self._following = self._begin(number)
        chunk = b""
        while self._next <= number:
            chunk = next(self._following, b"")
            if not self._layer.has(self._next, chunk):
                raise errors.bad_layer("the layer is not what it was when it had its digest")
            self._cache.put(self._key(self._next), chunk)
            self._next += 1
        return chunk

    def _forget_after_fork(self) -> None:
        """After a fork, let go of what is open: parent and child have one position in a local file."""
        if self._process != os.getpid():
            self._process, self._following = os.getpid(), None

    def _is_near(self, number: int) -> bool:
        """Return whether to go on from where the last chunk ended is the shortest way to a chunk."""
        if number < self._next:
            return False
        nearest = self._layer.begin_before(number * CHUNK_BYTES).uncompressed
        return nearest <= self._next * CHUNK_BYTES or (number - self._next) * CHUNK_BYTES < FAR_BYTES

    def _begin(self, number: int) -> tuple[int, Generator[bytes, None, None]]:
        """Return the number of the first chunk that comes, and the chunks from there on."""
        begin = self._layer.begin_before(number * CHUNK_BYTES)
        distance = number * CHUNK_BYTES - begin.uncompressed
        if self._layer.compression == "gzip" and distance >= FAR_BYTES and seekable.is_available():
            return number, self._by_index(number)
        first = -(-begin.uncompressed // CHUNK_BYTES)
        return first, self._from(begin.compressed, first * CHUNK_BYTES - begin.uncompressed)

    def _by_index(self, number: int) -> Generator[bytes, None, None]:
        index = seekable.SeekableIndex(self._cache, self._key("seekable"), self._layer.size)
        with self._blob.open() as file:
            yield from in_chunks(index.bytes_from(file, number * CHUNK_BYTES))

    def _from(self, compressed: int, left_out: int) -> Generator[bytes, None, None]:
        with closing(self._blob.pieces(compressed)) as pieces:
            yield from in_chunks(_without(decompressed(pieces, self._layer.compression), left_out))


def _without(pieces: Iterator[bytes], left_out: int) -> Iterator[bytes]:
    for piece in pieces:
        if left_out < len(piece):
            yield piece[left_out:]
        left_out = max(0, left_out - len(piece))
