"""The comparison of an object's bytes, read in order, with what is known of all of them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Hash(Protocol):
    """A hash object, as those of `hashlib`."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Add bytes to what is hashed."""
        ...

    def digest(self) -> bytes:
        """Return the hash of the bytes so far."""
        ...


@dataclass(frozen=True)
class Expected:
    """What is known of an object's bytes."""

    begin: Callable[[], Hash]
    value: bytes
    mismatch: Callable[[bytes, int], OSError]
    """A function that returns the error for another value, given that value and the number of bytes."""


class Check:
    """A check that takes an object's bytes as they are read in order, from the first to the last.

    >>> import hashlib
    >>> expected = Expected(hashlib.sha256, hashlib.sha256(b"abc").digest(), lambda value, size: OSError("wrong"))
    >>> check = Check(expected)
    >>> check.take(0, b"ab", 3), check.take(2, b"c", 3)
    (None, None)
    >>> check.take(0, b"abd", 3)
    Traceback (most recent call last):
    OSError: wrong
    """

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._hash = expected.begin()
        self._reached: int | None = 0

    def take(self, start: int, data: bytes | memoryview, size: int) -> None:
        """Take bytes that were read at `start`, of `size` bytes in all.

        A read from the first byte begins the check anew. A read that leaves a gap ends the check.

        Raises:
            OSError: These were the last bytes, and the bytes as a whole differ from what is expected
                (`Expected.mismatch`).
        """
        if start == 0:
            self._hash, self._reached = self._expected.begin(), 0
        if start != self._reached:
            self._reached = None
            return
        self._hash.update(data)
        self._reached = start + len(data)
        if self._reached == size and self._hash.digest() != self._expected.value:
            raise self._expected.mismatch(self._hash.digest(), size)
