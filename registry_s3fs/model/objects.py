"""Small records of objects, parts and uploads, which pass between `bucket` and the rest and are never changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, cast

Body = bytes | bytearray | memoryview

ObjectHeaders = Mapping[str, object]
"""The object headers, as fields of requests: ContentType, Metadata, CacheControl and the like."""

DEFAULT_HEADERS: ObjectHeaders = {"ContentType": "application/octet-stream"}
"""The object headers of every object that the registry writes (Go: ``driver.getContentType``)."""
STANDARD = "STANDARD"
"""The storage class of an object for which S3 names none."""
OBJECT_HEADERS = (
    *("ContentType", "Metadata", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"),
    *("Expires", "WebsiteRedirectLocation"),
)


class ObjectVersion(NamedTuple):
    """The object version that is meant: the one with this ETag, the one with this id in a versioned bucket, or any."""

    etag: str = ""
    version_id: str = ""
    size: int | None = None
    """The size of that object version in bytes, where it is known. A response with another size is an error."""


ANY = ObjectVersion()


@dataclass(slots=True)
class ObjectInfo:
    """What a listing or a HEAD tells of one object.

    It is not frozen, as that would triple the cost of making one, and a large listing makes many.
    """

    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str = STANDARD
    version_id: str = ""
    """The id of the object version. Only a HEAD or a listing of versions sets it, where the bucket has versions."""
    is_latest: bool = True
    head: Mapping[str, object] = field(default_factory=dict)
    """The further fields of a HEAD's response, under S3's names."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Return the user metadata; only a HEAD tells it."""
        return cast("Mapping[str, str]", self.head.get("Metadata", {}))

    @property
    def headers(self) -> ObjectHeaders:
        """Return the object headers that a copy keeps; only a HEAD tells them."""
        return {name: self.head[name] for name in OBJECT_HEADERS if self.head.get(name) is not None}


@dataclass(frozen=True)
class Page:
    """One page of a listing: objects, and prefixes that end in ``/``."""

    objects: list[ObjectInfo]
    prefixes: list[str]
    last: bool = False
    """Whether it is known that no page follows."""
    ignores_start: bool = False
    """Whether the server listed keys from before the one to start after. They are left out here."""

    @property
    def names(self) -> list[str]:
        """Return the keys as they came, or, where there are common prefixes, both in the order of their bytes."""
        keys = [item.key for item in self.objects]
        return sorted(keys + self.prefixes) if self.prefixes else keys

    @property
    def is_ordered(self) -> bool:
        """Return whether the keys are in the order of their UTF-8 bytes, as S3 lists them, and other stores may not."""
        keys = [item.key for item in self.objects]
        return keys == sorted(keys) and self.prefixes == sorted(self.prefixes)


class Checksum(NamedTuple):
    """The checksum of a whole object: S3's name of the algorithm, and the value."""

    algorithm: str
    value: bytes


@dataclass(frozen=True)
class Content:
    """Bytes of an object, the object version that they belong to, and the whole object's size."""

    data: bytes
    version: ObjectVersion
    size: int
    checksum: Checksum | None = None
    """The checksum of the whole object, if S3 sent one."""


@dataclass(frozen=True)
class Part:
    """An uploaded part of a multipart upload; `size` is in bytes."""

    number: int
    etag: str
    size: int
    modified: datetime | None = field(default=None, compare=False)
    """The time at which it was uploaded, which only ListParts tells, and not every server's."""


@dataclass(frozen=True)
class Upload:
    """A multipart upload that is neither completed nor aborted."""

    key: str
    upload_id: str
    initiated: datetime | None
    """The time at which it began, or None where the server does not tell."""
