"""Reading: large ranges fetched as parallel pieces, and the file open for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from registry_s3fs import ranges
from registry_s3fs.bucket import Bucket
from registry_s3fs.concurrency import Pool
from registry_s3fs.records import ANY, Content, Pin

if TYPE_CHECKING:
    from registry_s3fs.filesystem import RegistryS3FileSystem

PIECE_BYTES = 16 * ranges.MIB
"""Larger reads are cut into ranges of this size, fetched side by side."""
PIECES_AHEAD = 4


def read(bucket: Bucket, pool: Pool, key: str, start: int | None, end: int | None, pin: Pin = ANY) -> Content:
    """The bytes of a Python slice of an object, all of one version (the one pinned, or seen first)."""
    start = start or 0
    if start < 0 and end is None:
        return bucket.get(key, start, pin=pin)
    if start < 0 or (end is not None and end < 0):
        found = bucket.head(key, version_id=pin.version_id)
        pin = pin if pin.etag else pin._replace(etag=found.etag)
        start, end = ranges.resolve(start, end, found.size)
    if end is not None and end <= start:
        return Content(b"", pin, 0)
    first = bucket.get(key, start, start + PIECE_BYTES if end is None else min(end, start + PIECE_BYTES), pin)
    end = first.size if end is None else min(end, first.size)
    pieces = ranges.split(start + len(first.data), end, PIECE_BYTES) if first.data else []
    if not pieces:
        return first
    rest = pool.map(lambda piece: bucket.get(key, *piece, pin=first.pin).data, pieces)
    return Content(b"".join([first.data, *rest]), first.pin, first.size)


class ReadFile(AbstractBufferedFile):
    """A file open for reading. Every byte is of the version seen first; `FileExpired` where that is gone."""

    def __init__(
        self,
        fs: RegistryS3FileSystem,
        path: str,
        *,
        version_id: str = "",
        etag: str = "",
        size: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._key = fs.bucket.space.key(path)
        self._details: dict[str, Any] | None = None
        if size is None:  # it and the ETag are given when a pickled file is opened again
            self._details = fs.file_info(path, version_id=version_id)
            etag, size = self._details["ETag"], self._details["size"]
        self._pin = Pin(etag, version_id)
        super().__init__(fs, path, "rb", size=size, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it goes on with the same version, or `FileExpired` where that is gone."""
        return _reopen, (self.fs, self.path, self.loc, self.blocksize, self.cache.name, self.size, self._pin)

    def _fetch_range(self, start: int, end: int) -> bytes:
        content = read(self.fs.bucket, self.fs.pool, self._key, start, end, self._pin)
        self._pin = content.pin
        return content.data


def _reopen(
    fs: RegistryS3FileSystem, path: str, loc: int, block_size: int, cache_type: str, size: int, pin: Pin
) -> Any:
    file = fs.open(path, "rb", block_size, cache_type=cache_type, size=size, **pin._asdict())
    file.seek(loc)
    return file
