"""The plan of the registry's own ``garbage-collect``, of 2.8 and of 3.x.

It follows ``registry/storage/garbagecollect.go`` of distribution 2.8.2 and 3.0.0, and what that calls: the walks in
``catalog.go`` and ``linkedblobstore.go``, the tags in ``tagstore.go``, the deletions in ``vacuum.go``. 3.1.1 has the
rules of 3.0.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from registry_s3fs.model.registry_layout import Generation
from registry_s3fs.registry.garbage.contents import Contents, Reading, Repository
from registry_s3fs.registry.garbage.odd_names import bad_blobs, bad_repositories, is_behind_a_stop, odd_links
from registry_s3fs.registry.garbage.plan import Abort, LayerLink, Plan, RemovedManifest, Via


def plan(contents: Contents, generation: Generation, *, delete_untagged: bool = False) -> Plan:
    """Return what the registry's own collector would do, as if nothing ended it.

    Args:
        contents: What the registry holds.
        generation: ``"2.8"`` (2.7 does the same) or ``"3"``.
        delete_untagged: Whether ``--delete-untagged`` (``-m``) is given.
    """
    run = _Run28(contents, delete_untagged) if generation == "2.8" else _Run3(contents, delete_untagged)
    run.mark()
    run.sweep()
    return run.plan


class _Revision(NamedTuple):
    """A revision as the collector meets it."""

    repository: Repository
    digest: str
    """The digest that the link says."""
    blob: str
    """The blob that is read for it: what the link of that digest says. It is another one only for an odd link."""


class _Run:
    """One run of the collector: what both generations do alike."""

    generation: Generation
    area: str
    """The folder that makes a directory a repository."""
    links_read: tuple[str, ...]
    """The folders of a repository in which all links are read."""

    def __init__(self, contents: Contents, delete_untagged: bool) -> None:
        self.contents = contents
        self.plan = Plan(self.generation, delete_untagged)
        self.untagged: list[_Revision] = []
        """The revisions that no tag means, as far as the collector may remove them."""

    def mark(self) -> None:
        """Walk through the repositories."""
        bad = bad_repositories(self.contents, self.area)
        names = [name for name, repository in self.contents.repositories.items() if self.sees(repository)]
        revisions = {name for name, repository in self.contents.repositories.items() if repository.revisions}
        self.plan.unseen = sorted(revisions.difference(names))
        for name in sorted([*names, *bad], key=self.turn):
            if name in bad:
                self.abort(None, bad[name], f"{name!r} is no name of a repository, but has a folder {self.area}")
            else:
                self.mark_repository(self.contents.repositories[name])

    def sees(self, repository: Repository) -> bool:
        """Return whether the collector takes a directory for a repository."""
        raise NotImplementedError

    def turn(self, name: str) -> list[str]:
        """Return what repositories are sorted by in the walk."""
        raise NotImplementedError

    def mark_repository(self, repository: Repository) -> None:
        """Mark what the revisions of a repository keep."""
        for link in repository.broken_revisions:
            self.abort(repository, link.key, link.detail)
        revisions = list(self.revisions(repository))
        tagged = self.tagged(repository) if self.plan.delete_untagged and revisions else None
        for revision in revisions:
            if tagged is None or revision.digest in tagged:
                self.plan.marked.setdefault(revision.digest, Via(repository.name, None))
                self.mark_references(revision)
            else:
                self.note_untagged(revision)

    def revisions(self, repository: Repository) -> Iterator[_Revision]:
        """Yield the revisions whose blob is there, in the order of the walk."""
        for link in sorted(repository.revisions):
            digest = repository.revisions[link]
            blob = self.blob_of(repository, digest)
            if blob in self.contents.blobs:
                yield _Revision(repository, digest, blob)

    def blob_of(self, repository: Repository, digest: str) -> str | None:
        """Return the blob by which a repository has a manifest, or None where it has no link for it."""
        return repository.revisions.get(digest)

    def tagged(self, repository: Repository) -> set[str]:
        """Return the manifests that tags of a repository mean now."""
        for link in repository.broken_tags:
            self.abort(repository, link.key, link.detail)
        return set(repository.tags.values())

    def note_untagged(self, revision: _Revision) -> None:
        """Note an untagged revision."""
        raise NotImplementedError

    def mark_references(self, revision: _Revision) -> None:
        """Mark what a manifest refers to."""
        raise NotImplementedError

    def references(self, revision: _Revision) -> Iterator[str]:
        """Return what a manifest refers to, which is nothing where it cannot be read."""
        odd = self.contents.odd.get(revision.blob, {}).get(self.generation)
        if isinstance(odd, Reading):
            return chain(*odd)
        reason = odd or self.reason(revision.blob)
        if reason is None:
            return self.contents.references(revision.blob)
        folder = f"{self.contents.root}/repositories/{revision.repository.name}/_manifests/revisions"
        key = f"{folder}/{revision.digest.replace(':', '/', 1)}/link"
        self.abort(revision.repository, key, f"the manifest cannot be read: {reason}")
        return iter(())

    def reason(self, blob: str) -> str | None:
        """Return why this generation cannot read a manifest, or None where it can."""
        return self.contents.unreadable.get(blob)

    def removed(self) -> list[_Revision]:
        """Return the untagged revisions that are removed."""
        return self.untagged

    def sweep(self) -> None:
        """Note what is deleted."""
        for revision in self.removed():
            repository, digest, _ = revision
            self.plan.manifests.append(RemovedManifest(repository.name, digest, repository.index_tags(digest)))
        self.plan.sweep(self.contents.blobs)
        for key in bad_blobs(self.contents):
            reason = "it lies where a blob would, but its path has no digest that the registry knows"
            self.plan.aborts.append(Abort(None, key, reason, phase="sweep"))
        self.plan.unread_links = odd_links(self.contents, *self.links_read)

    def abort(self, repository: Repository | None, key: str, reason: str, *drivers: str) -> None:
        """Note what ends the run."""
        abort = Abort(repository.name if repository else None, key, reason)
        self.plan.aborts.append(abort._replace(drivers=drivers) if drivers else abort)


class _Run28(_Run):
    generation = "2.8"
    area = "_layers"
    links_read = ("_manifests/revisions",)

    def sees(self, repository: Repository) -> bool:
        return repository.has_layers and not is_behind_a_stop(self.contents, f"{repository.name}/{self.area}")

    def turn(self, name: str) -> list[str]:
        return f"{name}/{self.area}".split("/")  # each directory is listed by itself, and sorted

    def blob_of(self, repository: Repository, digest: str) -> str | None:
        return repository.revisions.get(digest) or repository.layers.get(digest)  # as 2.1.0 linked manifests

    def note_untagged(self, revision: _Revision) -> None:
        if revision.repository.has_tags:
            self.untagged.append(revision)
            return
        key = f"{self.contents.root}/repositories/{revision.repository.name}/_manifests/tags"
        if not any(abort.key == key for abort in self.plan.aborts[-1:]):
            self.abort(revision.repository, key, "the repository has untagged manifests and no folder of tags")

    def mark_references(self, revision: _Revision) -> None:
        via = Via(revision.repository.name, revision.digest)
        for digest in self.references(revision):
            self.plan.marked.setdefault(digest, via)


class _Run3(_Run):
    generation = "3"
    area = "_manifests"
    links_read = ("_manifests/revisions", "_layers")

    def sees(self, repository: Repository) -> bool:
        return repository.has_manifests

    def turn(self, name: str) -> list[str]:
        return [f"{name}/{self.area}/"]  # S3's flat listing: app-x/ comes before app/

    def note_untagged(self, revision: _Revision) -> None:
        if revision.repository.has_tags:
            self.untagged.append(revision)

    def reason(self, blob: str) -> str | None:
        if blob in self.contents.schema1:
            return "it is of schema 1, which 3.x does not know"
        return super().reason(blob)

    def mark_references(self, revision: _Revision) -> None:
        """Mark what a manifest refers to, and what that refers to where the repository has its revision.

        What is marked already is not looked into again.
        """
        repository, marked = revision.repository, self.plan.marked
        open_manifests = [(Via(repository.name, revision.digest), self.references(revision))]
        while open_manifests:
            via, references = open_manifests[-1]
            for digest in references:
                if digest not in marked:
                    marked[digest] = via
                    blob = self.blob_of(repository, digest)
                    if blob in self.contents.blobs:
                        child = _Revision(repository, digest, str(blob))
                        open_manifests.append((Via(repository.name, digest), self.references(child)))
                        break
            else:
                open_manifests.pop()

    def mark_repository(self, repository: Repository) -> None:
        super().mark_repository(repository)
        if not repository.has_layers:
            key = f"{self.contents.root}/repositories/{repository.name}/_layers"
            reason = "the repository has no folder of layers; the walk of the filesystem driver ends, and S3's goes on"
            self.abort(repository, key, reason, "filesystem")
        for broken in repository.broken_layers:
            self.abort(repository, broken.key, broken.detail)
        for link in sorted(repository.layers):
            digest = repository.layers[link]
            if repository.layers.get(digest) in self.contents.blobs and digest not in self.plan.marked:
                self.plan.layer_links.append(LayerLink(repository.name, digest))

    def removed(self) -> list[_Revision]:
        return [revision for revision in self.untagged if revision.digest not in self.plan.marked]
