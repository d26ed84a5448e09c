"""A registry with artifacts, in several filesystems."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.registry.filesystem import RegistryFileSystem
from tests.registries import MadeRegistry

FILES = {
    "train.parquet": b"0123456789",
    "docs/read me.txt": "grüße".encode(),
    "docs/deep/a,b=c.bin": b"",
    "*?[x]": b"magic",
}
"""The files of ``team/data:2026``."""


@pytest.fixture(params=["memory", "local", "ours"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeRegistry:
    """A registry in one of the filesystems, with the artifact ``team/data:2026`` and others around it."""
    if request.param == "local":
        made = MadeRegistry(LocalFileSystem(), f"{tmp_path}/docker/registry/v2")
    elif request.param == "ours":
        fs: RegistryS3FileSystem = request.getfixturevalue("fs")
        made = MadeRegistry(fs)
    else:
        made = MadeRegistry()
    made.artifact("team/data", "2026", FILES)
    made.artifact("team/data", "2025", {"old": b"old"})
    made.artifact("team/data/sub", "v1", {"a": b"a"})
    made.artifact("alone", "latest", {"b": b"b"})
    return made


@pytest.fixture
def files(made: MadeRegistry) -> RegistryFileSystem:
    """The filesystem on that registry."""
    return RegistryFileSystem(fs=made.fs, root=made.root)
