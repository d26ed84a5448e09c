"""Images of a registry in an OCI image layout."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import (
    DigestMismatchError,
    FileTooLargeError,
    InvalidReferenceError,
    LayoutError,
    NotInRegistryError,
    PlatformError,
    UnreadableManifestError,
)
from registry_s3fs.model.registry_layout import ROOT
from registry_s3fs.registry.oci_layout import export_images
from registry_s3fs.registry.oci_layout.index_file import LAYOUT
from tests.registries import AMD64, ARM64, OCI_INDEX, MadeRegistry, Pushed
from tests.unit.registry.oci_layout.layouts import REF_NAME, files_below, index_of, names_in, new_path

MIB = 1024 * 1024
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@pytest.fixture
def made() -> MadeRegistry:
    """A registry with an image, an index, and what refers to them."""
    return MadeRegistry()


def blobs_of(*pushed: Pushed) -> dict[str, bytes]:
    """Give the files of the blobs of images, by their names in a layout."""
    found = {}
    for image in pushed:
        for blob in (image, *([image.config] if image.config else []), *image.layers):
            found[f"blobs/{blob.digest.replace(':', '/')}"] = blob.data
    return found


def multi(made: MadeRegistry, tag: str = "1.0", docker: bool = False) -> tuple[Pushed, Pushed, Pushed]:
    """Push an index of two images that share a layer, and give all three."""
    amd64 = made.image("team/tools", None, [b"base", b"amd64"], docker=docker)
    arm64 = made.image("team/tools", None, [b"base", b"arm64"], platform=ARM64, docker=docker)
    return made.index("team/tools", tag, [(amd64, AMD64), (arm64, ARM64)], docker=docker), amd64, arm64


def test_a_folder_has_each_blob_once_under_its_digest(made: MadeRegistry) -> None:
    """With an index come all its images; names are those by which other tools find them."""
    image = made.image("team/app", "v1", [b"base", b"app"])
    index, amd64, arm64 = multi(made)
    artifact = made.artifact("data", "2026", {"train.parquet": b"rows"})
    out = new_path()
    done = export_images(
        made.fs, ["team/app:v1", "team/tools:1.0", "data:2026"], out, root=made.root, target_fs=made.fs
    )
    blobs = blobs_of(image, index, amd64, arm64, artifact)
    found = files_below(made.fs, out)
    assert found.keys() == blobs.keys() | {"oci-layout", "index.json"}
    assert blobs.items() <= found.items()
    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads(found["index.json"])["schemaVersion"] == 2
    assert names_in(made.fs, out) == ["team/app:v1", "team/tools:1.0", "data:2026"]
    described = {each["annotations"][REF_NAME]: each for each in index_of(made.fs, out)}
    for name, pushed in {"team/app:v1": image, "team/tools:1.0": index, "data:2026": artifact}.items():
        assert (described[name]["digest"], described[name]["size"]) == (pushed.digest, pushed.size)
        assert described[name]["mediaType"] == pushed.media_type
    assert described["data:2026"]["artifactType"] == "application/vnd.example+type"
    assert (done.blobs, done.bytes, done.kept) == (len(blobs), sum(map(len, blobs.values())), 0)
    assert [(each.reference, each.kind, each.manifests) for each in done.images] == [
        ("team/app:v1", "image", 1),
        ("team/tools:1.0", "index", 3),
        ("data:2026", "artifact", 1),
    ]
    assert done.images[1].bytes == sum(map(len, blobs_of(index, amd64, arm64).values()))


def test_a_tar_has_the_same_files_and_the_same_bytes_each_time(made: MadeRegistry) -> None:
    """Whatever the order in which the images are named; `index.json` is its last file."""
    made.image("team/app", "v1", [b"base", b"app"])
    multi(made)
    folder, first, second = new_path(), new_path() + ".tar", new_path() + ".tar"
    for out in (folder, first, second):
        done = export_images(made.fs, ["team/app:v1", "team/tools:1.0"], out, root=made.root, target_fs=made.fs)
    data = made.fs.cat_file(first)
    assert data == made.fs.cat_file(second)
    with tarfile.open(fileobj=io.BytesIO(data)) as read:
        members = read.getmembers()
        found = {each.name: read.extractfile(each).read() for each in members if each.isfile()}  # type: ignore[union-attr]  # a file has bytes
    assert found == files_below(made.fs, folder)
    assert (members[0].name, members[-1].name) == ("oci-layout", "index.json")
    assert {(each.mtime, each.uid, each.gid, each.uname) for each in members} == {(0, 0, 0, "")}
    assert done.blobs == len(found) - 2


def test_a_digest_may_be_named_and_is_its_name(made: MadeRegistry) -> None:
    """Tagged or not."""
    image = made.image("team/app", None, [b"app"])
    out = new_path()
    export_images(made.fs, [f"team/app@{image.digest}"], out, root=made.root, target_fs=made.fs)
    assert names_in(made.fs, out) == [f"team/app@{image.digest}"]


def test_of_an_index_one_platform_may_be_chosen(made: MadeRegistry) -> None:
    """It has the name of the index, and no other image's blobs."""
    _, _, arm64 = multi(made)
    out = new_path()
    export_images(made.fs, ["team/tools:1.0"], out, root=made.root, target_fs=made.fs, platform="linux/arm64")
    assert [(each["digest"], each["annotations"][REF_NAME]) for each in index_of(made.fs, out)] == [
        (arm64.digest, "team/tools:1.0")
    ]
    assert files_below(made.fs, out).keys() - blobs_of(arm64).keys() == {"oci-layout", "index.json"}
    with pytest.raises(PlatformError):
        export_images(made.fs, ["team/tools:1.0"], new_path(), root=made.root, platform="linux/s390x")


