"""Paths of ``registryfile://``: a repository, a tag or digest of it, and a path in what that holds. Pure.

A repository's name has neither ``:`` nor ``@``, so the first component with one of them ends the reference. What
follows is a path in the image or artifact, where every character is allowed.
"""

from __future__ import annotations

from typing import NamedTuple

from registry_s3fs import errors
from registry_s3fs.errors import InvalidReferenceError
from registry_s3fs.model import names
from registry_s3fs.model.references import Reference, parse_reference

PROTOCOL = "registryfile"


class Place(NamedTuple):
    """The meaning of a path."""

    repository: str
    """A repository, or the beginning of the names of several. ``""`` is the whole registry."""
    reference: Reference | None
    """The tag or digest, or None where the path ends at the repository."""
    inside: str
    """The path in what the reference means, as it was given. ``""`` is that itself."""

    @property
    def top(self) -> str:
        """The path of the image or artifact itself."""
        return str(self.reference or self.repository)


def parse(path: str) -> Place:
    """Return what a path means.

    >>> parse("team/data:2026/train.parquet")
    Place(repository='team/data', reference=Reference(repository='team/data', tag='2026', digest=None), \
inside='train.parquet')
    >>> parse("team").reference, parse("team/data@sha256:" + 64 * "0" + "/a/b").inside
    (None, 'a/b')
    >>> parse("Team")
    Traceback (most recent call last):
    registry_s3fs.errors.NotInRegistryError: [Errno 2] no repository can have this name: 'Team'

    Raises:
        NotInRegistryError: No registry can have it.
    """
    end = _end_of_reference(path)
    if end is None:
        if path and not names.is_repository(path):
            raise errors.not_in_registry("no repository can have this name", path)
        return Place(path, None, "")
    try:
        reference = parse_reference(path[:end])
    except InvalidReferenceError as error:
        raise errors.not_in_registry(str(error), path) from None
    return Place(reference.repository, reference, path[end + 1 :])


def parent(path: str) -> str:
    """Return the folder that lists a path.

    >>> parent("team/data:2026/a/b"), parent("team/data:2026"), parent("team/data"), parent("team")
    ('team/data:2026/a', 'team/data', 'team', '')
    """
    if _end_of_reference(path) == len(path):
        above, slash, last = path.rpartition("/")
        return above + slash + last.partition("@")[0].partition(":")[0]
    return path.rpartition("/")[0]


def is_in_registry(path: str) -> bool:
    """Return whether a path names no tag and no digest, and so lies above what images and artifacts hold.

    >>> is_in_registry("team/data"), is_in_registry("team/data:2026"), is_in_registry("team/data:2026/x")
    (True, False, False)
    """
    return _end_of_reference(path) is None


def join(folder: str, name: str) -> str:
    """Return the path of a name in a folder.

    >>> join("team", "data"), join("", "team")
    ('team/data', 'team')
    """
    return f"{folder}/{name}" if folder else name


def _end_of_reference(path: str) -> int | None:
    """Return where the component ends that has the tag or digest, or None where there is none."""
    first = min((at for at in (path.find(":"), path.find("@")) if at >= 0), default=None)
    if first is None:
        return None
    end = path.find("/", first)
    return len(path) if end < 0 else end
