"""Where downloaded bytes go: memory, a local file, or whatever takes them in their order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import IO, Any

from registry_s3fs import ranges
from registry_s3fs.bodies import Memory, memory

PIECES_AHEAD = 24
"""Of what is written to files, under way or waiting to be written: 96 MiB. A connection to S3 gives some 90 MB/s."""


class IntoMemory:
    """Memory for all of it, which each piece is received into."""

    most_pieces: int | None = None

    def __init__(self) -> None:
        self._memory: Memory | None = None
        self._views: list[memoryview] = []
        """Of the whole, and of the pieces."""
        self._start = 0

    def begin(self, start: int, end: int) -> None:
        """As `Target.begin`."""
        self._memory, self._start = Memory(end - start), start
        self._views.append(self._memory.view())

    def place(self, start: int, end: int) -> memoryview:
        """As `Target.place`."""
        self._views.append(self._views[0][start - self._start : end - self._start])
        return self._views[-1]

    def open(self) -> bool:
        """As `Target.open`."""
        return False

    def take(self, start: int, piece: memoryview) -> None:
        """As `Target.take`."""

    def finish(self) -> None:
        """As `Target.finish`."""
        while self._views:  # see `bodies.Memory.view`
            self._views.pop().release()

    def abandon(self, error: BaseException) -> None:
        """As `Target.abandon`."""
        self.finish()
        self._memory = None

    def data(self) -> bytes:
        """Return the bytes, once they are all there."""
        return self._memory.data() if self._memory else b""


class IntoView:
    """A part of somebody's memory, of bytes that the object is known to have."""

    most_pieces: int | None = None

    def __init__(self, view: memoryview, start: int) -> None:
        self._view, self._start = view, start

    def begin(self, start: int, end: int) -> None:
        """As `Target.begin`."""

    def place(self, start: int, end: int) -> memoryview:
        """As `Target.place`."""
        return self._view[start - self._start : end - self._start]

    def open(self) -> bool:
        """As `Target.open`."""
        return False

    def take(self, start: int, piece: memoryview) -> None:
        """As `Target.take`."""
        piece.release()

    def finish(self) -> None:
        """As `Target.finish`."""

    def abandon(self, error: BaseException) -> None:
        """As `Target.abandon`."""


class _Written:
    """What is common to targets whose pieces come into memory that is used again."""

    most_pieces: int | None = PIECES_AHEAD

    def __init__(self, callback: Any) -> None:
        self._callback = callback
        self._free: list[bytearray] = []

    def place(self, start: int, end: int) -> memoryview:
        """As `Target.place`."""
        size = end - start
        if size == ranges.PIECE_BYTES and self._free:
            return memoryview(self._free.pop())
        return memoryview(memory(size))

    def _use_again(self, piece: memoryview) -> None:
        used = piece.obj
        self._callback.relative_update(len(piece))
        piece.release()
        if isinstance(used, bytearray) and len(used) == ranges.PIECE_BYTES:
            self._free.append(used)


class IntoWrite(_Written):
    """A function that is handed the bytes in their order."""

    def __init__(self, write: Callable[[bytes], Any], callback: Any) -> None:
        super().__init__(callback)
        self._write = write

    def begin(self, start: int, end: int) -> None:
        """As `Target.begin`."""
        self._callback.set_size(end - start)

    def open(self) -> bool:
        """As `Target.open`."""
        return True

    def take(self, start: int, piece: memoryview) -> None:
        """As `Target.take`. What is handed on is `bytes`, which its taker may keep."""
        self._write(bytes(piece))
        self._use_again(piece)

    def finish(self) -> None:
        """As `Target.finish`."""

    def abandon(self, error: BaseException) -> None:
        """As `Target.abandon`."""


class IntoFile(_Written):
    """A local file, opened when the first bytes have come. Pieces are written to their places as they come, or in their
    order where the file cannot do otherwise."""

    def __init__(self, opened: Callable[[], AbstractContextManager[IO[bytes]]], callback: Any) -> None:
        super().__init__(callback)
        self._opening = opened
        self._opened: AbstractContextManager[IO[bytes]] | None = None
        self._file: IO[bytes] | None = None
        self._at = 0

    def begin(self, start: int, end: int) -> None:
        """As `Target.begin`."""
        self._callback.set_size(end - start)

    def open(self) -> bool:
        """As `Target.open`."""
        if self._file is None:
            self._opened = self._opening()
            self._file = self._opened.__enter__()
        return not self._file.seekable()

    def take(self, start: int, piece: memoryview) -> None:
        """As `Target.take`."""
        file: Any = self._file
        if start != self._at:
            file.seek(start)
        file.write(piece)
        self._at = start + len(piece)
        self._use_again(piece)

    def finish(self) -> None:
        """As `Target.finish`."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.__exit__(None, None, None)

    def abandon(self, error: BaseException) -> None:
        """As `Target.abandon`."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(BaseException):  # it raises the error again, which is its maker's to tell
                opened.__exit__(type(error), error, None)
