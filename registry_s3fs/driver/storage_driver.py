"""The registry's own storage interface, ``storagedriver.StorageDriver``, built on the parts of the filesystem."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast

from registry_s3fs.config.storage_options import StorageOptions
from registry_s3fs.driver.file_writer import FileWriter
from registry_s3fs.errors import (
    DRIVER_NAME,
    MISSING,
    FilledBuffer,
    InvalidOffsetError,
    InvalidPathError,
    PathNotFoundError,
    SkipDir,
    StorageDriverError,
    as_driver,
)
from registry_s3fs.filesystem.core import RegistryS3FileSystem
from registry_s3fs.listing import directory, walking
from registry_s3fs.model.objects import ObjectInfo

__all__ = [
    "FileInfo",
    "FileWriter",
    "FilledBuffer",
    "InvalidOffsetError",
    "InvalidPathError",
    "PathNotFoundError",
    "SkipDir",
    "StorageDriver",
    "StorageDriverError",
]

URL_SECONDS = 20 * 60
"""The seconds for which a redirect's URL is valid (Go: ``RedirectURL``)."""

_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_OPERATIONS = {"GET": "get_object", "HEAD": "head_object"}


@dataclass(frozen=True)
class FileInfo:
    """What `stat` and `walk` of a `StorageDriver` tell about a path.

    The `size` is in bytes, and 0 for a directory. S3 keeps no time for a directory, so its `mod_time` is None.
    """

    path: str
    size: int
    mod_time: datetime | None
    is_dir: bool


