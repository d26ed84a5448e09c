"""One method for each S3 operation used: keys in, small dataclasses out. Every request of the package is sent here."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from registry_s3fs import ranges
from registry_s3fs.client import CONTENT_TYPE, object_fields, s3_client
from registry_s3fs.errors import FileExpired, RefusedParameterError, from_code, translated
from registry_s3fs.parameters import DriverParameters
from registry_s3fs.paths import KeySpace

Body = bytes | bytearray | memoryview

READ_BYTES = 4 * ranges.MIB
"""Bytes taken off a connection at a time: what a broken one loses at most."""
FRUITLESS_ATTEMPTS = 4
"""Broken bodies in a row, without `READ_BYTES` more received, after which a read gives up."""
MAX_DELETE_KEYS = 1000
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


@dataclass(frozen=True)
class ObjectInfo:
    """What a listing or a HEAD tells of one object."""

    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str = "STANDARD"
    headers: dict[str, Any] = field(default_factory=dict)
    """Only from a HEAD: ContentType, ServerSideEncryption, SSEKMSKeyId, metadata."""


@dataclass(frozen=True)
class Page:
    """One page of a listing: objects, and prefixes that end in ``/``; `truncated`: more pages follow."""

    objects: list[ObjectInfo]
    prefixes: list[str]
    truncated: bool = False


@dataclass(frozen=True)
class Content:
    """Bytes of an object, the ETag they belong to, and the whole object's size."""

    data: bytes
    etag: str
    size: int


@dataclass(frozen=True)
class Part:
    """An uploaded part of a multipart upload; `size` in bytes."""

    number: int
    etag: str
    size: int


@dataclass(frozen=True)
class Upload:
    """A multipart upload that is neither completed nor aborted."""

    key: str
    upload_id: str
    initiated: datetime


