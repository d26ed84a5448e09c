"""Layers with a table of contents of their own: the table is found and compared, and its chunks are read.

A table that is damaged, contradicts its annotation or leaves something out counts for nothing: the layer is read as
any other. A chunk that does not have the digest that the table says is an error.
"""

from __future__ import annotations

import hashlib
import logging
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from registry_s3fs import errors
from registry_s3fs.errors import LayerError, UnreadableDocumentError
from registry_s3fs.registry.layers import tables_of_contents
from registry_s3fs.registry.layers.cache import Cache
from registry_s3fs.registry.layers.compression import Compression, decompressed
from registry_s3fs.registry.layers.contents import Layer, TableChunk
from registry_s3fs.registry.layers.stored_blob import StoredBlob
from registry_s3fs.registry.layers.streamed import Indexed
from registry_s3fs.registry.layers.tables_of_contents import (
    FOOTER_BYTES,
    STARGZ_DIGEST,
    Position,
    Table,
)
from registry_s3fs.registry.manifests import Descriptor

_BLOCK_BYTES = 256 * 1024
_MAX_RANGE_BYTES = 8 * 1024 * 1024

logger = logging.getLogger(__name__)


def index(blob: StoredBlob, descriptor: Descriptor) -> Indexed | None:
    """Return what a layer's table of contents says, or None where it has none that can be used.

    Of a blob without one, eStargz costs one small request, and zstd:chunked none.

    Args:
        blob: The layer's blob.
        descriptor: What the manifest says of it. Its annotations tell the digest of the table.
    """
    try:
        found = _chunked(blob, descriptor) or _stargz(blob, descriptor)
    except (LayerError, UnreadableDocumentError) as error:
        logger.info("%s is read without its table of contents: %s", blob.digest, error)
        return None
    if found is None:
        return None
    compression, table = found
    last = table.chunks[-1] if table.chunks else None
    return Indexed(Layer(compression, last.start + last.size if last else 0, table=table.chunks), table.entries)


def _chunked(blob: StoredBlob, descriptor: Descriptor) -> tuple[Compression, Table] | None:
    found = tables_of_contents.chunked_position(descriptor.annotations, blob.size)
    if found is None:
        return None
    position, digest = found
    frame = blob.range(position.start, position.end)
    _check_table(frame, digest)
    document = _beginning(frame, "zstd", position.size)
    return "zstd", tables_of_contents.parse_table(document, blob.digest, position.start)


def _stargz(blob: StoredBlob, descriptor: Descriptor) -> tuple[Compression, Table] | None:
    if blob.size < FOOTER_BYTES:
        return None
    position = tables_of_contents.stargz_position(blob.range(blob.size - FOOTER_BYTES, blob.size), blob.size)
    if position is None or position.end - position.start > position.size:
        return None
    document = tables_of_contents.stargz_document(_archive(blob, position))
    annotation = descriptor.annotations.get(STARGZ_DIGEST)
    if annotation is not None:
        _check_table(document, annotation)
    return "gzip", tables_of_contents.parse_table(document, blob.digest, position.start)


def _archive(blob: StoredBlob, position: Position) -> bytes:
    return _beginning(blob.range(position.start, position.end), "gzip", position.size)


def _check_table(data: bytes, annotation: str) -> None:
    if annotation != _digest(data):
        raise errors.bad_layer("its table of contents has another digest than its annotation says")


class _Block(NamedTuple):
    """Chunks of a table that are stored one behind the other."""

    start: int
    size: int
    chunks: tuple[TableChunk, ...]

    @property
    def begin(self) -> int:
        return self.chunks[0].begin

    @property
    def end(self) -> int:
        return self.chunks[-1].end

    @property
    def is_stored(self) -> bool:
        return bool(self.chunks[0].digest)


