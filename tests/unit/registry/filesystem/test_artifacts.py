"""`registryfile://` shows artifacts: repositories, tags and digests as folders, and the files by their titles."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.errors import DigestMismatchError, NotInRegistryError, PlatformError, RefusedNameError
from registry_s3fs.registry.filesystem import RegistryFileSystem
from registry_s3fs.registry.filesystem.artifact import UNPACK
from tests.registries import AMD64, ARM64, MadeRegistry

from .conftest import FILES

DATA = "team/data:2026"


@pytest.mark.promise("Images and artifacts as files")
def test_repositories_tags_and_files_are_listed(files: RegistryFileSystem) -> None:
    """`registryfile://` lists the beginnings of repositories' names, a repository's tags, and the files of an artifact.

    A repository whose name others begin with has both. A listing is sorted.
    """
    assert files.ls("", detail=False) == ["alone", "team"]
    assert files.ls("registryfile://team/", detail=False) == ["team/data"]
    assert files.ls("team/data", detail=False) == ["team/data/sub", "team/data:2025", "team/data:2026"]
    assert files.ls(DATA, detail=False) == [f"{DATA}/*?[x]", f"{DATA}/docs", f"{DATA}/train.parquet"]
    assert files.ls(f"{DATA}/docs", detail=False) == [f"{DATA}/docs/deep", f"{DATA}/docs/read me.txt"]
    assert files.ls(f"{DATA}/train.parquet", detail=False) == [f"{DATA}/train.parquet"]
    assert {info["type"] for info in files.ls("team/data")} == {"directory"}
    assert files.find(DATA) == sorted(f"{DATA}/{name}" for name in FILES)


@pytest.mark.promise("Images and artifacts as files")
def test_a_digest_is_a_folder_as_a_tag_is(files: RegistryFileSystem, made: MadeRegistry) -> None:
    """`team/data@sha256:...` is a folder, whether a tag means it or not; `glob("team/data@*")` finds all of them."""
    untagged = made.artifact("team/data", None, {"x": b"untagged"})
    digest = files.info(DATA)["digest"]
    for path in (f"team/data@{digest}", f"{DATA}@{digest}"):
        assert files.cat_file(f"{path}/train.parquet") == FILES["train.parquet"]
    assert files.cat_file(f"team/data@{untagged.digest}/x") == b"untagged"
    assert f"team/data@{untagged.digest}" in files.glob("team/data@*")
    assert len(files.glob("team/data@*")) == 3
    assert not files.exists(f"alone@{digest}")


@pytest.mark.promise("Images and artifacts as files")
def test_an_info_tells_what_the_manifest_tells(files: RegistryFileSystem, made: MadeRegistry) -> None:
    """`info` has a file's size, digest, media type and annotations, and an artifact's digest and media type."""
    info = files.info(f"{DATA}/train.parquet")
    assert (info["name"], info["type"], info["size"]) == (f"{DATA}/train.parquet", "file", 10)
    assert info["digest"] == made.digest(FILES["train.parquet"])
    assert info["media_type"] == "application/octet-stream"
    assert info["annotations"] == {"org.opencontainers.image.title": "train.parquet"}
    assert (info["mode"], info["uid"], info["gid"], info["islink"]) == (0o100644, 0, 0, False)
    top = files.info(DATA)
    assert (top["type"], top["kind"], top["size"]) == ("directory", "artifact", 0)
    assert top["digest"] == made.digest(made.fs.cat_file(made.blob_path(str(top["digest"]))))
    listed = {info["name"]: info for info in files.ls(DATA)}
    assert listed[f"{DATA}/train.parquet"] == info
    assert files.ukey(f"{DATA}/train.parquet") == info["digest"]
    assert files.checksum(f"{DATA}/train.parquet") != files.checksum(f"{DATA}/*?[x]")


def test_bytes_are_read_whole_and_in_ranges(files: RegistryFileSystem) -> None:
    """By open, cat_file, cat_ranges and cat; negative ends count from the end."""
    path, data = f"{DATA}/train.parquet", FILES["train.parquet"]
    with files.open(path) as file:
        assert (file.read(3), file.seek(8), file.read()) == (b"012", 8, b"89")
    with files.open(f"{DATA}/docs/read me.txt", "r", encoding="utf-8") as file:
        assert file.read() == "grüße"
    spans: list[tuple[int | None, int | None]] = [
        (None, None),
        (2, 5),
        (-3, None),
        (0, -4),
        (5, 100),
        (100, 200),
        (7, 3),
    ]
    for start, end in spans:
        assert files.cat_file(path, start, end) == data[start:end]
    assert files.cat_ranges([path] * len(spans), *map(list, zip(*spans, strict=True))) == [data[a:b] for a, b in spans]
    assert files.cat(DATA, recursive=True) == {f"{DATA}/{name}": data for name, data in FILES.items()}
    assert files.cat([path, f"{DATA}/docs/deep/a,b=c.bin"]) == {path: data, f"{DATA}/docs/deep/a,b=c.bin": b""}
    assert files.head(path, 2) + files.tail(path, 2) == b"0189"
    assert files.read_text(f"{DATA}/docs/read me.txt", encoding="utf-8") == "grüße"


def test_cat_of_many_tells_which_could_not_be_read(files: RegistryFileSystem) -> None:
    """In the place of each, or raised, or left out."""
    good, missing = f"{DATA}/train.parquet", f"{DATA}/none"
    found = files.cat_ranges([good, missing, DATA], 0, 1)
    assert found[0] == b"0"
    assert [type(each) for each in found[1:]] == [FileNotFoundError, IsADirectoryError]
    with pytest.raises(FileNotFoundError, match="none"):
        files.cat_ranges([good, missing], [0, 0], [1, 1], on_error="raise")
    assert files.cat([good, missing], on_error="omit") == {good: FILES["train.parquet"]}


def test_patterns_match_repositories_tags_and_files(files: RegistryFileSystem) -> None:
    """What follows a colon matches tags; a component without one is a repository, or the beginning of names."""
    assert files.glob("team/*") == ["team/data"]
    assert files.glob("*/data:20?5") == ["team/data:2025"]
    assert files.glob("team/data:*/*.parquet") == [f"{DATA}/train.parquet"]
    assert files.glob("*/*:2026/docs/*") == [f"{DATA}/docs/deep", f"{DATA}/docs/read me.txt"]
    assert files.glob("**/*.parquet") == [f"{DATA}/train.parquet"]
    assert files.glob(f"{DATA}/**/*.bin") == [f"{DATA}/docs/deep/a,b=c.bin"]
    assert files.glob(f"{DATA}/docs") == [f"{DATA}/docs"]
    assert files.glob("none/*:*") == files.glob("team/none:*") == files.glob("team/data:none/*") == []
    assert set(files.glob("team/data:*", detail=True)) == {"team/data:2025", DATA}


def test_a_tree_is_walked(files: RegistryFileSystem) -> None:
    """From above and from below; a folder that the caller takes out is not entered."""
    walked = list(files.walk("team"))
    assert walked[:3] == [
        ("team", ["data"], []),
        ("team/data", ["sub", "data:2025", "data:2026"], []),
        ("team/data/sub", ["sub:v1"], []),
    ]
    assert (f"{DATA}/docs", ["deep"], ["read me.txt"]) in walked
    below = list(files.walk("team", topdown=False))
    assert sorted(below) == sorted(walked)
    assert below[-1] == walked[0]
    assert below.index((f"{DATA}/docs/deep", [], ["a,b=c.bin"])) < below.index(
        (f"{DATA}/docs", ["deep"], ["read me.txt"])
    )
    seen = []
    for path, folders, _ in files.walk("team/data"):
        seen.append(path)
        folders[:] = [folder for folder in folders if folder == "data:2026"]
    assert seen == ["team/data", DATA]
    assert [path for path, _, _ in files.walk("team", maxdepth=2)] == ["team", "team/data"]
    assert files.du(DATA) == sum(map(len, FILES.values()))
    assert files.du(DATA, total=False)[f"{DATA}/*?[x]"] == 5
    with pytest.raises(ValueError, match="maxdepth"):
        next(files.walk("", maxdepth=0))


def test_files_and_folders_are_copied_here(files: RegistryFileSystem, tmp_path: Path) -> None:
    """One file, a folder, and into a file that is open."""
    files.get(f"{DATA}/train.parquet", f"{tmp_path}/new/one")
    assert (tmp_path / "new" / "one").read_bytes() == FILES["train.parquet"]
    files.get(DATA, f"{tmp_path}/all", recursive=True)
    assert {
        str(each.relative_to(tmp_path / "all")): each.read_bytes()
        for each in (tmp_path / "all").rglob("*")
        if each.is_file()
    } == FILES
    with (tmp_path / "open").open("wb") as target:
        files.get_file(f"{DATA}/train.parquet", target)
    assert (tmp_path / "open").read_bytes() == FILES["train.parquet"]


@pytest.mark.promise("Images and artifacts as files")
def test_what_is_missing_is_told(files: RegistryFileSystem) -> None:
    """A missing repository, tag or file is a `FileNotFoundError`, and a path through a file a `NotADirectoryError`."""
    nowhere = "sha256:" + 64 * "0"
    for path in (
        "none",
        "team/none",
        "team/data:none",
        f"team/data@{nowhere}",
        f"{DATA}/none",
        "Team",
        "team/data:-x",
        "a:b/../c:d",
    ):
        assert (files.exists(path), files.isdir(path), files.isfile(path)) == (False, False, False)
        for call in (files.info, files.ls, files.cat_file, files.open, files.modified, files.ukey):
            with pytest.raises(FileNotFoundError):
                call(path)
        assert files.find(path) == list(files.walk(path)) == []
    with pytest.raises(NotADirectoryError):
        files.info(f"{DATA}/train.parquet/x")
    assert not files.exists(f"{DATA}/train.parquet/x")
    for path in ("team", "team/data", DATA, f"{DATA}/docs"):
        with pytest.raises(IsADirectoryError):
            files.cat_file(path)
        with pytest.raises(IsADirectoryError):
            files.open(path)


@pytest.mark.promise("Images and artifacts as files")
def test_nothing_is_written(files: RegistryFileSystem, made: MadeRegistry, tmp_path: Path) -> None:
    """Every call that would write raises an error that says so, and changes nothing."""
    before = made.fs.find(made.root)
    (tmp_path / "local").write_bytes(b"1")
    path = f"{DATA}/train.parquet"
    calls: list[Any] = [
        lambda: files.open(path, "wb"), lambda: files.open(path, "ab"), lambda: files.open(path, "w"),
        lambda: files.pipe(path, b""), lambda: files.pipe({path: b""}), lambda: files.pipe_file(path, b""),
        lambda: files.write_text(path, ""), lambda: files.put(f"{tmp_path}/local", path), lambda: files.touch(path),
        lambda: files.put_file(f"{tmp_path}/local", path), lambda: files.rm(path), lambda: files.rm_file(path),
        lambda: files.rm(DATA, recursive=True), lambda: files.rmdir(DATA), lambda: files.mkdir(f"{DATA}/new"),
        lambda: files.makedirs(f"{DATA}/new", exist_ok=True), lambda: files.cp(path, f"{path}2"),
        lambda: files.mv(path, f"{path}2"), lambda: files.delete(path), lambda: files.upload(f"{tmp_path}/local", path),
        lambda: files.rename(path, f"{path}2"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(OSError, match="only read here") as raised:
            call()
        assert raised.value.errno == 30
    assert made.fs.find(made.root) == before


def test_open_files_are_apart_and_cannot_be_written_to(files: RegistryFileSystem) -> None:
    """Also over fsspec's memory, whose files are one for all who open them."""
    with files.open(f"{DATA}/train.parquet") as first, files.open(f"{DATA}/train.parquet") as second:
        data = FILES["train.parquet"]
        assert (first.read(3), second.read(5), first.read(2)) == (data[:3], data[:5], data[3:5])
        with pytest.raises((OSError, ValueError)):
            first.write(b"x")
    assert files.cat_file(f"{DATA}/train.parquet") == data


