"""The odd answers: the rows of the table. What a kind changes, in the answers to which requests, and how often."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reliability.odd_calls import ROOT
from testbed import mutations as m
from testbed.messages import Answer, Pause, Request, Reset
from testbed.mutations import Change

Suits = Callable[[Request, Answer], bool]

OBJECT = ("GetObject", "HeadObject")
LISTING = ("ListObjectsV2",)
RESULTS = (
    *("CopyObject", "UploadPartCopy", "CreateMultipartUpload", "CompleteMultipartUpload", "DeleteObjects", "ListParts"),
)
"""Operations, besides listings, that are answered with a document."""
BARE = ("PutObject", "UploadPart", "DeleteObject")
"""Those answered with headers alone."""
WRITES = (
    *("PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"),
    *("DeleteObject", "DeleteObjects"),
)
ALL = (*OBJECT, *LISTING, *RESULTS, *BARE)

OUTSIDE = ("outside/x", f"{ROOT}2/a", ROOT)
"""Keys that are there and not under `rootdirectory`."""


@dataclass(frozen=True)
class Kind:
    """One kind of odd answer."""

    name: str
    change: Change
    operations: tuple[str, ...] = ALL
    """Whose answers are changed; each by itself, in a run of its own."""
    suits: Suits = lambda request, answer: True
    """Which of them can be changed so."""
    undone: tuple[str, ...] = ()
    """Operations that the store does not carry out when it answers so."""
    misread: Callable[[Request], Request] = lambda request: request
    """What the store takes the request for."""
    spoils: bool = False
    """Whether the store then stores something else at the target."""
    times: tuple[float, ...] = (1, math.inf)
    """How many answers in turn are so; each number in a run of its own."""
    is_slow: bool = False
    """Whether a run takes seconds; then only the first operation that it can change is, and there is one run."""


def _ok(request: Request, answer: Answer) -> bool:
    return answer.status in (200, 206)


def _as_it_is(request: Request, answer: Answer) -> Answer:
    """For what the store takes for another request."""
    return answer


def _partial(request: Request, answer: Answer) -> bool:
    return answer.status == 206


def _part_of_it(request: Request, answer: Answer) -> bool:
    """Only some of the object's bytes."""
    return answer.status == 206 and int(answer.header("Content-Range").rpartition("/")[2]) > len(answer.body)


def _named(name: str) -> Suits:
    tag = f"<{name}>".encode()
    return lambda request, answer: tag in answer.body


def _has(header: str) -> Suits:
    return lambda request, answer: answer.status in (200, 206) and bool(answer.header(header))


def _first_page(request: Request, answer: Answer) -> bool:
    return _ok(request, answer) and "continuation-token" not in request.query


def _several_pages(request: Request, answer: Answer) -> bool:
    return b"<IsTruncated>true</IsTruncated>" in answer.body


def _without_query(*names: str) -> Callable[[Request], Request]:
    return lambda request: request.without_query(*names)


def _without_copy_source(request: Request) -> Request:
    kept = tuple(pair for pair in request.headers if not pair[0].lower().startswith("x-amz-copy-source"))
    return replace(request, headers=kept)


def _other_range(value: str) -> str:
    """
    >>> _other_range("bytes 0-9/100")
    'bytes 10-19/100'
    """
    extent, _, total = value.removeprefix("bytes ").partition("/")
    first, last = map(int, extent.split("-"))
    return f"bytes {last + 1}-{2 * last + 1 - first}/{total}"


def _other_total(more: int) -> Callable[[str], str]:
    return lambda value: f"{value.partition('/')[0]}/{int(value.partition('/')[2]) + more}"


_REPEATED = "<NextContinuationToken>YWZ0ZXI6</NextContinuationToken>"  # "after:", the beginning
_AN_ENTRY = (
    f"<Contents><Key>{ROOT}/dir/3x</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>3</Size><StorageClass>STANDARD</StorageClass>"
    "</Contents>"
).encode()
_PAGE_BEGINS = b"<?xml version='1.0'?><ListBucketResult><Name>demo</Name><IsTruncated>false</IsTruncated>"


def _instead(name: str, change: Change) -> Kind:
    """Another answer with status 200, where a write was not done."""
    return Kind(name, change, suits=_ok, undone=WRITES)


