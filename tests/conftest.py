"""Servers started once a run, and a filesystem on a fresh bucket for each test."""

from __future__ import annotations

import gc
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import boto3
import pytest
from hypothesis import settings

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.s3 import client
from testbed import servers
from testbed.servers import Server
from tests.fakes import FakeBucket, Store

_numbers = itertools.count()

# A time limit for each example would fail on a busy machine, whatever the code does.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(autouse=True)
def _no_foreign_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No credentials, endpoints or registry settings of whoever runs the tests; no waiting for EC2's metadata."""
    nowhere = str(tmp_path_factory.getbasetemp() / "none")
    for name in [name for name in os.environ if name.startswith(("AWS_", "REGISTRY_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", nowhere)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """A command that a signal ended ignores further ones, and so would all processes that are started later."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_kept() -> Iterator[None]:
    """What a process keeps for good would be a thousand clients by the end of the suite, and others' credentials."""
    yield
    boto3.DEFAULT_SESSION = None
    RegistryS3FileSystem.clear_instance_cache()
    client.CLIENTS.forget()
    gc.collect()  # here, where a warning is still the module's own
    gc.freeze()  # what it left for good need not be looked at by each collection that a later test asks for


def _running(start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    try:
        with start() as server:
            yield server
    except servers.NotInstalledError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    """moto's server."""
    yield from _running(servers.moto)


@pytest.fixture(scope="session")
def rclone_server() -> Iterator[Server]:
    """rclone's server."""
    yield from _running(servers.rclone)


@pytest.fixture(scope="session")
def radosgw_server() -> Iterator[Server]:
    """Ceph's server."""
    yield from _running(servers.radosgw)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Where the bucket is: on moto's server, or in memory ("fake"; see `fakes.on_both`)."""
    return str(getattr(request, "param", "moto"))


@pytest.fixture
def options(backend: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Storage options for a fresh bucket, under a rootdirectory."""
    bucket = f"bucket-{next(_numbers)}"
    if backend == "fake":
        kept = Store()  # every filesystem that the test makes is on it
        monkeypatch.setattr("registry_s3fs.filesystem.core.Bucket", lambda parameters: FakeBucket(parameters, kept))
        yield Server("fake", "http://fake.invalid").options(bucket, rootdirectory="/registry")
        return
    moto_server: Server = request.getfixturevalue("moto_server")
    moto_server.create_bucket(bucket)
    yield moto_server.options(bucket, rootdirectory="/registry")
    moto_server.empty_bucket(bucket)


@pytest.fixture
def fs(options: dict[str, Any]) -> RegistryS3FileSystem:
    """A filesystem on a fresh bucket."""
    return RegistryS3FileSystem(**options)
