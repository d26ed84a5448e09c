"""A request as it came, an answer in parts that can be changed, and the bytes that it is on the wire. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Headers = tuple[tuple[str, str], ...]
"""Names and values in their order; a name may come twice."""
Framing = Literal["length", "chunked", "none"]
"""How a body is sent: as it is, in chunks, or not at all (the answer to HEAD, 204 and 304)."""


@dataclass(frozen=True)
class Pause:
    """Send nothing for so long."""

    seconds: float


@dataclass(frozen=True)
class Close:
    """End the connection in good order."""


@dataclass(frozen=True)
class Reset:
    """Break the connection."""


@dataclass(frozen=True)
class Silence:
    """Send nothing more, and keep the connection until the client leaves or the server ends."""


Step = bytes | Pause | Close | Reset | Silence
"""One thing that a server does with a connection. An answer is any number of them."""


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    connection: int = 0
    """Counted from 1, in the order in which they were opened."""

    @cached_property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.target).path)

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The parameters, decoded; the last of a name."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def bucket(self) -> str:
        """The bucket, in the path style of addresses."""
        return self.path.removeprefix("/").partition("/")[0]

    @property
    def key(self) -> str:
        """The object's key, empty where a bucket is asked for."""
        return self.path.removeprefix("/").partition("/")[2]

    def header(self, name: str, default: str = "") -> str:
        """The first header of a name, however it is written."""
        return next((value for each, value in self.headers if each.lower() == name.lower()), default)

    def without_query(self, *names: str) -> Request:
        """The request without these parameters.

        >>> Request("GET", "/b?list-type=2&start-after=a&prefix=").without_query("start-after").target
        '/b?list-type=2&prefix='
        """
        path, _, query = self.target.partition("?")
        kept = "&".join(each for each in query.split("&") if each.partition("=")[0] not in names)
        return replace(self, target=f"{path}?{kept}")

    @cached_property
    def operation(self) -> str:
        """S3's name for it; empty where it is none of those known here.

        >>> Request("GET", "/bucket/a%20b").operation, Request("GET", "/bucket?list-type=2&prefix=a").operation
        ('GetObject', 'ListObjectsV2')
        >>> Request("PUT", "/bucket/a?partNumber=1&uploadId=x", (("X-Amz-Copy-Source", "bucket/b"),)).operation
        'UploadPartCopy'
        """
        operations = (_OF_OBJECTS if self.key else _OF_BUCKETS).get(self.method, {})
        name = next((operation for each, operation in operations.items() if not each or each in self.query), "")
        copies = bool(self.header("x-amz-copy-source"))
        return {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}.get(name, name) if copies else name


_OF_OBJECTS: Mapping[str, Mapping[str, str]] = {
    "GET": {"uploadId": "ListParts", "tagging": "GetObjectTagging", "": "GetObject"},
    "HEAD": {"": "HeadObject"},
    "PUT": {"tagging": "PutObjectTagging", "partNumber": "UploadPart", "": "PutObject"},
    "POST": {"uploads": "CreateMultipartUpload", "uploadId": "CompleteMultipartUpload"},
    "DELETE": {"tagging": "DeleteObjectTagging", "uploadId": "AbortMultipartUpload", "": "DeleteObject"},
}
"""Method, and the parameter that tells its operations apart: the operation."""
_OF_BUCKETS: Mapping[str, Mapping[str, str]] = {
    "GET": {
        "uploads": "ListMultipartUploads", "versions": "ListObjectVersions", "list-type": "ListObjectsV2",
        "location": "GetBucketLocation", "": "ListObjects",
    },
    "HEAD": {"": "HeadBucket"},
    "PUT": {"": "CreateBucket"},
    "POST": {"delete": "DeleteObjects"},
    "DELETE": {"": "DeleteBucket"},
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """An answer in the parts that it is made of. Nothing is added to them: what they say is what is sent."""

    status: int = 200
    reason: str = "OK"
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    framing: Framing = "length"
    version: str = "HTTP/1.1"
    before: bytes = b""
    """Sent before the status line, such as interim answers."""
    after: bytes = field(default=b"", repr=False)
    """Sent after the body's end."""
    line_end: bytes = b"\r\n"
    closes: bool = False
    """Whether the connection ends with it."""

    def header(self, name: str, default: str = "") -> str:
        """The first header of a name, however it is written."""
        return next((value for each, value in self.headers if each.lower() == name.lower()), default)

    def with_header(self, name: str, value: str | None) -> Answer:
        """With one header of that name, in the place of the first, or at the end; None: with none.

        >>> Answer(headers=(("A", "1"), ("B", "2"))).with_header("a", "3").headers
        (('a', '3'), ('B', '2'))
        """
        new = () if value is None else ((name, value),)
        at = next((n for n, (each, _) in enumerate(self.headers) if each.lower() == name.lower()), len(self.headers))
        kept = [tuple(pair for pair in some if pair[0].lower() != name.lower()) for some in self._parted(at)]
        return replace(self, headers=(*kept[0], *new, *kept[1]))

    def _parted(self, at: int) -> tuple[Headers, Headers]:
        return self.headers[:at], self.headers[at:]

    def with_body(self, body: bytes) -> Answer:
        """With another body, and the length that it has where it is sent with one."""
        changed = replace(self, body=body)
        return changed.with_header("Content-Length", str(len(body))) if self.header("Content-Length") else changed

    def head(self) -> bytes:
        """The status line and the header block, with the empty line.

        >>> Answer(204, "No Content", (("Server", "AmazonS3"),)).head()
        b'HTTP/1.1 204 No Content\\r\\nServer: AmazonS3\\r\\n\\r\\n'
        """
        status = " ".join(filter(None, (self.version, str(self.status), self.reason)))
        lines = [status, *(f"{name}: {value}" if name else value for name, value in self.headers), "", ""]
        return self.line_end.join(line.encode("latin-1") for line in lines)

    def content(self) -> bytes:
        """The body as it is sent."""
        if self.framing == "chunked":
            return chunked(self.body)
        return self.body if self.framing == "length" else b""

    def render(self) -> bytes:
        """All of its bytes."""
        return b"".join((self.before, self.head(), self.content(), self.after))

    def steps(self) -> Iterator[Step]:
        """What a server does to send it."""
        yield self.render()
        if self.closes:
            yield Close()


Reply = Answer | Iterable[Step]
"""What a server sends: an answer, or the steps one by one."""


def steps(reply: Reply) -> Iterator[Step]:
    """What a server does to send a reply."""
    return reply.steps() if isinstance(reply, Answer) else iter(reply)


def chunked(body: bytes, size: int = 8192) -> bytes:
    """A body in the chunked transfer coding.

    >>> chunked(b"abcde", 3)
    b'3\\r\\nabc\\r\\n2\\r\\nde\\r\\n0\\r\\n\\r\\n'
    """
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def byte_by_byte(data: bytes, gap_seconds: float) -> Iterator[Step]:
    """Send a byte, wait, send the next."""
    for number in range(len(data)):
        yield data[number : number + 1]
        yield Pause(gap_seconds)
