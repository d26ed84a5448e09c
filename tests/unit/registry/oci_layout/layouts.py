"""Layouts and tars made for tests, and what is in them."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from tests.registries import MadeRegistry, Pushed

REF_NAME = "org.opencontainers.image.ref.name"
_numbers = itertools.count()


def new_path(name: str = "layout") -> str:
    """Give a path of the filesystem in memory that nothing is at."""
    return f"/new-{name}-{next(_numbers)}"


def named(pushed: Pushed, name: str | None, **more: object) -> dict[str, object]:
    """Give what `index.json` says of an image."""
    return pushed.descriptor(**({"annotations": {REF_NAME: name}} if name else {}), **more)


def layout(blobs: Mapping[str, bytes], *manifests: Mapping[str, object]) -> dict[str, bytes]:
    """Give the files of a layout, from its blobs by their digests."""
    index = {"schemaVersion": 2, "manifests": list(manifests)}
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
        **{f"blobs/{digest.replace(':', '/')}": data for digest, data in blobs.items()},
    }


def layout_of(made: MadeRegistry, *manifests: Mapping[str, object]) -> dict[str, bytes]:
    """Give the files of a layout that has all blobs of a registry."""
    blobs = {}
    for path in made.fs.find(f"{made.root}/blobs"):
        algorithm, _, encoded, _ = path.removeprefix(f"{made.root}/blobs/").split("/")
        blobs[f"{algorithm}:{encoded}"] = made.fs.cat_file(path)
    return layout(blobs, *manifests)


def in_folder(files: Mapping[str, bytes], fs: AbstractFileSystem | None = None) -> str:
    """Write a layout as a folder in memory, and give its path."""
    folder = new_path()
    (fs or MemoryFileSystem()).pipe({f"{folder}/{name}": data for name, data in files.items()})
    return folder


def tar(files: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """Give a tar of files; of a header alone, no bytes follow it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as written:
        for name, data in files.items():
            if isinstance(data, tarfile.TarInfo):
                written.addfile(data)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(data)
            written.addfile(member, io.BytesIO(data))
    return raw.getvalue()


def in_tar(data: bytes | Mapping[str, bytes | tarfile.TarInfo]) -> str:
    """Write a tar in memory, and give its path."""
    path = new_path("tar") + ".tar"
    MemoryFileSystem().pipe_file(path, data if isinstance(data, bytes) else tar(data))
    return path


def files_below(fs: AbstractFileSystem, top: str) -> dict[str, bytes]:
    """Give all files below a folder, by their paths in it."""
    return {path.removeprefix(top).lstrip("/"): fs.cat_file(path) for path in fs.find(top)}


def index_of(fs: AbstractFileSystem, folder: str) -> list[dict[str, Any]]:
    """Give what the `index.json` of a folder names."""
    found: list[dict[str, Any]] = json.loads(fs.cat_file(f"{folder}/index.json"))["manifests"]
    return found


def names_in(fs: AbstractFileSystem, folder: str) -> list[str | None]:
    """Give the names of its images."""
    return [each.get("annotations", {}).get(REF_NAME) for each in index_of(fs, folder)]
