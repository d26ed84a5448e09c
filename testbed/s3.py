"""A small S3: a request in, the answer in parts out. It checks no signature and knows no permissions and versions."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

from testbed.messages import Answer, Headers, Request
from testbed.s3_answers import Element, S3Error, of_bytes, of_document, of_error, of_nothing
from testbed.s3_listings import Listings
from testbed.s3_memory import CHECKSUM, KEPT, METADATA, Object, Part, Upload, byte_range, is_met, md5, stamp

OWN_HEADERS = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id")


class S3(Listings):
    """One bucket, of whatever name. `objects` and `uploads` may be looked at and changed between requests."""

    def __init__(self, page_keys: int = 1000) -> None:
        """`page_keys` are the most that a page of a listing has."""
        self.objects: dict[str, Object] = {}
        self.uploads: dict[str, Upload] = {}
        self.page_keys = page_keys
        self._numbers = count(1)
        self._upload_numbers = count(1)

    def store(self, key: str, data: bytes, *headers: tuple[str, str]) -> Object:
        """Put an object there, with a checksum, as every object on AWS has one."""
        checksum = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
        kept = ((f"{CHECKSUM}crc32", checksum), (f"{CHECKSUM}type", "FULL_OBJECT"))
        self.objects[key] = Object(data, md5(data), (*headers, *kept))
        return self.objects[key]

    def answer(self, request: Request) -> Answer:
        """Carry out a request."""
        number = next(self._numbers)
        operation: Callable[[Request, int], Answer] | None = getattr(self, f"_{_snake(request.operation)}", None)
        try:
            if operation is None:
                raise S3Error("NotImplemented")
            return operation(request, number)
        except S3Error as error:
            return of_error(number, error, request.key, is_head=request.method == "HEAD")

    # Looking

    def _found(self, key: str) -> Object:
        if key not in self.objects:
            raise S3Error("NoSuchKey", "The specified key does not exist.")
        return self.objects[key]

    def _head_bucket(self, request: Request, number: int) -> Answer:
        region: Headers = (("x-amz-bucket-region", "us-east-1"), ("Content-Type", "application/xml"))
        return replace(of_nothing(number, region), framing="none").with_header("Content-Length", None)

    def _get_object(self, request: Request, number: int) -> Answer:
        found = self._found(request.key)
        _check_conditions(request, found)
        asks = request.header("x-amz-checksum-mode").upper() == "ENABLED"
        is_head = request.method == "HEAD"
        wanted = byte_range(request.header("Range"), len(found.data))
        if wanted is None:
            return of_bytes(number, found.described(with_checksums=asks), found.data, is_head=is_head)
        start, end = wanted
        extent = ("Content-Range", f"bytes {start}-{end - 1}/{len(found.data)}")
        headers = (*found.described(with_checksums=False), extent)
        return of_bytes(number, headers, found.data[start:end], status=206, is_head=is_head)

    _head_object = _get_object

    # Writing

    def _put_object(self, request: Request, number: int) -> Answer:
        self._check_absent(request)
        tags = tuple(parse_qsl(request.header("x-amz-tagging"), keep_blank_values=True))
        made = Object(request.body, md5(request.body), _kept(request), tags)
        self.objects[request.key] = made
        checksums = tuple(pair for pair in made.headers if pair[0].lower().startswith(CHECKSUM))
        return of_nothing(number, (("ETag", made.etag), *checksums))

    def _copy_object(self, request: Request, number: int) -> Answer:
        source = self._source(request)
        kept = _kept(request) if request.header("x-amz-metadata-directive").upper() == "REPLACE" else source.headers
        made = Object(source.data, md5(source.data), kept, source.tags)
        self.objects[request.key] = made
        return of_document(number, "CopyObjectResult", [("LastModified", stamp(made.modified)), ("ETag", made.etag)])

    def _source(self, request: Request) -> Object:
        name = unquote(request.header("x-amz-copy-source").partition("?")[0]).removeprefix("/")
        found = self._found(name.partition("/")[2])
        condition = request.header("x-amz-copy-source-if-match")
        if condition and not is_met(condition, found.etag):
            raise S3Error("PreconditionFailed")
        return found

    def _check_absent(self, request: Request) -> None:
        found = self.objects.get(request.key)
        if found and is_met(request.header("If-None-Match"), found.etag):
            raise S3Error("PreconditionFailed")
        if request.header("If-Match") and not (found and is_met(request.header("If-Match"), found.etag)):
            raise S3Error("PreconditionFailed" if found else "NoSuchKey")

    def _delete_object(self, request: Request, number: int) -> Answer:
        self.objects.pop(request.key, None)
        return of_nothing(number, status=204)

    def _delete_objects(self, request: Request, number: int) -> Answer:
        asked = _parsed(request)
        keys = [found.text or "" for found in _all(asked, "Key")]
        is_quiet = any(found.text == "true" for found in _all(asked, "Quiet"))
        for key in keys:
            self.objects.pop(key, None)
        deleted: list[Element] = [] if is_quiet else [("Deleted", [("Key", key)]) for key in keys]
        return of_document(number, "DeleteResult", deleted)

    # Tags

    def _get_object_tagging(self, request: Request, number: int) -> Answer:
        tags = self._found(request.key).tags
        found: list[Element] = [("Tag", [("Key", name), ("Value", value)]) for name, value in tags]
        return of_document(number, "Tagging", [("TagSet", found)])

    def _put_object_tagging(self, request: Request, number: int) -> Answer:
        asked = _parsed(request)
        names, values = ([found.text or "" for found in _all(asked, each)] for each in ("Key", "Value"))
        tags = tuple(zip(names, values, strict=True))
        self.objects[request.key] = replace(self._found(request.key), tags=tags)
        return of_nothing(number)

    def _delete_object_tagging(self, request: Request, number: int) -> Answer:
        self.objects[request.key] = replace(self._found(request.key), tags=())
        return of_nothing(number, status=204)

    # Uploads

    def _upload(self, request: Request) -> Upload:
        found = self.uploads.get(request.query["uploadId"])
        if found is None or found.key != request.key:
            raise S3Error("NoSuchUpload", "The specified multipart upload does not exist.")
        return found

    def _create_multipart_upload(self, request: Request, number: int) -> Answer:
        upload_id = f"upload-{next(self._upload_numbers):06}"
        tags = tuple(parse_qsl(request.header("x-amz-tagging"), keep_blank_values=True))
        self.uploads[upload_id] = Upload(request.key, _kept(request), tags)
        named: list[Element] = [("Bucket", request.bucket), ("Key", request.key), ("UploadId", upload_id)]
        return of_document(number, "InitiateMultipartUploadResult", named)

    def _upload_part(self, request: Request, number: int) -> Answer:
        return of_nothing(number, (("ETag", self._keep_part(request, request.body).etag),))

    def _upload_part_copy(self, request: Request, number: int) -> Answer:
        source = self._source(request)
        wanted = byte_range(request.header("x-amz-copy-source-range"), len(source.data)) or (0, len(source.data))
        part = self._keep_part(request, source.data[slice(*wanted)])
        return of_document(number, "CopyPartResult", [("LastModified", stamp(part.modified)), ("ETag", part.etag)])

    def _keep_part(self, request: Request, data: bytes) -> Part:
        upload, part = self._upload(request), Part(data, md5(data))
        parts = {**upload.parts, int(request.query["partNumber"]): part}
        self.uploads[request.query["uploadId"]] = replace(upload, parts=parts)
        return part

    def _complete_multipart_upload(self, request: Request, number: int) -> Answer:
        upload = self._upload(request)
        self._check_absent(request)
        asked = _parsed(request)
        numbers, etags = ([found.text or "" for found in _all(asked, each)] for each in ("PartNumber", "ETag"))
        chosen = [(int(each), f'"{etag.strip(chr(34))}"') for each, etag in zip(numbers, etags, strict=True)]
        made = upload.joined(chosen)
        self.objects[request.key] = made
        del self.uploads[request.query["uploadId"]]
        named: list[Element] = [
            ("Location", f"http://127.0.0.1/{request.bucket}/{request.key}"),
            ("Bucket", request.bucket), ("Key", request.key), ("ETag", made.etag),
        ]  # fmt: skip
        return of_document(number, "CompleteMultipartUploadResult", named)

    def _abort_multipart_upload(self, request: Request, number: int) -> Answer:
        self._upload(request)
        del self.uploads[request.query["uploadId"]]
        return of_nothing(number, status=204)


def _snake(operation: str) -> str:
    """
    >>> _snake("ListObjectsV2"), _snake("CopyObject")
    ('list_objects_v2', 'copy_object')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()


def _check_conditions(request: Request, found: Object) -> None:
    if request.header("If-Match") and not is_met(request.header("If-Match"), found.etag):
        raise S3Error("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    if request.header("If-None-Match") and is_met(request.header("If-None-Match"), found.etag):
        raise S3Error("NotModified", headers=(("ETag", found.etag),))


def _kept(request: Request) -> Headers:
    """What of a request's headers is kept with the object."""
    return tuple(
        (name, value)
        for name, value in request.headers
        if (lowered := name.lower()) in KEPT + OWN_HEADERS or lowered.startswith((METADATA, CHECKSUM))
        if lowered not in ("x-amz-checksum-algorithm", "content-encoding") or "aws-chunked" not in value
    )


def _parsed(request: Request) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(request.body)
    except ElementTree.ParseError as error:
        raise S3Error("MalformedXML") from error


def _all(asked: ElementTree.Element, name: str) -> Iterable[ElementTree.Element]:
    return (found for found in asked.iter() if found.tag.rpartition("}")[2] == name)
