"""Images of an OCI image layout in a registry's storage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.errors import InvalidReferenceError, LayoutError, PlatformError
from registry_s3fs.model.registry_layout import ROOT
from registry_s3fs.registry.oci_layout import Import, export_images, import_images
from tests.registries import AMD64, ARM64, MadeRegistry, Pushed
from tests.unit.registry.oci_layout.layouts import files_below, in_folder, in_tar, layout_of, named, new_path

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@pytest.fixture
def made() -> MadeRegistry:
    """A registry that images are exported from."""
    return MadeRegistry()


@pytest.fixture
def fs() -> MemoryFileSystem:
    """The filesystem that all is in."""
    return MemoryFileSystem()


def placed(done: Import) -> dict[str, str]:
    """Give the digests of imported images by their names."""
    return {image.reference: image.digest for image in done.images}


def fill(made: MadeRegistry) -> list[str]:
    """Push an image, an index with its images, an artifact, schema 1 and a signature, and give the tags."""
    image = made.image("team/app", "v1", [b"base", b"app"])
    amd64 = made.image("team/tools", None, [b"base", b"amd64"], docker=True)
    arm64 = made.image("team/tools", None, [b"arm64"], platform=ARM64)
    made.index("team/tools", "1.0", [(amd64, AMD64), (arm64, ARM64)])
    made.artifact("data", "2026", {"train.parquet": b"rows"})
    made.artifact("team/app", None, {"sig": b"signed"}, subject=image)
    made.schema1("old", "1", [b"a", b"b"])
    return ["team/app:v1", "team/tools:1.0", "data:2026", "old:1"]


@pytest.mark.parametrize("ending", ["", ".tar"])
def test_what_was_exported_is_imported_file_for_file(made: MadeRegistry, fs: MemoryFileSystem, ending: str) -> None:
    """The registry that it came from and the one it goes to have the same files and bytes."""
    names = fill(made)
    out, root = new_path() + ending, new_path() + ROOT
    export_images(made.fs, names, out, root=made.root, target_fs=fs, referrers=True)
    done = import_images(fs, out, root=root, source_fs=fs)
    assert files_below(fs, root) == files_below(fs, made.root)
    assert [name for name in placed(done) if "@" not in name] == names
    assert {each.kind for each in done.images} == {"image", "index", "artifact", "schema1"}
    blobs = {name: data for name, data in files_below(fs, root).items() if name.startswith("blobs/")}
    assert (done.blobs, done.bytes, done.kept) == (len(blobs), sum(map(len, blobs.values())), 0)
    assert done.links == len(files_below(fs, root)) - len(blobs)


def test_what_is_there_is_not_written_again(made: MadeRegistry, fs: MemoryFileSystem) -> None:
    """Blobs are kept by digest and size, links by what they hold; what differs is written."""
    names = fill(made)
    out, root = new_path(), new_path() + ROOT
    export_images(made.fs, names, out, root=made.root, target_fs=fs)
    first = import_images(fs, out, root=root, source_fs=fs)
    times = {path: fs.modified(path) for path in fs.find(root)}
    again = import_images(fs, out, root=root, source_fs=fs)
    assert (again.blobs, again.bytes, again.kept, again.links) == (0, 0, first.blobs, 0)
    assert {path: fs.modified(path) for path in fs.find(root)} == times
    copy = MadeRegistry(fs, root)
    image = next(each for each in again.images if each.tag == "v1")
    copy.write(copy.revision_path("team/app", image.digest), b"")
    copy.write(copy.blob_path(image.digest), b"cut")
    mended = import_images(fs, out, root=root, source_fs=fs)
    assert (mended.blobs, mended.links) == (1, 1)
    assert fs.cat_file(copy.revision_path("team/app", image.digest)) == image.digest.encode()


def test_a_tag_that_is_there_moves(made: MadeRegistry, fs: MemoryFileSystem) -> None:
    """What it meant before stays below its `index`, as after a push."""
    old = made.image("team/app", "v1", [b"old"])
    target = MadeRegistry(fs, new_path() + ROOT)
    new = target.image("team/app", "v1", [b"new"])
    out = new_path()
    export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=fs)
    import_images(fs, out, root=target.root, source_fs=fs)
    assert fs.cat_file(target.tag_path("team/app", "v1")) == old.digest.encode()
    for image in (old, new):
        assert fs.exists(target.tag_index_path("team/app", "v1", image.digest))


def test_foreign_layers_need_not_be_there(made: MadeRegistry, fs: MemoryFileSystem) -> None:
    """They get no link; of those that are there, it is the same as of others."""
    foreign, stored = Pushed(made.digest(b"w"), b"w", FOREIGN), made.blob(b"stored", FOREIGN)
    config = made.blob(b"{}")
    document = {
        "schemaVersion": 2,
        "config": config.descriptor(),
        "layers": [foreign.descriptor(), stored.descriptor()],
    }
    image = made.manifest("win", document)
    target = MadeRegistry(fs, new_path() + ROOT)
    done = import_images(fs, in_folder(layout_of(made, named(image, "win:1"))), root=target.root, source_fs=fs)
    assert done.foreign == (foreign.digest,)
    assert fs.exists(target.layer_path("win", stored.digest))
    assert not fs.exists(target.layer_path("win", foreign.digest))


# Names


@pytest.fixture
def take(made: MadeRegistry, fs: MemoryFileSystem) -> Callable[..., dict[str, str]]:
    """Imports a layout with the images that are given, each with its name, and gives what came of it."""

    def take(*images: tuple[Pushed, str | None], **how: object) -> dict[str, str]:
        root = new_path() + ROOT
        files = layout_of(made, *(named(image, name) for image, name in images))
        done = import_images(fs, in_folder(files), root=root, source_fs=fs, **how)  # type: ignore[arg-type]  # given by tests
        for image in done.images:
            if image.tag:
                link = MadeRegistry(fs, root).tag_path(image.repository, image.tag)
                assert fs.cat_file(link) == image.digest.encode()
        return placed(done)

    return take


Take = Callable[..., dict[str, str]]


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("team/app:1.2", "team/app:1.2"),
        ("app:1.2", "app:1.2"),
        ("team/app", "team/app:latest"),
        ("registry.example.com:5000/team/app:1.2", "team/app:1.2"),
        ("docker.io/library/alpine:3", "library/alpine:3"),
        ("localhost/app:1", "app:1"),
        ("[::1]:5000/app:1", "app:1"),
    ],
)
def test_images_go_where_their_names_say(made: MadeRegistry, take: Take, name: str, reference: str) -> None:
    """Without the host of a registry before it."""
    image = made.image("x")
    assert take((image, name)) == {reference: image.digest}


@pytest.mark.parametrize(
    "name",
    [
        *("a:b:c", "../x:1", "x/../y:1", "/x:1", "Team/App:1", "x:", "x:-1", "x y:1", "x\x1b[2J:1", "host:port/app:1"),
        *("@", "x@sha256:abc", "x//y:1", "x/" * 200 + "y:1", "évil:1"),
    ],
)
def test_odd_names_are_refused(made: MadeRegistry, take: Take, name: str) -> None:
    """Unless the image gets another one."""
    image = made.image("x")
    with pytest.raises(LayoutError, match="--as"):
        take((image, name))
    assert take((image, name), reference="team/app:1") == {"team/app:1": image.digest}


def test_a_tag_alone_needs_a_repository(made: MadeRegistry, take: Take) -> None:
    """As oras, umoci and docker write it; containerd's own annotation has the whole name."""
    first, second = made.image("x", None, [b"1"]), made.image("x", None, [b"2"])
    with pytest.raises(LayoutError, match="tag alone"):
        take((first, "1.2"))
    assert take((first, "1.2"), reference="team/app") == {"team/app:1.2": first.digest}
    assert take((first, "1.2"), reference="team/app:new") == {"team/app:new": first.digest}
    both = ((first, "1"), (second, "2"))
    assert take(*both, reference="team/app") == {"team/app:1": first.digest, "team/app:2": second.digest}
    with pytest.raises(LayoutError, match="2 images"):
        take(*both, reference="team/app:new")
    with pytest.raises(InvalidReferenceError):
        take(*both, reference="Team/App")


