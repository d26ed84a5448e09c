"""A registry that the real docker-registry has filled, copied by `sync`: skopeo pulls the copy, digest for digest."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo import images
from demo.images import Image, noise
from registry_s3fs.cli.main import main
from registry_s3fs.model import registry_layout as layout
from testbed import servers
from testbed.servers import Registry, Server
from tests.interop import pushing

MIB = 1024 * 1024
BASE = images.layer({"base": noise("base", MIB)}, 0)
KILLS, RUNS = 10, 60
"""So many kills meet a copy that is not whole, in at most so many runs: on a busy machine, some come too late."""


def image(name: str, size: int = 5_000, architecture: str = "amd64") -> Image:
    """An image on a base that all have."""
    return images.image([BASE, images.layer({name: noise(name, size)})], architecture)


AMD64, ARM64 = image("amd64"), image("arm64", architecture="arm64")
PUSHED: dict[str, tuple[Image, ...]] = {
    "hello:1.0": (image("hello"),),
    "team/app:v1": (image("v1"),),
    "team/app:v2": (image("v2", 24 * MIB),),
    "multi/arch:latest": (pushing.index(AMD64, ARM64), AMD64, ARM64),
}
"""Each tag, with its manifest and those of its index."""


@dataclass(frozen=True)
class Filled:
    """The source: a registry on a server, and the words that name it."""

    server: Server
    registry: Registry

    @property
    def word(self) -> str:
        """The registry's own configuration."""
        return str(self.registry.config)


@pytest.fixture(scope="module")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """docker-registry on radosgw, to which images were pushed, with an upload that was interrupted."""
    for name in ("docker-registry", "skopeo"):
        try:
            servers.program(name)
        except servers.NotInstalledError as missing:
            pytest.skip(str(missing))
    server: Server = request.getfixturevalue("radosgw_server")
    server.create_bucket("synced")
    with servers.docker_registry(server, "synced", rootdirectory="/prefix") as registry:
        for name, (content, *more) in PUSHED.items():
            pushing.push(registry, tmp_path_factory.mktemp("layouts"), name, content, *more)
        pushing.begin(registry, "team/app", noise("interrupted", 20_000))
        yield Filled(server, registry)


@dataclass(frozen=True)
class Copy:
    """Where it is copied to: the words, what lies there, and the real registry on it."""

    words: list[str]
    files: Callable[[], dict[str, int]]
    """The size of each file, by its path below the root."""
    empty: Callable[[], None]
    """Deletes all of it."""
    read: Callable[[str], bytes]
    registry: Callable[[], Any]


@pytest.fixture(params=["folder", "bucket"])
def copy(request: pytest.FixtureRequest, filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """An empty folder, and an empty bucket."""
    if request.param == "folder":
        root = tmp_path / layout.ROOT.lstrip("/")

        return Copy(
            [str(tmp_path)],
            lambda: on_disk(root),
            lambda: shutil.rmtree(root),
            lambda path: (root / path).read_bytes(),
            lambda: servers.docker_registry_in(tmp_path),
        )
    bucket = f"copy-{tmp_path.name.replace('_', '-').rstrip('-')}"[:60]
    server, client = filled.server, filled.server.client()
    server.create_bucket(bucket)
    monkeypatch.setenv("SECRET_OF_THE_TEST", servers.SECRET_KEY)
    words = [f"registrys3://{bucket}", "--destination-secret-from-env", "SECRET_OF_THE_TEST"]
    slowly = {"max_concurrency": 1}  # so that a kill meets a copy that is under way
    for name, value in {**server.options(bucket), **slowly}.items():
        words += [] if name in ("bucket", "secretkey") else ["--destination-option", f"{name}={value}"]
    return Copy(
        words,
        lambda: in_bucket(server, bucket, ""),
        lambda: server.empty_bucket(bucket),
        lambda path: bytes(client.get_object(Bucket=bucket, Key=f"{layout.ROOT[1:]}/{path}")["Body"].read()),
        lambda: servers.docker_registry(server, bucket),
    )


def on_disk(root: Path) -> dict[str, int]:
    """What lies in a folder, in which a file can be renamed between its listing and its look."""
    sizes = {}
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if not path.is_dir():
                sizes[path.relative_to(root).as_posix()] = path.stat().st_size
    return sizes


def in_bucket(server: Server, bucket: str, prefix: str) -> dict[str, int]:
    """What lies in a bucket, by plain boto3."""
    top = f"{prefix}{layout.ROOT[1:]}/"
    pages = server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=top)
    return {each["Key"].removeprefix(top): each["Size"] for page in pages for each in page.get("Contents", [])}


