"""Which tags a digest matters to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.reachable import reachable

if TYPE_CHECKING:
    from registry_s3fs.registry.tables import Tables


class Affected(NamedTuple):
    """What needs a blob."""

    tags: tuple[str, ...]
    """The tags that lead to it, as in ``team/app:v1``."""
    untagged: tuple[str, ...]
    """The revisions that lead to it, and that no tag leads to, as in ``team/app@sha256:...``."""


class AffectedTags:
    """What leads to each digest: by a manifest's config and layers, and an index's images.

    >>> affected = AffectedTags([("sha256:index", "sha256:image"), ("sha256:image", "sha256:layer")])
    >>> affected.add_tag("team/app", "v1", "sha256:index")
    >>> affected.add_revision("team/old", "sha256:image")
    >>> affected.of("sha256:layer")
    Affected(tags=('team/app:v1',), untagged=('team/old@sha256:image',))
    """

    def __init__(self, references: Iterable[tuple[str, str]]) -> None:
        self._parents: defaultdict[str, list[str]] = defaultdict(list)
        self._tags: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self._revisions: defaultdict[str, list[str]] = defaultdict(list)
        for parent, child in references:
            self._parents[child].append(parent)

    def add_tag(self, repository: str, tag: str, digest: str) -> None:
        """Add a tag."""
        self._tags[digest].append((repository, tag))

    def add_revision(self, repository: str, digest: str) -> None:
        """Add a revision."""
        self._revisions[digest].append(repository)

    def of(self, digest: str) -> Affected:
        """Return what leads to a digest, sorted."""
        leading = reachable([digest], lambda each: self._parents.get(each, ()))
        tags = {(repository, tag) for each in leading for repository, tag in self._tags.get(each, ())}
        tagged = {repository for repository, _ in tags}
        untagged = {
            (repository, each)
            for each in leading
            for repository in self._revisions.get(each, ())
            if repository not in tagged
        }
        return Affected(
            tuple(f"{repository}:{tag}" for repository, tag in sorted(tags)),
            tuple(f"{repository}@{each}" for repository, each in sorted(untagged)),
        )


def affected_tags(tables: Tables) -> AffectedTags:
    """Return what leads to each digest of a registry."""
    references = rows(tables.references, "parent", "child", "role")
    found = AffectedTags((parent, child) for parent, child, role in references if role != "subject")
    for repository, tag, digest in rows(tables.tags, "repository", "tag", "digest"):
        found.add_tag(repository, tag, digest)
    for repository, digest in rows(tables.revisions, "repository", "digest"):
        found.add_revision(repository, digest)
    return found
