"""`inventory`, and what the other commands need to read one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from registry_s3fs.registry.schemas import SCHEMAS
from registry_s3fs.registry.tables import Tables
from tests.registries import MadeRegistry
from tests.unit.cli.conftest import Done, Run
from tests.unit.cli.sample import Sample
from tests.unit.registry.test_s3_inventory import listed, report

Good = Callable[..., Done]
TIMES = ["first_push", "last_push"]


def test_the_tables_are_parquet_files_anywhere(good: Good, sample: Sample, tmp_path: Path, memory: Any) -> None:
    """In a local directory, or wherever a URL leads; the summary tells how much there is."""
    for target in (str(tmp_path / "out"), f"file://{tmp_path}/url", "memory://reports/today"):
        out = good("inventory", sample.url, target).out
        assert "3 repositories, 5 tags, 6 manifests" in out
        assert Tables.read(target).repositories["name"].to_pylist() == ["math", "team/app", "team/tools"]
    for name in SCHEMAS:
        assert list((tmp_path / "out" / name).glob("*.parquet")), name
    assert pq.read_table(tmp_path / "out" / "tags")["tag"].to_pylist()


def test_the_summary_for_programs(good: Good, sample: Sample, tmp_path: Path) -> None:
    """It is the snapshot's row, with how many rows each table has."""
    found = good("inventory", sample.url, tmp_path, "--json").json
    assert set(SCHEMAS["snapshot"].names) <= set(found)
    assert found["tables"]["repositories"] == 3
    assert found["keys"] == len(sample.made.files())
    assert found["bytes"] == sum(sample.made.files().values())


def test_a_previous_inventory_may_be_the_same_directory(good: Good, sample: Sample, tmp_path: Path) -> None:
    """It is read before it is replaced."""
    good("inventory", sample.url, tmp_path)
    sample.made.image("team/new", "v1")
    good("inventory", sample.url, tmp_path, "--previous", tmp_path)
    assert "team/new" in good("repos", "-q", "--from", tmp_path).lines


def test_configs_tell_when_images_were_made(good: Good, sample: Sample, tmp_path: Path) -> None:
    """With --configs alone."""
    sample.made.image(
        "team/dated", "v1", config={"created": "2026-01-01T00:00:00Z", "os": "linux", "architecture": "amd64"}
    )
    good("inventory", sample.url, tmp_path, "--configs")
    assert any(Tables.read(str(tmp_path)).manifests["created"].to_pylist())


@pytest.mark.parametrize("kind", ["CSV", "Parquet"])
def test_s3s_own_report_takes_the_place_of_the_listing(
    good: Good, run: Run, sample: Sample, tmp_path: Path, memory: Any, kind: str
) -> None:
    """Of a local path, or of a URL with the options that are given; its links and manifests are read as ever."""
    path = report(tmp_path, listed(sample.made.files()), kind)
    good("inventory", sample.url, tmp_path / "listed")
    expected = Tables.read(str(tmp_path / "listed"))
    memory.put(f"{tmp_path}/", "/reports/", recursive=True)
    for manifest in (path, f"file://{path}", "memory://reports/2026-03-04T05-00Z/manifest.json"):
        good("inventory", sample.url, tmp_path / "reported", "--s3-inventory", manifest)
        found = Tables.read(str(tmp_path / "reported"))
        assert found.repositories.drop_columns(TIMES).equals(expected.repositories.drop_columns(TIMES))
        assert found.references.equals(expected.references)
    done = run("inventory", sample.url, tmp_path / "none", "--s3-inventory", tmp_path / "missing.json")
    assert (done.status, "missing.json" in done.err) == (1, True)
    (tmp_path / "odd.json").write_text("{}")
    done = run("inventory", sample.url, tmp_path / "none", "--s3-inventory", tmp_path / "odd.json")
    assert (done.status, "no inventory report of S3's" in done.err) == (1, True)


def test_s3s_own_report_is_read_from_a_bucket(
    good: Good, bucket: list[str], options: dict[str, Any], fs: Any, tmp_path: Path
) -> None:
    """With the same options: S3 writes its reports into any bucket that it was told."""
    made = MadeRegistry(fs)
    made.image("team/app", "v1")
    files = {path: size for path, size in made.files().items() if path.startswith("/docker/")}
    report(tmp_path, listed(files, fs.bucket.space.prefix("/")))
    fs.put(f"{tmp_path}/data/", "/daily/data/", recursive=True)
    fs.put(f"{tmp_path}/2026-03-04T05-00Z/", "/daily/2026-03-04T05-00Z/", recursive=True)
    manifest = f"registrys3://{options['bucket']}/daily/2026-03-04T05-00Z/manifest.json"
    good("inventory", *bucket, tmp_path / "out", "--s3-inventory", manifest)
    assert Tables.read(str(tmp_path / "out")).tags["tag"].to_pylist() == ["v1"]


def test_wrong_words_are_status_2(run: Run, sample: Sample) -> None:
    """No directory, or several."""
    assert run("inventory").status == 2
    assert run("inventory", sample.url, "a", "b").status == 2


def test_a_directory_without_an_inventory_is_status_1(run: Run, tmp_path: Path) -> None:
    """With a sentence that says what makes one."""
    done = run("repos", "--from", tmp_path)
    assert done.status == 1
    assert "registry-s3fs inventory" in done.err


@pytest.mark.promise("Commands")
def test_an_inventory_is_read_without_pandas_and_boto3(good: Good, sample: Sample, tmp_path: Path) -> None:
    """`repos --from` imports neither pandas nor boto3, and takes half a second of processor time at most beyond the
    import of pyarrow.
    """
    good("inventory", sample.url, tmp_path)
    code = """
import os, sys
import pyarrow, pyarrow.parquet
before = sum(os.times()[:2])
from registry_s3fs.cli.main import main
assert main(sys.argv[1:]) == 0
assert sum(os.times()[:2]) - before < 0.5
assert not {"pandas", "boto3", "botocore"} & set(sys.modules)
"""
    words = ["repos", "--from", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "team/app" in done.stdout


def test_a_place_that_cannot_be_written_to_is_told_first(
    run: Run, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after a registry was listed, which may take hours."""
    monkeypatch.setattr("registry_s3fs.registry.inventory.inventory", None)
    done = run("inventory", sample.url, "nosuch://reports/today")
    assert (done.status, done.err.strip()) == (1, "registry-s3fs: Protocol not known: nosuch")
