"""The plan by which nobody loses what a tag leads to, or what was pushed just now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from registry_s3fs.registry.garbage.contents import Contents, Reading, Repository
from registry_s3fs.registry.garbage.plan import YOUNG, Plan, RemovedManifest, Via
from registry_s3fs.registry.reachable import reachable


def safe_plan(contents: Contents, *, delete_untagged: bool = False) -> Plan:
    """Return what can be deleted such that everything that is kept stays whole.

    Every revision is kept, as the registry's own collector does without ``--delete-untagged``. With it, these are kept:
    what a tag means, and what was linked just now; the manifests that a kept index lists; and the referrers of what
    is kept, such as signatures, by their ``subject``. A fallback tag (``sha256-<hex>``) is a tag.

    An odd manifest, of which only the registry can tell what it refers to, is kept, too. What a kept manifest refers to
    is kept, in whichever repository it has its link. So is each young blob. Where some version of the registry cannot
    read a kept manifest, it may refer to anything, and nothing is deleted.
    """
    plan = Plan("safe", delete_untagged)
    for repository in contents.repositories.values():
        kept = set(repository.revisions) if not delete_untagged else _kept(contents, repository)
        for digest in repository.tags.values():
            _mark(contents, plan, repository.name, digest)  # 2.1.0 linked manifests among the layers alone
        for digest in sorted(kept):
            _mark(contents, plan, repository.name, digest)
            _mark(contents, plan, repository.name, repository.revisions[digest])
        for digest in sorted(repository.revisions.keys() - kept):
            plan.manifests.append(RemovedManifest(repository.name, digest, repository.index_tags(digest)))
    for digest in sorted(contents.young):
        plan.marked.setdefault(digest, YOUNG)
    plan.unknown = sorted(
        digest for digest in contents.unreadable.keys() & plan.marked.keys() if not _is_known(contents, digest, all)
    )
    if plan.unknown:
        plan.manifests.clear()
    else:
        plan.sweep(contents.blobs)
    return plan


def _kept(contents: Contents, repository: Repository) -> set[str]:
    """Return the revisions of a repository that are kept."""
    referrers = defaultdict(list)
    for digest in repository.revisions:
        if digest in contents.subjects:
            referrers[contents.subjects[digest]].append(digest)

    def kept_with(digest: str) -> list[str]:
        return [*contents.children.get(digest, ()), *referrers.get(digest, ())]

    return reachable(_roots(contents, repository), kept_with) & repository.revisions.keys()


def _roots(contents: Contents, repository: Repository) -> Iterator[str]:
    yield from repository.tags.values()
    for digest in repository.revisions:
        if (repository.name, digest) in contents.young_revisions or _is_known(contents, digest, any):
            yield digest  # an odd one may be a referrer


def _is_known(contents: Contents, odd: str, how: Callable[[Iterable[bool]], bool]) -> bool:
    """Return whether all or any of the registry's generations read an odd manifest."""
    readings = contents.odd.get(odd, {}).values()
    return bool(readings) and how(isinstance(reading, Reading) for reading in readings)


def _mark(contents: Contents, plan: Plan, repository: str, digest: str) -> None:
    """Mark a manifest, and all that it refers to."""
    if digest in plan.marked:
        return
    plan.marked[digest] = Via(repository, None)
    waiting = [digest]
    while waiting:
        manifest = waiting.pop()
        via = Via(repository, manifest)
        for each in contents.references(manifest):
            if each not in plan.marked:
                plan.marked[each] = via
                if each in contents.files or each in contents.children:
                    waiting.append(each)
