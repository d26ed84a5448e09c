"""`freed`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.registries import AMD64, ARM64
from tests.unit.cli.conftest import Done, Run
from tests.unit.cli.sample import Sample

Good = Callable[..., Done]
ONE, TWO = 3_000, 6_000


def test_a_deletion_frees_what_nothing_else_needs(good: Good, sample: Sample, place: list[str]) -> None:
    """The manifest and its own layer; the base and the config are others', too."""
    found = good("freed", *place, "team/app:v1", "--json").json
    assert found["manifests"] == [{"repository": "team/app", "digest": sample.v1.digest, "tags": ["v1"]}]
    assert found["freed_bytes"] == ONE + sample.v1.size
    assert found["freed_blobs"] == 2
    assert found["freed_bytes_delete_untagged"] >= found["freed_bytes"]


def test_a_set_frees_what_only_its_members_share(good: Good, sample: Sample, place: list[str]) -> None:
    """So the bytes of two deletions do not add up."""
    alone = [good("freed", *place, f"team/app:{tag}", "--json").json["freed_bytes"] for tag in ("v1", "v2")]
    both = good("freed", *place, "team/app:v1", "team/app:v2", "--json").json["freed_bytes"]
    assert both == sum(alone) + sample.v1.config.size


def test_deleting_a_manifest_takes_all_its_tags(good: Good, sample: Sample, place: list[str]) -> None:
    """Which are named; a digest may be given by its beginning."""
    found = good("freed", *place, f"team/app@{sample.v2.digest[:24]}", "--json").json
    assert [each["tags"] for each in found["manifests"]] == [["latest", "v2"]]
    assert "latest, v2" in good("freed", *place, "team/app:v2").out


def test_fewer_manifests_are_shown_than_are_counted(good: Good, sample: Sample, place: list[str]) -> None:
    """With a limit, in every format; the bytes are those of the whole set."""
    whole, first = (good("freed", *place, "team/*", *more, "--json").json for more in ([], ["--limit", "1"]))
    assert first == {**whole, "manifests": whole["manifests"][:1]}
    lines = good("freed", *place, "team/*", "--limit", "1", "--sort", "repository:desc").lines
    assert [line.partition("@")[0] for line in lines if "@" in line] == ["team/tools"]
    assert "Deleting 6 manifests" in lines[2]


def test_names_alone_are_those_of_manifests(good: Good, sample: Sample, place: list[str]) -> None:
    """As another command takes them; of the parts of an image, the digests."""
    assert good("freed", *place, "team/app:v1", "-q").lines == [f"team/app@{sample.v1.digest}"]
    parts = [sample.v2.config.digest, *(layer.digest for layer in sample.v2.layers)]
    assert good("inspect", *place, "team/app:v2", "-q").lines == parts
    assert good("tree", *place, "team/app:v2", "-q").lines[:4] == [sample.v2.digest, *parts]


def test_patterns_and_whole_repositories(good: Good, run: Run, sample: Sample, place: list[str]) -> None:
    """In the repository and in the tag; what matches nothing is status 1."""
    assert len(good("freed", *place, "team/app:v?", "--json").json["manifests"]) == 2
    assert len(good("freed", *place, "team/tools", "--json").json["manifests"]) == 3
    assert len(good("freed", *place, "team/*", "--json").json["manifests"]) == 6
    assert run("freed", *place, "team/app:v1", "team/app:nothing*").status == 1
    assert run("freed", *place).status == 2


def test_an_index_keeps_its_children_until_untagged_ones_go(good: Good, sample: Sample, place: list[str]) -> None:
    """To delete the index frees it alone; with --delete-untagged its images go, too."""
    found = good("freed", *place, "team/tools:1.0", "--json").json
    assert found["freed_bytes"] == sample.index.size
    assert found["freed_bytes_delete_untagged"] >= sample.index.size + 15_000


def aged(sample: Sample) -> None:
    """Let v1 be 100 days old, and all else new."""
    for name in ("v1",):
        sample.made.set_modified(
            sample.made.tag_path("team/app", name), datetime.now(timezone.utc) - timedelta(days=100)
        )


