"""The folders of a registry that can be listed side by side, found by looking at the uppermost ones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.model.info import is_directory
from registry_s3fs.registry.abilities import side_by_side
from registry_s3fs.registry.entries import Entry, entry
from registry_s3fs.registry.folders import infos
from registry_s3fs.threads import pool

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

ENOUGH = 256
"""Folders of repositories are divided until there are so many, as many as a digest's first byte has values."""
THREADS = 32


class Folders(NamedTuple):
    """What lies below a registry's root: each file is one of `files`, or below one folder."""

    files: list[Entry]
    """The files that were met on the way."""
    bytes: list[str]
    """The folders of blobs whose digests begin with the same byte, such as ``blobs/sha256/ab``."""
    others: list[str]
    """All other folders."""


def folders_below(fs: AbstractFileSystem, root: str) -> Folders:
    """Return the folders below a registry's root.

    Args:
        fs: The filesystem.
        root: The registry's root in it.
    """
    blobs, repositories = f"{root}/blobs", f"{root}/repositories"
    files, top = _listed(fs, [root])
    for_blobs, algorithms = _listed(fs, [blobs] if blobs in top else [])
    for_algorithms, of_bytes = _listed(fs, algorithms)
    for_repositories, others = _divided(fs, [repositories] if repositories in top else [])
    others += (folder for folder in top if folder not in (blobs, repositories))
    return Folders([*files, *for_blobs, *for_algorithms, *for_repositories], of_bytes, others)


def byte_folder(path: str) -> str:
    """Return the folder of a blob and of all blobs whose digests begin with the same byte.

    >>> byte_folder("/docker/registry/v2/blobs/sha256/ab/abcdef/data")
    '/docker/registry/v2/blobs/sha256/ab'
    """
    return path.rsplit("/", 2)[0]


def _divided(fs: AbstractFileSystem, folders: list[str]) -> tuple[list[Entry], list[str]]:
    """Return folders of repositories divided into those below them, and the files met, until there are enough.

    What a repository itself has, in folders such as ``_manifests``, stays together.
    """
    files: list[Entry] = []
    whole: list[str] = []
    while folders and len(folders) + len(whole) < ENOUGH:
        met, below = _listed(fs, folders)
        files += met
        whole += (folder for folder in below if _name(folder).startswith("_"))
        folders = [folder for folder in below if not _name(folder).startswith("_")]
    return files, [*whole, *folders]


def _name(folder: str) -> str:
    return folder.rpartition("/")[2]


def _listed(fs: AbstractFileSystem, folders: Iterable[str]) -> tuple[list[Entry], list[str]]:
    """Return the files and the folders that lie directly in folders."""
    listings = side_by_side([fs], partial(infos, fs), folders, pool.pool(THREADS), THREADS)
    found = [info for each in listings for info in each]
    files = [entry(info) for info in found if not is_directory(info)]
    return files, [str(info["name"]).rstrip("/") for info in found if is_directory(info)]