ON_THE_WIRE = (
    Kind("interim answer 103 with headers of its own", m.interim(m.INTERIM[103])),
    Kind("interim answers 100, 102 and 103", m.interim(*(m.INTERIM[number] for number in (100, 102, 103)))),
    Kind("bytes after the body", m.trailing(b"\r\n\0odd bytes\r\n")),
    Kind("another whole answer after the body", m.another_answer(), suits=lambda request, answer: answer.status != 204),
    Kind("the connection ends in the header block", m.cut(m.in_the_head)),
    Kind("the header block breaks off inside Content-Length", m.break_off_in_header("Content-Length", 1), OBJECT, _ok),
    Kind("the body is cut in its middle", m.cut(m.in_the_body),
         suits=lambda request, answer: bool(answer.body)),
    Kind("the connection is reset in the middle of the body", m.cut(m.in_the_body, Reset()),
         suits=lambda request, answer: bool(answer.body)),
    Kind("a byte each half second", m.trickle(0.5), is_slow=True, times=(math.inf,)),
    Kind("an hour's pause before the last byte",
         lambda request, answer: [answer.render()[:-1], Pause(3600), answer.render()[-1:]], is_slow=True),
)  # fmt: skip

HEADERS = (
    Kind("HTTP/1.0", m.version("HTTP/1.0")),
    Kind("no reason phrase", m.no_reason()),
    Kind("lines end in LF alone", m.bare_line_ends()),
    Kind("a folded header", m.fold_header("Server")),
    Kind("a header without a colon", m.header_line("odd line")),
    Kind("NUL in a header", m.replace_header("x-odd", "a\0b")),
    Kind("a header of 100,000 bytes", m.replace_header("x-odd", "x" * 100_000)),
    Kind("5,000 headers", m.many_headers(5_000)),
    Kind("Content-Length: fewer bytes than come", m.length(m.longer(-3)), ("GetObject", *LISTING, *RESULTS), _ok),
    Kind("Content-Length: more bytes than come", m.length(m.longer(7)), ("GetObject", *LISTING, *RESULTS, *BARE),
         suits=lambda request, answer: answer.status in (200, 206), is_slow=True),
    Kind("Content-Length with a sign", m.length(lambda value: f"-{value}"), (*OBJECT, *LISTING, *RESULTS), _ok),
    Kind("two Content-Lengths that differ", m.double_header("Content-Length", m.longer(-1)), OBJECT,
         _has("Content-Length")),
    Kind("no ETag", m.drop_header("ETag"), (*OBJECT, *BARE), _has("ETag")),
    Kind("a weak ETag", m.replace_header("ETag", lambda value: f"W/{value}"), OBJECT, _has("ETag")),
    Kind("ETag of another version from the second answer on", m.replace_header("ETag", '"another"'), ("GetObject",),
         suits=lambda request, answer: _partial(request, answer) and request.header("Range")[:8] != "bytes=0-"),
    Kind("no Content-Length at a HEAD", m.drop_header("Content-Length"), ("HeadObject",), _ok),
    Kind("dates and numbers that are none", m.in_turn(
         m.replace_header("Last-Modified", "yesterday"), m.replace_header("Expires", "0")), OBJECT, _ok),
)  # fmt: skip

RANGES = (
    Kind("206 for another range", m.replace_header("Content-Range", _other_range), ("GetObject",), _partial),
    Kind("206 with another total size, larger", m.replace_header("Content-Range", _other_total(1000)),
         ("GetObject",), _part_of_it),
    Kind("206 with a total size that the range is beyond", m.replace_header("Content-Range", _other_total(-10**9)),
         ("GetObject",), _partial),
    Kind("206 with `*` for the total size", m.replace_header(
         "Content-Range", lambda value: f"{value.partition('/')[0]}/*"), ("GetObject",), _partial),
    Kind("206 without Content-Range", m.drop_header("Content-Range"), ("GetObject",), _partial),
    Kind("206 with Content-Range in odd case", m.replace_header(
         "Content-Range", lambda value: value.replace("bytes", "BYTES")), ("GetObject",), _partial),
    Kind("200 with only the range's bytes", m.in_turn(
         m.status(200, "OK"), m.drop_header("Content-Range")), ("GetObject",), _part_of_it),
    Kind("206 for a whole object", m.status(206, "Partial Content"), ("GetObject",),
         suits=lambda request, answer: answer.status == 200),
    Kind("an object of 10^18 bytes", m.in_turn(
         m.replace_header("Content-Range", _other_total(10**18))), ("GetObject",), _part_of_it),
    Kind("a HEAD that says 10^18 bytes", m.replace_header("Content-Length", "1" + 18 * "0"), ("HeadObject",),
         suits=lambda request, answer: _ok(request, answer) and request.key == f"{ROOT}/large"),
)  # fmt: skip