def test_docker_manifests_and_schema_1_are_exported_as_they_are(made: MadeRegistry) -> None:
    """Digest for digest, with their own media types."""
    index, *_ = multi(made, docker=True)
    old = made.schema1("old", "1", [b"a", b"b"])
    out = new_path()
    export_images(made.fs, ["team/tools:1.0", "old:1"], out, root=made.root, target_fs=made.fs)
    assert [each["digest"] for each in index_of(made.fs, out)] == [index.digest, old.digest]
    assert index_of(made.fs, out)[0]["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert blobs_of(index, old).items() <= files_below(made.fs, out).items()


def test_images_are_added_to_a_layout(made: MadeRegistry) -> None:
    """Blobs that are there are kept, a name is one image's, and what others wrote into `index.json` stays."""
    made.image("team/app", "v1", [b"base", b"app"])
    out = new_path()
    export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=made.fs)
    written = json.loads(made.fs.cat_file(f"{out}/index.json"))
    written["manifests"][0]["platform"] = {"os": "linux", "architecture": "amd64"}
    made.fs.pipe_file(f"{out}/index.json", json.dumps({**written, "annotations": {"by": "hand"}}).encode())
    later = made.image("team/app", "v2", [b"base", b"newer"])
    done = export_images(made.fs, ["team/app:v2"], out, root=made.root, target_fs=made.fs)
    assert (done.blobs, done.kept) == (3, 1)
    assert names_in(made.fs, out) == ["team/app:v1", "team/app:v2"]
    assert index_of(made.fs, out)[0]["platform"] == {"os": "linux", "architecture": "amd64"}
    assert json.loads(made.fs.cat_file(f"{out}/index.json"))["annotations"] == {"by": "hand"}
    made.tag("team/app", "v1", later.digest)
    export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=made.fs)
    assert {each["annotations"][REF_NAME]: each["digest"] for each in index_of(made.fs, out)} == {
        "team/app:v1": later.digest,
        "team/app:v2": later.digest,
    }


