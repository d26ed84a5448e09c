"""The local file that is stored.

A regular file is read in byte ranges, in any order. Any other file is read from its start to its end.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import NamedTuple

from fsspec.callbacks import Callback

from registry_s3fs.model import ranges
from registry_s3fs.model.objects import Body
from registry_s3fs.model.paths import StrPath
from registry_s3fs.threads.buffers import ReusedBuffers
from registry_s3fs.threads.signal_errors import is_of_handler
from registry_s3fs.transfer import local_paths
from registry_s3fs.transfer.upload import Chunk

logger = logging.getLogger("registry_s3fs")


@contextmanager
def opened(lpath: StrPath, callback: Callback) -> Iterator[LocalSource]:
    """Open a local file to be stored.

    The callback is told the file's size, where it has one, and the number of bytes stored.
    """
    with io.FileIO(os.fsdecode(lpath)) as file:
        yield LocalSource(file, lpath, callback)


class LocalSource:
    """An open local file, in chunks that any thread may read.

    A file is read to its end where it is not regular, where its size says 0, or where the kernel makes it up. The size
    of all others is known. A regular file must stay as it is until everything is stored.
    """

    def __init__(self, file: io.FileIO, lpath: StrPath, callback: Callback) -> None:
        self._file = file
        self._path = local_paths.absolute(lpath)
        self._callback = callback
        self._lock = threading.Lock()
        self._buffers = ReusedBuffers()
        found = os.fstat(file.fileno())
        lasting = stat.S_ISREG(found.st_mode) and not local_paths.is_made_by_kernel(local_paths.followed(lpath))
        self._states = self._look() if lasting else []
        self._size = found.st_size if lasting and found.st_size else None
        if self._size is not None:
            callback.set_size(self._size)

    def chunks(self, chunk_bytes: int) -> Iterator[Chunk]:
        """Return the file's bytes in chunks of `chunk_bytes`, or larger where S3's limits ask for it.

        There is at least one chunk.
        """
        if self._size is None:
            return self._chunks_to_the_end(chunk_bytes)
        extents = ranges.split_for_upload(self._size, chunk_bytes)
        return (Chunk(end - start, partial(self._range, start, end)) for start, end in extents)

    def check_unchanged(self) -> None:
        """Raise `OSError` where a regular file has changed since it was opened."""
        if self._states and not all(map(_InodeState.is_unchanged_since, self._look(), self._states)):
            raise self.changed()

    def _look(self) -> list[_InodeState]:
        """Return the states of the open file and of what its path leads to."""
        try:
            return [_InodeState.of(os.fstat(self._file.fileno())), _InodeState.of(os.stat(self._path))]
        except FileNotFoundError:
            raise self.changed() from None

    def changed(self) -> OSError:
        """Return the error that says that the file has changed."""
        text = (
            "the local file changed while it was being stored, and nothing was published; try again when it is at rest"
        )
        return OSError(errno.EBUSY, text, self._path)

    @contextmanager
    def _range(self, start: int, end: int) -> Iterator[bytearray]:
        memory = self._buffers.take(end - start)
        if fill(memory, partial(self._read_at, start)) < len(memory):
            raise self.changed()
        self.check_unchanged()  # no need to send what cannot be published
        with self._counted(memory):
            yield memory

    def _chunks_to_the_end(self, chunk_bytes: int) -> Iterator[Chunk]:
        for number in count(1):
            size = ranges.streamed_part_bytes(number, chunk_bytes)
            memory = self._buffers.take(size)
            filled = fill(memory, self._read_next)
            if self._states and not filled and number == 1:
                self._callback.set_size(0)
            if filled or number == 1:
                del memory[filled:]
                yield Chunk(filled, partial(self._counted, memory))
            if filled < size:
                return

    @contextmanager
    def _counted(self, memory: bytearray) -> Iterator[bytearray]:
        size = len(memory)
        with self._buffers.borrowed(memory):
            yield memory
        with self._lock:
            self._callback.relative_update(size)

    def _read_at(self, start: int, at: int, view: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [view], start + at)
        with self._lock:
            self._file.seek(start + at)
            return self._file.readinto(view)

    def _read_next(self, at: int, view: memoryview) -> int:
        found: int | None = self._file.readinto(view)
        if found is None:
            raise BlockingIOError(errno.EAGAIN, "the local file gives no bytes without waiting", self._path)
        return found


def fill(memory: bytearray, read: Callable[[int, memoryview], int]) -> int:
    """Read until the memory is full or the file is at its end, and return how many bytes were read.

    Several reads may be needed: a pipe gives a little at a time, and Linux gives at most 2 GiB.
    """
    with memoryview(memory) as view:
        at = 0
        while at < len(view):
            with view[at:] as rest:
                found = read(at, rest)
            if not found:
                break
            at += found
    return at


def without_special_files(pairs: Sequence[tuple[str, str]], named: Sequence[str]) -> list[tuple[str, str]]:
    """Leave out FIFOs, sockets and devices that the caller did not name.

    These were found in a directory or by a pattern. Reading them may never end. The log names those that are left out.
    """
    kept = []
    for source, target in pairs:
        if source not in named and _is_special(source):
            logger.warning("%s is a FIFO, socket or device, and is left out; name it to have it read", source)
        else:
            kept.append((source, target))
    return kept


def _is_special(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:  # to open it will tell
        if is_of_handler(error):
            raise
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def size_of(lpath: StrPath) -> int | None:
    """Return the size of a regular file, or None where the file is to be read to its end.

    It is None, too, where an error hides the size. The error is raised when the file is stored.
    """
    try:
        found = os.stat(lpath)
        is_told = stat.S_ISREG(found.st_mode) and not local_paths.is_made_by_kernel(local_paths.followed(lpath))
    except OSError as error:
        if is_of_handler(error):
            raise
        return None
    return found.st_size or None if is_told else None


@contextmanager
def whole(lpath: StrPath, most_bytes: int, callback: Callback) -> Iterator[Body]:
    """Read a local file that has at most `most_bytes`, and open its bytes.

    The file is closed before the block begins. Many files wait for the server side by side, and a process may have few
    descriptors.

    Raises:
        OSError: The file has changed, or has more bytes.
    """
    with ExitStack() as stack:
        with opened(lpath, callback) as source:
            chunks = source.chunks(most_bytes)
            chunk = next(chunks)
            if next(chunks, None) is not None:
                raise source.changed()
            body = stack.enter_context(chunk.body())
            source.check_unchanged()
        yield body


class _InodeState(NamedTuple):
    """The state of a file's inode, which tells whether the file's contents have changed."""

    contents: tuple[int, ...]
    changed_ns: int
    other: tuple[int, ...]

    @classmethod
    def of(cls, found: os.stat_result) -> _InodeState:
        """Return the state that an `os.stat_result` tells."""
        contents = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
        return cls(contents, found.st_ctime_ns, (found.st_mode, found.st_nlink, found.st_uid, found.st_gid))

    def is_unchanged_since(self, before: _InodeState) -> bool:
        """Return whether the contents are the same, as far as the inode tells.

        rsync and other programs set the time of the last write back. No program can set the time of the inode's last
        change.
        """
        return self.contents == before.contents and (self.changed_ns == before.changed_ns or self.other != before.other)
