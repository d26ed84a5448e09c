"""A small S3 in memory behind a scripted server, whose answers a test twists."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from registry_s3fs import RegistryS3FileSystem
from tests.scripted import WHEN, Answer, Handler, refusal, scripted

PAGE = (200, b"<html><head><title>Log in</title></head><body><br>Welcome</body></html>", {"Content-Type": "text/html"})
"""What a captive portal says to whatever is asked."""
XML = {"Content-Type": "application/xml"}
TOLD = "2026-11-24T07:57:54.000Z"

Twist = Callable[["OddStore", Handler, str, Callable[[], Answer]], "Answer | None"]
"""May give another answer to an operation than the one that a call of the last argument gives."""


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def document(root: str, inner: str = "") -> Answer:
    """S3's XML."""
    return 200, f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inner}</{root}>'.encode(), XML


def entry(key: str, data: bytes = b"", more: str = "") -> str:
    """An object of a listing."""
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{TOLD}</LastModified><ETag>{escape(etag(data))}</ETag>"
        f"<Size>{len(data)}</Size>{more}</Contents>"
    )


class OddStore:
    """Objects by key, and every request that came, by operation."""

    def __init__(self, twist: Twist | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.paths: list[str] = []
        self.heard: list[dict[str, str]] = []
        self.sizes: list[list[int]] = []
        """Whatever a test notes of parts."""
        self.page_keys = 1000
        self.ignores_start_after = False
        self._twist = twist

    @property
    def counts(self) -> Counter[str]:
        """Requests of each operation."""
        return Counter(operation for operation, _ in self.requests)

    def answer(self, request: Handler, body: bytes) -> Answer:
        url = urlsplit(request.path)
        key = unquote(url.path).partition("/demo")[2].removeprefix("/")
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        operation = _operation(request, key, query)
        self.requests.append((operation, key or query.get("prefix", "")))
        self.paths.append(request.path)
        self.heard.append({name.lower(): value for name, value in request.headers.items()})

        def honest() -> Answer:
            found: Answer = getattr(self, operation)(request, key, query, body)
            return found

        twisted = self._twist(self, request, operation, honest) if self._twist else None
        return honest() if twisted is None else twisted

    def HeadBucket(self, *request: Any) -> Answer:  # S3's names
        return 200, b"", {}

    def HeadObject(self, request: Handler, key: str, query: Any, body: bytes) -> Answer:
        if key not in self.objects:
            return 404, b"", {}
        data = self.objects[key]
        return 200, b"", {"ETag": etag(data), "Last-Modified": WHEN, "Content-Length": str(len(data))}

    def GetObject(self, request: Handler, key: str, query: Any, body: bytes) -> Answer:
        if key not in self.objects:
            return refusal(404, "NoSuchKey")
        data, wanted = self.objects[key], request.headers.get("Range")
        headers = {"ETag": etag(data), "Last-Modified": WHEN}
        if request.headers.get("If-Match", etag(data)) != etag(data):
            return refusal(412, "PreconditionFailed")
        if not wanted:
            return 200, data, headers
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
        assert found
        first = int(found[1]) if found[1] else max(0, len(data) - int(found[2]))
        last = min(int(found[2]), len(data) - 1) if found[1] and found[2] else len(data) - 1
        if first >= len(data):
            return refusal(416, "InvalidRange", more=f"<ActualObjectSize>{len(data)}</ActualObjectSize>")
        return 206, data[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}

    def PutObject(self, request: Handler, key: str, query: Any, body: bytes) -> Answer:
        if request.headers.get("If-None-Match") and key in self.objects:
            return refusal(412, "PreconditionFailed")
        self.objects[key] = body
        return 200, b"", {"ETag": etag(body)}

    def source(self, request: Handler) -> bytes:
        """The bytes that a copy is to copy."""
        data = self.objects[unquote(request.headers["x-amz-copy-source"]).partition("/")[2]]
        cut = request.headers.get("x-amz-copy-source-range")
        if cut:
            first, last = cut.removeprefix("bytes=").split("-")
            return data[int(first) : int(last) + 1]
        return data

    def CopyObject(self, request: Handler, key: str, query: Any, body: bytes) -> Answer:
        self.objects[key] = data = self.source(request)
        return document("CopyObjectResult", f"<ETag>{etag(data)}</ETag><LastModified>{TOLD}</LastModified>")

    def DeleteObject(self, request: Handler, key: str, query: Any, body: bytes) -> Answer:
        self.objects.pop(key, None)
        return 204, b"", {}

    def DeleteObjects(self, request: Handler, key: str, query: Any, body: bytes) -> Answer:
        for each in keys_of(body):
            self.objects.pop(each, None)
        return document("DeleteResult")

    def ListObjectsV2(self, request: Handler, key: str, query: dict[str, str], body: bytes) -> Answer:
        prefix, delimiter, most = query.get("prefix", ""), query.get("delimiter", ""), int(query.get("max-keys", 1000))
        start_after = "" if self.ignores_start_after else query.get("start-after", "")
        after = max(start_after, query.get("continuation-token", ""))
        rows: dict[str, str] = {}
        for each in sorted(self.objects):
            below, cut, _ = each[len(prefix) :].partition(delimiter) if delimiter else (each, "", "")
            name = prefix + below + cut if cut else each
            if each.startswith(prefix) and name > after:
                rows[name] = (
                    f"<CommonPrefixes><Prefix>{quote(name)}</Prefix></CommonPrefixes>"
                    if cut
                    else entry(quote(each), self.objects[each])
                )
        names = list(rows)[: min(most, self.page_keys)]
        more = len(names) < len(rows)
        token = f"<NextContinuationToken>{escape(names[-1])}</NextContinuationToken>" if more else ""
        about = f"<Name>demo</Name><EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
        return document("ListBucketResult", about + token + "".join(rows[name] for name in names))

    def CreateMultipartUpload(self, request: Handler, key: str, query: Any, body: bytes) -> Answer:
        upload_id = f"upload-{len(self.uploads)}"
        self.uploads[upload_id] = (key, {})
        return document("InitiateMultipartUploadResult", f"<UploadId>{upload_id}</UploadId>")

    def UploadPart(self, request: Handler, key: str, query: dict[str, str], body: bytes) -> Answer:
        self.uploads[query["uploadId"]][1][int(query["partNumber"])] = body
        return 200, b"", {"ETag": etag(body)}

    def UploadPartCopy(self, request: Handler, key: str, query: dict[str, str], body: bytes) -> Answer:
        data = self.source(request)
        self.uploads[query["uploadId"]][1][int(query["partNumber"])] = data
        return document("CopyPartResult", f"<ETag>{etag(data)}</ETag><LastModified>{TOLD}</LastModified>")

    def ListParts(self, request: Handler, key: str, query: dict[str, str], body: bytes) -> Answer:
        if query["uploadId"] not in self.uploads:
            return refusal(404, "NoSuchUpload")
        parts = sorted(self.uploads[query["uploadId"]][1].items())
        rows = (
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag(data)}</ETag><Size>{len(data)}</Size></Part>"
            for number, data in parts
        )
        return document("ListPartsResult", f"<UploadId>{query['uploadId']}</UploadId>" + "".join(rows))

    def ListMultipartUploads(self, request: Handler, key: str, query: Any, body: bytes) -> Answer:
        rows = (
            f"<Upload><Key>{key}</Key><UploadId>{upload_id}</UploadId><Initiated>2020-01-01T00:00:00.000Z</Initiated>"
            "</Upload>"
            for upload_id, (key, _) in self.uploads.items()
        )
        return document("ListMultipartUploadsResult", "<Bucket>demo</Bucket>" + "".join(rows))

    def CompleteMultipartUpload(self, request: Handler, key: str, query: dict[str, str], body: bytes) -> Answer:
        if request.headers.get("If-None-Match") and key in self.objects:
            return refusal(412, "PreconditionFailed")
        _, parts = self.uploads.pop(query["uploadId"])
        self.objects[key] = data = b"".join(parts[number] for number in sorted(parts))
        return document("CompleteMultipartUploadResult", f"<Key>{key}</Key><ETag>{etag(data)}</ETag>")

    def AbortMultipartUpload(self, request: Handler, key: str, query: dict[str, str], body: bytes) -> Answer:
        self.uploads.pop(query["uploadId"], None)
        return 204, b"", {}


