"""Layouts and tars of strangers: refused with an error that says why, and nothing of them gets a link."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import tarfile
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.errors import (
    DigestMismatchError,
    FileTooLargeError,
    LayoutError,
    NotAFileError,
    UnreadableManifestError,
)
from registry_s3fs.model.registry_layout import ROOT
from registry_s3fs.registry.oci_layout import import_images
from registry_s3fs.registry.oci_layout.tar_members import MAX_HEADER_BYTES, layout_members
from tests.registries import AMD64, OCI_INDEX, MadeRegistry, Pushed
from tests.unit.registry.oci_layout.layouts import files_below, in_folder, in_tar, layout_of, named, new_path, tar

MIB = 1024 * 1024
Files = dict[str, bytes | tarfile.TarInfo]


@pytest.fixture
def fs() -> MemoryFileSystem:
    """The filesystem that all is in."""
    return MemoryFileSystem()


@pytest.fixture
def made() -> MadeRegistry:
    """A registry whose blobs make layouts."""
    return MadeRegistry()


@pytest.fixture
def image(made: MadeRegistry) -> Pushed:
    """An image."""
    return made.image("x", None, [b"base", b"app"])


@pytest.fixture
def files(made: MadeRegistry, image: Pushed) -> dict[str, bytes]:
    """A sound layout of it."""
    return layout_of(made, named(image, "team/app:1"))


def refused(path: str, kind: type[Exception] | tuple[type[Exception], ...], text: str | None = None) -> None:
    """Import a layout, which must fail without a link, and for all but a damaged blob without a file."""
    fs, root = MemoryFileSystem(), new_path("registry")
    with pytest.raises(kind, match=text) as failed:
        import_images(fs, path, root=root + ROOT, source_fs=fs)
    left = files_below(fs, root)
    assert not [name for name in left if "/repositories/" in name or "partial" in name]
    assert not left or failed.type is DigestMismatchError
    assert len(str(failed.value)) < 1500


def blob(pushed: Pushed) -> str:
    """Give the name of a blob in a layout."""
    return f"blobs/{pushed.digest.replace(':', '/')}"


def header(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    """Give the header of a file of a tar."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    return member


def test_a_sound_layout_is_taken(fs: MemoryFileSystem, files: dict[str, bytes]) -> None:
    """Else no test here says anything; names in a tar may begin with a dot, and folders may be in it."""
    dotted: Files = {"./": header("./", tarfile.DIRTYPE), "./blobs": header("./blobs", tarfile.DIRTYPE)}
    dotted |= {f"./{name}": data for name, data in files.items()}
    for path in (in_folder(files), in_tar(files), in_tar(dotted), in_tar({**files, "manifest.json": b"[]"})):
        assert import_images(fs, path, root=new_path() + ROOT, source_fs=fs).images[0].reference == "team/app:1"


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (header("../evil"), "lies outside"),
        (header("a/../../evil"), "lies outside"),
        (header("/etc/passwd"), "lies outside"),
        (header("blobs/sha256/link", tarfile.SYMTYPE, "/etc/passwd"), "no plain file"),
        (header("evil", tarfile.SYMTYPE, "../.."), "no plain file"),
        (header("evil", tarfile.LNKTYPE, "index.json"), "no plain file"),
        (header("null", tarfile.CHRTYPE), "no plain file"),
        (header("disk", tarfile.BLKTYPE), "no plain file"),
        (header("pipe", tarfile.FIFOTYPE), "no plain file"),
        (header("index.json"), "twice"),
        (header("./blobs/../index.json"), "lies outside"),
        (header("./index.json"), "twice"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else value,
)
def test_members_that_no_layout_has(files: dict[str, bytes], member: tarfile.TarInfo, text: str) -> None:
    """Before the others and behind them."""
    refused(in_tar({**files, "more": member}), LayoutError, text)
    if text != "twice":
        refused(in_tar({"more": member, **files}), LayoutError, text)


def test_links_in_the_place_of_files(files: dict[str, bytes], image: Pushed) -> None:
    """Of a blob, and of `index.json` itself."""
    for name in (blob(image), blob(image.layers[0]), "index.json", "oci-layout"):
        linked: Files = {**files, name: header(name, tarfile.SYMTYPE, "/etc/passwd")}
        refused(in_tar(linked), LayoutError)


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"])
def test_a_compressed_tar_is_told_as_such(magic: bytes) -> None:
    """With what to do."""
    refused(in_tar(magic + bytes(600)), LayoutError, "decompress it first")