def test_docker_names_images_by_two_annotations(made: MadeRegistry, fs: MemoryFileSystem) -> None:
    """The full one counts."""
    image = made.image("x")
    annotations = {
        "io.containerd.image.name": "docker.io/library/alpine:3.20",
        "org.opencontainers.image.ref.name": "3.20",
    }
    files = layout_of(made, image.descriptor(annotations=annotations))
    files["manifest.json"] = b"[]"
    done = import_images(fs, in_tar(files), root=new_path() + ROOT, source_fs=fs)
    assert placed(done) == {"library/alpine:3.20": image.digest}


def test_one_image_without_a_name(made: MadeRegistry, take: Take) -> None:
    """As `skopeo copy ... oci:DIR` writes it."""
    image = made.image("x")
    with pytest.raises(LayoutError, match="no name"):
        take((image, None))
    assert take((image, None), reference="team/app") == {"team/app:latest": image.digest}
    assert take((image, None), reference="team/app:1") == {"team/app:1": image.digest}


def test_what_belongs_to_a_named_image_goes_along(made: MadeRegistry, take: Take) -> None:
    """Parts of an index and signatures without a name, as oras lists them."""
    child = made.image("x", None, [b"child"])
    index = made.index("x", None, [(child, AMD64)])
    sbom = made.artifact("x", None, {"sbom": b"1"}, subject=child)
    signature = made.artifact("x", None, {"sig": b"2"}, subject=sbom)
    images = ((signature, None), (child, None), (index, "team/app:1"), (sbom, None))
    expected = {
        "team/app:1": index.digest,
        f"team/app@{sbom.digest}": sbom.digest,
        f"team/app@{signature.digest}": signature.digest,
    }
    assert take(*images) == expected
    assert take(*images, reference="other:2").keys() == {
        "other:2",
        *(f"other@{each.digest}" for each in (child, sbom, signature)),
    }
    lonely = made.artifact("x", None, {"sig": b"3"}, subject=made.image("x", None, [b"elsewhere"]))
    with pytest.raises(LayoutError, match="no name"):
        take(*images, (lonely, None))


