"""When an answer counts as one that does not come. Pure."""

from __future__ import annotations

LEAST_BYTES_PER_S = 128
"""What a connection must bring over the read timeout: one that trickles would keep its caller for ever."""


class Progress:
    """Tells of an answer that is received whether it still comes on.

    It does not where no byte comes for `timeout_s` seconds, or fewer than `LEAST_BYTES_PER_S` a second over so long.

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
        """`timeout_s`: the read timeout; None, and nothing is ever taken for stopped."""
        self._timeout = float("inf") if timeout_s is None else timeout_s
        self.begin(now)

    def begin(self, now: float) -> None:
        """Begin to wait for an answer."""
        self._last = self._since = now
        self._bytes = 0

    def received(self, count: int, now: float) -> None:
        """Note that so many bytes came."""
        self._bytes += count
        self._last = now
        if now - self._since >= self._timeout and not self._trickles(now):
            self._since, self._bytes = now, 0

    def has_stopped(self, now: float) -> bool:
        """Return whether the answer does not come on."""
        return now - self._last >= self._timeout or self._trickles(now)

    def _trickles(self, now: float) -> bool:
        return now - self._since >= self._timeout and self._bytes < LEAST_BYTES_PER_S * self._timeout
