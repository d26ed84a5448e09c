"""On a disk, a FIFO, a socket, a device or a link to nothing can stand where a registry has a file. None is opened."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.errors import NotAFileError
from registry_s3fs.registry import uploads
from registry_s3fs.registry.catalog import Catalog
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.verify import verify
from tests.registries import MadeRegistry


def make_socket(path: str) -> None:
    folder, name = os.path.split(path)
    before = os.getcwd()
    os.chdir(folder)  # a socket's path has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(name)
    finally:
        os.chdir(before)


ODD: dict[str, Callable[[str], None]] = {
    "fifo": os.mkfifo,
    "socket": make_socket,
    "device": lambda path: os.symlink("/dev/zero", path),
    "dangling": lambda path: os.symlink("/nowhere/at/all", path),
}


@pytest.fixture(autouse=True)
def no_hanging() -> Iterator[None]:
    """A FIFO that is opened blocks its reader; then the test fails."""

    def fail(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=["local", "chained"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeRegistry:
    """A registry on a disk, with one whole image, in a filesystem of its own or below another's folder."""
    if request.param == "local":
        found = MadeRegistry(LocalFileSystem(), f"{tmp_path}/docker/registry/v2")
    else:
        found = MadeRegistry(DirFileSystem(str(tmp_path), LocalFileSystem()), "docker/registry/v2")
    found.image("app", "good", [b"layer"])
    return found


@pytest.fixture(params=ODD)
def put_odd(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """What puts something that is no file in the place of one, and gives its path."""

    def put(path: str) -> str:
        there = path if path.startswith("/") else f"{tmp_path}/{path}"
        os.makedirs(os.path.dirname(there), exist_ok=True)
        if os.path.lexists(there):
            os.unlink(there)
        ODD[request.param](there)
        return path

    return put


@pytest.mark.promise("Registry contents")
def test_an_inventory_tells_what_is_no_file_and_does_not_open_it(
    made: MadeRegistry, put_odd: Callable[[str], str]
) -> None:
    """A FIFO, a socket or a device in the place of a link, manifest or upload is a problem, and is never opened."""
    lost = made.image("app", "lost", [b"other"])
    linked = made.image("app", "linked", [b"third"])
    odd = {
        put_odd(made.blob_path(lost.digest)),
        put_odd(made.tag_path("app", "odd")),
        put_odd(made.revision_path("app", linked.digest)),
        put_odd(f"{made.root}/repositories/app/_uploads/0b6e9a40-0000-4000-8000-000000000000/startedat"),
    }
    tables = inventory(made.fs, made.root, configs=True)
    rows = tables.problems.to_pylist()
    assert {row["key"] for row in rows if row["code"] == "unknown_key"} == odd
    assert all("it is no file" in row["detail"] for row in rows if row["code"] == "unknown_key")
    assert ("tag_dangling", "linked") in {(row["code"], row["tag"]) for row in rows}
    assert ("blob_missing", lost.digest) in {(row["code"], row["digest"]) for row in rows}
    assert sorted(tables.tags["tag"].to_pylist()) == ["good", "linked", "lost"]
    assert tables.snapshot["keys"].to_pylist() == [len(made.files())]
    assert uploads.read(made.fs, made.root) == []


def test_a_catalog_says_what_stands_in_the_place_of_a_file(made: MadeRegistry, put_odd: Callable[[str], str]) -> None:
    """It is an error in the place of the value, or is raised where one thing was asked for."""
    lost = made.image("app", "lost", [b"other"])
    put_odd(made.blob_path(lost.digest))
    put_odd(made.tag_path("app", "odd"))
    catalog = Catalog(made.fs, made.root)
    digests = catalog.tag_digests("app")
    assert digests["lost"] == lost.digest
    assert isinstance(digests.get("odd", FileNotFoundError()), (NotAFileError, FileNotFoundError))
    for reference in ("app:odd", "app:lost"):
        with pytest.raises((NotAFileError, FileNotFoundError)):
            catalog.resolve(reference)
    assert catalog.config("app:good")["architecture"] == "amd64"
    assert len(list(catalog.manifests("app"))) == 2


def test_what_became_no_file_since_the_inventory_is_no_blob(made: MadeRegistry, put_odd: Callable[[str], str]) -> None:
    """`verify` tells it as a blob that cannot be read."""
    lost = made.image("app", "lost", [b"other"])
    tables = inventory(made.fs, made.root)
    put_odd(made.blob_path(lost.layers[0].digest))
    found = verify(made.fs, tables)
    assert [each.digest for each in found.findings] == [lost.layers[0].digest]


def test_a_link_to_a_file_is_that_file(made: MadeRegistry, tmp_path: Path) -> None:
    """A registry whose blobs were moved to another disk, and linked, is whole."""
    image = made.image("app", "moved", [b"moved"])
    path = made.blob_path(image.digest)
    there = path if path.startswith("/") else f"{tmp_path}/{path}"
    os.rename(there, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", there)
    tables = inventory(made.fs, made.root)
    assert tables.problems.num_rows == 0
    assert image.digest in tables.manifests["digest"].to_pylist()