class StorageDriver:
    """The registry's ``storagedriver.StorageDriver`` for S3: ``s3-aws`` in Python, to be used beside the Go one.

    Paths are as strict as in Go: ``(/[A-Za-z0-9._-]+)+``, without components ``.`` and ``..``. Where a directory is
    meant, ``/`` is a path, too. Keys of other tools that no such path can name still appear in `list` and `walk`.
    The page of differences tells where this driver differs from the Go driver.

    >>> driver = StorageDriver.from_parameters({"bucket": "demo", "region": "us-east-1"})
    >>> driver.name(), driver.redirect_url("/a", "PUT")
    ('s3aws', '')
    >>> driver.put_content("/a/../b", b"")
    Traceback (most recent call last):
    registry_s3fs.errors.InvalidPathError: s3aws: '/a/../b' is no path of a storage driver; it must be absolute, \
and each component of letters, digits, '.', '_' and '-', but not '.' or '..'

    Every method raises these errors:

    - `InvalidPathError`: A path is not as described. No request was sent.
    - `PathNotFoundError`: There is no file, or no directory, at a path.
    - `StorageDriverError`: Anything else failed. The filesystem's error is its ``__cause__``.
    """

    def __init__(self, fs: RegistryS3FileSystem) -> None:
        self.fs = fs

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> StorageDriver:
        """Return the driver of a registry's ``storage: s3:`` block. `DriverParameters` tells the names and errors."""
        return cls(RegistryS3FileSystem(**cast(StorageOptions, parameters)))

    def __repr__(self) -> str:
        return f"StorageDriver({self.fs!r})"

    def name(self) -> str:
        """Return ``s3aws``, the Go driver's name."""
        return DRIVER_NAME

    # Files

    def get_content(self, path: str) -> bytes:
        """Return all bytes of a file."""
        with as_driver(_checked(path)):
            return bytes(self.fs._content(path))

    def put_content(self, path: str, content: bytes | bytearray | memoryview) -> None:
        """Store these bytes as the whole content of a file."""
        with as_driver(_checked(path)):
            self.fs.pipe_file(path, content)

    def reader(self, path: str, offset: int = 0) -> BinaryIO:
        """Open a file for reading.

        Args:
            path: The file's path.
            offset: The position of the first read, in bytes. Past the end of the file, reads return no bytes.

        Returns:
            A binary file. Its reads raise the filesystem's errors, such as `FileExpired`.

        Raises:
            InvalidOffsetError: The offset is negative.
        """
        if offset < 0:
            raise InvalidOffsetError(f"{DRIVER_NAME}: {path}: offset {offset} is negative")
        with as_driver(_checked(path)):
            file = self.fs.open(path, "rb")
            file.seek(offset)
        return file

    def writer(self, path: str, append: bool = False) -> FileWriter:
        """Begin an upload of a file, or continue one.

        What is at the path stays until the writer commits.

        Args:
            path: The file's path.
            append: Continue the upload that was left unfinished, here or by a registry. If there is none, the file must
                exist and be empty.

        Raises:
            StorageDriverError: With `append`, the file is committed and not empty.
        """
        return FileWriter(self.fs, _checked(path), append=append)

    def move(self, source: str, dest: str) -> None:
        """Move one file. Replace any file at `dest`. A file that is moved onto itself stays as it is."""
        _checked(dest)
        with as_driver(_checked(source)):
            if source == dest:
                self.fs.file_info(source)
                return
            self.fs.cp_file(source, dest)
            self.fs.bucket.delete(self.fs.bucket.space.key(source))
            self.fs.invalidate_cache(source)

    # Trees

    def stat(self, path: str) -> FileInfo:
        """Return what is at a path: a file, or else a directory with files below it."""
        with as_driver(_checked(path, root=True)):
            info = self.fs.info(path)
        return FileInfo(path, info["size"], info.get("LastModified"), info["type"] == "directory")

    def list(self, path: str) -> list[str]:
        """Return the paths of what lies directly in a directory, by name. The directory ``/`` always exists."""
        with as_driver(_checked(path, root=True)):
            found = directory.children(self.fs.bucket, path)
        if found is None and path != "/":
            raise _missing(path)
        return [info["name"] for info in found or ()]

    def delete(self, path: str) -> None:
        """Delete a file and all that lies below its path, and nothing beside it: ``/a`` leaves ``/ab``."""
        with as_driver(_checked(path)):
            self.fs.rm(path, recursive=True)

    def walk(self, path: str, fn: Callable[[FileInfo], None], start_after_hint: str = "") -> None:
        """Call a function with each file and directory below a directory.

        They come in the order of keys, from a flat listing.

        Args:
            path: The directory.
            fn: The function. It may raise `SkipDir` to leave out what lies below the path that it was given, or
                `FilledBuffer` to end the walk. Any other exception of it ends the walk, and is raised.
            start_after_hint: A path. What comes before it is left out, which may be everything.
        """
        start_after = self.fs.bucket.space.key(_checked(start_after_hint)) if start_after_hint else ""
        walk = walking.Walk(self.fs.bucket, _checked(path, root=True), start_after)
        entries = iter(walk)
        while True:
            with as_driver(path):
                entry = next(entries, None)
            if entry is None:
                break
            try:
                fn(_file_info(*entry))
            except SkipDir:
                walk.skip(entry[0])
            except FilledBuffer:
                return
        if not walk.found and path != "/" and not start_after_hint:
            raise _missing(path)

    def redirect_url(self, path: str, method: str = "GET") -> str:
        """Return a URL by which anyone may GET or HEAD the file for 20 minutes.

        No request is sent. The URL's host is `redirectendpoint`, where it is given.

        Args:
            path: The file's path.
            method: ``"GET"`` or ``"HEAD"``. For other methods, ``""`` is returned.
        """
        operation = _OPERATIONS.get(method)
        with as_driver(_checked(path)):
            return self.fs.sign(path, URL_SECONDS, operation) if operation else ""


def _checked(path: str, *, root: bool = False) -> str:
    """Return a path that is valid (Go: ``storagedriver.PathRegexp``), so that the filesystem takes it as it is.

    Raises:
        InvalidPathError: The path is not valid.
    """
    good = _PATH.fullmatch(path) and not {".", ".."} & set(path.split("/"))
    if not (good or (root and path == "/")):
        raise InvalidPathError(
            f"{DRIVER_NAME}: {path!r} is no path of a storage driver; it must be absolute, and each component of "
            "letters, digits, '.', '_' and '-', but not '.' or '..'"
        )
    return path


def _missing(path: str) -> PathNotFoundError:
    return PathNotFoundError(MISSING.number, f"{DRIVER_NAME}: {MISSING.text}", path)


def _file_info(path: str, found: ObjectInfo | None) -> FileInfo:
    if found is None:
        return FileInfo(path, 0, None, is_dir=True)
    return FileInfo(path, found.size, found.last_modified, is_dir=False)
