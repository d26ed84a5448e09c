"""One multipart upload: parts sent in the background while the caller goes on, then completed or aborted."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timezone
from functools import partial

from registry_s3fs import outcomes, ranges
from registry_s3fs.bucket import Bucket
from registry_s3fs.concurrency import Pool, clean_up, first_result, settle
from registry_s3fs.errors import copied_nothing, uncertain
from registry_s3fs.records import PLAIN, Body, Description, ObjectInfo, Part

logger = logging.getLogger("registry_s3fs")

Lend = Callable[[], AbstractContextManager[Body]]
"""Gives bytes that stay as they are until the block ends."""

MAX_BYTES_IN_MEMORY = 112 * ranges.MIB
"""Of one upload's chunks: those in flight and the one being filled; but never fewer than two chunks. With what boto3
holds beside them the process stays within the 128 MiB that `writer` promises."""
MAX_BYTES_READ = 224 * ranges.MIB
"""As `MAX_BYTES_IN_MEMORY`, of an upload whose bytes are at hand: none of it waits for its caller."""


def most_in_flight(part_bytes: int, most_bytes: int = MAX_BYTES_IN_MEMORY) -> int:
    """How many parts may be on their way while another one is being filled.

    >>> most_in_flight(10 * ranges.MIB), most_in_flight(ranges.GIB)
    (10, 1)
    """
    return max(1, most_bytes // part_bytes - 1)


class MultipartUpload:
    """An upload of one object in parts. Nothing is seen of the object before `complete`."""

    def __init__(
        self,
        bucket: Bucket,
        pool: Pool,
        key: str,
        *,
        description: Description = PLAIN,
        tags: Mapping[str, str] | None = None,
        resume: tuple[str, Sequence[Part]] | None = None,
    ) -> None:
        """Begin an upload, or go on with one: `resume` is its id and the parts it has, 1 to their number."""
        self._bucket = bucket
        self._pool = pool
        self._key = key
        self._pending: deque[Future[Part]] = deque()
        self._has_copies = False
        self._begun = datetime.now(timezone.utc)
        if resume is None:
            resume = bucket.create_upload(key, description=description, tags=tags), ()
        self.upload_id, parts = resume
        self._parts = list(parts)
        self.next_number = len(self._parts) + 1

    def add(self, size: int, lend: Lend, at_once: int | None = None) -> None:
        """Send the next part, whose `size` bytes `lend` gives when a thread is free for them.

        Waits while `at_once` parts are in flight, by default as many as memory allows. Raises the error of
        an earlier part.
        """
        self._start(at_once or most_in_flight(size), self._send, self.next_number, lend)

    def add_copy(self, source: ObjectInfo, extent: ranges.Range, at_once: int) -> None:
        """Copy a range of another object, or of this one's committed version, as the next part."""
        copy = self._bucket.upload_part_copy
        self._has_copies = True
        self._start(at_once, copy, self._key, self.upload_id, self.next_number, source, extent)

    def add_object(self, source: ObjectInfo) -> None:
        """Copy a whole object, or this one's committed version, as the next parts: as few as S3 allows."""
        at_once = self._bucket.parameters.multipartcopymaxconcurrency
        for extent in ranges.split_evenly(source.size, ranges.MAX_PART_BYTES):
            self.add_copy(source, extent, at_once)

    def _send(self, number: int, lend: Lend) -> Part:
        with lend() as body:
            return self._bucket.upload_part(self._key, self.upload_id, number, body)

    def _start(self, at_once: int, call: Callable[..., Part], *args: object) -> None:
        while len(self._pending) >= at_once:
            self._parts.append(first_result(self._pending))
        self._pending.append(self._pool.submit(call, *args))
        self.next_number += 1

    def settle(self) -> Sequence[Part]:
        """Wait for the parts in flight; gives all parts by number. Raises the error of any."""
        while self._pending:
            self._parts.append(first_result(self._pending))
        return self._parts

    def complete(self, *, exclusive: bool = False) -> None:
        """Wait for the parts and publish the object; `exclusive` refuses an existing one."""
        parts = self.settle()
        if self._has_copies and self._bucket.parameters.regionendpoint:
            self._check_stored(parts)
        try:
            self._bucket.complete_upload(self._key, self.upload_id, parts, exclusive=exclusive)
        except OSError as error:
            if not (outcomes.is_in_doubt(error) and self._is_published(parts, error, exclusive)):
                raise

    def _is_published(self, parts: Sequence[Part], error: OSError, exclusive: bool) -> bool:
        """Whether the completion was carried out whose answer was lost: then the upload is gone, and its object is
        there. Where ETags are no MD5s, one of its size and age is taken for it, unless it had to be the first."""
        if self._is_pending(error):
            return False
        found = self._bucket.look(self._key, error)
        if found is None:
            return False
        ours = outcomes.is_ours(found, sum(part.size for part in parts), outcomes.etag_of_parts(parts))
        if ours is None and not exclusive and outcomes.is_as_new(found, self._begun):
            return True
        if ours is None:
            raise uncertain(error, self._bucket.path(self._key)) from error
        return ours

    def _is_pending(self, error: OSError) -> bool:
        try:
            self._bucket.list_parts(self._key, self.upload_id)
        except FileNotFoundError:
            return False
        except OSError:
            raise uncertain(error, self._bucket.path(self._key)) from error
        return True

    def _check_stored(self, parts: Sequence[Part]) -> None:
        """Stores other than AWS may say yes to a copy and store nothing; after the end it would be too late."""
        stored = {part.number: part.size for part in self._bucket.list_parts(self._key, self.upload_id)}
        if any(stored.get(part.number) != part.size for part in parts):
            raise copied_nothing(self._bucket.path(self._key))

    def cancel(self) -> None:
        """Throw the parts away; an upload that is no more is no error."""
        settle(self._pending)
        self._pending.clear()
        with suppress(FileNotFoundError):
            clean_up(lambda: self._bucket.abort_upload(self._key, self.upload_id))

    def abort(self) -> None:
        """As `cancel`, but where it fails, a warning names the upload that is left."""
        try:
            self.cancel()
        except (OSError, ValueError) as error:
            logger.warning("multipart upload %s of key %r is left behind: %s", self.upload_id, self._key, error)


