"""What the registry's own collector would delete that somebody may still want: its plan beside the safe one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from registry_s3fs.registry.garbage.contents import Contents, Repository
from registry_s3fs.registry.garbage.plan import YOUNG, Plan
from registry_s3fs.registry.reachable import reachable

INDEX_BROKEN = "index_broken_by_gc"
MANIFEST_BROKEN = "manifest_broken_by_gc"
MANIFEST_DELETED = "manifest_deleted_by_gc"
REFERRER_DELETED = "referrer_deleted_by_gc"
REPOSITORY_UNSEEN = "repository_unseen_by_gc"
YOUNG_DELETED = "young_blobs_deleted_by_gc"


class Loss(NamedTuple):
    """Something that the registry's own collector would delete, or break, and the safe plan keeps."""

    code: str
    repository: str | None
    digest: str | None
    detail: str
    affected_tags: tuple[str, ...] = ()
    """The tags that cannot be pulled whole any more, or that lose a referrer; as in ``team/app:v1``."""


def losses(contents: Contents, plan: Plan, safe: Plan) -> list[Loss]:
    """Return what a plan of the registry's own collector deletes or breaks, and the safe plan keeps.

    Args:
        contents: What the registry holds.
        plan: The plan of the registry's own collector.
        safe: The safe plan for the same contents, with the same ``delete_untagged``.
    """
    blobs = plan.swept.keys() - safe.swept.keys()
    removed, removed_safely = _removed(plan), _removed(safe)
    unseen = set(plan.unseen)
    found: list[Loss] = []
    for name in sorted(contents.repositories):
        lost = _Lost(contents, contents.repositories[name], blobs, removed[name], removed_safely[name])
        found += lost.unseen() if name in unseen else lost.manifests()
    return [*found, *_young(plan, safe)]


def _removed(plan: Plan) -> defaultdict[str, set[str]]:
    """Return the manifests that each repository loses its link to."""
    removed: defaultdict[str, set[str]] = defaultdict(set)
    for each in plan.manifests:
        removed[each.repository].add(each.digest)
    return removed


def _young(plan: Plan, safe: Plan) -> Iterator[Loss]:
    """Yield the blobs that the safe plan keeps for their age alone."""
    young = [digest for digest in plan.swept if safe.marked.get(digest) == YOUNG]
    if young:
        size = sum(plan.swept[digest] for digest in young)
        text = f"{len(young)} blobs of {size} bytes are new, as those of a push that goes on; the first is {young[0]}"
        yield Loss(YOUNG_DELETED, None, young[0], text)


class _Lost:
    """What a repository loses."""

    def __init__(
        self, contents: Contents, repository: Repository, blobs: set[str], removed: set[str], removed_safely: set[str]
    ) -> None:
        self.contents = contents
        self.repository = repository
        self._blobs = blobs
        self._removed = removed
        self._wanted = dict.fromkeys(sorted(repository.revisions.keys() - removed_safely))

    def unseen(self) -> Iterator[Loss]:
        """Yield what a repository loses that the collector does not take for one."""
        bad = [digest for digest in self._wanted if self._is_broken(digest) or self._bad_children(digest)]
        if bad:
            text = f"the collector does not take it for a repository: {len(bad)} of its manifests would lose blobs"
            tags = (f"{self.repository.name}:{tag}" for tag in sorted(self.repository.tags))
            yield Loss(REPOSITORY_UNSEEN, self.repository.name, None, text, tuple(tags))

    def manifests(self) -> Iterator[Loss]:
        """Yield the manifests that are lost or broken. The images of an index that stays are told with it."""
        listed: set[str] = set()
        lost: list[str] = []
        for digest in self._wanted:
            if self._is_gone(digest):
                lost.append(digest)
                continue
            listed.update(self.contents.children.get(digest, ()))
            yield from self._broken(digest)
        for digest in lost:
            if digest not in listed:
                yield self._deleted(digest)

    def _is_gone(self, digest: str) -> bool:
        return digest in self._blobs or digest in self._removed

    def _is_broken(self, digest: str) -> bool:
        """Return whether a manifest is gone, or its config or one of its layers is.

        So is one whose images are, unless it is one of the repository's own, which is told by itself.
        """
        met: set[str] = set()
        waiting = [digest]
        while waiting:
            each = waiting.pop()
            if self._is_gone(each) or any(file in self._blobs for file in self.contents.files.get(each, ())):
                return True
            if each not in met and each not in self._wanted:
                met.add(each)
                waiting += self.contents.children.get(each, ())
        return False

    def _bad_children(self, index: str) -> list[str]:
        return [child for child in self.contents.children.get(index, ()) if self._is_broken(child)]

    def _broken(self, digest: str) -> Iterator[Loss]:
        bad = self._bad_children(digest)
        if bad:
            count = len(self.contents.children[digest])
            text = f"{len(bad)} of its {count} images would be lost or broken, the first is {bad[0]}"
            yield self._loss(INDEX_BROKEN, digest, text)
        elif self._is_broken(digest):
            yield self._loss(MANIFEST_BROKEN, digest, "it would stay, and its config or layers would be deleted")

    def _deleted(self, digest: str) -> Loss:
        subject = self.contents.subjects.get(digest)
        if subject is not None and subject in self._wanted and not self._is_gone(subject):
            return self._loss(REFERRER_DELETED, digest, f"it would be deleted though its subject, {subject}, is kept")
        return self._loss(MANIFEST_DELETED, digest, "it would be deleted though it is new, or something leads to it")

    def _loss(self, code: str, digest: str, text: str) -> Loss:
        return Loss(code, self.repository.name, digest, text, self._tags(digest))

    @cached_property
    def _indexes(self) -> dict[str, list[str]]:
        """The indexes that list a manifest: those of the repository, and those that these lead to."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        met, waiting = set(self._wanted), list(self._wanted)
        while waiting:
            parent = waiting.pop()
            for child in self.contents.children.get(parent, ()):
                found[child].append(parent)
                if child not in met:
                    met.add(child)
                    waiting.append(child)
        return found

    def _tags(self, digest: str) -> tuple[str, ...]:
        """Return the tags that lead to a manifest, by indexes that list it or as its subject's."""
        subjects, name = self.contents.subjects, self.repository.name

        def leading(each: str) -> list[str]:
            return [*self._indexes.get(each, ()), *([subjects[each]] if each in subjects else [])]

        found = reachable([digest], leading)
        return tuple(f"{name}:{tag}" for tag, current in sorted(self.repository.tags.items()) if current in found)
