"""Blobs on their way: compared with their digests as they pass, and stored only if they are what they should be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from registry_s3fs import errors
from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import Blob
from registry_s3fs.registry.abilities import side_by_side
from registry_s3fs.registry.progress import Progress
from registry_s3fs.registry.reading import raise_if_unreachable, read_files
from registry_s3fs.registry.sync.closures import Fault
from registry_s3fs.registry.sync.places import Place
from registry_s3fs.registry.verified import chunks, mismatch_of, verified
from registry_s3fs.registry.writing import Writer
from registry_s3fs.threads import cancellation, pool

THREADS = 8
"""So many batches of small blobs are on their way side by side. The thread of each reads and writes many at a time."""
SERVER_THREADS = 32
"""The server copies so many blobs at a time."""
SMALL_BYTES = 1024 * 1024
"""A blob up to this size is read whole, with others in one call."""
BATCH_BYTES = 8 * 1024 * 1024
BATCH_BLOBS = 256
LARGE_FOR_SERVER_BYTES = 32 * 1024 * 1024
"""The server copies a blob above this size in parts, side by side."""

_Sized = tuple[str, int]
"""The digest and the size of a blob."""


class Way(NamedTuple):
    """How blobs go from one registry to the other."""

    source: Place
    destination: Place
    by_server: tuple[Place, Place] | None
    """Both places as ones of the same filesystem, where its server copies."""
    verify: bool | None
    """Whether to compare digests. None compares what passes through this process, and nothing that the server copies
    itself."""

    @property
    def compares(self) -> bool:
        """Return whether blobs are compared with their digests."""
        return self.by_server is None if self.verify is None else self.verify


class _SourceError(Exception):
    """An error at the source, as `Copying._large` tells it from those of the destination."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class Copying:
    """Blobs that are being copied: what is done, and what failed.

    Args:
        way: From where, to where, and how.
        writer: What stores files at the destination.
        failed: Where it is noted which blobs were not copied, and why.
        keep_going: Whether to go on after a failure.
    """

    def __init__(self, way: Way, writer: Writer, failed: dict[str, Fault], *, keep_going: bool) -> None:
        self._way = way
        self._writer = writer
        self._failed = failed
        self._keep_going = keep_going
        self._lock = threading.Lock()
        self.blobs = self.bytes = self.unverified = 0

    def copy(self, blobs: Iterable[_Sized], total: int, progress: Progress) -> None:
        """Copy blobs, small ones many at a time, then larger ones a few at a time, each in pieces side by side.

        Raises:
            OSError: A blob could not be copied, and this is the end of it (without ``keep_going``).
            ConnectionError: A server cannot be reached.
            TimeoutError: It does not answer.
        """
        large: list[_Sized] = []
        bound = LARGE_FOR_SERVER_BYTES if self._way.by_server else SMALL_BYTES
        small = _smaller(blobs, bound, large)
        one = self._by_server if self._way.by_server else self._small
        threads, size = (SERVER_THREADS, 1) if self._way.by_server else (THREADS, BATCH_BLOBS)
        self._each(one, _batches(small, size), pool.pool(threads), 2 * threads, progress, total)
        one = self._by_server if self._way.by_server else self._large
        self._each(one, ([blob] for blob in large), pool.coordinators(), pool.COORDINATORS, progress, total)

    def _each(
        self,
        one: Callable[[list[_Sized]], None],
        batches: Iterable[list[_Sized]],
        workers: pool.Pool,
        ahead: int,
        progress: Progress,
        total: int,
    ) -> None:
        """Have batches copied side by side, where threads may share both filesystems."""
        both = self._way.source.fs, self._way.destination.fs
        with closing(side_by_side(both, one, batches, workers, ahead)) as done:
            for _ in done:
                progress("blobs", self.blobs, total)

    def _small(self, batch: list[_Sized]) -> None:
        source, destination = self._way.source, self._way.destination
        files = [(Blob(digest).at(source.root), size) for digest, size in batch]
        good: dict[str, bytes] = {}
        digest_of: dict[str, str] = {}
        for (digest, _), (path, data) in zip(batch, read_files(source.fs, files, SMALL_BYTES), strict=True):
            error = data if isinstance(data, OSError) else None
            if isinstance(data, bytes) and self._way.compares:
                error = mismatch_of(digest, path, data)
            if error:
                self._fail(digest, _code_at_source(error), error)
            elif isinstance(data, bytes):
                target = Blob(digest).at(destination.root)
                good[target], digest_of[target] = data, digest
        failed = self._writer.store(good)
        for path, error in failed.items():
            self._fail(digest_of[path], "not_stored", error)
        self._add([(digest_of[path], len(data)) for path, data in good.items() if path not in failed])

    def _large(self, batch: list[_Sized]) -> None:
        [(digest, size)] = batch
        try:
            self._writer.publish(Blob(digest).at(self._way.destination.root), self._chunks(digest, size))
        except _SourceError as error:
            self._fail(digest, _code_at_source(error.error), error.error)
        except Exception as error:  # noqa: BLE001  # of any filesystem; it stands for the blob
            self._fail(digest, "not_stored", error)
        else:
            self._add([(digest, size)])

    def _chunks(self, digest: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of a blob at the source.

        Raises:
            _SourceError: It cannot be read, or does not have its digest.
        """
        path = Blob(digest).at(self._way.source.root)
        content = chunks(self._way.source.fs, path, 0, size)
        if self._way.compares and digests.hash_of(digest):
            content = verified(content, digest, path)
        try:
            for chunk in content:
                cancellation.check()  # after Ctrl-C; on a disk, nothing else would end it
                yield chunk
        except Exception as error:  # of any filesystem; it stands for the blob
            raise _SourceError(error if isinstance(error, OSError) else errors.unreadable(path, error)) from error

    def _by_server(self, batch: list[_Sized]) -> None:
        """Have the server copy blobs; with `verify`, each is read first."""
        source, destination = self._way.by_server or (self._way.source, self._way.destination)
        for digest, size in batch:
            try:
                for _ in self._chunks(digest, size) if self._way.compares else ():
                    pass
                source.fs.cp_file(Blob(digest).at(source.root), Blob(digest).at(destination.root))
            except _SourceError as error:
                self._fail(digest, _code_at_source(error.error), error.error)
            except Exception as error:  # noqa: BLE001  # of any filesystem; it stands for the blob
                code = "blob_missing" if isinstance(error, FileNotFoundError) else "not_stored"
                self._fail(digest, code, error)
            else:
                self._add([(digest, size)])

    def _add(self, blobs: list[_Sized]) -> None:
        with self._lock:
            self.blobs += len(blobs)
            self.bytes += sum(size for _, size in blobs)
            known = self._way.compares
            self.unverified += sum(not (known and digests.hash_of(digest)) for digest, _ in blobs)

    def _fail(self, digest: str, code: str, error: Exception) -> None:
        """Note a blob that was not copied, or raise the error, if that is to be the end.

        Raises:
            OSError: It is to be the end, or a server cannot be reached.
        """
        raise_if_unreachable(error)
        if not self._keep_going and code != "blob_missing":  # which the source's collector may have deleted rightly
            raise error
        with self._lock:
            self._failed[digest] = Fault(code, getattr(error, "strerror", None) or str(error))


def _code_at_source(error: OSError) -> str:
    if isinstance(error, errors.DigestMismatchError):
        return "digest_mismatch"
    return "blob_missing" if isinstance(error, FileNotFoundError) else "blob_unreadable"


def _smaller(blobs: Iterable[_Sized], bound: int, large: list[_Sized]) -> Iterator[_Sized]:
    """Yield the blobs up to a size, and put others into a list."""
    for blob in blobs:
        if blob[1] <= bound:
            yield blob
        else:
            large.append(blob)


def _batches(blobs: Iterable[_Sized], most: int) -> Iterator[list[_Sized]]:
    batch: list[_Sized] = []
    size = 0
    for blob in blobs:
        batch.append(blob)
        size += blob[1]
        if len(batch) == most or size > BATCH_BYTES - SMALL_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
