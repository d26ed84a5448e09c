"""The places where downloaded bytes go: memory, a local file, or a function that takes them in their order."""

from __future__ import annotations

import errno
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import IO

from fsspec.callbacks import Callback

from registry_s3fs.model import ranges
from registry_s3fs.threads.buffers import Memory, Sink, memory
from registry_s3fs.threads.signal_errors import is_of_handler

PIECES_AHEAD = 24
"""The most byte ranges that are under way or waiting to be written, where there is memory for each.

One connection to S3 gives a fraction of what a network can.
"""
SCRATCH_BYTES = 256 * 1024
"""The size of the memory that a file's bytes pass through.

What fits into a processor's cache costs half as much as 4 MiB at a time did.
"""


class IntoMemory:
    """A target that holds all bytes in memory, into which each byte range is received."""

    most_pieces: int | None = None

    def __init__(self) -> None:
        self._memory: Memory | None = None
        self._views: list[memoryview] = []
        """The views of the whole memory and of its byte ranges."""
        self._start = 0

    def begin(self, start: int, end: int, *, in_order: bool) -> None:
        """See `Target.begin`."""
        self._memory, self._start = Memory(end - start), start
        self._views.append(self._memory.view())

    def place(self, start: int, end: int) -> memoryview:
        """See `Target.place`."""
        start, end = start - self._start, end - self._start
        if self._memory is not None:
            self._memory.touch(start, end)
        self._views.append(self._views[0][start:end])
        return self._views[-1]

    def open(self) -> bool:
        """See `Target.open`."""
        return False

    def take(self, start: int, piece: memoryview | Sink) -> None:
        """See `Target.take`."""

    def finish(self) -> None:
        """See `Target.finish`."""
        while self._views:  # see `buffers.Memory.view`
            self._views.pop().release()

    def abandon(self, error: BaseException) -> None:
        """See `Target.abandon`."""
        self.finish()
        self._memory = None

    def data(self) -> bytes:
        """Return the bytes, once they are all there."""
        return self._memory.data() if self._memory else b""


class IntoView:
    """A target in the caller's memory, for bytes that the object is known to have."""

    most_pieces: int | None = None

    def __init__(self, view: memoryview, start: int) -> None:
        self._view, self._start = view, start

    def begin(self, start: int, end: int, *, in_order: bool) -> None:
        """See `Target.begin`."""

    def place(self, start: int, end: int) -> memoryview:
        """See `Target.place`."""
        return self._view[start - self._start : end - self._start]

    def open(self) -> bool:
        """See `Target.open`."""
        return False

    def take(self, start: int, piece: memoryview | Sink) -> None:
        """See `Target.take`."""
        if isinstance(piece, memoryview):
            piece.release()

    def finish(self) -> None:
        """See `Target.finish`."""

    def abandon(self, error: BaseException) -> None:
        """See `Target.abandon`."""


class _Taken(ABC):
    """The common base of targets whose byte ranges come into reused memory and are taken in their order."""

    most_pieces: int | None = PIECES_AHEAD

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._free: list[bytearray] = []

    def begin(self, start: int, end: int, *, in_order: bool) -> None:
        """See `Target.begin`."""
        self._callback.set_size(end - start)

    def place(self, start: int, end: int) -> memoryview | Sink:
        """See `Target.place`."""
        size = end - start
        if size == ranges.PIECE_BYTES and self._free:
            return memoryview(self._free.pop())
        return memoryview(memory(size))

    def take(self, start: int, piece: memoryview | Sink) -> None:
        """See `Target.take`."""
        if not isinstance(piece, memoryview):
            return
        self._write(piece)
        used = piece.obj
        self._callback.relative_update(len(piece))
        piece.release()
        if isinstance(used, bytearray) and len(used) == ranges.PIECE_BYTES:
            self._free.append(used)

    @abstractmethod
    def _write(self, piece: memoryview) -> None: ...


class IntoWrite(_Taken):
    """A target that hands the bytes to a function, in their order."""

    def __init__(self, write: Callable[[bytes], object], callback: Callback) -> None:
        super().__init__(callback)
        self._take = write

    def open(self) -> bool:
        """See `Target.open`."""
        return True

    def _write(self, piece: memoryview) -> None:
        self._take(bytes(piece))  # which its taker may keep

    def finish(self) -> None:
        """See `Target.finish`."""

    def abandon(self, error: BaseException) -> None:
        """See `Target.abandon`."""