def test_what_else_is_there_is_left_alone(made: MadeRegistry) -> None:
    """A tar, a file, a folder with other files, a layout that cannot be read."""
    made.image("team/app", "v1")

    def refused(out: str, kind: type[Exception], text: str) -> None:
        before = files_below(made.fs, out)
        with pytest.raises(kind, match=text):
            export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=made.fs)
        assert files_below(made.fs, out) == before

    for path, kind, text in (
        (new_path() + ".tar", FileExistsError, "nothing is added to a tar"),
        (new_path(), FileExistsError, "it is a file"),
        (new_path() + "/notes.txt", FileExistsError, "other files"),
        (new_path() + "/oci-layout", LayoutError, "no JSON"),
    ):
        made.fs.pipe_file(path, b"mine")
        folder = path.rpartition("/")[0]
        refused(folder if folder else path, kind, text)
    newer = new_path()
    made.fs.pipe_file(f"{newer}/oci-layout", b'{"imageLayoutVersion": "2.0.0"}')
    refused(newer, LayoutError, "version")


def test_missing_blobs_are_known_before_anything_is_written(made: MadeRegistry) -> None:
    """A layer, a config, an image of an index; the error says what needs them."""
    image = made.image("team/app", "v1", [b"base", b"app"])
    index, amd64, _ = multi(made)
    for lost, parent, name in (
        (image.layers[1], image, "team/app:v1"),
        (amd64.layers[1], amd64, "team/tools:1.0"),
        (amd64, index, "team/tools:1.0"),
    ):
        made.lose_blob(lost.digest)
        for out in (new_path(), new_path() + ".tar"):
            with pytest.raises(NotInRegistryError, match=f"{lost.digest}.*{parent.digest}"):
                export_images(made.fs, [name], out, root=made.root, target_fs=made.fs)
            assert not made.fs.exists(out)
        made.blob(lost.data)


def test_a_damaged_blob_makes_no_layout(made: MadeRegistry) -> None:
    """No `index.json`, no tar, nothing half written, and no blob under a digest that it does not have."""
    image = made.image("team/app", "v1", [b"base", b"app"])
    made.damage_blob(image.layers[1].digest)
    out = new_path()
    with pytest.raises(DigestMismatchError):
        export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=made.fs)
    assert "index.json" not in files_below(made.fs, out)
    assert not [name for name in files_below(made.fs, out) if name.endswith(image.layers[1].digest[7:])]
    assert not [name for name in files_below(made.fs, out) if "partial" in name]
    with pytest.raises(DigestMismatchError):
        export_images(made.fs, ["team/app:v1"], f"{out}.tar", root=made.root, target_fs=made.fs)
    assert not [path for path in made.fs.find("/") if path.startswith(f"{out}.tar")]
    made.damage_blob(image.digest)
    with pytest.raises(DigestMismatchError):
        export_images(made.fs, ["team/app:v1"], new_path(), root=made.root, target_fs=made.fs)


def test_in_a_bucket_nothing_is_published_that_is_not_whole(fs: RegistryS3FileSystem) -> None:
    """Neither a small blob nor a large one that is damaged, nor a tar; no upload stays pending."""
    made = MadeRegistry(fs, "/registry")
    image = made.image("team/app", "v1", [b"small", bytes(17 * MIB)])
    done = export_images(fs, ["team/app:v1"], "/sound", root=made.root, target_fs=fs)
    assert (done.blobs, blobs_of(image).items() <= files_below(fs, "/sound").items()) == (4, True)
    for number, layer in enumerate(image.layers):
        made.damage_blob(layer.digest)
        for out in (f"/out-{number}", f"/out-{number}.tar"):
            with pytest.raises(DigestMismatchError):
                export_images(fs, ["team/app:v1"], out, root=made.root, target_fs=fs)
        left = [path for path in fs.find("/") if path.startswith("/out")]
        assert not [path for path in left if path.endswith((layer.digest[7:], ".tar", "index.json"))]
        made.blob(layer.data)
    assert fs.list_multipart_uploads() == []


def test_an_export_that_failed_is_gone_on_with(made: MadeRegistry) -> None:
    """What was written before is kept."""
    image = made.image("team/app", "v1", [b"base", b"app"])
    made.damage_blob(image.layers[1].digest, b"?")
    out = new_path()
    with pytest.raises(DigestMismatchError):
        export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=made.fs)
    made.blob(image.layers[1].data)
    done = export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=made.fs)
    assert done.kept > 0
    assert done.kept + done.blobs == 4
    assert blobs_of(image).items() <= files_below(made.fs, out).items()


