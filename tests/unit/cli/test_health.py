"""`check` and `verify`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from registry_s3fs.registry.schemas import SCHEMAS
from tests.unit.cli.conftest import Done, Run
from tests.unit.cli.sample import Sample

Good = Callable[..., Done]


def test_a_sound_registry_is_status_0(good: Good, sample: Sample, place: list[str]) -> None:
    """And its mounted layer is no problem."""
    assert good("check", *place, "--json").json == []
    assert good("check", *place).lines == ["no problems"]
    done = good("verify", sample.url, "--json")
    assert done.json == []


def test_check_tells_each_problem(run: Run, sample: Sample) -> None:
    """By the columns of the table ``problems``, with status 3."""
    sample.made.lose_blob(sample.v2.layers[1].digest)
    sample.made.write(f"{sample.made.root}/repositories/team/app/notes.txt", b"?")
    done = run("check", sample.url, "--json")
    assert done.status == 3
    rows = {row["code"]: row for row in done.json}
    assert set(rows["blob_missing"]) == set(SCHEMAS["problems"].names)
    assert rows["blob_missing"]["digest"] == sample.v2.layers[1].digest
    assert {"team/app:v2", "team/app:latest"} <= set(rows["blob_missing"]["affected_tags"])
    assert "unknown_key" in rows
    text = run("check", sample.url)
    assert (text.status, text.err) == (3, "")
    assert "blob_missing: 1" in text.lines[-1]
    assert [
        code for code in run("check", sample.url, "--severity", "error", "--json").json if code["severity"] != "error"
    ] == []


def test_verify_names_the_blob_and_what_it_hurts(run: Run, sample: Sample) -> None:
    """With the keys to remove, and what to push again; the status is 3."""
    damaged = sample.v2.layers[1].digest
    sample.made.damage_blob(damaged)
    done = run("verify", sample.url, "--json")
    assert done.status == 3
    (row,) = done.json
    assert (row["code"], row["digest"]) == ("digest_mismatch", damaged)
    assert {"team/app:v2", "team/app:latest"} <= set(row["affected_tags"])
    assert row["remove"] == [sample.made.blob_path(damaged)]
    assert "team/app:v2" in row["push"]
    assert run("verify", sample.url, "-q").lines == [damaged]
    assert run("check", sample.url).status == 0  # its size is the same


def test_verify_of_one_image_reads_no_other(run: Run, sample: Sample) -> None:
    """By its reference."""
    sample.made.damage_blob(sample.v2.layers[1].digest)
    assert run("verify", sample.url, "team/app:v1").status == 0
    assert run("verify", sample.url, "team/app:v2").status == 3
    assert run("verify", sample.url, "team/app:v3").status == 1
    assert "4 blobs compared" in run("verify", sample.url, "team/app:v1").out


def test_verify_goes_on_where_it_ended(run: Run, sample: Sample, tmp_path: Path) -> None:
    """By a file that notes what was compared."""
    resume = ["--resume", str(tmp_path / "state")]
    first, second = run("verify", sample.url, *resume), run("verify", sample.url, *resume)
    assert "0 blobs compared" in second.out
    assert "compared by a former run" in second.out
    assert first.status == second.status == 0
    assert run("verify", sample.url, "--sample", "0%").status == 2
    assert run("verify", sample.url, "--sample", "1%").status == 0


def test_verify_of_a_sample_says_so(run: Run, sample: Sample) -> None:
    """Since nothing wrong in a sample is not nothing wrong."""
    assert "a sample of 50%" in run("verify", sample.url, "--sample", "50%").out
    assert "sample" not in run("verify", sample.url).out


def test_verify_takes_the_blobs_of_an_inventory(run: Run, sample: Sample, place: list[str]) -> None:
    """And the registry for their bytes, which must be named."""
    sample.made.damage_blob(sample.lost.digest)
    words = place if place == [sample.url] else [sample.url, *place]
    assert run("verify", *words).status == 3
    if place != [sample.url]:
        assert run("verify", *place).status == 1
