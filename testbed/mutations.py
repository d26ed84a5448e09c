"""Odd forms of well-formed answers: each function gives a `Change` for a script. Pure.

store.script("GetObject", mutations.drop_header("ETag"))
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from testbed.messages import Answer, Close, Reply, Request, Reset, Silence, Step, byte_by_byte
from testbed.s3_answers import NAMESPACE, XML

Change = Callable[[Request, Answer], Reply]
"""From a request and the well-formed answer to it to what is sent."""
Text = Callable[[str], str]

MOST_ENDLESS_BYTES = 48 * 1024 * 1024
"""Where an endless body ends after all, so that a client which reads it does not fill the memory."""
MOST_TRICKLE_SECONDS = 60.0
PAGE = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body><p>Please log in.</p></body></html>\n"
INTERIM = {
    100: b"HTTP/1.1 100 Continue\r\n\r\n",
    102: b"HTTP/1.1 102 Processing\r\n\r\n",
    103: b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nETag: \"early\"\r\nContent-Length: 7\r\n\r\n",
}  # fmt: skip


def _parts(change: Callable[[Answer], Reply]) -> Change:
    """A change that needs no request."""
    return lambda request, answer: change(answer)


def in_turn(*changes: Change) -> Change:
    """One after the other; all but the last must give answers in parts."""

    def change(request: Request, answer: Answer) -> Reply:
        reply: Reply = answer
        for each in changes:
            assert isinstance(reply, Answer)
            reply = each(request, reply)
        return reply

    return change


# Headers


def drop_header(*names: str) -> Change:
    """Without these headers."""

    def change(answer: Answer) -> Answer:
        for name in names:
            answer = answer.with_header(name, None)
        return answer

    return _parts(change)


def replace_header(name: str, value: str | Text) -> Change:
    """With another value of a header; it is added where it is not there. A function makes it of the one there."""
    return _parts(
        lambda answer: answer.with_header(name, value if isinstance(value, str) else value(answer.header(name)))
    )


def double_header(name: str, value: str | Text | None = None) -> Change:
    """With the header a second time, by default with the same value."""

    def change(answer: Answer) -> Answer:
        first = answer.header(name)
        second = first if value is None else value if isinstance(value, str) else value(first)
        return replace(answer, headers=(*answer.headers, (name, second)))

    return _parts(change)


def break_off_in_header(name: str, kept: int) -> Change:
    """The header block ends after so many characters of a header's value, and the connection with it."""

    def change(answer: Answer) -> Reply:
        head = replace(answer, headers=_last(answer, name)).head()
        return [head[: head.rindex(b": ") + 2 + kept], Close()]

    return _parts(change)


def _last(answer: Answer, name: str) -> tuple[tuple[str, str], ...]:
    """Its headers, with one of them at the end."""
    return (*answer.with_header(name, None).headers, (name, answer.header(name)))


def fold_header(name: str) -> Change:
    """The header goes on in a second line, as HTTP once allowed."""
    return replace_header(name, lambda value: f"{value[:1]}\r\n {value[1:]}")


def header_line(line: str) -> Change:
    """One more line among the headers, such as one without a colon."""
    return _parts(lambda answer: replace(answer, headers=(*answer.headers[:1], ("", line), *answer.headers[1:])))


def many_headers(count: int) -> Change:
    """So many more headers."""
    more = tuple((f"x-odd-{number}", "x") for number in range(count))
    return _parts(lambda answer: replace(answer, headers=(*answer.headers, *more)))


def length(value: str | Text) -> Change:
    """With another Content-Length, and the body sent as it is."""
    return in_turn(unchunked(), replace_header("Content-Length", value))


def longer(more: int) -> Text:
    """A Content-Length of so many more bytes, or fewer.

    >>> longer(-3)("10")
    '7'
    """
    return lambda value: str(int(value or 0) + more)


def unchunked() -> Change:
    """A body that is sent with its length instead of in chunks."""

    def change(answer: Answer) -> Answer:
        if answer.framing != "chunked":
            return answer
        plain = replace(answer.with_header("Transfer-Encoding", None), framing="length")
        return plain.with_header("Content-Length", str(len(answer.body)))

    return _parts(change)


# Status line


def status(number: int, reason: str) -> Change:
    """With another status."""
    return _parts(lambda answer: replace(answer, status=number, reason=reason))


def version(name: str) -> Change:
    """In another version of HTTP."""
    return _parts(lambda answer: replace(answer, version=name))


def no_reason() -> Change:
    """Without the reason phrase."""
    return _parts(lambda answer: replace(answer, reason=""))


def bare_line_ends() -> Change:
    """Lines that end in LF alone."""
    return _parts(lambda answer: replace(answer, line_end=b"\n"))


# On the wire


def interim(*answers: bytes) -> Change:
    """Interim answers before the answer."""
    return _parts(lambda answer: replace(answer, before=b"".join(answers)))


def trailing(data: bytes) -> Change:
    """Bytes after the answer's end."""
    return _parts(lambda answer: replace(answer, after=data))


def another_answer() -> Change:
    """A whole answer of the same form after it, with bytes, or names, that nothing holds."""
    return _parts(lambda answer: replace(answer, after=other_contents(answer).render()))


def other_contents(answer: Answer) -> Answer:
    """The same with other bytes of the same number, or with other names."""
    if answer.framing == "none":
        return answer.with_header("Content-Length", longer(1)(answer.header("Content-Length")))
    if answer.framing == "chunked":
        return answer.with_body(answer.body.replace(b"</Key>", b"-other</Key>"))
    return answer.with_body(bytes(each ^ 0x55 for each in answer.body[:4096]) + answer.body[4096:])


