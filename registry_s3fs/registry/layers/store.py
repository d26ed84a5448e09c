"""The entries and bytes of a registry's layers, over any fsspec filesystem."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from registry_s3fs import errors
from registry_s3fs.model.registry_layout import ROOT, Blob
from registry_s3fs.registry.layers import saved, streamed, table_chunks
from registry_s3fs.registry.layers.cache import Cache, new_cache
from registry_s3fs.registry.layers.chunks import ChunkReader
from registry_s3fs.registry.layers.contents import CHUNK_BYTES, Layer
from registry_s3fs.registry.layers.entries import LayerEntry
from registry_s3fs.registry.layers.sparse import read_sparse
from registry_s3fs.registry.layers.stored_blob import StoredBlob
from registry_s3fs.registry.layers.streamed import MAX_UNCOMPRESSED_BYTES, Indexed
from registry_s3fs.registry.layers.table_chunks import TableReader
from registry_s3fs.registry.manifests import Descriptor
from registry_s3fs.threads.fork import Guard

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_MAX_READERS = 4


class Layers:
    """The layers of a registry in any filesystem of fsspec.

    Args:
        fs: The filesystem.
        root: The folder that has ``blobs`` and ``repositories``.
        cache: A folder that keeps what was learned of layers, and their uncompressed bytes. By default they are kept
            in memory.
        cache_bytes: The bound of the cache: by default 4 GiB in a folder, and 256 MiB in memory.
        max_uncompressed_bytes: What a layer may expand to.

    Raises:
        OSError: The cache's folder cannot be made.
    """

    def __init__(
        self,
        fs: AbstractFileSystem,
        root: str = ROOT,
        cache: str | os.PathLike[str] | Cache | None = None,
        *,
        cache_bytes: int | None = None,
        max_uncompressed_bytes: int = MAX_UNCOMPRESSED_BYTES,
    ) -> None:
        self._fs = fs
        self._root = str(fs._strip_protocol(root))
        self._cache = new_cache(cache, cache_bytes)
        self._max_bytes = max_uncompressed_bytes
        self._descriptors: dict[str, Descriptor] = {}
        self._layers: dict[str, Layer] = {}
        self._readers: OrderedDict[str, ChunkReader | TableReader] = OrderedDict()
        self._guards: dict[str, Guard] = {}
        self._guard = Guard()

    def entries(self, descriptor: Descriptor) -> list[LayerEntry]:
        """Return the entries of a layer in their order, whiteouts and names that come more than once included.

        The first time the layer is read: wholly if it is compressed, else its headers. Whether it is compressed, its
        first bytes tell.

        Args:
            descriptor: What the manifest says of the layer.

        Raises:
            IncompleteError: Its blob is missing.
            DigestMismatchError: It has another digest.
            LayerError: It is no layer, is cut short, or is beyond the bounds.
            ImportError: It is compressed by zstd, and there is no library for it.
        """
        digest = descriptor.digest
        self._descriptors[digest] = descriptor
        with self._named(digest), self._guards.setdefault(digest, Guard()).lock:
            layer, kept = self._kept(digest, "layer"), self._kept(digest, "entries")
            if layer is None or kept is None:
                return self._index(descriptor).entries
            self._layers[digest] = saved.layer_of_bytes(layer)
            return saved.entries_of_bytes(kept)

    def read(self, entry: LayerEntry, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes of a file, or of a hard link that was merged. The arguments are those of a slice.

        `entries` has to be asked first for the layer that the entry is from.

        Raises:
            FileNotFoundError: The entry has no bytes, as a hard link to nothing.
            IncompleteError: The blob is missing.
            LayerError: The layer is not what it was.
        """
        if entry.blob is None or entry.offset is None:
            raise errors.missing(entry.path)
        start, end, _ = slice(start, end).indices(entry.size)
        if start >= end:
            return b""
        with self._named(entry.blob):
            read = partial(self._read, entry.blob, entry.offset, entry.has_table)
            return read_sparse(entry.sparse, read, start, end) if entry.sparse is not None else read(start, end)

    def _read(self, digest: str, offset: int, has_table: bool, start: int, end: int) -> bytes:  # an entry's
        layer = self._layer(digest)
        if (layer.table is not None) != has_table:
            raise errors.bad_layer("its table of contents could be read only sometimes; list its entries again")
        if offset + end > layer.size:
            raise errors.bad_layer(f"it has {layer.size} bytes, and {offset + end} are needed")
        if layer.compression == "none":
            return StoredBlob(self._fs, self._root, digest).range(offset + start, offset + end)
        return self._reader(digest, layer).read(offset + start, offset + end)

    def _layer(self, digest: str) -> Layer:
        if digest not in self._layers:
            self.entries(self._descriptors.get(digest, Descriptor(digest, None)))
        return self._layers[digest]

    def _index(self, descriptor: Descriptor) -> Indexed:
        digest = descriptor.digest
        blob = StoredBlob(self._fs, self._root, digest)
        blob.check_size(descriptor.size)
        found = table_chunks.index(blob, descriptor)
        found = found or streamed.index(blob, partial(self._keep, digest), self._max_bytes)
        self._cache.put(_key(digest, "entries"), saved.seal(saved.entries_as_bytes(found.entries)))
        self._cache.put(_key(digest, "layer"), saved.seal(saved.layer_as_bytes(found.layer)))
        self._layers[digest] = found.layer
        return found

    @contextmanager
    def _named(self, digest: str) -> Iterator[None]:
        """Say in errors of a layer which one it is."""
        try:
            yield
        except errors.LayerError as error:
            error.filename = error.filename or digest
            raise
        except FileNotFoundError as error:
            known = self._descriptors.get(digest)
            what = errors.foreign_layer_missing if known and known.is_foreign else errors.blob_missing
            raise what(digest, Blob(digest).at(self._root)) from error

    def _keep(self, digest: str, number: int, chunk: bytes) -> None:
        """Keep a chunk of a layer, up to half of the cache: what was used before is not all given up for one layer."""
        if (number + 1) * CHUNK_BYTES <= self._cache.max_bytes // 2:
            self._cache.put(_key(digest, number), chunk)

    def _kept(self, digest: str, what: str) -> bytes | None:
        return saved.unseal(self._cache.get(_key(digest, what)))

    def _reader(self, digest: str, layer: Layer) -> ChunkReader | TableReader:
        with self._guard.lock:
            if digest not in self._readers:
                kind = ChunkReader if layer.table is None else TableReader
                blob = StoredBlob(self._fs, self._root, digest)
                self._readers[digest] = kind(blob, layer, self._cache, partial(_key, digest))
            self._readers.move_to_end(digest)
            if len(self._readers) > _MAX_READERS:
                self._readers.popitem(last=False)[1].close()
            return self._readers[digest]


def _key(digest: str, what: object) -> str:
    return f"{digest.replace(':', '-')}.{saved.VERSION}.{what}"
