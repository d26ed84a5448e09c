"""What changed while a registry was listed and read: it is looked at once more, and is no problem.

A listing of a registry that is in use is no picture of one moment. A blob that was pushed after its folder was listed
seems to be missing, and so does one that was deleted before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import Blob, RevisionLink, TagLink
from registry_s3fs.registry.abilities import side_by_side
from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.entries import Entry, entry, listed
from registry_s3fs.registry.manifests import FOREIGN_LAYERS, is_manifest
from registry_s3fs.registry.reading import read_links
from registry_s3fs.registry.tables import Tables, table_of
from registry_s3fs.threads import pool

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MANY = 2000
"""So many files below one folder are rather listed than looked at one by one."""
THREADS = 32


def look_at(fs: AbstractFileSystem, paths: Collection[str], folder: str) -> dict[str, Entry]:
    """Return what is there now of some files below a folder."""
    if len(paths) > MANY:
        wanted = set(paths)
        return {each.path: each for page in listed(fs, folder) for each in page if each.path in wanted and each.is_file}
    if not paths:
        return {}
    with closing(side_by_side([fs], partial(_look, fs), paths, pool.pool(THREADS), THREADS)) as found:
        return {path: each for path, each in zip(paths, found, strict=True) if each is not None}


def _look(fs: AbstractFileSystem, path: str) -> Entry | None:
    try:
        found = entry(fs.info(path))
    except FileNotFoundError:
        return None
    return found if found.is_file else None


def missing_blobs(tables: Tables, recent: datetime) -> set[str]:
    """Return the digests of blobs that are needed and were not listed. Links of layers count if they are recent."""
    known = pa.concat_arrays([pa.array([], pa.string()), *tables.blobs["digest"].chunks])
    lacking = tables.references.filter(_is_lacking(tables.references["child"], known))
    lacking = lacking.filter(pc.not_equal(lacking["role"], "subject"))
    missing = {child for child, kind in rows(lacking, "child", "media_type") if kind not in FOREIGN_LAYERS}
    layers = tables.layers.filter(_is_recent(tables.layers["linked_at"], recent))
    for column in (layers["digest"], tables.revisions["digest"], tables.tags["digest"]):
        missing.update(column.filter(_is_lacking(column, known)).to_pylist())
    return {digest for digest in missing if digests.is_digest(digest)}


def _is_lacking(column: pa.ChunkedArray, known: pa.Array) -> pa.ChunkedArray:
    """Return for each digest whether it is one, and is not known."""
    return pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, value_set=known)))


def _is_recent(times: pa.ChunkedArray, recent: datetime) -> pa.ChunkedArray:
    return pc.fill_null(pc.greater(times, pa.scalar(recent, times.type)), False)


def blobs_now(fs: AbstractFileSystem, root: str, missing: Collection[str]) -> dict[str, Entry]:
    """Return those of the blobs that are there now, by their digests."""
    paths = {Blob(digest).at(root): digest for digest in missing}
    return {paths[path]: each for path, each in look_at(fs, paths, f"{root}/blobs").items()}


@dataclass
class LinksNow:
    """What became of links that seem to be dangling."""

    gone: set[tuple[str, str]] = field(default_factory=set)
    """Revisions that were deleted: repository and digest."""
    new: list[tuple[str, str, datetime | None]] = field(default_factory=list)
    """Revisions that were not listed."""
    tags: dict[tuple[str, str], Entry | None] = field(default_factory=dict)
    """Tags that were deleted, or moved: then with what is there now."""


def links_now(
    fs: AbstractFileSystem,
    root: str,
    tables: Tables,
    listed_tags: dict[tuple[str, str], Entry],
    odd_revisions: Collection[tuple[str, str]],
    recent: datetime,
) -> LinksNow:
    """Look once more at the links that lead to nothing.

    Args:
        fs: The filesystem.
        root: The registry's root in it.
        tables: What was found.
        listed_tags: What the listing said of each tag's link, by repository and tag.
        odd_revisions: Repository and digest of the revisions whose links were read: each is elsewhere than usual, or
            is broken, and then is no revision though its file is there.
        recent: Of indexes that were pushed later, the manifests are looked for once more.
    """
    stored = set(_stored(tables))
    revisions = set(rows(tables.revisions, "repository", "digest"))
    dangling = {(name, digest) for name, digest in revisions if digest not in stored}.difference(odd_revisions)
    tags = {
        (name, tag): (name, digest)
        for name, tag, digest in rows(tables.tags, "repository", "tag", "digest")
        if digest is not None and ((name, digest) not in revisions or digest not in stored)
    }
    unlisted = {each for each in tags.values() if each not in revisions} | _unlinked(tables, revisions, recent)
    unlisted = unlisted.difference(odd_revisions)
    paths = {TagLink(*each).at(root): each for each in tags}
    links = {RevisionLink(*each).at(root): each for each in dangling | unlisted}
    there = look_at(fs, [*paths, *links], f"{root}/repositories")
    found = LinksNow(gone={each for path, each in links.items() if each in dangling and path not in there})
    found.new = [(*each, there[path].modified) for path, each in links.items() if each in unlisted and path in there]
    found.tags = {
        each: there.get(path) for path, each in paths.items() if _changed(listed_tags.get(each), there.get(path))
    }
    return found


def _stored(tables: Tables) -> Iterator[str]:
    """Yield those digests of revisions and tags whose blobs are stored."""
    known = pa.concat_arrays([pa.array([], pa.string()), *tables.blobs["digest"].chunks])
    for column in (tables.revisions["digest"], tables.tags["digest"]):
        yield from pc.unique(column.filter(pc.is_in(column, value_set=known))).to_pylist()


def _changed(before: Entry | None, now: Entry | None) -> bool:
    if before is None or now is None:
        return True
    before, now = (each._replace(etag=each.etag and each.etag.strip('"')) for each in (before, now))
    return (before.size, before.etag) != (now.size, now.etag) or not _is_same_time(before.modified, now.modified)


def _is_same_time(before: datetime | None, now: datetime | None) -> bool:
    """Return whether two times may be of the same file. HEAD tells whole seconds, and some stores' listings more."""
    if before is None or now is None or 0 not in (before.microsecond, now.microsecond):
        return before == now
    return before.replace(microsecond=0) == now.replace(microsecond=0)


