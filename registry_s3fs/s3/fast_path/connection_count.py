"""How many connections are worth their handshakes. Pure: no clock and no sockets.

More connections share the wait for responses, but each one costs the thread that drives them a handshake, and the
thread itself is busy for a moment with every request. With `k` connections, `n` requests that wait `w` seconds each and
keep the thread busy for `c` seconds each are no sooner answered than in ``n * w / k``, and the thread is busy for
``n * c + k * h``, where `h` is a handshake. More connections pay as long as the first is longer than the second.
"""

from __future__ import annotations

import math

TLS_HANDSHAKE_S = 0.0015
"""The processor time of a TLS handshake.

It was 0.6 to 1.3 ms here. Longer chains of certificates take longer, so it is set above that.
"""
CONNECT_S = 0.0002
"""The same for a connection without TLS."""
REQUEST_S = 0.00015
"""The processor time of a request and its response without the body."""
BYTE_S = 1e-9
"""The processor time of a byte of a body."""
LEAST_WAIT_S = 0.002
"""The wait for a response that is assumed before the thread has waited for longer."""
SPENT_OF_IDLE = 0.5
"""The share of its idle time that a thread spends on more connections: that time costs nothing."""


class ConnectionCount:
    """The number of connections for one run of requests to one endpoint.

    >>> count = ConnectionCount(TLS_HANDSHAKE_S, wait_s=0.03)
    >>> count.most(1000), count.most(64), count.most(4), ConnectionCount(CONNECT_S, wait_s=0.001).most(1000)
    (101, 33, 9, 7)
    """

    def __init__(self, handshake_s: float, wait_s: float | None = None) -> None:
        """Begin a run.

        Args:
            handshake_s: The seconds of processor time that one more connection costs.
            wait_s: The seconds that a request to this endpoint waits for the first byte of its response, as far as that
                is known from earlier runs. It does not outlive the first response of this run: the network may have
                become slower, or the operation is a slower one.
        """
        self.wait_s: float | None = None
        """The shortest wait for a first byte in this run, in seconds. None before the first response."""
        self._known_wait_s = wait_s
        self._handshake_s = handshake_s
        self._idle_s = 0.0
        self._answers = 0
        self._bytes = 0
        self._bytes_per_s = 0.0

    def waited(self, seconds: float) -> None:
        """Note that the thread had nothing to do for so long."""
        self._idle_s += seconds

    def answered(self, wait_s: float, size: int, body_s: float) -> None:
        """Note how long a response's first byte was waited for, and how many bytes of body came in how many seconds."""
        self.wait_s = wait_s if self.wait_s is None else min(wait_s, self.wait_s)
        self._answers += 1
        self._bytes += size
        if body_s > 0:
            self._bytes_per_s = max(self._bytes_per_s, size / body_s)

    def most(self, requests: int) -> int:
        """Return how many connections are worth it for so many requests that are not answered yet."""
        size = self._bytes / self._answers if self._answers else 0.0
        busy = requests * (REQUEST_S + size * BYTE_S)
        waiting = requests * self._request_s(size)
        pays = (math.sqrt(busy * busy + 4 * self._handshake_s * waiting) - busy) / (2 * self._handshake_s)
        return max(1, math.ceil(pays + SPENT_OF_IDLE * self._idle_s / self._handshake_s))

    def _request_s(self, size: float) -> float:
        """Return the seconds that a request takes from its end to that of its response."""
        wait_s = self._known_wait_s if self.wait_s is None else self.wait_s
        if wait_s is None:
            wait_s = max(self._idle_s, LEAST_WAIT_S)
        return wait_s + (size / self._bytes_per_s if self._bytes_per_s else 0.0)