def test_what_is_no_tar(files: dict[str, bytes]) -> None:
    """Nothing, a text, a compressed layout, an archive that an older docker saved."""
    for data in (b"", b"text", b"x" * 5000, gzip.compress(tar(files)), tar({"a": b"b"})):
        refused(in_tar(data), LayoutError)
    old: Files = {"manifest.json": b"[]", "1/layer.tar": header("1/layer.tar", tarfile.SYMTYPE, "../2/layer.tar")}
    refused(in_tar(old), LayoutError, "docker saved before version 25")


def test_truncated_tars(files: dict[str, bytes]) -> None:
    """Wherever they end, `index.json` being the first file or the last one."""
    last = dict(sorted(files.items()))
    last["index.json"] = last.pop("index.json")
    for order in (files, last):
        data = tar(order)
        whole = len(data.rstrip(b"\0"))
        for end in range(0, whole, 97):
            refused(in_tar(data[:end]), (LayoutError, DigestMismatchError))


def test_sparse_members(files: dict[str, bytes], image: Pushed) -> None:
    """In GNU's old form and in those of pax."""
    name = blob(image.layers[0])
    old = header(name, tarfile.GNUTYPE_SPARSE)
    refused(in_tar({**files, name: old}), LayoutError)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as written:
        for each, data in files.items():
            member = header(each, size=len(data))
            if each == name:
                member.pax_headers = {
                    "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,1", "GNU.sparse.size": "9",
                }  # fmt: skip
            written.addfile(member, io.BytesIO(data))
    refused(in_tar(raw.getvalue()), LayoutError, "no plain file")


def test_headers_that_claim_much(files: dict[str, bytes]) -> None:
    """Long names and extended headers of gigabytes, files that end behind the tar, negative sizes: little is read."""
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
        claim = header("x", kind, size=8 * 1024 * MIB).tobuf(tarfile.GNU_FORMAT)
        refused(in_tar(claim + bytes(4096)), LayoutError)
        claim = header("x", kind, size=MAX_HEADER_BYTES + 512).tobuf(tarfile.GNU_FORMAT)
        refused(in_tar(claim + b"x" * MAX_HEADER_BYTES + tar(files)), LayoutError, "headers are larger")
    behind = header("index.json", size=10**6).tobuf(tarfile.GNU_FORMAT)
    refused(in_tar(behind + bytes(2048)), LayoutError)
    for kind in (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        negative = header("index.json", kind, size=-512).tobuf(tarfile.GNU_FORMAT)
        refused(in_tar(negative + tar(files)), LayoutError)
    nested = header("x", tarfile.GNUTYPE_LONGNAME, size=1).tobuf(tarfile.GNU_FORMAT) + b"x" + bytes(511)
    refused(in_tar(nested * 2000), LayoutError)


def test_many_members_take_little_memory() -> None:
    """Their headers are not kept, and their number is bounded."""
    member = header("x").tobuf(tarfile.GNU_FORMAT)
    data = member * 3_000
    tracemalloc.start()
    try:
        assert layout_members(lambda start, end: data[start:end], len(data), "x") == {}
        assert tracemalloc.get_traced_memory()[1] < MIB // 2
    finally:
        tracemalloc.stop()


def test_random_damage_to_headers_is_an_error_of_ours(files: dict[str, bytes]) -> None:
    """Or the tar is still read; nothing else comes of it, and it ends."""
    dice = random.Random(17)
    sound = bytearray(tar(files))
    outcomes = set()
    for _ in range(1000):
        data = bytearray(sound)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.choice([0, 255, 128, dice.randrange(256)])
        if dice.random() < 0.7:  # with a checksum that holds, it is believed
            for at in range(0, len(data) - 511, 512):
                if data[at + 257 : at + 262] == b"ustar":
                    data[at + 148 : at + 156] = b" " * 8
                    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
        try:
            layout_members(lambda start, end, data=bytes(data): data[start:end], len(data), "x")  # type: ignore[misc]  # it is called at once
            outcomes.add("read")
        except LayoutError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_a_layout_lacks_its_files(files: dict[str, bytes], image: Pushed) -> None:
    """Its two own, a blob, a manifest, a folder itself."""
    for name in ("index.json", "oci-layout", blob(image), blob(image.layers[1])):
        rest = {each: data for each, data in files.items() if each != name}
        refused(in_folder(rest), LayoutError)
        refused(in_tar(rest), LayoutError)
    refused(new_path("nothing"), FileNotFoundError)


def test_blobs_with_other_bytes(files: dict[str, bytes], image: Pushed) -> None:
    """A layer, a config, a manifest; of the same size or another."""
    assert image.config
    for changed in (image, image.config, image.layers[0]):
        for data in (b"", b"?" * changed.size, changed.data + b"?"):
            other = {**files, blob(changed): data}
            refused(in_folder(other), DigestMismatchError)
            refused(in_tar(other), DigestMismatchError)


def test_files_that_would_take_forever(files: dict[str, bytes], image: Pushed, tmp_path: Path) -> None:
    """A FIFO in the place of a tar, a blob, a manifest or a document is not opened; a link to a file is."""
    fs = LocalFileSystem(auto_mkdir=True)
    os.mkfifo(tmp_path / "layout.tar")
    with pytest.raises(NotAFileError):
        import_images(fs, str(tmp_path / "layout.tar"), root=f"{tmp_path}/registry")
    for number, name in enumerate((blob(image.layers[0]), blob(image), "index.json")):
        folder = tmp_path / str(number)
        fs.pipe({f"{folder}/{each}": data for each, data in files.items()})
        (folder / name).rename(folder / "aside")
        os.mkfifo(folder / name)
        with pytest.raises(NotAFileError):
            import_images(fs, str(folder), root=f"{tmp_path}/registry")
        (folder / name).unlink()
        (folder / name).symlink_to(folder / "aside")
        import_images(fs, str(folder), root=f"{tmp_path}/registry-{number}")
    assert not (tmp_path / "registry").exists()


def with_index(files: Mapping[str, bytes], *manifests: Mapping[str, object], **more: object) -> dict[str, bytes]:
    """Give a layout with another `index.json`."""
    index = {"schemaVersion": 2, "manifests": list(manifests), **more}
    return {**files, "index.json": json.dumps(index).encode()}


def test_odd_documents(files: dict[str, bytes], image: Pushed, made: MadeRegistry) -> None:
    """Documents that are too large, too deep, of another kind or version."""
    many = json.dumps([{"a": {}}] * 110_000).encode()
    for index in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b"{" + b" " * 5 * MIB + b"}", many, image.data):
        refused(in_folder({**files, "index.json": index}), (LayoutError, FileTooLargeError))
        refused(in_tar({**files, "index.json": index}), (LayoutError, FileTooLargeError))
    for version in (b"", b"{}", b'{"imageLayoutVersion": "2.0.0"}', b'{"imageLayoutVersion": 1}'):
        refused(in_folder({**files, "oci-layout": version}), LayoutError)
    refused(in_folder(with_index(files)), LayoutError, "no images")
    for digest in ("sha256:../../../etc", "../x", "", "sha256:" + "A" * 64, "blake3:abcdef", "x" * 2000):
        refused(in_folder(with_index(files, {"digest": digest, "size": 1})), LayoutError)
    layer = image.layers[0].descriptor(annotations={"org.opencontainers.image.ref.name": "a:1"})
    refused(in_folder(with_index(files, layer)), UnreadableManifestError)


