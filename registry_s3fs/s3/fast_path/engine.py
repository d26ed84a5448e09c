"""The engine by which one thread drives many connections.

It works on the connections that are ready, and waits for all of them at once.
"""

from __future__ import annotations

import errno
import selectors
import time
from collections import deque
from collections.abc import Callable, Generator

from registry_s3fs.s3.fast_path.connection import Connection, Connections, Steps
from registry_s3fs.s3.fast_path.connection_count import ConnectionCount
from registry_s3fs.s3.fast_path.response import NotPlainError, Place, ResponseReader
from registry_s3fs.threads import cancellation
from registry_s3fs.threads.signal_errors import is_of_handler

LOOKED_AT_S = 0.25
"""After so many seconds the engine looks whether a response has stopped coming, or whether the work is cancelled."""
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS)

_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.DefaultSelector)
"""This selector needs no descriptor of its own, as it waits for few sockets for a short time."""


class Exchange:
    """One request and its response.

    After `drive` it has either a whole response or a `failure`.
    """

    __slots__ = ("body", "connection", "failure", "method", "reader", "request", "waited_s", "was_reused")

    def __init__(
        self,
        method: str,
        request: Callable[[], bytes],
        *,
        body: bytes | bytearray | memoryview = b"",
        place: Place | None = None,
    ) -> None:
        """Prepare a request that is not sent yet.

        `request` gives the head to send, and signs it when it is about to be sent. `place` is that of `ResponseReader`.
        """
        self.method = method
        self.request = request
        self.body = body
        self.reader = ResponseReader(method, place)
        self.failure: Exception | None = None
        """It is a `NotPlainError`, an `OSError` of the connection, a `MemoryError`, or that of making the request."""
        self.connection = 0
        """It is the number of the exchange's connection."""
        self.waited_s = 0.0
        """It is the time from the request to the end of its response."""
        self.was_reused = False
        """It is True where the connection had served a request before."""

    def __repr__(self) -> str:  # without what is sent
        return f"<Exchange {self.method}>"


Due = Callable[[], "Exchange | None"]
"""It gives the next exchange to begin.

None says that there is no other exchange at present. Where no exchange is under way, None says that there is none at
all.
"""


def drive(connections: Connections, due: Due, at_once: int, left: Callable[[], int]) -> Generator[Exchange, None, None]:
    """Carry out exchanges, at most `at_once` side by side, and yield each as it ends.

    They end in any order. The generator ends when no exchange is under way and `due` gives None. Where the caller
    closes it earlier, it closes the connections in use. `left` tells how many exchanges are yet to begin, as far as
    that is known; on that it depends how many connections are worth it.
    """
    run = _Run(connections, due, at_once, left)
    try:
        while True:
            run.begin_due()
            while run.ended:
                yield run.ended.popleft()
                run.begin_due()
            if not run.active:
                return
            run.work()
    finally:
        run.close()


