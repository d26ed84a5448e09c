"""The file open for reading."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, BinaryIO

from fsspec.caching import caches
from fsspec.spec import AbstractBufferedFile

from registry_s3fs.files.host import FileHost
from registry_s3fs.files.read_ahead import PrefetchCache
from registry_s3fs.listing import directory
from registry_s3fs.model import blob_digests, ranges
from registry_s3fs.model.info import Info
from registry_s3fs.model.objects import ObjectVersion
from registry_s3fs.s3 import checksums
from registry_s3fs.s3.bucket import ObjectLocation
from registry_s3fs.threads.buffers import naming_path
from registry_s3fs.transfer.download import Download, carry_out_one
from registry_s3fs.transfer.targets import IntoMemory, IntoView


class ReadFile(AbstractBufferedFile):
    """A file open for reading.

    Every byte is of the object version that was seen first. Where that one is gone, a read raises `FileExpired`. The
    `cache_type` is `PrefetchCache`, unless another one of fsspec's is given.
    """

    DEFAULT_BLOCK_SIZE = ranges.PIECE_BYTES

    def __init__(
        self,
        fs: FileHost,
        path: str,
        *,
        version_id: str = "",
        etag: str = "",
        size: int | None = None,
        verify: bool | None = None,
        block_size: int | None = None,
        cache_type: str = PrefetchCache.name,
        cache_options: Mapping[str, object] | None = None,
    ) -> None:
        self._location = ObjectLocation(fs.bucket, fs.bucket.space.key(path))
        self._verify = verify
        self._check = blob_digests.check(path, verify, by_default=fs.parameters.verify_digests)
        self._details: Info | None = None
        if size is None or not etag:  # both are given when a pickled file is opened again; a size alone pins nothing
            found = fs.file_head(path, version_id=version_id, checksum=True)
            self._details, etag, size = directory.file(path, found), found.etag, found.size
            self._check = self._check or checksums.check(path, checksums.stored(found.head))
        self._version = ObjectVersion(etag, version_id, size)
        if cache_type is not None and cache_type not in (*caches, PrefetchCache.name):
            known = ", ".join(sorted({PrefetchCache.name, *map(str, caches)}))
            raise ValueError(f"cache_type: {cache_type!r} is none of {known}")
        is_ours = cache_type == PrefetchCache.name  # whatever fsspec may call so
        theirs = ("none", {}) if is_ours else (cache_type, cache_options)
        super().__init__(fs, path, "rb", block_size or "default", True, *theirs, size)
        if is_ours:
            options: dict[str, Any] = {"submit": fs.bucket.pool.submit, "fetch_into": self._fetch_into}
            options.update(cache_options or {})  # the caller's, which the cache refuses where it does not know them
            self.cache = PrefetchCache(self.blocksize, self._fetch_range, self.size, **options)

    def read(self, length: int = -1) -> bytes:
        """Return the next bytes.

        Args:
            length: The number of bytes. Without it, or where it is negative, all remaining bytes are returned.

        Returns:
            Fewer bytes than `length` only at the end of the file, and no bytes beyond it.

        Raises:
            DigestMismatchError: With ``verify``, a blob was read from its start and in order, and its bytes do not have
                the digest of its path. The read that reaches the end raises it.
            FileExpired: The object version that was seen first is gone.
            OSError: (EIO) At the end of any file that was read in this way, the bytes do not have the checksum that S3
                sent.
        """
        start, left = self.loc, max(0, self.size - self.loc)
        length = left if length is None or length < 0 else min(length, left)  # some caches give nothing past the end
        with naming_path(self.path):
            data: bytes = super().read(length)
        if self._check is not None and (data or start == self.size):
            self._check.take(start, data, self.size)
        return data

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line, or its first `size` bytes where it is longer."""
        if size is None or size < 0:
            return bytes(super().readline())
        start, pieces = self.loc, list[bytes]()
        while size > 0 and (piece := self.read(min(size, self.blocksize))):
            end = piece.find(b"\n") + 1
            pieces.append(piece[: end or None])
            size -= len(piece)
            if end:
                self.seek(start + sum(map(len, pieces)))
                break
        return b"".join(pieces)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Return the remaining lines. At the end of the file, return an empty list.

        Args:
            hint: Stop after the line with which the lines have this many bytes together. Without it, return all lines.
        """
        if hint is not None and hint > 0:
            return io.IOBase.readlines(self, hint)
        *lines, last = self.read().split(b"\n")
        return [*(line + b"\n" for line in lines), *([last] if last else [])]

    def _fetch_range(self, start: int, end: int) -> bytes:
        target = IntoMemory()
        self._fetch(Download(self._location, target, start=start, end=end, version=self._version))
        return target.data()

    def _fetch_into(self, view: memoryview, start: int) -> None:
        target, end = IntoView(view, start), start + len(view)
        self._fetch(Download(self._location, target, start=start, end=end, version=self._version))

    def _fetch(self, download: Download) -> None:
        carry_out_one(self._location.bucket, download)

    def close(self) -> None:
        """Close the file, and drop what was fetched ahead."""
        cache = getattr(self, "cache", None)  # older fsspec lets go of it
        super().close()
        if isinstance(cache, PrefetchCache):
            cache.forget()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the file such that it continues with the same object version.

        Where that version is gone, a read of the unpickled file raises `FileExpired`.
        """
        how = {"size": self.size, "verify": self._verify, **self._version._asdict()}
        return _reopen, (self.fs, self.path, self.loc, self.blocksize, self.cache.name, how)


def _reopen(fs: FileHost, path: str, loc: int, block_size: int, cache_type: str, how: dict[str, object]) -> BinaryIO:
    file = fs.open(path, "rb", block_size, cache_type=cache_type, **how)
    file.seek(loc)
    return file
