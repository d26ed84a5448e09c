"""What a collector looks at, from the tables of an inventory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

import pyarrow.compute as pc

from registry_s3fs.errors import FileTooLargeError
from registry_s3fs.model import names
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry import manifests
from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.garbage import go_manifests
from registry_s3fs.registry.garbage.contents import MOST_MANIFEST_BYTES, BrokenLink, Contents, Reading, Repository
from registry_s3fs.registry.garbage.odd_names import is_digest
from registry_s3fs.registry.reading import File, raise_if_unreachable, read_files
from registry_s3fs.registry.schemas import NOT_READ

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from registry_s3fs.registry.tables import Tables

MIN_AGE = timedelta(hours=24)
"""What is newer is never called garbage: a push that goes on has stored blobs that no manifest refers to yet."""

Exists = Callable[[str], bool]
_FOLDER = re.compile(r"(?P<name>.+?)/_(?P<area>layers|manifests)/(?P<tags>tags/)?.*", re.DOTALL)

READABLE = manifests.INDEXES | manifests.IMAGES
"""The media types of the manifests that the registry can read, beside schema 1."""


def contents_of(
    tables: Tables,
    *,
    min_age: timedelta = MIN_AGE,
    exists: Exists | None = None,
    fs: AbstractFileSystem | None = None,
) -> Contents:
    """Return what a collector looks at.

    Args:
        tables: The tables of an inventory.
        min_age: What is newer than this, at the time of the inventory, is young.
        exists: Tells whether a file or folder exists, where the tables do not tell. It matters to the registry whether
            an empty folder is there, which S3 does not have; and whether a manifest has a link of its own, beside one
            that says the manifest's digest at another digest's path. By default, the former do not exist, and the
            latter do.
        fs: The registry's filesystem. Manifests that the tables have as unreadable, damaged ones too, are read there
            once more, by the rules of the registry, which takes some of them. By default, it takes none of them.
    """
    contents = Contents(tables.snapshot["root"][0].as_py().rstrip("/"))
    contents.blobs = dict(rows(tables.blobs, "digest", "size"))
    _add_manifests(contents, tables)
    _add_references(contents, tables)
    if fs:
        _add_odd(contents, fs)
    _add_links(contents, tables)
    _add_read_links(contents, tables)
    _add_problems(contents, tables)
    for repository in contents.repositories.values():
        _add_foreign_algorithms(contents, repository)
        _add_folders(contents, repository, exists or (lambda path: False))
        _remove_unlinked(contents, repository, exists or (lambda path: True))
    _add_young(contents, tables, tables.snapshot["started"][0].as_py() - min_age)
    return contents


def _add_manifests(contents: Contents, tables: Tables) -> None:
    columns = ("digest", "kind", "media_type", "config_digest", "subject", "error", "size")
    for digest, kind, media_type, config, subject, error, size in rows(tables.manifests, *columns):
        if kind == "schema1":
            contents.schema1.add(digest)
        elif config is None and media_type in manifests.IMAGES:
            contents.files[digest] = [""]  # the registry marks the empty digest of a config that is missing
        if kind is None:
            contents.unreadable[digest] = error or "it was not read"
        elif kind != "schema1" and media_type not in READABLE:
            contents.unreadable[digest] = f"the registry has no manifests of the media type {media_type}"
        elif size > MOST_MANIFEST_BYTES:
            contents.unreadable[digest] = f"it has {size} bytes, and at most {MOST_MANIFEST_BYTES} are read"
        if subject:
            contents.subjects[digest] = subject


def _add_references(contents: Contents, tables: Tables) -> None:
    """Add what manifests refer to. Rows of one manifest follow each other, as do those of one repository below."""
    role_of = itemgetter(0, 1)
    for (parent, role), references in groupby(rows(tables.references, "parent", "role", "child"), role_of):
        if role != "subject":
            found = contents.children if role == "child" else contents.files
            found.setdefault(parent, []).extend([child for _, _, child in references])


def _add_odd(contents: Contents, fs: AbstractFileSystem) -> None:
    """Add what the registry reads in manifests that the tables have as unreadable."""
    sizes = {digest: contents.blobs[digest] for digest in contents.unreadable if digest in contents.blobs}
    files: list[File] = [(layout.Blob(digest).at(contents.root), size) for digest, size in sizes.items()]
    found = (content for _, content in read_files(fs, files, MOST_MANIFEST_BYTES))
    for digest, content in zip(sizes, found, strict=True):
        raise_if_unreachable(content)
        if isinstance(content, bytes):
            contents.odd[digest] = readings = go_manifests.read(content)
            contents.files[digest] = _read_by_any(readings.values(), "files")
            contents.children[digest] = _read_by_any(readings.values(), "children")
        elif not isinstance(content, (FileNotFoundError, FileTooLargeError)):
            contents.unreadable[digest] = f"{NOT_READ}{content}"


def _read_by_any(readings: Iterable[Reading | str], role: Literal["files", "children"]) -> list[str]:
    digests = (getattr(reading, role) for reading in readings if isinstance(reading, Reading))
    return list(dict.fromkeys(chain.from_iterable(digests)))


def _add_links(contents: Contents, tables: Tables) -> None:
    """Add the tags, and the links as if each said the digest of its path."""
    for name, links in groupby(rows(tables.revisions, "repository", "digest"), itemgetter(0)):
        contents.repository(name).revisions.update([(digest, digest) for _, digest in links])
    for name, links in groupby(rows(tables.layers, "repository", "digest"), itemgetter(0)):
        contents.repository(name).layers.update([(digest, digest) for _, digest in links])
    for name, tag, digest in rows(tables.tags, "repository", "tag", "digest"):
        contents.repository(name).has_tags = True
        if digest is not None:
            contents.repository(name).tags[tag] = digest
    for name, tag, digest in rows(tables.tag_history, "repository", "tag", "digest"):
        contents.repository(name).tag_index.setdefault(digest, []).append(tag)


def _add_read_links(contents: Contents, tables: Tables) -> None:
    """Add the links that were read: they say another digest than their path's, or none."""
    parse = layout.Layout(contents.root).parse
    for key, text in rows(tables.links, "key", "text"):
        link = parse(key)
        if not is_digest(text or ""):
            _add_broken(contents, link, key, "its text is no digest that the registry knows")
        elif isinstance(link, (layout.RevisionLink, layout.LayerLink)):
            _links_of(contents, link)[link.digest] = text


