"""The GetObject of one byte range or many, by the fast path and by boto3.

Each byte range is continued where its body broke.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import cast

from registry_s3fs.errors import FileExpired, RefusedParameterError, replaced
from registry_s3fs.model.objects import ANY, Content, ObjectVersion
from registry_s3fs.s3 import responses, retry
from registry_s3fs.s3.body_range import size_of_refused
from registry_s3fs.s3.error_codes import FAILED_CONDITION, OUT_OF_RANGE
from registry_s3fs.s3.fast_path.call import Call
from registry_s3fs.s3.fast_path.client import FastPath
from registry_s3fs.s3.many_requests import Way
from registry_s3fs.s3.read_body import Body, Read, SizeUnknownError
from registry_s3fs.s3.requests import version_fields
from registry_s3fs.s3.responses import Answer
from registry_s3fs.s3.uploads import Uploads
from registry_s3fs.s3.writes import IF_MATCH
from registry_s3fs.threads.signal_errors import is_of_handler

GET = "GetObject"
Due = Callable[[], "Read | None"]
"""It gives the next read to begin.

None says that there is no other read at present. Where no read is under way, None says that there is none at all.
"""


class Reads(Uploads):
    """The operations that return bytes of objects."""

    def compares_checksums(self, key: str) -> bool:
        """Return whether S3 is asked for the checksum of an object that is read whole.

        The SDK's ``response_checksum_validation`` says so.
        """
        with self._translated(key):
            return self._s3.compares_checksums

    def get(self, key: str, start: int = 0, end: int | None = None, version: ObjectVersion = ANY) -> Content:
        """Send a GetObject and return the bytes from `start` up to `end`, or to the object's end where `end` is None.

        A negative `start` counts from the object's end. A byte range past the end gives fewer bytes or none. A body
        that breaks is continued where it stopped, as long as `RetryBudget` allows. Another version of the object raises
        `FileExpired`, where `version` has an ETag, and for every byte after the first.
        """
        read = Read(key, self.path(key), start, end, version)
        self.read(read)
        return read.content()

    def read(self, read: Read) -> None:
        """Carry out one read in this thread."""
        call = None
        with self._translated(read.key, FileExpired):
            fast_path = self.fast_path
            call = self._call(read, fast_path)
            if call is not None:
                fast_path.carry_out_one(call)
        if call is None or not self._is_done(read, call):
            self._by_boto3(read, call)
        if read.error is not None:
            read.release()
            raise read.error

    def read_many(self, due: Due, left: Callable[[], int]) -> Generator[Read, None, None]:
        """Carry out reads side by side as `_each` does, and yield each as it ends; one that failed has its `error`."""
        yield from self._each(Way(GET, self._call, self._is_done, self._by_boto3), due, left)

    def _call(self, read: Read, fast_path: FastPath) -> Call[Read] | None:
        if not fast_path.is_open(GET):
            return None
        headers = {**read.next_range, **self._condition(read.version)}
        version_id, wants_checksum = read.version.version_id, read.checksum
        return fast_path.get_object(read.key, version_id, headers, read.accept, read, checksum=wants_checksum)

    def _is_done(self, read: Read, call: Call[Read]) -> bool:
        """Take over what the fast path has done for a read, and return whether nothing is left to do."""
        if read.is_begun:
            read.received += call.received
        if call.answer is not None:
            return True
        if call.error is None:
            return False
        if read.error is not None:  # whoever takes the bytes met it
            return True
        read.error = self._translation(read.key, call.error, FileExpired)
        said = responses.code(call.error)
        if said in OUT_OF_RANGE:
            read.error = self._judged(read, read.error)
        elif (
            read.version.etag
            and not self._is_aws
            and (said in FAILED_CONDITION or responses.is_unsupported(call.error))
        ):
            read.error = None  # the store may not know the condition
            return False
        return True

    def _judged(self, read: Read, refusal: Exception) -> Exception | None:
        """Return what a server means by the refusal of a byte range that it has nothing of.

        The result is an error, or None where the object ends before the byte range. It is an error where the bytes were
        known to be there.
        """
        try:
            if not self._is_past_end(read.key, read.next_start, read.version, refusal):
                return refusal
        except (OSError, ValueError) as error:
            if is_of_handler(error):
                raise
            return error
        if read.is_begun or read.piece:
            return replaced(self.path(read.key))
        read.is_past_end = True
        return None

    def _by_boto3(self, read: Read, call: Call[Read] | None = None) -> Read:
        """Continue a read where the fast path has left it.

        The read keeps its error.
        """
        try:
            if call is not None and not read.is_begun:
                call.hand_over()
            self._receive(read)
        except (OSError, ValueError) as error:
            if is_of_handler(error):
                raise
            read.error = error
        return read

    def _receive(self, read: Read) -> None:
        budget = retry.RetryBudget()
        if read.is_begun:  # its body broke on the fast path
            budget.allows_another(read.received)
            budget.wait()
        while not read.is_whole:
            body = self._next_body(read)
            if body is None:
                return
            before = read.received
            try:
                with self._translated(read.key):
                    read.receive(body)
            except (ConnectionError, TimeoutError):
                if not budget.allows_another(read.received - before):
                    raise
                budget.wait()

    def _next_body(self, read: Read) -> Body | None:
        """Return the body of boto3's accepted response with the bytes that come next.

        The result is None where the byte range lies past the object's end.
        """
        answer = self._open(read)
        if answer is None:
            return None
        body = cast(Body, answer["Body"])
        try:
            try:
                read.accept(answer)
            except SizeUnknownError:
                version = read.version._replace(etag=read.version.etag or responses.text_if_told(answer, "ETag"))
                read.version = version._replace(size=self._size(read.key, version))
                read.accept(answer)
        except BaseException:
            body.close()
            raise
        return body

    def _open(self, read: Read) -> Answer | None:
        """Return boto3's response to a GetObject, its body not read.

        The result is None where the byte range lies past the object's end.
        """
        key, version = read.key, read.version
        request: dict[str, object] = {"Key": key, **version_fields(version.version_id), **read.next_range}
        if read.checksum and not read.is_begun:
            request["ChecksumMode"] = "ENABLED"
        condition = {name.replace("-", ""): value for name, value in self._condition(version).items()}
        try:
            return self._send("get_object", key, {**request, **condition}, precondition=FileExpired)
        except RefusedParameterError as error:
            judged = self._judged(read, error) if responses.code(error.__cause__) in OUT_OF_RANGE else error
            if judged is None:
                return None
            if judged is error:
                raise
            raise judged from error.__cause__
        except OSError as error:
            if not (
                condition
                and self._is_unsupported(error, partial(self._has_etag, key, version.version_id, version.etag))
            ):
                raise
        self._lacking.add(IF_MATCH)
        return self._open(read)

    def _condition(self, version: ObjectVersion) -> dict[str, str]:
        """Return If-Match for the object version that is meant, where a condition is of use.

        Elsewhere the response's ETag tells the object version.
        """
        if not version.etag or IF_MATCH in self._lacking or responses.is_weak(version.etag):
            return {}
        return {"If-Match": version.etag}

    def _size(self, key: str, version: ObjectVersion) -> int:
        found = self.head(key, version_id=version.version_id)
        if not responses.is_same(found.etag, version.etag):
            raise replaced(self.path(key))
        return found.size

    def _is_past_end(self, key: str, start: int, version: ObjectVersion, error: Exception) -> bool:
        """Return whether an object really ends before a byte range that a server refused."""
        size = size_of_refused(error.__cause__)
        if size is None:
            size = version.size if version.size is not None else self.head(key, version_id=version.version_id).size
        return size <= max(start, 0)