def expected(filled: Filled) -> dict[str, int]:
    """What is to be copied: all but uploads."""
    return {
        path: size for path, size in in_bucket(filled.server, "synced", "prefix/").items() if "/_uploads/" not in path
    }


def check_pulled(registry: Registry, folder: Path) -> None:
    """Pull each tag by skopeo, which compares each digest, and compare all bytes with what was pushed."""
    assert sorted(registry.get("/v2/_catalog")["repositories"]) == ["hello", "multi/arch", "team/app"]
    for name, contents in PUSHED.items():
        target = folder / name.replace("/", "-").replace(":", "-")
        servers.skopeo("copy", "--all", "--src-tls-verify=false", registry.reference(name), f"dir:{target}")
        assert (target / "manifest.json").read_bytes() == contents[0].manifest.data
        for blob in (each for content in contents for each in content.blobs):
            is_manifest = any(blob.digest == content.manifest.digest for content in contents)
            file = target / (blob.digest[7:] + (".manifest.json" if is_manifest else ""))
            assert file.read_bytes() == blob.data


def test_the_copy_is_pulled_from(
    filled: Filled, copy: Copy, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder and in another bucket, through the real registry. A tag that moves there moves in the copy."""
    scratch = tmp_path_factory.mktemp("pulled")
    assert main(["sync", filled.word, *copy.words]) == 0
    assert copy.files() == expected(filled)
    with copy.registry() as registry:
        check_pulled(registry, scratch)
    new, old = image("new"), PUSHED["hello:1.0"][0]
    pushing.push(filled.registry, scratch, "hello:1.0", new)
    capsys.readouterr()
    assert main(["sync", filled.word, *copy.words, "-q"]) == 0
    assert capsys.readouterr().out == "hello:1.0\n"
    with copy.registry() as registry:
        raw = servers.skopeo("inspect", "--raw", "--tls-verify=false", registry.reference("hello:1.0"))
        assert raw.encode() == new.manifest.data
    pushing.push(filled.registry, scratch, "hello:1.0", old)


@pytest.mark.thorough
def test_killed_at_random_points_and_begun_again_it_is_the_same(
    filled: Filled, copy: Copy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After each SIGKILL every tag that is there is whole; in the end the copy is pulled from."""
    wanted = expected(filled)
    command = [sys.executable, "-m", "registry_s3fs", "sync", filled.word, *copy.words]
    chance = random.Random(17)
    killed = 0
    for _ in range(RUNS):
        was_killed = ran_and_killed(command, copy, len(copy.files()) + chance.randint(1, 6))
        check_whole(copy)
        is_whole = len(copy.files()) >= len(wanted)
        assert was_killed or is_whole
        killed += was_killed and not is_whole
        if killed == KILLS:
            break
        if is_whole:  # the kill came too late
            copy.empty()
    assert killed == KILLS
    assert main(command[3:]) == 0
    assert copy.files() == wanted
    with copy.registry() as registry:
        check_pulled(registry, tmp_path_factory.mktemp("pulled"))


def ran_and_killed(command: list[str], copy: Copy, reached: int) -> bool:
    """Run it until so many files are there, and kill it. Whether it had not ended by then."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            while process.poll() is None and len(copy.files()) < reached:
                time.sleep(0.01)
        finally:
            process.kill()
        said, _ = process.communicate()
    assert process.returncode <= 0, said
    return process.returncode < 0


def check_whole(copy: Copy) -> None:
    """Every blob has its size, and every tag its manifests and their blobs, by their files alone."""
    files = copy.files()
    sizes = {
        f"blobs/sha256/{blob.digest[7:9]}/{blob.digest[7:]}/data": len(blob.data)
        for contents in PUSHED.values()
        for content in contents
        for blob in (content.manifest, *content.blobs)
    }
    assert {path: size for path, size in files.items() if path in sizes and sizes[path] != size} == {}
    for path in files:
        if path.endswith("/current/link"):
            waiting = [copy.read(path).decode()]
            while waiting:
                hex_ = waiting.pop()[7:]
                said = json.loads(copy.read(f"blobs/sha256/{hex_[:2]}/{hex_}/data"))
                waiting += [child["digest"] for child in said.get("manifests", [])]
                needed = [said["config"], *said["layers"]] if "config" in said else []
                repository = path.partition("/_manifests/")[0]
                assert f"{repository}/_manifests/revisions/sha256/{hex_}/link" in files
                for each in needed:
                    assert layout.Blob(each["digest"]).at("").lstrip("/") in files
                    assert f"{repository}/_layers/{each['digest'].replace(':', '/')}/link" in files
