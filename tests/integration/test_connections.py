"""The fast path's connections: kept, renewed, never confused by a body that broke off; TLS as strict as boto3's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.messages import Answer, Request
from testbed.plain_answers import plain
from testbed.s3_memory import byte_range
from testbed.scripted_server import ScriptedServer

DATA = b"0123456789"


def filesystem(server: ScriptedServer, **options: object) -> RegistryS3FileSystem:
    return RegistryS3FileSystem(
        **{
            "bucket": "demo",
            "regionendpoint": server.endpoint.partition("//")[2],
            "secure": False,
            "accesskey": "a",
            "secretkey": "s",
            "skip_instance_cache": True,
            **options,
        }
    )


def answer(request: Request) -> Answer:
    """The range that a request asks for."""
    start, end = byte_range(request.header("Range"), len(DATA)) or (0, len(DATA))
    return plain(206, DATA[start:end], {"ETag": '"e"', "Content-Range": f"bytes {start}-{end - 1}/{len(DATA)}"})


def closing(request: Request) -> Answer:
    """The same, after which the connection ends without a word."""
    return replace(answer(request), closes=True)


def test_one_connection_serves_many_requests() -> None:
    """It is kept as long as bodies are read to their end."""
    with ScriptedServer(answer) as server:
        fs = filesystem(server)
        assert [fs.cat_file("/f", 0, 4) for _ in range(5)] == [b"0123"] * 5
        assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_renewed() -> None:
    """Servers close what was idle for long; nobody notices."""
    with ScriptedServer(closing) as server:
        fs = filesystem(server)
        assert [fs.cat_file("/f", 0, 4) for _ in range(5)] == [b"0123"] * 5
        assert server.connections == 5


def test_a_body_that_breaks_off_is_taken_up_where_it_stopped() -> None:
    """The rest is asked for on another connection."""

    def breaking(request: Request) -> Answer:
        found = closing(request)
        return replace(found, body=found.body[:3]) if request.connection == 1 else found

    with ScriptedServer(breaking) as server:
        assert filesystem(server).cat_file("/f") == DATA
        assert server.connections == 2


def test_tls_trusts_whom_boto3_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown certificate is refused; AWS_CA_BUNDLE makes it known; skipverify does not look."""
    once = {"secure": True, "config_kwargs": {"retries": {"total_max_attempts": 1}}}
    with ScriptedServer(closing, tls=True) as server:
        cert = tmp_path / "cert.pem"
        cert.write_text(server.certificate)
        with pytest.raises(ConnectionError, match="certificate"):
            filesystem(server, **once).cat_file("/f")
        assert filesystem(server, secure=True, skipverify=True, useragent="unverified").cat_file("/f") == DATA
        monkeypatch.setenv("AWS_CA_BUNDLE", str(cert))
        for attempts in (once, {"secure": True}):  # boto3's connections, and those of the fast path
            assert filesystem(server, useragent="bundle", **attempts).cat_file("/f") == DATA


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("bundle", ["missing", "a folder", "below a file", "no certificate", "a damaged certificate"])
def test_certificates_that_cannot_be_read_are_told(
    bundle: str, fast_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `AWS_CA_BUNDLE` that is no file of certificates is a `ConnectionError` that says so, and has the path."""
    (tmp_path / "a folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "no certificate").write_text("no")
    (tmp_path / "a damaged certificate").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / ("file/ca.pem" if bundle == "below a file" else bundle)))
    once = {"retries": {"total_max_attempts": 1}}
    with ScriptedServer(closing) as server:  # nothing reaches it
        fs = filesystem(server, secure=True, fast_path=fast_path, config_kwargs=once)
        for call in (lambda: fs.exists("/f"), lambda: fs.open("/f"), lambda: fs.pipe("/f", b"")):
            with pytest.raises(ConnectionError, match="the file of trusted certificates cannot be read") as failure:
                call()
            assert failure.value.filename == "/f"
