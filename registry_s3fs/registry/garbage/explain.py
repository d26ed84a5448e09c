"""Why a collection keeps a digest, or deletes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from registry_s3fs.registry.garbage.contents import Contents, Reading, Repository
from registry_s3fs.registry.garbage.plan import YOUNG, Plan, Via


class Step(NamedTuple):
    """A manifest, or at the end of the chain the digest itself, that is kept."""

    digest: str
    role: str
    """``"root"``, or what the manifest before refers to it as: ``"child"``, ``"file"`` (a config or layer)."""
    tags: tuple[str, ...] = ()
    """The tags of the repository that mean it now."""


@dataclass
class Explanation:
    """Why a digest is kept, or not."""

    digest: str
    exists: bool
    """Whether there is a blob of this digest."""
    kept: bool
    repository: str | None = None
    """The repository in which the digest was marked first."""
    chain: list[Step] = field(default_factory=list)
    """What leads to the digest: a root first, the digest itself last. It is empty where nothing keeps the digest."""
    reasons: list[str] = field(default_factory=list)
    """A sentence for all that could have kept the digest and does not, or for what a chain does not tell."""


def explain(contents: Contents, plan: Plan, digest: str) -> Explanation:
    """Return why a plan keeps a digest, or deletes it.

    Args:
        contents: What the registry holds.
        plan: The plan, made from the same contents.
        digest: The digest of a blob: a layer, a config or a manifest.
    """
    found = Explanation(digest, digest in contents.blobs, digest in plan.marked)
    if found.kept:
        _say_chain(contents, plan, found)
    if not found.exists:
        found.reasons.append("no blob has this digest")
    found.reasons += _links(contents, plan, digest)
    if not found.kept:
        found.reasons += _parents(contents, plan, digest) or ["no manifest refers to it"]
    return found


def _say_chain(contents: Contents, plan: Plan, found: Explanation) -> None:
    via = plan.marked[found.digest]
    if via == YOUNG:
        found.reasons.append("it is too new to be called garbage")
        return
    found.repository = via.repository
    repository = contents.repositories[via.repository]
    steps = [_step(contents, repository, found.digest, via)]
    while via.parent is not None:
        digest = via.parent
        via = plan.marked[digest] if plan.marked[digest].repository == via.repository else Via(via.repository, None)
        steps.append(_step(contents, repository, digest, via))
    found.chain = steps[::-1]


def _step(contents: Contents, repository: Repository, digest: str, via: Via) -> Step:
    children = () if via.parent is None else contents.children.get(via.parent, ())
    role = "root" if via.parent is None else "child" if digest in children else "file"
    return Step(digest, role, tuple(sorted(repository.tags_of(digest))))


def _links(contents: Contents, plan: Plan, digest: str) -> list[str]:
    """Return what links to a digest, and why that does not keep it."""
    removed = {(each.repository, each.digest) for each in plan.manifests}
    reasons = []
    for name, repository in sorted(contents.repositories.items()):
        if digest in repository.revisions:
            reasons += _revision(repository, plan, digest, is_removed=(name, digest) in removed)
        elif digest in repository.tag_index:
            reasons.append(
                f"{name} had it under the tags {', '.join(repository.index_tags(digest))}: no link keeps that"
            )
        if digest in repository.layers and digest not in plan.marked:
            reasons.append(f"{name} has it among its layers, which keeps nothing")
    return reasons


def _revision(repository: Repository, plan: Plan, digest: str, *, is_removed: bool) -> list[str]:
    name = repository.name
    if name in plan.unseen:
        why = "as it meets a file whose name begins with _" if repository.has_layers else "having no folder _layers"
        return [f"{name} has it as a manifest, but 2.8 does not take it for a repository, {why}"]
    if is_removed:
        return [f"{name} has it as a manifest that no tag means now: it is removed from there"]
    if plan.delete_untagged and plan.name != "safe" and not repository.has_tags:
        return [f"{name} has it as a manifest, but no folder of tags"]
    return []


def _parents(contents: Contents, plan: Plan, digest: str) -> list[str]:
    """Return which manifests refer to a digest that is not kept, and why that does not keep it."""
    reasons = []
    for parents, role in ((contents.files, "as a config or layer"), (contents.children, "as an image of its index")):
        for parent, digests in parents.items():
            if digest in digests:
                reasons.append(f"{parent} refers to it {role}, but {_why_not(contents, plan, parent)}")
    for referrer, subject in contents.subjects.items():
        if subject == digest and referrer in contents.blobs:
            reasons.append(f"{referrer} points to it as its subject, which keeps nothing")
    return reasons


def _reads(contents: Contents, plan: Plan, odd: str) -> bool:
    """Return whether the generation of a plan reads an odd manifest."""
    readings = contents.odd.get(odd, {}).items()
    return any(generation == plan.name and isinstance(reading, Reading) for generation, reading in readings)


def _why_not(contents: Contents, plan: Plan, parent: str) -> str:
    if parent not in contents.blobs:
        return "is itself missing"
    if parent in contents.unreadable and not _reads(contents, plan, parent):
        return "cannot be read"
    if parent in plan.marked:
        return "was marked by its digest alone, as its repository has no revision of it that is kept"
    return "is itself not kept"