def _remove_unlinked(contents: Contents, repository: Repository, exists: Exists) -> None:
    """Remove the links of digests that are not there themselves: only links of other digests say these digests."""
    folder = f"{contents.root}/repositories/{repository.name}"
    for area, links in (("_manifests/revisions", repository.revisions), ("_layers", repository.layers)):
        for digest in {text for path_digest, text in links.items() if path_digest != text}:
            if links.get(digest) == digest and not exists(f"{folder}/{area}/{digest.replace(':', '/', 1)}/link"):
                del links[digest]


def _links_of(contents: Contents, link: layout.RevisionLink | layout.LayerLink) -> dict[str, str]:
    repository = contents.repository(link.repository)
    return repository.revisions if isinstance(link, layout.RevisionLink) else repository.layers


def _add_broken(contents: Contents, link: layout.RegistryFile, key: str, detail: str) -> None:
    """Add a link that says no digest."""
    broken = BrokenLink(key, detail)
    if isinstance(link, (layout.RevisionLink, layout.LayerLink)):
        _links_of(contents, link).pop(link.digest, None)
    if isinstance(link, (layout.RevisionLink, layout.SignatureLink)):
        contents.repository(link.repository).broken_revisions.append(broken)
    elif isinstance(link, layout.LayerLink):
        contents.repository(link.repository).broken_layers.append(broken)
    elif isinstance(link, layout.TagLink):
        contents.repository(link.repository).broken_tags.append(broken)
    elif isinstance(link, layout.TagIndexLink):
        contents.repository(link.repository).has_tags = True


def _add_problems(contents: Contents, tables: Tables) -> None:
    """Add the links that were not read, being empty or too large, and the keys that the registry does not write."""
    parse = layout.Layout(contents.root).parse
    read = set(tables.links["key"].to_pylist())
    for code, key in rows(tables.problems, "code", "key"):
        if code == "unknown_key":
            contents.odd_keys.append(key)
            _add_odd_folder(contents, key)
        elif code in ("link_empty", "link_target_differs") and key not in read:
            _add_broken(contents, parse(key), key, "it is empty" if code == "link_empty" else "it is no link")


def _add_odd_folder(contents: Contents, key: str) -> None:
    """Add the folder of a repository that a key lies in which the registry does not write."""
    found = _FOLDER.fullmatch(key.removeprefix(f"{contents.root}/repositories/"))
    if found and names.is_repository(found["name"]):
        repository = contents.repository(found["name"])
        repository.has_layers |= found["area"] == "layers"
        repository.has_manifests |= found["area"] == "manifests"
        repository.has_tags |= bool(found["tags"])


def _add_foreign_algorithms(contents: Contents, repository: Repository) -> None:
    """Take links to digests of an algorithm that the registry does not know as broken, as it does."""
    folder = f"{contents.root}/repositories/{repository.name}"
    for area, links, broken in (
        ("_manifests/revisions", repository.revisions, repository.broken_revisions),
        ("_layers", repository.layers, repository.broken_layers),
    ):
        for digest in [digest for digest in links if not digest.startswith("sha256:") and not is_digest(digest)]:
            del links[digest]
            key = f"{folder}/{area}/{digest.replace(':', '/', 1)}/link"
            broken.append(BrokenLink(key, "the registry does not know the algorithm of its digest"))


def _add_folders(contents: Contents, repository: Repository, exists: Exists) -> None:
    """Note which folders a repository has: each holds a key, or is an empty one."""
    folder = f"{contents.root}/repositories/{repository.name}"
    tags = bool(repository.tags or repository.tag_index or repository.broken_tags)
    revisions = bool(repository.revisions or repository.broken_revisions)
    layers = bool(repository.layers or repository.broken_layers)
    repository.has_tags = repository.has_tags or tags or exists(f"{folder}/_manifests/tags")
    repository.has_manifests = (
        repository.has_manifests or repository.has_tags or revisions or exists(f"{folder}/_manifests")
    )
    repository.has_layers = repository.has_layers or layers or exists(f"{folder}/_layers")


def _add_young(contents: Contents, tables: Tables, since: datetime) -> None:
    new = tables.blobs.filter(pc.field("modified") > since)
    contents.young = frozenset(new["digest"].to_pylist())
    linked = tables.revisions.filter(pc.field("linked_at") > since)
    contents.young_revisions = frozenset(rows(linked, "repository", "digest"))
