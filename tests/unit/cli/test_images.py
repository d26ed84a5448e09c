"""`inspect`, `tree` and `history`, of the registry itself and of an inventory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.cli.images import instructions_of
from registry_s3fs.registry.manifests import Descriptor
from tests.unit.cli.conftest import Done, Run
from tests.unit.cli.sample import Sample

Good = Callable[..., Done]
BASE, ONE, TWO = 200_000, 3_000, 6_000


def test_inspect_tells_what_an_image_is_made_of(good: Good, sample: Sample, place: list[str]) -> None:
    """Its digest, config and layers, each with the size of what is stored."""
    found = good("inspect", *place, "team/app:v2", "--json").json
    assert found["digest"] == sample.v2.digest
    assert [(layer["digest"], layer["size"]) for layer in found["layers"]] == [
        (layer.digest, layer.size) for layer in sample.v2.layers
    ]
    assert found["config"]["size"] == found["config"]["declared_size"] == sample.v2.config.size
    assert found["image_bytes"] == BASE + TWO + sample.v2.config.size + sample.v2.size
    assert found["annotations"] == {"owner": "team"}
    assert found["kind"] == "image"
    out = good("inspect", *place, f"team/app@{sample.v2.digest}").out
    for word in (sample.v2.digest, "owner=team", "config", sample.v2.layers[1].digest, str(TWO)):
        assert word in out


def test_inspect_of_an_index_lists_its_platforms(good: Good, sample: Sample, place: list[str]) -> None:
    """With what each weighs; --platform takes one of them."""
    found = good("inspect", *place, "team/tools:1.0", "--json").json
    assert [child["platform"] for child in found["children"]] == ["linux/amd64", "linux/arm64/v8"]
    arm64 = good("inspect", *place, "team/tools:1.0", "--platform", "linux/arm64", "--json").json
    assert arm64["digest"] == sample.arm64.digest
    assert arm64["image_bytes"] == found["children"][1]["image_bytes"]


def test_the_beginning_of_a_digest_is_enough(good: Good, run: Run, sample: Sample, place: list[str]) -> None:
    """As a terminal shows it; one that nothing or several begin with is an error."""
    found = good("inspect", *place, f"team/app@{sample.v2.digest[:19]}", "--json").json
    assert found["digest"] == sample.v2.digest
    assert good("inspect", sample.url, f"team/app@{sample.v2.digest[:19]}", "--raw").out.encode() == sample.v2.data
    assert "no such digest" in run("inspect", *place, "team/app@sha256:zz").err
    assert "give more of it" in run("inspect", *place, "team/app@sha256:").err


def test_inspect_gives_the_manifests_own_bytes(good: Good, sample: Sample) -> None:
    """So that they have its digest; and the config as JSON."""
    out = good("inspect", sample.url, "team/app:v2", "--raw").out
    assert "sha256:" + hashlib.sha256(out.encode()).hexdigest() == sample.v2.digest
    assert (
        good("inspect", sample.url, "team/app:v2", "--image-config").json["history"][2]["created_by"] == "COPY app /app"
    )
    arm64 = good("inspect", sample.url, "team/tools:1.0", "--platform", "linux/arm64", "--image-config").json
    assert arm64["architecture"] == "arm64"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["team/app:v9"], "v9"),
        (["team/nothing:v1"], "team/nothing"),
        (["team/app"], None),
        (["team/app@sha256:" + 64 * "0"], "0000"),
        (["team/tools:1.0", "--platform", "linux/s390x"], "linux/arm64/v8"),
    ],
)
def test_what_is_missing_is_named(
    run: Run, sample: Sample, place: list[str], words: list[str], told: str | None
) -> None:
    """A repository, a tag, a digest, a platform; without a tag, the latest is meant."""
    done = run("inspect", *place, *words)
    assert (done.status, done.out == "") == ((1, True) if told else (0, False))
    assert (told or "") in done.err


def test_what_cannot_go_together_is_status_2(run: Run, sample: Sample) -> None:
    """The manifest's bytes and the config; no reference, or two."""
    assert run("inspect", sample.url, "team/app:v2", "--raw", "--image-config").status == 2
    assert run("inspect", sample.url).status == 2
    assert run("inspect", sample.url, "team/app:v1", "team/app:v2").status == 2
    assert run("inspect", sample.url, "memory://other", "team/app:v1").status == 2


def test_tree_draws_platforms_layers_and_signatures(good: Good, sample: Sample, place: list[str]) -> None:
    """Each with its size, as lines and as JSON."""
    found = good("tree", *place, "team/app:v2", "--json").json
    assert [part["role"] for part in found["parts"]] == ["config", "layer", "layer"]
    assert [(each["digest"], each["media_type"]) for each in found["referrers"]] == [
        (sample.signature.digest, "application/vnd.sig")
    ]
    lines = good("tree", *place, "team/app:v2").lines
    assert lines[0] == "team/app:v2"
    assert [line for line in lines if "referrer application/vnd.sig" in line]
    lines = good("tree", *place, "team/tools:1.0").lines
    assert [line for line in lines if "child linux/arm64/v8" in line]
    assert len([line for line in lines if " layer " in line]) == 3


