"""`gc`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry_s3fs.cli.garbage import Plans, _ends
from registry_s3fs.registry.garbage.collector import plan
from registry_s3fs.registry.garbage.contents import Contents
from tests.unit.cli.conftest import Done, Run
from tests.unit.cli.sample import Sample

Good = Callable[..., Done]


def test_it_refuses_to_delete(run: Run, sample: Sample) -> None:
    """Without --dry-run it is status 2, and names the registry's own command."""
    done = run("gc", sample.url)
    assert (done.status, done.out) == (2, "")
    assert "registry garbage-collect /etc/docker/registry/config.yml" in done.err
    done = run("gc", "--delete-untagged", "--config", "/srv/config.yml")
    assert "registry garbage-collect --delete-untagged /srv/config.yml" in done.err


@pytest.mark.parametrize("registry", ["2.8", "3"])
def test_it_tells_what_would_be_deleted(good: Good, sample: Sample, place: list[str], registry: str) -> None:
    """In the registry's own lines, and as JSON with the safe plan beside it."""
    words = ["gc", "--dry-run", *place, "--registry", registry]
    assert good(*words, "-q").lines == [sample.lost.digest]
    lines = good(*words).lines
    assert f"blob eligible for deletion: {sample.lost.digest}" in lines
    assert [line for line in lines if "1 blobs and 0 manifests eligible for deletion" in line]
    found = good(*words, "--json").json
    assert found["freed_bytes"] == sample.lost.size
    assert [(blob["digest"], blob["safe"], blob["young"]) for blob in found["blobs"]] == [
        (sample.lost.digest, False, True)
    ]
    assert found["safe"]["blobs"] == []  # it was pushed just now
    assert not found["would_abort"]


def test_what_is_old_enough_is_safe_to_delete(good: Good, sample: Sample, place: list[str]) -> None:
    """By --min-age."""
    found = good("gc", "--dry-run", *place, "--min-age", "0s", "--json").json
    assert [blob["digest"] for blob in found["safe"]["blobs"]] == [sample.lost.digest]


def test_what_is_lost_beyond_the_safe_plan_is_a_warning(good: Good, sample: Sample, place: list[str]) -> None:
    """2.8 deletes the images below a tagged index with --delete-untagged."""
    words = ["gc", "--dry-run", "--delete-untagged", *place]
    found = good(*words, "--json").json
    assert {each["digest"] for each in found["manifests"]} >= {sample.arm64.digest}
    assert "index_broken_by_gc" in {each["code"] for each in found["warnings"]}
    assert [line for line in good(*words).lines if line.startswith("warning: index_broken_by_gc")]


def test_a_run_that_would_end_with_an_error_is_status_3(run: Run, sample: Sample, place: list[str]) -> None:
    """With the link at which it ends."""
    sample.made.write(path := sample.made.revision_path("team/app", sample.v1.digest), b"")
    done = run("gc", "--dry-run", sample.url, "--json")
    assert done.status == 3
    assert done.json["would_abort"]
    assert path in [each["key"] for each in done.json["aborts"]]
    assert [line for line in run("gc", "--dry-run", sample.url).lines if path in line]


def test_all_that_would_end_the_run_is_told_before_what_it_would_do(run: Run, sample: Sample) -> None:
    """So that it can be mended at once."""
    paths = [
        sample.made.revision_path(name, each.digest)
        for name, each in (("team/app", sample.v1), ("team/tools", sample.index))
    ]
    for path in paths:
        sample.made.write(path, b"")
    first, second, *rest = run("gc", "--dry-run", sample.url).lines
    assert first == f"It would end with an error: {paths[0]}: it is empty"
    assert second == f"Then it would end with an error: {paths[1]}: it is empty"
    assert rest[:2] == ["Nothing is deleted by then.", "Once all of that is mended, it would do this:"]
    assert [line for line in rest if line.startswith("It would free ")]


def test_what_ends_a_run_on_another_driver_is_a_warning() -> None:
    """3.x on S3 goes on at a repository without layers, and on a disk it ends."""
    contents = Contents("/root")
    contents.repository("app").has_manifests = True
    its = plan(contents, "3")
    assert next(_ends(Plans(contents, its, its, [], its.aborts))).startswith("It would end with an error: ")
    (line,) = _ends(Plans(contents, its, its, [], []))
    assert line.startswith(
        "warning: on the filesystem driver it would end with an error: /root/repositories/app/_layers"
    )


@pytest.mark.parametrize("cut", [None, 20])
def test_it_explains_why_a_digest_is_kept(good: Good, sample: Sample, place: list[str], cut: int | None) -> None:
    """By what leads to it, or that nothing does."""
    words = ["gc", "--dry-run", *place, "--explain"]
    found = good(*words, sample.v2.layers[1].digest[:cut], "--json").json
    assert found["kept"]
    assert [step["digest"] for step in found["chain"]] == [sample.v2.digest, sample.v2.layers[1].digest]
    assert "no manifest refers to it" in good(*words, sample.lost.digest[:cut]).out
    assert "not there" in good(*words, "sha256:" + 64 * "0").out


def test_the_largest_blobs_can_be_shown_alone(good: Good, sample: Sample, place: list[str]) -> None:
    """In the order and number that are asked for; what is freed is that of all."""
    words = ["gc", *place, "--dry-run", "--delete-untagged"]
    whole = good(*words, "--json").json
    largest = max(whole["blobs"], key=lambda blob: blob["size"])
    assert len(whole["blobs"]) > 1
    assert good(*words, "--json", "--sort", "size", "--limit", "1").json == {**whole, "blobs": [largest]}
    shown = [line for line in good(*words, "--sort", "size", "--limit", "1").lines if line.startswith("blob eligible")]
    assert shown == [f"blob eligible for deletion: {largest['digest']}"]