class Bucket:
    """The operations on one bucket under one rootdirectory. Raises what `errors` describes; threads may share it."""

    def __init__(self, parameters: DriverParameters) -> None:
        self.parameters = parameters
        self.space = KeySpace(parameters.rootdirectory)
        self._name = {"Bucket": parameters.bucket}
        self._new_object = object_fields(parameters)

    @property
    def _client(self) -> Any:
        """Asked for at each call: after a fork the process has another one."""
        return s3_client(self.parameters)

    def _translated(self, key: str, precondition: type[OSError] = FileExistsError) -> AbstractContextManager[None]:
        return translated(self._path(key), precondition=precondition)

    def _path(self, key: str) -> str:
        """How an error names a key: by its path, if one can name it."""
        return self.space.path(key) or f"/{key}"

    # Looking

    def head(self, key: str, *, explain: bool = True) -> ObjectInfo:
        """HeadObject. Its 404 has no body, so with `explain` a second look tells a missing bucket."""
        try:
            with self._translated(key):
                answer = self._client.head_object(**self._name, Key=key)
        except FileNotFoundError:
            if explain:
                self._check_bucket(key)
            raise
        names = {"ContentType", "ServerSideEncryption", "SSEKMSKeyId"}
        headers = {name: answer[name] for name in sorted(names & answer.keys())}
        return ObjectInfo(
            key,
            answer["ContentLength"],
            answer["ETag"],
            _utc(answer["LastModified"]),
            answer.get("StorageClass", "STANDARD"),
            {**headers, "metadata": answer.get("Metadata", {})},
        )

    def _check_bucket(self, key: str) -> None:
        """Raise `BucketNotFoundError` where HeadBucket finds none; one that may not be asked for passes."""
        try:
            with self._translated(key):
                self._client.head_bucket(**self._name)
        except FileNotFoundError as error:
            raise from_code("NoSuchBucket", "", self._path(key)) from error
        except OSError:
            pass

    def list(self, prefix: str, delimiter: str = "", limit: int = 0, start_after: str = "") -> Iterator[Page]:
        """ListObjectsV2, page after page in the order of keys; `limit` stops after that many keys.

        With `start_after`, only keys that come after that one, which need not exist.
        """
        request: dict[str, Any] = {**self._name, "Prefix": prefix}
        if delimiter:
            request["Delimiter"] = delimiter
        if limit:
            request["MaxKeys"] = limit
        if start_after:
            request["StartAfter"] = start_after
        while True:
            with self._translated(prefix):
                answer = self._client.list_objects_v2(**request)
            yield Page(
                [_listed(found) for found in answer.get("Contents", [])],
                [found["Prefix"] for found in answer.get("CommonPrefixes", [])],
                bool(answer.get("IsTruncated")),
            )
            if limit or not answer.get("IsTruncated"):
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    # Reading

    def get(self, key: str, start: int = 0, end: int | None = None, etag: str = "") -> Content:
        """GetObject: bytes from `start` up to `end`, or to the object's end; a negative `start` counts from there.

        A range past the end gives fewer bytes or none. A body that breaks is taken up where it
        stopped. With `etag`, and for every byte after the first, another version of the object
        raises `FileExpired`.
        """
        path = self._path(key)
        chunks: list[bytes] = []
        done = size = fruitless = 0
        while True:
            answer = self._open(key, start + done if start >= 0 else start, end, etag)
            if answer is None:
                break
            etag = etag or answer["ETag"]
            if answer["ETag"] != etag:  # some servers ignore If-Match
                raise FileExpired(errno.ESTALE, "the object was replaced while it was being read", path)
            first, size = _extent(answer, max(start, 0) + done, path)
            if start < 0:
                start, end = first, size
            try:
                with self._translated(key):
                    for chunk in _chunks(answer["Body"]):
                        chunks.append(chunk)
                        done, fruitless = done + len(chunk), 0
                break
            except (ConnectionError, TimeoutError):
                fruitless += 1
                if fruitless == FRUITLESS_ATTEMPTS:
                    raise
        return Content(chunks[0] if len(chunks) == 1 else b"".join(chunks), etag, size)

    def _open(self, key: str, start: int, end: int | None, etag: str) -> Any:
        """GetObject's answer, the body not read; None where the range lies past the object's end."""
        request = {**self._name, "Key": key}
        if start or end is not None:
            request["Range"] = ranges.header(start, end)
        if etag:
            request["IfMatch"] = etag
        try:
            with self._translated(key, FileExpired):
                return self._client.get_object(**request)
        except RefusedParameterError as error:
            if _code(error.__cause__) in ("InvalidRange", "416"):
                return None
            raise

    # Writing

    def put(self, key: str, body: Body, *, exclusive: bool = False, content_type: str = CONTENT_TYPE) -> None:
        """PutObject; `exclusive` refuses an existing object with `FileExistsError`."""
        with self._translated(key):
            self._client.put_object(
                **self._name,
                Key=key,
                Body=bytes(body) if isinstance(body, memoryview) else body,
                ContentType=content_type,
                **self._new_object,
                **_if_absent(exclusive),
            )

    def copy(self, source: ObjectInfo, target: str) -> None:
        """CopyObject, with metadata; onto itself it rewrites the object, which renews LastModified."""
        request = {**self._copy_source(source), "Key": target, **self._new_object}
        if source.key == target:
            request["MetadataDirective"] = "REPLACE"
            request["Metadata"] = source.headers.get("metadata", {})
            request["ContentType"] = source.headers.get("ContentType", CONTENT_TYPE)
        with self._translated(source.key, FileExpired):
            self._client.copy_object(**self._name, **request)

    def _copy_source(self, source: ObjectInfo) -> dict[str, Any]:
        return {"CopySource": {**self._name, "Key": source.key}, "CopySourceIfMatch": source.etag}

    def delete(self, key: str) -> None:
        """DeleteObject; no error where there is none."""
        with self._translated(key):
            self._client.delete_object(**self._name, Key=key)

    def delete_many(self, keys: Sequence[str]) -> dict[str, Exception]:
        """DeleteObjects, at most 1,000 keys; gives each key that failed and why."""
        request = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        with self._translated(keys[0]):
            answer = self._client.delete_objects(**self._name, Delete=request)
        return {
            failed["Key"]: from_code(failed["Code"], failed.get("Message", ""), self._path(failed["Key"]))
            for failed in answer.get("Errors", [])
        }

    # Multipart uploads

    def create_upload(
        self, key: str, *, content_type: str = CONTENT_TYPE, metadata: dict[str, str] | None = None
    ) -> str:
        """CreateMultipartUpload; gives the upload's id."""
        with self._translated(key):
            answer = self._client.create_multipart_upload(
                **self._name, Key=key, ContentType=content_type, Metadata=metadata or {}, **self._new_object
            )
        return str(answer["UploadId"])

    def upload_part(self, key: str, upload_id: str, number: int, body: Body) -> Part:
        """UploadPart."""
        with self._translated(key):
            answer = self._client.upload_part(
                **self._name,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=bytes(body) if isinstance(body, memoryview) else body,
            )
        return Part(number, answer["ETag"], len(body))

    def upload_part_copy(self, key: str, upload_id: str, number: int, source: ObjectInfo, extent: ranges.Range) -> Part:
        """UploadPartCopy of a range of the source's very version."""
        with self._translated(source.key, FileExpired):
            answer = self._client.upload_part_copy(
                **self._name,
                **self._copy_source(source),
                CopySourceRange=ranges.header(*extent),
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
            )
        return Part(number, answer["CopyPartResult"]["ETag"], extent[1] - extent[0])

    def list_parts(self, key: str, upload_id: str) -> Sequence[Part]:
        """ListParts, all pages: the parts by number."""
        request = {**self._name, "Key": key, "UploadId": upload_id}
        parts: list[Part] = []
        while True:
            with self._translated(key):
                answer = self._client.list_parts(**request)
            parts += [Part(part["PartNumber"], part["ETag"], part["Size"]) for part in answer.get("Parts", [])]
            if not answer.get("IsTruncated"):
                return parts
            request["PartNumberMarker"] = answer["NextPartNumberMarker"]

    def list_uploads(self, prefix: str) -> Iterator[Upload]:
        """ListMultipartUploads, all pages: the unfinished uploads of keys that begin with `prefix`, by key.

        Both markers go into the next request: S3 ignores an upload id marker that has no key marker beside it.
        """
        request: dict[str, Any] = {**self._name, "Prefix": prefix}
        while True:
            try:
                with self._translated(prefix):
                    answer = self._client.list_multipart_uploads(**request)
            except FileNotFoundError as error:
                if _code(error.__cause__) == "NoSuchUpload":  # rclone, where none is pending
                    return
                raise
            for found in answer.get("Uploads", []):
                yield Upload(found["Key"], found["UploadId"], _utc(found["Initiated"]))
            if not answer.get("IsTruncated"):
                return
            request["KeyMarker"], request["UploadIdMarker"] = answer["NextKeyMarker"], answer["NextUploadIdMarker"]

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool = False) -> None:
        """CompleteMultipartUpload: the object appears, whole."""
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in sorted(parts, key=lambda p: p.number)]
        with self._translated(key):
            self._client.complete_multipart_upload(
                **self._name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}, **_if_absent(exclusive)
            )

    def abort_upload(self, key: str, upload_id: str) -> None:
        """AbortMultipartUpload; its parts are thrown away."""
        with self._translated(key):
            self._client.abort_multipart_upload(**self._name, Key=key, UploadId=upload_id)

    # Signing

    def presign(self, key: str, operation: str, seconds: int, **request: Any) -> str:
        """A URL that anyone may use for so long; made without a request."""
        with self._translated(key):
            client = s3_client(self.parameters, self.parameters.redirectendpoint or None)
            url = client.generate_presigned_url(operation, {**self._name, "Key": key, **request}, ExpiresIn=seconds)
        return str(url)


def _listed(found: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        found["Key"], found["Size"], found["ETag"], _utc(found["LastModified"]), found.get("StorageClass", "STANDARD")
    )


def _utc(when: datetime) -> datetime:
    """botocore gives some times in the local zone and some in UTC."""
    return when.astimezone(timezone.utc)


def _if_absent(exclusive: bool) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if exclusive else {}


def _chunks(body: Any) -> Iterator[bytes]:
    with closing(body):
        while chunk := body.read(READ_BYTES):
            yield chunk


def _extent(answer: dict[str, Any], asked_start: int, path: str) -> tuple[int, int]:
    """Where the body begins, and the whole object's size; rclone answers a range with status 200."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.get("ContentRange", ""))
    if found:
        return int(found[1]), int(found[2])
    if asked_start:
        raise OSError(errno.ENOTSUP, "the server ignores the Range header, so parts of files cannot be read", path)
    return 0, int(answer["ContentLength"])


def _code(error: BaseException | None) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
