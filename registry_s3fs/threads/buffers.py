"""Memory for bytes that come in."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Protocol


class Sink(Protocol):
    """Takes a body as it comes, where there is no memory for all of it."""

    @property
    def left(self) -> int:
        """How many bytes are yet to come."""

    def space(self) -> memoryview:
        """Return memory for the next bytes, which others share; never empty while some are left."""

    def filled(self, count: int) -> None:
        """Take in so many bytes of `space()`."""

    def flush(self) -> None:
        """Pass on what was taken in, before anybody else has the memory."""

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes from memory of the caller's."""


def memory(size: int) -> bytearray:
    """Return so many bytes, which are zero.

    Raises:
        OSError: ENOMEM.
    """
    with _lacking(size):
        return bytearray(size)


@contextmanager
def naming_path(path: str) -> Iterator[None]:
    """Run the body; an `OSError` that names no path names this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = path
        raise


@contextmanager
def _lacking(size: int) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        text = f"there is no memory for {size} bytes; read or write less at a time"
        raise OSError(errno.ENOMEM, text) from None


class Memory:
    """So many bytes, filled in any order from any thread, and handed out as `bytes` without a copy.

    >>> memory = Memory(3)
    >>> with memory.view() as view:
    ...     view[1:] = b"bc"
    >>> memory.data()
    b'\\x00bc'
    """

    def __init__(self, size: int) -> None:
        # `bytes` of a bytearray, or a join, would be a copy; and zeros that nobody touches cost nothing.
        with _lacking(size):
            self._buffer = BytesIO(bytes(size))

    def view(self) -> memoryview:
        """What to fill; released before `data` is asked for, and each part of it, too.

        An exception would keep a part that is not. Python's garbage collector, where it comes to it with the
        exception, complains of the memory, and before 3.11.8 and 3.12.2 it could crash
        (https://github.com/python/cpython/issues/111049).
        """
        return self._buffer.getbuffer()

    def data(self) -> bytes:
        """The bytes."""
        return self._buffer.getvalue()


class ReusedBuffers:
    """Memory that is used again. To have the system hand out as much anew costs more than a copy of it.

    >>> buffers = ReusedBuffers()
    >>> with buffers.borrowed(buffers.take(3)) as memory:
    ...     memory[:] = b"abc"
    >>> buffers.take(3) is memory, buffers.take(3) is memory
    (True, False)
    """

    def __init__(self) -> None:
        self._free: deque[bytearray] = deque()

    def take(self, size: int) -> bytearray:
        """So many bytes, of any value."""
        try:
            free = self._free.pop()
        except IndexError:  # a look before would tell of what another thread takes
            return memory(size)
        return free if len(free) == size else memory(size)

    @contextmanager
    def borrowed(self, memory: bytearray) -> Iterator[bytearray]:
        """Memory that is free again when the block has ended well."""
        yield memory
        self._free.append(memory)
