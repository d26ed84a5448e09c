"""The connections of boto3 that refuse what http.client would wrongly believe of a response.

http.client takes a header block that breaks off for a whole one. It takes an interim response for the final one, so
that the next request on the connection gets this one's response. It takes the first of two lengths, and it takes bodies
without end. Here each of these is a broken connection.
"""

from __future__ import annotations

import errno
import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from registry_s3fs.s3.documents import MAX_DOCUMENT_BYTES, MAX_ERROR_BYTES
from registry_s3fs.s3.sockets import MAX_IDLE_S, keep_alive
from registry_s3fs.s3.stall_watch import Progress

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_WAITING = re.compile(
    rb"(?:(?:[0-9A-Fa-f]{1,8})?[ \t\r\n]|<\?xml[^<>]{0,100}\?>)*([0-9A-Fa-f]{0,8}|<(?:\?[^<>]{0,106})?)"
)
"""It matches the declaration of a document, white space, and the sizes of the document's chunks.

S3 sends white space now and then while it completes an upload or copies
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html). What comes next may continue what
the group holds.
"""
MOST_WAITS = 20
"""White space may come for this many read timeouts."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9])[0-9]{2}(?=[ \r\n])")
_MOST_LINE_BYTES = 65537
"""A line has at most this many bytes, as in http.client."""
_SINGLE = ("content-length", "content-range", "transfer-encoding", "etag")
_HARMLESS = ("StartBoundaryNotFoundDefect", "MultipartInvariantViolationDefect", "CloseBoundaryNotFoundDefect")
"""The parser of e-mails, which reads the headers, notes these defects of an object whose type is multipart."""
_OF_OBJECT = re.compile(r"versionId|partNumber|response-.*|x-id")


def asks_for_object(method: str, target: str) -> bool:
    """Return whether a request is for an object, whose body may be of any size.

    The responses to other requests are documents.

    >>> asks_for_object("GET", "/bucket/key?versionId=1"), asks_for_object("GET", "/bucket?list-type=2")
    (True, False)
    """
    names = [name for name, _ in parse_qsl(target.partition("?")[2], keep_blank_values=True)]
    return method == "GET" and all(_OF_OBJECT.fullmatch(name) for name in names)


_Headers = Mapping[str, object] | None
Watch = Callable[[Any], None]
"""It is called with a connection of http.client, of the SDK's own class, to which it may add attributes."""


class _BrokenError(ConnectionResetError, http.client.HTTPException):
    """An error of a response that is not accepted.

    To urllib3 and boto3 it says that the connection broke.
    """

    def __init__(self, what: str) -> None:
        super().__init__(errno.ECONNRESET, what)


class _Received(io.RawIOBase):
    """The stream of what comes over a socket, which must make progress and end."""

    def __init__(self, sock: socket.socket) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self.count = 0
        """It is the number of bytes that have come."""
        self._timeout, self._began = sock.gettimeout(), time.monotonic()
        self._progress = Progress(self._timeout, self._began)
        self.left: int | None = MAX_DOCUMENT_BYTES
        """It is the number of bytes that may still come, or None where any number may."""
        self.may_wait = False
        """It is True where only a document's head has come, which white space may follow for long."""
        self._waited = b""
        """It holds the last of the bytes that came meanwhile, as far as what comes next may continue them."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = int(self._raw.readinto(buffer) or 0)
        self.count += count
        now = time.monotonic()
        if self.may_wait:
            self._wait(bytes(memoryview(buffer)[:count]), now)
        self._progress.received(count, now)
        if self._progress.has_stopped(now):
            raise TimeoutError(errno.ETIMEDOUT, "the answer trickles")
        if self.left is not None:
            self.left -= count
            if self.left < 0:
                raise _BrokenError("the answer is longer than any of S3's")
        return count

    def _wait(self, data: bytes, now: float) -> None:
        self._waited += data
        found = _WAITING.fullmatch(self._waited)
        self.may_wait, self._waited = found is not None, found[1] if found else b""
        if self.may_wait and now - self._began < MOST_WAITS * (self._timeout or 0):
            self._progress.begin(now)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Lines(io.BufferedReader):
    """A reader of whole lines, which refuses a line that the end of the connection cuts off."""

    raw: _Received
    kept = b""
    """It is a line that was read and is to be read again."""

    def readline(self, size: int | None = -1, /) -> bytes:
        if self.kept:
            line, self.kept = self.kept, b""
            return line
        line = super().readline(size)
        is_full = size is not None and 0 <= size <= len(line)
        if not line.endswith(b"\n") and not is_full:
            raise http.client.RemoteDisconnected("the connection ended within the head of an answer, or before it")
        return line


class _Readable:
    """The part of a socket that a response needs."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines

    def makefile(self, mode: str) -> io.BufferedReader:
        return self._lines


