"""Local trees pushed as artifacts and images."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.registries import MadeRegistry, Pushed

Member = tuple[str, bytes] | tarfile.TarInfo
"""A file of an archive, or anything else."""


def tar(members: Iterable[Member]) -> bytes:
    """Make an archive."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as opened:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                opened.addfile(member)
            else:
                name, data = member
                info = tarfile.TarInfo(name)
                info.size = len(data)
                opened.addfile(info, io.BytesIO(data))
    return written.getvalue()


def special(name: str, kind: bytes, target: str = "", device: tuple[int, int] = (0, 0), mode: int = 0o644) -> Member:
    """Make a member that has no bytes: a link, a device, a fifo, a folder."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    info.devmajor, info.devminor = device
    return info


def link(name: str, target: str) -> Member:
    """Make a symbolic link."""
    return special(name, tarfile.SYMTYPE, target, mode=0o777)


def tar_of(folder: Path, prefix: str = "") -> bytes:
    """Pack a local folder. The paths begin below it, or with a prefix."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as opened:
        if prefix:
            opened.add(folder, prefix)
        else:
            for each in sorted(folder.iterdir()):
                opened.add(each, each.name)
    return written.getvalue()


def push_image(made: MadeRegistry, name: str, *layers: bytes, compressed: bool = True) -> Pushed:
    """Push an image whose layers are the archives, as ``REPOSITORY:TAG``."""
    repository, _, tag = name.partition(":")
    data = [gzip.compress(layer, 1, mtime=0) if compressed else layer for layer in layers]
    return made.image(repository, tag, data)


def push_titles(made: MadeRegistry, name: str, folder: Path) -> Pushed:
    """Push each file of a local folder as a blob of an artifact, as ``REPOSITORY:TAG``."""
    repository, _, tag = name.partition(":")
    files = {
        each.relative_to(folder).as_posix(): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()
    }
    return made.artifact(repository, tag, files)
