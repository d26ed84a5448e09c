"""The PutObject and UploadPart of bytes, one or many at a time, by the fast path and by boto3."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple

from registry_s3fs.model import ranges
from registry_s3fs.model.objects import DEFAULT_HEADERS, Body, ObjectHeaders
from registry_s3fs.s3 import checksums, responses
from registry_s3fs.s3.fast_path.call import Call
from registry_s3fs.s3.fast_path.client import FastPath
from registry_s3fs.s3.first_pages import FirstPages
from registry_s3fs.s3.many_requests import Way
from registry_s3fs.threads.signal_errors import is_of_handler

MOST_BYTES = 64 * ranges.MIB
"""A PUT of up to this many bytes takes the fast path.

What the fast path leaves to boto3 is sent again from its first byte, which costs more than it wins for a longer PUT.
"""


class PartOf(NamedTuple):
    """The multipart upload that a part belongs to, and the part's number."""

    upload_id: str
    number: int


class Put:
    """Bytes to be stored as an object, or as a part of one.

    After its request it has the `etag`, or the `error` that it met.
    """

    __slots__ = ("body", "error", "etag", "headers", "key", "part")

    def __init__(
        self, key: str, body: Body, headers: ObjectHeaders = DEFAULT_HEADERS, *, part: PartOf | None = None
    ) -> None:
        self.key, self.body, self.headers, self.part = key, body, headers, part
        self.etag = ""
        self.error: Exception | None = None

    @property
    def operation(self) -> str:
        """Return the name of S3's operation."""
        return "UploadPart" if self.part else "PutObject"


Due = Callable[[], "Put | None"]
"""It gives the next put to begin, or None where there is none at present."""


class Puts(FirstPages):
    """The PutObject and UploadPart requests without conditions, which may be sent twice."""

    def put_many(self, due: Due, left: Callable[[], int]) -> Generator[Put, None, None]:
        """Store objects side by side as `_each` does, and yield each put as it ends; a failed one has its `error`."""
        yield from self._each(Way("PutObject", self._call_to_put, self._is_put, self._put_by_boto3), due, left)

    def _call_to_put(self, put: Put, fast_path: FastPath) -> Call[Put] | None:
        if len(put.body) > MOST_BYTES or not fast_path.is_open(put.operation):
            return None
        if put.part:
            return fast_path.upload_part(put.key, *put.part, put.body, put)
        return fast_path.put_object(self._request_to_put(put), put.body, put)

    def _is_put(self, put: Put, call: Call[Put]) -> bool:
        """Take over what the fast path has done for a put, and return whether nothing is left to do."""
        if call.error is not None:
            put.error = self._translation(put.key, call.error)
        elif call.answer is not None:
            put.etag = responses.etag(call.answer, self._asked(put.operation, put.key))
        return call.answer is not None or call.error is not None

    def _request_to_put(self, put: Put) -> dict[str, object]:
        if put.part:
            return {"Key": put.key, "UploadId": put.part.upload_id, "PartNumber": put.part.number}
        return {"Key": put.key, **put.headers, **self._new_object}

    def put_one(self, put: Put) -> None:
        """Carry out one put in this thread.

        Raises:
            OSError: The put failed.
        """
        with self._translated(put.key):
            fast_path = self.fast_path
            call = self._call_to_put(put, fast_path)
            answer = None if call is None else fast_path.ask(call)
        if answer is None:
            self._put(put)
        else:
            put.etag = responses.etag(answer, self._asked(put.operation, put.key))

    def _put(
        self,
        put: Put,
        condition: Mapping[str, object] | None = None,
        *,
        precondition: type[OSError] = FileExistsError,
    ) -> None:
        body = {"Body": self._bytes(put.key, put.body), **self._guard(put)}
        request = {**self._request_to_put(put), **(condition or {}), **body}
        method = "upload_part" if put.part else "put_object"
        answer = self._send(method, put.key, request, precondition=precondition)
        put.etag = responses.etag(answer, self._asked(put.operation, put.key))

    def _guard(self, put: Put) -> Mapping[str, str]:
        """Return the field that guards the bytes on their way, where boto3 does not guard them itself."""
        with self._translated(put.key):
            return {"ContentMD5": checksums.md5(put.body)} if self._s3.sends_md5 else {}

    def _put_by_boto3(self, put: Put, call: Call[Put] | None = None) -> Put:
        try:
            if call is not None:
                call.hand_over()
            self._put(put)
        except (OSError, ValueError) as error:
            if is_of_handler(error):
                raise
            put.error = error
        return put
