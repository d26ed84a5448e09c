"""Where it is measured: the simulator that `S3SIM` names, moto's server, or any S3 endpoint."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from benchmarks import data
from benchmarks.peers.base import Access
from testbed import authority, servers
from testbed.authority import Certificate

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

BUCKET = "bench"
THREADS = 32


class Endpoint:
    """An S3 endpoint, filled and looked at with plain boto3. It counts no requests and knows no slowness."""

    can_drop_bodies = False
    """Whether it can receive uploads without keeping their bytes."""

    def __init__(self, access: Access) -> None:
        self.access = access
        config = Config(
            max_pool_connections=THREADS, s3={"addressing_style": "path"},
            # moto gives back a wrong checksum of a multipart upload's parts
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
        )  # fmt: skip
        self.client = boto3.client(
            "s3", endpoint_url=access.endpoint, region_name=access.region, config=config,
            aws_access_key_id=access.access_key, aws_secret_access_key=access.secret_key,
            verify=access.authority or None,
        )  # fmt: skip

    @contextmanager
    def configured(self, knobs: Mapping[str, Any]) -> Iterator[None]:
        """A block in which the server has these settings, where it has any."""
        yield

    @contextmanager
    def counting(self, requests: dict[str, int]) -> Iterator[None]:
        """A block in which something is measured; fills in the requests by operation, where they can be counted."""
        yield

    def store(self, values: Mapping[str, bytes]) -> None:
        """Store small objects."""
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda pair: self._put(*pair), values.items()))

    def store_files(self, sizes: Mapping[str, int]) -> None:
        """Store files, each with its `data.file_content`."""
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda pair: self._put(pair[0], data.file_content(*pair)), sizes.items()))

    def store_large(self, key: str, size: int) -> None:
        """Store the first `size` bytes of the large content."""
        self.client.upload_fileobj(BytesIO(b"".join(data.blocks(size))), self.access.bucket, key)

    def store_flat(self, folder: str, count: int) -> None:
        """Store empty objects in a folder."""
        self.store(dict.fromkeys(data.flat_keys(folder, count), b""))

    def store_tree(self, folder: str, keys: int, repositories: int) -> None:
        """Store a registry of empty objects."""
        names = data.registry_keys(keys // 10, repositories)
        self.store({f"{folder}/{name}": b"" for name in names})

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes of an object."""
        body = self.client.get_object(Bucket=self.access.bucket, Key=key)["Body"]
        return iter(lambda: body.read(data.TILE_BYTES), b"")

    def size(self, key: str) -> int:
        """The size of an object."""
        return int(self.client.head_object(Bucket=self.access.bucket, Key=key)["ContentLength"])

    def keys(self, folder: str) -> list[str]:
        """All keys below a folder."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.access.bucket, Prefix=f"{folder}/")
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, whether or not they are there."""
        entries: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys]
        for start in range(0, len(entries), 1_000):
            self.client.delete_objects(
                Bucket=self.access.bucket, Delete={"Objects": entries[start : start + 1_000], "Quiet": True}
            )

    def _put(self, key: str, value: bytes) -> None:
        self.client.put_object(Bucket=self.access.bucket, Key=key, Body=value)


class Simulator(Endpoint):
    """The simulator: it can be slow, counts requests, and makes many keys at once."""

    can_drop_bodies = True

    def __init__(self, simulator: Any, authority: str = "") -> None:
        keys = simulator.credentials
        names = (keys["region_name"], keys["aws_access_key_id"], keys["aws_secret_access_key"])
        super().__init__(Access(simulator.endpoint, BUCKET, *names, authority))
        self.control = simulator

    @contextmanager
    def configured(self, knobs: Mapping[str, Any]) -> Iterator[None]:
        """As the simulator's README names them."""
        before = self.control.config()
        self.control.config(**knobs)
        try:
            yield
        finally:
            self.control.config(**{name: before[name] for name in knobs})

    @contextmanager
    def counting(self, requests: dict[str, int]) -> Iterator[None]:
        """As `Endpoint`'s, from nothing on."""
        self.control.reset()
        try:
            yield
        finally:
            requests.update(self.control.counts())

    def store_flat(self, folder: str, count: int) -> None:
        """As `Endpoint`'s, at once."""
        self.control.preload(BUCKET, prefix=f"{folder}/", layout="flat", count=count, name="")

    def store_tree(self, folder: str, keys: int, repositories: int) -> None:
        """As `Endpoint`'s, at once."""
        self.control.preload(BUCKET, prefix=f"{folder}/", layout="registry", count=keys, repositories=repositories)


@contextmanager
def simulator(folder: Path, certificate: Certificate | None = None, **knobs: Any) -> Iterator[Simulator]:
    """The simulator in a folder, by its ``s3sim.py``; by default it checks no digest, which costs it too much.

    With a certificate it speaks https.
    """
    spec = importlib.util.spec_from_file_location("s3sim", folder / "s3sim.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tls = (str(certificate.certificate), str(certificate.key)) if certificate else None
    with module.S3Sim([BUCKET], tls=tls, **{"etag": "fast", "verify": False, "logLimit": 0, **knobs}) as running:
        yield Simulator(running, str(certificate.authority) if certificate else "")


@contextmanager
def simulator_over_tls(folder: Path) -> Iterator[Simulator]:
    """The simulator behind a certificate that is made for it."""
    with TemporaryDirectory() as scratch, simulator(folder, authority.make(Path(scratch))) as running:
        yield running


@contextmanager
def moto() -> Iterator[Endpoint]:
    """moto's server, which every clone can start."""
    with servers.moto() as server:
        server.create_bucket(BUCKET)
        access = Access(server.endpoint, BUCKET, servers.REGION, servers.ACCESS_KEY, servers.SECRET_KEY)
        yield Endpoint(access)


@contextmanager
def other(access: Access) -> Iterator[Endpoint]:
    """Any endpoint; what was stored there is deleted at the end."""
    endpoint = Endpoint(access)
    try:
        yield endpoint
    finally:
        endpoint.delete(endpoint.keys(data.ROOT))


def simulator_folder() -> Path | None:
    """Where the simulator is, if it is."""
    named = os.environ.get("S3SIM")
    return Path(named) if named else None
