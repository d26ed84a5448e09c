"""What a collector looks at: each repository's links, what refers to what, and the blobs. Plain values, no tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from registry_s3fs.model.registry_layout import Generation

MOST_MANIFEST_BYTES = 4 * 1024 * 1024
"""The registry reads no more of a manifest (``maxBlobGetSize`` in ``registry/storage/io.go``)."""


class BrokenLink(NamedTuple):
    """A link whose text is no digest."""

    key: str
    detail: str


class Reading(NamedTuple):
    """What a generation of the registry reads in a manifest. A digest may be empty."""

    files: tuple[str, ...] = ()
    """The config and the layers."""
    children: tuple[str, ...] = ()
    """The manifests of an index."""


@dataclass
class Repository:
    """The links of a repository. Links are by the digest of their path, and hold the digest that they say."""

    name: str
    revisions: dict[str, str] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """The manifest that each tag means now."""
    tag_index: dict[str, list[str]] = field(default_factory=dict)
    """The tags that have, or have had, a manifest, and so an entry for it in their ``index/``."""
    broken_revisions: list[BrokenLink] = field(default_factory=list)
    broken_layers: list[BrokenLink] = field(default_factory=list)
    broken_tags: list[BrokenLink] = field(default_factory=list)
    has_layers: bool = False
    """Whether there is a folder ``_layers``."""
    has_manifests: bool = False
    """Whether there is a folder ``_manifests``."""
    has_tags: bool = False
    """Whether there is a folder ``_manifests/tags``."""

    def tags_of(self, digest: str) -> list[str]:
        """Return the tags that mean a manifest now."""
        return [tag for tag, current in self.tags.items() if current == digest]

    def index_tags(self, digest: str) -> tuple[str, ...]:
        """Return the tags that have an entry for a manifest in their ``index/``."""
        return tuple(sorted(self.tag_index.get(digest, ())))


@dataclass
class Contents:
    """What a registry holds."""

    root: str
    repositories: dict[str, Repository] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)
    """The size of each blob that is there."""
    files: dict[str, list[str]] = field(default_factory=dict)
    """The config and the layers of each manifest, in its order. A digest may be empty."""
    children: dict[str, list[str]] = field(default_factory=dict)
    """The manifests that each index lists, in its order."""
    subjects: dict[str, str] = field(default_factory=dict)
    """The manifest that each referrer points to."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Why `parse_manifest` refused a manifest, or its bytes were not there. The registry may read it (`odd`)."""
    odd: dict[str, dict[Generation, Reading | str]] = field(default_factory=dict)
    """What each generation of the registry reads in an odd manifest, or why it cannot read it."""
    schema1: set[str] = field(default_factory=set)
    """The manifests of schema 1, which 3.x cannot read."""
    odd_keys: list[str] = field(default_factory=list)
    """The keys that the registry does not write."""
    young: frozenset[str] = frozenset()
    """The blobs that are too new to be called garbage."""
    young_revisions: frozenset[tuple[str, str]] = frozenset()
    """Repository and digest of each revision that is too new to be called untagged."""

    def references(self, manifest: str) -> Iterator[str]:
        """Yield what a manifest refers to, in its order. Its subject is not among that."""
        return chain(self.files.get(manifest, ()), self.children.get(manifest, ()))

    def repository(self, name: str) -> Repository:
        """Return a repository, which is made where it is not known yet."""
        if name not in self.repositories:
            self.repositories[name] = Repository(name)
        return self.repositories[name]
