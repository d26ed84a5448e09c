"""Folders listed one by one: those that repositories are in, and all below one where there is no flat listing.

fsspec's own `walk` and `find` tell of no error below the first folder: one that may not be listed looks empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from registry_s3fs.model import names
from registry_s3fs.model.info import is_directory
from registry_s3fs.registry.abilities import is_asynchronous, is_ours
from registry_s3fs.threads import pool

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_LISTED_AT_ONCE = 32


def walk(fs: AbstractFileSystem, top: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each folder that a repository could have, and the names of the folders in it.

    Folders whose names begin with ``_``, which hold nearly all of a registry's links, are told and not entered.

    Args:
        fs: The filesystem. A walk of ours lists ahead. Of others, those that are asynchronous are listed by threads.
        top: The folder of all repositories. Nothing is yielded where it is missing.

    Raises:
        OSError: A folder cannot be listed. One that is gone meanwhile is left out.
    """
    if is_ours(fs):
        yield from _walk_ahead(fs, top)
        return
    waiting = [""]
    while waiting:
        listed = _listed(fs, top, waiting)
        waiting = [each for name, folders in listed for each in _entered(name, folders)]
        yield from listed


def files(fs: AbstractFileSystem, top: str) -> Iterator[list[Mapping[str, object]]]:
    """Yield the infos of the files in each folder at and below one.

    Raises:
        OSError: A folder cannot be listed. One that is gone meanwhile is left out.
    """
    waiting = [top]
    while waiting:
        path = waiting.pop()
        found = infos(fs, path)
        waiting += [str(info["name"]) for info in found if is_directory(info)]
        yield [info for info in found if not is_directory(info)]


def _walk_ahead(fs: AbstractFileSystem, top: str) -> Iterator[tuple[str, list[str]]]:
    for path, folders, _ in fs.walk(top, on_error=_raise_unless_gone):
        name = path[len(top) + 1 :]
        yield name, list(folders)
        entered = {each.rpartition("/")[2] for each in _entered(name, folders)}
        folders[:] = [folder for folder in folders if folder in entered]


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _listed(fs: AbstractFileSystem, top: str, names_: list[str]) -> list[tuple[str, list[str]]]:
    folders_in = partial(_folders_in, fs, top)
    if is_asynchronous(fs):  # threads may share it
        return list(zip(names_, pool.pool(_LISTED_AT_ONCE).map(folders_in, names_), strict=True))
    return [(name, folders_in(name)) for name in names_]


def _folders_in(fs: AbstractFileSystem, top: str, name: str) -> list[str]:
    path = f"{top}/{name}".rstrip("/")
    found = [info for info in infos(fs, path) if is_directory(info)]
    return [str(info["name"]).rstrip("/").rpartition("/")[2] for info in found]


def infos(fs: AbstractFileSystem, path: str) -> list[Mapping[str, object]]:
    """Return what lies directly in a folder; nothing, if the folder is gone meanwhile.

    Some filesystems' listings have the folder itself, too. It is left out.
    """
    try:
        found = fs.ls(path, detail=True)
    except FileNotFoundError:
        return []
    below = (info for info in found if not is_directory(info) or str(info["name"]).strip("/") != path.strip("/"))
    return [_followed(fs, info) for info in below]


def _followed(fs: AbstractFileSystem, info: Mapping[str, object]) -> Mapping[str, object]:
    """Return an info, in which a link to a file is one. On a disk, what else is no folder is a FIFO, a device, ..."""
    if info.get("type", "file") in ("file", "directory") or not fs.isfile(str(info["name"])):
        return info
    return {**info, "type": "file"}


def _entered(name: str, folders: list[str]) -> list[str]:
    """Return the folders in one that a repository could have."""
    paths = (f"{name}/{folder}".lstrip("/") for folder in folders)
    return [path for path in paths if names.is_repository(path)]
