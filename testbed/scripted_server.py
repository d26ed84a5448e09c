"""A server on 127.0.0.1 that answers byte for byte what it is told, over http or https.

    with ScriptedServer(lambda request: Answer(200, "OK", (("Content-Length", "2"),), b"ab")) as server:
        ...  # server.endpoint; afterwards server.requests

A thread waits for connections, and each connection has one. Whatever still waits ends at once with the server.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from testbed.certificates import certificate, server_context
from testbed.messages import Close, Pause, Reply, Request, Reset, Silence, Step, steps
from testbed.reading import Stream, read_body, read_head

BUCKET = "demo"
KEYS: Mapping[str, str] = {"accesskey": "TESTACCESSKEY0000001", "secretkey": "scripted"}
_Server = TypeVar("_Server", bound="ScriptedServer")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def ask_for_body(request: Request) -> Reply:
    """What HTTP has a server send before it reads a body: 100 Continue, where the client waits for it."""
    return [CONTINUE] if request.header("Expect").lower() == "100-continue" else ()


class ScriptedServer:
    """Answers each request with what `answer(request)` gives, from ``with`` to its end.

    What `early(request)` gives is sent before the request's body is read; where that ends the connection, the body is
    not read. The last `log_limit` requests that were read whole are kept, all of them by default.
    """

    def __init__(
        self,
        answer: Callable[[Request], Reply],
        *,
        tls: bool = False,
        early: Callable[[Request], Reply] = ask_for_body,
        log_limit: int | None = None,
    ) -> None:
        self.answer = answer
        self.requests: deque[Request] = deque(maxlen=log_limit)
        self.counts: Counter[str] = Counter()
        """Requests by operation, those that are no longer in the log too."""
        self.connections = 0
        """How many were opened."""
        self.sent_bytes = 0
        """What was handed to the kernel, in all."""
        self._tls = server_context() if tls else None
        self._early = early
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}

    def __enter__(self: _Server) -> _Server:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._wakes, self._waker = socket.socketpair()
        self.endpoint = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        ready = selectors.DefaultSelector()  # here: the test may soon leave no descriptor for it
        self._accepts = threading.Thread(target=self._accept, args=(ready,), name="scripted server", daemon=True)
        self._accepts.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._waker.close()
        self._accepts.join()
        self._listener.close()
        self._wakes.close()
        with self._lock:
            running = dict(self._open)
        for connection in running:
            with suppress(OSError):  # it may just have ended
                connection.shutdown(socket.SHUT_RDWR)
        for thread in running.values():
            thread.join()

    def options(self, keys: Mapping[str, str] = KEYS, **more: Any) -> dict[str, Any]:
        """Storage options of a filesystem on it, which tries each request once; `more` goes on top."""
        tries = {"retries": {"total_max_attempts": 1}}
        place = {"bucket": BUCKET, "region": "us-east-1", "regionendpoint": self.endpoint}
        return {**place, **keys, "config_kwargs": tries, **more}

    @property
    def certificate(self) -> str:
        """The certificate, in PEM. A client trusts it where AWS_CA_BUNDLE names a file of it."""
        return certificate()

    def of(self, operation: str) -> list[Request]:
        """The requests of an operation so far."""
        with self._lock:
            return [request for request in self.requests if request.operation == operation]

    def _accept(self, ready: selectors.BaseSelector) -> None:
        with ready:
            ready.register(self._listener, selectors.EVENT_READ)
            ready.register(self._wakes, selectors.EVENT_READ)
            while not self._ended.is_set():
                if any(key.fileobj is self._wakes for key, _ in ready.select()):
                    return
                with suppress(OSError):  # the client may have left already
                    connection, _ = self._listener.accept()
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        self.connections += 1
        arguments = (connection, self.connections)
        thread = threading.Thread(target=self._converse, args=arguments, name="scripted connection", daemon=True)
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def _converse(self, plain: socket.socket, number: int) -> None:
        connection = plain
        try:
            connection = self._secured(plain)
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            stream = Stream(connection)
            while (head := read_head(stream, number)) and self._exchange(connection, stream, head):
                pass
        except OSError:  # the client or the server has ended it
            pass
        finally:
            with self._lock:
                self._open.pop(plain, None)
                self._open.pop(connection, None)
            connection.close()

    def _secured(self, plain: socket.socket) -> socket.socket:
        """The connection before its TLS handshake, known to whoever ends the server."""
        if self._tls is None:
            return plain
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secured = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open[secured] = self._open.pop(plain)
            if self._ended.is_set():
                secured.shutdown(socket.SHUT_RDWR)
        return secured

    def _exchange(self, connection: socket.socket, stream: Stream, head: Request) -> bool:
        """Read the rest of a request and answer it; whether the connection goes on."""
        if not self._send(connection, self._early(head)):
            return False
        request = replace(head, body=read_body(stream, head))
        with self._lock:
            self.requests.append(request)
            self.counts[request.operation] += 1
        return self._send(connection, self.answer(request))

    def _send(self, connection: socket.socket, reply: Reply) -> bool:
        """Send what is to be sent; whether the connection goes on."""
        return all(self._take(step, connection) for step in steps(reply))

    def _take(self, step: Step, connection: socket.socket) -> bool:
        if isinstance(step, bytes):
            connection.sendall(step)
            self._count(len(step))
        elif isinstance(step, Pause):
            return not self._ended.wait(step.seconds)
        elif isinstance(step, Silence):
            _wait_for_its_end(connection)
        elif isinstance(step, Reset):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not isinstance(step, (Close, Reset, Silence))

    def _count(self, sent: int) -> None:
        with self._lock:
            self.sent_bytes += sent


def _wait_for_its_end(connection: socket.socket) -> None:
    with suppress(OSError, ssl.SSLError):
        while connection.recv(65536):
            pass
