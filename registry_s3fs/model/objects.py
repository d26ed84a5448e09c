"""What passes between `bucket` and the rest: small records of objects, parts and uploads, never changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

Body = bytes | bytearray | memoryview

ObjectHeaders = Mapping[str, Any]
"""What an object says of itself, as fields of requests: ContentType, Metadata, CacheControl and the like."""

DEFAULT_HEADERS: ObjectHeaders = {"ContentType": "application/octet-stream"}
"""Of every object the registry writes (Go: ``driver.getContentType``)."""
OBJECT_HEADERS = (
    *("ContentType", "Metadata", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"),
    *("Expires", "WebsiteRedirectLocation"),
)


class ObjectVersion(NamedTuple):
    """Which version of an object is meant: by its ETag, by its id in a versioned bucket, or any."""

    etag: str = ""
    version_id: str = ""
    size: int | None = None
    """Of that version, in bytes, where it is known: an answer that tells another one is not believed."""


ANY = ObjectVersion()


@dataclass(slots=True)
class ObjectInfo:
    """What a listing or a HEAD tells of one object. Not frozen: that would triple the cost of making one,
    and a large listing makes many."""

    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str = "STANDARD"
    version_id: str = ""
    """Only where the bucket has versions, and only from a HEAD or a listing of versions."""
    is_latest: bool = True
    head: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of a HEAD's answer, under S3's names."""

    @property
    def headers(self) -> ObjectHeaders:
        """What a copy keeps. Only from a HEAD."""
        return {name: self.head[name] for name in OBJECT_HEADERS if self.head.get(name) is not None}


@dataclass(frozen=True)
class Page:
    """One page of a listing: objects, and prefixes that end in ``/``."""

    objects: list[ObjectInfo]
    prefixes: list[str]
    last: bool = False
    """Whether it is known that no page follows."""
    ignores_start: bool = False
    """Whether the server listed keys from before the one to start after; they are left out here."""


class Checksum(NamedTuple):
    """Of a whole object: S3's name of the algorithm, and the value."""

    algorithm: str
    value: bytes


@dataclass(frozen=True)
class Content:
    """Bytes of an object, the version they belong to, and the whole object's size."""

    data: bytes
    version: ObjectVersion
    size: int
    checksum: Checksum | None = None
    """Of the whole object, if S3 told one."""


@dataclass(frozen=True)
class Part:
    """An uploaded part of a multipart upload; `size` in bytes."""

    number: int
    etag: str
    size: int


@dataclass(frozen=True)
class Upload:
    """A multipart upload that is neither completed nor aborted."""

    key: str
    upload_id: str
    initiated: datetime | None
    """None where the server does not tell."""
