"""What `-q` gives to scripts: names or digests that other commands take, one a line, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.sample import Sample

DIGEST = "sha256:[0-9a-f]{64}"
UUID = "[0-9a-f]{8}-[0-9a-f-]{27}"
LINES = {
    "repos": "[a-z/]+",
    "tags team/app": r"[a-z0-9.-]+",
    "layers": DIGEST,
    "layers team/app": DIGEST,
    "inspect team/app:v2": DIGEST,
    "inspect team/tools:1.0": DIGEST,
    "tree team/app:v2": DIGEST,
    "tree team/tools:1.0": DIGEST,
    "history team/app:v2": DIGEST,
    "history team/app:latest": DIGEST,
    "freed team/app:v1": f"team/app@{DIGEST}",
    "gc --dry-run": DIGEST,
    "gc --dry-run --explain BASE": DIGEST,
    "uploads list": UUID,
    "check": f"/srv/.+|{DIGEST}|[a-z/]+:.+",
}
OF_THE_REGISTRY_ALONE = {
    "verify": DIGEST,
    "history team/tools:1.0": DIGEST,
    "uploads abort --older-than 0s": UUID,
    "inventory OUT": "[a-z_]+",
    "report OUT.html": ".+[.]html",
}


@pytest.mark.parametrize("words", LINES)
def test_quiet_lines_are_names_or_digests(run: Run, sample: Sample, place: list[str], words: str) -> None:
    """Never a time, a size, a role or a None; also where something is damaged."""
    assert_names(run, place, words.replace("BASE", sample.v1.layers[0].digest), LINES[words])


@pytest.mark.parametrize("words", OF_THE_REGISTRY_ALONE)
def test_quiet_lines_of_the_other_commands(run: Run, sample: Sample, tmp_path: Path, words: str) -> None:
    """Those that take no inventory, or write one."""
    assert_names(run, [sample.url], words.replace("OUT", f"{tmp_path}/out"), OF_THE_REGISTRY_ALONE[words])


def test_quiet_lines_of_a_damaged_registry(run: Run, sample: Sample) -> None:
    """Links that say nothing have their keys, blobs their digests."""
    made = sample.made
    made.write(made.tag_path("team/app", "empty"), b"")
    made.lose_blob(sample.v1.layers[1].digest)
    made.damage_blob(sample.v2.layers[1].digest)
    for words in ("check", "verify", "tags team/app", "inspect team/app:v1", "tree team/app:v1", "history team/app:v1"):
        assert_names(run, [sample.url], words, LINES.get(words, DIGEST))


def assert_names(run: Run, place: list[str], words: str, pattern: str) -> None:
    name, *rest = words.split()
    command = [name, rest.pop(0)] if name == "uploads" else [name]
    done = run(*command, *place, *rest, "-q")
    assert done.status in (0, 3), done
    assert done.lines or words in ("check", "verify"), words
    assert [line for line in done.lines if not re.fullmatch(pattern, line) or "None" in line] == []
    assert done.err == ""
