"""A configuration that the real docker-registry reads means the same to us: the same bucket and rootdirectory."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model import registry_layout
from testbed import servers
from testbed.servers import Server

Block = dict[str, Any]


@pytest.fixture(scope="module")
def block(moto_server: Server) -> Block:
    """Driver parameters of one of two buckets; each root of each holds a repository of another name."""
    for bucket in ("file", "variable"):
        moto_server.create_bucket(bucket)
        for root in ("", "sub"):
            fs = RegistryS3FileSystem(**moto_server.options(bucket, rootdirectory=root))
            fs.touch(f"{registry_layout.REPOSITORIES}/{bucket}{root}/_layers/x")
            fs.touch(f"{registry_layout.BLOBS}/x")
    return moto_server.options("file", secure=False)


def as_variables(block: Block, driver: str = "S3") -> dict[str, str]:
    return {f"REGISTRY_STORAGE_{driver}_{name.upper()}": str(value).lower() for name, value in block.items()}


def in_variable(block: Block) -> Block:
    return {**block, "bucket": "variable"}


CASES: dict[str, Callable[[Block], tuple[Any, dict[str, str]]]] = {
    "file": lambda block: ({"s3": block}, {}),
    "file s3aws": lambda block: ({"s3aws": {**block, "rootdirectory": "/sub"}, "delete": {"enabled": True}}, {}),
    "plain": lambda block: ({"s3": block}, {"REGISTRY_STORAGE_S3_BUCKET": "variable"}),
    "quoted": lambda block: ({"s3": block}, {"REGISTRY_STORAGE_S3_BUCKET": '"variable"'}),
    "spaces": lambda block: ({"s3": block}, {"REGISTRY_STORAGE_S3_BUCKET": " 'variable' "}),
    "numbers and booleans": lambda block: (
        {"s3": block},
        {"REGISTRY_STORAGE_S3_CHUNKSIZE": '"6291456"', "REGISTRY_STORAGE_S3_ENCRYPT": '"false"'},
    ),
    "root": lambda block: ({"s3": block}, {"REGISTRY_STORAGE_S3_ROOTDIRECTORY": "/sub/"}),
    "empty": lambda block: ({"s3": {**block, "rootdirectory": "/sub"}}, {"REGISTRY_STORAGE_S3_ROOTDIRECTORY": ""}),
    "block": lambda block: ({"s3": block}, {"REGISTRY_STORAGE_S3": json.dumps(in_variable(block))}),
    "block and parameter": lambda block: (
        {"s3": block},
        {"REGISTRY_STORAGE_S3": json.dumps(in_variable(block)), "REGISTRY_STORAGE_S3_ROOTDIRECTORY": "sub"},
    ),
    "section": lambda block: ({"filesystem": {}}, {"REGISTRY_STORAGE": json.dumps({"s3": in_variable(block)})}),
    "name": lambda block: ({"filesystem": {}}, {"REGISTRY_STORAGE": "s3", **as_variables(in_variable(block))}),
    "no section": lambda block: (None, as_variables(in_variable(block))),
    "no driver": lambda block: ({"delete": {"enabled": True}}, as_variables(in_variable(block), "S3AWS")),
}


@pytest.mark.parametrize("case", CASES)
def test_the_registry_and_we_look_at_the_same_place(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """The registry says which repository it finds there; its garbage collector, on a dry run, names each."""
    storage, environ = CASES[case](block)
    path = tmp_path / "config.yml"
    path.write_text(json.dumps({"version": 0.1, **({"storage": storage} if storage else {})}))
    try:
        command = [servers.program("docker-registry"), "garbage-collect", "--dry-run", str(path)]
    except servers.NotInstalledError as missing:
        pytest.skip(str(missing))
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environ}, check=True, capture_output=True, text=True, timeout=60
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    (ours,) = RegistryS3FileSystem(config=str(path)).ls(registry_layout.REPOSITORIES, detail=False)
    assert done.stdout.split("\n")[0] == ours.rsplit("/", 1)[-1]