def upload(
    bucket: Bucket,
    pool: Pool,
    key: str,
    size: int,
    lend: Callable[[ranges.Range], AbstractContextManager[Body]],
    *,
    chunk_bytes: int,
    exclusive: bool = False,
    description: Description = PLAIN,
) -> None:
    """Store `size` bytes, which `lend` gives a range at a time: one PutObject up to `chunk_bytes`, else in parts."""
    if size <= chunk_bytes:
        with lend((0, size)) as body:
            bucket.put(key, body, exclusive=exclusive, description=description)
        return
    parts = MultipartUpload(bucket, pool, key, description=description)
    try:
        for start, end in ranges.split(0, size, ranges.uniform_part_bytes(size, chunk_bytes)):
            at_once = most_in_flight(end - start, MAX_BYTES_READ)
            parts.add(end - start, partial(lend, (start, end)), at_once)
        parts.complete(exclusive=exclusive)
    except BaseException:
        parts.abort()
        raise


def copy(bucket: Bucket, pool: Pool, source: ObjectInfo, target: str, description: Description | None = None) -> None:
    """Server-side copy of the version `source` tells of; in parallel parts above `multipartcopythresholdsize`.

    The copy says of itself what the source says, or another `description`, and keeps its tags.
    Go: ``driver.copy``; unlike there, an upload that fails is aborted.
    """
    parameters = bucket.parameters
    if source.size <= parameters.multipartcopythresholdsize:
        bucket.copy(source, target, description)
        return
    parts = MultipartUpload(
        bucket,
        pool,
        target,
        description=source.description if description is None else description,
        tags=bucket.tags(source.key, source.version_id) if source.head.get("TagCount") else None,
    )
    try:
        for extent in ranges.split_for_copy(source.size, parameters.multipartcopychunksize):
            parts.add_copy(source, extent, parameters.multipartcopymaxconcurrency)
        parts.complete()
    except BaseException:
        parts.abort()
        raise
