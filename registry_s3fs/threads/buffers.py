"""Memory for bytes that come in."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Protocol

from registry_s3fs.threads import huge_pages


class Sink(Protocol):
    """A taker of a body as it comes, for use where there is no memory for all of it."""

    @property
    def left(self) -> int:
        """Return how many bytes are yet to come."""

    def space(self) -> memoryview:
        """Return memory for the next bytes, which others share; it is never empty while some bytes are left."""

    def filled(self, count: int) -> None:
        """Take in the first `count` bytes of `space()`."""

    def flush(self) -> None:
        """Pass on what was taken in, before anybody else uses the memory."""

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes from the caller's memory."""


def memory(size: int) -> bytearray:
    """Return a buffer of `size` bytes, which are zero.

    Raises:
        OSError: There is no memory for it (ENOMEM).
    """
    with _lacking(size):
        return bytearray(size)


@contextmanager
def naming_path(path: str) -> Iterator[None]:
    """Run the body; give an `OSError` that names no path this path."""
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
    r"""A buffer that is filled in any order from any thread, and handed out as `bytes` without a copy.

    >>> memory = Memory(3)
    >>> with memory.view() as view:
    ...     view[1:] = b"bc"
    >>> memory.data()
    b'\x00bc'
    """

    def __init__(self, size: int) -> None:
        # `bytes` of a bytearray, or a join, would be a copy; and zeros that nobody touches cost nothing.
        with _lacking(size):
            self._buffer = BytesIO(bytes(size))
        self._may_be_large = True

    def view(self) -> memoryview:
        """Return a view of the buffer to fill.

        Release it, and each slice of it, before `data` is called. An exception would keep a slice that is not released.
        When Python's garbage collector then meets the slice together with the exception, it complains of the memory.
        Before 3.11.8 and 3.12.2 it could crash (https://github.com/python/cpython/issues/111049).
        """
        return self._buffer.getbuffer()

    def touch(self, start: int, end: int) -> None:
        """Get the memory of the bytes from `start` up to `end` from the system: call it just before they are filled."""
        if self._may_be_large:
            with self._buffer.getbuffer() as view:
                self._may_be_large = huge_pages.touch(view, start, end)

    def data(self) -> bytes:
        """Return the bytes."""
        return self._buffer.getvalue()


class ReusedBuffers:
    """Buffers that are used again, as new memory from the system costs more than a copy of as many bytes.

    >>> buffers = ReusedBuffers()
    >>> with buffers.borrowed(buffers.take(3)) as memory:
    ...     memory[:] = b"abc"
    >>> buffers.take(3) is memory, buffers.take(3) is memory
    (True, False)
    """

    def __init__(self) -> None:
        self._free: deque[bytearray] = deque()

    def take(self, size: int) -> bytearray:
        """Return a buffer of `size` bytes, of any value."""
        try:
            free = self._free.pop()
        except IndexError:  # a look before would tell of what another thread takes
            return memory(size)
        return free if len(free) == size else memory(size)

    @contextmanager
    def borrowed(self, memory: bytearray) -> Iterator[bytearray]:
        """Lend a buffer, which is free again when the block has ended without an exception."""
        yield memory
        self._free.append(memory)