def test_a_blob_of_another_size_is_written_again(made: MadeRegistry) -> None:
    """As it was cut short."""
    image = made.image("team/app", "v1", [b"base"])
    out = new_path()
    export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=made.fs)
    cut = f"{out}/blobs/{image.layers[0].digest.replace(':', '/')}"
    made.fs.pipe_file(cut, b"ba")
    assert export_images(made.fs, ["team/app:v1"], out, root=made.root, target_fs=made.fs).blobs == 1
    assert made.fs.cat_file(cut) == b"base"


def test_foreign_layers_that_are_not_stored_are_left_out(made: MadeRegistry) -> None:
    """And told; those that are stored come along."""
    foreign = Pushed(made.digest(b"windows"), b"windows", FOREIGN)
    stored = made.layer("win", b"stored", FOREIGN)
    config = made.layer("win", b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": config.descriptor(),
        "layers": [foreign.descriptor(urls=["https://example.com/layer"]), stored.descriptor()],
    }
    made.manifest("win", document, "1")
    out = new_path()
    done = export_images(made.fs, ["win:1"], out, root=made.root, target_fs=made.fs)
    assert done.foreign == (foreign.digest,)
    names = files_below(made.fs, out)
    assert f"blobs/{stored.digest.replace(':', '/')}" in names
    assert f"blobs/{foreign.digest.replace(':', '/')}" not in names


def test_referrers_come_along_on_request(made: MadeRegistry) -> None:
    """By subject, by fallback tag and by cosign's tag; of an index' images, too, and what refers to referrers."""
    index, amd64, _ = multi(made)
    by_subject = made.artifact("team/tools", None, {"sbom": b"sbom"}, subject=amd64)
    of_referrer = made.artifact("team/tools", None, {"sig": b"of sbom"}, subject=by_subject)
    in_fallback = made.artifact("team/tools", None, {"att": b"attested"}, subject=index)
    fallback = made.index("team/tools", f"sha256-{index.digest[7:]}", [(in_fallback, None)])
    cosign = made.artifact("team/tools", f"sha256-{index.digest[7:]}.sig", {"sig": b"signed"})
    other = made.image("team/tools", "other", [b"other"])
    made.artifact("team/tools", None, {"sig": b"of another"}, subject=other)
    out = new_path()
    export_images(made.fs, ["team/tools:1.0"], out, root=made.root, target_fs=made.fs)
    assert names_in(made.fs, out) == ["team/tools:1.0"]
    done = export_images(made.fs, ["team/tools:1.0"], out, root=made.root, target_fs=made.fs, referrers=True)
    assert dict(zip(names_in(made.fs, out), (each["digest"] for each in index_of(made.fs, out)), strict=True)) == {
        "team/tools:1.0": index.digest,
        f"team/tools@{by_subject.digest}": by_subject.digest,
        f"team/tools@{of_referrer.digest}": of_referrer.digest,
        f"team/tools:sha256-{index.digest[7:]}": fallback.digest,
        f"team/tools:sha256-{index.digest[7:]}.sig": cosign.digest,
    }
    assert [each.reference for each in done.images if not each.is_referrer] == ["team/tools:1.0"]
    wanted = blobs_of(index, amd64, by_subject, of_referrer, in_fallback, fallback, cosign)
    assert wanted.items() <= files_below(made.fs, out).items()
    assert f"blobs/{other.digest.replace(':', '/')}" not in files_below(made.fs, out)


def test_what_strangers_pushed_is_refused(made: MadeRegistry) -> None:
    """Chains of indexes, manifests above 4 MiB, digests that are none, digests of unknown algorithms, names."""
    inner = made.image("team/app", None)
    for _ in range(9):
        inner = made.index("team/app", "deep", [(inner, AMD64)])
    made.manifest("team/app", b" " * (4 * MIB + 1), "large")
    for tag, digest in {"none": "sha256:../../../x", "unknown": "blake3:abcdef"}.items():
        child = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": 1}
        made.manifest("team/app", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}, tag)
    for tag, kind in {
        "deep": LayoutError,
        "large": FileTooLargeError,
        "none": UnreadableManifestError,
        "unknown": UnreadableManifestError,
        "no/tag": InvalidReferenceError,
        "absent": NotInRegistryError,
    }.items():
        out = new_path()
        with pytest.raises(kind):
            export_images(made.fs, [f"team/app:{tag}"], out, root=made.root, target_fs=made.fs)
        assert not made.fs.exists(out)