class StrictResponse(http.client.HTTPResponse):
    """The response of http.client, made of whole lines, and bounded as long as it is not known to be an object."""

    def __init__(self, sock: socket.socket, *args: Any, lines: _Lines | None = None, **kwargs: Any) -> None:
        """Begin to read a response.

        `lines` are those of a response that has begun to come. All other arguments are handed on to http.client.
        """
        readable: Any = _Readable(lines or _Lines(_Received(sock)))  # http.client asks a socket for `makefile` alone
        super().__init__(readable, *args, **kwargs)


def strict(kind: Any, watch: Watch) -> type[http.client.HTTPConnection]:
    """Return a class of the SDK's connections whose responses are checked.

    `kind` is urllib3's class or botocore's, whichever this botocore has; it is Any, as no type checker knows the base
    of a class that is made here. `watch` is called with each connection before it is used.
    """

    class StrictConnection(kind):
        response_class: Callable[..., StrictResponse] = StrictResponse
        _last_used = 0.0
        _is_for_object = False
        _has_body = True
        _is_early = False  # whether the last answer came before the body, for which the server may still wait

        def request(self, method: str, url: str, body: object = None, headers: _Headers = None, **more: object) -> Any:
            watch(self)
            self._has_body = (headers or {}).get("Content-Length") not in ("0", b"0")
            self._is_for_object = asks_for_object(method, url)
            if self.sock is not None and (self._is_early or _is_stale(self.sock, self._last_used)):
                self.close()
            self._is_early = False
            self._last_used = time.monotonic()
            return super().request(method, url, body, headers, **more)

        def connect(self) -> None:
            super().connect()
            self._last_used = time.monotonic()
            keep_alive(self.sock)
            watch(self)

        def getresponse(self, *args: object, **kwargs: object) -> Any:
            response = super().getresponse(*args, **kwargs)
            try:
                _check(response, is_for_object=self._is_for_object)
            except BaseException:
                response.close()
                self.close()
                raise
            self._last_used = time.monotonic()
            return response

        def _handle_expect_response(self, message_body: object) -> None:
            """Read what came before the body after ``Expect: 100-continue``, when botocore calls this for it."""
            if _asks_for_body(lines := _Lines(_Received(self.sock)), may_succeed=not self._has_body):
                self._send_message_body(message_body)
            else:
                self.response_class = partial(StrictResponse, lines=lines)
                self._response_received, self._is_early = True, self._has_body

    return StrictConnection


def _is_stale(sock: socket.socket, last_used: float) -> bool:
    """Return whether a connection was idle for long or holds data that nobody asked for.

    TLS may have decrypted more than was asked for, which no look at the socket shows.
    """
    pending = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0
    return bool(pending) or time.monotonic() - last_used > MAX_IDLE_S


def _asks_for_body(lines: _Lines, *, may_succeed: bool) -> bool:
    """Return whether what came before the body was sent asks for the body.

    Some servers ask twice. What does not ask for the body is the final response, whose first line is kept to be read
    again. It can be a success only where there is no body.
    """
    taken = 0
    while not taken or lines.raw.count > taken:
        line = lines.readline(_MOST_LINE_BYTES)
        found = _STATUS.match(line)
        if found is None or (found[1] == b"2" and not may_succeed):
            raise _BrokenError("before the body was sent, there came what is no answer, or a success")
        if not found[0].endswith(b"100"):
            lines.kept = line
            return False
        taken += len(line)
        while line not in (b"\r\n", b"\n"):
            line = lines.readline(_MOST_LINE_BYTES)
            taken += len(line)
    return True


def _check(response: Any, *, is_for_object: bool) -> None:
    """Refuse what `StrictResponse` cannot see in lines, and bound the body.

    The response is Any: urllib3 before 2 returns http.client's, and urllib3 2 its own.
    """
    if response.status < 200:
        raise _BrokenError("an interim answer came instead of the final one")
    inner = getattr(response, "_original_response", None) or response
    if any(type(each).__name__ not in _HARMLESS for each in getattr(inner.msg, "defects", ())):
        raise _BrokenError("the answer has a header that is none")
    headers = response.headers
    for name in _SINGLE:
        found = headers.getlist(name) if hasattr(headers, "getlist") else headers.get_all(name) or []
        if len(found) > 1:
            raise _BrokenError(f"the answer has the field {name} twice")
    length = headers.get("Content-Length")
    if length is not None and not re.fullmatch(r"[0-9]{1,19}", length.strip()):
        raise _BrokenError("the answer has a Content-Length that is no number")
    if length is not None and "Transfer-Encoding" in headers:
        raise _BrokenError("the answer has both a length and a transfer coding")
    received = getattr(getattr(inner, "fp", None), "raw", None)  # None where there is no body
    if isinstance(received, _Received):
        is_object = is_for_object and response.status < 300
        received.left = None if is_object else MAX_ERROR_BYTES if response.status >= 300 else MAX_DOCUMENT_BYTES
        received.may_wait = not is_for_object
