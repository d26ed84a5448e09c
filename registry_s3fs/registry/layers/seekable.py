"""A seekable index of a gzip stream, by the library ``indexed_gzip`` where it is installed.

It has the state of the decompressor every few MiB, so that one file of a large layer is read without decompressing
what comes before it. The library compares no checksums, so whoever takes its bytes does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from registry_s3fs import errors
from registry_s3fs.registry.layers import saved
from registry_s3fs.registry.layers.cache import Cache
from registry_s3fs.registry.layers.contents import CHUNK_BYTES

if TYPE_CHECKING:
    from indexed_gzip import IndexedGzipFile

MIN_SPACING_BYTES = 4 * 1024 * 1024
_MAX_POINTS = 1024
"""Each takes 32 KiB."""


def is_available() -> bool:
    """Return whether the library is installed."""
    return importlib.util.find_spec("indexed_gzip") is not None


class SeekableIndex:
    """The index of one layer. It grows up to where the layer was read, and is kept in the cache.

    Args:
        cache: The cache.
        key: The index's key in it.
        size: The layer's size, uncompressed.
    """

    def __init__(self, cache: Cache, key: str, size: int) -> None:
        self._cache = cache
        self._key = key
        self._spacing = max(MIN_SPACING_BYTES, size // _MAX_POINTS)
        self._points = 0

    def bytes_from(self, file: BinaryIO, offset: int) -> Iterator[bytes]:
        """Yield the uncompressed bytes from an offset on. They are to be compared.

        Args:
            file: The compressed layer.
            offset: Where to begin, in the uncompressed layer.

        Raises:
            LayerError: The library cannot read it.
        """
        import indexed_gzip

        try:
            yield from self._bytes_from(file, offset)
        except indexed_gzip.ZranError as error:
            raise errors.bad_layer(f"indexed_gzip cannot read it: {error}") from error

    def _bytes_from(self, file: BinaryIO, offset: int) -> Iterator[bytes]:
        import indexed_gzip

        with indexed_gzip.IndexedGzipFile(fileobj=file, spacing=self._spacing, buffer_size=CHUNK_BYTES) as stream:
            known = saved.unseal(self._cache.get(self._key))
            if known:
                stream.import_index(fileobj=BytesIO(known))
                self._points = _count(stream)
            stream.seek(offset)
            self._save(stream)
            while piece := stream.read(CHUNK_BYTES):
                yield piece
            self._save(stream)

    def _save(self, stream: IndexedGzipFile) -> None:
        """Keep the index, where it grew by a quarter."""
        points = _count(stream)
        if points > self._points * 5 // 4:
            content = BytesIO()
            stream.export_index(fileobj=content)
            self._cache.put(self._key, saved.seal(content.getvalue()))
            self._points = points


def _count(stream: IndexedGzipFile) -> int:
    return sum(1 for _ in stream.seek_points())
