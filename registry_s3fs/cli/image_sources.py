"""Where what is known of an image comes from: the registry itself, or the tables of an inventory."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from registry_s3fs.cli.columns import Row
from registry_s3fs.cli.references import full_digest, parse, resolve
from registry_s3fs.cli.tables import among, registry_of, rows, stored_tables, where
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.model.digests import is_digest
from registry_s3fs.model.info import modified

if TYPE_CHECKING:
    from registry_s3fs.registry.catalog import Catalog
    from registry_s3fs.registry.manifests import Descriptor, Manifest
    from registry_s3fs.registry.tables import Tables

AT_ONCE = 16
"""The number of files whose size is asked for side by side."""


@dataclass(frozen=True)
class Image:
    """A manifest that a reference names."""

    repository: str
    tag: str | None
    digest: str
    manifest: Manifest

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}" if self.tag else f"{self.repository}@{self.digest}"


class Referrer(Protocol):
    """A manifest that says something about another one."""

    @property
    def digest(self) -> str:
        """Return its digest."""
        ...

    @property
    def artifact_type(self) -> str | None:
        """Return what kind of thing it is."""
        ...


class Source(Protocol):
    """What the commands on one image ask."""

    def resolve(self, text: str) -> Image:
        """Return what a reference names."""
        ...

    def manifest(self, repository: str, digest: str) -> Manifest | None:
        """Return a manifest, or None where it is missing or damaged."""
        ...

    def sizes(self, digests: Collection[str]) -> Mapping[str, int]:
        """Return the sizes of those blobs that are stored."""
        ...

    def referrers(self, image: Image) -> Iterable[Referrer]:
        """Return what says something about an image."""
        ...

    def tag(self, image: Image) -> Row:
        """Return what is known of the image's tag beside its digest, by the columns of the table ``tags``."""
        ...

    def tag_history(self, repository: str, tag: str) -> list[Row]:
        """Return what a tag meant, by the columns of the table ``tag_history``."""
        ...