class IntoFile(_Taken):
    """A target that is a local file, which is opened when the first bytes have come.

    Bytes are written to their places as they come. They are written in their order where the file cannot do otherwise,
    or where they are compared with a checksum or digest.
    """

    def __init__(self, opened: Callable[[], AbstractContextManager[IO[bytes]]], callback: Callback) -> None:
        super().__init__(callback)
        self._opening = opened
        self._opened: AbstractContextManager[IO[bytes]] | None = None
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._is_abandoned = False
        self._in_order = False
        self._scratch: memoryview | None = None

    def begin(self, start: int, end: int, *, in_order: bool) -> None:
        """See `Target.begin`."""
        super().begin(start, end, in_order=in_order)
        self._in_order = in_order

    def place(self, start: int, end: int) -> memoryview | Sink:
        """See `Target.place`."""
        if self.open() or self._in_order:
            return super().place(start, end)
        if self._scratch is None:
            self._scratch = memoryview(memory(SCRATCH_BYTES))
        return Window(self._write_at, start, end, self._scratch)

    def _write_at(self, data: memoryview, at: int) -> int:
        """Write bytes to their place, and return how many.

        After the end nothing is written, though the bytes count as written. boto3's threads may run on after it, and
        the descriptor may be another file's then.
        """
        with self._lock:
            if self._opened is None or self._file is None:
                return len(data)
            return os.pwrite(self._file.fileno(), data, at)

    def open(self) -> bool:
        """See `Target.open`."""
        file = self._file or self._begun_file()
        return not (file.seekable() and hasattr(os, "pwrite"))  # which Windows lacks

    def _begun_file(self) -> IO[bytes]:
        """Open the file. Raise in a thread of boto3's that comes late, when nobody would close it."""
        opened = self._opening()
        file = opened.__enter__()
        with self._lock:
            if not self._is_abandoned:
                self._file, self._opened = file, opened
                return file
        late = OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        with suppress(OSError):  # it raises the error again
            opened.__exit__(type(late), late, None)
        raise late

    def take(self, start: int, piece: memoryview | Sink) -> None:
        """See `Target.take`."""
        if isinstance(piece, Window):
            self._callback.relative_update(piece.finish())
        else:
            super().take(start, piece)

    def _write(self, piece: memoryview) -> None:
        if self._file is not None:  # `open` was called before
            self._file.write(piece)

    def finish(self) -> None:
        """See `Target.finish`."""
        opened = self._let_go()
        if opened is not None:
            opened.__exit__(None, None, None)

    def abandon(self, error: BaseException) -> None:
        """See `Target.abandon`."""
        self._is_abandoned = True
        opened = self._let_go()
        if opened is not None:
            with suppress(BaseException):  # it raises the error again, which is its maker's to tell
                opened.__exit__(type(error), error, None)

    def _let_go(self) -> AbstractContextManager[IO[bytes]] | None:
        with self._lock:
            opened, self._opened = self._opened, None
        return opened


class Window:
    """A `Sink` that writes bytes to their place in a file; an error of a write is raised by `finish`."""

    def __init__(self, write_at: Callable[[memoryview, int], int], start: int, end: int, scratch: memoryview) -> None:
        self._write_at = write_at
        self._start, self._at, self._end = start, start, end
        self._scratch = scratch
        self._held = 0
        """The number of bytes in the scratch memory."""
        self._error: OSError | None = None

    @property
    def left(self) -> int:
        """See `Sink.left`."""
        return self._end - self._at - self._held

    def space(self) -> memoryview:
        """See `Sink.space`."""
        return self._scratch[self._held : self._held + self.left]

    def filled(self, count: int) -> None:
        """See `Sink.filled`."""
        self._held += count
        if self._held == len(self._scratch):
            self.flush()

    def flush(self) -> None:
        """See `Sink.flush`."""
        held, self._held = self._held, 0
        self.write(self._scratch[:held])

    def write(self, data: bytes | memoryview) -> None:
        """See `Sink.write`."""
        view = memoryview(data)
        while view:
            count = len(view) if self._error else self._written(view)
            self._at += count
            view = view[count:]

    def _written(self, view: memoryview) -> int:
        try:
            return self._write_at(view, self._at)
        except OSError as error:
            if is_of_handler(error):
                raise
            self._error = error
            return len(view)

    def finish(self) -> int:
        """Return how many bytes were written.

        Raises:
            OSError: A write failed.
        """
        if self._error is not None:
            raise self._error
        return self._at - self._start
