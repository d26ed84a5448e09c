"""Requests off a connection, as clients of S3 send them."""

from __future__ import annotations

import socket

from testbed.messages import Request

MOST_HEAD_BYTES = 1024 * 1024


class Stream:
    """Bytes of a connection, by line and by number. The connection's end in their middle is a `ConnectionError`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ahead = bytearray()

    def until(self, end: bytes) -> bytes:
        """What comes up to `end`, which is left out; nothing where the connection ends before the first byte."""
        while (at := self._ahead.find(end)) < 0:
            if not self._receive():
                if self._ahead:
                    raise ConnectionAbortedError("the client left in the middle of a request")
                return b""
            if len(self._ahead) > MOST_HEAD_BYTES and end not in self._ahead:
                raise ConnectionAbortedError("the client sends a head without an end")
        found = bytes(self._ahead[:at])
        del self._ahead[: at + len(end)]
        return found

    def exactly(self, count: int) -> bytes:
        """The next bytes, so many."""
        while len(self._ahead) < count:
            if not self._receive():
                raise ConnectionAbortedError("the client left in the middle of a body")
        found = bytes(self._ahead[:count])
        del self._ahead[:count]
        return found

    def _receive(self) -> int:
        data = self._connection.recv(256 * 1024)
        self._ahead += data
        return len(data)


def read_head(stream: Stream, connection: int) -> Request | None:
    """The next request, without its body; None where the client has left."""
    head = stream.until(b"\r\n\r\n")
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Request(method, target, headers, connection=connection)


def read_body(stream: Stream, request: Request) -> bytes:
    """The body that follows this head."""
    if request.header("Transfer-Encoding").lower() == "chunked":
        body = _dechunked(stream)
    else:
        body = stream.exactly(int(request.header("Content-Length") or 0))
    return _without_aws_chunks(body) if "aws-chunked" in request.header("Content-Encoding") else body


def _dechunked(stream: Stream) -> bytes:
    pieces = []
    while size := int(stream.until(b"\r\n").split(b";")[0], 16):
        pieces.append(stream.exactly(size))
        stream.exactly(2)
    while stream.until(b"\r\n"):  # trailers
        pass
    return b"".join(pieces)


def _without_aws_chunks(body: bytes) -> bytes:
    """The payload of a body in S3's own chunks, whose signatures and trailers are not looked at.

    >>> _without_aws_chunks(b"3;chunk-signature=x\\r\\nabc\\r\\n0\\r\\nx-amz-checksum-crc32:AAAA\\r\\n\\r\\n")
    b'abc'
    """
    pieces: list[bytes] = []
    rest = body
    while True:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(rest[:size])
        rest = rest[size + 2 :]