class LiveSource:
    """The registry as it is now. No more of it is read than is needed."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def resolve(self, text: str) -> Image:
        """Return what a reference names; of a digest, the beginning is enough."""
        found = self.catalog.resolve(self.whole(text))
        return Image(found.repository, found.tag, found.digest, found.manifest)

    def whole(self, text: str) -> str:
        """Return a reference with its digest in full."""
        named = parse(text)
        if not named.digest or is_digest(named.digest):
            return text
        return f"{named.repository}@{full_digest(self.catalog.revisions(named.repository), named.digest, text)}"

    def manifest(self, repository: str, digest: str) -> Manifest | None:
        """Return a manifest, or None where it is missing or damaged."""
        try:
            return self.catalog.resolve(f"{repository}@{digest}").manifest
        except (OSError, ValueError):
            return None

    def sizes(self, digests: Collection[str]) -> Mapping[str, int]:
        """Return the sizes of those blobs that are stored."""
        from registry_s3fs.registry.abilities import side_by_side
        from registry_s3fs.threads import pool

        with closing(side_by_side([self.catalog.fs], self._size, digests, pool.pool(AT_ONCE), AT_ONCE)) as sizes:
            return {digest: size for digest, size in zip(digests, sizes, strict=True) if size is not None}

    def _size(self, digest: str) -> int | None:
        try:
            size: int = self.catalog.fs.info(self.catalog.blob_path(digest))["size"]
        except (FileNotFoundError, ValueError):  # it is missing, or no digest at all
            return None
        return size

    def referrers(self, image: Image) -> Iterable[Referrer]:
        """Return what says something about an image."""
        return self.catalog.referrers(f"{image.repository}@{image.digest}")

    def tag(self, image: Image) -> Row:
        """Return when the tag was pushed."""
        if not image.tag:
            return {}
        info = self.catalog.fs.info(layout.TagLink(image.repository, image.tag).at(self.catalog.root))
        return {"pushed_at": modified(info)}

    def tag_history(self, repository: str, tag: str) -> list[Row]:
        """Return what a tag meant. The times are those of the links."""
        current = self.resolve(f"{repository}:{tag}").digest
        folder = layout.TagLink(repository, tag).at(self.catalog.root).removesuffix("/current/link") + "/index"
        infos: dict[str, Any] = self.catalog.fs.find(folder, detail=True)
        parse = layout.Layout(self.catalog.root).parse
        links = {
            file.digest: info for name, info in infos.items() if isinstance(file := parse(name), layout.TagIndexLink)
        }
        there = self.sizes(links).keys() & set(self.catalog.revisions(repository))
        return [
            {
                "repository": repository,
                "tag": tag,
                "digest": digest,
                "tagged_at": modified(info),
                "current": digest == current,
                "still_there": digest in there,
            }
            for digest, info in links.items()
        ]


class StoredSource:
    """The tables of an inventory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def resolve(self, text: str) -> Image:
        """Return what a reference names."""
        found = resolve(self._tables, text)
        digest = str(found.digest)
        manifest = self.manifest(found.repository, digest)
        if manifest is None:
            raise FileNotFoundError(2, "the manifest is missing, or cannot be read", str(found))
        return Image(found.repository, found.tag, digest, manifest)

    def manifest(self, repository: str, digest: str) -> Manifest | None:
        """Return a manifest as the tables tell of it, or None where it is missing or damaged."""
        from registry_s3fs.registry.manifests import Descriptor, Manifest

        found = rows(where(self._tables.manifests, digest=digest))
        if not found or found[0]["kind"] is None:
            return None
        row: Mapping[str, Any] = found[0]
        references = self._references(digest)
        return Manifest(
            kind=row["kind"],
            media_type=row["media_type"],
            artifact_type=row["artifact_type"],
            config=next(iter(references["config"]), None),
            layers=tuple(references["layer"]),
            children=tuple(references["child"]),
            subject=Descriptor(row["subject"], None) if row["subject"] else None,
            annotations=row["annotations"],
        )

    def _references(self, digest: str) -> dict[str, list[Descriptor]]:
        from registry_s3fs.registry.manifests import Descriptor, Platform

        found: list[Mapping[str, Any]] = rows(where(self._tables.references, parent=digest))
        children: list[Mapping[str, Any]] = rows(among(self._tables.manifests, {row["child"] for row in found}))
        platforms = {
            row["digest"]: Platform(row["os"], row["architecture"], row["variant"]) for row in children if row["os"]
        }
        described: dict[str, list[Descriptor]] = {role: [] for role in ("config", "layer", "child", "subject")}
        for row in sorted(found, key=lambda row: int(row["position"])):
            platform = platforms.get(row["child"]) if row["role"] == "child" else None
            described[row["role"]].append(
                Descriptor(row["child"], row["declared_size"], row["media_type"], row["annotations"], platform)
            )
        return described

    def sizes(self, digests: Collection[str]) -> Mapping[str, int]:
        """Return the sizes of those blobs that are stored."""
        found = among(self._tables.blobs.select(["digest", "size"]), digests)
        return dict(zip(found["digest"].to_pylist(), found["size"].to_pylist(), strict=True))

    def referrers(self, image: Image) -> Iterable[Referrer]:
        """Return what says something about an image: by its subject, or by a tag that is made of the digest."""
        from registry_s3fs.registry.catalog import Referrer

        tables = self._tables
        revisions = where(tables.revisions, repository=image.repository)["digest"].to_pylist()
        by_subject = where(among(tables.manifests, set(revisions)), subject=image.digest)["digest"].to_pylist()
        tags = rows(where(tables.tags, repository=image.repository, digest_tag_of=image.digest))
        found = dict.fromkeys(by_subject) | {str(row["digest"]): str(row["tag"]) for row in tags}
        for digest, tag in list(found.items()):
            manifest = self.manifest(image.repository, digest)
            if tag and manifest and manifest.kind == "index":
                del found[digest]
                found.update({child.digest: tag for child in manifest.children})
        types = {digest: self.manifest(image.repository, digest) for digest in found}
        return [Referrer(each, (m := types[each]) and m.artifact_type, {}, found[each]) for each in sorted(found)]

    def tag(self, image: Image) -> Row:
        """Return the tag's row."""
        found = rows(where(self._tables.tags, repository=image.repository, tag=image.tag)) if image.tag else []
        return found[0] if found else {}

    def tag_history(self, repository: str, tag: str) -> list[Row]:
        """Return what a tag meant."""
        return rows(where(self._tables.tag_history, repository=repository, tag=tag))


def source_of(arguments: argparse.Namespace) -> Source:
    """Return the tables of the inventory that is named, or else the registry itself."""
    if arguments.inventory:
        return StoredSource(stored_tables(arguments.inventory, arguments))
    return LiveSource(catalog_of(arguments))


def catalog_of(arguments: argparse.Namespace) -> Catalog:
    """Return the catalog of the registry that is named, for what no table has.

    Raises:
        ValueError: Only an inventory is named.
    """
    from registry_s3fs.registry.catalog import Catalog

    found = registry_of(arguments)
    return Catalog(found.fs, found.root)