def cut(where: Callable[[bytes], int], end: Close | Reset | None = None) -> Change:
    """The connection ends after so many of the answer's bytes, of which `where` is told all."""

    def change(answer: Answer) -> Reply:
        data = answer.render()
        return [data[: where(data)], end or Close()]

    return _parts(change)


def in_the_body(data: bytes) -> int:
    """In the middle of the body, for `cut`.

    >>> in_the_body(b"HTTP/1.1 200 OK\\r\\n\\r\\nabcd") - len(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    2
    """
    start = data.index(b"\r\n\r\n") + 4
    return start + (len(data) - start) // 2


def in_the_head(data: bytes) -> int:
    """In the middle of the header block, for `cut`."""
    return data.index(b"\r\n\r\n") // 2


def silence_after(share: float) -> Change:
    """This share of the answer, and then nothing more."""

    def change(answer: Answer) -> Reply:
        data = answer.render()
        return [data[: int(len(data) * share)], Silence()]

    return _parts(change)


def trickle(gap_seconds: float) -> Change:
    """A byte, a pause, the next byte, for at most a minute."""

    def change(answer: Answer) -> Iterator[Step]:
        most = int(MOST_TRICKLE_SECONDS / gap_seconds)
        yield from byte_by_byte(answer.render()[:most], gap_seconds)
        yield Close()

    return _parts(change)


def endless(opening: bytes, piece: bytes, number: int = 200, reason: str = "OK") -> Change:
    """A body in chunks that goes on with the same piece, until `MOST_ENDLESS_BYTES`."""

    def change(answer: Answer) -> Iterator[Step]:
        head = replace(answer.with_header("Content-Length", None), status=number, reason=reason, framing="chunked")
        repeated = piece * (65536 // len(piece) + 1)
        yield head.with_header("Transfer-Encoding", "chunked").head() + _chunk(opening)
        for _ in range(MOST_ENDLESS_BYTES // len(repeated)):
            yield _chunk(repeated)
        yield Close()

    return _parts(change)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


# Bodies


def instead(body: bytes, content_type: str, number: int = 200, reason: str = "OK") -> Change:
    """Another answer altogether, with this body, as a proxy or gateway gives it. A HEAD's has only its headers."""

    def change(request: Request, answer: Answer) -> Answer:
        kept = tuple(pair for pair in answer.headers if pair[0] == "Date")
        about = (("Content-Type", content_type), ("Content-Length", str(len(body))))
        is_head = request.method == "HEAD"
        return Answer(number, reason, (*kept, *about), b"" if is_head else body, "none" if is_head else "length")

    return change


def html_page() -> Change:
    """A proxy's page, with status 200."""
    return instead(PAGE, "text/html; charset=utf-8")


def nothing() -> Change:
    """Status 200 and no byte more."""
    return instead(b"", "application/octet-stream")


def error_document(code: str = "InternalError") -> bytes:
    """S3's error as a document."""
    return f"{XML}<Error><Code>{code}</Code><Message>as told</Message></Error>".encode()


def another_document() -> Change:
    """A document that answers another request, with status 200."""
    body = f'{XML}<ListAllMyBucketsResult xmlns="{NAMESPACE}"><Buckets/></ListAllMyBucketsResult>'.encode()
    return instead(body, "application/xml")


def error_with_success() -> Change:
    """An error with status 200."""
    return instead(error_document(), "application/xml")


def body(make: Callable[[bytes], bytes]) -> Change:
    """Another body, with its own length, under the same headers."""
    return _parts(lambda answer: answer.with_body(make(answer.body)))


def gzipped() -> Change:
    """The body packed, as its Content-Encoding says."""
    packed = body(lambda data: gzip.compress(data, mtime=0))
    return in_turn(packed, replace_header("Content-Encoding", "gzip"))


# Documents


def element(name: str, make: Callable[[bytes], bytes], which: int | None = None) -> Change:
    """With other XML in the place of the elements of a name: `make` is given each, with its tags.

    `which` is the number of the one that is changed, counted from 0; None: all of them.
    """
    pattern = re.compile(rb"<%(name)s\s*/>|<%(name)s(?:\s[^>]*)?>.*?</%(name)s>" % {b"name": name.encode()}, re.DOTALL)

    def change(data: bytes) -> bytes:
        numbers = iter(range(len(data)))
        return pattern.sub(lambda found: make(found[0]) if which in (None, next(numbers)) else found[0], data)

    return body(change)


def drop_element(name: str, which: int | None = None) -> Change:
    """Without it."""
    return element(name, lambda found: b"", which)


def double_element(name: str, which: int | None = None) -> Change:
    """Twice."""
    return element(name, lambda found: found + found, which)


def replace_element(name: str, text: str, which: int | None = None) -> Change:
    """With another text in it."""
    return element(name, lambda found: f"<{name}>{text}</{name}>".encode(), which)


def empty_element(name: str, which: int | None = None) -> Change:
    """With nothing in it."""
    return element(name, lambda found: f"<{name}/>".encode(), which)


def add_elements(xml: str) -> Change:
    """More at the end of the document."""
    return body(lambda data: re.sub(rb"</(\w+)>\s*$", lambda end: xml.encode() + end[0], data))


# Listings


def keys_outside(*keys: str) -> Change:
    """A page that names these keys, too."""
    entry = (
        "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>3</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )
    return add_elements("".join(entry.format(key) for key in keys))


def truncated(token_element: str = "") -> Change:
    """A page that says that there are more, with this element as the token of the next one."""
    changes: Iterable[Change] = (
        replace_element("IsTruncated", "true"),
        drop_element("NextContinuationToken"),
        add_elements(token_element),
    )
    return in_turn(*changes)


def empty_page() -> Change:
    """A page without keys and prefixes."""
    return in_turn(drop_element("Contents"), drop_element("CommonPrefixes"), replace_element("KeyCount", "0"))
