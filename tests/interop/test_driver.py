"""The storage driver beside the real docker-registry: on the same bucket, under the same rootdirectory."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import random
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import images
from registry_s3fs import FileInfo, StorageDriver
from registry_s3fs.model import registry_layout
from testbed import servers
from testbed.servers import Registry
from tests.interop.conftest import PUSHED, ROOT, Running, on_bucket

MIB = 1024 * 1024
REPOSITORY = "team/app"
STARTED = "2026-11-24T19:27:23Z"
OCTETS = "application/octet-stream"


@pytest.fixture(scope="session")
def beside(running: Running) -> Iterator[Running]:
    """A registry on a bucket of its own, in which both write."""
    with on_bucket(running, "beside") as own:
        yield own


@pytest.fixture
def driver(beside: Running) -> StorageDriver:
    """Our driver with the registry's parameters."""
    return StorageDriver.from_parameters(beside.options)


def uploads(upload_id: str) -> str:
    """Where the registry keeps an upload of a blob."""
    return f"{registry_layout.REPOSITORIES}/{REPOSITORY}/_uploads/{upload_id}"


def begin(registry: Registry) -> str:
    """Begin an upload by the registry's API; gives the URL to go on with."""
    status, headers, body = registry.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
    assert status == 202, body
    return str(headers["Location"])


def patch(registry: Registry, url: str, data: bytes) -> str:
    """Upload a chunk; gives the URL to go on with."""
    status, headers, body = registry.request("PATCH", url, data, Content_Type=OCTETS)
    assert status == 202, body
    return str(headers["Location"])


def put(registry: Registry, url: str, digest: str, data: bytes = b"") -> None:
    """Upload the last chunk, and have the registry check the digest of all."""
    parts = urllib.parse.urlsplit(url)
    query = urllib.parse.urlencode({**dict(urllib.parse.parse_qsl(parts.query)), "digest": digest})
    status, _, body = registry.request("PUT", f"{parts.path}?{query}", data, Content_Type=OCTETS)
    assert status == 201, body


def has_blob(registry: Registry, data: bytes) -> bool:
    """Whether the registry serves these bytes under their digest."""
    status, _, body = registry.request("GET", f"/v2/{REPOSITORY}/blobs/{registry_layout.digest(data)}")
    return status == 200 and body == data


def store_as_blob(driver: StorageDriver, upload_id: str, data: bytes) -> None:
    """What the registry does with an upload that is complete: the blob in its place, and the repository's link."""
    digest = registry_layout.digest(data)
    driver.move(f"{uploads(upload_id)}/data", registry_layout.blob_path(digest))
    driver.put_content(registry_layout.layer_link(REPOSITORY, digest), digest.encode())
    driver.delete(uploads(upload_id))


# The registry writes, we read


def test_what_the_registry_pushed_is_listed_told_and_verified(pushed: Running) -> None:
    """Every blob by `walk`, `stat`, `list` and `reader`, digest for digest."""
    driver = StorageDriver.from_parameters(pushed.options)
    found: list[FileInfo] = []
    driver.walk(registry_layout.BLOBS, found.append)
    digests = {blob.digest for image in PUSHED.values() for blob in (image.manifest, *image.blobs)}
    files = {registry_layout.blob_digest(info.path): info for info in found if not info.is_dir}
    assert digests == files.keys()
    for digest, info in files.items():
        told = driver.stat(info.path)
        assert (told.path, told.size, told.is_dir) == (info.path, info.size, False)
        assert driver.list(info.path.removesuffix("/data")) == [info.path]
        with driver.reader(info.path) as reader:
            assert f"sha256:{hashlib.sha256(reader.read()).hexdigest()}" == digest
    tags = f"{registry_layout.REPOSITORIES}/{REPOSITORY}/_manifests/tags"
    assert driver.list(tags) == [f"{tags}/v1", f"{tags}/v2"]


# We write, the registry reads


@pytest.mark.promise("The storage driver")
def test_an_image_that_the_driver_wrote_is_pulled(beside: Running, driver: StorageDriver, tmp_path: Path) -> None:
    """An image that the driver wrote can be pulled from the real registry.

    The driver writes blobs by uploads, as the registry does, and then the links. skopeo checks every digest.
    """
    image = images.image([images.layer({"driver": images.noise("driver", 12 * MIB)})])
    for blob in (image.manifest, *image.blobs):
        upload_id = str(uuid.uuid4())
        with driver.writer(f"{uploads(upload_id)}/data") as writer:
            driver.put_content(f"{uploads(upload_id)}/startedat", STARTED.encode())
            writer.write(blob.data)
            writer.commit()
        store_as_blob(driver, upload_id, blob.data)
    links = images.files(REPOSITORY, "by-driver", image)
    for path, content in links.items():
        if not path.startswith(registry_layout.BLOBS):
            driver.put_content(path, content)
    reference = beside.registry.reference(f"{REPOSITORY}:by-driver")
    servers.skopeo("copy", "--src-tls-verify=false", reference, f"dir:{tmp_path}")
    assert registry_layout.digest((tmp_path / "manifest.json").read_bytes()) == image.manifest.digest
    for blob in image.blobs:
        assert (tmp_path / blob.digest.removeprefix("sha256:")).read_bytes() == blob.data


# The registry begins, we go on