@pytest.mark.promise("Images and artifacts as files")
def test_a_tag_means_one_digest_until_the_cache_is_invalidated(files: RegistryFileSystem, made: MadeRegistry) -> None:
    """A tag that moves while the filesystem is open means what it meant, until `invalidate_cache()`.

    So a listing and what is read by it belong together.
    """
    assert files.cat_file(f"{DATA}/train.parquet") == FILES["train.parquet"]
    digest = files.info(DATA)["digest"]
    made.artifact("team/data", "2026", {"train.parquet": b"new"})
    assert files.cat_file(f"{DATA}/train.parquet") == FILES["train.parquet"]
    assert files.info(DATA)["digest"] == digest
    files.invalidate_cache()
    assert files.cat_file(f"{DATA}/train.parquet") == b"new"
    assert files.info(DATA)["digest"] != digest
    assert files.cat_file(f"team/data@{digest}/train.parquet") == FILES["train.parquet"]


def test_times_are_those_of_the_artifact_or_of_the_push(files: RegistryFileSystem, made: MadeRegistry) -> None:
    """By annotations of the manifest or of ModelPack; else when the blob was stored."""
    stored = files.created(f"{DATA}/train.parquet")
    assert abs((datetime.now(timezone.utc) - stored).total_seconds()) < 3600
    assert files.modified(f"{DATA}/train.parquet") == stored
    assert abs((files.modified(DATA) - stored).total_seconds()) < 60
    made.artifact(
        "team/data", "when", {"x": b"x"}, annotations={"org.opencontainers.image.created": "2020-01-02T03:04:05Z"}
    )
    assert files.modified("team/data:when/x") == datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert files.created("team/data:when/x").year > 2020
    with pytest.raises(IsADirectoryError):
        files.modified("team/data")


