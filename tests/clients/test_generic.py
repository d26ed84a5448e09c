"""fsspec's generic filesystem and rsync: between buckets' trees, local folders and memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec.generic
import pytest
from fsspec.generic import GenericFileSystem, rsync, set_generic_fs

from registry_s3fs import RegistryS3FileSystem

TREE = {"/one": b"1", "/k=v/two": b"22", "/odd [1] + %é": b"333", "/odd 1 + %é": b"4444"}


@pytest.fixture
def generic(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> GenericFileSystem:
    monkeypatch.setattr(fsspec.generic, "_generic_fs", {})
    set_generic_fs("registrys3", **fs.storage_options)
    set_generic_fs("memory")
    set_generic_fs("file")
    return GenericFileSystem(default_method="generic")


@pytest.fixture
def memory() -> Iterator[Any]:
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()


def below(fs: Any, root: str) -> dict[str, bytes]:
    """The files below a directory, by their names in it."""
    return {path.removeprefix(root): fs.cat_file(path) for path in fs.find(root)}


def test_rsync_carries_a_tree_anywhere_and_back(
    fs: RegistryS3FileSystem, generic: GenericFileSystem, memory: Any, tmp_path: Path
) -> None:
    """From local to S3, within the bucket, on to memory and back to local: the same names and bytes."""
    for name, data in TREE.items():
        (tmp_path / "from" / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name[1:]).write_bytes(data)
    copied = rsync(f"file://{tmp_path}/from", fs.unstrip_protocol("/first"), fs=generic)
    assert len(copied) == len(TREE)
    rsync(fs.unstrip_protocol("/first"), fs.unstrip_protocol("/second"), fs=generic)
    assert below(fs, "/first") == below(fs, "/second") == TREE
    rsync(fs.unstrip_protocol("/second"), "memory:///third", fs=generic)
    assert below(memory, "/third") == TREE
    rsync("memory:///third", f"file://{tmp_path}/to", fs=generic)
    assert below(fsspec.filesystem("file"), f"{tmp_path}/to") == TREE


def test_rsync_copies_only_what_changed(fs: RegistryS3FileSystem, generic: GenericFileSystem) -> None:
    """By size; what the source has lost goes with delete_missing."""
    source, target = fs.unstrip_protocol("/source"), fs.unstrip_protocol("/target")
    for name, data in TREE.items():
        fs.pipe_file("/source" + name, data)
    assert len(rsync(source, target, fs=generic)) == len(TREE)
    assert rsync(source, target, fs=generic) == {}
    fs.pipe_file("/source/one", b"longer")
    fs.rm_file("/source/k=v/two")
    assert rsync(source, target, delete_missing=True, fs=generic) == {f"{source}/one": f"{target}/one"}
    assert below(fs, "/target") == below(fs, "/source")


def test_a_generic_filesystem_speaks_full_urls(
    fs: RegistryS3FileSystem, generic: GenericFileSystem, memory: Any
) -> None:
    """It names, reads, writes, copies and deletes by URL, bucket included."""
    url = fs.unstrip_protocol("/d/f")
    generic.pipe_file(url, b"data")
    assert generic.find(fs.unstrip_protocol("/d")) == generic.ls(fs.unstrip_protocol("/d"), detail=False) == [url]
    assert generic.info(url)["name"] == url
    assert generic.cat_file(url, start=1, end=3) == b"at"
    generic.cp([url], ["memory:///f"])
    assert memory.cat_file("/f") == b"data"
    generic.rm(url)
    assert not generic.exists(url)
