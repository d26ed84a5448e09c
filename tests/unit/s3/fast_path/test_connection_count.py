"""The number of connections, by a simulation of one thread that drives them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import NamedTuple, Protocol

import pytest

from registry_s3fs.s3.fast_path.connection import RUNS_KNOWN, Connections, Endpoint
from registry_s3fs.s3.fast_path.connection_count import CONNECT_S, REQUEST_S, TLS_HANDSHAKE_S, ConnectionCount
from tests.thoroughly import thorough

KIB, MIB = 1024, 1024 * 1024
MOST = 64
BEGIN_S = 0.0001
"""The thread's time to begin a connection."""
FIXED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
LATENCIES_S = (0.001, 0.005, 0.01, 0.03, 0.1)
BYTES_PER_S = (50e6, 200e6, 1000e6)
COUNTS = (1, 10, 100, 1000, 10_000)


class Network(NamedTuple):
    """A network and what is asked over it."""

    requests: int
    size: int
    wait_s: float
    bytes_per_s: float
    is_tls: bool

    @property
    def handshake_s(self) -> float:
        return TLS_HANDSHAKE_S if self.is_tls else CONNECT_S

    @property
    def busy_s(self) -> float:
        """The thread's time for the body of a response."""
        return self.size * (1.2 if self.is_tls else 0.3) / 1024**3


class Policy(Protocol):
    def most(self, requests: int) -> int: ...
    def waited(self, seconds: float) -> None: ...
    def answered(self, wait_s: float, size: int, body_s: float) -> None: ...


class Fixed:
    def __init__(self, number: int) -> None:
        self.number = number

    def most(self, requests: int) -> int:
        return self.number

    def waited(self, seconds: float) -> None:
        """It does not learn."""

    def answered(self, wait_s: float, size: int, body_s: float) -> None:
        """It does not learn."""


class Run:
    """One thread, which is busy with one connection at a time, and looks again after a while where it may do more."""

    def __init__(self, network: Network, policy: Policy) -> None:
        self.network, self.policy = network, policy
        self.now = 0.0
        self.left, self.unanswered = network.requests, network.requests
        self.active = self.idle = 0
        self.order = itertools.count()
        self.events: list[tuple[float, int, Callable[[], None]]] = []

    def seconds(self) -> float:
        while self.unanswered:
            held = self._begin()
            due, _, event = self.events[0]
            if due > self.now:
                wait = min(due - self.now, self.network.handshake_s if held else due - self.now)
                self.policy.waited(wait)
                self.now += wait
            if due <= self.now:
                heapq.heappop(self.events)
                event()
        return self.now

    def _begin(self) -> bool:
        """Begin what may begin; whether something waits for a connection."""
        while self.left and self.active < MOST:
            if not self.idle and self.active >= max(1, self.policy.most(self.left + self.active)):
                return True
            self.active += 1
            self.left -= 1
            if self.idle:
                self.idle -= 1
                self._send()
            else:
                self.now += BEGIN_S
                self._later(self.network.wait_s / 2, self._shake_hands)
        return False

    def _shake_hands(self) -> None:
        self.now += self.network.handshake_s
        self._send()

    def _send(self) -> None:
        self.now += REQUEST_S
        self._later(self.network.wait_s + self.network.size / self.network.bytes_per_s, self._answered)

    def _answered(self) -> None:
        network = self.network
        self.now += network.busy_s
        self.unanswered -= 1
        self.active -= 1
        self.idle += 1
        self.policy.answered(network.wait_s, network.size, network.size / network.bytes_per_s)

    def _later(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + seconds, next(self.order), event))


@cache
def best(network: Network) -> float:
    """The seconds with the best fixed number."""
    fixed = [each for each in FIXED if each <= 2 * network.requests] if network.requests < 10_000 else FIXED[4::2]
    return min(Run(network, Fixed(each)).seconds() for each in fixed)


def share(network: Network, known_s: float | None = None) -> float:
    """How fast the learnt number is, where the best fixed number is 1."""
    return best(network) / Run(network, ConnectionCount(network.handshake_s, known_s)).seconds()


NETWORKS = [
    Network(count, size, wait_s, bytes_per_s, is_tls)
    for count, size, wait_s, bytes_per_s, is_tls in product(
        COUNTS, (16 * KIB, 4 * MIB), LATENCIES_S, BYTES_PER_S, (False, True)
    )
    if count * size <= 10_000 * 64 * KIB and (count < 10_000 or (wait_s != 0.005 and bytes_per_s == 200e6))
]
LONG_S = 0.05
"""A run of at least so many seconds."""


