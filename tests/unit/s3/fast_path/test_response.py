"""The reader of answers takes the plain answer, in whatever portions it comes, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.model.ranges import MAX_OBJECT_BYTES
from registry_s3fs.s3.fast_path import response
from registry_s3fs.s3.fast_path.response import SCRATCH_BYTES, Head, NotPlainError, ResponseReader

OBJECT = b'HTTP/1.1 206 Partial Content\r\nETag: "e"\r\nContent-Length: 5\r\n\r\nabcde'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00C\r\n0123456789ab\r\n0\r\n\r\n"


def feed(reader: ResponseReader, answer: bytes, portion: int = 10**6) -> bool:
    """Give an answer to a reader, so many bytes at a time; whether it was whole at the end."""
    reader.begin(bytearray(SCRATCH_BYTES))
    whole = False
    while answer and not whole:
        space = reader.space()
        count = min(len(space), portion, len(answer))
        space[:count] = answer[:count]
        answer = answer[count:]
        whole = reader.filled(count)
    assert not (whole and answer)
    return whole


def read_object(answer: bytes, length: int | None = None, portion: int = 10**6) -> tuple[bytes, ResponseReader]:
    memory: list[bytearray] = []

    def place(head: Head) -> memoryview:
        memory.append(bytearray(length if length is not None else head.length or 0))
        return memoryview(memory[0])

    reader = ResponseReader("GET", place)
    assert feed(reader, answer, portion)
    return bytes(memory[0]), reader


@pytest.mark.parametrize("portion", [1, 2, 7, 1000])
def test_an_object_goes_straight_to_its_place(portion: int) -> None:
    """In whatever portions it comes; the connection may be used again."""
    data, reader = read_object(OBJECT, portion=portion)
    assert (data, reader.received, reader.reusable) == (b"abcde", 5, True)


def test_the_beginning_of_an_object_may_be_all_that_is_wanted() -> None:
    """The connection is given up then."""
    data, reader = read_object(OBJECT[:-2], length=3)
    assert (data, reader.reusable) == (b"abc", False)


def test_an_empty_object_has_its_place_too() -> None:
    """Whoever asked sees its fields."""
    data, _ = read_object(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert data == b""


@given(st.integers(1, 40))
def test_a_document_may_come_in_chunks(portion: int) -> None:
    """As S3 sends listings, results and errors."""
    reader = ResponseReader("GET")
    assert feed(reader, CHUNKED, portion)
    assert bytes(reader.document) == b"abc0123456789ab"
    assert reader.reusable


def test_an_errors_body_is_a_document_also_where_an_object_was_asked_for() -> None:
    """It never gets to the object's place."""
    reader = ResponseReader("GET", lambda head: pytest.fail("no object"))
    assert feed(reader, CHUNKED.replace(b"200 OK", b"404 Not Found"))
    assert bytes(reader.document) == b"abc0123456789ab"


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked", b"X-Y: z"])
def test_the_answer_to_a_head_has_no_body(status: int, framing: bytes) -> None:
    """Whatever it says of one."""
    reader = ResponseReader("HEAD")
    assert feed(reader, b"HTTP/1.1 %d X\r\n%s\r\n\r\n" % (status, framing))
    assert reader.head
    assert reader.head.status == status


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close"])
def test_a_connection_that_will_be_closed_is_not_used_again(value: bytes) -> None:
    """The server says so."""
    _, reader = read_object(OBJECT.replace(b"\r\n\r\n", b"\r\nConnection: " + value + b"\r\n\r\n"))
    assert not reader.reusable


def test_fields_that_nobody_reads_may_come_twice() -> None:
    """MinIO sends Vary so."""
    _, reader = read_object(OBJECT.replace(b"\r\n\r\n", b"\r\nVary: Origin\r\nVary: Accept-Encoding\r\n\r\n"))
    assert reader.head
    assert reader.head.fields["etag"] == '"e"'


