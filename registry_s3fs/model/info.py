"""What fsspec's dictionaries say of a file or directory here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypedDict

from registry_s3fs.model.text import in_utc, time_of

_MODIFIED = ("LastModified", "last_modified", "updated", "modified", "mtime", "created")
"""What filesystems call the time of the last write, the surest first. The memory filesystem has only ``created``."""


class _Named(TypedDict):
    """What every info has, on any filesystem of fsspec."""

    name: str
    """The path."""
    size: int
    """The size in bytes; 0 for a directory."""
    type: Literal["file", "directory"]


class Info(_Named, total=False):
    """The info of a file or directory. It is a plain `dict`, which type checkers know the keys of.

    A directory has only the first three keys. A listing tells `ETag`, `LastModified` and `StorageClass` of each file.
    The keys after them come from one file's own request.
    """

    ETag: str
    """The ETag, with its quotes."""
    LastModified: datetime
    """When the object was written, with its time zone."""
    StorageClass: str
    VersionId: str
    """The id of the object version, in a bucket that has versions."""
    IsLatest: bool
    """Whether it is the newest version. Only `object_version_info` tells it."""
    ContentType: str
    ServerSideEncryption: str
    SSEKMSKeyId: str
    metadata: Mapping[str, str]
    """The user metadata."""


class _Upload(TypedDict):
    """What `list_multipart_uploads` says of every upload."""

    name: str
    """The path of the file that it would become."""
    UploadId: str
    Initiated: datetime | None
    """When it was begun, with its time zone, or None where the store does not tell it."""


class UploadInfo(_Upload, total=False):
    """What `list_multipart_uploads` says of an upload. The keys below come with ``parts=True`` alone."""

    parts: int
    """The number of its parts."""
    part_bytes: int
    """The bytes of its parts, which are paid for."""
    LastModified: datetime | None
    """When its newest part was uploaded, or None where it has none, or the store does not tell."""


def is_directory(info: Mapping[str, object]) -> bool:
    """Return whether an info of any filesystem is a directory's. Some leave the type out."""
    return info.get("type", "file") == "directory"


def modified(info: Mapping[str, object]) -> datetime | None:
    """Return when a file was written, by the word that its filesystem has for it.

    >>> modified({"name": "/a", "mtime": 0.5})
    datetime.datetime(1970, 1, 1, 0, 0, 0, 500000, tzinfo=datetime.timezone.utc)
    >>> modified({"name": "/a", "last_modified": "2026-01-01T00:00:00Z"}).year
    2026
    """
    told = next((info[name] for name in _MODIFIED if info.get(name) is not None), None)
    if isinstance(told, str):
        try:
            told = datetime.fromisoformat(told.replace("Z", "+00:00"))
        except ValueError:
            return None
    if isinstance(told, datetime):
        return in_utc(told)
    return time_of(told) if isinstance(told, (int, float)) else None
