"""Files stored whole on any filesystem: what is interrupted leaves the former file, or none.

Our own filesystem publishes a file when it is complete, and object stores a small one that is put. Elsewhere a file is
written beside its place, and moved there. The file beside it that a killed run has left is removed by the next.
"""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from typing import BinaryIO

from fsspec import AbstractFileSystem

from registry_s3fs import errors
from registry_s3fs.registry import folders
from registry_s3fs.registry.abilities import is_object_store, is_ours, side_by_side
from registry_s3fs.registry.reading import raise_if_unreachable
from registry_s3fs.registry.renaming import rename
from registry_s3fs.threads import cancellation

_OF_WRITES = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
"""The errors that only writes have."""
_BESIDE = re.compile(r"(.+)\.partial-[0-9a-f]{8}")


def place_of_leftover(path: str) -> str | None:
    """Return the file that was being written where another run was killed, or None for a path of anything else.

    >>> place_of_leftover("/blobs/sha256/ab/abc/data.partial-0011aaff"), place_of_leftover("/blobs/data")
    ('/blobs/sha256/ab/abc/data', None)
    """
    found = _BESIDE.fullmatch(path)
    return found[1] if found else None


def remove_leftovers(fs: AbstractFileSystem, leftovers: Iterable[str]) -> None:
    """Remove what killed runs were writing, where the whole file is stored now."""
    for path in leftovers:
        if fs.exists(place_of_leftover(path)):
            with suppress(FileNotFoundError):  # another run has removed it
                fs.rm_file(path)


class Writer:
    """Stores files in a filesystem, whole or not at all.

    Args:
        fs: The filesystem.
        are_alike: Whether other runs that write a file of the same path write the same bytes. If one of them has
            stored the file and cleared away what is written here, that counts as done.
    """

    def __init__(self, fs: AbstractFileSystem, *, are_alike: bool = True) -> None:
        self._fs = fs
        self._are_alike = are_alike
        self._puts_whole = is_object_store(fs)
        self._token = secrets.token_hex(4)

    def store(self, files: Mapping[str, bytes]) -> dict[str, OSError]:
        """Store small files, and return the errors of those that were not stored.

        Raises:
            ConnectionError: The server cannot be reached.
            TimeoutError: It does not answer.
        """
        if not self._puts_whole:
            return self._errors_of(files)
        try:
            self._fs.pipe(dict(files))
        except errors.BulkError as error:
            for each in error.errors.values():
                raise_if_unreachable(each)
            return {path: _as_os_error(path, each) for path, each in error.errors.items()}
        except Exception as error:  # noqa: BLE001  # of some filesystem: which of the files is not told
            raise_if_unreachable(error)
            return self._errors_of(files)
        return {}

    def put(self, path: str, data: bytes) -> None:
        """Store a small file."""
        if self._puts_whole:
            self._fs.pipe_file(path, data)
            return
        with self._beside(path) as partial_path:
            self._fs.pipe_file(partial_path, data)

    def publish(self, path: str, content: Iterable[bytes]) -> None:
        """Store a file of the pieces of its content."""
        with self.opened(path) as file:
            for piece in content:
                file.write(piece)

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """Give a file to write to, which is stored at the end of the block, and never after an exception in it."""
        if is_ours(self._fs):
            with self._fs.open(path, "wb") as file:
                yield file
            return
        with self._beside(path) as partial_path, self._fs.open(partial_path, "wb") as file:
            yield file

    def remove_leftovers_of(self, small: Iterable[str], large: Iterable[str] = ()) -> None:
        """Remove what killed runs were writing of files that are stored now. Their folders are listed.

        Args:
            small: Files that are small enough to be put.
            large: Others.
        """
        names: dict[str, set[str]] = {}
        for path in chain(() if self._puts_whole else small, () if is_ours(self._fs) else large):
            folder, _, name = path.rpartition("/")
            names.setdefault(folder, set()).add(name)
        listed = side_by_side([self._fs], partial(folders.infos, self._fs), names)
        for (folder, wanted), infos in zip(names.items(), listed, strict=True):
            found = (str(info["name"]).rpartition("/")[2] for info in infos)
            remove_leftovers(self._fs, [f"{folder}/{name}" for name in found if place_of_leftover(name) in wanted])

    def _errors_of(self, files: Mapping[str, bytes]) -> dict[str, OSError]:
        stored = side_by_side([self._fs], lambda file: self._error_of(*file), files.items())
        return {path: error for path, error in zip(files, stored, strict=True) if error}

    def _error_of(self, path: str, data: bytes) -> OSError | None:
        cancellation.check()  # after Ctrl-C; on a disk, nothing else would end it
        try:
            self.put(path, data)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001  # it stands for the file
            return _as_os_error(path, error)
        return None

    @contextmanager
    def _beside(self, path: str) -> Iterator[str]:
        """Give the name of a file beside another, which takes the other's name at the end of the block."""
        partial_path = f"{path}.partial-{self._token}"
        if not self._puts_whole:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            yield partial_path
            try:
                rename(self._fs, partial_path, path)
            except FileNotFoundError:  # another run has cleared it away
                if not self._are_alike or not self._fs.exists(path):
                    raise
        except BaseException as error:
            with suppress(Exception):
                self._fs.rm_file(partial_path)
            if isinstance(error, OSError) and error.errno in _OF_WRITES and error.filename is None:
                error.filename = path  # a disk's write does not tell it
            raise


def _as_os_error(path: str, error: Exception) -> OSError:
    return error if isinstance(error, OSError) else errors.unreadable(path, error)
