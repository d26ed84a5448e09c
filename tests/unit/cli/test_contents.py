"""`repos`, `tags` and `layers`, of the registry itself and of an inventory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry_s3fs.registry.schemas import SCHEMAS
from tests.unit.cli.conftest import Done, Run
from tests.unit.cli.sample import Sample

Good = Callable[..., Done]
BASE, ONE, TWO = 200_000, 3_000, 6_000


def test_repos_tells_what_each_weighs(good: Good, sample: Sample, place: list[str]) -> None:
    """By the columns of the table ``repositories``, in bytes."""
    rows = {row["name"]: row for row in good("repos", *place, "--json").json}
    assert set(rows) == {"math", "team/app", "team/tools"}
    assert set(rows["math"]) == set(SCHEMAS["repositories"].names)
    assert (rows["team/app"]["tags"], rows["math"]["link_only"], rows["math"]["fair"]) == (4, 1, 0)
    assert rows["team/app"]["distinct"] == rows["team/app"]["unique"] + rows["team/app"]["shared"]
    assert rows["team/app"]["shared"] == BASE
    assert rows["team/app"]["last_push"].endswith("Z")


def test_the_fair_bytes_add_up(good: Good, sample: Sample, place: list[str]) -> None:
    """To all blobs that a repository refers to."""
    fair = sum(row["fair"] for row in good("repos", *place, "--json").json)
    files = sample.made.files()
    blobs = sum(size for name, size in files.items() if "/blobs/" in name)
    assert fair == blobs - sample.lost.size
    note = good("repos", *place).lines[-1]
    assert note == f"3 repositories have {fair} bytes (fair) of {sum(files.values())} bytes that are stored"


def test_repos_takes_a_pattern_an_order_and_a_limit(good: Good, run: Run, sample: Sample, place: list[str]) -> None:
    """And gives names alone to scripts."""
    assert good("repos", *place, "team/*", "-q").lines == ["team/app", "team/tools"]
    assert good("repos", *place, "-q", "--sort", "tags", "--limit", 1).lines == ["team/app"]
    assert good("repos", *place, "-q", "--sort", "name:desc").lines[0] == "team/tools"
    done = run("repos", *place, "nothing*")
    assert (done.status, done.out) == (1, "")
    assert "nothing*" in done.err


def test_repos_as_a_tree(good: Good, sample: Sample) -> None:
    """Names are nested by their parts."""
    lines = good("repos", sample.url, "--format", "tree").lines
    assert [line.split("  ")[0] for line in lines] == ["math", "team", "├── app", "└── tools"]


def test_tags_tells_what_each_keeps(good: Good, sample: Sample, place: list[str]) -> None:
    """By the columns of the table ``tags``: the image's bytes, and those that no other tag needs."""
    rows = {row["tag"]: row for row in good("tags", *place, "team/app", "--json").json}
    assert set(rows["v1"]) == set(SCHEMAS["tags"].names)
    assert rows["v1"]["unique_bytes"] == ONE + sample.v1.size
    assert rows["v2"]["unique_bytes"] == rows["latest"]["unique_bytes"] == 0
    assert rows["v2"]["image_bytes"] == BASE + TWO + sample.v2.size + sample.v2.config.size
    assert rows[f"sha256-{sample.v2.digest[7:]}.sig"]["digest_tag_of"] == sample.v2.digest
    assert good("tags", *place, "team/app", "-q", "--sort", "unique_bytes", "--limit", 1).lines == ["v1"]


def test_a_repository_that_is_not_there(run: Run, sample: Sample, place: list[str]) -> None:
    """Is status 1, and one without tags is none of that."""
    for command in ("tags", "layers"):
        done = run(command, *place, "team/nothing")
        assert (done.status, done.out) == (1, "")
        assert "team/nothing" in done.err
    assert run("tags", *place, "math", "--json").json == []


def test_layers_tells_who_has_them(good: Good, sample: Sample, place: list[str]) -> None:
    """All, or one repository's; a link that no manifest uses is told apart."""
    rows = good("layers", *place, "--json").json
    assert set(SCHEMAS["layers"].names) <= set(rows[0])
    base = [row for row in rows if row["digest"] == sample.v1.layers[0].digest]
    assert {row["repository"]: row["used_by_manifest"] for row in base} == {
        "math": False,
        "team/app": True,
        "team/tools": True,
    }
    assert {row["size"] for row in base} == {BASE}
    assert {row["repository"] for row in good("layers", *place, "team/app", "--json").json} == {"team/app"}


@pytest.mark.parametrize("cut", [None, 20])
def test_layers_by_who_uses_them(good: Good, sample: Sample, place: list[str], cut: int | None) -> None:
    """Of a manifest, the layers that it uses; of a layer, itself with the tags that use it; by a digest's beginning."""
    used = good("layers", *place, "team/app", "--used-by", sample.v2.digest[:cut], "-q").lines
    assert sorted(used) == sorted(layer.digest for layer in sample.v2.layers)
    rows = good("layers", *place, "--used-by", sample.v1.layers[0].digest[:cut], "--json").json
    assert {row["repository"]: row["used_by"] for row in rows} == {
        "math": [],
        "team/app": ["team/app:latest", "team/app:v1", "team/app:v2"],
        "team/tools": ["team/tools:1.0"],
    }


def test_a_digest_that_is_not_known_or_not_clear(run: Run, sample: Sample, place: list[str]) -> None:
    """Is an error that says so."""
    assert "no such digest" in run("layers", *place, "--used-by", "sha256:zz").err
    assert "give more of it" in run("layers", *place, "--used-by", "sha256:").err
