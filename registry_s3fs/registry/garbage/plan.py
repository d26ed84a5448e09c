"""What a collection would mark, delete and stop at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Via(NamedTuple):
    """How a digest was marked first."""

    repository: str
    parent: str | None
    """The manifest that refers to it. None is a root: a revision of the repository."""


YOUNG = Via("", None)
"""How the safe plan marks a blob that nothing refers to, and that is too new to be called garbage."""


class RemovedManifest(NamedTuple):
    """A revision that ``--delete-untagged`` removes from its repository."""

    repository: str
    digest: str
    index_tags: tuple[str, ...]
    """The tags whose ``index/`` loses its entry for the manifest."""


class LayerLink(NamedTuple):
    """A link below ``_layers`` that 3.x removes."""

    repository: str
    digest: str


class Abort(NamedTuple):
    """What ends the run with an error."""

    repository: str | None
    key: str
    """The link, blob or folder at which it ends."""
    reason: str
    phase: str = "mark"
    """``"mark"``: nothing was deleted by then. ``"sweep"``: some of it was."""
    drivers: tuple[str, ...] = ("s3", "filesystem")
    """The registry's storage drivers on which it ends there."""


@dataclass
class Plan:
    """What a collection does, where nothing ends it."""

    name: str
    """``"2.8"`` or ``"3"``: the registry's own collector. ``"safe"``: what nobody would miss."""
    delete_untagged: bool
    marked: dict[str, Via] = field(default_factory=dict)
    """What is kept if it is there. As in the registry's own summary, some of it may be missing."""
    swept: dict[str, int] = field(default_factory=dict)
    """The blobs that are deleted, and the size of each."""
    manifests: list[RemovedManifest] = field(default_factory=list)
    layer_links: list[LayerLink] = field(default_factory=list)
    aborts: list[Abort] = field(default_factory=list)
    """All that would end the run, in the order of the run; the first one does."""
    unseen: list[str] = field(default_factory=list)
    """The repositories with manifests that the collector does not take for repositories: it deletes their blobs."""
    unread_links: list[str] = field(default_factory=list)
    """Links at paths that the registry does not write, but reads. The plan is without what they say."""

    unknown: list[str] = field(default_factory=list)
    """Kept manifests that cannot be read. What they refer to is not known, so the safe plan deletes nothing."""

    @property
    def freed_bytes(self) -> int:
        """The bytes of the blobs that are deleted."""
        return sum(self.swept.values())

    def sweep(self, blobs: Mapping[str, int]) -> None:
        """Take all blobs that are not marked as deleted."""
        self.swept = {digest: blobs[digest] for digest in sorted(blobs.keys() - self.marked.keys())}

    def ends_at(self, driver: str | None = None) -> Abort | None:
        """Return what ends the run, or None where nothing does.

        Args:
            driver: The registry's storage driver, ``"s3"`` or ``"filesystem"``. By default it may be either.
        """
        return next((abort for abort in self.aborts if driver is None or driver in abort.drivers), None)

    def summary(self) -> str:
        """Return the line that the registry's own collector ends with.

        >>> Plan("2.8", delete_untagged=False).summary()
        '0 blobs marked, 0 blobs and 0 manifests eligible for deletion'
        """
        return (
            f"{len(self.marked)} blobs marked, {len(self.swept)} blobs and {len(self.manifests)} manifests "
            "eligible for deletion"
        )
