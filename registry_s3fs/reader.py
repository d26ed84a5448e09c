"""Reading: large ranges fetched as parallel pieces, and the file open for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from registry_s3fs import ranges
from registry_s3fs.bucket import Bucket, Content
from registry_s3fs.concurrency import Pool

if TYPE_CHECKING:
    from registry_s3fs.filesystem import RegistryS3FileSystem

PIECE_BYTES = 16 * ranges.MIB
"""Larger reads are cut into ranges of this size, fetched side by side."""
PIECES_AHEAD = 4


def read(bucket: Bucket, pool: Pool, key: str, start: int | None, end: int | None, etag: str = "") -> Content:
    """The bytes of a Python slice of an object, all of one version (`etag`, or the one seen first)."""
    start = start or 0
    if start < 0 and end is None:
        return bucket.get(key, start, etag=etag)
    if start < 0 or (end is not None and end < 0):
        found = bucket.head(key)
        etag = etag or found.etag
        start, end = ranges.resolve(start, end, found.size)
    if end is not None and end <= start:
        return Content(b"", etag, 0)
    first = bucket.get(key, start, start + PIECE_BYTES if end is None else min(end, start + PIECE_BYTES), etag)
    end = first.size if end is None else min(end, first.size)
    pieces = ranges.split(start + len(first.data), end, PIECE_BYTES) if first.data else []
    if not pieces:
        return first
    rest = pool.map(lambda piece: bucket.get(key, *piece, etag=first.etag).data, pieces)
    return Content(b"".join([first.data, *rest]), first.etag, first.size)


class ReadFile(AbstractBufferedFile):
    """A file open for reading. Every byte is of the version seen first; `FileExpired` where that is gone."""

    def __init__(self, fs: RegistryS3FileSystem, path: str, *, size: int | None = None, **kwargs: Any) -> None:
        self._key = fs.bucket.space.key(path)
        self._etag = ""
        self._details: dict[str, Any] | None = None
        if size is None:  # given when a pickled file is opened again
            self._details = fs.file_info(path)
            self._etag, size = self._details["ETag"], self._details["size"]
        super().__init__(fs, path, "rb", size=size, **kwargs)

    def _fetch_range(self, start: int, end: int) -> bytes:
        content = read(self.fs.bucket, self.fs.pool, self._key, start, end, self._etag)
        self._etag = self._etag or content.etag
        return content.data