def test_modelpack_tells_mode_owner_and_time(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """Its files are named by their path, and one annotation has the rest; a broken one tells nothing."""
    metadata = {
        "name": "m",
        "mode": 0o100640,
        "uid": 7,
        "gid": 8,
        "size": 1,
        "mtime": "2021-01-01T00:00:00Z",
        "typeflag": 48,
    }
    broken = ('{"mode": "x", "uid": -1, "mtime": 5}', "[", '{"uid": 1e99}')
    for tag, text in (("m1", json.dumps(metadata)), *((f"b{at}", each) for at, each in enumerate(broken))):
        blob = made.layer("models", b"weights", "application/vnd.cncf.model.weight.v1.raw")
        annotations = {"org.cncf.model.filepath": "w/model.bin", "org.cncf.model.file.metadata+json": text}
        config = made.layer("models", b"{}", "application/vnd.cncf.model.config.v1+json")
        made.manifest(
            "models",
            {"schemaVersion": 2, "config": config.descriptor(), "layers": [blob.descriptor(annotations=annotations)]},
            tag,
        )
    info = files.info("models:m1/w/model.bin")
    assert (info["mode"], info["uid"], info["gid"], info["mtime"]) == (0o100640, 7, 8, 1609459200.0)
    for at in range(len(broken)):
        info = files.info(f"models:b{at}/w/model.bin")
        assert (info["mode"], info["uid"], info["mtime"]) == (0o100644, 0, 0.0)
        assert files.cat_file(f"models:b{at}/w/model.bin") == b"weights"


@pytest.mark.parametrize(
    ("titles", "why"),
    [
        (["../x"], "upwards"), (["a/../../x"], "upwards"), (["a/.."], "upwards"), (["/etc/passwd"], "absolute"),
        (["C:/x"], "absolute"), ([""], "no file"), (["a\\b"], "backslash"), (["a\0b"], "zero byte"),
        (["x" * 256], "longer"), (["a/" * 300 + "b"], "deeper"), (["é" * 200], "longer"), (["a", "a"], "another blob"),
        (["a", "./a"], "another blob"), (["a/b", "a//b"], "another blob"), (["a", "a/b"], "is a file"),
    ],
)  # fmt: skip
@pytest.mark.promise("Images and artifacts as files")
def test_titles_that_lead_outside_or_mean_two_files_are_refused(titles: list[str], why: str) -> None:
    """An artifact is refused whole where a title is absolute, empty, doubled or too long, or has `..` or a backslash.

    The error names the artifact, the blob and the title. None of its files is shown.
    """
    made = MadeRegistry()
    blobs = [made.layer("team/bad", str(at).encode(), "x/y") for at, _ in enumerate(titles)]
    layers = [
        blob.descriptor(annotations={"org.opencontainers.image.title": title})
        for blob, title in zip(blobs, titles, strict=True)
    ]
    made.artifact("team/bad", "1", layers=layers)
    made.artifact("team/bad", "good", {"x": b"x"})
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    for call in (files.ls, files.find, files.glob):
        with pytest.raises(RefusedNameError, match=why) as raised:
            call("team/bad:1/*" if call == files.glob else "team/bad:1")
        assert raised.value.filename == "team/bad:1"
        assert blobs[-1].digest in str(raised.value)
    with pytest.raises(RefusedNameError):
        files.exists("team/bad:1/x")
    assert files.find("team") == ["team/bad:good/x"]
    with pytest.raises(RefusedNameError):
        list(files.walk("team", on_error="raise"))


def test_odd_titles_that_are_good_are_shown(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """Dots, spaces, colons and newlines are names; what is without a title is named by its digest."""
    odd = {
        "./a//b/": b"1",
        "...": b"2",
        "..x/y": b"3",
        "a b:c@d": b"4",
        "e\nf": b"5",
        "\u202etxt": b"6",
        "x" * 255: b"7",
    }
    made.artifact("team/odd", "1", odd)
    names = {"a/b": b"1", **{name: data for name, data in odd.items() if name != "./a//b/"}}
    assert files.cat("team/odd:1", recursive=True) == {f"team/odd:1/{name}": data for name, data in names.items()}
    blob = made.layer("team/odd", b"untitled")
    made.artifact("team/odd", "2", layers=[blob.descriptor(), blob.descriptor()])
    assert files.ls("team/odd:2", detail=False) == [f"team/odd:2/{blob.digest}"]
    assert files.cat_file(f"team/odd:2/{blob.digest}") == b"untitled"


def test_damage_is_told(made: MadeRegistry, files: RegistryFileSystem) -> None:
    """A blob that is missing, or of another size than the manifest says; a digest that is none."""
    blob = made.layer("team/bad", b"12345", "x/y")
    title = {"org.opencontainers.image.title": "x"}
    for tag, size in (("short", 3), ("long", 9)):
        made.artifact("team/bad", tag, layers=[blob.descriptor(annotations=title, size=size)])
        with pytest.raises(DigestMismatchError, match="the blob has 5"):
            files.open(f"team/bad:{tag}/x")
        with pytest.raises(DigestMismatchError):
            files.cat_file(f"team/bad:{tag}/x")
    assert isinstance(files.cat_ranges(["team/bad:long/x"], 0, 9)[0], DigestMismatchError)
    made.artifact("team/bad", "unsized", layers=[blob.descriptor(annotations=title, size=None)])
    assert files.info("team/bad:unsized/x")["size"] == 5
    made.artifact("team/bad", "none", layers=[blob.descriptor(annotations=title, digest="sha256:../../x")])
    with pytest.raises(ValueError, match="no blob can have"):
        files.ls("team/bad:none")
    made.remove(made.blob_path(blob.digest))
    for call in (files.open, files.cat_file):
        with pytest.raises(NotInRegistryError, match="is missing from the registry") as raised:
            call("team/bad:short/x")
        assert raised.value.filename == "team/bad:short/x"


@pytest.mark.promise("Images and artifacts as files")
def test_an_index_needs_a_platform(made: MadeRegistry) -> None:
    """An index of several platforms is a folder, which needs `platform` to be looked into. The error lists them."""
    children = [
        (made.artifact("team/multi", None, {"x": name}), {"os": "linux", "architecture": name.decode()})
        for name in (b"amd64", b"arm64")
    ]
    made.index("team/multi", "1", children)
    made.index("team/multi", "one", [(children[0][0], AMD64)])
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    assert files.info("team/multi:1")["kind"] == "index"
    with pytest.raises(PlatformError, match="linux/amd64, linux/arm64") as raised:
        files.ls("team/multi:1")
    assert raised.value.platforms == ("linux/amd64", "linux/arm64")
    assert files.cat_file("team/multi:one/x") == b"amd64"
    arm = RegistryFileSystem(fs=made.fs, root=made.root, platform="linux/arm64")
    assert arm.cat_file("team/multi:1/x") == b"arm64"
    assert files.find("team/multi") == ["team/multi:one/x"]
    assert ARM64["architecture"] == "arm64"


def test_the_registry_is_found_below_a_folder(tmp_path: Path) -> None:
    """That has docker/registry/v2 below it, or is it, or has blobs and repositories; else the error says so."""
    made = MadeRegistry(LocalFileSystem(), f"{tmp_path}/srv/docker/registry/v2")
    made.artifact("team/data", "1", {"x": b"x"})
    bare = MadeRegistry(LocalFileSystem(), f"{tmp_path}/bare")
    bare.artifact("team/data", "1", {"x": b"x"})
    for folder in (f"{tmp_path}/srv", f"{tmp_path}/srv/docker/registry/v2", f"{tmp_path}/bare"):
        url = f"registryfile://team/data:1/x::file://{folder}"
        with fsspec.open(url) as file:
            assert file.read() == b"x"
        assert RegistryFileSystem(folder, "file").cat_file("team/data:1/x") == b"x"
        assert RegistryFileSystem(f"file://{folder}").cat_file("team/data:1/x") == b"x"
    with pytest.raises(NotInRegistryError, match="docker/registry/v2"):
        RegistryFileSystem(f"file://{tmp_path}").ls("")
    inside = fsspec.filesystem("dir", path=f"{tmp_path}/srv", target_protocol="file")
    assert RegistryFileSystem(fs=inside).cat_file("team/data:1/x") == b"x"
    with pytest.raises(ValueError, match="give the registry"):
        RegistryFileSystem()
    with pytest.raises(ValueError, match="not both"):
        RegistryFileSystem(fs=inside, target_protocol="file")
    with pytest.raises(ValueError, match="no view"):
        RegistryFileSystem(fs=inside, view="none")  # type: ignore[arg-type]  # that it is checked


def test_instances_are_shared_pickled_and_written_as_json(made: MadeRegistry) -> None:
    """The same options give the same instance; a copy in another process has the same files."""
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    assert RegistryFileSystem(fs=made.fs, root=made.root) is files
    assert RegistryFileSystem(fs=made.fs, root=made.root, view="artifact") != files
    assert pickle.loads(pickle.dumps(files)).cat_file(f"{DATA}/train.parquet") == FILES["train.parquet"]
    again = fsspec.AbstractFileSystem.from_json(files.to_json())
    assert isinstance(again, RegistryFileSystem)
    assert again.cat_file(f"{DATA}/train.parquet") == FILES["train.parquet"]


def test_no_secret_is_in_the_json_without_passwords() -> None:
    """Whether the storage is given as a filesystem or by its options."""
    options = {"bucket": "demo", "region": "eu-west-1", "accesskey": "AK", "secretkey": "very-secret"}
    chained = RegistryFileSystem("registrys3://demo", "registrys3", options)
    given = RegistryFileSystem(fs=fsspec.filesystem("registrys3", **options))
    for files in (chained, given):
        assert "very-secret" in files.to_json()
        text = files.to_json(include_password=False)
        assert "very-secret" not in text
        assert "eu-west-1" in text
        assert "very-secret" not in repr(files)


def test_nothing_heavy_is_imported() -> None:
    """Neither pyarrow nor pandas nor boto3, until the storage needs it; and the entry point makes the URL known."""
    program = (
        "import sys, fsspec; cls = fsspec.get_filesystem_class('registryfile'); "
        "assert cls.__name__ == 'RegistryFileSystem'; "
        "print([name for name in ('pyarrow', 'pandas', 'boto3', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_thousands_of_titles_in_a_packed_folder_take_no_more_than_their_number(
    made: MadeRegistry, files: RegistryFileSystem
) -> None:
    """Whatever the order of the blobs, of which a manifest may have tens of thousands."""
    blob = made.blob(b"x", "x/y")
    layers = [blob.descriptor(annotations={"org.opencontainers.image.title": f"d/{at}"}) for at in range(8000)]
    layers.append({**layers[0], "annotations": {"org.opencontainers.image.title": "d", UNPACK: "true"}})
    made.artifact("team/many", "1", layers=layers)
    began = time.process_time()
    assert files.info("team/many:1/d/7999")["size"] == 1
    assert time.process_time() - began < 2
