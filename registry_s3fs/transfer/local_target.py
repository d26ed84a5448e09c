"""The local file that an object is fetched into.

A regular file is replaced as a whole. Any other file is written into.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from registry_s3fs.model.paths import StrPath
from registry_s3fs.threads.signal_errors import is_of_handler
from registry_s3fs.transfer import local_paths

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

logger = logging.getLogger("registry_s3fs")

MAX_PARTIAL_NAME_BYTES = 100
"""The most bytes of a file's name that its partial file's name repeats.

What is put around them has 39 more bytes. Some file systems take 143 in all (eCryptfs), most take 255.
"""
NEW_MODE = 0o666
"""The mode of a file that did not exist. The umask takes bits from it."""
OWNERS_MODE = 0o600
"""The most that a partial file's mode has, until it gets owner, group and mode of the file that it replaces."""


@contextmanager
def opened(lpath: StrPath) -> Iterator[IO[bytes]]:
    """Open a local file to be written from its beginning to its end.

    A missing or regular file takes its new bytes all at once when the block ends without an exception. Otherwise, what
    was there stays. Symbolic links are followed, and the file that they lead to is replaced.

    Any other file is written into as the bytes come: a device, a FIFO, a file of /proc or /sys, or an open descriptor
    such as /dev/stdout. Its ``seekable()`` returns False.

    Raises:
        OSError: The system refused it; `filename` holds the path. For a directory it is `IsADirectoryError`.
    """
    path = local_paths.followed(lpath)
    found = refuse_directory(lpath)
    try:
        with _replaced(path, found) if _is_replaced(path, found) else _written_into(path) as file:
            yield file
    except OSError as error:
        if error.errno is not None and error.filename is None:  # of a write: the disk is full, nobody reads the pipe
            error.filename = path
        raise


def refuse_directory(lpath: StrPath) -> os.stat_result | None:
    """Return the status of the file at a path, or None where there is none.

    Raises:
        IsADirectoryError: The path leads to a directory.
    """
    found = _look(lpath)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), local_paths.followed(lpath))
    return found


def write_all(file: SupportsWrite[Any]) -> Callable[[bytes], object]:
    """Return a `write` for a user's file object that writes all of the bytes, even where the file takes some at a time.

    A file object that says nothing of how many it took has taken all, unless it is one of `io`'s without a buffer.
    """

    def write(data: bytes | memoryview) -> None:
        while data:
            count = file.write(data)
            if count is None and isinstance(file, io.RawIOBase):
                raise BlockingIOError(errno.EAGAIN, "the file object takes no more bytes without waiting")
            if not isinstance(count, int):
                return
            if not 0 < count <= len(data):
                raise OSError(errno.EIO, f"the file object says that it took {count} of {len(data)} bytes")
            data = memoryview(data)[count:]

    return write


def partial_name(name: str) -> str:
    r"""Return a new name for the bytes of a file until it is whole: ``.NAME.HEX.part``.

    >>> partial_name("f")  # doctest: +ELLIPSIS
    '.f....part'
    >>> len(partial_name("\u732b" * 85).encode()) <= 143
    True
    """
    short = os.fsencode(name)[:MAX_PARTIAL_NAME_BYTES].decode(errors="ignore")
    return f".{short}.{uuid.uuid4().hex}.part"


def _look(lpath: StrPath) -> os.stat_result | None:
    try:
        return os.stat(lpath)
    except FileNotFoundError:
        return None


def _is_replaced(path: str, found: os.stat_result | None) -> bool:
    regular = found is None or stat.S_ISREG(found.st_mode)
    return regular and not local_paths.is_made_by_kernel(path) and not local_paths.is_descriptor(path)


@contextmanager
def _replaced(path: str, found: os.stat_result | None) -> Iterator[IO[bytes]]:
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    partial = os.path.join(folder, partial_name(name))
    try:
        with _created(partial, path, NEW_MODE if found is None else OWNERS_MODE & found.st_mode) as file:
            if found is not None:
                _take_over(file.fileno(), found)
            yield file
        _rename(partial, path)
    except BaseException:
        _remove(partial)
        raise


def _created(partial: str, path: str, mode: int) -> IO[bytes]:
    try:
        return open(partial, "xb", opener=lambda name, flags: os.open(name, flags, mode))
    except OSError as error:
        if is_of_handler(error):
            raise
        text = f"no file can be made beside it, to take its place once that is whole ({error.strerror})"
        raise OSError(error.errno, text, path) from error


def _rename(partial: str, path: str) -> None:
    try:
        os.replace(partial, path)
    except OSError as error:
        if is_of_handler(error):
            raise
        raise OSError(error.errno, error.strerror, path) from error


def _take_over(descriptor: int, found: os.stat_result) -> None:
    """Give a new file the permissions of an existing one, and its owner and group as far as the system allows."""
    if not hasattr(os, "fchmod"):  # Windows
        return
    for owner in (found.st_uid, -1):
        try:
            os.fchown(descriptor, owner, found.st_gid)
        except OSError as error:
            if is_of_handler(error):
                raise
        else:
            break
    permissions = found.st_mode & 0o777  # a write by another than root takes set-user-ID away, too
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != permissions:  # FAT knows no chmod, and has one mode for all
        os.fchmod(descriptor, permissions)


def _remove(partial: str) -> None:
    try:
        os.unlink(partial)
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.warning("partial file %s is left behind: %s", partial, error)


class _InOrder(io.FileIO):
    """A file whose bytes are written in their order, even where the system would let the caller choose their places."""

    def seekable(self) -> bool:
        """Return False, as bytes are written in their order only."""
        return False


def _written_into(path: str) -> IO[bytes]:
    own = local_paths.own_descriptor(path)
    if own is None:
        return io.BufferedWriter(_InOrder(path, "wb"))
    # Opened anew, a redirected output would lose what was written to it before, and a socket cannot be opened.
    return io.BufferedWriter(_InOrder(os.dup(own), "wb"))
