"""The command beside the real docker-registry, whose own configuration names the storage."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

from registry_s3fs.model.registry_layout import ROOT
from tests.interop.conftest import PUSHED, Running

BLOB = re.compile(r"^blob eligible for deletion: \S+$", re.MULTILINE)
SUMMARY = re.compile(r"^\d+ blobs marked, .*$", re.MULTILINE)


def command(running: Running, *words: str) -> str:
    """Run the command, which must go well, and give what it says."""
    words = (*words, "--config", str(running.registry.config))
    done = subprocess.run([sys.executable, "-m", "registry_s3fs", *words], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_repositories_tags_and_manifests_are_those_of_the_api(pushed: Running) -> None:
    """Name for name, and byte for byte."""
    registry = pushed.registry
    names = registry.get("/v2/_catalog")["repositories"]
    assert command(pushed, "repos", "-q").split() == sorted(names)
    for name in names:
        tags = sorted(registry.get(f"/v2/{name}/tags/list")["tags"])
        assert command(pushed, "tags", "-q", name).split() == tags
        assert sorted(row["tag"] for row in json.loads(command(pushed, "tags", name, "--json"))) == tags
    image = PUSHED["team/app:v1"]
    raw = command(pushed, "inspect", "team/app:v1", "--raw")
    assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == image.manifest.digest
    layers = json.loads(command(pushed, "inspect", "team/app:v1", "--json"))["layers"]
    assert [layer["size"] for layer in layers] == [len(blob.data) for blob in image.blobs[-len(layers) :]]


def test_an_inventory_tells_the_same(pushed: Running, tmp_path: Path) -> None:
    """And the shares of all repositories are what the blobs weigh."""
    command(pushed, "inventory", str(tmp_path / "tables"))
    stored = ["--from", str(tmp_path / "tables")]
    assert command(pushed, "repos", "--json", *stored) == command(pushed, "repos", "--json")
    swept = json.loads(command(pushed, "gc", "--dry-run", "--json", *stored))["freed_bytes"]
    fair = sum(row["fair"] for row in json.loads(command(pushed, "repos", "--json", *stored)))
    total = json.loads(command(pushed, "du", "--json", f"{ROOT}/blobs"))[0]["size"]
    assert fair + swept == total


def test_the_plan_has_the_lines_of_the_registrys_own(pushed: Running) -> None:
    """The summary and the blobs, with and without --delete-untagged."""
    for option in ([], ["--delete-untagged"]):
        done = pushed.registry.garbage_collect("--dry-run", *option)
        assert done.returncode == 0, done.stderr
        said = command(pushed, "gc", "--dry-run", *option)
        assert SUMMARY.findall(said) == SUMMARY.findall(done.stdout)
        assert sorted(BLOB.findall(said)) == sorted(BLOB.findall(done.stdout))


def test_all_is_well(pushed: Running) -> None:
    """No problem, and each blob has its digest."""
    assert json.loads(command(pushed, "verify", "--json")) == []
    assert [row for row in json.loads(command(pushed, "check", "--json")) if row["severity"] == "error"] == []