def _unlinked(tables: Tables, revisions: Collection[tuple[str, str]], recent: datetime) -> set[tuple[str, str]]:
    """Return the manifests of recent indexes that their repositories seem to have no link to."""
    pushed = tables.revisions.filter(_is_recent(tables.revisions["linked_at"], recent))
    having: dict[str, list[str]] = {}
    for name, digest in rows(pushed, "repository", "digest"):
        having.setdefault(digest, []).append(name)
    children = tables.references.filter(pc.is_in(tables.references["parent"], value_set=pa.array(having, pa.string())))
    pairs = (
        (name, child)
        for parent, child, role, media_type in rows(children, "parent", "child", "role", "media_type")
        if is_manifest(role, media_type) and digests.is_digest(child)
        for name in having[parent]
    )
    return set(pairs).difference(revisions)


def moved_tags(fs: AbstractFileSystem, now: LinksNow) -> Iterator[tuple[str, str, str | None, datetime | None]]:
    """Yield repository, tag, digest and time of the tags that point elsewhere now."""
    moved = [(each, there) for each, there in now.tags.items() if there is not None]
    texts = read_links(fs, [(there.path, there.size) for _, there in moved])
    for ((name, tag), there), (_, digest) in zip(moved, texts, strict=True):
        if not isinstance(digest, FileNotFoundError):
            yield name, tag, digest if isinstance(digest, str) else None, there.modified


def without_changed(
    tables: Tables, now: LinksNow, moved: Iterable[tuple[str, str, str | None, datetime | None]]
) -> tuple[pa.Table, pa.Table]:
    """Return revisions and tags as they are now.

    Args:
        tables: What was found.
        now: What became of links.
        moved: Repository, tag, digest and time of the tags that point elsewhere now.
    """
    revisions = (
        (name, digest, linked_at, None)
        for name, digest, linked_at in rows(tables.revisions, "repository", "digest", "linked_at")
        if (name, digest) not in now.gone
    )
    tags = (
        (name, tag, digest, pushed_at, None, None, None)
        for name, tag, digest, pushed_at in rows(tables.tags, "repository", "tag", "digest", "pushed_at")
        if (name, tag) not in now.tags
    )
    added = ((*each, None) for each in now.new)
    return (
        table_of("revisions", [*revisions, *added]),
        table_of("tags", [*tags, *((*each, None, None, None) for each in moved)]),
    )
