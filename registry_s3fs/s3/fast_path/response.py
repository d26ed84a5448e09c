"""The parser of the plain response of HTTP/1.1, and of no other.

Bytes go in, and a head and a body come out. The module does no I/O. Whatever is odd is a `NotPlainError`: an interim
response, a folded header, two lengths, an unusual transfer coding. Such a response is not interpreted here, so it
cannot be misread. https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from registry_s3fs.model.ranges import MAX_OBJECT_BYTES
from registry_s3fs.s3.documents import MAX_DOCUMENT_BYTES, MAX_ERROR_BYTES
from registry_s3fs.threads.buffers import Sink

SCRATCH_BYTES = 32 * 1024
"""The buffer that heads and documents are received into has this many bytes. No longer head is accepted."""

_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-9][0-9]{2}) [\t\x20-\x7e\x80-\xff]*\r\n"
    rb"((?:[!#-'*+\-.0-9A-Z^-z|~]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)
_DIGITS = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_LONGEST_CHUNK_LINE = 10
_READ_ONCE = (
    "content-",
    "x-amz-",
    "etag",
    "last-modified",
    "transfer-encoding",
    "cache-control",
    "expires",
    "connection",
)
"""The names of the fields that are read begin with these. Other fields, such as Vary, may come twice."""


class NotPlainError(Exception):
    """An error that says in what the response is not the plain one."""


class Head(NamedTuple):
    """The status line and header fields of a response."""

    status: int
    fields: dict[str, str]
    """The names are in lower case."""
    length: int | None
    """It is the length of the body in bytes, or None where the body comes in chunks."""
    keeps_open: bool
    """It is True where the connection may be used again."""


Place = Callable[[Head], "memoryview | Sink"]
"""It gives the buffer or the sink for the body of a success.

