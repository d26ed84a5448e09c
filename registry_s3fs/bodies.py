"""The bytes of one read as they come in, over as many answers as it takes, in one piece of memory."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from typing import Any, Protocol

STEP_BYTES = 256 * 1024
"""What boto3 is asked for at a time: what is lost of a body of its own that breaks."""


class Body(Protocol):
    """The body of an answer."""

    def fill(self, view: memoryview) -> int:
        """Put what comes next into `view`, as soon as there is something; gives how much, 0 at the end.

        Raises the SDK's errors where the connection breaks.
        """

    def close(self) -> None:
        """Give up what was not read."""


class StreamingBody:
    """One of boto3's."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self.close = body.close

    def fill(self, view: memoryview) -> int:
        """As `Body`."""
        data = self._body.read(min(len(view), STEP_BYTES))
        view[: len(data)] = data
        return len(data)


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


class Spare:
    """Memory that is used again. To have the system hand out as much anew costs more than a copy of it.

    >>> spare = Spare()
    >>> with spare.lent(spare.take(3)) as memory:
    ...     memory[:] = b"abc"
    >>> spare.take(3) is memory, spare.take(3) is memory
    (True, False)
    """

    def __init__(self) -> None:
        self._free: deque[bytearray] = deque()

    def take(self, size: int) -> bytearray:
        """So many bytes, of any value."""
        try:
            memory = self._free.pop()
        except IndexError:  # a look before would tell of what another thread takes
            return bytearray(size)
        return memory if len(memory) == size else bytearray(size)

    @contextmanager
    def lent(self, memory: bytearray) -> Iterator[bytearray]:
        """Memory that is free again when the block has ended well."""
        yield memory
        self._free.append(memory)


class Received:
    """How far some memory has been filled.

    >>> view = memoryview(bytearray(3))
    >>> received = Received(view)
    >>> received.take(StreamingBody(BytesIO(b"ab")))
    Traceback (most recent call last):
    ConnectionResetError: [Errno 104] the answer's body is shorter than it said
    >>> received.take(StreamingBody(BytesIO(b"c")))
    >>> received.count, bytes(view)
    (3, b'abc')
    """

    def __init__(self, view: memoryview) -> None:
        self.count = 0
        self._view = view

    def take(self, body: Body) -> None:
        """Take a body to its end; where it breaks, what came before is kept."""
        with closing(body):
            while self.count < len(self._view):
                with self._view[self.count :] as rest:
                    taken = body.fill(rest)
                if not taken:
                    raise ConnectionResetError(errno.ECONNRESET, "the answer's body is shorter than it said")
                self.count += taken
            body.fill(memoryview(bytearray(1)))  # boto3 compares a checksum when nothing more comes
