"""Answers in their plainest form, whatever status, headers and text they have: a test says what they hold. Pure.

`s3_answers` has those that AWS would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus
from types import MappingProxyType
from xml.sax.saxutils import escape

from testbed.messages import Answer, Request
from testbed.s3_memory import md5

WHEN = "Tue, 24 Nov 2026 07:57:54 GMT"
LISTED_WHEN = "2026-11-24T07:57:54.000Z"
NONE: Mapping[str, str] = MappingProxyType({})


def plain(status: int = 200, body: bytes = b"", headers: Mapping[str, str] = NONE) -> Answer:
    """A body with its length, unless `headers` have another.

    >>> plain(404).head()
    b'HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n'
    """
    return Answer(status, HTTPStatus(status).phrase, tuple({"Content-Length": str(len(body)), **headers}.items()), body)


def xml(root: str, inner: str = "", status: int = 200) -> Answer:
    """A document of one root."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inner}</{root}>'
    return plain(status, body.encode(), {"Content-Type": "application/xml"})


def refusal(status: int, code: str, message: str = "no", more: str = "", **headers: str) -> Answer:
    """S3's error, with `more` elements, of any status."""
    found = xml("Error", f"<Code>{code}</Code><Message>{message}</Message>{more}", status)
    return replace(found, headers=(*found.headers, *headers.items()))


def whole_object(data: bytes) -> Answer:
    """An object, whatever range of it is asked for."""
    return plain(200, data, {"ETag": md5(data), "Last-Modified": WHEN})


def entry(key: str, data: bytes = b"") -> str:
    """An object of a listing."""
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{LISTED_WHEN}</LastModified><ETag>{escape(md5(data))}</ETag>"
        f"<Size>{len(data)}</Size></Contents>"
    )


PAGE = plain(
    200, b"<html><head><title>Log in</title></head><body><br>Welcome</body></html>", {"Content-Type": "text/html"}
)
"""What a captive portal says to whatever is asked."""


def fitted(answer: Answer, request: Request) -> Answer:
    """An answer as servers send it to that request: without its body to HEAD, and with the date.

    >>> fitted(plain(404, b"none", {"Date": WHEN}), Request("HEAD", "/b/k")).content()
    b''
    """
    dated = answer if answer.header("Date") else answer.with_header("Date", formatdate(usegmt=True))
    return replace(dated, framing="none") if request.method == "HEAD" else dated
