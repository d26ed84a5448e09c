"""Layouts beside the tools that read and write them: skopeo, umoci and the real docker-registry."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from demo import images
from demo.images import Image, noise
from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.cli.main import main
from registry_s3fs.model.registry_layout import ROOT
from registry_s3fs.registry.oci_layout import export_images, import_images
from testbed import servers
from testbed.servers import Registry, Server
from tests.interop import pushing

MIB = 1024 * 1024
BASE = images.layer({"base.so": noise("base", 12 * MIB)}, 0)
APP = images.image([BASE, images.layer({"app": noise("app", 70_000)})])
ARM64 = images.image([images.layer({"app": noise("arm64", 70_000)})], "arm64")
MULTI = pushing.index(APP, ARM64)
SUBJECT = {**MULTI.manifest.descriptor}
SIGNATURE = pushing.index(subject=SUBJECT, artifactType="application/vnd.example.signature")
IMAGES: dict[str, tuple[Image, ...]] = {"team/app:v1": (APP,), "team/multi:1.0": (MULTI, APP, ARM64)}


def skip_without_programs() -> None:
    """Skip a test where docker-registry or skopeo is not installed."""
    for name in ("docker-registry", "skopeo"):
        try:
            servers.program(name)
        except servers.NotInstalledError as missing:
            pytest.skip(str(missing))


@dataclass(frozen=True)
class Source:
    """A bucket that skopeo has pushed images into."""

    server: Server
    fs: RegistryS3FileSystem

    def bucket(self, name: str) -> RegistryS3FileSystem:
        """An empty bucket on the same server."""
        self.server.create_bucket(name)
        return RegistryS3FileSystem(**self.server.options(name))


@pytest.fixture(scope="module", params=["moto_server", "radosgw_server"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Images, an index and a signature of it, pushed through docker-registry."""
    skip_without_programs()
    server: Server = request.getfixturevalue(request.param)
    server.create_bucket("pushed")
    with servers.docker_registry(server, "pushed") as registry:
        for name, (image, *more) in IMAGES.items():
            pushing.push(registry, tmp_path_factory.mktemp("pushed"), name, image, *more)
        pushing.put_manifest(registry, "team/multi", SIGNATURE)
    return Source(server, RegistryS3FileSystem(**server.options("pushed")))