@pytest.mark.promise("The storage driver")
def test_an_upload_that_the_registry_left_is_gone_on_with(beside: Running, driver: StorageDriver) -> None:
    """An upload that the real registry began can be continued here."""
    for sizes in ((1000, 2000), (6 * MIB, 2000), (7 * MIB,), (12 * MIB, 6 * MIB)):
        data = random.Random(len(sizes)).randbytes(sum(sizes) + 3000)
        with servers.docker_registry(beside.server, "beside", rootdirectory=ROOT) as registry:
            url, at = begin(registry), 0
            for size in sizes:
                url, at = patch(registry, url, data[at : at + size]), at + size
        upload_id = urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1]
        with driver.writer(f"{uploads(upload_id)}/data", append=True) as writer:
            assert writer.size == at
            writer.write(data[at:])
            writer.commit()
        assert driver.get_content(f"{uploads(upload_id)}/data") == data
        store_as_blob(driver, upload_id, data)
        assert has_blob(beside.registry, data)


def test_an_upload_that_broke_off_with_the_registry_is_gone_on_with(beside: Running, driver: StorageDriver) -> None:
    """The registry ends in the middle of a chunk; `size` tells how much of it was stored."""
    data = random.Random(7).randbytes(40 * MIB)
    settings = {"rootdirectory": ROOT, "chunksize": 5 * MIB}
    with servers.docker_registry(beside.server, "beside", **settings) as registry:
        url = urllib.parse.urlsplit(begin(registry))
        upload_id = url.path.rsplit("/", 1)[-1]
        connection = http.client.HTTPConnection(servers.HOST, registry.port, timeout=60)
        connection.putrequest("PATCH", f"{url.path}?{url.query}")
        connection.putheader("Content-Type", OCTETS)
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data[: 23 * MIB])
        _wait_for_parts(driver, f"{uploads(upload_id)}/data", 2)
    connection.close()
    with driver.writer(f"{uploads(upload_id)}/data", append=True) as writer:
        stored = writer.size
        assert 10 * MIB <= stored <= 23 * MIB
        writer.write(data[stored:])
        writer.commit()
    assert driver.get_content(f"{uploads(upload_id)}/data") == data
    store_as_blob(driver, upload_id, data)
    assert has_blob(beside.registry, data)


def _wait_for_parts(driver: StorageDriver, path: str, count: int) -> None:
    bucket, deadline = driver.fs.bucket, time.monotonic() + 60
    (upload,) = bucket.list_uploads(bucket.space.key(path))
    while len(bucket.list_parts(upload.key, upload.upload_id)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# We begin, the registry goes on


def state(upload_id: str, offset: int) -> str:
    """The token by which the registry's API knows an upload: signed with its ``http.secret``, which an operator has."""
    message = json.dumps({"Name": REPOSITORY, "UUID": upload_id, "Offset": offset, "StartedAt": STARTED}).encode()
    signature = hmac.new(b"tests", message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(signature + message).decode()


@pytest.mark.promise("The storage driver")
@pytest.mark.parametrize("sizes", [(3000, 2000, 0), (6 * MIB, 2000, 1000), (12 * MIB, 6 * MIB, 5), (0, 500, 500)])
def test_an_upload_that_the_driver_left_is_gone_on_with_by_the_api(
    beside: Running, driver: StorageDriver, sizes: tuple[int, int, int]
) -> None:
    """An upload that the driver began can be continued by the real registry.

    The driver closes `data` and writes `startedat`; the API tells its size, takes more, and checks the digest.

    It takes a token for its place and size; without one, only the registry that began an upload knows of it.
    """
    first, second, last = sizes
    data, upload_id = random.Random(first).randbytes(sum(sizes)), str(uuid.uuid4())
    with driver.writer(f"{uploads(upload_id)}/data") as writer:
        writer.write(data[:first])
    driver.put_content(f"{uploads(upload_id)}/startedat", STARTED.encode())
    url = f"/v2/{REPOSITORY}/blobs/uploads/{upload_id}"
    assert beside.registry.request("GET", url)[0] == 404
    url += "?" + urllib.parse.urlencode({"_state": state(upload_id, first)})
    status, headers, _ = beside.registry.request("GET", url)
    assert (status, headers["Range"]) == (204, f"0-{max(first - 1, 0)}")
    url = patch(beside.registry, url, data[first : first + second])
    put(beside.registry, url, registry_layout.digest(data), data[first + second :] if last else b"")
    assert has_blob(beside.registry, data)
    assert driver.get_content(registry_layout.blob_path(registry_layout.digest(data))) == data


def test_all_of_it_is_under_the_rootdirectory(beside: Running, driver: StorageDriver) -> None:
    """The registry's keys and ours alike; a driver elsewhere in the bucket sees none of them."""
    data = b"under the rootdirectory"
    put(beside.registry, begin(beside.registry), registry_layout.digest(data), data)
    driver.put_content(f"{registry_layout.ROOT}/ours", b"")
    found = beside.server.client().list_objects_v2(Bucket="beside")["Contents"]
    root = f"{ROOT.strip('/')}{registry_layout.ROOT}/"
    keys = [each["Key"] for each in found]
    assert all(key.startswith(root) for key in keys)
    assert {f"{root}ours", f"{ROOT.strip('/')}{registry_layout.blob_path(registry_layout.digest(data))}"} <= set(keys)
    neighbour = StorageDriver.from_parameters({**beside.options, "rootdirectory": "/some/pre"})
    assert neighbour.list("/") == []
