"""What was learned of layers, kept within a bound of bytes: in memory, or in a folder that processes share.

What was used longest ago goes first. Keys name what they are of by its digest. What comes out of a cache is compared
by its reader, so nothing is believed that a disk or another process damaged.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from registry_s3fs.threads.fork import Guard

MEMORY_BYTES = 256 * 1024 * 1024
"""The bound of a cache in memory."""
FOLDER_BYTES = 4 * 1024 * 1024 * 1024
"""The bound of a cache in a folder."""
_ABANDONED_SECONDS = 3600
_NEW = ".new-"


class Cache(Protocol):
    """Keeps bytes by a key that could be a file's name."""

    max_bytes: int

    def get(self, key: str) -> bytes | None:
        """Return what is kept, or None."""

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes, if they take at most half of the room."""


def new_cache(cache: str | os.PathLike[str] | Cache | None, max_bytes: int | None = None) -> Cache:
    """Return a cache in memory, or in a folder.

    Args:
        cache: The folder. By default the cache is in memory. A cache is returned as it is.
        max_bytes: The bound. By default `MEMORY_BYTES` or `FOLDER_BYTES`.

    Raises:
        OSError: The folder cannot be made.
    """
    if cache is None:
        return MemoryCache(MEMORY_BYTES if max_bytes is None else max_bytes)
    if isinstance(cache, (str, os.PathLike)):
        return FolderCache(cache, FOLDER_BYTES if max_bytes is None else max_bytes)
    return cache


class MemoryCache:
    """A cache in memory.

    >>> cache = MemoryCache(max_bytes=10)
    >>> for key in ("a", "b", "c"):
    ...     cache.put(key, b"four")
    >>> cache.get("a"), cache.get("c")
    (None, b'four')
    """

    def __init__(self, max_bytes: int = MEMORY_BYTES) -> None:
        self.max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._guard = Guard()

    def get(self, key: str) -> bytes | None:
        """Return what is kept, or None."""
        with self._guard.lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes, if they take at most half of the room."""
        if len(data) > self.max_bytes // 2:
            return
        with self._guard.lock:
            self._bytes += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._bytes > self.max_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])


class FolderCache:
    """A cache in a folder, which several processes may use, and any of them may be killed.

    A file is written beside its place and renamed. The bound is looked at whenever a sixteenth of it was written, so
    each process may go beyond it by that much.

    Args:
        folder: The folder. It is made where it is missing, for this user alone. What else is in it is not touched.
        max_bytes: The bound.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str], max_bytes: int = FOLDER_BYTES) -> None:
        self.max_bytes = max_bytes
        self._folder = Path(folder).expanduser().absolute() / "registry-s3fs-layers"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._unseen = max_bytes
        self._guard = Guard()

    def get(self, key: str) -> bytes | None:
        """Return what is kept, or None."""
        path = self._folder / key
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes, if they take at most half of the room. Where they cannot be written, they are not kept."""
        if len(data) > self.max_bytes // 2:
            return
        new = self._folder / f"{_NEW}{secrets.token_hex(8)}"
        try:
            new.write_bytes(data)
            new.replace(self._folder / key)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            return
        with self._guard.lock:
            self._unseen += len(data)
            if self._unseen > self.max_bytes // 16:
                self._unseen = 0
                self._evict()

    def _evict(self) -> None:
        """Delete the files that were used longest ago, and those that a killed process left half written."""
        files = sorted(self._files())
        excess = sum(size for _, size, _ in files) - self.max_bytes
        for used, size, path in files:
            is_abandoned = path.name.startswith(_NEW) and used < time.time() - _ABANDONED_SECONDS
            if excess > 0 or is_abandoned:
                with contextlib.suppress(OSError):
                    path.unlink()
                excess -= size

    def _files(self) -> list[tuple[float, int, Path]]:
        files = []
        with contextlib.suppress(OSError), os.scandir(self._folder) as listed:
            for entry in listed:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    files.append((status.st_mtime, status.st_size, Path(entry.path)))
        return files
