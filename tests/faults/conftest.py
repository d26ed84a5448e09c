"""A filesystem behind a proxy that fails as told."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.proxy import Proxy
from tests import pauses

MIB = 1024 * 1024
DATA = random.Random(7).randbytes(12 * MIB + 5)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between two tries of a request is tested where it is made."""
    pauses.shorten(monkeypatch)


@pytest.fixture
def dropped_connections() -> Iterator[None]:
    """What boto3 leaves of odd answers goes with the test that ignores its warning, and is no other test's failure."""
    yield
    gc.collect()


@pytest.fixture
def proxy(moto_server: Any) -> Iterator[Proxy]:
    with Proxy(moto_server.endpoint) as found:
        yield found


@pytest.fixture
def through(options: dict[str, Any], proxy: Proxy) -> Callable[..., RegistryS3FileSystem]:
    """Makes a filesystem on the bucket of `fs`, through the proxy."""

    def make(**more: Any) -> RegistryS3FileSystem:
        return RegistryS3FileSystem(**{**options, "regionendpoint": proxy.endpoint, **more}, skip_instance_cache=True)

    return make


@pytest.fixture
def shaky(through: Callable[..., RegistryS3FileSystem]) -> RegistryS3FileSystem:
    """The filesystem of `fs`, through the proxy."""
    return through()
