"""Well-formed answers as AWS writes them: documents in chunks, objects with their length. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from xml.sax.saxutils import escape

from testbed.messages import Answer, Headers

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
WITHOUT_BODY = (204, 304)
REASONS = {
    200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified", 400: "Bad Request", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 412: "Precondition Failed",
    416: "Requested Range Not Satisfiable", 500: "Internal Server Error", 501: "Not Implemented",
    503: "Service Unavailable",
}  # fmt: skip
STATUSES = {
    "NoSuchKey": 404, "NoSuchBucket": 404, "NoSuchUpload": 404, "PreconditionFailed": 412, "NotModified": 304,
    "InvalidRange": 416, "InvalidPart": 400, "EntityTooSmall": 400, "MalformedXML": 400, "InvalidArgument": 400,
    "NotImplemented": 501, "InternalError": 500, "SlowDown": 503, "AccessDenied": 403, "QuotaExceeded": 403,
}  # fmt: skip
"""Code of an error: its status."""

Element = tuple[str, "str | int | bool | Iterable[Element] | None"]
"""Name and text, or name and elements; None: it is left out."""


class S3Error(Exception):
    """What S3 answers instead."""

    def __init__(self, code: str, message: str = "as S3 would say", *, headers: Headers = ()) -> None:
        super().__init__(code)
        self.code, self.message, self.headers = code, message, headers


def element(name: str, content: str | int | bool | Iterable[Element] | None) -> str:
    """XML of one element.

    >>> element("A", [("B", "x<y"), ("C", True), ("D", None), ("E", "")])
    '<A><B>x&lt;y</B><C>true</C><E/></A>'
    """
    if content is None:
        return ""
    if isinstance(content, bool):
        text = str(content).lower()
    elif isinstance(content, (str, int)):
        text = escape(str(content), {'"': "&quot;"})
    else:
        text = "".join(element(*each) for each in content)
    return f"<{name}>{text}</{name}>" if text else f"<{name}/>"


def document(name: str, content: Iterable[Element]) -> bytes:
    """A document of S3's."""
    inner = "".join(element(*each) for each in content)
    return f'{XML}<{name} xmlns="{NAMESPACE}">{inner}</{name}>'.encode()


def usual(number: int) -> Headers:
    """What every answer begins with."""
    return (
        ("x-amz-id-2", f"scripted/{number:08}"),
        ("x-amz-request-id", f"{number:016X}"),
        ("Date", formatdate(usegmt=True)),
    )


LAST: Headers = (("Server", "AmazonS3"),)


def of_document(number: int, name: str, content: Iterable[Element], headers: Headers = ()) -> Answer:
    """A listing or a result."""
    framing: Headers = (("Content-Type", "application/xml"), ("Transfer-Encoding", "chunked"))
    body = document(name, content)
    return Answer(200, "OK", (*usual(number), *headers, *framing, *LAST), body, "chunked")


def of_error(number: int, error: S3Error, key: str, *, is_head: bool = False) -> Answer:
    """An error, which HEAD and 304 tell without a body."""
    status = STATUSES[error.code]
    said = [("Code", error.code), ("Message", error.message), ("Key", key or None), ("RequestId", f"{number:016X}")]
    body = XML + element("Error", [*said, ("HostId", f"scripted/{number:08}")])
    framing: Headers = (("Content-Type", "application/xml"), ("Transfer-Encoding", "chunked"))
    headers = (*usual(number), *error.headers, *(framing if status not in WITHOUT_BODY else ()), *LAST)
    has_body = not is_head and status not in WITHOUT_BODY
    return Answer(
        status, REASONS[status], headers, body.encode() if has_body else b"", "chunked" if has_body else "none"
    )


def of_nothing(number: int, headers: Headers = (), status: int = 200) -> Answer:
    """A success without a body."""
    length: Headers = () if status in WITHOUT_BODY else (("Content-Length", "0"),)
    return Answer(status, REASONS[status], (*usual(number), *headers, *length, *LAST), b"", "none")


def of_bytes(number: int, headers: Headers, data: bytes, *, status: int = 200, is_head: bool = False) -> Answer:
    """Bytes of an object, or what HEAD says of them."""
    length = (("Content-Length", str(len(data))),)
    body: bytes = b"" if is_head else data
    all_headers = (*usual(number), *headers, *length, *LAST)
    return Answer(status, REASONS[status], all_headers, body, "none" if is_head else "length")
