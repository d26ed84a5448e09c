"""What an open file needs of its filesystem."""

from __future__ import annotations

from typing import Any, Protocol

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.threads.pool import Pool


class FileHost(Protocol):
    """A filesystem, as far as its open files know it."""

    parameters: DriverParameters
    bucket: Bucket

    @property
    def pool(self) -> Pool:
        """The process's threads."""

    def file_head(self, path: str, *, version_id: str = "", checksum: bool = False) -> ObjectInfo:
        """Return what a HEAD tells of a file. Raises what the filesystem's `info` does."""

    def open(self, path: Any, mode: str = "rb", block_size: int | None = None, **how: Any) -> Any:
        """Open another file, or this one again."""

    def invalidate_cache(self, path: Any = None) -> None:
        """Forget what listings told of a path."""
