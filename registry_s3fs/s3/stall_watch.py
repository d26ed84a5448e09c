"""The test of when a response counts as one that does not come.

The module does no I/O.
"""

from __future__ import annotations

LEAST_BYTES_PER_S = 128
"""A connection must bring so much over the read timeout, as one that trickles would keep its caller for ever."""


class Progress:
    """A test of whether a response that is being received still makes progress.

    It makes none where no byte comes for `timeout_s` seconds. It makes none either where fewer than `LEAST_BYTES_PER_S`
    bytes a second come over so long.

    >>> progress = Progress(30, now=0)
    >>> progress.has_stopped(now=29), progress.has_stopped(now=30)
    (False, True)
    >>> progress.received(5000, now=29)
    >>> progress.has_stopped(now=31), progress.has_stopped(now=59)
    (False, True)
    >>> progress = Progress(30, now=0)
    >>> for second in range(31):
    ...     progress.received(1, now=second)
    >>> progress.has_stopped(now=30)
    True
    """

    def __init__(self, timeout_s: float | None, now: float) -> None:
        """Begin to wait for a response.

        `timeout_s` is the read timeout. With None, no response ever counts as stopped.
        """
        self._timeout = float("inf") if timeout_s is None else timeout_s
        self.begin(now)

    def begin(self, now: float) -> None:
        """Begin to wait for a response."""
        self._last = self._since = now
        self._bytes = 0

    def received(self, count: int, now: float) -> None:
        """Note that so many bytes came."""
        self._bytes += count
        self._last = now
        if now - self._since >= self._timeout and not self._trickles(now):
            self._since, self._bytes = now, 0

    def has_stopped(self, now: float) -> bool:
        """Return whether the response makes no progress."""
        return now - self._last >= self._timeout or self._trickles(now)

    def _trickles(self, now: float) -> bool:
        return now - self._since >= self._timeout and self._bytes < LEAST_BYTES_PER_S * self._timeout
