"""An archive's bytes, read forwards: pieces that come one after the other, or ranges of a stored archive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

MIN_WINDOW_BYTES = 1024 * 1024
"""What is read at a time. Skipping less than this would cost more than reading it, at 30 ms a request."""
MAX_WINDOW_BYTES = 8 * 1024 * 1024


class Archive(ABC):
    """An archive's bytes, read forwards."""

    position = 0
    """The number of bytes that were read and skipped."""

    def read(self, size: int) -> bytes:
        """Return the next bytes. There are fewer only at the end."""
        parts = []
        while size and (part := self._take(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    @abstractmethod
    def skip(self, size: int) -> int:
        """Skip bytes, and return how many there were."""

    @abstractmethod
    def _take(self, size: int) -> memoryview:
        """Return some of the next bytes, at most so many; none only at the end."""


class PiecesArchive(Archive):
    """An archive that comes in pieces.

    Args:
        pieces: Its bytes. None of the pieces is empty.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def skip(self, size: int) -> int:
        """Skip bytes, and return how many there were."""
        left = size
        while left and (part := self._take(left)):
            left -= len(part)
        return size - left

    def _take(self, size: int) -> memoryview:
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        part = self._piece[:size]
        self._piece = self._piece[size:]
        self.position += len(part)
        return part


class RangedArchive(Archive):
    """A stored archive, of which large bodies are not read. The more is read in order, the larger the ranges.

    Args:
        read: Returns the bytes from one offset up to another.
        size: The archive's size.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read = read
        self._size = size
        self._window = memoryview(b"")
        self._window_at = 0
        self._window_bytes = MIN_WINDOW_BYTES

    def skip(self, size: int) -> int:
        """Skip bytes, and return how many there were."""
        skipped = min(size, self._size - self.position)
        self.position += skipped
        return skipped

    def _take(self, size: int) -> memoryview:
        at = self.position - self._window_at
        if not 0 <= at < len(self._window):
            self._fetch()
            at = 0
        part = self._window[at : at + size]
        self.position += len(part)
        return part

    def _fetch(self) -> None:
        """Read the window at the position, a larger one where this goes on behind the last."""
        gap = self.position - (self._window_at + len(self._window))
        grown = min(2 * self._window_bytes, MAX_WINDOW_BYTES)
        self._window_bytes = grown if gap < MIN_WINDOW_BYTES and self.position else MIN_WINDOW_BYTES
        end = min(self.position + self._window_bytes, self._size)
        self._window_at = self.position
        self._window = memoryview(self._read(self.position, end) if end > self.position else b"")