def test_a_part_that_is_missing_is_told(good: Good, sample: Sample) -> None:
    """And the rest is shown."""
    sample.made.lose_blob(sample.v2.layers[1].digest)
    sample.made.lose_blob(sample.arm64.digest)
    assert [line for line in good("tree", sample.url, "team/app:v2").lines if line.endswith("missing")]
    assert [line for line in good("tree", sample.url, "team/tools:1.0").lines if line.endswith("missing")]
    assert good("inspect", sample.url, "team/app:v2", "--json").json["layers"][1]["size"] is None


def test_history_tells_what_each_instruction_weighs(good: Good, sample: Sample) -> None:
    """The newest first, as docker shows them."""
    found = good("history", sample.url, "team/app:v2", "--json").json
    assert [(step["created_by"], step["size"], step["empty_layer"]) for step in found["instructions"]] == [
        ("COPY app /app", TWO, False),
        ('CMD ["/bin/sh"]', 0, True),
        ("ADD rootfs.tar.gz /", BASE, False),
    ]
    assert "COPY app /app" in good("history", sample.url, "team/app:v2").out


def test_history_names_digests(good: Good, sample: Sample, tmp_path: Path) -> None:
    """With `-q`, the layers of instructions that made any; of an inventory, without configs, what the tag meant."""
    good("inventory", sample.url, tmp_path / "out")
    found = good("history", sample.url, "team/app:v2", "--json").json
    made = [step["digest"] for step in found["instructions"] if not step["empty_layer"]]
    assert made == [layer.digest for layer in sample.v2.layers[::-1]]
    assert good("history", sample.url, "team/app:v2", "-q").lines == made
    meant = [row["digest"] for row in good("history", sample.url, "team/app:latest", "--json").json["tag_history"]]
    assert good("history", "--from", tmp_path / "out", "team/app:latest", "-q").lines == meant
    assert set(meant) == {sample.v1.digest, sample.v2.digest}


def test_history_tells_what_a_tag_meant_before(good: Good, sample: Sample, place: list[str]) -> None:
    """By the columns of the table; a tag that was moved keeps its old digests."""
    found = good("history", *place, "team/app:latest", "--json").json["tag_history"]
    assert {row["digest"]: (row["current"], row["still_there"]) for row in found} == {
        sample.v1.digest: (False, True),
        sample.v2.digest: (True, True),
    }
    assert {"repository", "tag", "digest", "tagged_at", "current", "still_there"} == set(found[0])


def test_history_tells_which_manifests_were_deleted(good: Good, sample: Sample) -> None:
    """Of the registry itself as of an inventory: a blob that waits for its collection is not there any more."""
    sample.made.remove(sample.made.revision_path("team/app", sample.v1.digest))
    found = good("history", sample.url, "team/app:latest", "--json").json["tag_history"]
    assert {row["digest"]: row["still_there"] for row in found} == {sample.v1.digest: False, sample.v2.digest: True}


def test_the_bytes_that_a_tag_alone_keeps_are_told_of_what_it_means(good: Good, sample: Sample, tmp_path: Path) -> None:
    """Not of one platform's image, since they are the whole index's."""
    good("inventory", sample.url, str(tmp_path))
    words = ["inspect", "--from", str(tmp_path), "team/tools:1.0", "--json"]
    assert good(*words).json["unique_bytes"] > 0
    assert "unique_bytes" not in good(*words, "--platform", "linux/arm64").json


def test_history_of_several_platforms_names_them(good: Good, run: Run, sample: Sample) -> None:
    """With --platform it is that one's."""
    assert "linux/arm64/v8" in good("history", sample.url, "team/tools:1.0").out
    found = good("history", sample.url, "team/tools:1.0", "--platform", "linux/arm64", "--json").json
    assert [step["size"] for step in found["instructions"]] == [15_000]
    assert run("history", sample.url, "team/tools:1.0", "--platform", "linux/mips").status == 1


def test_a_damaged_config_hides_no_history(good: Good, sample: Sample) -> None:
    """What the tag meant is told, and why the instructions are not."""
    sample.made.damage_blob(sample.v2.config.digest)
    found = good("history", sample.url, "team/app:latest", "--json").json
    assert (found["instructions"], len(found["tag_history"])) == ([], 2)
    assert "the instructions are not known" in good("history", sample.url, "team/app:latest").out


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)
STEP = st.dictionaries(st.sampled_from(["created", "created_by", "empty_layer", "comment", "x"]), JSON)


@given(st.dictionaries(st.sampled_from(["history", "os"]), st.lists(STEP | JSON) | JSON), st.integers(0, 5))
def test_a_strangers_config_is_no_error(config: dict[str, Any], count: int) -> None:
    """Whatever its history is, each layer is told once, in order."""
    layers = [Descriptor(f"sha256:{number}", number) for number in range(count)]
    found = instructions_of(config, layers, {})
    assert [row["digest"] for row in found if row["digest"]] == [layer.digest for layer in layers]
    json.dumps(found)
