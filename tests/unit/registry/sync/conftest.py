"""Filesystems in memory that watch what is written, and fail or change where a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry import Catalog
from tests.registries import MadeRegistry


class Watched(MemoryFileSystem):
    """Files in memory of its own. What is stored, and what is read, is noted; a function may object to either."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.store, self.pseudo_dirs = {}, [""]
        self.stored: list[str] = []
        self.read: list[str] = []
        self.before_store: Callable[[str], None] = lambda path: None
        self.before_ls: Callable[[str], None] = lambda path: None

    def mv(self, path1: str, path2: str, *args: Any, **kwargs: Any) -> None:
        self.before_store(path2)
        super().mv(path1, path2, *args, **kwargs)
        self.stored.append(path2)

    def cat_file(self, path: str, *args: Any, **kwargs: Any) -> bytes:
        self.read.append(path)
        return bytes(super().cat_file(path, *args, **kwargs))

    def ls(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self.before_ls(path)
        return super().ls(path, *args, **kwargs)


def watched() -> Watched:
    """An empty one."""
    return Watched(skip_instance_cache=True)


def files(fs: MemoryFileSystem) -> dict[str, bytes]:
    """What a filesystem has."""
    return {path: fs.store[path].getvalue() for path in fs.find("/")}


def copied_part(made: MadeRegistry) -> dict[str, bytes]:
    """What of a registry is to be copied: all but uploads and what no registry writes."""
    kept = (layout.Blob, *layout.LINKS)
    found = {path: bytes(made.fs.cat_file(path)) for path in made.files()}
    return {path: data for path, data in found.items() if isinstance(layout.parse(path, made.root), kept)}


def pulled(fs: MemoryFileSystem, root: str = layout.ROOT) -> dict[str, list[str]]:
    """Each tag, with the blobs of what it leads to, all of which must be there, linked and undamaged."""
    catalog = Catalog(fs, root)
    if not fs.exists(root):
        return {}
    found = {}
    for repository in catalog.repositories():
        for tag, digest in catalog.tag_digests(repository).items():
            if isinstance(digest, str):  # a tag without `current` is one that is on its way
                found[f"{repository}:{tag}"] = _pull(catalog, repository, digest)
    return found


def _pull(catalog: Catalog, repository: str, digest: str) -> list[str]:
    manifest = catalog.resolve(f"{repository}@{digest}").manifest
    found = [digest]
    for role, named in manifest.references():
        if role == "child":
            found += _pull(catalog, repository, named.digest)
        elif role != "subject" and not named.is_foreign:
            assert layout.digest(catalog.fs.cat_file(catalog.blob_path(named.digest))) == named.digest
            assert catalog.fs.exists(layout.LayerLink(repository, named.digest).at(catalog.root))
            found.append(named.digest)
    return found


@pytest.fixture
def made() -> MadeRegistry:
    """An empty registry to copy."""
    return MadeRegistry(watched(), layout.ROOT)


@pytest.fixture
def target() -> Watched:
    """Where to copy it to."""
    return watched()
