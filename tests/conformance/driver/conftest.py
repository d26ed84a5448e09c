"""A storage driver on a fresh bucket of each S3 server, and what each server is known to lack."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.servers import Server
from tests.listening import listen

_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """A fresh bucket on a server."""

    server: Server
    bucket: str

    def options(self, **more: Any) -> dict[str, Any]:
        """Storage options for it, under a rootdirectory unless told otherwise."""
        return {**self.server.options(self.bucket, rootdirectory="/registry"), **more}

    def fs(self, **more: Any) -> RegistryS3FileSystem:
        """A filesystem on it."""
        return RegistryS3FileSystem(**self.options(**more))

    def paged(self, fs: RegistryS3FileSystem, operation: str, **limits: int) -> list[str]:
        """Make the server answer an operation in small pages; gives a list that grows with each request."""
        sent: list[str] = []

        def limit(params: dict[str, Any], **kwargs: Any) -> None:
            sent.append(operation)
            params.update(limits)

        listen(fs, f"provide-client-params.s3.{operation}", limit)
        return sent


@pytest.fixture(params=["moto_server", "radosgw_server", "rclone_server"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A fresh bucket on each of the servers in turn."""
    server: Server = request.getfixturevalue(request.param)
    bucket = f"driver-{next(_numbers)}"
    server.create_bucket(bucket)
    yield Place(server, bucket)
    server.empty_bucket(bucket)
