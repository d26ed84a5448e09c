"""The files below a registry's root: one flat listing, or whatever the filesystem has in its place."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from registry_s3fs.model.info import modified
from registry_s3fs.registry import folders
from registry_s3fs.registry.abilities import is_asynchronous, is_ours

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_ETAG = ("ETag", "etag", "e_tag")
_STORAGE_CLASS = ("StorageClass", "storageClass", "storage_class")


class Entry(NamedTuple):
    """What a listing says of a file."""

    path: str
    size: int
    modified: datetime | None
    etag: str | None
    """As it is told: with its quotes in listings, and without them in S3's own reports."""
    storage_class: str | None
    is_file: bool = True
    """Whether it is not a FIFO, a socket, a device or a link to nothing, as a disk can have. None of them is opened."""


def listed(fs: AbstractFileSystem, root: str) -> Iterator[list[Entry]]:
    """Yield all files below a root, some at a time.

    Our own filesystem lists one prefix in parallel parts. Other object stores have `find`, which returns all at once;
    filesystems that have real directories are walked.
    """
    if is_ours(fs):
        yield from (list(map(_own_entry, page)) for page in fs.iter_find(root))
    elif is_asynchronous(fs):
        infos = [{**info, "name": path} for path, info in fs.find(root, detail=True).items()]
        yield list(map(entry, _sized(fs, infos)))
    else:
        yield from (list(map(entry, _sized(fs, infos))) for infos in folders.files(fs, root))


def _sized(fs: AbstractFileSystem, infos: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    """Return infos of files with their sizes: a listing of a web server's does not tell them.

    Raises:
        OSError: A file's size is told nowhere.
    """
    unsized = [str(info["name"]) for info in infos if info.get("size") is None and info.get("type", "file") == "file"]
    if not unsized:
        return infos
    found = {path: size_in({"name": path, "size": size}) for path, size in zip(unsized, fs.sizes(unsized), strict=True)}
    return [{**info, "size": found[name]} if (name := str(info["name"])) in found else info for info in infos]


def size_in(info: Mapping[str, object]) -> int:
    """Return the size that an info tells.

    >>> size_in({"name": "/a", "size": 3})
    3

    Raises:
        OSError: It tells none.
    """
    size = info.get("size")
    if not isinstance(size, int):
        raise OSError(errno.EIO, "the filesystem does not tell the size of the file", str(info["name"]))
    return size


def _own_entry(info: Mapping[str, Any]) -> Entry:
    """Return what an info of our own filesystem says, in a fifth of the time of `entry`."""
    return Entry(info["name"], info["size"], info.get("LastModified"), info.get("ETag"), info.get("StorageClass"))


def entry(info: Mapping[str, object]) -> Entry:
    """Return what an info of any filesystem says.

    >>> entry({"name": "/a", "size": 3, "type": "file", "mtime": 0.5}).modified
    datetime.datetime(1970, 1, 1, 0, 0, 0, 500000, tzinfo=datetime.timezone.utc)
    """
    size = info.get("size")
    return Entry(
        str(info["name"]),
        size if isinstance(size, int) else 0,
        modified(info),
        _text(_first(info, _ETAG)),
        _text(_first(info, _STORAGE_CLASS)),
        info.get("type", "file") == "file",
    )


def _first(info: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((info[name] for name in names if info.get(name) is not None), None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
