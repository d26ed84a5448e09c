"""One multipart upload, whose parts are sent in the background while the caller goes on.

It is then completed or aborted.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timezone
from urllib.parse import urlencode
from weakref import WeakSet

from registry_s3fs.errors import copied_nothing, interrupted, uncertain
from registry_s3fs.model import ranges
from registry_s3fs.model.objects import DEFAULT_HEADERS, Body, ObjectHeaders, ObjectInfo, ObjectVersion, Part
from registry_s3fs.s3 import ambiguous_writes
from registry_s3fs.s3.bucket import Bucket, ObjectLocation
from registry_s3fs.threads import background, cancellation
from registry_s3fs.threads.pool import cancel_all, cancel_and_wait, clean_up, first_result

logger = logging.getLogger("registry_s3fs")

OpenBody = Callable[[], AbstractContextManager[Body]]
"""A function that opens bytes, which stay as they are until the block ends.

The block ends without an exception once the server has the bytes.
"""

MAX_BYTES_IN_MEMORY = 112 * ranges.MIB
"""The most bytes in memory of one upload's parts, or of all files that one call stores.

There are never fewer than two parts of an upload, whatever their size. New memory takes time: with twice as many bytes,
a file took a fifth more processor time, and was stored no faster at 30 ms and 90 MB/s a connection.
"""
MAX_REWRITTEN_BYTES = 32 * ranges.MIB
"""The largest object that is read and put again, where another store's CopyObject onto itself could empty it."""