@pytest.fixture(scope="module")
def layouts(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same images as a folder and as a tar."""
    top = tmp_path_factory.mktemp("layouts")
    found = {"oci": top / "layout", "oci-archive": top / "layout.tar"}
    for path in found.values():
        export_images(source.fs, IMAGES, str(path), referrers=True)
    return found


def stored(fs: AbstractFileSystem) -> dict[str, bytes]:
    """Give what a registry stores, without what its uploads leave behind."""
    paths: list[str] = fs.find(ROOT)
    found: dict[str, bytes] = fs.cat([path for path in paths if "/_uploads/" not in path])
    return found


def raw(reference: str) -> str:
    """Give the manifest that skopeo sees."""
    secure = ["--tls-verify=false"] if reference.startswith("docker://") else []
    return servers.skopeo("inspect", "--raw", *secure, reference)


def test_skopeo_reads_what_was_exported(layouts: dict[str, Path]) -> None:
    """By the names that the images have in the registry: a folder as `oci:`, a tar as `oci-archive:`."""
    for transport, path in layouts.items():
        for name, (image, *_) in IMAGES.items():
            assert raw(f"{transport}:{path}:{name}").encode() == image.manifest.data
        told = json.loads(servers.skopeo("inspect", f"{transport}:{path}:team/app:v1"))
        assert told["Digest"] == APP.manifest.digest
        assert told["Layers"] == [blob.digest for blob in APP.blobs[1:]]


def test_skopeo_copies_what_was_exported(layouts: dict[str, Path], tmp_path: Path) -> None:
    """All of it, comparing each blob."""
    for transport, path in layouts.items():
        for name in IMAGES:
            target = tmp_path / transport / name.replace("/", "-").replace(":", "-")
            target.parent.mkdir(exist_ok=True)
            servers.skopeo("copy", "--all", f"{transport}:{path}:{name}", f"dir:{target}")


def test_umoci_unpacks_what_was_exported(layouts: dict[str, Path], tmp_path: Path) -> None:
    """And lists its names."""
    try:
        umoci = servers.program("umoci")
    except servers.NotInstalledError as missing:
        pytest.skip(str(missing))

    def run(*words: str) -> str:
        return subprocess.run([umoci, *words], check=True, capture_output=True, text=True, timeout=60).stdout

    listed = run("ls", "--layout", str(layouts["oci"])).split()
    assert listed == [*IMAGES, f"team/multi@{SIGNATURE.manifest.digest}"]
    run("unpack", "--rootless", "--image", f"{layouts['oci']}:team/app:v1", str(tmp_path / "bundle"))
    assert (tmp_path / "bundle/rootfs/app").read_bytes() == noise("app", 70_000)


def test_what_is_imported_is_what_a_push_stores(source: Source, layouts: dict[str, Path]) -> None:
    """The same keys with the same bytes, from the folder and from the tar; a second time, nothing is written."""
    pushed = stored(source.fs)
    for transport, path in layouts.items():
        fs = source.bucket(f"as-pushed-{transport}")
        import_images(fs, str(path))
        assert stored(fs) == pushed
        assert fs.find("/") == sorted(pushed)
        again = import_images(fs, str(path))
        assert (again.blobs, again.links) == (0, 0)


def test_what_is_imported_into_an_empty_bucket_is_pulled(
    source: Source, layouts: dict[str, Path], tmp_path: Path
) -> None:
    """By skopeo through docker-registry, digest for digest."""
    for transport, path in layouts.items():
        bucket = f"pulled-{transport}"
        import_images(source.bucket(bucket), str(path))
        with servers.docker_registry(source.server, bucket) as registry:
            for name, (image, *_) in IMAGES.items():
                assert raw(registry.reference(name)).encode() == image.manifest.data
                target = f"oci:{tmp_path}/{transport}:{name.partition(':')[0]}"
                servers.skopeo("copy", "--all", "--src-tls-verify=false", registry.reference(name), target)
            assert pushing.tags(registry, "team/multi") == ["1.0"]
            url = f"/v2/team/multi/manifests/{SIGNATURE.manifest.digest}"
            assert registry.request("GET", url, Accept=pushing.INDEX)[2] == SIGNATURE.manifest.data


def test_a_layout_may_be_in_a_bucket(source: Source) -> None:
    """As a folder and as a tar, which have the same bytes as on a disk, and from which is imported."""
    between = source.bucket("between")
    for out in ("/some/layout", "/some/layout.tar"):
        done = export_images(source.fs, IMAGES, out, target_fs=between)
        assert {image.reference for image in done.images} == set(IMAGES)
        target = source.bucket(f"from-{out.replace('/', '-').replace('.', '-').strip('-')}")
        import_images(target, out, source_fs=between)
        assert stored(target).keys() == {
            path for path in stored(source.fs) if SIGNATURE.manifest.digest[7:] not in path
        }
    assert between.list_multipart_uploads() == []


def test_what_skopeo_writes_is_imported(tmp_path: Path) -> None:
    """A folder and a tar, with a name, with a tag alone, without one; the registry is in a folder."""
    skip_without_programs()
    layout = tmp_path / "layout"
    for file, data in images.oci_layout("pushed", ARM64).items():
        (layout / file).parent.mkdir(parents=True, exist_ok=True)
        (layout / file).write_bytes(data)
    names = {
        f"oci:{tmp_path}/named:team/named:v1": None,
        f"oci:{tmp_path}/host:quay.io/team/host:v1": None,
        f"oci:{tmp_path}/tagged:v1": "team/tagged",
        f"oci:{tmp_path}/nameless": "team/nameless:v1",
        f"oci-archive:{tmp_path}/archive.tar:team/archive:v1": None,
        f"oci-archive:{tmp_path}/nameless.tar": "team/nameless-archive:v1",
    }
    found = []
    for written, reference in names.items():
        servers.skopeo("copy", f"oci:{layout}:pushed", written)
        done = import_images(
            LocalFileSystem(), written.split(":")[1], root=f"{tmp_path}/registry{ROOT}", reference=reference
        )
        found += [image.reference for image in done.images]
    repositories = ("named", "host", "tagged", "nameless", "archive", "nameless-archive")
    assert found == [f"team/{name}:v1" for name in repositories]
    with servers.docker_registry_in(tmp_path / "registry") as registry:
        for name in found:
            assert raw(registry.reference(name)).encode() == ARM64.manifest.data


def test_the_commands_move_images_from_bucket_to_bucket(
    source: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the configurations of two registries."""

    def command(registry: Registry, *words: str) -> dict[str, Any]:
        assert main([*words, "--config", str(registry.config), "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    source.server.create_bucket("by-command")
    out = str(tmp_path / "images.tar")
    with servers.docker_registry(source.server, "pushed") as registry:
        told = command(registry, "export", "--referrers", "team/multi:1.0", out)
    assert [image["reference"] for image in told["images"]] == [
        "team/multi:1.0",
        f"team/multi@{SIGNATURE.manifest.digest}",
    ]
    with servers.docker_registry(source.server, "by-command") as registry:
        told = command(registry, "import", "--as", "copy/of:it", out)
        assert told["images"][0]["reference"] == "copy/of:it"
        assert raw(registry.reference("copy/of:it")).encode() == MULTI.manifest.data
