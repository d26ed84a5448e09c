"""A fast lane for small requests: presigned as URLs, sent over plain kept-alive connections.

boto3 spends 0.7 ms of CPU on a call, of which signing and sending are each a tenth. The lane does those two
alone. It only ever answers with success: for anything else (an error, a broken connection, an operation it
does not know) it gives None, and the caller asks boto3, whose retries and errors then hold. So a request may be sent
twice, which is harmless for reads and for a PUT of the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from registry_s3fs import checksums, pages
from registry_s3fs.connections import BROKEN, Answer, Connections
from registry_s3fs.signing import METADATA, Signed, Signer

NONE: Mapping[str, str] = {}

REUSED_FOR_SECONDS = 300
"""One signature serves all ranges of an object for so long."""
SIGNATURES_KEPT = 1024
REFUSALS = 3
"""So many answers of these kinds, with no success before, and the lane is closed: the store takes no signed URLs."""
REFUSED = frozenset((400, 401, 403, 405, 501))

GET_FIELDS = {
    "content-length": "ContentLength",
    "content-range": "ContentRange",
    "etag": "ETag",
    "x-amz-checksum-type": "ChecksumType",
    **{f"x-amz-checksum-{algorithm.lower()}": field for field, algorithm in checksums.FIELDS.items()},
}
HEAD_FIELDS = {
    **GET_FIELDS,
    "last-modified": "LastModified",
    "x-amz-storage-class": "StorageClass",
    "x-amz-version-id": "VersionId",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "content-type": "ContentType",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "expires": "Expires",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
    "x-amz-tagging-count": "TagCount",
}
"""Header of an answer -> boto3's name for it."""
CONVERTED: dict[str, Callable[[str], Any]] = {
    "ContentLength": int,
    "TagCount": int,
    "LastModified": parsedate_to_datetime,
    "Expires": parsedate_to_datetime,
}
_Named = tuple[str, str, str, bool]
"""Operation, key, version id, and whether the checksum is asked for: what one signature stands for."""