def test_images_can_be_chosen(made: MadeRegistry, take: Take) -> None:
    """By their names in the layout, or by digest."""
    first, second = made.image("x", None, [b"1"]), made.image("x", None, [b"2"])
    both = ((first, "a:1"), (second, "not:a:name"))
    assert take(*both, images=["a:1"]) == {"a:1": first.digest}
    assert take(*both, images=[second.digest], reference="b:2") == {"b:2": second.digest}
    with pytest.raises(LayoutError, match="a:1"):
        take(*both, images=["a:2"])


def test_a_name_is_one_images(made: MadeRegistry, take: Take) -> None:
    """Two images of one name are refused; one image may have two."""
    first, second = made.image("x", None, [b"1"]), made.image("x", None, [b"2"])
    with pytest.raises(LayoutError, match="two images"):
        take((first, "a:1"), (second, "quay.io/a:1"))
    assert take((first, "a:1"), (first, "a:2")) == {"a:1": first.digest, "a:2": first.digest}


# What is written when


class KilledError(BaseException):
    """A process that was killed."""


class Recording(MemoryFileSystem):
    """A filesystem that notes which files take their names, and ends at one of them."""

    cachable = False
    protocol = "recording"
    store: ClassVar[dict[str, object]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def __init__(self, end: int | None = None) -> None:
        super().__init__()
        self.written: list[str] = []
        self.end = end

    def cp_file(self, path1: str, path2: str, **kwargs: object) -> None:
        if self.end is not None and len(self.written) >= self.end:
            raise KilledError
        self.written.append(path2)
        super().cp_file(path1, path2, **kwargs)


def stage(path: str) -> int:
    """Give the turn at which a file may be written."""
    for turn, mark in enumerate(("/blobs/", "/_layers/", "/revisions/", "/index/", "/current/")):
        if mark in path:
            return turn
    raise AssertionError(path)


def test_nothing_is_promised_before_it_is_there(made: MadeRegistry, fs: MemoryFileSystem) -> None:
    """Blobs, links of layers, of manifests, of what tags have meant; what they mean now comes last."""
    names = fill(made)
    out = new_path()
    export_images(made.fs, names, out, root=made.root, target_fs=fs)
    target = Recording()
    import_images(target, out, root="/order" + ROOT, source_fs=fs)
    stages = list(map(stage, target.written))
    assert stages == sorted(stages)
    assert set(stages) == {0, 1, 2, 3, 4}


def test_an_import_that_ended_anywhere_is_gone_on_with(made: MadeRegistry, fs: MemoryFileSystem) -> None:
    """Before its end, no tag means anything; at the end, the files are those of a single run."""
    names = fill(made)
    out = new_path()
    export_images(made.fs, names, out, root=made.root, target_fs=fs)
    whole = Recording()
    import_images(whole, out, root=f"/whole{ROOT}", source_fs=fs)
    expected = files_below(whole, f"/whole{ROOT}")
    tags = sum("/current/" in path for path in whole.written)
    for end in range(0, len(whole.written) - tags, 4):
        root = f"/ended-{end}{ROOT}"
        target = Recording(end)
        with pytest.raises(KilledError):
            import_images(target, out, root=root, source_fs=fs)
        assert not [path for path in target.find(root) if "/current/" in path or ".partial" in path]
        target.end = None
        import_images(target, out, root=root, source_fs=fs)
        assert files_below(target, root) == expected


def test_a_registry_in_a_folder(made: MadeRegistry, fs: MemoryFileSystem, tmp_path: Path) -> None:
    """By a URL, with large layers, into folders that are made."""
    made.image("team/app", "v1", [bytes(9 * 1024 * 1024), b"app"])
    for out in ("layout", "layout.tar"):
        export_images(made.fs, ["team/app:v1"], f"file://{tmp_path}/{out}", root=made.root)
        root = f"{tmp_path}/of-{out}{ROOT}"
        import_images(LocalFileSystem(), f"file://{tmp_path}/{out}", root=root)
        assert files_below(LocalFileSystem(), root) == files_below(made.fs, made.root)


def test_what_a_killed_import_was_writing_is_cleared_away(made: MadeRegistry, tmp_path: Path) -> None:
    """By the next one."""
    image = made.image("team/app", "v1")
    out, target = f"file://{tmp_path}/layout", MadeRegistry(LocalFileSystem(), f"{tmp_path}/registry")
    export_images(made.fs, ["team/app:v1"], out, root=made.root)
    for path in (target.blob_path(image.digest), target.tag_path("team/app", "v1")):
        target.write(f"{path}.partial-0123abcd", b"cut")
    import_images(target.fs, out, root=target.root)
    assert files_below(target.fs, target.root) == files_below(made.fs, made.root)


class Versioned(MemoryFileSystem):
    """A filesystem whose calls take a version behind the path, as s3fs and gcsfs do."""

    cachable = False

    def cat_file(
        self,
        path: str,
        version_id: str | None = None,
        start: int | None = None,
        end: int | None = None,
        **kwargs: object,
    ) -> bytes:
        assert version_id is None
        data: bytes = super().cat_file(path, start=start, end=end, **kwargs)
        return data


@pytest.mark.parametrize("ending", ["", ".tar"])
def test_ranges_are_asked_for_by_name(made: MadeRegistry, fs: MemoryFileSystem, ending: str) -> None:
    """Since filesystems differ in the order of what stands behind a path."""
    out, root = new_path() + ending, new_path() + ROOT
    fill(made)
    export_images(Versioned(), ["team/tools:1.0"], out, root=made.root, target_fs=Versioned())
    import_images(Versioned(), out, root=root, source_fs=Versioned())
    assert MadeRegistry(fs, root).files()


def test_an_index_json_of_others_is_read(made: MadeRegistry, fs: MemoryFileSystem) -> None:
    """With a media type and annotations, and with members that nobody knows."""
    image = made.image("x")
    files = layout_of(made, named(image, "a:1", platform={"os": "linux", "architecture": "amd64"}, extra=[1]))
    index = json.loads(files["index.json"])
    files["index.json"] = json.dumps({**index, "annotations": {"a": "b"}, "more": {}}).encode()
    assert placed(import_images(fs, in_folder(files), root=new_path() + ROOT, source_fs=fs)) == {"a:1": image.digest}


def test_of_an_index_that_is_not_whole_the_image_for_one_platform_is_imported(
    made: MadeRegistry, fs: MemoryFileSystem
) -> None:
    """As docker saves it with containerd's store: the index names all, and what was pulled is there."""
    amd64 = made.image("team/app", None, [b"amd64"])
    arm64 = made.image("team/app", None, [b"arm64"], platform=ARM64)
    index = made.index("team/app", None, [(amd64, AMD64), (arm64, ARM64)])
    for lost in (arm64, *arm64.layers):
        made.lose_blob(lost.digest)
    source = in_tar(layout_of(made, named(index, "team/app:1"), named(amd64, "team/one:1")))
    with pytest.raises(LayoutError, match=f"{arm64.digest} is missing, which {index.digest} names.*--platform"):
        import_images(fs, source, source_fs=fs, root="/new")
    assert not fs.exists("/new")
    done = import_images(fs, source, source_fs=fs, root="/new", platform="linux/amd64")
    assert [(each.reference, each.digest) for each in done.images] == [
        ("team/app:1", amd64.digest),
        ("team/one:1", amd64.digest),
    ]
    with pytest.raises(PlatformError, match="its platforms: linux/amd64, linux/arm64/v8"):
        import_images(fs, source, source_fs=fs, root="/new", platform="linux/s390x")
    with pytest.raises(LayoutError, match="is missing"):
        import_images(fs, source, source_fs=fs, root="/new", platform="linux/arm64")