HEADS = {
    "an interim answer": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OBJECT,
    "100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n" + OBJECT,
    "HTTP/1.0": OBJECT.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no reason and no space": OBJECT.replace(b" Partial Content", b""),
    "a status of four digits": OBJECT.replace(b"206", b"2060"),
    "bare line feeds": OBJECT.replace(b"\r\n", b"\n"),
    "a bare line feed": OBJECT.replace(b'"e"\r\n', b'"e"\n'),
    "a folded field": OBJECT.replace(b'"e"', b'"e"\r\n folded'),
    "a line without a colon": OBJECT.replace(b"ETag:", b"ETag"),
    "a space before the colon": OBJECT.replace(b"ETag:", b"ETag :"),
    "a NUL": OBJECT.replace(b'"e"', b'"\0"'),
    "two lengths": OBJECT.replace(b"\r\n\r\n", b"\r\nContent-Length: 6\r\n\r\n"),
    "the same length twice": OBJECT.replace(b"\r\n\r\n", b"\r\ncontent-length: 5\r\n\r\n"),
    "two ETags": OBJECT.replace(b"\r\n\r\n", b'\r\netag: "f"\r\n\r\n'),
    "two lengths in one field": OBJECT.replace(b"h: 5", b"h: 5, 5"),
    "a signed length": OBJECT.replace(b"h: 5", b"h: +5"),
    "a negative length": OBJECT.replace(b"h: 5", b"h: -5"),
    "a length with an underscore": OBJECT.replace(b"h: 5", b"h: 0_5"),
    "a length in other digits": OBJECT.replace(b"h: 5", "h: \u0665".encode()),
    "a length that no object has": OBJECT.replace(b"h: 5", b"h: %d" % (MAX_OBJECT_BYTES + 1)),
    "no length": OBJECT.replace(b"Content-Length: 5\r\n", b""),
    "a length beside chunks": OBJECT.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "an object in chunks": OBJECT.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "another transfer coding": OBJECT.replace(b"Content-Length: 5", b"Transfer-Encoding: gzip, chunked"),
    "more bytes than its length": OBJECT + b"f",
    "another answer after it": OBJECT + OBJECT,
    "no HTTP": b"<html></html>\r\n\r\n",
    "too long a head": OBJECT.replace(b'"e"', b"e" * SCRATCH_BYTES),
}


@pytest.mark.parametrize("what", HEADS)
def test_an_odd_answer_is_not_taken(what: str) -> None:
    """Nor interpreted."""
    reader = ResponseReader("GET", lambda head: memoryview(bytearray(head.length or 0)))
    with pytest.raises(NotPlainError):
        feed(reader, HEADS[what])


BODIES = {
    "a chunk with an extension": CHUNKED.replace(b"3\r\n", b"3;a=b\r\n"),
    "a chunk that is longer than its size": CHUNKED.replace(b"abc", b"abcd"),
    "a chunk with a sign": CHUNKED.replace(b"3\r\n", b"+3\r\n0123456789"),
    "a trailer": CHUNKED[:-2] + b"X: y\r\n\r\n",
    "bytes after the last chunk": CHUNKED + b"x",
    "a chunk without a size": CHUNKED.replace(b"3\r\n", b"\r\n"),
    "bare line feeds": CHUNKED.replace(b"abc\r\n", b"abc\n"),
    "a content coding": CHUNKED.replace(b"\r\n\r\n3", b"\r\nContent-Encoding: gzip\r\n\r\n3"),
}


@pytest.mark.parametrize("what", BODIES)
def test_an_odd_document_is_not_taken(what: str) -> None:
    """Chunks have one plain form."""
    with pytest.raises(NotPlainError):
        feed(ResponseReader("GET"), BODIES[what])


def test_an_objects_content_coding_is_its_own_affair() -> None:
    """It is metadata; the bytes are handed on as they are."""
    data, _ = read_object(OBJECT.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"))
    assert data == b"abcde"


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_document_has_a_bound(status: int, chunked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of errors and listings are bounded before memory is taken."""
    monkeypatch.setattr(response, "MAX_ERROR_BYTES", 1000)
    monkeypatch.setattr(response, "MAX_DOCUMENT_BYTES", 2000)
    framing = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: 2001\r\n\r\n"
    chunk = b"64\r\n" + b"x" * 100 + b"\r\n"
    reader: Any = ResponseReader("GET")
    with pytest.raises(NotPlainError, match="too long"):
        feed(reader, b"HTTP/1.1 %d X\r\n" % status + framing + chunk * 25, 50)
    assert len(reader.document) <= 2000


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_raise_anything_else(noise: bytes, portion: int) -> None:
    """Whatever comes, it is taken, not plain, or not yet whole."""
    reader = ResponseReader("GET")
    reader.begin(bytearray(SCRATCH_BYTES))
    answer = b"HTTP/1.1 200 OK\r\n" + noise
    try:
        for at in range(0, len(answer), portion):
            piece = answer[at : at + portion]
            space = reader.space()[: len(piece)]
            space[:] = piece[: len(space)]
            if reader.filled(len(space)):
                break
    except NotPlainError:
        pass
