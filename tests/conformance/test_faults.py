"""Reading over a network that fails: a small proxy before moto's server cuts, resets and throttles answers."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import FileExpired

MIB = 1024 * 1024
DATA = random.Random(7).randbytes(12 * MIB + 5)
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Proxy(ThreadingHTTPServer):
    """Hands requests on to a server; `fault(handler, body)` may spoil the answer to a GET of an object."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = behind.removeprefix("http://")
        self.fault: Callable[[Handler, bytes], bool] = lambda handler, body: False
        self.ranges: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that a client or a fault has ended is no error."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        connection = http.client.HTTPConnection(self.server.behind, timeout=60)
        connection.request(self.command, self.path, headers=dict(self.headers))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        is_object = self.command == "GET" and "list-type" not in self.path
        if is_object:
            self.server.ranges.append(self.headers.get("Range", ""))
            if self.server.fault(self, body):
                self.close_connection = True
                return
        self.answer(answer.status, dict(answer.getheaders()), body)

    do_HEAD = do_GET  # noqa: N815  # the name that http.server looks for

    def answer(self, status: int, headers: dict[str, str], body: bytes, cut: int | None = None) -> None:
        """Send an answer, of its body only the first `cut` bytes."""
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def cut(handler: Handler, body: bytes, sent: int | None = None) -> None:
    told = {"ETag": etag(handler), **extent(handler, body)}
    handler.answer(206, told, body, cut=len(body) // 2 if sent is None else sent)


def no_body(handler: Handler, body: bytes) -> None:
    cut(handler, body, sent=0)


def reset(handler: Handler, body: bytes) -> None:
    cut(handler, body)
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def throttle(handler: Handler, body: bytes) -> None:
    handler.answer(503, {"Content-Type": "application/xml"}, SLOW_DOWN)


def silence(handler: Handler, body: bytes) -> None:
    """The connection ends before an answer."""


def etag(handler: Handler) -> str:
    connection = http.client.HTTPConnection(handler.server.behind, timeout=60)
    connection.request("HEAD", handler.path.split("?")[0])
    answer = connection.getresponse()
    connection.close()
    return answer.headers["ETag"]


def extent(handler: Handler, body: bytes) -> dict[str, str]:
    start = int(handler.headers["Range"].removeprefix("bytes=").split("-")[0])
    return {"Content-Range": f"bytes {start}-{start + len(body) - 1}/{len(DATA)}"}


class Every:
    """A fault that strikes each GET of an object whose number is in `numbers`, or all of them."""

    def __init__(self, fault: Callable[[Handler, bytes], None], numbers: Any) -> None:
        self._fault, self._numbers, self._seen, self._lock = fault, numbers, 0, threading.Lock()

    def __call__(self, handler: Handler, body: bytes) -> bool:
        with self._lock:
            number, self._seen = self._seen, self._seen + 1
        if number not in self._numbers:
            return False
        self._fault(handler, body)
        return True


@pytest.fixture
def proxy(moto_server: Any) -> Iterator[Proxy]:
    with Proxy(moto_server.endpoint) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def shaky(fs: RegistryS3FileSystem, proxy: Proxy) -> RegistryS3FileSystem:
    """The filesystem of `fs`, through the proxy."""
    fs.pipe_file("/f", DATA)
    endpoint = f"http://127.0.0.1:{proxy.server_address[1]}"
    return RegistryS3FileSystem(**{**fs.storage_options, "regionendpoint": endpoint}, skip_instance_cache=True)


def opened(fs: RegistryS3FileSystem) -> bytes:
    with fs.open("/f", "rb") as file:
        return b"".join(iter(lambda: file.read(MIB), b""))


@pytest.mark.parametrize("fault", [cut, reset, throttle, silence])
@pytest.mark.parametrize("read", [opened, lambda fs: fs.cat_file("/f")], ids=["open", "cat_file"])
def test_a_read_goes_on_where_it_broke(
    shaky: RegistryS3FileSystem, proxy: Proxy, fault: Any, read: Callable[[RegistryS3FileSystem], bytes]
) -> None:
    """A body cut short, a connection reset or closed, and a throttled request: the bytes come, each once."""
    proxy.fault = Every(fault, (0, 2))
    assert read(shaky) == DATA
    assert len(proxy.ranges) >= 4


def test_an_object_replaced_while_the_connection_broke_is_told(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy
) -> None:
    """What is asked for after the break is of the version before it, or FileExpired."""

    def cut_and_replace(handler: Handler, body: bytes) -> None:
        cut(handler, body)
        fs.pipe_file("/f", DATA[::-1])

    proxy.fault = Every(cut_and_replace, (0,))
    with pytest.raises(FileExpired) as expired:
        shaky.cat_file("/f")
    assert expired.value.filename == "/f"


def test_a_connection_that_always_breaks_is_an_error(shaky: RegistryS3FileSystem, proxy: Proxy) -> None:
    """ConnectionError with the path and the SDK's exception, after a few attempts that brought nothing."""
    proxy.fault = Every(no_body, range(1_000_000))
    with pytest.raises(ConnectionError, match="connection broke") as broken:
        shaky.cat_file("/f", 0, MIB)
    assert broken.value.filename == "/f"
    assert broken.value.__cause__ is not None
    assert 1 < len(proxy.ranges) < 10
