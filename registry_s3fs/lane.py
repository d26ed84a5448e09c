"""A fast lane for small requests: signed by boto3 as URLs, sent over plain kept-alive connections.

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

from registry_s3fs.connections import BROKEN, Answer, Connections

SIGNED_FOR_SECONDS = 900
REUSED_FOR_SECONDS = 300
"""One signature serves all ranges of an object for so long."""
SIGNATURES_KEPT = 1024
REFUSALS = 3
"""So many answers of these kinds, with no success before, and the lane is closed: the store takes no signed URLs."""
REFUSED = frozenset((400, 401, 403, 405, 501))

ETAG = "ETag"
"""Every answer about an object has one; an error, or a proxy's page, that comes with status 200 has none."""
GET_FIELDS = {
    "Content-Length": "ContentLength",
    "Content-Range": "ContentRange",
    ETAG: "ETag",
}
HEAD_FIELDS = {
    **GET_FIELDS,
    "Last-Modified": "LastModified",
    "x-amz-storage-class": "StorageClass",
    "x-amz-version-id": "VersionId",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "Content-Type": "ContentType",
    "Cache-Control": "CacheControl",
    "Content-Disposition": "ContentDisposition",
    "Content-Encoding": "ContentEncoding",
    "Content-Language": "ContentLanguage",
    "Expires": "Expires",
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
PUT_HEADERS = {
    "ContentType": "Content-Type",
    "ContentMD5": "Content-MD5",
    "StorageClass": "x-amz-storage-class",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ACL": "x-amz-acl",
}
"""boto3's name -> header of a request. A PUT with any other field is boto3's."""
METADATA = "x-amz-meta-"

_Named = tuple[str, str, str, str]
"""Operation, bucket, key and version id: what one signature stands for."""


class Lane:
    """The fast lane of one boto3 S3 client. Threads may share it."""

    def __init__(
        self, client: Any, user_agent: str, connect: Callable[[str], Connections] | None, *, signs_headers: bool
    ) -> None:
        """`connect` gives the connections to an origin; None, and the lane is closed."""
        self._client = client
        self._user_agent = user_agent
        self._signs_headers = signs_headers
        """Version 2 signatures put them into the URL, which not every store reads."""
        self._connect: Any = connect
        self._connections: Connections | None = None
        self._origin = ""
        self._open = connect is not None
        self._proven = False
        self._refusals = 0
        self._signed: OrderedDict[_Named, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, bucket: str, key: str, version_id: str, headers: Mapping[str, str]) -> dict[str, Any] | None:
        """GetObject's answer, with a `Body` to read; None where boto3 should be asked."""
        answer = self._send("GET", ("get_object", bucket, key, version_id), headers)
        if answer is None:
            return None
        return {**_fields(answer.headers, GET_FIELDS), "Body": Body(answer)}

    def head(self, bucket: str, key: str, version_id: str) -> dict[str, Any] | None:
        """HeadObject's answer, empty where there is no such object; None where boto3 should be asked."""
        answer = self._send("HEAD", ("head_object", bucket, key, version_id), {}, also=404)
        if answer is None:
            return None
        answer.read()
        if answer.status == 404:
            return {}
        metadata = {
            name[len(METADATA) :]: value for name, value in answer.headers.items() if name.lower().startswith(METADATA)
        }
        return {"Metadata": metadata, **_fields(answer.headers, HEAD_FIELDS)}

    def put(self, request: Mapping[str, Any], body: bytes | bytearray) -> bool:
        """PutObject; False where boto3 should be asked. The bytes are guarded by their MD5 on the way."""
        if not self._open or not self._signs_headers:
            return False
        checksum = hashlib.md5(body, usedforsecurity=False).digest()
        guarded = {**request, "ContentMD5": base64.b64encode(checksum).decode()}
        headers = _put_headers(guarded)
        if headers is None:
            return False
        answer = self._exchange("PUT", self._sign("put_object", guarded), headers, body=body)
        if answer is not None:
            answer.read()
        return answer is not None

    def _send(self, method: str, name: _Named, headers: Mapping[str, str], also: int = 0) -> Answer | None:
        if not self._open:
            return None
        answer = self._exchange(method, self._signed_url(name), headers, also=also)
        if answer is None:  # its credentials may have expired
            self._signed.pop(name, None)
        return answer

    def _signed_url(self, name: _Named) -> str:
        made, url = self._signed.get(name, (0.0, ""))
        if url and time.monotonic() - made < REUSED_FOR_SECONDS:
            return url
        operation, bucket, key, version_id = name
        version = {"VersionId": version_id} if version_id else {}
        url = self._sign(operation, {"Bucket": bucket, "Key": key, **version})
        with self._lock:
            self._signed[name] = (time.monotonic(), url)
            while len(self._signed) > SIGNATURES_KEPT:
                self._signed.popitem(last=False)
        return url

    def _sign(self, operation: str, request: Mapping[str, Any]) -> str:
        url: str = self._client.generate_presigned_url(operation, dict(request), ExpiresIn=SIGNED_FOR_SECONDS)
        return url

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], *, also: int = 0, body: Any = None
    ) -> Answer | None:
        """The answer, if it is a success or has the status `also`."""
        try:
            connections = self._connections or self._connect_to(url)
            target = url[len(self._origin) :]
            answer = connections.exchange(method, target, {"User-Agent": self._user_agent, **headers}, body)
            if 200 <= answer.status < 300 and ETAG in answer.headers:
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

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._expected = int(answer.headers.get("Content-Length") or 0)
        self._received = 0

    def read(self, amount: int | None = None) -> bytes:
        """The next bytes; none at the end."""
        from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

        try:
            data = self._answer.read(amount)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url="", error=error) from error
        except BROKEN as error:
            raise ResponseStreamingError(error=error) from error
        self._received += len(data)
        if not data and self._received < self._expected:
            raise IncompleteReadError(actual_bytes=self._received, expected_bytes=self._expected)
        return data

    def close(self) -> None:
        """Give up what was not read."""
        self._answer.close()


def _fields(headers: Any, names: Mapping[str, str]) -> dict[str, Any]:
    return {field: CONVERTED.get(field, str)(headers[header]) for header, field in names.items() if header in headers}


def _put_headers(request: Mapping[str, Any]) -> dict[str, str] | None:
    headers = {METADATA + name: value for name, value in request.get("Metadata", {}).items()}
    for field, value in request.items():
        if field in PUT_HEADERS:
            headers[PUT_HEADERS[field]] = value
        elif field not in ("Bucket", "Key", "Metadata"):
            return None
    return headers
