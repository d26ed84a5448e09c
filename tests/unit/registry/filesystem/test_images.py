"""`registryfile://` shows images: their merged layers, each layer by itself, and packed folders of artifacts."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.errors import DigestMismatchError, IncompleteError, LayerError, PlatformError, RefusedNameError
from registry_s3fs.registry.filesystem import RegistryFileSystem, contents, tree
from registry_s3fs.registry.filesystem.tree import Tree
from registry_s3fs.registry.layers.entries import LayerEntry
from registry_s3fs.registry.layers.store import Layers
from registry_s3fs.registry.manifests import Descriptor
from tests.registries import ARM64, OCI_EMPTY, OCI_LAYER, MadeRegistry

from . import trees

IMAGE = "team/app:1"
TITLE = "org.opencontainers.image.title"
MODEL = "application/vnd.cncf.model"


class CountingFileSystem(MemoryFileSystem):
    """Memory that notes which files are read, and how much of each."""

    protocol = "counting"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, int]] = []

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Note what is read."""
        found: bytes = super().cat_file(path, start, end, **kwargs)
        self.read.append((path, len(found)))
        return found


@pytest.fixture
def made() -> MadeRegistry:
    """An empty registry."""
    return MadeRegistry()


@pytest.fixture
def files(made: MadeRegistry) -> RegistryFileSystem:
    """The filesystem on it."""
    return RegistryFileSystem(fs=made.fs, root=made.root)


def packed(made: MadeRegistry, name: str, data: bytes, media_type: str, **annotations: str) -> str:
    """Push an artifact of one archive, and give the archive's digest."""
    repository, _, tag = name.partition(":")
    blob = made.layer(repository, data, media_type)
    named = {key.replace("_", "."): text for key, text in annotations.items()}
    made.artifact(repository, tag, layers=[blob.descriptor(annotations=named)])
    return blob.digest