def test_a_target_is_named_by_a_url(made: MadeRegistry, tmp_path: Path) -> None:
    """Of any filesystem; folders that are missing are made."""
    made.image("team/app", "v1")
    for out in ("a/b", "c/d.tar"):
        export_images(made.fs, ["team/app:v1"], f"file://{tmp_path}/{out}", root=made.root)
    assert (tmp_path / "a/b/index.json").is_file()
    assert tarfile.is_tarfile(tmp_path / "c/d.tar")
    assert sorted(path.name for path in tmp_path.rglob("*") if "partial" in path.name) == []


def test_a_manifest_whose_bytes_cannot_be_compared_is_refused(fs: MemoryFileSystem) -> None:
    """An algorithm that is not known here makes no layout that is known to be whole."""
    made = MadeRegistry(fs, new_path() + ROOT, "blake2b")
    made.image("team/app", "v1")
    with pytest.raises(UnreadableManifestError, match="blake2b:.*no bytes can be compared"):
        export_images(made.fs, ["team/app:v1"], new_path(), root=made.root, target_fs=fs)


def test_what_a_killed_export_was_writing_is_cleared_away(made: MadeRegistry, tmp_path: Path) -> None:
    """By the next one, of a folder and of a tar. Others' files beside the tar stay."""
    image = made.image("team/app", "v1")
    blob = f"layout/blobs/sha256/{image.digest.partition(':')[2]}"
    for name in (blob, "layout/index.json", "layout.tar", "mine.tar"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.partial-0123abcd").write_bytes(b"cut")
    (tmp_path / "layout/oci-layout").write_bytes(LAYOUT)
    for out in ("layout", "layout.tar"):
        export_images(made.fs, ["team/app:v1"], f"{tmp_path}/{out}", root=made.root)
    assert [path.name for path in tmp_path.rglob("*.partial-*")] == ["mine.tar.partial-0123abcd"]


def test_memory_is_bounded_whatever_a_layer_weighs(tmp_path: Path) -> None:
    """A tar and a folder of a layer of 48 MiB take some pieces of 8 MiB."""
    made = MadeRegistry(LocalFileSystem(), f"{tmp_path}/registry")
    made.image("team/app", "v1", [bytes(48 * MIB)])
    tracemalloc.start()
    try:
        for out in ("layout", "layout.tar"):
            export_images(made.fs, ["team/app:v1"], f"{tmp_path}/{out}", root=made.root)
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()


def test_progress_is_told(made: MadeRegistry) -> None:
    """Of manifests and blobs, up to the last one."""
    made.image("team/app", "v1", [b"base", b"app"])
    told: list[tuple[str, int, int | None]] = []
    for out in (new_path(), new_path() + ".tar"):
        told.clear()
        export_images(
            made.fs, ["team/app:v1"], out, root=made.root, target_fs=MemoryFileSystem(),
            progress=lambda *step: told.append(step),
        )  # fmt: skip
        assert ("manifests", 1, 1) in told
        assert [step for step in told if step[0] == "blobs"] == [("blobs", done, 4) for done in range(1, 5)]


def test_exports_to_one_folder_at_once_all_add_their_images(made: MadeRegistry, tmp_path: Path) -> None:
    """The layout is read again when the blobs are there, and no other one writes it then."""
    references = [f"team/app:{number}" for number in range(6)]
    for number, _ in enumerate(references):
        made.image("team/app", str(number), [b"%d" % number])
    for out in (f"{tmp_path}/{number}" for number in range(4)):
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda each, out=out: export_images(made.fs, [each], out, root=made.root), references))
        assert sorted(map(str, names_in(LocalFileSystem(), out))) == references