def test_odd_manifests(made: MadeRegistry) -> None:
    """Of over 4 MiB, of digests that lead out, of chains of indexes, of children that are not there."""
    large = made.blob(b" " * (4 * MIB + 1))
    deep = made.image("x")
    for _ in range(9):
        deep = made.index("x", None, [(deep, AMD64)])
    out = made.manifest("x", {"schemaVersion": 2, "config": {"digest": "sha256:../../x", "size": 1}, "layers": []})
    absent = Pushed(made.digest(b"gone"), b"gone", "application/vnd.oci.image.manifest.v1+json")
    lacking = made.index("x", None, [(absent, AMD64)])
    for pushed, kind in {
        large: FileTooLargeError,
        deep: LayoutError,
        out: UnreadableManifestError,
        lacking: LayoutError,
    }.items():
        files = layout_of(made, named(pushed, "a:1"))
        refused(in_folder(files), kind)
        refused(in_tar(files), kind)


def test_a_bomb_of_indexes_is_bounded(made: MadeRegistry) -> None:
    """Ten indexes in each of a few levels are read once each, however many ways lead to them."""
    level = [made.image("x", None, [b"1"])]
    for _ in range(6):
        level = [
            made.manifest(
                "x",
                {
                    "schemaVersion": 2,
                    "mediaType": OCI_INDEX,
                    "manifests": [each.descriptor() for each in level] * 10,
                    "annotations": {"n": str(number)},
                },
            )
            for number in range(10)
        ]
    fs = MemoryFileSystem()
    path = in_folder(layout_of(made, named(level[0], "a:1")))
    done = import_images(fs, path, root=new_path() + ROOT, source_fs=fs)
    assert done.images[0].manifests == 52
