"""The fast path's connections: kept, renewed, never confused by a body that broke off; TLS as strict as boto3's."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed import certificates

HEAD = b'HTTP/1.1 206 Partial Content\r\nETag: "e"\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/10\r\n\r\n'
DATA = b"0123456789"


class Scripted:
    """A server that hands each connection to a function."""

    def __init__(self, serve: Callable[[socket.socket, int], None], context: ssl.SSLContext | None = None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.connections = 0
        self._serve = serve
        self._context = context
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                try:
                    with (
                        self._context.wrap_socket(connection, server_side=True)
                        if self._context
                        else connection as plain
                    ):
                        self._serve(plain, self.connections)
                except OSError:
                    pass

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    made: list[Scripted] = []

    def make(*args: object) -> Scripted:
        made.append(Scripted(*args))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for server in made:
        server.close()


def filesystem(server: Scripted, **options: object) -> RegistryS3FileSystem:
    return RegistryS3FileSystem(
        **{
            "bucket": "demo",
            "regionendpoint": f"127.0.0.1:{server.port}",
            "secure": False,
            "accesskey": "a",
            "secretkey": "s",
            "skip_instance_cache": True,
            **options,
        }
    )


def answer(connection: socket.socket, sent: int | None = None) -> None:
    """Read a request, and answer it with the range it asks for, or with its first bytes only."""
    request = b""
    while b"\r\n\r\n" not in request:
        got = connection.recv(65536)
        if not got:
            raise ConnectionError
        request += got
    start, _, end = request.lower().partition(b"range: bytes=")[2].partition(b"\r\n")[0].partition(b"-")
    first, last = int(start), min(int(end or 9), 9)
    body = DATA[first : last + 1]
    connection.sendall(HEAD % (len(body), first, last) + body[:sent])


def test_one_connection_serves_many_requests(scripted: Callable[..., Scripted]) -> None:
    """It is kept as long as bodies are read to their end."""

    def serve(connection: socket.socket, number: int) -> None:
        while True:
            answer(connection)

    server = scripted(serve)
    fs = filesystem(server)
    assert [fs.cat_file("/f", 0, 4) for _ in range(5)] == [b"0123"] * 5
    assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_renewed(scripted: Callable[..., Scripted]) -> None:
    """Servers close what was idle for long; nobody notices."""
    server = scripted(lambda connection, number: answer(connection))
    fs = filesystem(server)
    assert [fs.cat_file("/f", 0, 4) for _ in range(5)] == [b"0123"] * 5
    assert server.connections == 5


def test_a_body_that_breaks_off_is_taken_up_where_it_stopped(scripted: Callable[..., Scripted]) -> None:
    """The rest is asked for on another connection."""

    def serve(connection: socket.socket, number: int) -> None:
        answer(connection, sent=3 if number == 1 else None)

    server = scripted(serve)
    assert filesystem(server).cat_file("/f") == DATA
    assert server.connections == 2


def test_tls_trusts_whom_boto3_trusts(
    scripted: Callable[..., Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown certificate is refused; AWS_CA_BUNDLE makes it known; skipverify does not look."""
    cert = tmp_path / "cert.pem"
    cert.write_text(certificates.certificate())
    server = scripted(lambda connection, number: answer(connection), certificates.server_context())
    once = {"secure": True, "config_kwargs": {"retries": {"total_max_attempts": 1}}}
    with pytest.raises(ConnectionError, match="certificate"):
        filesystem(server, **once).cat_file("/f")
    assert filesystem(server, secure=True, skipverify=True, useragent="unverified").cat_file("/f") == DATA
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(OSError, match=r"missing\.pem|certificate"):
        filesystem(server, useragent="no bundle", **once).cat_file("/f")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(cert))
    for attempts in (once, {"secure": True}):  # boto3's connections, and those of the fast path
        assert filesystem(server, useragent="bundle", **attempts).cat_file("/f") == DATA
