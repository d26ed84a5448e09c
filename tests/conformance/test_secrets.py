"""Whatever logs at DEBUG, and whatever fails: no secret, and no signature that still works, is in any text."""

from __future__ import annotations

import logging
import re
import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.client import fast_lane
from tests.servers import Server

MIB = 1024 * 1024
TOKEN = "TokenThatNobodyShouldSee0123456789"
SIGNATURE = re.compile(r"(?:Signature(?:Provided)?['\"]?[=:>]\s*b?['\"]?|AWS AKID\w*:)([A-Za-z0-9+/%]{20,})")

CALLS: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "pipe": lambda fs: fs.pipe({"/f": b"1", "/d/g": b"2"}),
    "pipe in parts": lambda fs: fs.pipe_file("/big", bytes(6 * MIB), block_size=5 * MIB),
    "cat": lambda fs: fs.cat(["/f", "/d/g"]),
    "info": lambda fs: fs.info("/f"),
    "ls": lambda fs: fs.ls("/"),
    "open": lambda fs: fs.open("/big", "rb").read(),
    "append": lambda fs: fs.open("/f", "ab").close(),
    "sign": lambda fs: fs.sign("/f"),
    "copy": lambda fs: fs.cp_file("/f", "/h"),
    "rm": lambda fs: fs.rm(["/f", "/h"]),
    "missing": lambda fs: fs.cat_file("/missing"),
    "exists": lambda fs: fs.open("/big", "xb"),
    "bad path": lambda fs: fs.info("/../f"),
    "foreign bucket": lambda fs: fs.info("registrys3://other/f"),
    "refused": lambda fs: fs.cat_file("/big", version_id="no-such-version"),
}
FAILING = ("missing", "exists", "bad path", "foreign bucket", "refused")


def shown(fs: RegistryS3FileSystem, failing: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> str:
    """All that the calls log, and the whole text of each error, its causes and their tracebacks included."""
    texts = [repr(fs), str(fs), fs.to_json(include_password=False)]
    for name, call in CALLS.items():
        if name not in failing:
            call(fs)
            continue
        with pytest.raises((OSError, ValueError)) as failed:
            call(fs)
        texts += [repr(failed.value), *traceback.format_exception(failed.value)]
    return "\n".join([*texts, *(handled(record) for record in caplog.records)])


def handled(record: logging.LogRecord) -> str:
    return logging.Formatter("%(name)s %(message)s").format(record)


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def check(text: str, fs: RegistryS3FileSystem) -> None:
    for secret in (fs.parameters.secretkey, fs.parameters.sessiontoken):
        assert not secret or secret not in text
    assert SIGNATURE.findall(text) == []


@pytest.mark.parametrize("more", [{}, {"sessiontoken": TOKEN}, {"v4auth": False}], ids=["v4", "token", "v2"])
def test_no_call_shows_a_secret(options: dict[str, Any], more: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Through the fast lane's signed URLs and boto3 alike; each kind of call, and errors of each kind."""
    fs = RegistryS3FileSystem(**options, **more, useragent="secrets")
    text = shown(fs, FAILING, caplog)
    assert fast_lane(fs.parameters)._proven
    assert {"urllib3.connectionpool", "botocore.auth", "botocore.endpoint"} <= {each.name for each in caplog.records}
    assert re.search(r"Authorization.*(Signature=|AWS \S+:)\*\*\*", text)
    check(text, fs)


def test_no_denied_call_shows_a_secret(rclone_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The server's answer tells what it was asked to check."""
    rclone_server.create_bucket("denied")
    fs = RegistryS3FileSystem(**{**rclone_server.options("denied"), "secretkey": "WrongSecretThatIsSecretToo"})
    failing = tuple(name for name in CALLS if name != "sign")
    check(shown(fs, failing, caplog), fs)


def test_no_dead_endpoint_shows_a_secret(options: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """botocore names the whole URL that it cannot connect to, and logs the traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    dead = {"regionendpoint": f"http://127.0.0.1:{port}", "config_kwargs": {"retries": {"total_max_attempts": 1}}}
    fs = RegistryS3FileSystem(**{**options, **dead}, sessiontoken=TOKEN)
    failing = tuple(name for name in CALLS if name != "sign")
    text = shown(fs, failing, caplog)
    assert "Could not connect to the endpoint URL" in text
    check(text, fs)
