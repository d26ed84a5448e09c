"""What says something about the images that are exported: signatures, SBOMs, attestations."""

from __future__ import annotations

from typing import NamedTuple

from registry_s3fs.model import digests
from registry_s3fs.model.references import digest_of_tag
from registry_s3fs.registry.catalog import DAMAGE, Catalog, StoredManifest
from registry_s3fs.registry.oci_layout.closures import Closures


class Referring(NamedTuple):
    """A manifest that says something about another one."""

    repository: str
    tag: str | None
    """The tag that is made of the other one's digest, or None where its own ``subject`` leads there."""
    digest: str


class Referrers:
    """The referrers in one repository, whose manifests and tags are read once."""

    def __init__(self, catalog: Catalog, repository: str) -> None:
        self._repository = repository
        self._of: dict[str, list[Referring]] = {}
        for tag, digest in catalog.tag_digests(repository).items():
            subject = digest_of_tag(tag)
            if subject and isinstance(digest, str):
                self._add(subject, tag, digest)
        for digest, stored in catalog.manifests(repository):
            if isinstance(stored, StoredManifest) and stored.manifest.subject:
                self._add(stored.manifest.subject.digest, None, digest)
            elif not isinstance(stored, (StoredManifest, *DAMAGE)):
                raise stored

    def of(self, roots: list[str], closures: Closures) -> list[Referring]:
        """Return what refers to manifests and what they consist of, and what refers to that in turn.

        The closures of what is returned are added.
        """
        found: dict[Referring, None] = {}
        waiting, seen = list(roots), set[str]()
        while waiting:
            parts = [node.digest for root in waiting for node in closures.below(root)]
            new = [each for digest in parts if digest not in seen for each in self._of.get(digest, ())]
            seen.update(parts)
            closures.add(each.digest for each in new)
            found.update(dict.fromkeys(new))
            waiting = [each.digest for each in new if each.digest not in seen]
        in_tagged = {node.digest for each in found if each.tag for node in closures.below(each.digest)}
        return [each for each in found if each.tag or each.digest not in in_tagged]

    def _add(self, subject: str, tag: str | None, digest: str) -> None:
        if digests.is_digest(digest):
            self._of.setdefault(subject, []).append(Referring(self._repository, tag, digest))
