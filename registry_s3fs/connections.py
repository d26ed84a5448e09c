"""Kept-alive HTTP connections to one host, with nothing on top: half of what a small request costs is in the layers."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

from registry_s3fs import interruption
from registry_s3fs.responses import Response

BROKEN = (OSError, HTTPException)
"""What any call here may raise: a connection that could not be made, broke, or was silent for too long."""


class Answer:
    """An answer whose body is still on the connection; the connection is free again once it is read to its end."""

    def __init__(self, connections: Connections, connection: HTTPConnection, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self._connections = connections
        self._connection: HTTPConnection | None = connection
        self._response = response

    def read(self) -> bytes:
        """All the bytes that are left."""
        try:
            data = self._response.read()
        except BaseException:
            self.close()
            raise
        self._release()
        return data

    def fill(self, view: memoryview) -> int:
        """Put the bytes that come next into `view`, as soon as there are some; gives how many, 0 at the end.

        `HTTPResponse.readinto` would wait for all of them, and lose those that came before a connection broke.
        """
        response = self._response
        if response.length is None or response.fp is None:  # sent in chunks
            taken = response.readinto(view)
        else:
            taken = response.fp.readinto1(view[: response.length])
            response.length -= taken
            if not response.length:
                response.close()
        if response.isclosed():
            self._release()
        return taken

    def close(self) -> None:
        """Give up what was not read, and the connection with it."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _release(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            whole = not self._response.length  # bytes that are still missing
            self._connections.give_back(connection, reusable=whole and not self._response.will_close)


class Connections:
    """The connections of one process to one origin. Threads may share them."""

    def __init__(
        self, origin: str, *, context: SSLContext | None, most_idle: int, connect_timeout: float, read_timeout: float
    ) -> None:
        url = urlsplit(origin)
        self._address = (url.hostname or "", url.port)
        self._context = context if url.scheme == "https" else None
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._most_idle = most_idle
        self._idle: deque[HTTPConnection] = deque()

    def exchange(self, method: str, target: str, headers: Mapping[str, str], body: Any = None) -> Answer:
        """Send a request that may be sent twice; gives its answer, whatever the status.

        A server closes connections that were idle for long, which shows only when they are used: the
        request then goes over a new one.
        """
        connection = self._reuse()
        if connection is not None:
            try:
                return self._send(connection, method, target, body, headers)
            except (ConnectionError, HTTPException):
                self.close()
        connection = self._connect()
        return self._send(connection, method, target, body, headers)

    def give_back(self, connection: HTTPConnection, *, reusable: bool) -> None:
        """Keep a connection for the next request."""
        if reusable and len(self._idle) < self._most_idle:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close those that nobody uses."""
        while (connection := self._reuse()) is not None:
            connection.close()

    __del__ = close

    def _send(self, connection: HTTPConnection, *request: Any) -> Answer:
        try:
            interruption.uses(connection)
            connection.request(*request)
            return Answer(self, connection, connection.getresponse())
        except BaseException:
            connection.close()
            raise

    def _reuse(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> HTTPConnection:
        host, port = self._address
        connection = (
            HTTPSConnection(host, port, timeout=self._connect_timeout, context=self._context)
            if self._context
            else HTTPConnection(host, port, timeout=self._connect_timeout)
        )
        connection.response_class = Response
        connection.set_debuglevel(0)  # at another one, which is the class's, it would print what is signed
        connection.connect()
        connection.sock.settimeout(self._read_timeout)
        return connection