@pytest.mark.parametrize("count", [*COUNTS[:3], *thorough(*COUNTS[3:])])
def test_the_number_is_never_far_from_the_best_fixed_one(count: int) -> None:
    """From 1 to 100 ms, 50 to 1,000 MB/s a connection, and 1 to 10,000 requests, with TLS and without.

    A run takes at most a ninth longer than with the fixed number that is best for it. One of less than 50 ms, which is
    over before much can be learnt, takes at most a quarter longer.
    """
    shares = {network: share(network) for network in NETWORKS if network.requests == count}
    assert {
        network: found for network, found in shares.items() if found < (0.9 if best(network) > LONG_S else 0.8)
    } == {}


@pytest.mark.parametrize("count", COUNTS[1:3])
def test_what_was_learnt_serves_the_next_run(count: int) -> None:
    """Where the wait is known, short runs are near the best, too."""
    for network in (network for network in NETWORKS if network.requests == count):
        assert share(network, network.wait_s) >= 0.9


@pytest.mark.parametrize("times", [0.05, 0.3])
def test_a_wait_that_was_shorter_before_is_forgotten_at_the_first_answer(times: float) -> None:
    """An operation takes longer than the one before, or the network has become slower.

    The run takes at most a ninth and a wait longer than if nothing had been known: its first requests have gone out.
    """
    for network in (network for network in NETWORKS if network.requests in (100, 1000)):
        known = Run(network, ConnectionCount(network.handshake_s, network.wait_s * times)).seconds()
        unknown = Run(network, ConnectionCount(network.handshake_s)).seconds()
        assert known <= unknown / 0.9 + network.wait_s, network


def test_the_shortest_wait_of_a_run_counts() -> None:
    """Others were lengthened: by a busy server, or as this thread had something else to do."""
    count = ConnectionCount(0.002, wait_s=0.001)
    for wait_s in (0.03, 0.01, 0.05):
        count.answered(wait_s, 0, 0.0)
    assert count.wait_s == 0.01
    count.answered(0.0, 0, 0.0)  # by a coarse clock
    count.answered(0.03, 0, 0.0)
    assert count.wait_s == 0.0


def test_a_long_wait_of_one_call_opens_no_connections_for_the_next() -> None:
    """The large part of an upload was waited for. Connections whose handshakes are paid for cannot be forgotten."""
    connections = Connections(
        Endpoint("https://fake.invalid", context=None, connect_timeout_s=1, read_timeout_s=1), most=64
    )
    assert connections.wait_s is None
    for wait_s in (0.01, 0.5, None, 0.4):
        connections.rest(wait_s)
    assert connections.wait_s == 0.01
    for _ in range(RUNS_KNOWN):
        connections.rest(0.3)
    assert connections.wait_s == 0.3


def test_a_run_without_an_answer_teaches_nothing() -> None:
    """What was known before it is no wait of this run, and grows no younger by it."""
    connections = Connections(Endpoint("http://s3", context=None, connect_timeout_s=1, read_timeout_s=1), most=64)
    for wait_s in (0.001, 0.3, 0.3, 0.3):
        connections.rest(wait_s)
    for _ in range(RUNS_KNOWN):
        connections.rest(ConnectionCount(TLS_HANDSHAKE_S, connections.wait_s).wait_s)
    connections.rest(0.3)
    assert connections.wait_s == 0.3


def test_no_fixed_number_is_near_the_best_everywhere() -> None:
    """Else there would be nothing to learn."""
    for number in FIXED:
        short = (each for each in NETWORKS if each.requests in (10, 100))
        assert any(best(each) / Run(each, Fixed(number)).seconds() < 0.7 for each in short)


def test_what_pays_grows_with_the_wait_and_the_requests_and_falls_with_the_handshake() -> None:
    """As far as it goes, idle time adds to it."""
    assert ConnectionCount(0.002, 0.1).most(100) > ConnectionCount(0.002, 0.01).most(100)
    assert ConnectionCount(0.002, 0.1).most(100) > ConnectionCount(0.002, 0.1).most(10)
    assert ConnectionCount(0.0002, 0.1).most(100) > ConnectionCount(0.002, 0.1).most(100)
    idle = ConnectionCount(0.002, 0.01)
    before = idle.most(100)
    idle.waited(0.1)
    assert idle.most(100) == before + 25


def test_large_bodies_that_come_slowly_are_worth_more_connections() -> None:
    """Since a connection's bandwidth is waited for, too."""
    slow, quick = ConnectionCount(0.002, 0.01), ConnectionCount(0.002, 0.01)
    slow.answered(0.01, 4 * MIB, 0.4)
    quick.answered(0.01, 4 * MIB, 0.004)
    assert slow.most(20) > 2 * quick.most(20)


def test_one_request_takes_one_connection() -> None:
    """Whatever it waits for."""
    assert ConnectionCount(0.002, 0.0).most(1) == 1
