"""What names an image: ``team/app:1.2``, ``team/app@sha256:...``; and digests of which only the beginning is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.cli.tables import among, where

if TYPE_CHECKING:
    from registry_s3fs.registry.tables import Tables

LATEST = "latest"
"""The tag that is meant where none is named, as docker has it."""


class Reference(NamedTuple):
    """A repository, and a tag or digest in it."""

    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        if self.digest:
            return f"{self.repository}@{self.digest}"
        return f"{self.repository}:{self.tag}" if self.tag else self.repository


def parse(text: str) -> Reference:
    """Return what a text names.

    >>> parse("team/app:1.2"), parse("team/app").tag
    (Reference(repository='team/app', tag='1.2', digest=None), None)
    >>> parse("team/app:1.2@sha256:ab")
    Reference(repository='team/app', tag=None, digest='sha256:ab')

    Raises:
        ValueError: A part of it is empty. A script's variable may have been.
    """
    name, at, digest = text.partition("@")
    above, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    if not last or (at and not digest) or (colon and not tag):
        raise _empty_part(text)
    return Reference(above + slash + last, (tag or None) if not digest else None, digest or None)


def parse_set(text: str) -> Reference:
    """Return what a text names, which may be many images. A digest's algorithm alone is no name of all of them.

    Raises:
        ValueError: A part of it is empty.
    """
    found = parse(text)
    if found.digest and found.digest.endswith(":"):
        raise _empty_part(text)
    return found


def _empty_part(text: str) -> ValueError:
    return ValueError(f"{text!r} has an empty part; give team/app, team/app:1.2 or team/app@sha256:...")


def resolve(tables: Tables, text: str) -> Reference:
    """Return the repository, tag and digest of an image.

    Raises:
        FileNotFoundError: There is no such repository, tag or manifest.
    """
    found = parse(text)
    if found.digest:
        digests = where(tables.revisions, repository=found.repository)["digest"].to_pylist()
        return found._replace(digest=full_digest(digests, found.digest, text))
    tag = found.tag or LATEST
    digests = where(tables.tags, repository=found.repository, tag=tag)["digest"].to_pylist()
    if not digests or digests[0] is None:
        raise FileNotFoundError(2, "there is no such tag", str(found._replace(tag=tag)))
    return found._replace(tag=tag, digest=digests[0])


def known_digests(tables: Tables) -> Iterable[str]:
    """Return all digests that blobs, manifests and links have."""
    columns = (tables.blobs["digest"], tables.manifests["digest"], tables.layers["digest"], tables.references["child"])
    return (digest for column in columns for digest in column.unique().to_pylist())


def full_digest(digests: Iterable[str], text: str, shown: str = "") -> str:
    """Return the one digest that a text is, or begins. The algorithm may be left out if it is sha256.

    >>> full_digest(["sha256:abcd", "sha256:ab12"], "abc")
    'sha256:abcd'

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several.
    """
    wanted = text if ":" in text else f"sha256:{text}"
    found = sorted({digest for digest in digests if digest.startswith(wanted)})
    if wanted in found or len(found) == 1:
        return wanted if wanted in found else found[0]
    if found:
        raise ValueError(f"{shown or text}: {len(found)} digests begin so; give more of it")
    raise FileNotFoundError(2, "there is no such digest", shown or text)


def layers_used_by(tables: Tables, manifest: str) -> set[str]:
    """Return the layers that a manifest and its children use."""
    return _closure(tables, manifest)["layer"]


def blobs_of(tables: Tables, manifest: str) -> set[str]:
    """Return a manifest's closure: itself, its config and layers, and what its children use."""
    return {manifest}.union(*_closure(tables, manifest).values())


def _closure(tables: Tables, manifest: str) -> dict[str, set[str]]:
    """Return what a manifest and its children use, by its role."""
    found: dict[str, set[str]] = {role: set() for role in ("config", "layer", "child")}
    waiting, seen = {manifest}, set[str]()
    while waiting:
        seen |= waiting
        table = among(tables.references, waiting, "parent")
        for role, digests in found.items():
            digests.update(where(table, role=role)["child"].to_pylist())
        waiting = found["child"] - seen
    return found


def tags_using(tables: Tables, digest: str) -> Sequence[str]:
    """Return the tags that lead to a digest, and the manifests without a tag that do."""
    from registry_s3fs.registry.affected import affected_tags

    found = affected_tags(tables).of(digest)
    return (*found.tags, *found.untagged)