def keys_of(body: bytes) -> list[str]:
    """The keys that a DeleteObjects names."""
    return [each.text or "" for each in ElementTree.fromstring(body).iter() if each.tag.endswith("Key")]


def _operation(request: Handler, key: str, query: dict[str, str]) -> str:
    method, copies = request.command, "x-amz-copy-source" in request.headers
    names = {
        "HEAD": "HeadObject" if key else "HeadBucket",
        "GET": "ListParts" if "uploadId" in query else "GetObject" if key else "ListObjectsV2",
        "PUT": ("UploadPart" if "uploadId" in query else "PutObject"),
        "POST": "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload",
        "DELETE": "AbortMultipartUpload" if "uploadId" in query else "DeleteObject",
    }
    if method == "POST" and "delete" in query:
        return "DeleteObjects"
    if method == "GET" and "uploads" in query:
        return "ListMultipartUploads"
    if method == "GET" and "versions" in query:
        return "ListObjectVersions"
    if copies:
        return {"UploadPart": "UploadPartCopy", "PutObject": "CopyObject"}[names[method]]
    return names[method]


@contextmanager
def odd_store(twist: Twist | None = None, **options: Any) -> Iterator[tuple[OddStore, RegistryS3FileSystem]]:
    """A store, and a filesystem on it."""
    store = OddStore(twist)
    with scripted(store.answer) as server:
        keys = {"accesskey": "TESTACCESSKEY0000001", "secretkey": "tests/Secret0001"}
        yield store, RegistryS3FileSystem(**server.options(**keys, **options), skip_instance_cache=True)


def ways(fast: bool) -> dict[str, Any]:
    """Storage options by which requests take the fast path, which is one try more, or are boto3's alone."""
    return {"fast_path": fast, "config_kwargs": {"retries": {"total_max_attempts": 2 if fast else 1}}}


def instead(operation: str, *answers: Answer) -> Twist:
    """A twist that gives these answers to an operation, the last of them for ever."""
    left = list(answers)

    def twist(store: OddStore, request: Handler, name: str, honest: Callable[[], Answer]) -> Answer | None:
        if name != operation:
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    return twist