Where that is shorter than the body, no more is received.
"""


def parse_head(block: bytes | bytearray | memoryview, method: str) -> Head:
    r"""Parse a head, its empty line included, of the response to a request of this method.

    >>> parse_head(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 3\r\n\r\n', "GET")
    Head(status=200, fields={'etag': '"e"', 'content-length': '3'}, length=3, keeps_open=True)
    >>> parse_head(b"HTTP/1.1 103 Early Hints\r\n\r\n", "GET")
    Traceback (most recent call last):
    registry_s3fs.s3.fast_path.response.NotPlainError: the head is not well formed, or of an interim answer

    Raises:
        NotPlainError: Anything about the head is odd.
    """
    found = _HEAD.fullmatch(block)
    if found is None:
        raise NotPlainError("the head is not well formed, or of an interim answer")
    status = int(found[1])
    fields: dict[str, str] = {}
    for line in found[2].decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name = name.lower()
        if name in fields and name.startswith(_READ_ONCE):
            raise NotPlainError(f"the field {name} comes twice")
        fields[name] = value.strip(" \t")
    keeps_open = "close" not in fields.get("connection", "").lower()
    return Head(status, fields, _length(status, fields, method), keeps_open)


def _length(status: int, fields: dict[str, str], method: str) -> int | None:
    length = fields.get("content-length")
    if length is not None and not (_DIGITS.fullmatch(length) and int(length) <= MAX_OBJECT_BYTES):
        raise NotPlainError("its Content-Length is no size that an object can have")
    if method == "HEAD" or status in (204, 304):
        return 0
    coding = fields.get("transfer-encoding")
    if coding is None:
        if length is None:
            raise NotPlainError("it does not say how long its body is")
        return int(length)
    if length is not None or coding.lower() != "chunked":
        raise NotPlainError("its body has another transfer coding than chunked, or a length beside it")
    return None


class ResponseReader:
    r"""A reader of one response as it comes in.

    Whoever has the connection puts what comes into `space()`, and says with `filled` how much that was, until the
    response is whole. With `place`, a success is an object, whose body goes straight there. All other bodies are
    documents, which are collected up to a bound.

    >>> reader = ResponseReader("GET")
    >>> reader.begin(bytearray(SCRATCH_BYTES))
    >>> answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    >>> reader.space()[: len(answer)] = answer
    >>> reader.filled(len(answer)), bytes(reader.document)
    (True, b'abc')
    """

    def __init__(self, method: str, place: Place | None = None) -> None:
        self.head: Head | None = None
        self.document: bytes | bytearray = b""
        """It is the body, where that is no object."""
        self.received = 0
        """It is the number of bytes of an object that are in their place."""
        self.reusable = False
        """It is True where the connection may be used again, once the response is whole."""
        self._method = method
        self.place = place
        self._raw = bytearray()
        self._scratch = memoryview(self._raw)
        self._at = 0
        """It is the number of bytes of the head in the scratch buffer."""
        self._target: memoryview | None = None
        self._sink: Sink | None = None
        self._chunks: _Chunks | None = None

    def begin(self, scratch: bytearray) -> None:
        """Begin to receive, with a buffer that the head and documents pass through."""
        self._raw, self._scratch = scratch, memoryview(scratch)

    def end(self) -> None:
        """Release all buffers but the document's."""
        self.place, self._target, self._sink, self._chunks = None, None, None, None
        self.begin(bytearray())

    def space(self) -> memoryview:
        """Return where the next bytes go, which is never empty before the response is whole."""
        if self._target is not None:
            return self._target[self.received :]
        if self._sink is not None:
            return self._sink.space()
        return self._scratch[self._at :]

    def filled(self, count: int) -> bool:
        """Take in `count` bytes of `space()`, at least one, and return whether the response is whole.

        Raises:
            NotPlainError: The response is not the plain one. The connection must be closed.
        """
        if self._target is not None:
            self.received += count
            return self.received == len(self._target)
        if self._sink is not None:
            self.received += count
            self._sink.filled(count)
            return not self._sink.left
        if self._chunks is not None:
            return self._chunks.feed(self._scratch[:count])
        searched, self._at = self._at, self._at + count
        end = self._raw.find(b"\r\n\r\n", max(0, searched - 3), self._at)
        if end < 0:
            if self._at == len(self._scratch):
                raise NotPlainError("its head is too long")
            if self._raw.find(b"\n\n", max(0, searched - 1), self._at) >= 0:  # an end, and not a plain one
                raise NotPlainError("its lines end in bare line feeds")
            return False
        rest = self._scratch[end + 4 : self._at]
        self.head = head = parse_head(self._scratch[: end + 4], self._method)
        self.reusable, self._at = head.keeps_open, 0
        return self._begin_body(head, rest)

    def pause(self) -> None:
        """Note that nothing more is there at present, and that others may receive."""
        if self._sink is not None:
            self._sink.flush()

    def _begin_body(self, head: Head, rest: memoryview) -> bool:
        """Take the first bytes of a body, which came with its head, and return whether the response is whole."""
        is_object = self._is_object(head)
        if not is_object and self._method != "HEAD" and head.fields.get("content-encoding"):
            raise NotPlainError("a document has a content coding")
        if head.length is None:
            if is_object:
                raise NotPlainError("an object comes in chunks")
            most = MAX_ERROR_BYTES if head.status >= 300 else MAX_DOCUMENT_BYTES
            self._chunks = _Chunks(most)
            self.document = self._chunks.data
            return bool(rest) and self._chunks.feed(rest)
        if len(rest) > head.length:
            raise NotPlainError("more bytes follow than its length says")
        if not (head.length or is_object):
            return True
        target = self._memory_for(head, head.length)
        if not isinstance(target, memoryview):
            return self._begin_sink(target, head.length, rest)
        self._target = target
        taken = min(len(rest), len(target))
        target[:taken] = rest[:taken]
        self.received = taken
        return taken == len(target)

    def _begin_sink(self, sink: Sink, length: int, rest: memoryview) -> bool:
        self._sink, self.reusable = sink, self.reusable and sink.left == length
        rest = rest[: sink.left]
        sink.write(rest)
        self.received = len(rest)
        return not sink.left

    def _is_object(self, head: Head) -> bool:
        return self.place is not None and head.status in (200, 206)

    def _memory_for(self, head: Head, length: int) -> memoryview | Sink:
        if self.place is not None and self._is_object(head):
            target = self.place(head)
            if isinstance(target, memoryview):
                self.reusable = self.reusable and len(target) == length
            return target
        if length > (MAX_ERROR_BYTES if head.status >= 300 else MAX_DOCUMENT_BYTES):
            raise NotPlainError("a document is too long")
        self.document = bytearray(length)
        return memoryview(self.document)


class _Chunks:
    """A body in chunks, in its plain form: sizes without extensions, and no trailers."""

    def __init__(self, most_bytes: int) -> None:
        self.data = bytearray()
        self._most = most_bytes
        self._raw = bytearray()

    def feed(self, received: memoryview) -> bool:
        """Take in what was received, and return whether that was the end."""
        self._raw += received
        at = 0
        while (found := _CHUNK_SIZE.match(self._raw, at)) is not None:
            size = int(found[1], 16)
            if len(self.data) + size > self._most:
                raise NotPlainError("a document is too long")
            end = found.end() + size
            if len(self._raw) < end + 2:
                return self._forget(at)
            if self._raw[end : end + 2] != b"\r\n":
                raise NotPlainError("a chunk does not end where its size says, or a trailer follows")
            if size == 0:
                if len(self._raw) > end + 2:
                    raise NotPlainError("more bytes follow than its last chunk says")
                return True
            self.data += self._raw[found.end() : end]
            at = end + 2
        if len(self._raw) - at >= _LONGEST_CHUNK_LINE:
            raise NotPlainError("a chunk has no plain size")
        return self._forget(at)

    def _forget(self, upto: int) -> bool:
        del self._raw[:upto]
        return False
