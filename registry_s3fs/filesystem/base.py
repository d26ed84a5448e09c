"""The base of the classes that `RegistryS3FileSystem` is made of, with what they use of each other."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractFileSystem

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.threads.pool import Pool


class OnBucket(AbstractFileSystem):
    """A filesystem on one bucket. The methods that are only declared here are fsspec's, or in `filesystem`."""

    if TYPE_CHECKING:  # fsspec's own methods, whose types it does not tell

        def read_text(
            self,
            path: Any,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            **how: Any,
        ) -> str:
            """Return the text of a file."""
            ...

        def write_text(
            self,
            path: Any,
            value: str,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            **how: Any,
        ) -> int:
            """Store text as a file."""
            ...

        def read_bytes(self, path: Any, start: int | None = None, end: int | None = None, **how: Any) -> bytes:
            """Return the bytes of a file, or of a slice of it."""
            ...

        def write_bytes(self, path: Any, value: bytes, **how: Any) -> None:
            """Store bytes as a file."""
            ...

        def sizes(self, paths: list[Any]) -> list[int]:
            """Return the sizes of files in bytes."""
            ...

        def stat(self, path: Any, **how: Any) -> dict[str, Any]:
            """Return the same as `info`."""
            ...

        def listdir(self, path: Any, detail: bool = True, **how: Any) -> list[Any]:
            """Return the same as `ls`."""
            ...

        def disk_usage(self, path: Any, total: bool = True, maxdepth: int | None = None, **how: Any) -> Any:
            """Return the same as `du`."""
            ...

        def download(self, rpath: Any, lpath: Any, recursive: bool = False, **how: Any) -> None:
            """Do the same as `get`."""
            ...

        def upload(self, lpath: Any, rpath: Any, recursive: bool = False, **how: Any) -> None:
            """Do the same as `put`."""
            ...

        def move(self, path1: Any, path2: Any, **how: Any) -> None:
            """Do the same as `mv`."""
            ...

        def rename(self, path1: Any, path2: Any, **how: Any) -> None:
            """Do the same as `mv`."""
            ...

        def cp(self, path1: Any, path2: Any, **how: Any) -> None:
            """Do the same as `copy`."""
            ...

        def delete(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
            """Do the same as `rm`."""
            ...

        def makedir(self, path: Any, create_parents: bool = True, **how: Any) -> None:
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
    dircache: Any

    @property
    @abstractmethod
    def pool(self) -> Pool:
        """Return the thread pool of the process."""
        ...

    @abstractmethod
    def _path(self, path: Any) -> str: ...

    @abstractmethod
    def _key(self, path: Any) -> str: ...

    @abstractmethod
    def _target(self, path: Any) -> Any: ...

    @abstractmethod
    def _chunk_bytes(self, block_size: Any) -> int: ...

    @abstractmethod
    def _check(self, path: Any) -> None: ...

    @abstractmethod
    def _told_apart(self, path: str, error: Exception) -> Exception: ...

    @abstractmethod
    def file_info(self, path: str, **how: Any) -> dict[str, Any]:
        """Return the info of a file by one HEAD request."""
        ...
