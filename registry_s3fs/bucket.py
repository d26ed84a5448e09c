"""One method for each S3 operation used: keys in, `records` out. Every request of the package is sent here."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlencode

from registry_s3fs import answers, checksums, outcomes, ranges
from registry_s3fs.bodies import Memory, Received, StreamingBody
from registry_s3fs.client import compares_checksums, fast_lane, object_fields, s3_client
from registry_s3fs.errors import FileExpired, RefusedParameterError, copied_nothing, from_code, translated, uncertain
from registry_s3fs.lane import Lane
from registry_s3fs.parameters import DriverParameters
from registry_s3fs.paths import KeySpace
from registry_s3fs.patience import Patience
from registry_s3fs.records import ANY, PLAIN, Body, Content, Description, ObjectInfo, Page, Part, Pin, Upload

SMALL_BYTES = ranges.MIB
"""Up to here a PUT takes the fast lane: beyond, what boto3 costs more no longer counts."""
MAX_DELETE_KEYS = 1000
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


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

    @property
    def _lane(self) -> Lane:
        return fast_lane(self.parameters)

    def _translated(self, key: str, precondition: type[OSError] = FileExistsError) -> AbstractContextManager[None]:
        return translated(self.path(key), precondition=precondition)

    def path(self, key: str) -> str:
        """How an error names a key: by its path, if one can name it."""
        return self.space.path(key) or f"/{key}"

    # Looking

    def head(self, key: str, *, version_id: str = "", explain: bool = True, checksum: bool = False) -> ObjectInfo:
        """HeadObject. Its 404 has no body, so with `explain` a second look tells a missing bucket.

        With `checksum`, S3's is among the fields where checksums are compared. (Of an object that KMS encrypts, that
        takes the right to decrypt it.)
        """
        try:
            with self._translated(key):
                checksum = checksum and compares_checksums(self.parameters)
                answer = self._lane.head(key, version_id, checksum=checksum)
                if answer is None:
                    mode = {"ChecksumMode": "ENABLED"} if checksum else {}
                    answer = self._client.head_object(**self._name, Key=key, **_version(version_id), **mode)
            if not answer:
                raise from_code("404", "Not Found", self.path(key))
            self._check_described(answer, key)
        except RefusedParameterError as error:
            if answers.code(error.__cause__) == "400":  # S3's reason, often expired credentials, would be in a body
                next(self.list(key, limit=1))
            raise
        except FileNotFoundError:
            if explain:
                self._check_bucket(key)
            raise
        return answers.headed(key, answer)

    def _check_described(self, answer: dict[str, Any], key: str) -> None:
        """Refuse an error, or a proxy's page, that comes with status 200: what is of an object has its ETag."""
        if "ETag" not in answer:
            raise from_code("InternalError", "an answer with status 200 that is of no object", self.path(key))

    def _check_bucket(self, key: str) -> None:
        """Raise `BucketNotFoundError` where HeadBucket finds none; one that may not be asked for passes."""
        try:
            with self._translated(key):
                self._client.head_bucket(**self._name)
        except FileNotFoundError as error:
            raise from_code("NoSuchBucket", "", self.path(key)) from error
        except OSError:
            pass

    def list(self, prefix: str, delimiter: str = "", limit: int = 0, start_after: str = "") -> Iterator[Page]:
        """ListObjectsV2, page after page in the order of keys; `limit` stops after that many keys.

        With `start_after`, only keys that come after that one, which need not exist.
        """
        request: dict[str, Any] = {"Prefix": prefix}
        if delimiter:
            request["Delimiter"] = delimiter
        if limit:
            request["MaxKeys"] = limit
        if start_after:
            request["StartAfter"] = start_after
        while True:
            with self._translated(prefix):
                answer = self._lane.list(request) or self._client.list_objects_v2(**self._name, **request)
            last = bool(limit) or not answer.get("IsTruncated")
            yield Page(
                [answers.listed(found) for found in answer.get("Contents", ())],
                [found["Prefix"] for found in answer.get("CommonPrefixes", ())],
                last,
            )
            if last:
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def versions(self, key: str) -> Iterator[ObjectInfo]:
        """ListObjectVersions of one key, newest first; without delete markers."""
        request: dict[str, Any] = {**self._name, "Prefix": key}
        while True:
            with self._translated(key):
                answer = self._client.list_object_versions(**request)
            yield from (answers.listed(found) for found in answer.get("Versions", []) if found["Key"] == key)
            following = answer.get("NextKeyMarker", "")
            if not answer.get("IsTruncated") or following > key:
                return
            request |= {"KeyMarker": following, "VersionIdMarker": answer["NextVersionIdMarker"]}

    # Reading

    def get(self, key: str, start: int = 0, end: int | None = None, pin: Pin = ANY) -> Content:
        """GetObject: bytes from `start` up to `end`, or to the object's end; a negative `start` counts from there.

        A range past the end gives fewer bytes or none. A body that breaks is taken up where it
        stopped, as long as `Patience` goes on. With an ETag pinned, and for every byte after the first,
        another version of the object raises `FileExpired`.
        """
        answer = self._open(key, start, end, pin)
        if answer is None:
            return Content(b"", pin, 0)
        return self._received(key, answer, start, pin)

    def begin(self, key: str, pin: Pin = ANY) -> Content:
        """As `get`, the first piece of an object that is to be read whole, and the whole object's checksum where these
        are compared.

        S3 gives none with a range (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html),
        so there it is asked for the whole object, and the connection given up after the piece.
        """
        with self._translated(key):
            compares = compares_checksums(self.parameters)
        if not compares:
            return self.get(key, 0, ranges.PIECE_BYTES, pin)
        return self._received(key, self._open(key, 0, None, pin, checksum=True), 0, pin, ranges.PIECE_BYTES)

    def _received(self, key: str, answer: Any, start: int, pin: Pin, most_bytes: int | None = None) -> Content:
        """The bytes of an answer to a request from `start` on, or the first of them."""
        pin = pin if pin.etag else pin._replace(etag=answer["ETag"])
        first, stop, size = answers.extent(answer, max(start, 0), self.path(key))
        memory = Memory(stop - first if most_bytes is None else min(stop - first, most_bytes))
        with memory.view() as view:
            self._receive(key, view, first, pin, answer)
        return Content(memory.data(), pin, size, checksums.stored(answer))

    def get_into(self, key: str, view: memoryview, start: int, pin: Pin) -> None:
        """As `get`, of as many bytes as the view has, which the object is known to have, straight into it."""
        self._receive(key, view, start, pin, None)

    def _receive(self, key: str, view: memoryview, start: int, pin: Pin, answer: Any) -> None:
        """Fill the view from an answer, if there is one already, and from as many more as it takes."""
        received, patience = Received(view), Patience()
        while True:
            before = received.count
            answer = answer or self._open(key, start + before, start + len(view), pin)
            if answer is None or answer["ETag"] != pin.etag:  # some servers ignore If-Match
                if answer:
                    answer["Body"].close()
                text = "the object was replaced while it was being read"
                raise FileExpired(errno.ESTALE, text, self.path(key))
            answers.extent(answer, start + before, self.path(key))
            try:
                with self._translated(key):
                    received.take(answer["Body"])
                return
            except (ConnectionError, TimeoutError):
                if not patience.goes_on(received.count - before):
                    raise
                patience.wait()
            answer = None

    def _open(self, key: str, start: int, end: int | None, pin: Pin, *, checksum: bool = False) -> Any:
        """GetObject's answer, the body not read; None where the range lies past the object's end."""
        headers = {"Range": ranges.header(start, end)} if start or end is not None else {}
        if pin.etag:
            headers["If-Match"] = pin.etag
        try:
            with self._translated(key, FileExpired):
                answer = self._lane.get(key, pin.version_id, headers, checksum=checksum)
                if answer is not None:
                    return answer
                request = {name.replace("-", ""): value for name, value in headers.items()}
                answer = self._client.get_object(**self._name, Key=key, **request, **_version(pin.version_id))
                self._check_described(answer, key)
                return {**answer, "Body": StreamingBody(answer["Body"])}
        except RefusedParameterError as error:
            if answers.code(error.__cause__) in ("InvalidRange", "416"):
                return None
            raise

    # Writing

    def put(self, key: str, body: Body, *, exclusive: bool = False, description: Description = PLAIN) -> None:
        """PutObject; `exclusive` refuses an existing object with `FileExistsError`.

        Where an answer was lost, the refusal may be of the object that was just written: its ETag tells. (Two
        writers of the very same bytes, one of whose answers was lost, may both succeed.)
        """
        body = bytes(body) if isinstance(body, memoryview) else body
        request = {"Key": key, **description, **self._new_object}
        try:
            with self._translated(key):
                if exclusive:
                    self._client.put_object(**self._name, **request, **self._if_absent(key), Body=body)
                elif len(body) > SMALL_BYTES or not self._lane.put(request, body):
                    self._client.put_object(**self._name, **request, Body=body)
        except OSError as error:
            if not (exclusive and outcomes.is_in_doubt(error) and self._is_stored(key, body, error)):
                raise

    def _is_stored(self, key: str, body: Body, error: OSError) -> bool:
        """Whether an object is the one that a PutObject without an answer should have written."""
        found = self.look(key, error)
        ours = found is not None and outcomes.is_ours(found, len(body), outcomes.etag(body))
        if ours is None:
            raise uncertain(error, self.path(key)) from error
        return ours

    def look(self, key: str, error: OSError) -> ObjectInfo | None:
        """What is there after the `error` of a write; None where nothing is."""
        try:
            return self.head(key, explain=False)
        except FileNotFoundError:
            return None
        except OSError:
            raise uncertain(error, self.path(key)) from error

    def _if_absent(self, key: str) -> dict[str, str]:
        """The header that refuses an existing object. Stores other than AWS may ignore it, so they get a HEAD
        right before; there, two writers at the same moment may both succeed."""
        if self.parameters.regionendpoint:
            try:
                self.head(key, explain=False)
            except FileNotFoundError:
                pass
            else:
                raise from_code("PreconditionFailed", "", self.path(key))
        return {"IfNoneMatch": "*"}

    def copy(self, source: ObjectInfo, target: str, description: Description | None = None) -> None:
        """CopyObject, with what the source says of itself, or another `description`.

        Onto itself it rewrites the object, which renews LastModified.
        """
        request = {**self._copy_source(source), "Key": target, **self._new_object}
        if description is None and source.key == target:  # S3 refuses a copy onto itself that changes nothing
            description = source.description
        if description is not None:
            request |= {"MetadataDirective": "REPLACE", **description}
        try:
            with self._translated(source.key, FileExpired):
                self._client.copy_object(**self._name, **request)
        except FileExpired as error:
            if source.key == target and outcomes.is_in_doubt(error):  # an earlier try may have given it another ETag
                raise uncertain(error, self.path(target)) from error
            raise

    def _copy_source(self, source: ObjectInfo) -> dict[str, Any]:
        named = {**self._name, "Key": source.key, **_version(source.version_id)}
        return {"CopySource": named, "CopySourceIfMatch": source.etag}

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
            failed["Key"]: from_code(failed["Code"], failed.get("Message", ""), self.path(failed["Key"]))
            for failed in answer.get("Errors", [])
        }

    # Tags

    def tags(self, key: str, version_id: str = "") -> dict[str, str]:
        """GetObjectTagging."""
        with self._translated(key):
            answer = self._client.get_object_tagging(**self._name, Key=key, **_version(version_id))
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def put_tags(self, key: str, tags: Mapping[str, str]) -> None:
        """PutObjectTagging: these tags and no others."""
        tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
        with self._translated(key):
            self._client.put_object_tagging(**self._name, Key=key, Tagging={"TagSet": tag_set})

    # Multipart uploads

    def create_upload(
        self, key: str, *, description: Description = PLAIN, tags: Mapping[str, str] | None = None
    ) -> str:
        """CreateMultipartUpload; gives the upload's id."""
        tagging = {"Tagging": urlencode(tags)} if tags else {}
        with self._translated(key):
            answer = self._client.create_multipart_upload(
                **self._name, Key=key, **description, **tagging, **self._new_object
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
        etag = answer.get("CopyPartResult", {}).get("ETag")
        if not etag:  # rclone takes it for an UploadPart without a body
            raise copied_nothing(self.path(source.key))
        return Part(number, etag, extent[1] - extent[0])

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
                if answers.code(error.__cause__) == "NoSuchUpload":  # rclone, where none is pending
                    return
                raise
            for found in answer.get("Uploads", []):
                yield Upload(found["Key"], found["UploadId"], answers.utc(found["Initiated"]))
            if not answer.get("IsTruncated"):
                return
            request["KeyMarker"], request["UploadIdMarker"] = answer["NextKeyMarker"], answer["NextUploadIdMarker"]

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool = False) -> None:
        """CompleteMultipartUpload: the object appears, whole."""
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in sorted(parts, key=lambda p: p.number)]
        condition = self._if_absent(key) if exclusive else {}
        with self._translated(key):
            self._client.complete_multipart_upload(
                **self._name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}, **condition
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


def _version(version_id: str) -> dict[str, str]:
    return {"VersionId": version_id} if version_id else {}
