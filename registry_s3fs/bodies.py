"""The bytes of one read as they come in, over as many answers as it takes, in one piece of memory."""

from __future__ import annotations

import errno
from contextlib import closing
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
        """What to fill; released before `data` is asked for."""
        return self._buffer.getbuffer()

    def data(self) -> bytes:
        """The bytes."""
        return self._buffer.getvalue()


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
                taken = body.fill(self._view[self.count :])
                if not taken:
                    raise ConnectionResetError(errno.ECONNRESET, "the answer's body is shorter than it said")
                self.count += taken
            body.fill(memoryview(bytearray(1)))  # boto3 compares a checksum when nothing more comes