def test_old_tags_are_chosen(good: Good, sample: Sample) -> None:
    """By their age, and beyond a number of newer ones."""
    aged(sample)
    found = good("freed", sample.url, "team/app:v*", "--older-than", "90d", "--json").json
    assert [each["tags"] for each in found["manifests"]] == [["v1"]]
    assert good("freed", sample.url, "team/app:v*", "--older-than", "200d", "--json").json["manifests"] == []
    found = good("freed", sample.url, "team/app:v*", "--keep-last", "1", "--json").json
    assert [each["tags"] for each in found["manifests"]] == [["v1"]]
    assert good("freed", sample.url, "team/app:v*", "--keep-last", "2", "--json").json["manifests"] == []


def test_what_a_kept_tag_needs_is_kept(good: Good, sample: Sample) -> None:
    """A manifest that another tag of the repository means is not deleted for the sake of its old tag."""
    aged(sample)
    sample.made.set_modified(sample.made.tag_path("team/app", "v2"), datetime.now(timezone.utc) - timedelta(days=100))
    found = good("freed", sample.url, "team/app:v*", "--older-than", "90d", "--json").json
    assert [each["tags"] for each in found["manifests"]] == [["v1"]]  # v2 is latest, too


def test_what_is_told_is_what_goes(good: Good, sample: Sample, memory: Any) -> None:
    """After the deletion, the blobs that the collector sweeps weigh what was told, beside those swept before."""
    told = good("freed", sample.url, "team/app:v1", "team/tools:1.0", "--json").json["freed_bytes"]
    before = good("gc", "--dry-run", sample.url, "--json").json["freed_bytes"]
    sample.made.delete_manifest("team/app", sample.v1.digest)
    sample.made.delete_manifest("team/tools", sample.index.digest)
    assert good("gc", "--dry-run", sample.url, "--json").json["freed_bytes"] == before + told


def test_signatures_go_with_what_they_sign(good: Good, sample: Sample) -> None:
    """Their tags are none of the newest ones, and none of the old ones."""
    kept = good("freed", sample.url, "team/app", "--keep-last", "2", "--json").json["manifests"]
    assert [each["tags"] for each in kept] == [["v1"]]
    gone = good("freed", sample.url, "team/app", "--keep-last", "0", "--json").json["manifests"]
    assert {each["digest"] for each in gone} == {sample.v1.digest, sample.v2.digest, sample.signature.digest}


def test_images_of_a_kept_index_are_kept(good: Good, sample: Sample) -> None:
    """Their own tags are old, but the newest tag is an index that lists them. Nor do their signatures go."""
    made = sample.made
    one = made.image("multi", "1.0-amd64", [b"one"])
    two = made.image("multi", "1.0-arm64", [b"two"], platform=ARM64)
    made.artifact("multi", f"sha256-{one.digest[7:]}.sig", {"signature": b"signed"}, subject=one)
    for name in ("1.0-amd64", "1.0-arm64"):
        made.set_modified(made.tag_path("multi", name), datetime.now(timezone.utc) - timedelta(days=100))
    made.index("multi", "1.0", [(one, AMD64), (two, ARM64)])
    assert good("freed", sample.url, "multi", "--keep-last", "1", "--json").json["manifests"] == []
    assert good("freed", sample.url, "multi", "--older-than", "90d", "--json").json["manifests"] == []
    assert len(good("freed", sample.url, "multi", "--keep-last", "0", "--json").json["manifests"]) == 4


@pytest.mark.parametrize("generation", ["2.8", "3"])
def test_an_image_whose_index_stays_loses_its_layers(good: Good, sample: Sample, generation: str) -> None:
    """As the collector's own plan has it once the image's manifest is deleted."""
    words = ["--registry", generation]
    told = good("freed", sample.url, f"team/tools@{sample.arm64.digest}", *words, "--json").json
    before = good("gc", "--dry-run", sample.url, *words, "--json").json["freed_bytes"]
    sample.made.delete_manifest("team/tools", sample.arm64.digest)
    after = good("gc", "--dry-run", sample.url, *words, "--json").json["freed_bytes"]
    assert after - before == told["freed_bytes"] > 15_000
    untagged = good("gc", "--dry-run", "--delete-untagged", sample.url, *words, "--json").json["freed_bytes"]
    assert untagged - before == told["freed_bytes_delete_untagged"]


@pytest.mark.parametrize("word", ["team/app:", "team/app@", "team/app@sha256:", ":v1", "@sha256:ab", ""])
def test_an_empty_part_is_refused(run: Run, sample: Sample, word: str) -> None:
    """A script whose variable is empty would have the whole repository otherwise."""
    done = run("freed", sample.url, word)
    assert (done.status, done.out) == (1, "")
    assert "has an empty part" in done.err
