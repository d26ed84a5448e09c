"""The merged trees of images against what umoci unpacks, and layers as umoci, skopeo and buildah make them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.registry.layers.entries import LayerEntry
from registry_s3fs.registry.layers.rootfs import merge
from registry_s3fs.registry.layers.store import Layers
from registry_s3fs.registry.manifests import parse_manifest
from testbed import servers
from tests.layers import Member, folder, gzip_of, hardlink, noise, sha256, symlink, tar

IS_ROOT = os.geteuid() == 0
Archive = list[Member | str]

BASE: Archive = [
    folder("etc"),
    Member("etc/passwd", b"root:x:0:0\n"),
    Member("etc/shadow", b"root:!\n", mode=0o600),
    folder("tmp", mode=0o1777),
    folder("usr"),
    folder("usr/bin"),
    Member("usr/bin/tool", noise(200_000), mode=0o755),
    Member("usr/bin/su", b"su", mode=0o4755),
    Member("usr/bin/wall", b"wall", mode=0o2755),
    folder("usr/share", mode=0o2775),
    folder("usr/share/a"),  # with entries: what umoci makes below a folder with setgid has it, too
    folder("usr/share/a/b", mode=0o700),
    Member("usr/share/a/b/c", b"deep"),
    Member("var/lib/x", b"no entries of its folders"),
    symlink("bin", "usr/bin"),
    symlink("usr/bin/loop", "loop"),
    symlink("etc/mtab", "/proc/mounts"),
    symlink("etc/out", "../../../../etc/passwd"),
]
IMAGES: dict[str, list[Archive]] = {
    "whiteouts": [
        BASE,
        ["etc/.wh.passwd", "usr/.wh.share", "etc/.wh.never", "usr/bin/.wh.loop", Member("etc/group", b"root:x:0\n")],
        [Member("etc/passwd", b"again\n")],
    ],
    "a whiteout of what the same layer has": [
        BASE,
        [Member("etc/passwd", b"new\n"), "etc/.wh.passwd", "etc/.wh.hosts", Member("etc/hosts", b"h\n")],
        [Member("usr/share/a/new", b"n"), "usr/.wh.share"],
    ],
    "opaque folders": [
        BASE,
        [Member("usr/bin/one", b"1"), "usr/bin/.wh..wh..opq", Member("usr/bin/two", b"2")],
        ["usr/share/.wh..wh..opq", "etc/.wh..wh..opq", folder("etc", mode=0o700)],
        [Member("etc/last", b"l")],
    ],
    "another kind": [
        BASE,
        [Member("usr/share", b"a file over a folder"), folder("etc/shadow"), Member("etc/shadow/x", b"x")],
        [folder("usr/share", mode=0o750), symlink("usr/bin/su", "tool"), Member("bin", b"over a link")],
        [Member("usr/share/y", b"y"), symlink("etc/shadow", "passwd"), folder("bin")],
    ],
    "folders of upper layers": [
        BASE,
        [folder("usr", mode=0o700, uid=5, gid=6, mtime=1_600_000_000), folder("./etc/", mode=0o711)],
    ],
    "hard links": [
        [*BASE, hardlink("usr/bin/also", "usr/bin/tool"), hardlink("/etc/./p", "./etc/passwd"), hardlink("l", "bin")],
        [hardlink("kept", "usr/bin/tool"), Member("usr/bin/tool", b"another")],
        ["usr/bin/.wh.also", "etc/.wh.passwd", hardlink("etc/p2", "etc/p")],
        [Member("etc/p", b"newer"), hardlink("bin/new", "bin/su")],
    ],
    "below links": [
        BASE,
        [Member("bin/added", b"in usr/bin"), "bin/.wh.wall", folder("bin/deeper"), Member("bin/deeper/x", b"x")],
        [symlink("usr/abs", "/etc/../tmp"), Member("usr/abs/t", b"t"), symlink("up", "../../.."), Member("up/u", b"u")],
        [symlink("later", "not/there"), Member("later/x", b"x"), Member("usr/abs/../y", b"y")],
    ],
    "names": [
        [
            Member("./dot/./x", b"1"),
            Member("/absolute/y", b"2"),
            Member("../../above", b"3"),
            Member("a/../../b", b"4"),
            Member("gaps//z", b"5"),
            Member("space and\ttab", b"6"),
            Member("new\nline", b"7"),
            Member("\u65e5\u672c/caf\u00e9", b"8"),
            Member("bytes\udcff\udcfe", b"9"),
            Member("a.wh.b", b"10"),
            Member("long/" + "/".join(["x" * 200] * 5), b"11"),
            Member("quote'\"\\", b"12"),
        ],
        ["dot/.wh.x", "\u65e5\u672c/.wh.caf\u00e9", ".wh.bytes\udcff\udcfe"],
    ],
    "names that come twice": [
        [
            Member("a", b"first"),
            Member("b", b"1"),
            Member("a", b"second"),
            folder("b"),
            Member("b/c", b"2"),
            folder("b"),
        ],
        [Member("c", b"x" * 10_000), symlink("c", "a"), hardlink("d", "a"), Member("a", b"third")],
    ],
    "devices": [
        [
            *BASE,
            Member("dev/null", type=tarfile.CHRTYPE, device=(1, 3), mode=0o666),
            Member("dev/sda", type=tarfile.BLKTYPE, device=(8, 300), mode=0o660, gid=6),
            Member("dev/pipe", type=tarfile.FIFOTYPE, mode=0o620),
            hardlink("dev/zero", "dev/null"),
        ],
        ["dev/.wh.sda", Member("dev/null", b"a file")],
    ],
    "many layers": [[Member(f"d/{number % 7}/f{number}", noise(number), mode=0o600 + number)] for number in range(40)],
}
NEEDS_ROOT = {"devices", "folders of upper layers"}


class Found(NamedTuple):
    """What there is at a path."""

    kind: str
    mode: int
    owner: tuple[int, int] | None
    mtime: float | None
    link: str | None
    device: tuple[int, int] | None
    data: bytes | None


@pytest.fixture(scope="module", autouse=True)
def umoci() -> str:
    """The program, without which nothing can be compared."""
    try:
        return servers.program("umoci")
    except servers.NotInstalledError as missing:
        pytest.skip(str(missing))


class Layout:
    """An OCI layout in a folder, and a registry's blobs beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "layout"
        self.registry = folder / "registry"
        (self.folder / "blobs" / "sha256").mkdir(parents=True)
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def add(self, data: bytes) -> dict[str, Any]:
        digest = sha256(data)
        (self.folder / "blobs" / digest.replace(":", "/")).write_bytes(data)
        return {"digest": digest, "size": len(data)}

    def push(self, archives: list[bytes], compressed: bool) -> None:
        """Make an image of archives, tagged `latest`."""
        stored = [gzip_of(each, members=1 + number % 3) if compressed else each for number, each in enumerate(archives)]
        media_type = "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if compressed else "")
        layers = [self.add(each) | {"mediaType": media_type} for each in stored]
        rootfs = {"type": "layers", "diff_ids": [sha256(each) for each in archives]}
        config = self.add(json.dumps({"os": "linux", "architecture": "amd64", "rootfs": rootfs}).encode())
        manifest = {"schemaVersion": 2, "config": config | {"mediaType": "application/vnd.oci.image.config.v1+json"}}
        kind = {"mediaType": "application/vnd.oci.image.manifest.v1+json"}
        found = self.add(json.dumps({**manifest, **kind, "layers": layers}).encode())
        tagged = {**found, **kind, "annotations": {"org.opencontainers.image.ref.name": "latest"}}
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [tagged]}))

    def unpacked(self, tag: str = "latest") -> Path:
        """What umoci makes of an image."""
        bundle = self.folder.parent / f"bundle-{tag}"
        run("umoci", "unpack", *([] if IS_ROOT else ["--rootless"]), "--image", f"{self.folder}:{tag}", str(bundle))
        return bundle / "rootfs"

    def layers(self, tag: str = "latest") -> tuple[Layers, list[list[LayerEntry]]]:
        """What we make of its layers."""
        index = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        names = [each.get("annotations", {}).get("org.opencontainers.image.ref.name") for each in index]
        manifest = parse_manifest(self._blob(index[names.index(tag)]["digest"]))
        for path in (self.folder / "blobs" / "sha256").iterdir():
            stored = self.registry / "blobs" / "sha256" / path.name[:2] / path.name / "data"
            stored.parent.mkdir(parents=True, exist_ok=True)
            if not stored.exists():
                os.link(path, stored)
        layers = Layers(LocalFileSystem(), str(self.registry))
        return layers, [layers.entries(layer) for layer in manifest.layers]

    def _blob(self, digest: str) -> bytes:
        return (self.folder / "blobs" / digest.replace(":", "/")).read_bytes()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def on_disk(root: Path) -> dict[str, Found]:
    """What umoci unpacked, by path."""
    return {
        os.path.relpath(os.path.join(folder, name), root): _on_disk(os.path.join(folder, name))
        for folder, folders, files in os.walk(root)
        for name in (*folders, *files)
    }


