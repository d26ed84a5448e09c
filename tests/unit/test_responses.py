"""Headers are read as http.client reads them."""

from __future__ import annotations

import http.client
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.responses import Headers, Response, read_headers

names = st.text("ABCxyz019-_", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f\x85\xa0\xad"), max_size=20)
ends = st.sampled_from(["\r\n", "\n"])


@given(st.lists(st.tuples(names, values, ends), max_size=20))
def test_headers_are_those_of_http_client(lines: list[tuple[str, str, str]]) -> None:
    """Names with their case, values without the white space around them, in order; the first of a name is found."""
    text = "".join(f"{name}: {value}{end}" for name, value, end in lines).encode("latin-1") + b"\r\n"
    theirs = http.client.parse_headers(BytesIO(text))
    ours = read_headers(BytesIO(text))
    assert list(ours.items()) == list(theirs.items())
    for name, _, _ in lines:
        assert ours.get(name.upper()) == theirs.get(name.upper())
        assert name.upper() in ours


def test_a_folded_line_goes_on() -> None:
    """As the first HTTP had it."""
    assert list(read_headers(BytesIO(b"a: b\r\n\t c\r\nd: e\r\n\r\n")).items()) == [("a", "b c"), ("d", "e")]


@pytest.mark.parametrize("text", [b"a: " + b"b" * 65536, b"a: b\r\n" * 101])
def test_headers_have_an_end(text: bytes) -> None:
    """However much a server sends."""
    with pytest.raises(http.client.HTTPException):
        read_headers(BytesIO(text))


ANSWERS = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd": (200, b"abc", False),
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n": (200, b"abc", False),
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc": (200, b"abc", True),
    b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n": (404, b"", False),
    b"HTTP/1.0 200 OK\r\n\r\nabc": (200, b"abc", True),
}


@pytest.mark.parametrize("text", ANSWERS)
def test_a_body_ends_where_its_headers_say(text: bytes) -> None:
    """By length, in chunks, or with the connection; and they are read here, whatever Python this is."""
    response: Any = Response(SimpleNamespace(makefile=lambda mode: BytesIO(text)))  # type: ignore[arg-type]
    response.begin()
    status, body, will_close = ANSWERS[text]
    assert (response.status, response.read(), response.will_close) == (status, body, will_close)
    assert isinstance(response.headers, Headers)
