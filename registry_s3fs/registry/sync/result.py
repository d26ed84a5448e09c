"""What came of copying a registry, and what could not be copied. Pure."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import NamedTuple

from registry_s3fs.errors import DigestMismatchError, LinkError, NotInRegistryError
from registry_s3fs.model.text import counted

_KINDS: dict[str, tuple[type[OSError], int]] = {
    "blob_missing": (NotInRegistryError, errno.ENOENT),
    "child_missing": (NotInRegistryError, errno.ENOENT),
    "tag_dangling": (NotInRegistryError, errno.ENOENT),
    "digest_mismatch": (DigestMismatchError, errno.EIO),
    "link_empty": (LinkError, errno.EINVAL),
    "link_target_differs": (LinkError, errno.EINVAL),
}
"""The error that stands for a problem, by its code. For others it is an `OSError`."""
_MOST_TAGS_TOLD = 3


class SyncedTag(NamedTuple):
    """A tag that was copied."""

    repository: str
    tag: str
    digest: str
    former: str | None
    """The digest that it meant at the destination before, or None if it is new there."""

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


class Problem(NamedTuple):
    """Something that was not copied."""

    code: str
    """``blob_missing``, ``digest_mismatch``, ``blob_unreadable``, ``manifest_unreadable``, ``tag_dangling``,
    ``child_missing``, ``link_empty``, ``link_target_differs``, ``link_unreadable``, or ``not_stored`` where the
    destination refused it."""
    repository: str | None
    tag: str | None
    digest: str | None
    detail: str
    affected_tags: tuple[str, ...]
    """The tags that were not copied for it, as in ``team/app:v1``."""
    key: str
    """The path of the file that it is about."""

    def as_error(self, others: int) -> OSError:
        """Return the error for it, where there are `others` more of the kind."""
        tags = ", ".join(self.affected_tags[:_MOST_TAGS_TOLD])
        more = len(self.affected_tags) - _MOST_TAGS_TOLD
        hurt = f", for {tags}{f' and {more} more' if more > 0 else ''}" if tags else ""
        return _as_error(self, hurt, f"; there are {counted(others, 'more problem')}" if others else "")


def _as_error(problem: Problem, hurt: str, others: str) -> OSError:
    kind, number = _KINDS.get(problem.code, (OSError, errno.EIO))
    text = (
        f"{problem.code}: {problem.detail}{hurt}; no tag was written{others}; keep_going (--keep-going) copies what is "
        "whole"
    )
    return kind(number, text, problem.key)


@dataclass
class Synced:
    """What was copied, or would be."""

    dry_run: bool
    repositories: int = 0
    """The number of repositories that were chosen at the source."""
    blobs: int = 0
    """The number of blobs that were copied."""
    bytes: int = 0
    """The bytes of these."""
    links: int = 0
    """The number of links that were written, without those in `tags`."""
    tags: list[SyncedTag] = field(default_factory=list)
    """The tags that are new at the destination, or moved there."""
    already: int = 0
    """The number of blobs that the destination had in the same size."""
    in_place: bool = False
    """Whether the server itself copied the blobs, and none was read here."""
    unverified: int = 0
    """The number of blobs copied that were not compared with their digests."""
    left_out: int = 0
    """The number of links that were not copied, as their blobs are not stored or not chosen."""
    unknown: int = 0
    """The number of files among the source's repositories that no registry writes. They were not copied."""
    changed: list[str] = field(default_factory=list)
    """The tags that moved or went at the source meanwhile, and were not copied: another run does."""
    problems: list[Problem] = field(default_factory=list)