@pytest.mark.promise("Images and artifacts as files")
def test_an_image_is_its_merged_root_filesystem(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """An image is its merged root filesystem: upper layers replace, whiteouts hide, markers are never shown."""
    base = trees.tar(
        [("etc/os", b"old"), ("etc/gone", b"x"), ("var/log/a", b"a"), ("bin/sh", b"sh"), trees.link("lib", "usr/lib")]
    )
    upper = trees.tar(
        [
            ("etc/os", b"new"),
            ("etc/.wh.gone", b""),
            ("var/log/b", b"b"),
            ("var/log/.wh..wh..opq", b""),
            ("lib/x.so", b"so"),
        ]
    )
    trees.push_image(made, IMAGE, base, upper)
    assert files.find(IMAGE) == [f"{IMAGE}/{name}" for name in ("bin/sh", "etc/os", "lib", "usr/lib/x.so", "var/log/b")]
    assert files.cat_file(f"{IMAGE}/etc/os") == b"new"
    assert files.cat_file(f"{IMAGE}/lib/x.so") == b"so"
    assert files.info(f"{IMAGE}/etc/os")["layer"] != files.info(f"{IMAGE}/bin/sh")["layer"]
    assert files.ukey(f"{IMAGE}/etc/os") != files.ukey(f"{IMAGE}/bin/sh")
    assert files.info(IMAGE)["kind"] == "image"


@pytest.mark.promise("Images and artifacts as files")
def test_each_layer_is_seen_by_itself(made: MadeRegistry) -> None:
    """`view="layers"` has a folder for each layer, named by its digest, with the markers of what the layer deletes.

    Links are resolved inside the layer.
    """
    base = trees.tar([("etc/gone", b"x"), trees.link("abs", "/etc/gone"), trees.link("up", "../../../etc/gone")])
    upper = trees.tar([("etc/.wh.gone", b""), ("a", b"a"), trees.special("b", tarfile.LNKTYPE, "a")])
    image = trees.push_image(made, IMAGE, base, upper)
    lower, higher = (f"{IMAGE}/{layer.digest}" for layer in image.layers)
    files = RegistryFileSystem(fs=made.fs, root=made.root, view="layers")
    assert files.ls(IMAGE, detail=False) == sorted([lower, higher])
    assert files.find(lower) == [f"{lower}/abs", f"{lower}/etc/gone", f"{lower}/up"]
    assert files.find(higher) == [f"{higher}/a", f"{higher}/b", f"{higher}/etc/.wh.gone"]
    assert files.cat_file(f"{lower}/abs") == files.cat_file(f"{lower}/up") == b"x"
    assert files.cat_file(f"{higher}/b") == b"a"
    made.artifact("team/data", "1", {"x": b"raw"})
    assert files.cat(files.find("team/data:1"))[files.find("team/data:1")[0]] == b"raw"


def test_a_view_can_be_chosen(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """An image as an artifact has its layers as files; a signature with an image's config is an artifact."""
    image = trees.push_image(made, IMAGE, trees.tar([("a", b"a")]))
    view = RegistryFileSystem(fs=made.fs, root=made.root, view="artifact")
    assert view.ls(IMAGE, detail=False) == [f"{IMAGE}/{image.layers[0].digest}"]
    assert view.cat_file(f"{IMAGE}/{image.layers[0].digest}") == image.layers[0].data
    signature = made.image(
        "team/app", "sig", [b"{}"], layer_media_type="application/vnd.dev.cosign.simplesigning.v1+json"
    )
    assert files.cat_file(f"team/app:sig/{signature.layers[0].digest}") == b"{}"
    with pytest.raises(LayerError):
        RegistryFileSystem(fs=made.fs, root=made.root, view="rootfs").ls("team/app:sig")
    made.schema1("team/old", "1", [gzip.compress(trees.tar([("old", b"o")]))])
    assert files.cat_file("team/old:1/old") == b"o"
    trees.push_image(made, "team/app:none")
    assert files.ls("team/app:none") == []


@pytest.mark.promise("Images and artifacts as files")
def test_a_platform_is_chosen_from_an_index_of_images(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """`platform="linux/arm64"` shows that image of an index."""
    amd = trees.push_image(made, "team/app:amd", trees.tar([("which", b"amd64")]))
    arm = made.image("team/app", None, [gzip.compress(trees.tar([("which", b"arm64")]))], platform=ARM64)
    made.index("team/app", "multi", [(amd, {"os": "linux", "architecture": "amd64"}), (arm, ARM64)])
    with pytest.raises(PlatformError):
        files.cat_file("team/app:multi/which")
    for platform, expected in (("linux/arm64", b"arm64"), ("linux/amd64", b"amd64")):
        there = RegistryFileSystem(fs=made.fs, root=made.root, platform=platform)
        assert there.cat_file("team/app:multi/which") == expected
    with pytest.raises(PlatformError, match="has nothing for"):
        RegistryFileSystem(fs=made.fs, root=made.root, platform="windows/amd64").ls("team/app:multi")


@pytest.mark.promise("Images and artifacts as files")
@pytest.mark.parametrize(
    ("name", "prefix", "media_type", "unpack"),
    [
        ("sets/train", "sets/train/", "application/vnd.example", True),  # oras
        ("train", "train/", OCI_LAYER, False),  # the Python package
        ("sets/train", "train/", OCI_LAYER, True),
        ("sets/train", "", f"{MODEL}.dataset.v1.tar", False),
        ("sets/train", "sets/train/", f"{MODEL}.weight.v1.tar+gzip", False),  # ModelPack
    ],
)
def test_packed_folders_are_folders(
    made: MadeRegistry, files: RegistryFileSystem, name: str, prefix: str, media_type: str, unpack: bool
) -> None:
    """A folder that ORAS or ModelPack packed is a folder of its files, however their paths begin in the archive."""
    members = [(f"{prefix}a.csv", b"a,b"), (f"{prefix}deep/b", b"b"), trees.link(f"{prefix}l", "deep/b")]
    members.append(trees.special(f"{prefix}h", tarfile.LNKTYPE, f"{prefix}a.csv"))
    data = trees.tar(members)
    data = data if media_type.endswith(".tar") else gzip.compress(data)
    annotations = {TITLE.replace(".", "_"): name, **({"io_deis_oras_content_unpack": "true"} if unpack else {})}
    packed(made, "team/data:1", data, media_type, **annotations)
    assert files.find("team/data:1") == [f"team/data:1/{name}/{each}" for each in ("a.csv", "deep/b", "h", "l")]
    for each, expected in (("a.csv", b"a,b"), ("h", b"a,b"), ("l", b"b"), ("deep/b", b"b")):
        assert files.cat_file(f"team/data:1/{name}/{each}") == expected


def test_what_only_looks_packed_is_a_file(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """An archive that was pushed as a file, and what the oras Python package gives an archive's type by default."""
    archive = gzip.compress(trees.tar([("a", b"a")]))
    for tag, title, media_type, data in (
        ("1", "x.tar.gz", OCI_LAYER, archive),
        ("2", "train.parquet", "application/vnd.oci.image.layer.v1.tar", b"PAR1"),
        ("3", "model.bin", f"{MODEL}.weight.v1.raw", b"raw"),
    ):
        packed(made, f"team/data:{tag}", data, media_type, **{TITLE.replace(".", "_"): title})
        assert files.cat(f"team/data:{tag}", recursive=True) == {f"team/data:{tag}/{title}": data}


def test_kitops_has_no_titles(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """The paths in its archives tell all."""
    layers = [
        made.layer("kits/a", data, f"application/vnd.kitops.modelkit.{kind}.v1.tar+gzip").descriptor()
        for kind, data in (
            ("model", gzip.compress(trees.tar([("m/model.gguf", b"gguf")]))),
            ("dataset", gzip.compress(trees.tar([("data/train.csv", b"csv")]))),
        )
    ]
    made.artifact("kits/a", "1", layers=layers)
    assert files.cat("kits/a:1", recursive=True) == {
        "kits/a:1/data/train.csv": b"csv",
        "kits/a:1/m/model.gguf": b"gguf",
    }


@pytest.mark.promise("Images and artifacts as files")
def test_a_file_that_is_a_blob_is_read_without_looking_into_archives() -> None:
    """Beside a packed folder, a file that is a blob is opened without a byte of the folder's archive."""
    made = MadeRegistry(CountingFileSystem(), f"/counted{id(object())}/docker/registry/v2")
    assert isinstance(made.fs, CountingFileSystem)
    archive = made.layer("team/data", gzip.compress(trees.tar([("d/x", b"x")])), OCI_LAYER)
    plain = made.layer("team/data", b"plain", "x/y")
    layers = [archive.descriptor(annotations={TITLE: "d"}), plain.descriptor(annotations={TITLE: "plain"})]
    made.artifact("team/data", "1", layers=layers)
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    assert files.cat_file("team/data:1/plain") == b"plain"
    assert files.info("team/data:1/plain")["size"] == 5
    assert made.blob_path(archive.digest) not in [path for path, _ in made.fs.read]
    assert files.find("team/data:1") == ["team/data:1/d/x", "team/data:1/plain"]


@pytest.mark.promise("Images and artifacts as files")
def test_an_archive_that_is_not_compressed_is_read_by_ranges() -> None:
    """Of a file in an archive that is not compressed, only the ranges asked for are read, and a block ahead."""
    fs = CountingFileSystem()
    made = MadeRegistry(fs, f"/ranges{id(fs)}/docker/registry/v2")
    data = bytes(range(256)) * 100_000
    digest = packed(
        made,
        "models/m:1",
        trees.tar([("w/model.bin", data)]),
        f"{MODEL}.weight.v1.tar",
        **{TITLE.replace(".", "_"): "w"},
    )
    files = RegistryFileSystem(fs=fs, root=made.root)
    with files.open("models/m:1/w/model.bin") as file:
        file.seek(20_000_000)
        assert file.read(1000) == data[20_000_000:20_001_000]
    assert files.cat_file("models/m:1/w/model.bin", -7) == data[-7:]
    assert sum(size for path, size in fs.read if path == made.blob_path(digest)) < 3_000_000


def test_what_two_archives_have_is_refused(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """A file in a packed folder at the path of another blob."""
    blobs = [
        made.layer("team/bad", gzip.compress(trees.tar([("d/x", b"1")])), OCI_LAYER).descriptor(
            annotations={TITLE: "d"}
        ),
        made.layer("team/bad", b"2", "x/y").descriptor(annotations={TITLE: "d/x"}),
    ]
    made.artifact("team/bad", "1", layers=blobs)
    with pytest.raises(RefusedNameError, match="another blob has it"):
        files.ls("team/bad:1")


@pytest.mark.promise("Images and artifacts as files")
@pytest.mark.parametrize("compressed", [True, False])
def test_names_and_links_of_layers_lead_nowhere_outside(made: MadeRegistry, tmp_path: Path, compressed: bool) -> None:
    """Names with `..`, absolute names and links out of an image stay inside it, and nothing is written outside."""
    (tmp_path / "secret").write_bytes(b"secret")
    layer = trees.tar(
        [
            ("../../up", b"1"), ("/etc/absolute", b"2"), trees.link("out", "../../../../../../etc/absolute"),
            trees.link("host", f"{tmp_path}/secret"), trees.link("a", "b"), trees.link("b", "a"),
            ("out2/../../x", b"3"), trees.link("folder", f"{tmp_path}"), ("folder/written", b"4"),
        ]
    )  # fmt: skip
    trees.push_image(made, IMAGE, layer, compressed=compressed)
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    for path in files.find(IMAGE, withdirs=True):
        assert path == IMAGE or path.startswith(f"{IMAGE}/")
        assert ".." not in path.split("/")
    assert files.cat_file(f"{IMAGE}/out") == b"2"
    assert not files.exists(f"{IMAGE}/host")
    with pytest.raises(OSError, match="links"):
        files.cat_file(f"{IMAGE}/a")
    assert (
        files.cat_file(f"{IMAGE}/x/../../../../etc/absolute" if False else f"{IMAGE}/etc/../../../etc/absolute") == b"2"
    )
    files.get(IMAGE, f"{tmp_path}/copy", recursive=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy", "secret"]
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_long_chains_of_links_end(made: MadeRegistry) -> None:
    """Forty links are followed, as in Linux; a link of many components that doubles with each step ends, too."""
    chain = [LayerEntry(f"l{at}", "symlink", link_target=f"l{at + 1}") for at in range(60)]
    tree = Tree([*chain, LayerEntry("l60", "file")])
    assert tree.follow("l21").path == "l60"
    with pytest.raises(OSError, match="links"):
        tree.follow("l19")
    bomb = [LayerEntry(f"b{at}", "symlink", link_target="/".join([f"b{at + 1}", ".."] * 1000)) for at in range(39)]
    with pytest.raises(OSError, match="links"):
        Tree([*bomb, LayerEntry("b39", "directory")]).follow("b0")


def test_a_file_of_a_layer_is_read_anywhere(made: MadeRegistry, tmp_path: Path) -> None:
    """By seeks, in ranges, as text, compressed, and copied; with a cache in a folder, too."""
    data = bytes(range(256)) * 20_000
    lines = "".join(f"{number},grüße\n" for number in range(1000))
    layer = trees.tar([("big", data), ("lines.csv.gz", gzip.compress(lines.encode())), ("empty", b"")])
    trees.push_image(made, IMAGE, layer)
    for cache in (None, f"{tmp_path}/cache"):
        files = RegistryFileSystem(fs=made.fs, root=made.root, cache=cache)
        with files.open(f"{IMAGE}/big") as file:
            for at in (0, 3_000_000, 17, len(data) - 5):
                assert (file.seek(at), file.read(100)) == (at, data[at : at + 100])
        with files.open(f"{IMAGE}/lines.csv.gz", "r", compression="infer", encoding="utf-8") as file:
            assert file.read() == lines
        assert files.cat_file(f"{IMAGE}/big", -10) == data[-10:]
        assert files.cat_ranges([f"{IMAGE}/big", f"{IMAGE}/empty"], 0, 5) == [data[:5], b""]
        files.get_file(f"{IMAGE}/big", f"{tmp_path}/out")
        assert (tmp_path / "out").read_bytes() == data
    assert list((tmp_path / "cache").iterdir()) != []


def test_many_threads_share_one_filesystem(made: MadeRegistry) -> None:
    """Images are loaded once, however many ask at once."""
    fs = CountingFileSystem()
    made = MadeRegistry(fs, f"/threads{id(fs)}/docker/registry/v2")
    image = trees.push_image(made, IMAGE, trees.tar([(f"f{at}", str(at).encode()) for at in range(50)]))
    files = RegistryFileSystem(fs=fs, root=made.root)
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(lambda at: files.cat_file(f"{IMAGE}/f{at}"), range(50)))
    assert read == [str(at).encode() for at in range(50)]
    manifest = made.blob_path(image.digest)
    assert 1 <= sum(path == manifest for path, _ in fs.read) <= 8


def test_what_is_kept_is_bounded(made: MadeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the entries of all trees; those used last stay."""
    monkeypatch.setattr(contents, "MAX_KEPT_ENTRIES", 25)
    archives = {tag: trees.tar([(f"{tag}{at}", b"") for at in range(9)]) for tag in "abcd"}
    digests = {trees.push_image(made, f"team/app:{tag}", data).layers[0].digest: tag for tag, data in archives.items()}
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    loaded = []
    entries = Layers.entries

    def counted(self: Layers, descriptor: Descriptor) -> list[LayerEntry]:
        loaded.append(digests[descriptor.digest])
        return entries(self, descriptor)

    monkeypatch.setattr(Layers, "entries", counted)
    for tag in "abacdcba":
        assert len(files.ls(f"team/app:{tag}")) == 9
    assert loaded == ["a", "b", "c", "d", "b", "a"]


def test_many_entries_take_bounded_memory() -> None:
    """A tree of 20,000 entries takes below 300 bytes for each, beside the entries themselves."""
    entries = [LayerEntry(f"usr/share/doc/package-{at // 10}/file-{at}", "file", 1) for at in range(20_000)]
    tracemalloc.start()
    try:
        tree = Tree(entries)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(tree) == 20_000 + 2_000 + 4
    assert taken < 6_000_000


def test_damaged_layers_are_told(
    made: MadeRegistry, files: RegistryFileSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """Cut short, or no archive at all; find of the whole registry leaves them out with a warning."""
    good = gzip.compress(trees.tar([("a", b"a" * 1000)]))
    trees.push_image(made, "team/good:1", trees.tar([("a", b"a")]))
    for tag, data in (("cut", good[:-20]), ("none", b"no archive " * 100)):
        made.image("team/bad", tag, [data])
        with pytest.raises(LayerError):
            files.ls(f"team/bad:{tag}")
    with pytest.raises(LayerError):
        files.find("team/bad:cut")
    assert files.find("") == ["team/good:1/a"]
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["team/bad:cut", "team/bad:none"]


def test_a_config_with_a_title_is_a_file(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """As in `oras push --config`, where clients give it one."""
    config = made.layer("team/data", json.dumps({"a": 1}).encode(), OCI_EMPTY)
    made.artifact("team/data", "1", {"x": b"x"}, config=config.descriptor(annotations={TITLE: "config.json"}))
    assert json.loads(files.cat_file("team/data:1/config.json")) == {"a": 1}


def test_an_open_file_of_a_layer_outlives_what_is_kept(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """After invalidate_cache it reads on, by the same digest."""
    trees.push_image(made, IMAGE, trees.tar([("a", b"0" * 3_000_000)]))
    with files.open(f"{IMAGE}/a") as file:
        assert file.read(1) == b"0"
        files.invalidate_cache()
        made.image("team/app", "1", [gzip.compress(trees.tar([("a", b"new")]))])
        file.seek(2_999_990)
        assert file.read() == b"0" * 10
    with io.TextIOWrapper(files.open(f"{IMAGE}/a")) as text:
        assert text.read() == "new"


def test_an_open_file_of_a_layer_is_copied_to_another_process(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """A pickled one reads on where it was."""
    trees.push_image(made, IMAGE, trees.tar([("a", b"0123456789")]))
    with files.open(f"{IMAGE}/a") as file:
        assert file.read(3) == b"012"
        assert pickle.loads(pickle.dumps(file)).read() == b"3456789"
    with files.open(f"{IMAGE}/a", size=10) as cached:  # as fsspec's block cache opens it
        assert cached.read() == b"0123456789"


@pytest.mark.parametrize("mtime", ["1e300", "-1e17", "253402300800"])
def test_a_time_that_no_calendar_has_counts_for_nothing(
    made: MadeRegistry, files: RegistryFileSystem, mtime: str
) -> None:
    """`modified` is then when the layer was stored; `info` has the number as it is."""
    member = tarfile.TarInfo("a")
    member.pax_headers = {"mtime": mtime}
    trees.push_image(made, IMAGE, trees.tar([member]))
    assert files.info(f"{IMAGE}/a")["mtime"] == float(mtime)
    assert files.modified(f"{IMAGE}/a") == files.created(f"{IMAGE}/a")


@pytest.mark.parametrize("title", [".", "./"])
def test_the_current_folder_can_be_pushed(made: MadeRegistry, files: RegistryFileSystem, title: str) -> None:
    """`oras push REF .` gives the title `.`: the files lie at the top. A file cannot have it."""
    annotations = {TITLE: title, "io.deis.oras.content.unpack": "true"}
    blob = made.layer("team/data", gzip.compress(trees.tar([("x", b"x"), ("d/y", b"y")])))
    made.artifact("team/data", "1", layers=[blob.descriptor(annotations=annotations)])
    assert files.find("team/data:1") == ["team/data:1/d/y", "team/data:1/x"]
    assert files.cat_file("team/data:1/d/y") == b"y"
    made.artifact("team/data", "2", layers=[blob.descriptor(mediaType="a/b", annotations={TITLE: title})])
    with pytest.raises(RefusedNameError, match="names no file"):
        files.ls("team/data:2")


@pytest.mark.parametrize("kind", ["ours", "local", "memory"])
def test_an_image_that_lacks_a_layer_is_not_taken_for_an_empty_one(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """Every call that looks into it says which blob is missing; a walk over the registry goes on with the others."""
    fs = request.getfixturevalue("fs") if kind == "ours" else fsspec.filesystem("file") if kind == "local" else None
    made = MadeRegistry(fs, f"{tmp_path}/docker/registry/v2" if kind == "local" else None)
    image = trees.push_image(made, IMAGE, trees.tar([("d/a", b"a")]))
    trees.push_image(made, "team/other:1", trees.tar([("d/b", b"b")]))
    made.lose_blob(image.layers[0].digest)
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    calls: list[Callable[..., Any]] = [files.ls, files.find, files.du, files.exists, files.isdir, files.info, files.cat]
    for call in calls:
        with pytest.raises(IncompleteError, match=f"its blob {image.layers[0].digest} is missing"):
            call(f"{IMAGE}/d")
    for pattern in (f"{IMAGE}/*", f"{IMAGE}/**/a"):
        with pytest.raises(IncompleteError):
            files.glob(pattern)
    with pytest.raises(IncompleteError):
        files.get(IMAGE, f"{tmp_path}/copy", recursive=True)
    assert files.find("team") == ["team/other:1/d/b"]
    assert files.isdir(IMAGE)
    assert files.exists(f"{IMAGE}x") is files.exists("team/none:1/d") is False


def test_a_foreign_layer_is_told_from_one_that_was_lost(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """Clients fetch it from elsewhere, and the registry need not have it."""
    foreign = made.layer("team/app", b"base", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    made.image("team/app", "1", [foreign, gzip.compress(trees.tar([("a", b"a")]))], docker=True)
    made.lose_blob(foreign.digest)
    with pytest.raises(IncompleteError, match="which clients fetch from elsewhere"):
        files.find(IMAGE)


def test_an_index_whose_image_was_deleted_is_not_empty(made: MadeRegistry) -> None:
    """As `--delete-untagged` leaves indexes behind."""
    image = trees.push_image(made, "team/app:arm", trees.tar([("a", b"a")]))
    made.index("team/app", "1", [(image, ARM64)])
    made.delete_manifest("team/app", image.digest)
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    for call in (files.find, files.ls):
        with pytest.raises(IncompleteError, match="is no manifest of this repository"):
            call(IMAGE)


def test_a_pattern_of_tags_leaves_out_what_cannot_be_read(
    made: MadeRegistry, files: RegistryFileSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """An index of several platforms, or a damaged image, among those that match; one that is named is an error."""
    made.artifact("team/app", "good", {"a": b"a"})
    made.image("team/app", "bad", [b"no archive" * 100])
    for pattern in ("team/app:*/*", "team/*:*/a", "team/app@*/*"):
        caplog.clear()
        assert [name.rpartition("/")[2] for name in files.glob(pattern)] == ["a"]
        assert "team/app" in caplog.text
        assert "is left out of what is found" in caplog.text
    with pytest.raises(LayerError):
        files.glob("team/app:bad/*")


def test_a_hard_link_to_nothing_is_left_out_of_copies(
    made: MadeRegistry, files: RegistryFileSystem, tmp_path: Path
) -> None:
    """As a symbolic link to nowhere is: one hostile name does not keep the rest from being copied."""
    hard = trees.special("hard", tarfile.LNKTYPE, "nowhere")
    trees.push_image(made, IMAGE, trees.tar([("a", b"a"), hard, trees.link("soft", "hard")]))
    assert files.cat(IMAGE, recursive=True) == {f"{IMAGE}/a": b"a"}
    files.get(IMAGE, f"{tmp_path}/copy", recursive=True)
    assert [each.name for each in (tmp_path / "copy").iterdir()] == ["a"]
    with pytest.raises(FileNotFoundError):
        files.open(f"{IMAGE}/hard")


def test_the_image_for_a_platform_is_found_in_a_nested_index(made: MadeRegistry) -> None:
    """As tools make them that add indexes to an index."""
    image = trees.push_image(made, "team/app:arm", trees.tar([("arm", b"")]))
    other = trees.push_image(made, "team/app:amd", trees.tar([("amd", b"")]))
    inner = made.index("team/app", None, [(image, ARM64), (other, {"os": "linux", "architecture": "amd64"})])
    made.index("team/app", "1", [(inner, None)])
    files = RegistryFileSystem(fs=made.fs, root=made.root, platform="linux/arm64")
    assert files.find(IMAGE) == [f"{IMAGE}/arm"]


def test_damage_that_hides_the_compression_is_damage(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """The first byte of a gzip layer differs, so that it looks like an archive that is none."""
    image = trees.push_image(made, IMAGE, trees.tar([("a", b"a")]))
    made.damage_blob(image.layers[0].digest)
    with pytest.raises(DigestMismatchError, match="have the digest"):
        files.ls(IMAGE)


@pytest.mark.parametrize("view", ["layers", "artifact"])
def test_folders_that_only_paths_tell_of_are_counted(
    made: MadeRegistry, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    """A few names of thousands of folders each would fill the memory, though they compress to nothing."""
    monkeypatch.setattr(tree, "MAX_ENTRIES", 50)
    media_type = "application/vnd.kitops.modelkit.model.v1.tar+gzip"
    files = RegistryFileSystem(fs=made.fs, root=made.root, view=view)
    for tag, depth in (("small", 10), ("large", 30)):
        archive = gzip.compress(trees.tar([(f"{number}/" + depth * "a/" + "x", b"") for number in range(2)]))
        packed(made, f"team/app:{tag}", archive, media_type)
    assert len(files.find("team/app:small")) == 2
    with pytest.raises(LayerError, match="have over 50 entries"):
        files.ls("team/app:large")
    monkeypatch.setattr(tree, "MAX_ENTRIES", 1000)
    monkeypatch.setattr(tree, "MAX_TEXT_BYTES", 500)
    with pytest.raises(LayerError, match="paths of over 500 characters"):
        RegistryFileSystem(fs=made.fs, root=made.root, view=view, skip_instance_cache=True).ls("team/app:large")
