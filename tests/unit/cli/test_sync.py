"""`sync`, which copies a registry."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.cli import sync as module
from registry_s3fs.model import registry_layout as layout
from tests.registries import MadeRegistry
from tests.unit.cli.conftest import Done, Run
from tests.unit.cli.sample import Sample

Good = Callable[..., Done]
NAMES = {"dry_run", "repositories", "blobs", "bytes", "links", "tags", "already", "problems", "source", "destination"}


def tags(fs: Any, top: str) -> list[str]:
    """The links of the tags below a folder."""
    return [path for path in fs.find(top) if path.endswith("/current/link")]


def test_a_registry_is_copied_at_once(good: Good, sample: Sample, tmp_path: Path, memory: MemoryFileSystem) -> None:
    """To a URL, or to a folder; and again, which copies nothing."""
    done = good("sync", sample.url, "memory://copy")
    assert done.lines == [
        "copied: 17 blobs (233966 bytes), 24 links, 5 tags of 3 repositories",
        "there already: 0 blobs",
    ]
    assert len(tags(memory, "/copy/docker/registry/v2")) == 5
    assert good("sync", sample.url, "memory://copy/docker/registry/v2").lines == [
        "copied: 0 blobs (0 bytes), 0 links, 0 tags of 3 repositories", "there already: 17 blobs",
    ]  # fmt: skip
    good("sync", sample.url, tmp_path / "folder")
    assert sorted(path.name for path in (tmp_path / "folder/docker/registry/v2").iterdir()) == ["blobs", "repositories"]
    assert good("check", f"file://{tmp_path}/folder").lines == ["no problems"]


def test_a_dry_run_writes_nothing(good: Good, sample: Sample, memory: MemoryFileSystem) -> None:
    """It lists the tags that would be copied, and the sums."""
    done = good("sync", sample.url, "memory://copy", "--dry-run", "--include", "^team/app$")
    assert done.lines[0].startswith("new: team/app:latest sha256:")
    assert done.lines[-2].startswith("would be copied: 9 blobs")
    assert not memory.exists("/copy")


def test_programs_get_all_of_it(good: Good, sample: Sample) -> None:
    """As one document of JSON; tags alone as lines, as CSV, and by name."""
    v1 = sample.v1.digest
    good("sync", sample.url, "memory://copy")
    sample.made.tag("team/app", "latest", v1)
    words = ("sync", sample.url, "memory://copy", "--dry-run")
    document = good(*words, "--json").json
    assert document.keys() >= NAMES
    row = {"name": "team/app:latest", "change": "moved", "digest": v1, "former": sample.v2.digest}
    assert (document["tags"], document["dry_run"], document["problems"]) == ([row], True, [])
    assert json.loads(good(*words, "--format", "jsonl").out) == row
    assert good(*words, "--format", "csv").lines == ["name,change,digest,former", ",".join(row.values())]
    assert good(*words, "-q").lines == ["team/app:latest"]
    names = [
        row["name"]
        for row in good("sync", sample.url, "memory://new", "--json", "--sort", "name:desc", "--limit", 2).json["tags"]
    ]
    assert names == ["team/tools:1.0", "team/app:v2"]


def test_problems_are_status_3_with_keep_going_and_1_without(
    run: Run, sample: Sample, memory: MemoryFileSystem
) -> None:
    """Without it, no tag is written."""
    sample.made.lose_blob(sample.arm64.layers[0].digest)
    done = run("sync", sample.url, "memory://copy")
    assert (done.status, done.out) == (1, "")
    assert "blob_missing" in done.err
    assert "--keep-going" in done.err
    assert tags(memory, "/copy") == []
    done = run("sync", sample.url, "memory://copy", "--keep-going")
    assert (done.status, done.err) == (3, "")
    assert "problem: blob_missing: " in done.out
    assert "team/tools:1.0" in done.out
    assert len(tags(memory, "/copy")) == 4
    (problem,) = run("sync", sample.url, "memory://copy", "--keep-going", "--json").json["problems"]
    assert (problem["code"], problem["affected_tags"]) == ("blob_missing", ["team/tools:1.0"])


@pytest.mark.parametrize("words", [[], ["a"], ["a", "b", "c"], ["a", "b", "--include", "("], ["a", "b", "--yes"]])
def test_wrong_usage_is_status_2(run: Run, words: list[str]) -> None:
    """Another number of registries, or an expression that is none."""
    assert run("sync", *words).status == 2


def test_a_source_that_is_no_registry_is_status_1(run: Run, memory: MemoryFileSystem, sample: Sample) -> None:
    """And so are an expression that chooses nothing, and a registry copied into itself."""
    memory.pipe_file("/empty/x", b"")
    for words in (
        ["memory://empty", "memory://copy"],
        [sample.url, sample.url],
        [sample.url, "memory://x", "--include", "y"],
    ):
        done = run("sync", *words)
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("registry-s3fs: ")


def test_an_interrupted_run_is_status_130(run: Run, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by SIGTERM."""
    monkeypatch.setattr(module, "registry", lambda *words: signal.raise_signal(signal.SIGTERM))
    assert run("sync", sample.url, "memory://copy").status == 130