class Lane:
    """The fast lane of one boto3 S3 client. Threads may share it."""

    def __init__(
        self,
        signer: Signer,
        user_agent: str,
        connect: Callable[[str], Connections] | None,
        *,
        signs_headers: bool,
        sends_checksums: bool,
    ) -> None:
        """`connect` gives the connections to an origin; None, and the lane is closed."""
        self._signer = signer
        self._user_agent = user_agent
        self._signs_headers = signs_headers
        """Version 2 signatures put them into the URL, which not every store reads."""
        self._sends_checksums = sends_checksums
        self._connect: Any = connect
        self._connections: Connections | None = None
        self._origin = ""
        self._open = connect is not None
        self._proven = False
        self._refusals = 0
        self._signed: OrderedDict[_Named, tuple[float, Signed]] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, key: str, version_id: str, headers: Mapping[str, str], *, checksum: bool = False
    ) -> dict[str, Any] | None:
        """GetObject's answer, with a `Body` to read; None where boto3 should be asked."""
        answer = self._ask_of_object(("get_object", key, version_id, checksum), headers)
        if answer is None:
            return None
        fields = _fields(answer, GET_FIELDS)
        return {**fields, "Body": Body(answer, fields.get("ContentLength", 0))}

    def head(self, key: str, version_id: str, *, checksum: bool = False) -> dict[str, Any] | None:
        """HeadObject's answer, empty where there is no such object; None where boto3 should be asked."""
        answer = self._ask_of_object(("head_object", key, version_id, checksum), NONE, also=404)
        if answer is None:
            return None
        answer.read()
        return {} if answer.status == 404 else {"Metadata": {}, **_fields(answer, HEAD_FIELDS)}

    def list(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """ListObjectsV2's answer; None where boto3 should be asked."""
        if not self._open:
            return None
        answer = self._exchange(
            self._signer.sign("list_objects_v2", {**fields, "EncodingType": "url"}), proof="Content-Type"
        )
        try:
            page = pages.parse(answer.read()) if answer else None
        except BROKEN:
            return None
        return page and pages.decoded(page)

    def put(self, fields: Mapping[str, Any], body: bytes | bytearray) -> bool:
        """PutObject; False where boto3 should be asked. The bytes are guarded on their way: by a CRC32, which S3
        keeps beside them, or by their MD5, which every store compares."""
        if not self._open or not self._signs_headers:
            return False
        if self._sends_checksums:
            guard = {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": checksums.crc32(body)}
        else:
            guard = {"ContentMD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}
        answer = self._exchange(self._signer.sign("put_object", {**fields, **guard}), body=body)
        if answer is not None:
            answer.read()
        return answer is not None

    def _ask_of_object(self, name: _Named, headers: Mapping[str, str], also: int = 0) -> Answer | None:
        if not self._open:
            return None
        answer = self._exchange(self._signed_for_many(name), headers, also=also)
        if answer is None:  # its credentials may have expired
            self._signed.pop(name, None)
        return answer

    def _signed_for_many(self, name: _Named) -> Signed | None:
        made, signed = self._signed.get(name, (0.0, None))
        if signed and time.monotonic() - made < REUSED_FOR_SECONDS:
            return signed
        operation, key, version_id, checksum = name
        version = {"VersionId": version_id} if version_id else {}
        mode = {"ChecksumMode": "ENABLED"} if checksum else {}
        signed = self._signer.sign(operation, {"Key": key, **version, **mode})
        if signed:
            with self._lock:
                self._signed[name] = (time.monotonic(), signed)
                while len(self._signed) > SIGNATURES_KEPT:
                    self._signed.popitem(last=False)
        return signed

    def _exchange(
        self,
        signed: Signed | None,
        headers: Mapping[str, str] = NONE,
        *,
        also: int = 0,
        body: Any = None,
        proof: str = "ETag",
    ) -> Answer | None:
        """The answer, if it is a success or has the status `also`.

        Every success about an object has an ETag; an error, or a proxy's page, that comes with status 200 has none.
        """
        if signed is None:
            return None
        try:
            connections = self._connections or self._connect_to(signed.url)
            target = signed.url[len(self._origin) :]
            sent = {"User-Agent": self._user_agent, **signed.headers, **headers}
            answer = connections.exchange(signed.method, target, sent, body)
            if 200 <= answer.status < 300 and proof in answer.headers:
                self._proven = True
                return answer
            if answer.status == also:
                return answer
            answer.read()
        except BROKEN:
            return None
        if not self._proven and answer.status in REFUSED:
            self._refusals += 1
            self._open = self._refusals < REFUSALS
        return None

    def _connect_to(self, url: str) -> Connections:
        """All keys of a bucket have one origin."""
        with self._lock:
            if self._connections is None:
                self._origin = "/".join(url.split("/", 3)[:3])
                self._connections = self._connect(self._origin)
            found: Connections = self._connections
            return found


class Body:
    """The body of an answer, which raises the SDK's errors where its connection breaks."""

    def __init__(self, answer: Answer, expected_bytes: int) -> None:
        self._answer = answer
        self._expected = expected_bytes
        self._received = 0

    def fill(self, view: memoryview) -> int:
        """Put what comes next into `view`; gives how many bytes, 0 at the end."""
        from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

        try:
            taken = self._answer.fill(view)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url="", error=error) from error
        except BROKEN as error:
            raise ResponseStreamingError(error=error) from error
        self._received += taken
        if not taken and self._received < self._expected:
            raise IncompleteReadError(actual_bytes=self._received, expected_bytes=self._expected)
        return taken

    def close(self) -> None:
        """Give up what was not read."""
        self._answer.close()


def _fields(answer: Answer, names: Mapping[str, str]) -> dict[str, Any]:
    """boto3's fields of an answer, `Metadata` among them where there is any."""
    fields: dict[str, Any] = {}
    for name, value in answer.headers.items():
        lowered = name.lower()
        field = names.get(lowered)
        if field:
            fields[field] = CONVERTED.get(field, str)(value)
        elif lowered.startswith(METADATA):
            fields.setdefault("Metadata", {})[name[len(METADATA) :]] = value
    return fields
