"""`export` and `import`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.cli import places
from tests.unit.cli.conftest import Done, Run
from tests.unit.cli.sample import Sample

Good = Callable[..., Done]


def index_of(folder: Path) -> list[str]:
    """Give the names in a layout."""
    found = json.loads((folder / "index.json").read_text())["manifests"]
    return [each["annotations"]["org.opencontainers.image.ref.name"] for each in found]


def test_images_go_into_a_folder_and_back(good: Good, sample: Sample, tmp_path: Path) -> None:
    """The registry need not exist before."""
    out = good("export", sample.url, "team/app:v1", "team/tools:1.0", tmp_path / "layout").out
    assert "team/app:v1" in out
    assert f"{tmp_path}/layout: 2 images; written: 11 blobs" in out
    assert index_of(tmp_path / "layout") == ["team/app:v1", "team/tools:1.0"]
    done = good("import", tmp_path / "layout", "memory://new/registry")
    assert "2 images; written: 11 blobs" in done.out
    assert good("repos", "memory://new/registry", "-q").lines == ["team/app", "team/tools"]
    assert "11 blobs there already" in good("import", tmp_path / "layout", "memory://new/registry").out
    assert good("verify", "memory://new/registry", "--json").json == []
    assert good("check", "memory://new/registry", "--json").json == []
    for name in ("team/app:v1", "team/tools:1.0"):
        raw = good("inspect", "memory://new/registry", name, "--raw").out
        assert raw == good("inspect", sample.url, name, "--raw").out


def test_each_format_tells_of_each_image(good: Good, sample: Sample, tmp_path: Path) -> None:
    """JSON also of blobs; -q names the images."""
    words = ["export", sample.url, "team/app:v2", "--referrers"]
    signature = f"team/app:sha256-{sample.v2.digest[7:]}.sig"
    told = good(*words, tmp_path / "a.tar", "--json").json
    assert [(each["reference"], each["digest"], each["is_referrer"]) for each in told["images"]] == [
        ("team/app:v2", sample.v2.digest, False),
        (signature, sample.signature.digest, True),
    ]
    assert (told["blobs"], told["kept"], told["foreign"]) == (7, 0, [])
    assert told["layout"] == str(tmp_path / "a.tar")
    assert told["bytes"] == sum(each["bytes"] for each in told["images"])
    assert good(*words, tmp_path / "b", "-q").lines == ["team/app:v2", signature]
    rows = [json.loads(line) for line in good(*words, tmp_path / "c", "--format", "jsonl").lines]
    assert rows == told["images"]
    told = good("import", tmp_path / "a.tar", "memory://copy", "--json").json
    assert [(each["repository"], each["tag"]) for each in told["images"]] == [
        ("team/app", "v2"),
        ("team/app", signature.partition(":")[2]),
    ]
    assert told["links"] == 11
    assert good("import", tmp_path / "a.tar", "memory://copy", "-q").lines == ["team/app:v2", signature]


def test_the_beginning_of_a_digest_is_enough(good: Good, sample: Sample, tmp_path: Path) -> None:
    """As in other commands."""
    good("export", sample.url, f"team/app@{sample.v1.digest[:14]}", tmp_path / "layout")
    assert index_of(tmp_path / "layout") == [f"team/app@{sample.v1.digest}"]


def test_one_platform_of_an_index(good: Good, sample: Sample, tmp_path: Path) -> None:
    """And none that it does not have."""
    told = good("export", sample.url, "team/tools:1.0", tmp_path / "a", "--platform", "linux/arm64", "--json").json
    assert [each["digest"] for each in told["images"]] == [sample.arm64.digest]


def test_an_image_gets_another_name(good: Good, run: Run, sample: Sample, tmp_path: Path) -> None:
    """By --as; --image chooses one of several."""
    good("export", sample.url, "team/app:v1", "team/app:v2", tmp_path / "layout")
    assert run("import", tmp_path / "layout", "memory://copy", "--as", "app:new").status == 1
    good("import", tmp_path / "layout", "memory://copy", "--as", "app:new", "--image", "team/app:v2")
    good("import", tmp_path / "layout", "memory://copy", "--as", "all")
    assert good("tags", "memory://copy", "app", "-q").lines == ["new"]
    assert good("tags", "memory://copy", "all", "-q").lines == ["v1", "v2"]
    assert good("inspect", "memory://copy", "app:new", "--raw").out.encode() == sample.v2.data


def test_the_configuration_names_the_registry(good: Good, sample_in_folder: Path, tmp_path: Path) -> None:
    """Of both commands; the layout is a path then."""
    config, new = tmp_path / "config.yml", tmp_path / "new.yml"
    config.write_text(f"storage:\n  filesystem:\n    rootdirectory: {sample_in_folder}\n")
    new.write_text(f"storage:\n  filesystem:\n    rootdirectory: {tmp_path}/new\n")
    good("export", "--config", config, "team/app:v1", tmp_path / "layout.tar")
    good("import", "--config", new, tmp_path / "layout.tar")
    assert good("tags", "--config", new, "team/app", "-q").lines == ["v1"]
    assert (tmp_path / "new/docker/registry/v2/blobs").is_dir()
    for number, target in enumerate((tmp_path / "folder", f"file://{tmp_path}/url", new)):
        good("import", tmp_path / "layout.tar", target, "--as", f"again{number}")
    for name, place in {"again0": "folder", "again1": "url", "again2": "new"}.items():
        assert good("tags", f"file://{tmp_path}/{place}", name, "-q").lines == ["v1"]


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["export", "URL", "team/app:v1"], 2, "behind them the folder"),
        (["export", "team/app:v1", "out"], 1, "no registry is named"),
        (["export", "URL", "team/app:v9", "out"], 1, "has no tag"),
        (["export", "URL", "Team/App", "out"], 1, "no name of a repository"),
        (["export", "URL", "team/app:v1", "full"], 1, "other files"),
        (["export", "URL", "team/app:v1", "there.tar"], 1, "nothing is added to a tar"),
        (["export", "URL", "team/app:v1", "image.tar.gz"], 1, "written without compression"),
        (["export", "URL", "team/app:v1", "-"], 2, "not written to standard output"),
        (["export", "URL", "team/app:v1", "out", "--sort", "weight"], 2, "no column"),
        (["import", "nowhere", "URL"], 1, "nowhere"),
        (["import", "full", "URL"], 1, "no index.json"),
        (["import", "there.tar", "URL"], 1, "no tar"),
        (["import", "out"], 1, "no registry is named"),
        (["import", "a", "URL", "more"], 2, "one layout"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_goes_wrong_is_said(
    run: Run, sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], status: int, text: str
) -> None:
    """In one line, with the exit status that the help tells; nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    (tmp_path / "there.tar").write_bytes(b"mine")
    before = sample.made.files()
    done = run(*(sample.url if word == "URL" else word for word in words))
    assert (done.status, done.out) == (status, ""), done
    assert text in done.err
    assert sample.made.files() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "there.tar"]