def test_ctrl_c_leaves_no_half_written_file(tmp_path: Path) -> None:
    """While a large blob is on its way from one folder to another."""
    blob = layout.Blob("sha256:" + 64 * "a")
    source = Path(blob.at(f"{tmp_path}/a{layout.ROOT}"))
    source.parent.mkdir(parents=True)
    with source.open("wb") as file:
        file.truncate(4 * 1024**3)  # which takes no room
    target = Path(blob.at(f"{tmp_path}/b{layout.ROOT}")).parent
    words = [sys.executable, "-m", "registry_s3fs", "sync", str(tmp_path / "a"), str(tmp_path / "b")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while process.poll() is None and not list(target.glob("data.partial-*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert list(target.iterdir()) == []


def config_of(options: dict[str, Any], file: Path) -> Path:
    """A registry's configuration with these parameters."""
    file.write_text(json.dumps({"version": 0.1, "storage": {"s3": options}}))
    return file


def test_each_side_has_options_of_its_own(
    good: Good,
    run: Run,
    options: dict[str, Any],
    fs: Any,
    sample: Sample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A config.yml as the word itself or as an option; parameters, and secrets by the environment alone."""
    config = config_of({**options, "rootdirectory": "/new"}, tmp_path / "config.yml")
    good("sync", sample.url, config)
    new = type(fs)(**{**options, "rootdirectory": "/new"})
    assert len(tags(new, layout.ROOT)) == 5
    good("sync", config, tmp_path / "folder")
    good("sync", "/", "memory://back", "--source-config", config)
    monkeypatch.setenv("SECRET_OF_THE_TEST", options["secretkey"])
    side = ["--destination-secret-from-env", "SECRET_OF_THE_TEST"]
    for name, value in {**options, "rootdirectory": "/other"}.items():
        side += [] if name == "secretkey" else ["--destination-option", f"{name}={value}"]
    good("sync", tmp_path / "folder", "/", *side)
    assert len(tags(type(fs)(**{**options, "rootdirectory": "/other"}), layout.ROOT)) == 5
    assert run("sync", "a", "b", "--source-option", "secretkey=x").status == 2


def test_within_one_bucket_the_server_copies(good: Good, bucket: list[str], fs: Any) -> None:
    """From one folder to another, named by the common options."""
    made = MadeRegistry(fs, f"/a{layout.ROOT}")
    made.image("team/app", "v1")
    assert "the server copies blobs itself, and they are not read here" in good("sync", *bucket, "/a", "/b").lines
    assert len(tags(fs, f"/b{layout.ROOT}")) == 1
    document = good("sync", *bucket, "-o", "verify_digests=true", "/a", "/c", "--json").json
    assert (document["in_place"], document["unverified"]) == (True, 0)
