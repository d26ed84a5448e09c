"""What is wrong in a registry, and which tags it hurts: the table ``problems``.

A problem of a blob is told once for each repository whose manifests need the blob.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import Blob, LayerLink, SignatureLink, TagIndexLink, TagLink, digest_in_path
from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.entries import Entry
from registry_s3fs.registry.links import BrokenLink
from registry_s3fs.registry.manifests import FOREIGN_LAYERS, MAX_NESTED, is_manifest
from registry_s3fs.registry.numbered import Registry
from registry_s3fs.registry.schemas import CONFIG, OTHER_DIGEST
from registry_s3fs.registry.tables import Tables, table_of

ERROR, WARNING = "error", "warning"


class Finding(NamedTuple):
    """Something wrong. Where its repository is not known yet, it is every one that needs the carrier."""

    severity: str
    code: str
    digest: str | None
    key: str | None
    detail: str
    carrier: int | None = None
    """The blob by which tags are affected: those whose closures have it."""
    repository: str | None = None
    tag: str | None = None
    """The one tag that is affected, whatever the carrier is."""
    is_harmless: bool = False
    """Whether no tag is affected."""


def found_problems(
    tables: Tables, registry: Registry, broken: Sequence[BrokenLink], unknown: Iterable[Entry], root: str
) -> pa.Table:
    """Return the table ``problems``.

    Args:
        tables: The tables, with all of their columns.
        registry: The same on numbers.
        broken: The links that do not say what their paths say.
        unknown: The files that no registry writes.
        root: The registry's root, which the keys begin with.
    """
    of_blobs = [
        *_missing(tables, registry, root),
        *_other_sizes(tables, registry, root),
        *_manifests(tables, registry, root),
    ]
    findings = [*_in_repositories(of_blobs, registry), *_of_tags(tables, registry), *_of_indexes(tables, registry)]
    findings += [
        *_lost_revisions(registry, root),
        *_referrers(tables, registry),
        *_layer_links(tables, registry, root),
        *_links(broken, registry),
    ]
    findings += (Finding(WARNING, "unknown_key", None, each.path, _strange(each)) for each in unknown)
    return table_of("problems", _with_tags(findings, registry))


def _strange(entry: Entry) -> str:
    if not entry.is_file:
        return "it is no file, but a FIFO, a socket, a device or a link to nothing; it was not opened"
    return f"no registry writes it; it has {entry.size} bytes"


# Of blobs, in whichever repositories need them


def _missing(tables: Tables, registry: Registry, root: str) -> Iterator[Finding]:
    """Yield what manifests refer to and is not stored."""
    lacking = pc.and_(registry.missing("child"), pc.not_equal(tables.references["role"], "subject"))
    references = rows(tables.references.filter(lacking), "parent", "child", "role", "media_type")
    parents, numbers = (registry.digests.column(name).filter(lacking).to_pylist() for name in ("parent", "child"))
    files: dict[int, str] = {}
    for parent, number, (index, digest, role, media_type) in zip(parents, numbers, references, strict=True):
        if is_manifest(role, media_type):
            detail = f"the index {index} has it, and its blob is not stored"
            yield Finding(ERROR, "child_missing", digest, _key(digest, root), detail, parent)
        elif media_type not in FOREIGN_LAYERS:
            files[number] = digest
    for number, digest in files.items():
        yield Finding(ERROR, "blob_missing", digest, _key(digest, root), "it is needed, and not stored", number)


def _lost_revisions(registry: Registry, root: str) -> Iterator[Finding]:
    for name, numbers in registry.revisions.items():
        for number in set(numbers):
            if not registry.is_stored(number):
                digest = registry.digests.digest(number)
                detail = "the repository has a link to this manifest, and its blob is not stored"
                yield Finding(ERROR, "blob_missing", digest, _key(digest, root), detail, number, name)


def _key(digest: str, root: str) -> str | None:
    return Blob(digest).at(root) if digests.is_digest(digest) else None


def _other_sizes(tables: Tables, registry: Registry, root: str) -> Iterator[Finding]:
    children = registry.digests.column("child")
    stored = pc.if_else(registry.missing("child"), pa.scalar(None, children.type), children)
    differs = pc.not_equal(tables.references["declared_size"], tables.blobs["size"].take(stored))
    differs = pc.and_(pc.fill_null(differs, False), pc.not_equal(tables.references["role"], "subject"))
    pairs = zip(
        registry.digests.column("parent").filter(differs).to_pylist(),
        children.filter(differs).to_pylist(),
        tables.references["declared_size"].filter(differs).to_pylist(),
        strict=True,
    )
    for parent, child, size in pairs:
        digest = registry.digests.digest(child)
        detail = f"it has {registry.graph.sizes[child]} bytes, and {registry.digests.digest(parent)} says {size}"
        yield Finding(ERROR, "size_mismatch", digest, _key(digest, root), detail, parent)


def _manifests(tables: Tables, registry: Registry, root: str) -> Iterator[Finding]:
    numbers = registry.digests.column("manifests").to_pylist()
    columns = rows(tables.manifests, "digest", "kind", "error", "config_digest")
    for number, (digest, kind, error, config) in zip(numbers, columns, strict=True):
        if kind == "schema1":
            detail = "it is of schema 1, which the registry's 3.x refuses: its collector ends with an error"
            yield Finding(WARNING, "schema1", digest, _key(digest, root), detail, number)
        if error and error.startswith(OTHER_DIGEST):
            yield Finding(ERROR, "digest_mismatch", digest, _key(digest, root), error, number)
        elif error and error.startswith(CONFIG):
            yield Finding(WARNING, "manifest_unreadable", digest, _key(config, root), error, number)
        elif error:
            yield Finding(ERROR, "manifest_unreadable", digest, _key(digest, root), error, number)
    for number in registry.graph.cut():
        digest = registry.digests.digest(number)
        detail = f"indexes are nested below it more than {MAX_NESTED} deep: what is deeper does not count in its sizes"
        yield Finding(WARNING, "manifest_unreadable", digest, _key(digest, root), detail, number)


def _in_repositories(findings: list[Finding], registry: Registry) -> Iterator[Finding]:
    """Yield findings for each repository whose revisions or tags have their carriers."""
    carried: defaultdict[int | None, list[Finding]] = defaultdict(list)
    for finding in findings:
        carried[finding.carrier].append(finding)
    seen: set[int | None] = set()
    for name in registry.revisions.keys() | registry.tags.keys() if carried else ():
        tagged = (number for number in registry.tags.get(name, {}).values() if number is not None)
        members = registry.graph.closure_of_all([*registry.revisions.get(name, ()), *tagged])
        for carrier in carried.keys() & members:
            seen.add(carrier)
            yield from (finding._replace(repository=name) for finding in carried[carrier])
    for carrier in carried.keys() - seen:
        yield from carried[carrier]


# Of one repository


def _of_tags(tables: Tables, registry: Registry) -> Iterator[Finding]:
    """Yield the tags whose manifests the registry does not give."""
    for name, tags in registry.tags.items():
        having = set(registry.revisions.get(name, ()))
        for tag, number in tags.items():
            if number is None or (number in having and registry.is_stored(number)):
                continue
            lacking = "the repository has no link to it" if registry.is_stored(number) else "its blob is not stored"
            digest = registry.digests.digest(number)
            yield Finding(
                ERROR, "tag_dangling", digest, None, f"the tag means {digest}, but {lacking}", None, name, tag
            )


def _of_indexes(tables: Tables, registry: Registry) -> Iterator[Finding]:
    """Yield the indexes with manifests that their repository has no link to, so that they cannot be pulled."""
    children = _children(tables, registry)
    for name, manifests in registry.revisions.items():
        having = set(manifests)
        for index in having & children.keys():
            unlinked = [child for child in children[index] if child not in having and registry.is_stored(child)]
            collected = [child for child in unlinked if not _is_whole(child, registry)]
            for child in set(unlinked).difference(collected):
                detail = f"{registry.digests.digest(index)} has it, and the repository has no link to it"
                yield Finding(ERROR, "child_missing", registry.digests.digest(child), None, detail, index, name)
            if collected:
                named = ", ".join(map(registry.digests.digest, collected[:3])) + (", ..." if len(collected) > 3 else "")
                detail = (
                    f"garbage-collect --delete-untagged took links and layers of {len(collected)} of its manifests: "
                )
                yield Finding(
                    ERROR, "index_broken_by_gc", registry.digests.digest(index), None, detail + named, index, name
                )


def _children(tables: Tables, registry: Registry) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    is_child = pc.equal(tables.references["role"], "child")
    references = tables.references.filter(is_child)
    parents, numbers = (registry.digests.column(name).filter(is_child).to_pylist() for name in ("parent", "child"))
    for parent, child, kind in zip(parents, numbers, rows(references, "role", "media_type"), strict=True):
        if is_manifest(*kind):
            found[parent].append(child)
    return dict(found)


def _is_whole(manifest: int, registry: Registry) -> bool:
    return all(map(registry.is_stored, registry.graph.direct(manifest)))


def _referrers(tables: Tables, registry: Registry) -> Iterator[Finding]:
    """Yield what says something about a manifest that its repository does not have."""
    about = dict(_subjects(tables, registry))
    having = {name: set(filter(registry.is_stored, numbers)) for name, numbers in registry.revisions.items()}
    for name, manifests in registry.revisions.items():
        for manifest in about.keys() & manifests:
            if about[manifest] not in having[name]:
                digest = registry.digests.digest(manifest)
                detail = f"its subject {registry.digests.digest(about[manifest])} is not in the repository"
                yield Finding(WARNING, "orphan_referrer", digest, None, detail, manifest, name)
    digest_tags = tables.tags.filter(pc.is_valid(tables.tags["digest_tag_of"]))
    numbers = registry.digests.numbers(digest_tags["digest_tag_of"])
    for number, (name, tag, digest, target) in zip(
        numbers, rows(digest_tags, "repository", "tag", "digest", "digest_tag_of"), strict=True
    ):
        if number not in having.get(name, ()):
            detail = f"the tag is about {target}, which is not in the repository"
            yield Finding(WARNING, "orphan_referrer", digest, None, detail, None, name, tag)


def _subjects(tables: Tables, registry: Registry) -> Iterator[tuple[int, int]]:
    is_subject = pc.equal(tables.references["role"], "subject")
    parents, subjects = (registry.digests.column(name).filter(is_subject).to_pylist() for name in ("parent", "child"))
    return zip(parents, subjects, strict=True)


def _layer_links(tables: Tables, registry: Registry, root: str) -> Iterator[Finding]:
    lacking = registry.missing("layers")
    numbers = registry.digests.column("layers").filter(lacking).to_pylist()
    for number, (name, digest) in zip(
        numbers, rows(tables.layers.filter(lacking), "repository", "digest"), strict=True
    ):
        key = LayerLink(name, digest).at(root)
        yield Finding(WARNING, "layer_link_dangling", digest, key, "the blob of the link is not stored", number, name)


def _links(broken: Sequence[BrokenLink], registry: Registry) -> Iterator[Finding]:
    """Yield the broken links. One of a tag's history does no harm."""
    named = {digest_in_path(each.file) for each in broken} - {None}
    carriers = dict(zip(named, registry.digests.numbers(pa.chunked_array([list(named)], pa.string())), strict=True))
    for file, key, code, digest, detail in broken:
        is_harmless = isinstance(file, (TagIndexLink, SignatureLink))
        severity = WARNING if is_harmless else ERROR
        tag = file.tag if isinstance(file, (TagLink, TagIndexLink)) else None
        expected = None if tag or isinstance(file, SignatureLink) else digest_in_path(file)
        carrier = carriers.get(expected)
        yield Finding(severity, code, digest, key, detail, carrier, file.repository, tag, is_harmless)


# Which tags they hurt


def _with_tags(findings: Iterable[Finding], registry: Registry) -> Iterator[tuple[object, ...]]:
    """Yield the rows of findings, each with the tags of its repository that it affects."""
    by_repository: defaultdict[str | None, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_repository[finding.repository].append(finding)
    for name, each in by_repository.items():
        tags = _leading(registry, name, {finding.carrier for finding in each})
        for found in each:
            affected = [] if found.is_harmless else tags(found)
            yield (found.severity, found.code, name, found.tag, found.digest, found.key, found.detail, affected)


def _leading(registry: Registry, name: str | None, carriers: set[int | None]) -> Callable[[Finding], list[str]]:
    found: defaultdict[int | None, list[str]] = defaultdict(list)
    if name is not None and carriers != {None}:
        for tag, number in sorted(registry.tags.get(name, {}).items()):
            for carrier in carriers & registry.graph.closure(number) if number is not None else ():
                found[carrier].append(f"{name}:{tag}")
    return lambda finding: [f"{name}:{finding.tag}"] if finding.tag else found[finding.carrier]
