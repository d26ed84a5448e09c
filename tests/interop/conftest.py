"""The real docker-registry on each of the S3 servers that it can write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from demo import images
from registry_s3fs import RegistryS3FileSystem
from testbed import servers
from testbed.servers import Registry, Server

ROOT = "/some/prefix"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Running:
    """A registry, the server that it stores on, and storage options for the same bucket and rootdirectory."""

    registry: Registry
    server: Server
    options: dict[str, Any]

    @property
    def fs(self) -> RegistryS3FileSystem:
        """Our view of what the registry stores."""
        return RegistryS3FileSystem(**self.options)


@pytest.fixture(scope="session", params=["moto_server", "radosgw_server"])
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """docker-registry on moto and on Ceph's radosgw, below a rootdirectory that is not empty."""
    for name in ("docker-registry", "skopeo"):
        try:
            servers.program(name)
        except servers.NotInstalledError as missing:
            pytest.skip(str(missing))
    server: Server = request.getfixturevalue(request.param)
    server.create_bucket("registry")
    options = server.options("registry", rootdirectory=ROOT)
    with servers.docker_registry(server, "registry", rootdirectory=ROOT) as registry:
        yield Running(registry, server, options)


@contextmanager
def on_bucket(running: Running, bucket: str) -> Iterator[Running]:
    """Run a registry on a bucket of its own, for tests that push to it."""
    running.server.create_bucket(bucket)
    with servers.docker_registry(running.server, bucket, rootdirectory=ROOT) as registry:
        yield Running(registry, running.server, {**running.options, "bucket": bucket})


BASE = images.layer({"base.so": images.noise("base", 3 * MIB)}, 0)
PUSHED: dict[str, images.Image] = {
    "hello:1.0": images.image([images.layer({"hello": b"world"})]),
    "team/app:v1": images.image([BASE, images.layer({"app": images.noise("v1", 70_000)})]),
    "team/app:v2": images.image([BASE, images.layer({"app": images.noise("v2", 70_000)})]),
    # Above chunksize (10 MiB) and multipartcopythresholdsize (32 MiB): the registry uploads and copies in parts.
    "team/sub/big:latest": images.image([BASE, images.layer({"big": images.noise("big", 40 * MIB)}, 0)]),
}


@pytest.fixture(scope="session")
def pushed(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """The registry after skopeo has pushed some images to it."""
    for number, (name, image) in enumerate(PUSHED.items()):
        folder = tmp_path_factory.mktemp(f"layout-{number}")
        for file, data in images.oci_layout("pushed", image).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        target = running.registry.reference(name)
        servers.skopeo("copy", "--dest-tls-verify=false", f"oci:{folder}:pushed", target)
    return running
