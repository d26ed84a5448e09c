"""What S3 keeps: objects and unfinished uploads, in memory, and what its conditions, ranges and pages mean. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import NamedTuple
from urllib.parse import quote

from testbed.messages import Headers
from testbed.s3_answers import S3Error

LEAST_PART_BYTES = 5 * 1024 * 1024
KEPT = ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires")
"""Headers that S3 keeps with an object and gives back, as it does metadata and checksums."""
CHECKSUM = "x-amz-checksum-"
METADATA = "x-amz-meta-"


def md5(data: bytes) -> str:
    """An ETag of bytes that were stored by one request."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def now() -> datetime:
    """The time to the millisecond, as listings have it."""
    found = datetime.now(timezone.utc)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def stamp(when: datetime) -> str:
    """A time in a document."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"


@dataclass(frozen=True)
class Object:
    """One object."""

    data: bytes = field(repr=False)
    etag: str
    headers: Headers = ()
    """What is kept beside the bytes: `KEPT`, metadata, checksums."""
    tags: tuple[tuple[str, str], ...] = ()
    modified: datetime = field(default_factory=now)

    def described(self, *, with_checksums: bool) -> Headers:
        """Headers of an answer about it, without its length."""
        own = tuple(pair for pair in self.headers if with_checksums or not pair[0].lower().startswith(CHECKSUM))
        typed = any(name.lower() == "content-type" for name, _ in own)
        return (
            ("Last-Modified", format_datetime(self.modified, usegmt=True)),
            ("ETag", self.etag),
            ("Accept-Ranges", "bytes"),
            *own,
            *(() if typed else (("Content-Type", "binary/octet-stream"),)),
        )


@dataclass(frozen=True)
class Part:
    """One part of an unfinished upload."""

    data: bytes = field(repr=False)
    etag: str
    modified: datetime = field(default_factory=now)


@dataclass(frozen=True)
class Upload:
    """An unfinished upload."""

    key: str
    headers: Headers = ()
    tags: tuple[tuple[str, str], ...] = ()
    parts: Mapping[int, Part] = field(default_factory=dict)
    initiated: datetime = field(default_factory=now)

    def joined(self, chosen: Sequence[tuple[int, str]]) -> Object:
        """The object of the parts chosen, by number and ETag."""
        if not chosen or [number for number, _ in chosen] != sorted({number for number, _ in chosen}):
            raise S3Error("MalformedXML")
        found = [self.parts.get(number) for number, _ in chosen]
        if any(part is None or part.etag != etag for part, (_, etag) in zip(found, chosen, strict=True)):
            raise S3Error("InvalidPart")
        parts = [part for part in found if part is not None]
        if any(len(part.data) < LEAST_PART_BYTES for part in parts[:-1]):
            raise S3Error("EntityTooSmall")
        digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
        etag = f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'
        return Object(b"".join(part.data for part in parts), etag, self.headers, self.tags)


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Where a Range begins and ends in so many bytes; None: it asks for all, or in a way that S3 ignores.

    >>> byte_range("bytes=2-", 10), byte_range("bytes=-3", 10), byte_range("bytes=0-99", 10), byte_range("x", 10)
    ((2, 10), (7, 10), (0, 10), None)
    """
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    start, end = (int(first), int(last) + 1 if last else size) if first else (max(size - int(last), 0), size)
    if first and last and end <= start:
        return None
    if start >= size:
        raise S3Error("InvalidRange", headers=(("Content-Range", f"bytes */{size}"),))
    return start, min(end, size)


def is_met(condition: str, etag: str) -> bool:
    """Whether an If-Match, or an If-None-Match, names an ETag.

    >>> is_met("*", '"a"'), is_met('"b", "a"', '"a"'), is_met("a", '"a"'), is_met('"b"', '"a"')
    (True, True, True, False)
    """
    return condition.strip() == "*" or etag.strip('"') in [each.strip().strip('"') for each in condition.split(",")]


class Entries(NamedTuple):
    """One page of a listing."""

    keys: list[str]
    prefixes: list[str]
    is_truncated: bool
    last: str
    """The last key or common prefix of the page: the next one begins after it."""


def page(keys: Iterable[str], prefix: str, delimiter: str, after: str, most: int) -> Entries:
    """The entries of a listing that come after `after`, at most so many. Keys are in the order of their bytes.

    >>> page(["a/1", "a/2", "b", "c"], "", "/", "", 2)
    Entries(keys=['b'], prefixes=['a/'], is_truncated=True, last='b')
    >>> page(["a/1", "a/2", "b", "c"], "", "/", "b", 2)
    Entries(keys=['c'], prefixes=[], is_truncated=False, last='c')
    """
    found: list[tuple[str, bool]] = []
    for key in sorted((key for key in keys if key.startswith(prefix)), key=str.encode):
        rest = key[len(prefix) :]
        is_prefix = bool(delimiter) and delimiter in rest
        name = prefix + rest.partition(delimiter)[0] + delimiter if is_prefix else key
        if name.encode() <= after.encode() or (is_prefix and after.startswith(name)) or found[-1:] == [(name, True)]:
            continue
        if len(found) == most:
            return _entries(found, is_truncated=True)
        found.append((name, is_prefix))
    return _entries(found, is_truncated=False)


def _entries(found: list[tuple[str, bool]], *, is_truncated: bool) -> Entries:
    keys = [name for name, is_prefix in found if not is_prefix]
    prefixes = [name for name, is_prefix in found if is_prefix]
    return Entries(keys, prefixes, is_truncated and bool(found), found[-1][0] if found else "")


def token(name: str) -> str:
    """A continuation token.

    >>> from_token(token("a/ü")), from_token("not one")
    ('a/ü', None)
    """
    return base64.b64encode(b"after:" + name.encode()).decode()


def from_token(text: str) -> str | None:
    """The name in a token; None where it is none."""
    try:
        found = base64.b64decode(text, validate=True)
        return found.removeprefix(b"after:").decode() if found.startswith(b"after:") else None
    except ValueError:
        return None


def encoded(name: str) -> str:
    """A key in a listing that was asked for in the encoding of URLs.

    >>> encoded("a b/ü+")
    'a+b/%C3%BC%2B'
    """
    return quote(name, safe="/ ").replace(" ", "+")
