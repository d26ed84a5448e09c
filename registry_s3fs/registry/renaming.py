"""A file takes another name, in any filesystem, with whatever it has for that. Names are never patterns."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

_CHUNK_BYTES = 8 * 1024 * 1024


def rename(fs: AbstractFileSystem, source: str, target: str) -> None:
    """Give a file another name; a file of that name is replaced.

    fsspec's own `mv` takes names for patterns, and a disk's moves a file into a folder of that name. Where a filesystem
    has neither `mv` nor `cp_file`, the bytes pass through this process.
    """
    fs = getattr(fs, "sync_fs", fs)  # of fsspec's AsyncFileSystemWrapper
    if isinstance(fs, DirFileSystem):
        rename(fs.fs, fs._join(source), fs._join(target))
        return
    if isinstance(fs, LocalFileSystem):
        os.replace(fs._strip_protocol(source), fs._strip_protocol(target))
        return
    for way in (_move, _copy, _write):
        with suppress(NotImplementedError):
            way(fs, source, target)
            return
    raise NotImplementedError(f"{type(fs).__name__} can neither rename, copy nor write files")


def _move(fs: AbstractFileSystem, source: str, target: str) -> None:
    if type(fs).mv is AbstractFileSystem.mv:
        raise NotImplementedError
    fs.mv(source, target)


def _copy(fs: AbstractFileSystem, source: str, target: str) -> None:
    fs.cp_file(source, target)
    fs.rm_file(source)


def _write(fs: AbstractFileSystem, source: str, target: str) -> None:
    try:
        with fs.open(source, "rb") as old, fs.open(target, "wb") as new:
            shutil.copyfileobj(old, new, _CHUNK_BYTES)
    except BaseException:
        with suppress(Exception):
            fs.rm_file(target)  # of which only a part is there
        raise
    fs.rm_file(source)