def test_a_url_is_in_the_bucket_that_it_names() -> None:
    """And not in that of -o, which is for paths: an export from one bucket to another one would stay in the first."""
    options = [("bucket", "mine"), ("region", "us-east-1"), ("accesskey", "A"), ("secretkey", "B")]
    arguments = argparse.Namespace(config=None, options=options)
    for word, bucket in (("registrys3://other/images.tar", "other"), ("/images.tar", "mine")):
        assert places.place(word, arguments).fs.parameters.bucket == bucket


def test_the_rootdirectory_of_a_configuration_holds_for_its_own_bucket(tmp_path: Path) -> None:
    """Credentials and region hold for another one, too. Of a registry in a folder, nothing does."""
    config, local = tmp_path / "config.yml", tmp_path / "local.yml"
    s3 = "{bucket: mine, region: eu-west-1, rootdirectory: /registry, accesskey: A, secretkey: B}"
    config.write_text(f"version: 0.1\nstorage: {{s3: {s3}}}\n")
    local.write_text("version: 0.1\nstorage: {filesystem: {rootdirectory: /srv}}\n")

    def found(word: str, config: Path, *options: tuple[str, str]) -> list[str]:
        fs = places.place(word, argparse.Namespace(config=str(config), options=options)).fs
        return [fs.parameters.bucket, fs.parameters.region, fs.parameters.rootdirectory]

    assert found("/a.tar", config) == ["mine", "eu-west-1", "/registry"]
    assert found("registrys3://mine/a.tar", config) == ["mine", "eu-west-1", "/registry"]
    assert found("registrys3://other/a.tar", config) == ["other", "eu-west-1", ""]
    assert found("registrys3://other/a.tar", config, ("rootdirectory", "/x")) == ["other", "eu-west-1", "/x"]
    assert found("registrys3://other/a.tar", local, ("region", "eu-north-1")) == ["other", "eu-north-1", ""]


def test_passwords_in_urls_are_not_written(run: Run, good: Good, sample: Sample, memory: MemoryFileSystem) -> None:
    """Neither in what is told nor in errors."""
    place = "memory://user:hunter2@host"
    said = [
        good("export", sample.url, "team/app:v1", f"{place}/a.tar"),
        good("export", sample.url, "team/app:v1", f"{place}/folder", "--json"),
        good("import", f"{place}/a.tar", "memory://copy"),
        good("sync", sample.url, f"{place}/copy", "--json"),
        run("import", f"{place}/b.tar", "memory://copy"),
    ]
    assert "user:***@host" in said[0].out
    for each in said:
        assert "hunter2" not in each.out
        assert f"//{place.partition('//')[2]}" not in each.err
