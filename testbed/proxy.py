"""A proxy that stands before an S3 server and fails where it is told to."""

from __future__ import annotations

import http.client
import math
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ALWAYS = math.inf
GIVE_UP_S = 60
"""A stalled answer is held so long, or until the client leaves or `Proxy.release` is called."""


@dataclass
class Fault:
    """What goes wrong: requests of an operation whose key has `key` in it, from the `nth` on, `times` of them.

    ============  ====================================================================================
    `503` `500`   SlowDown, InternalError; nothing is done
    `error-200`   status 200 with an ``<Error>`` in the body; nothing is done
    `reset`       the connection is reset before an answer; nothing is done
    `applied`     the same, but the server has carried out the request: only its answer is lost
    `silent`      no answer comes, nor does the connection end; nothing is done
    `truncate`    the answer's body ends half way, after `sent` bytes if given
    `break`       as `truncate`, by a reset
    `stall`       as `truncate`, but the connection stays open and nothing more comes
    `flip`        one bit of the answer's body, or of the request's if it has one, is another
    `instead`     the given `answer`; nothing is done
    `partial`     DeleteObjects: the keys that have `key` in them are not deleted, and the answer says so
    ============  ====================================================================================
    """

    operation: str
    kind: str
    nth: int = 1
    times: float = 1
    key: str = ""
    sent: int | None = None
    answer: Answer | None = None
    after: Callable[[], None] = lambda: None
    """Called when it has struck."""
    seen: int = 0

    def strikes(self, request: Request) -> bool:
        """Whether this request is one of them; counts it."""
        if self.operation not in ("", request.operation) or (self.kind != "partial" and self.key not in request.key):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.target).path).lstrip("/").partition("/")[2]

    @property
    def range(self) -> str:
        return self.headers.get("Range", "").removeprefix("bytes=")

    @property
    def operation(self) -> str:
        """S3's name for it."""
        query = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        copies = any(name.lower() == "x-amz-copy-source" for name in self.headers)
        return {
            "GET": self._get(query),
            "HEAD": "HeadObject" if self.key else "HeadBucket",
            "PUT": ("UploadPart" if "partNumber" in query else "PutObject" if not copies else "CopyObject")
            + ("Copy" if copies and "partNumber" in query else ""),
            "POST": _first(query, delete="DeleteObjects", uploads="CreateMultipartUpload") or "CompleteMultipartUpload",
            "DELETE": "AbortMultipartUpload" if "uploadId" in query else "DeleteObject",
        }[self.method]

    def _get(self, query: dict[str, list[str]]) -> str:
        if self.key:
            return _first(query, uploadId="ListParts", tagging="GetObjectTagging") or "GetObject"
        return _first(query, uploads="ListMultipartUploads", versions="ListObjectVersions") or "ListObjectsV2"


def _first(query: dict[str, list[str]], **names: str) -> str:
    return next((operation for name, operation in names.items() if name in query), "")


@dataclass(frozen=True)
class Answer:
    """What the server behind said."""

    status: int
    headers: dict[str, str]
    body: bytes


def error(code: str, status: int) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as told</Message></Error>".encode()
    return Answer(status, {"Content-Type": "application/xml"}, body)


class Proxy(ThreadingHTTPServer):
    """Hands requests on to the server at an endpoint; `faults` may be changed at any time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = behind.removeprefix("http://")
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.stalled = threading.Event()
        """Set when something stalls for the first time."""
        self._released = threading.Event()
        self._lock = threading.Lock()

    def count(self, operation: str) -> int:
        """Requests of an operation so far."""
        return len(self.of(operation))

    def of(self, operation: str) -> list[Request]:
        return [request for request in list(self.requests) if request.operation == operation]

    def struck_by(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            found = [fault for fault in self.faults if fault.strikes(request)]
        return found[0] if found else None

    def hold(self) -> None:
        self.stalled.set()
        self._released.wait(GIVE_UP_S)

    def release(self) -> None:
        """What is stalled ends."""
        self._released.set()

    def forward(self, request: Request) -> Answer:
        skipped = ("connection", "expect")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in skipped}
        with closing(http.client.HTTPConnection(self.behind, timeout=GIVE_UP_S)) as connection:
            connection.request(request.method, request.target, request.body or None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that a client or a fault has ended is no error."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers), body)
        fault = self.server.struck_by(request)
        if fault is None:
            self.answer(self.server.forward(request))
            return
        self._fail(fault, request)
        fault.after()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815  # the names that http.server looks for

    def _fail(self, fault: Fault, request: Request) -> None:
        forward = self.server.forward
        if fault.kind in ("503", "500"):
            self.answer(error("SlowDown", 503) if fault.kind == "503" else error("InternalError", 500))
        elif fault.kind == "error-200":
            self.answer(Answer(200, {}, error("InternalError", 500).body))
        elif fault.answer is not None:
            self.answer(fault.answer)
        elif fault.kind == "silent":
            self.server.hold()
            self._reset()
        elif fault.kind in ("reset", "applied"):
            if fault.kind == "applied":
                forward(request)
            self._reset()
        elif fault.kind == "flip":
            changed = Request(request.method, request.target, request.headers, flipped(request.body))
            answer = forward(changed)
            self.answer(answer if request.body else Answer(answer.status, answer.headers, flipped(answer.body)))
        elif fault.kind == "partial":
            self.answer(partly_deleted(forward, request, fault.key))
        else:
            self._cut(fault, forward(request))

    def _cut(self, fault: Fault, answer: Answer) -> None:
        self.answer(answer, cut=len(answer.body) // 2 if fault.sent is None else fault.sent)
        self.wfile.flush()
        if fault.kind == "stall":
            self.server.hold()
        if fault.kind == "break":
            self._reset()
        self.close_connection = True

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def answer(self, answer: Answer, cut: int | None = None) -> None:
        """Send an answer, of its body only the first `cut` bytes."""
        self.send_response_only(answer.status)
        length = {} if answer.status == 204 else {"Content-Length": str(len(answer.body))}
        for name, value in {**length, **answer.headers}.items():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[:cut])

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def flipped(data: bytes) -> bytes:
    """The same, but for one bit in the middle."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if data else data


def partly_deleted(forward: Callable[[Request], Answer], request: Request, key: str) -> Answer:
    """The answer to a DeleteObjects of which the keys that have `key` in them were refused."""
    objects = re.findall(rb"<Object>.*?</Object>", request.body, re.DOTALL)
    refused = [each for each in objects if key.encode() in each]
    body = request.body
    for each in refused:
        body = body.replace(each, b"")
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in ("content-length", "content-md5") and not name.lower().startswith("x-amz-checksum")
    }
    if len(refused) < len(objects):
        forward(Request(request.method, request.target, headers, body))
    names = [re.search(rb"<Key>(.*?)</Key>", each, re.DOTALL) for each in refused]
    errors = b"".join(
        b"<Error><Key>" + name[1] + b"</Key><Code>InternalError</Code><Message>as told</Message></Error>"
        for name in names
        if name
    )
    return Answer(200, {"Content-Type": "application/xml"}, b"<DeleteResult>" + errors + b"</DeleteResult>")
