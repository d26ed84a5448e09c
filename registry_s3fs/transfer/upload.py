"""An object stored from chunks that come one after the other, in one request or in parts side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain
from typing import NamedTuple

from registry_s3fs.model import ranges
from registry_s3fs.model.objects import DEFAULT_HEADERS, Body, ObjectHeaders
from registry_s3fs.s3.bucket import ObjectLocation
from registry_s3fs.transfer.multipart import MAX_BYTES_IN_MEMORY, MultipartUpload, OpenBody, most_in_flight


class Chunk(NamedTuple):
    """Bytes that become an object, or a part of one."""

    size: int
    body: OpenBody


def chunks_of(view: memoryview, chunk_bytes: int) -> Iterator[Chunk]:
    """Yield bytes that are in memory in chunks of `chunk_bytes`, or larger where S3's limits ask for it.

    >>> [chunk.size // ranges.MIB for chunk in chunks_of(memoryview(bytes(12 * ranges.MIB)), 5 * ranges.MIB)]
    [5, 5, 2]
    """
    for start, end in ranges.split_for_upload(len(view), chunk_bytes):
        yield Chunk(end - start, partial(_as_it_is, view[start:end]))


def _as_it_is(view: memoryview) -> AbstractContextManager[Body]:
    return nullcontext(view)


def upload(
    location: ObjectLocation,
    chunks: Iterable[Chunk],
    *,
    exclusive: bool = False,
    headers: ObjectHeaders = DEFAULT_HEADERS,
    before_publishing: Callable[[], None] = lambda: None,
    side_by_side: int = 1,
) -> None:
    """Store at least one chunk: a single one by PutObject, several as the parts of an upload.

    `before_publishing` is called once all bytes are read. Where it raises, nothing is published. `side_by_side` is the
    number of uploads that share the memory.
    """
    rest = iter(chunks)
    first, second = next(rest), next(rest, None)
    if second is None:
        with first.body() as body:
            before_publishing()
            location.bucket.put(location.key, body, exclusive=exclusive, headers=headers)
        return
    parts = MultipartUpload(location, headers=headers)
    try:
        for chunk in chain((first, second), rest):
            parts.add(chunk.size, chunk.body, most_in_flight(chunk.size, MAX_BYTES_IN_MEMORY // side_by_side))
        parts.wait_for_parts()
        before_publishing()
        parts.complete(exclusive=exclusive)
    except BaseException:
        parts.abort()
        raise
