"""Reading: large ranges fetched as parallel pieces, and the file open for reading."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from registry_s3fs import checksums, digests, listing, ranges
from registry_s3fs.bodies import Memory
from registry_s3fs.bucket import Bucket
from registry_s3fs.checks import Check
from registry_s3fs.concurrency import Pool
from registry_s3fs.prefetch import PrefetchCache
from registry_s3fs.records import ANY, Content, Pin

if TYPE_CHECKING:
    from registry_s3fs.filesystem import RegistryS3FileSystem


def read(bucket: Bucket, pool: Pool, key: str, start: int | None, end: int | None, pin: Pin = ANY) -> Content:
    """The bytes of a Python slice of an object, all of one version (the one pinned, or seen first)."""
    start = start or 0
    if start < 0 and end is None:
        return bucket.get(key, start, pin=pin)
    if start < 0 or (end is not None and end <= start):  # of an empty range, too, a missing file is an error
        found = bucket.head(key, version_id=pin.version_id)
        pin = pin if pin.etag else pin._replace(etag=found.etag)
        start, end = ranges.resolve(start, end, found.size)
        if end <= start:
            return Content(b"", pin, found.size)
    reach = start + ranges.PIECE_BYTES
    first = bucket.get(key, start, reach if end is None else min(end, reach), pin)
    end = first.size if end is None else min(end, first.size)
    if not first.data or start + len(first.data) >= end:
        return first
    return Content(_gather(bucket, pool, key, start, end, first.pin, first.data), first.pin, first.size)


def read_whole(bucket: Bucket, pool: Pool, key: str, pin: Pin, check: Check | None) -> bytes:
    """All bytes of an object, of one version, compared by `check`, or else with the checksum that S3 has of them."""
    first = bucket.begin(key, pin)
    check = check or checksums.check(bucket.path(key), first.checksum)
    if check:
        check.take(0, first.data, first.size)
    if len(first.data) == first.size:
        return first.data
    return _gather(bucket, pool, key, 0, first.size, first.pin, first.data, check)


def _gather(
    bucket: Bucket, pool: Pool, key: str, start: int, end: int, pin: Pin, begun: bytes = b"", check: Check | None = None
) -> bytes:
    """A range that the object is known to have, of which `begun` is there."""
    memory = Memory(end - start)
    with memory.view() as view:
        view[: len(begun)] = begun
        with view[len(begun) :] as rest:
            _gather_into(bucket, pool, key, rest, start + len(begun), pin, check)
    return memory.data()


def _gather_into(
    bucket: Bucket, pool: Pool, key: str, view: memoryview, start: int, pin: Pin, check: Check | None = None
) -> None:
    """Fill a view with what the object is known to have from `start` on, in pieces fetched side by side."""

    def fetch(extent: ranges.Range) -> None:
        with view[slice(*extent)] as piece:
            bucket.get_into(key, piece, start + extent[0], pin)

    pieces = list(ranges.split_for_reading(0, len(view)))
    if check is None:
        pool.map(fetch, pieces)
        return
    with closing(pool.each(fetch, pieces, pool.threads)) as fetched:
        for extent, _ in zip(pieces, fetched, strict=True):
            with view[slice(*extent)] as piece:
                check.take(start + extent[0], piece, start + len(view))


class ReadFile(AbstractBufferedFile):
    """A file open for reading. Every byte is of the version seen first; `FileExpired` where that is gone.

    `cache_type` is `PrefetchCache` unless another of fsspec's is asked for.
    """

    DEFAULT_BLOCK_SIZE = ranges.PIECE_BYTES

    def __init__(
        self,
        fs: RegistryS3FileSystem,
        path: str,
        *,
        version_id: str = "",
        etag: str = "",
        size: int | None = None,
        verify: bool | None = None,
        block_size: int | None = None,
        cache_type: str = PrefetchCache.name,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._key = fs.bucket.space.key(path)
        self._verify = verify
        self._check = digests.check(path, verify, by_default=fs.parameters.verify_digests)
        self._details: dict[str, Any] | None = None
        if size is None:  # it and the ETag are given when a pickled file is opened again
            found = fs.file_head(path, version_id=version_id, checksum=True)
            self._details, etag, size = listing.file(path, found), found.etag, found.size
            self._check = self._check or checksums.check(path, checksums.stored(found.head))
        self._pin = Pin(etag, version_id)
        if cache_type == PrefetchCache.name:
            ours = {"submit": fs.pool.submit, "fetch_into": self._fetch_into}
            cache_options = {**ours, **(cache_options or {})}
        super().__init__(fs, path, "rb", block_size or "default", True, cache_type, cache_options, size, **kwargs)

    def read(self, length: int = -1) -> bytes:
        """The next bytes, all that are left by default.

        Raises:
            DigestMismatch: with ``verify``, at the end of a blob that was read from its start and in order.
            OSError: (EIO) there, of any file, where the bytes do not have the checksum that S3 told of them.
        """
        start = self.loc
        data: bytes = super().read(length)
        if self._check is not None and (data or start == self.size):
            self._check.take(start, data, self.size)
        return data

    def _fetch_range(self, start: int, end: int) -> bytes:
        return _gather(self.fs.bucket, self.fs.pool, self._key, start, end, self._pin)

    def _fetch_into(self, view: memoryview, start: int) -> None:
        _gather_into(self.fs.bucket, self.fs.pool, self._key, view, start, self._pin)

    def close(self) -> None:
        """Close; what was fetched ahead is given up."""
        super().close()
        if isinstance(self.cache, PrefetchCache):
            self.cache.forget()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it goes on with the same version, or `FileExpired` where that is gone."""
        how = {"size": self.size, "verify": self._verify, **self._pin._asdict()}
        return _reopen, (self.fs, self.path, self.loc, self.blocksize, self.cache.name, how)


def _reopen(
    fs: RegistryS3FileSystem, path: str, loc: int, block_size: int, cache_type: str, how: dict[str, Any]
) -> Any:
    file = fs.open(path, "rb", block_size, cache_type=cache_type, **how)
    file.seek(loc)
    return file
