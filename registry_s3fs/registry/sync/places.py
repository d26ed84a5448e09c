"""Where a registry is copied from and to: whether one lies in the other, and whether one server can copy all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.model.registry_layout import Layout
from registry_s3fs.registry.abilities import is_object_store, is_ours, protocols

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class Place(NamedTuple):
    """A filesystem, and the root of a registry in it."""

    fs: AbstractFileSystem
    root: str

    @property
    def layout(self) -> Layout:
        """Return what its files mean."""
        return Layout(self.root)


def place(fs: AbstractFileSystem, root: str) -> Place:
    """Return a place, whose root is as the filesystem's listings name it."""
    return Place(fs, str(fs._strip_protocol(root)).rstrip("/") or fs.root_marker)


def check_apart(source: Place, destination: Place) -> None:
    """Refuse a destination that is the source, or of which one lies in the other.

    Raises:
        ValueError: It is so.
    """
    if _is_same_store(source.fs, destination.fs):
        names = _name(source), _name(destination)
        if names[0].startswith(names[1]) or names[1].startswith(names[0]):
            raise ValueError(
                f"the destination {destination.root} and the source {source.root} are one registry, or one lies in the "
                "other; give another folder or bucket as destination"
            )


def _is_same_store(first: AbstractFileSystem, second: AbstractFileSystem) -> bool:
    """Return whether two filesystems have the same files, though perhaps under other names."""
    if is_ours(first) and is_ours(second):
        return bool(first.fsid == second.fsid)
    return (_is_local(first) and _is_local(second)) or _is_same(first, second)


def _is_same(first: AbstractFileSystem, second: AbstractFileSystem) -> bool:
    """Return whether two filesystems are the same. Two in memory, made alike, may have files of their own."""
    return first == second and getattr(first, "store", None) is getattr(second, "store", None)


def _is_local(fs: AbstractFileSystem) -> bool:
    return "file" in protocols(fs)


def _name(found: Place) -> str:
    """Return the name of a root in its store, with a slash at its end."""
    if is_ours(found.fs):
        return str(found.fs.bucket.space.prefix(found.root))
    return (os.path.realpath(found.root) if _is_local(found.fs) else found.root).rstrip("/") + "/"


def copied_by_server(source: Place, destination: Place) -> tuple[Place, Place] | None:
    """Return both places as ones of the same filesystem, whose server can copy from one to the other.

    It returns None where bytes have to pass through this process. Disks and memory are no servers: there they do.
    """
    if not is_object_store(source.fs):
        return None
    if _is_same(source.fs, destination.fs):
        return source, destination
    if is_ours(source.fs) and is_ours(destination.fs):
        both = _whole_bucket(source), _whole_bucket(destination)
        if both[0].fs.parameters == both[1].fs.parameters:
            return both[0], both[1]._replace(fs=both[0].fs)
    return None


def _whole_bucket(found: Place) -> Place:
    """Return the same place in a filesystem without a rootdirectory, as two registries of a bucket have two."""
    whole = type(found.fs)(**{**found.fs.storage_options, "rootdirectory": ""})
    return Place(whole, "/" + found.fs.bucket.space.key(found.root))