BODIES = (
    _instead("status 200 and a proxy's page", m.html_page()),
    replace(_instead("status 200 and nothing more", m.nothing()),
            operations=tuple(name for name in ALL if name != "DeleteObject")),
    _instead("status 200 and a document of another request", m.another_document()),
    _instead("status 200 and an `<Error>`", m.error_with_success()),
    Kind("status 200 and a document that is cut off", m.body(lambda data: data[: len(data) // 2]),
         (*LISTING, *RESULTS), _ok),
    Kind("an error with an endless body", m.endless(b"<?xml version='1.0'?><Error><Code>", b"odd", 403, "Forbidden"),
         tuple(name for name in ALL if name != "HeadObject")),
    Kind("a document compressed by gzip", m.gzipped(), LISTING, _ok),
)  # fmt: skip

LISTINGS = (
    Kind("a listing names keys outside the prefix", m.keys_outside(*OUTSIDE), LISTING, _ok),
    Kind("a listing ignores the prefix", _as_it_is, LISTING, _ok, misread=_without_query("prefix")),
    Kind("a listing ignores the delimiter", _as_it_is, LISTING,
         suits=lambda request, answer: "delimiter" in request.query, misread=_without_query("delimiter")),
    Kind("a listing gives its first page for ever", _as_it_is, LISTING, _several_pages,
         misread=_without_query("continuation-token", "start-after")),
    Kind("a listing repeats its token", m.truncated(_REPEATED), LISTING, _ok),
    Kind("a listing is truncated and gives no token", m.truncated(), LISTING, _ok),
    Kind("a listing is empty and truncated for ever", m.in_turn(m.empty_page(), m.truncated(_REPEATED)), LISTING, _ok,
         times=(math.inf,)),
    Kind("a listing's first page is empty and truncated", m.in_turn(m.empty_page(), m.truncated(_REPEATED)), LISTING,
         _first_page, times=(1,)),
    Kind("an endless listing", m.endless(_PAGE_BEGINS, _AN_ENTRY), LISTING, _ok),
    Kind("a listing without Size, ETag and LastModified", m.in_turn(
         *(m.drop_element(name) for name in ("Size", "ETag", "LastModified"))), LISTING, _named("Size")),
    Kind("a listing with an entry without a Key", m.drop_element("Key", 0), LISTING, _named("Key")),
    Kind("a listing whose Size is no number", m.replace_element("Size", "3x"), LISTING, _named("Size")),
    Kind("a listing names its keys twice", m.double_element("Contents"), LISTING, _named("Contents")),
    Kind("a common prefix comes on two pages", m.add_elements(
         f"<CommonPrefixes><Prefix>{ROOT}/dir/sub/</Prefix></CommonPrefixes>"), LISTING,
         suits=lambda request, answer: "delimiter" in request.query and b"CommonPrefixes" not in answer.body),
)  # fmt: skip

RESULT_FIELDS = (
    Kind("CopyObject ignores its source and stores nothing", _as_it_is, ("CopyObject",), _ok,
         misread=_without_copy_source, spoils=True),
    Kind("UploadPartCopy ignores its source and stores nothing", _as_it_is, ("UploadPartCopy",),
         _ok, misread=_without_copy_source, spoils=True),
    Kind("a result without its ETag", m.drop_element("ETag"),
         ("CopyObject", "UploadPartCopy", "CompleteMultipartUpload", "ListParts"), _ok, undone=WRITES),
    Kind("a result with an empty ETag", m.empty_element("ETag"),
         ("CopyObject", "UploadPartCopy", "CompleteMultipartUpload"), _ok, undone=WRITES),
    Kind("CreateMultipartUpload without an UploadId", m.drop_element("UploadId"), ("CreateMultipartUpload",)),
    Kind("ListParts repeats its marker", m.in_turn(
         m.replace_element("IsTruncated", "true"), m.replace_element("NextPartNumberMarker", "0")), ("ListParts",)),
    Kind("DeleteObjects says of one key that it failed", m.add_elements(
         f"<Error><Key>{ROOT}/dir/0</Key><Code>AccessDenied</Code><Message>no</Message></Error>"), ("DeleteObjects",)),
)  # fmt: skip

KINDS = (*ON_THE_WIRE, *HEADERS, *RANGES, *BODIES, *LISTINGS, *RESULT_FIELDS)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
