"""The kept-alive connections to one endpoint.

Whoever waits for a connection drives it a step at a time.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
import weakref
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from urllib.parse import urlsplit
from weakref import WeakSet

from registry_s3fs.s3.fast_path.connection_count import CONNECT_S, TLS_HANDSHAKE_S
from registry_s3fs.s3.fast_path.response import SCRATCH_BYTES, ResponseReader
from registry_s3fs.s3.sockets import MAX_IDLE_S, descriptors_allowed, keep_alive
from registry_s3fs.s3.stall_watch import Progress

ADDRESSES_KEPT_S = 30.0
RUNS_KNOWN = 4
"""The number of runs of which it is known how long they waited. A run is a HEAD, a page, or a `cat` of many."""
USED_SHARE, IDLE_SHARE = 2, 4
"""Connections in use take at most a half of the descriptors that a process may have, and idle ones at most a quarter.

Files and the rest of the program need some, too.
"""

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""What `socket.getaddrinfo` gives to connect to: of IPv4, of IPv6, and of a Python without IPv6."""

Steps = Generator[int, None, None]
"""This is the work on a connection. It yields what must be waited for: EVENT_READ or EVENT_WRITE."""

_WAITS: dict[type[OSError], int] = {ssl.SSLWantReadError: EVENT_READ, ssl.SSLWantWriteError: EVENT_WRITE}
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """One connection to an endpoint.

    Its errors are `OSError` (of TLS, too) and `NotPlainError`. After an error it must be closed.
    """

    def __init__(self, endpoint: Endpoint, number: int) -> None:
        self.number = number
        self.requests = 0
        """It is the number of requests sent over the connection so far."""
        self.sock: socket.socket | None = None
        self.progress = Progress(endpoint.connect_timeout_s, time.monotonic())
        self.idle_since = 0.0
        self._begun_at = self._sent_at = self._first_byte_at = 0.0
        self._endpoint = endpoint
        self._scratch = bytearray(SCRATCH_BYTES)

    def exchange(self, head: bytes, body: bytes | bytearray | memoryview, reader: ResponseReader) -> Steps:
        """Send a request, and receive its response into `reader`.

        The connection is made where there is none.
        """
        sock = self.sock
        if sock is None:
            sock = yield from self._connect()
        self.requests += 1
        reader.begin(self._scratch)
        self.progress = Progress(self._endpoint.read_timeout_s, time.monotonic())
        # In one piece, as long as a copy costs less than a second packet and call do.
        pieces: Sequence[bytes | bytearray | memoryview] = (
            (head + body,) if len(body) <= SCRATCH_BYTES else (head, body)
        )
        self._begun_at = time.monotonic()
        for piece in pieces:
            yield from self._send(sock, memoryview(piece))
        self._sent_at, self._first_byte_at = time.monotonic(), 0.0
        try:
            yield from self._receive(sock, reader)
        finally:
            reader.pause()

    def _connect(self) -> Generator[int, None, socket.socket]:
        error: OSError | None = None
        for family, address in self._endpoint.addresses(self.number):
            self.progress = Progress(self._endpoint.connect_timeout_s, time.monotonic())
            self.sock = sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                yield from _reach(sock, address)
                self._endpoint.reached(address)
                break
            except OSError as failed:  # the connect timeout, too, which comes from outside
                error = failed
                self.close()
        else:
            raise error or OSError(errno.EHOSTUNREACH, "the name of the endpoint has no address")
        keep_alive(sock)
        if self._endpoint.context is None:
            return sock
        self.progress.begin(time.monotonic())
        self.sock = over_tls = self._endpoint.context.wrap_socket(
            sock, server_hostname=self._endpoint.host, do_handshake_on_connect=False
        )
        yield from _shake_hands(over_tls)
        return over_tls

    def _send(self, sock: socket.socket, data: memoryview) -> Steps:
        while data:
            try:
                sent = sock.send(data)
            except _WOULD_BLOCK as wait:
                sent, event = 0, _WAITS.get(type(wait), EVENT_WRITE)
            if not sent:
                yield event
                continue
            self.progress.received(sent, time.monotonic())
            data = data[sent:]

    def _receive(self, sock: socket.socket, reader: ResponseReader) -> Steps:
        """Receive bytes as long as some are there.

        TLS may hold bytes that waiting for the socket would not show.
        """
        is_tls = self._endpoint.context is not None
        event = EVENT_READ
        while True:
            reader.pause()
            yield event
            while True:
                space = reader.space()
                try:
                    count = sock.recv_into(space)
                except _WOULD_BLOCK as wait:
                    event = _WAITS.get(type(wait), EVENT_READ)
                    break
                if count == 0:
                    raise ConnectionResetError(errno.ECONNRESET, "the connection ended within an answer")
                now = time.monotonic()
                self._first_byte_at = self._first_byte_at or now
                self.progress.received(count, now)
                if reader.filled(count):
                    return
                if count < len(space) and not is_tls:
                    event = EVENT_READ
                    break

    def times(self) -> tuple[float, float]:
        """Return the seconds from the last request to the first byte of its response, and those of both bodies."""
        now = time.monotonic()
        return self._first_byte_at - self._sent_at, (self._sent_at - self._begun_at) + (now - self._first_byte_at)

    def fileno(self) -> int:
        """Return the descriptor of the socket, or -1 where there is none."""
        return -1 if self.sock is None else self.sock.fileno()

    def is_quiet(self) -> bool:
        """Return whether the connection is open and nothing has come over it.

        Over TLS, the test reads session tickets, too.
        """
        if self.sock is None:
            return False
        try:
            self.sock.recv(1)  # where there is one, the connection is thrown away
        except _WOULD_BLOCK:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close the connection, or do nothing where it is closed."""
        sock, self.sock = self.sock, None
        if sock is not None:
            with suppress(OSError):
                sock.close()


def _reach(sock: socket.socket, address: Address) -> Steps:
    number = sock.connect_ex(address)
    if number in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        yield EVENT_WRITE
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _shake_hands(sock: ssl.SSLSocket) -> Steps:
    while True:
        try:
            sock.do_handshake()
            return
        except _WOULD_BLOCK as wait:
            event = _WAITS.get(type(wait), EVENT_READ)
        yield event  # not within the handler, which a later error would tell of


class Endpoint:
    """A scheme, host and port, and the way to make connections to them.

    Threads may share an instance.
    """

    def __init__(
        self, url: str, *, context: ssl.SSLContext | None, connect_timeout_s: float | None, read_timeout_s: float | None
    ) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.context = context if parts.scheme == "https" else None
        self.connect_timeout_s = connect_timeout_s
        self.read_timeout_s = read_timeout_s
        self.handshake_s = CONNECT_S if self.context is None else TLS_HANDSHAKE_S
        """The processor time that a connection costs."""
        self._addresses: tuple[float, list[tuple[int, Address]]] = (0.0, [])
        self._reached: Address | None = None
        """It is the address that was reached last."""

    def reached(self, address: Address) -> None:
        """Note that an address was reached."""
        self._reached = address

    def addresses(self, number: int) -> list[tuple[int, Address]]:
        """Return the families and addresses to try.

        Addresses of one family are in the resolver's order, but begin with another one each time. Where there are
        addresses of two families, the one that was reached last comes first.
        """
        looked_up, found = self._addresses
        if not found or time.monotonic() - looked_up > ADDRESSES_KEPT_S:
            rows = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            found = [(row[0], row[4]) for row in rows]
            self._addresses = time.monotonic(), found
        if len({family for family, _ in found}) > 1:
            # The resolver knows which of IPv6 and IPv4 to prefer, and does not know whether one is dead.
            return sorted(found, key=lambda each: each[1] != self._reached)
        first = number % len(found)
        return found[first:] + found[:first]


class Connections:
    """The connections of one process to one endpoint.

    Threads may share an instance.
    """

    def __init__(self, endpoint: Endpoint, most: int) -> None:
        """Set up an empty collection of connections.

        `most` connections are kept open. So many are used at a time, too, but each thread that drives some may always
        use one. There are fewer where the process may have few descriptors.
        """
        self.endpoint = endpoint
        self._most = most
        self.idle: deque[Connection] = deque()
        """They are open, and nobody uses them. The one that was used last is at the end."""
        self.used: WeakSet[Connection] = WeakSet()
        """They were taken. Ctrl-C may come where nobody has one, which is why nothing here keeps them."""
        self._waits_s: deque[float] = deque(maxlen=RUNS_KNOWN)
        """The shortest waits for the first byte of a response in the last runs that had one, in seconds."""
        self._made = 0
        # Within a cycle, a `__del__` could come after those of the sockets, which would warn.
        weakref.finalize(self, _close_all, self.idle).atexit = False

    def has_room(self) -> bool:
        """Return whether one more connection may be used."""
        return len(self.used) < min(self._most, descriptors_allowed() // USED_SHARE)

    @property
    def wait_s(self) -> float | None:
        """Return for how many seconds a response is likely to be waited for, or None where nothing is known.

        It is the shortest of some waits. If it is too short, that costs the next run a wait, until its first response.
        If it is too long, as after the upload of a large part, that costs it many handshakes.
        """
        return min(self._waits_s.copy(), default=None)

    def take(self) -> Connection:
        """Return an open connection that nobody uses, or one that is yet to be made."""
        connection = self._take_idle()
        if connection is None:
            self._made += 1
            connection = Connection(self.endpoint, self._made)
        self.used.add(connection)
        return connection

    def _take_idle(self) -> Connection | None:
        while True:
            try:
                connection = self.idle.pop()
            except IndexError:
                return None
            if not _is_expired(connection) and connection.is_quiet():
                return connection
            connection.close()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose last response was whole."""
        self.used.discard(connection)
        connection.idle_since = time.monotonic()
        self.idle.append(connection)
        self._keep(USED_SHARE)

    def rest(self, wait_s: float | None = None) -> None:
        """Note that a run has ended, after which fewer connections are kept, and how long its requests waited.

        `wait_s` is None where nothing was answered.
        """
        if wait_s is not None:
            self._waits_s.append(wait_s)
        self._keep(IDLE_SHARE)

    def _keep(self, share: int) -> None:
        most = min(self._most, descriptors_allowed() // share)
        with suppress(IndexError):  # another thread took it
            while len(self.idle) > most or _is_expired(self.idle[0]):
                self.idle.popleft().close()

    def close(self, connection: Connection) -> None:
        """Close a connection that was taken."""
        self.used.discard(connection)
        connection.close()


def _is_expired(connection: Connection) -> bool:
    return time.monotonic() - connection.idle_since > MAX_IDLE_S


def _close_all(idle: deque[Connection]) -> None:
    with suppress(IndexError):
        while True:
            idle.pop().close()
