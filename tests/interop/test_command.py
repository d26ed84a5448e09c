"""The command beside the real docker-registry, whose own configuration names the storage."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from registry_s3fs.cli.main import main
from registry_s3fs.model.registry_layout import ROOT
from tests.interop.conftest import PUSHED, Running
from tests.thoroughly import thorough

BLOB = re.compile(r"^blob eligible for deletion: \S+$", re.MULTILINE)
SUMMARY = re.compile(r"^\d+ blobs marked, .*$", re.MULTILINE)
Command = Callable[..., str]
pytestmark = pytest.mark.parametrize(
    "running", [*thorough("moto_server"), "radosgw_server"], indirect=True, scope="session"
)


@pytest.fixture
def command(pushed: Running, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command, which must go well, and gives what it says."""

    def run(*words: str) -> str:
        status, said = main([*words, "--config", str(pushed.registry.config)]), capsys.readouterr()
        assert (status, said.err) == (0, ""), said
        return said.out

    return run


def test_repositories_tags_and_manifests_are_those_of_the_api(pushed: Running, command: Command) -> None:
    """Name for name, and byte for byte."""
    registry = pushed.registry
    names = registry.get("/v2/_catalog")["repositories"]
    assert command("repos", "-q").split() == sorted(names)
    for name in names:
        tags = sorted(registry.get(f"/v2/{name}/tags/list")["tags"])
        assert command("tags", "-q", name).split() == tags
        assert sorted(row["tag"] for row in json.loads(command("tags", name, "--json"))) == tags
    image = PUSHED["team/app:v1"]
    raw = command("inspect", "team/app:v1", "--raw")
    assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == image.manifest.digest
    layers = json.loads(command("inspect", "team/app:v1", "--json"))["layers"]
    assert [layer["size"] for layer in layers] == [len(blob.data) for blob in image.blobs[-len(layers) :]]


def test_an_inventory_tells_the_same(command: Command, tmp_path: Path) -> None:
    """And the shares of all repositories are what the blobs weigh."""
    command("inventory", str(tmp_path / "tables"))
    stored = ["--from", str(tmp_path / "tables")]
    assert command("repos", "--json", *stored) == command("repos", "--json")
    swept = json.loads(command("gc", "--dry-run", "--json", *stored))["freed_bytes"]
    fair = sum(row["fair"] for row in json.loads(command("repos", "--json", *stored)))
    total = json.loads(command("du", "--json", f"{ROOT}/blobs"))[0]["size"]
    assert fair + swept == total


def test_the_plan_has_the_lines_of_the_registrys_own(pushed: Running, command: Command) -> None:
    """The summary and the blobs, with and without --delete-untagged."""
    for option in ([], ["--delete-untagged"]):
        done = pushed.registry.garbage_collect("--dry-run", *option)
        assert done.returncode == 0, done.stderr
        said = command("gc", "--dry-run", *option)
        assert SUMMARY.findall(said) == SUMMARY.findall(done.stdout)
        assert sorted(BLOB.findall(said)) == sorted(BLOB.findall(done.stdout))


def test_all_is_well(command: Command) -> None:
    """No problem, and each blob has its digest."""
    assert json.loads(command("verify", "--json")) == []
    assert [row for row in json.loads(command("check", "--json")) if row["severity"] == "error"] == []
