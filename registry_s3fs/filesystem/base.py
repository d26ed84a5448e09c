"""The base of the classes that `RegistryS3FileSystem` is made of, with what they use of each other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fsspec.dircache import DirCache
from fsspec.spec import AbstractFileSystem

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.model.info import Info
from registry_s3fs.model.paths import StrPath
from registry_s3fs.s3.bucket import Bucket, ObjectLocation
from registry_s3fs.threads.pool import Pool

Paths = StrPath | Iterable[StrPath]
"""A path or a pattern, or several of them."""


PathList = list[Any]
"""A list of paths, each a `StrPath`; no type but Any has a list of any of them, as lists are invariant."""


class OnBucket(AbstractFileSystem):
    """A filesystem on one bucket. The methods that are only declared here are fsspec's, or in `filesystem`."""

    if TYPE_CHECKING:  # fsspec's own methods, whose types it does not tell

        def read_text(
            self,
            path: StrPath,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            **how: object,
        ) -> str:
            """Return the text of a file."""
            ...

        def write_text(
            self,
            path: StrPath,
            value: str,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            **how: object,
        ) -> int:
            """Store text as a file."""
            ...

        def read_bytes(self, path: StrPath, start: int | None = None, end: int | None = None, **how: object) -> bytes:
            """Return the bytes of a file, or of a slice of it."""
            ...

        def write_bytes(self, path: StrPath, value: bytes, **how: object) -> None:
            """Store bytes as a file."""
            ...

        def stat(self, path: StrPath, **how: object) -> Info:
            """Return the same as `info`."""
            ...

        def listdir(self, path: StrPath, detail: bool = True, **how: object) -> list[Info] | list[str]:
            """Return the same as `ls`."""
            ...

        def disk_usage(
            self, path: StrPath, total: bool = True, maxdepth: int | None = None, **how: object
        ) -> int | dict[str, int]:
            """Return the same as `du`."""
            ...

        def download(self, rpath: Paths, lpath: Paths, recursive: bool = False, **how: object) -> None:
            """Do the same as `get`."""
            ...

        def upload(self, lpath: Paths, rpath: Paths, recursive: bool = False, **how: object) -> None:
            """Do the same as `put`."""
            ...

        def move(self, path1: Paths, path2: Paths, **how: object) -> None:
            """Do the same as `mv`."""
            ...

        def rename(self, path1: Paths, path2: Paths, **how: object) -> None:
            """Do the same as `mv`."""
            ...

        def cp(self, path1: Paths, path2: Paths, **how: object) -> None:
            """Do the same as `copy`."""
            ...

        def delete(self, path: Paths, recursive: bool = False, maxdepth: int | None = None) -> None:
            """Do the same as `rm`."""
            ...

        def makedir(self, path: StrPath, create_parents: bool = True, **how: object) -> None:
            """Do the same as `mkdir`."""
            ...

        def to_json(self, *, include_password: bool = True) -> str:
            """Return a JSON text from which fsspec makes the filesystem again."""
            ...

        def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
            """Return a dict from which fsspec makes the filesystem again."""
            ...

    parameters: DriverParameters
    bucket: Bucket
    dircache: DirCache

    @property
    def pool(self) -> Pool:
        """Return the process's threads for `max_concurrency` requests at once."""
        return self.bucket.pool

    @abstractmethod
    def _path(self, path: StrPath) -> str: ...

    @abstractmethod
    def _key(self, path: StrPath) -> str: ...

    def _location(self, path: StrPath) -> ObjectLocation:
        """Return the location of a file. Raise the same errors as `_key`."""
        return ObjectLocation(self.bucket, self._key(path))

    @abstractmethod
    def _target(self, path: Paths) -> str | list[str]: ...

    @abstractmethod
    def _chunk_bytes(self, block_size: int | str | None) -> int: ...

    @abstractmethod
    def _check(self, path: Paths) -> None: ...

    @abstractmethod
    def _told_apart(self, path: str, error: Exception) -> Exception: ...

    @abstractmethod
    def file_info(self, path: str, *, explain: bool = True, version_id: str = "") -> Info:
        """Return the info of a file by one HEAD request."""
        ...
