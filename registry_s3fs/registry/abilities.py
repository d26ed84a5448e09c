"""What filesystems of fsspec can do, beyond what all of them can: list by pages, be shared by threads, store whole."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.threads import pool

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")
R = TypeVar("R")

THREADS = 8
_OBJECT_STORES = frozenset(["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "tos"])
"""The protocols of stores whose files appear when they are complete, and not before."""


def is_ours(fs: AbstractFileSystem) -> bool:
    """Return whether a filesystem is this package's own, which lists by pages and stores a file whole or not at all."""
    return hasattr(fs, "iter_find")


def is_asynchronous(fs: AbstractFileSystem) -> bool:
    """Return whether a filesystem asks for many things side by side. fsspec's `DirFileSystem` says so of any other."""
    return bool(_below(fs).async_impl)


def is_object_store(fs: AbstractFileSystem) -> bool:
    """Return whether a small file that is put appears whole. Of a store that is not known, it is not believed.

    Not all asynchronous filesystems are object stores: sshfs writes to files that others see, and fsspec has a wrapper
    that makes any filesystem asynchronous.
    """
    return is_ours(fs) or (is_asynchronous(fs) and not _OBJECT_STORES.isdisjoint(protocols(_below(fs))))


def protocols(fs: AbstractFileSystem) -> tuple[str, ...]:
    """Return the names of a filesystem's protocol."""
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def side_by_side(
    filesystems: Iterable[AbstractFileSystem],
    call: Callable[[T], R],
    items: Iterable[T],
    workers: pool.Pool | None = None,
    ahead: int = THREADS,
) -> Generator[R, None, None]:
    """Yield the results of a call in the items' order: side by side, where threads may share the filesystems.

    Args:
        filesystems: What the call uses.
        call: The call.
        items: What it is called with.
        workers: The threads. By default, they are `THREADS`.
        ahead: How many results may wait to be taken.
    """
    if not all(map(threads_may_share, filesystems)):  # FTP has one connection, a zip archive one position
        yield from map(call, items)
        return
    results = (workers or pool.pool(THREADS)).each(call, items, ahead)
    try:
        yield from results
    finally:
        results.close()


def threads_may_share(fs: AbstractFileSystem) -> bool:
    """Return whether several threads may use a filesystem at a time. Of one that is not known, it is not believed."""
    return is_ours(fs) or is_asynchronous(fs) or isinstance(_below(fs), (LocalFileSystem, MemoryFileSystem))


def _below(fs: AbstractFileSystem) -> AbstractFileSystem:
    return _below(fs.fs) if isinstance(fs, DirFileSystem) else fs