def _on_disk(path: str) -> Found:
    status = os.lstat(path)
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo"}
    kinds |= {stat.S_IFCHR: "character_device", stat.S_IFBLK: "block_device"}
    kind = kinds[stat.S_IFMT(status.st_mode)]
    return Found(
        kind,
        stat.S_IMODE(status.st_mode),
        (status.st_uid, status.st_gid) if IS_ROOT else None,
        None if kind == "directory" else status.st_mtime,
        os.readlink(path) if kind == "symlink" else None,
        (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind.endswith("device") else None,
        Path(path).read_bytes() if kind == "file" else None,
    )


def merged(layers: Layers, entries: list[list[LayerEntry]]) -> Iterator[tuple[str, Found]]:
    """What we make of the layers, by path."""
    for entry in merge(entries):
        is_file = entry.kind in ("file", "hardlink")
        yield (
            entry.path,
            Found(
                "file" if is_file else entry.kind,
                entry.mode,
                (entry.uid, entry.gid) if IS_ROOT else None,
                None if entry.kind == "directory" else entry.mtime,
                entry.link_target if entry.kind == "symlink" else None,
                entry.device,
                layers.read(entry) if is_file else None,
            ),
        )


def differences(ours: Mapping[str, Found], theirs: Mapping[str, Found]) -> dict[str, tuple[object, object]]:
    return {
        path: (ours.get(path), theirs.get(path))
        for path in sorted({*ours, *theirs})
        if ours.get(path) != theirs.get(path)
    }


@pytest.mark.parametrize("compressed", [True, False], ids=["gzip", "tar"])
@pytest.mark.parametrize("name", IMAGES)
def test_the_merged_tree_is_what_umoci_unpacks(layout: Layout, name: str, compressed: bool) -> None:
    """Names, kinds, modes, owners, times, link targets, devices and contents."""
    if name in NEEDS_ROOT and not IS_ROOT:
        pytest.skip("umoci makes devices and owners only for root")
    layout.push([tar(archive) for archive in IMAGES[name]], compressed)
    assert differences(dict(merged(*layout.layers())), on_disk(layout.unpacked())) == {}


def test_images_changed_and_repacked_by_umoci_are_merged_as_it_unpacks_them(layout: Layout, tmp_path: Path) -> None:
    """Its own layers: whiteouts that it makes of what was deleted, and files that it inserts."""
    layout.push([tar(BASE)], compressed=True)
    rootless = [] if IS_ROOT else ["--rootless"]
    image = f"{layout.folder}:latest"
    run("umoci", "unpack", *rootless, "--image", image, str(tmp_path / "work"))
    root = tmp_path / "work" / "rootfs"
    (root / "etc" / "passwd").unlink()
    (root / "usr" / "share" / "a" / "b" / "c").unlink()
    (root / "usr" / "share" / "a" / "b").rmdir()
    (root / "usr" / "share" / "a" / "b").write_bytes(b"a file now")
    (root / "etc" / "added").mkdir(0o751)
    (root / "etc" / "added" / "x y").write_bytes(noise(70_000))
    os.link(root / "etc" / "added" / "x y", root / "etc" / "linked")
    run("umoci", "repack", "--image", f"{layout.folder}:repacked", str(tmp_path / "work"))
    (tmp_path / "inserted").write_bytes(b"inserted")
    inserted = ["--image", f"{layout.folder}:repacked", str(tmp_path / "inserted"), "/usr/inserted"]
    run("umoci", "insert", *rootless, *inserted)
    layers, entries = layout.layers("repacked")
    assert len(entries) == 3
    assert differences(dict(merged(layers, entries)), on_disk(layout.unpacked("repacked"))) == {}


def test_an_image_built_by_buildah_is_merged_as_umoci_unpacks_it(layout: Layout, tmp_path: Path) -> None:
    """Layers of the builder that people use, with what was copied and what was removed."""
    if not IS_ROOT:
        pytest.skip("buildah without root needs user namespaces")
    try:
        servers.program("buildah")
    except servers.NotInstalledError as missing:
        pytest.skip(str(missing))
    source = tmp_path / "source"
    (source / "app" / "lib").mkdir(parents=True)
    (source / "app" / "run").write_bytes(noise(90_000))
    (source / "app" / "lib" / "caf\u00e9").write_bytes(b"x")
    (source / "app" / "link").symlink_to("lib/../run")
    (source / "app" / "run").chmod(0o4711)
    (source / "other").write_bytes(b"replaced")
    recipe = "FROM scratch\nCOPY app /app\nCOPY other /app/lib/\nCOPY app/lib /app/run.d/\n"
    (source / "Containerfile").write_text(recipe)
    stores = ["--root", str(tmp_path / "store"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs"]
    built = ["--layers", "-t", f"oci:{layout.folder}:built", str(source)]
    run("buildah", *stores, "build", "--isolation", "chroot", *built)
    layers, entries = layout.layers("built")
    assert len(entries) == 3
    assert differences(dict(merged(layers, entries)), on_disk(layout.unpacked("built"))) == {}


@pytest.mark.parametrize("form", ["zstd", "zstd:chunked"])
def test_layers_that_skopeo_compresses_again_have_the_same_files(layout: Layout, tmp_path: Path, form: str) -> None:
    """zstd as a stream, and zstd:chunked by the table of contents that containers/storage writes."""
    pytest.importorskip("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")
    layout.push([tar(IMAGES["hard links"][0])], compressed=True)  # its 1.9.3 fails where it makes several at once
    expected = dict(merged(*layout.layers()))
    again = Layout(tmp_path / "again")
    options = ["--dest-compress", "--dest-compress-format", form]
    servers.skopeo("copy", *options, f"oci:{layout.folder}:latest", f"oci:{again.folder}:latest")
    layers, entries = again.layers()
    files = [entry for layer in entries for entry in layer if entry.kind == "file"]
    assert {entry.has_table for entry in files} == {form == "zstd:chunked"}
    found = dict(merged(layers, entries))
    assert differences(found, expected) == {}
