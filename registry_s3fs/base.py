"""What the parts of `RegistryS3FileSystem` know of the whole."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from fsspec.spec import AbstractFileSystem

from registry_s3fs.bucket import Bucket
from registry_s3fs.concurrency import Pool
from registry_s3fs.parameters import DriverParameters


class OnBucket(AbstractFileSystem):
    """A filesystem on one bucket; `filesystem` has the methods that are only named here."""

    parameters: DriverParameters
    bucket: Bucket
    dircache: Any

    @property
    @abstractmethod
    def pool(self) -> Pool: ...

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
    def file_info(self, path: str, **how: Any) -> dict[str, Any]: ...
