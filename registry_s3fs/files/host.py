"""The protocol through which an open file uses its filesystem."""

from __future__ import annotations

from typing import BinaryIO, Literal, Protocol

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.model.paths import StrPath
from registry_s3fs.s3.bucket import Bucket


class FileHost(Protocol):
    """The part of a filesystem that its open files know."""

    parameters: DriverParameters
    bucket: Bucket

    def file_head(self, path: str, *, version_id: str = "", checksum: bool = False) -> ObjectInfo:
        """Return what a HEAD request tells about a file. Raise the same errors as the filesystem's `info`."""

    def open(self, path: StrPath, mode: Literal["rb"] = "rb", block_size: int | None = None, **how: object) -> BinaryIO:
        """Open another file, or open this one again."""

    def invalidate_cache(self, path: StrPath | None = None) -> None:
        """Forget the cached listings that concern a path."""