class TableReader:
    """Reads ranges of the chunks of a table of contents, as if they were stored one behind the other.

    Chunks may be small. So they are kept in blocks, and what lies together is read together.

    Args:
        blob: The layer's blob.
        layer: What is known of the layer.
        cache: Has some of its blocks, and takes more.
        key: Makes the key of a block in the cache.
    """

    def __init__(self, blob: StoredBlob, layer: Layer, cache: Cache, key: Callable[[object], str]) -> None:
        self._blob = blob
        self._compression = layer.compression
        self._blocks = list(_blocks(layer.table or ()))
        self._cache = cache
        self._key = key

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from one offset up to another.

        Raises:
            LayerError: A chunk is damaged, or not what the table says.
        """
        first = bisect_right(self._blocks, start, key=lambda block: block.start) - 1
        last = bisect_left(self._blocks, end, key=lambda block: block.start)
        kept = {at: self._kept(at) for at in range(first, last) if self._blocks[at].is_stored}
        for run in self._runs([at for at, data in kept.items() if data is None]):
            kept.update(self._fetched(run))
        parts = []
        for at in range(first, last):
            block = self._blocks[at]
            begin, stop = max(0, start - block.start), min(block.size, end - block.start)
            parts.append((kept[at] or b"")[begin:stop] if block.is_stored else bytes(stop - begin))
        return b"".join(parts)

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def _kept(self, number: int) -> bytes | None:
        data = self._cache.get(self._key(f"block{number}"))
        block = self._blocks[number]
        if data is None or len(data) != block.size:
            return None
        chunks = ((chunk, data[chunk.start - block.start :][: chunk.size]) for chunk in block.chunks)
        return data if all(_digest(found) == chunk.digest for chunk, found in chunks) else None

    def _runs(self, numbers: list[int]) -> Iterator[list[int]]:
        """Yield the numbers of blocks again, those together that one range of the blob has."""
        run: list[int] = []
        for at in numbers:
            block = self._blocks[at]
            begin = self._blocks[run[0]].begin if run else 0
            if run and (self._blocks[run[-1]].end != block.begin or block.end - begin > _MAX_RANGE_BYTES):
                yield run
                run = []
            run.append(at)
        if run:
            yield run

    def _fetched(self, run: list[int]) -> Iterator[tuple[int, bytes]]:
        begin = self._blocks[run[0]].begin
        compressed = memoryview(self._blob.range(begin, self._blocks[run[-1]].end))
        for at in run:
            chunks = self._blocks[at].chunks
            data = b"".join(self._chunk(chunk, compressed[chunk.begin - begin : chunk.end - begin]) for chunk in chunks)
            self._cache.put(self._key(f"block{at}"), data)
            yield at, data

    def _chunk(self, chunk: TableChunk, compressed: memoryview) -> bytes:
        data = _beginning(compressed, self._compression, chunk.inner + chunk.size)[chunk.inner :]
        if _digest(data) != chunk.digest:
            raise errors.bad_layer(f"a chunk at {chunk.begin} of its blob has another digest than its table says")
        return data


def _blocks(chunks: Iterable[TableChunk]) -> Iterator[_Block]:
    """Yield chunks in blocks of up to `_BLOCK_BYTES`, or one larger chunk. Zeros are blocks by themselves."""
    block: list[TableChunk] = []
    for chunk in chunks:
        fits = bool(block) and _fits(block[0], chunk)
        if block and not (fits and chunk.digest and block[-1].digest and block[-1].end == chunk.begin):
            yield _block(block)
            block = []
        block.append(chunk)
    if block:
        yield _block(block)


def _fits(first: TableChunk, last: TableChunk) -> bool:
    """Return whether chunks make one block: neither what they hold nor what is read of the blob for it is large."""
    return last.start + last.size - first.start <= _BLOCK_BYTES and last.end - first.begin <= _MAX_RANGE_BYTES


def _block(chunks: list[TableChunk]) -> _Block:
    start = chunks[0].start
    return _Block(start, chunks[-1].start + chunks[-1].size - start, tuple(chunks))


def _beginning(compressed: bytes | memoryview, compression: Compression, size: int) -> bytes:
    """Decompress up to a size, and no further."""
    parts = []
    for piece in decompressed(iter([bytes(compressed)]), compression):
        parts.append(piece[:size])
        size -= len(parts[-1])
        if not size:
            break
    return b"".join(parts)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