class _Run:
    """The state of one call of `drive`."""

    def __init__(self, connections: Connections, due: Due, at_once: int, left: Callable[[], int]) -> None:
        self.ended: deque[Exchange] = deque()
        self.active: dict[Connection, tuple[Exchange, Steps]] = {}
        self._connections = connections
        self._due = due
        self._left = left
        self._at_once = at_once
        self._count = ConnectionCount(connections.endpoint.handshake_s, connections.wait_s)
        self._is_held = False
        """It is True where an exchange may be due for which one more connection was not worth it."""
        self._put_off: deque[Exchange] = deque()
        self._selector = _Selector()
        self._waiting: dict[int, tuple[Connection, int]] = {}
        """The keys are descriptors, the values are connections and what they wait for.

        A connection that is done stays, since it is used next.
        """
        self._look_at = time.monotonic() + LOOKED_AT_S

    def begin_due(self) -> None:
        """Begin as many exchanges as are due, may run, and are worth a connection."""
        self._is_held = False
        while len(self.active) < self._at_once and (not self.active or self._connections.has_room()):
            if not self._is_worth_one_more():
                self._is_held = True
                return
            exchange = self._put_off.popleft() if self._put_off else self._due()
            if exchange is None:
                return
            self._begin(exchange)

    def _is_worth_one_more(self) -> bool:
        """Return whether a connection is idle, or one more is worth its handshake."""
        active = len(self.active)
        return not active or bool(self._connections.idle) or active < self._count.most(active + max(1, self._left()))

    def _begin(self, exchange: Exchange) -> None:
        try:
            head = exchange.request()
            connection = self._connections.take()
        except Exception as error:  # it is this exchange's own failure
            if is_of_handler(error):
                raise
            self._end_with(exchange, error)
            return
        exchange.connection, exchange.was_reused = connection.number, connection.requests > 0
        self.active[connection] = exchange, connection.exchange(head, exchange.body, exchange.reader)
        self._step(connection)

    def work(self) -> None:
        """Wait until a connection is ready, and drive it on."""
        began = time.monotonic()
        ready = self._selector.select(self._connections.endpoint.handshake_s if self._is_held else LOOKED_AT_S)
        self._count.waited(time.monotonic() - began)
        for key, _ in ready:
            if key.data in self.active and key.data.fileno() == key.fd:
                self._step(key.data)
            else:
                self._forget(key.fd)
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOKED_AT_S
            cancellation.check()
            for connection in [each for each in self.active if each.progress.has_stopped(now)]:
                self._step(connection, _give_up)

    def _step(self, connection: Connection, go_on: Callable[[Steps], int] = next) -> None:
        exchange, steps = self.active[connection]
        try:
            event = go_on(steps)
        except StopIteration:
            self._end(connection, exchange)
        except (NotPlainError, MemoryError) as error:
            self._fail(connection, error)
        except OSError as error:
            if is_of_handler(error):
                raise
            self._fail(connection, error)
        else:
            self._wait_for(connection, event)

    def _wait_for(self, connection: Connection, event: int) -> None:
        descriptor = connection.fileno()
        before = self._waiting.get(descriptor)
        if before == (connection, event):
            return
        if before is not None:  # it waited for something else, or was another connection's
            self._forget(descriptor)
        self._selector.register(descriptor, event, connection)
        self._waiting[descriptor] = connection, event

    def _forget(self, descriptor: int) -> None:
        if self._waiting.pop(descriptor, None) is not None:
            self._selector.unregister(descriptor)

    def _end(self, connection: Connection, exchange: Exchange) -> None:
        del self.active[connection]
        self.ended.append(exchange)
        wait_s, body_s = connection.times()
        exchange.waited_s = wait_s + body_s
        self._count.answered(wait_s, exchange.reader.received + len(exchange.body), body_s)
        if exchange.reader.reusable:
            self._connections.give_back(connection)
        else:
            self._close(connection)

    def _fail(self, connection: Connection, error: Exception) -> None:
        exchange, _ = self.active.pop(connection)
        self._close(connection)
        if self.active and getattr(error, "errno", None) in NO_DESCRIPTORS:
            self._at_once = len(self.active)
            self._put_off.append(exchange)
            return
        self._end_with(exchange, error)

    def _end_with(self, exchange: Exchange, error: Exception) -> None:
        exchange.failure = error.with_traceback(None)  # whose frames hold what was sent, and memory
        self.ended.append(exchange)

    def _close(self, connection: Connection) -> None:
        if connection.sock is not None:
            self._forget(connection.fileno())
        self._connections.close(connection)

    def close(self) -> None:
        """Close the connections in use."""
        for connection, (exchange, steps) in self.active.items():
            self._connections.close(connection)
            steps.close()
            exchange.reader.end()
        self.active.clear()
        self._connections.rest(self._count.wait_s)
        self._selector.close()


def _give_up(steps: Steps) -> int:
    return steps.throw(TimeoutError(errno.ETIMEDOUT, "no answer in time, or one that trickles"))