def most_in_flight(part_bytes: int, most_bytes: int = MAX_BYTES_IN_MEMORY) -> int:
    """Return how many parts may be in flight while another one is being filled.

    >>> most_in_flight(10 * ranges.MIB), most_in_flight(ranges.GIB)
    (10, 1)
    """
    return max(1, most_bytes // part_bytes - 1)


class MultipartUpload:
    """A multipart upload of one object, of which nothing is seen before `complete`.

    It begins with its first part. It may be neither completed nor aborted when it is collected, or when the interpreter
    ends. Then it is aborted. So Ctrl-C may come at any point, even before the caller that began the upload can clean
    up.
    """

    _is_loose = False
    """Whether it must be aborted when nobody holds it any more."""

    def __init__(
        self,
        location: ObjectLocation,
        *,
        headers: ObjectHeaders = DEFAULT_HEADERS,
        tags: Mapping[str, str] | None = None,
        resume: tuple[str, Sequence[Part]] | None = None,
        outlives: bool = False,
    ) -> None:
        """Say what is to be uploaded; no request is sent.

        Args:
            location: Where the object will be. The threads of its bucket send the parts.
            headers: The object headers.
            tags: The object's tags, if there are any.
            resume: An upload to continue: its id and the parts that it has, numbered from 1 without gaps.
            outlives: Whether it may be continued when nobody here holds it any more. Then it is aborted only on
                request.
        """
        self._bucket, self._key = location
        self._pending: deque[Future[Part]] = deque()
        self._has_copies = False
        self._headers, self._tags = headers, tags
        self._begun = datetime.now(timezone.utc)
        self._beginning: deque[Future[None]] = deque()
        """The request for the upload's id, once it is under way."""
        self.upload_id, parts = resume or ("", ())
        self._parts = list(parts)
        self.next_number = len(self._parts) + 1
        self._process = os.getpid()
        self._is_loose = not outlives
        _uploads.add(self)

    def begin(self) -> None:
        """Have the server begin the upload, if it has not.

        A worker thread sends the request. Ctrl-C comes to the main thread alone. If the main thread sent the request,
        Ctrl-C between the response and the moment that the id is kept would lose the id.
        """
        if not self.upload_id:
            self._bucket.pool.submit_to(self._beginning, self._ask_for_id)
            first_result(self._beginning)

    def _ask_for_id(self) -> None:
        with cancellation.answer_needed():
            self.upload_id = self._bucket.create_upload(self._key, headers=self._headers, tags=self._tags)

    def add(self, size: int, open_body: OpenBody, at_once: int | None = None) -> None:
        """Send the next part; `open_body` gives its `size` bytes when a thread is free for them.

        This waits while `at_once` parts are in flight, by default as many as memory allows. It raises the error of an
        earlier part that failed.
        """
        self.begin()
        self._start(at_once or most_in_flight(size), self._send, self.next_number, open_body)

    def add_copy(self, source: ObjectInfo, extent: ranges.Range, at_once: int) -> None:
        """Copy a byte range of another object, or of this one's committed version, as the next part."""
        self._has_copies = True
        self.begin()
        self._start(at_once, self._copy, self.next_number, source, extent)

    def add_object(self, source: ObjectInfo, part_bytes: int) -> int:
        """Copy an object, or this one's committed version, as the next parts; return how many bytes of it are copied.

        These are its first bytes. The caller must put the remaining bytes before all that it adds then. An object that
        is too small for a part remains as a whole. On stores other than AWS, the bytes after the last part of
        `part_bytes` remain, as some (R2) take no parts of several sizes. There, too, parts are as large as S3 allows
        where more than `STEADY_PARTS` of `part_bytes` would be needed.
        """
        if not self._bucket.parameters.is_aws and source.size <= ranges.STEADY_PARTS * part_bytes:
            parts = ranges.split_whole(source.size, part_bytes)
        else:
            large = source.size >= ranges.MIN_PART_BYTES
            parts = ranges.split_evenly(source.size, ranges.MAX_PART_BYTES) if large else []
        if not parts:
            return 0
        first, *rest = parts
        copies = self._copies(source, first)
        for extent in rest if copies else parts:
            call = self._copy if copies else self._read_and_send
            self._start(most_in_flight(extent[1] - extent[0]), call, self.next_number, source, extent)
        return parts[-1][1]

    def _copies(self, source: ObjectInfo, first: ranges.Range) -> bool:
        """Return whether the first part could be copied.

        Where another store copies none, the upload is aborted and begun anew. Some stores (rclone) have taken the part
        for an empty one, and take no other in its place.
        """
        self.begin()
        try:
            self._parts.append(self._copy(self.next_number, source, first))
        except OSError as error:
            if error.errno != errno.ENOTSUP or self._bucket.parameters.is_aws:
                raise
            was_loose = self._is_loose
            self.cancel()
            self._beginning.clear()
            self.upload_id, self._is_loose = "", was_loose
            self.begin()
            return False
        self._has_copies = True
        self.next_number += 1
        return True

    def _copy(self, number: int, source: ObjectInfo, extent: ranges.Range) -> Part:
        return self._bucket.upload_part_copy(self._key, self.upload_id, number, source, extent)

    def _read_and_send(self, number: int, source: ObjectInfo, extent: ranges.Range) -> Part:
        data = self._bucket.get(
            source.key, *extent, version=ObjectVersion(source.etag, source.version_id, source.size)
        ).data
        return self._bucket.upload_part(self._key, self.upload_id, number, data)

    def _send(self, number: int, open_body: OpenBody) -> Part:
        with open_body() as body:
            return self._bucket.upload_part(self._key, self.upload_id, number, body)

    def _start(self, at_once: int, call: Callable[..., Part], *args: object) -> None:
        while len(self._pending) >= at_once:
            self._parts.append(first_result(self._pending))
        self._bucket.pool.submit_to(self._pending, call, *args)
        self.next_number += 1

    def wait_for_parts(self) -> Sequence[Part]:
        """Wait for the parts in flight, and return all parts by number; raise the error of any that failed."""
        while self._pending:
            self._parts.append(first_result(self._pending))
        return self._parts

    def complete(self, *, exclusive: bool = False) -> None:
        """Wait for the parts and publish the object; `exclusive` refuses to replace an existing one."""
        parts = self.wait_for_parts()
        if self._has_copies and not self._bucket.parameters.is_aws:
            self._check_stored(parts)
        try:
            self._bucket.complete_upload(
                self._key, self.upload_id, parts, exclusive=exclusive, has_copies=self._has_copies
            )
        except OSError as error:
            if not (ambiguous_writes.is_in_doubt(error) and self._is_published(parts, error, exclusive)):
                raise
        self._is_loose = False

    def _is_published(self, parts: Sequence[Part], error: OSError, exclusive: bool) -> bool:
        """Return whether the completion was carried out, where its response was lost.

        If so, the upload is gone, and its object is there. Where ETags are no MD5s, an object of its size and age is
        taken for it, unless `exclusive` is set.
        """
        if self._is_pending(error):
            return False
        found = self._bucket.look(self._key, error)
        if found is None:
            return False
        expected = "" if self._bucket.parameters.is_directory_bucket else ambiguous_writes.etag_of_parts(parts)
        ours = ambiguous_writes.is_ours(found, sum(part.size for part in parts), expected)
        if ours is None and not exclusive and ambiguous_writes.is_as_new(found, self._begun):
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
        """Raise `OSError` where the server reported a copy as done and stored nothing.

        Stores other than AWS may do so. After the completion it would be too late to notice.
        """
        stored = {part.number: part.size for part in self._bucket.list_parts(self._key, self.upload_id)}
        if any(stored.get(part.number) != part.size for part in parts):
            raise copied_nothing(self._bucket.path(self._key))

    def cancel(self) -> None:
        """Abort the upload and discard its parts; an upload that no longer exists is no error."""
        cancel_and_wait([*self._beginning, *self._pending])
        self._pending.clear()
        if self.upload_id:
            with suppress(FileNotFoundError):
                clean_up(lambda: self._bucket.abort_upload(self._key, self.upload_id))
        elif cancellation.is_on() and any(map(_is_unanswered, self._beginning)):
            raise interrupted()
        self._is_loose = False

    def abort(self) -> None:
        """Call `cancel`; where it fails, log a warning that names the upload that is left behind."""
        try:
            self.cancel()
        except (OSError, ValueError) as error:
            self._is_loose = False
            upload_id = self.upload_id or "(id unknown)"
            logger.warning("multipart upload %s of key %r is left behind: %s", upload_id, self._key, error)

    def is_loose(self) -> bool:
        """Return whether this process must still abort the upload.

        That is so where this process began it, nobody has completed or aborted it, and nobody may continue it.
        """
        return self._is_loose and bool(self.upload_id or self._beginning) and self._process == os.getpid()

    def stop(self) -> None:
        """Cancel the parts in flight, without waiting for them."""
        cancel_all(self._pending)

    def __del__(self) -> None:
        if self.is_loose():
            background.later(self.abort)


def _is_unanswered(request: Future[None]) -> bool:
    """Return whether the server may have carried out a request whose response is not known."""
    if request.cancelled():
        return False
    return not request.done() or isinstance(request.exception(), (cancellation.GivenUp, ConnectionError, TimeoutError))


_uploads: WeakSet[MultipartUpload] = WeakSet()


@atexit.register
def _abort_loose_uploads() -> None:
    """Abort uploads that are neither completed nor aborted, while requests can still be sent.

    This runs when the interpreter ends. It also waits for aborts in the background.
    """
    cancellation.end()
    loose = [upload for upload in list(_uploads) if upload.is_loose()]
    for upload in loose:
        upload.stop()
    for upload in loose:
        upload.abort()
    background.finish(2 * cancellation.GRACE_S)


def copy(
    source: ObjectInfo,
    target: ObjectLocation,
    headers: ObjectHeaders | None = None,
    *,
    is_earlier: bool = False,
) -> None:
    """Copy the object version that `source` describes within its bucket, on the server.

    A copy above `multipartcopythresholdsize` is made in parallel parts. `is_earlier` tells that `source` is an earlier
    object version. It stays where it is when it is copied onto its own key. The copy has the object headers of the
    source, or `headers` where they are given. It keeps the tags.

    Go: ``driver.copy``. Unlike there, an upload that fails is aborted.
    """
    bucket, key = target
    parameters = bucket.parameters
    onto_itself = source.key == key and not is_earlier
    in_place = onto_itself and source.size > 0 and not parameters.is_aws
    if in_place and source.size <= min(MAX_REWRITTEN_BYTES, parameters.multipartcopythresholdsize):
        _rewrite(bucket, source, headers)
        return
    if source.size <= parameters.multipartcopythresholdsize and not in_place:
        bucket.copy(source, key, headers)
        return
    described = source.headers if headers is None else headers
    parts = MultipartUpload(target, headers=described, tags=_tags(bucket, source))
    try:
        for extent in ranges.split_for_copy(source.size, parameters.multipartcopychunksize):
            parts.add_copy(source, extent, parameters.multipartcopymaxconcurrency)
        parts.complete()
    except BaseException:
        parts.abort()
        raise


def _tags(bucket: Bucket, source: ObjectInfo) -> Mapping[str, str] | None:
    return bucket.tags(source.key, source.version_id) if source.head.get("TagCount") else None


def _rewrite(bucket: Bucket, source: ObjectInfo, headers: ObjectHeaders | None) -> None:
    """Read an object and put it again under its own key, on stores other than AWS.

    Some stores report a CopyObject as done and store nothing. After a copy of an object onto itself, there would be no
    source to go back to. Larger objects are copied in parts, and such a copy is checked before it replaces the object.
    """
    data = bucket.get(source.key, version=ObjectVersion(source.etag, source.version_id, source.size)).data
    described = dict(source.headers if headers is None else headers)
    if tags := _tags(bucket, source):
        described["Tagging"] = urlencode(tags)
    bucket.replace(source, data, described)
