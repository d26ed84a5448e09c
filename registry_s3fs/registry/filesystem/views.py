"""How a manifest is shown: as an image's merged root filesystem, layer by layer, or by the titles of its blobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal, NamedTuple

from registry_s3fs import errors
from registry_s3fs.registry.catalog import Catalog, StoredManifest, stored_digest
from registry_s3fs.registry.filesystem import artifact as artifacts
from registry_s3fs.registry.filesystem.artifact import ArtifactFile
from registry_s3fs.registry.filesystem.tree import Tree
from registry_s3fs.registry.layers import rootfs as merging
from registry_s3fs.registry.layers.entries import LayerEntry
from registry_s3fs.registry.layers.store import Layers
from registry_s3fs.registry.manifests import Descriptor, Manifest

View = Literal["auto", "rootfs", "layers", "artifact"]
"""How a manifest is shown."""
VIEWS = ("auto", "rootfs", "layers", "artifact")


class Files(NamedTuple):
    """What an image or artifact holds."""

    stored: StoredManifest
    """Its manifest; the one for the platform, where the reference leads to an index."""
    tree: Tree
    raw: dict[str, Descriptor]
    """The files that are blobs themselves, by path."""
    packed: tuple[ArtifactFile, ...] = ()
    """The packed folders that are not in the tree yet, as their archives were not looked at."""

    def has(self, path: str) -> bool:
        """Return whether what is known tells of a path. ``""`` is the whole."""
        return not self.packed or path in self.raw


class Source(NamedTuple):
    """A manifest, and where its blobs are."""

    catalog: Catalog
    layers: Layers
    stored: StoredManifest
    name: str
    """What errors call the image or artifact."""

    def blobs(self) -> Iterator[Descriptor]:
        """Yield the layers.

        Raises:
            UnreadableManifestError: One has a digest that no blob can have.
        """
        for blob in self.stored.manifest.layers:
            stored_digest(blob, self.stored)
            yield blob


def view_of(manifest: Manifest) -> View:
    """Return how a manifest is shown if nobody says it.

    Signatures and attestations may have an image's config, and layers that are no archives.
    """
    is_image = manifest.kind in ("image", "schema1")
    return "rootfs" if is_image and all(map(_is_archive, manifest.layers)) else "artifact"


def rootfs(source: Source) -> Files:
    """Return the root filesystem that the layers of an image make.

    Raises:
        OSError: As `Layers.entries`.
    """
    merged = merging.merge(source.layers.entries(blob) for blob in source.blobs())
    return Files(source.stored, Tree(merged, source.name), {})


def layers(source: Source) -> Files:
    """Return a folder for each layer, named by its digest, with all that it has. What is no archive is a file.

    Markers of what a layer deletes (``.wh.NAME``) are files of this name.

    Raises:
        OSError: As `Layers.entries`.
    """
    blobs = {blob.digest: blob for blob in source.blobs()}
    raw = {digest: blob for digest, blob in blobs.items() if not _is_archive(blob)}
    entries = (
        entry
        for digest, blob in blobs.items()
        for entry in (
            [_raw_entry(source, ArtifactFile(digest, blob, False))] if digest in raw else _layer(source, blob)
        )
    )
    return Files(source.stored, Tree(entries, source.name, roots=frozenset(blobs)), raw)


def raw_files(source: Source) -> Files:
    """Return the files of an artifact that are blobs themselves. Packed folders are only named.

    Raises:
        RefusedNameError: A title is refused.
        UnreadableManifestError: A blob has a digest that none can have.
    """
    files = artifacts.files(source.stored.manifest, source.name)
    for file in files:
        stored_digest(file.blob, source.stored)
    raw = [file for file in files if not file.is_packed]
    entries = [_raw_entry(source, file) for file in raw]
    packed = tuple(file for file in files if file.is_packed)
    return Files(source.stored, Tree(entries, source.name), {file.path: file.blob for file in raw}, packed)


def artifact(source: Source, files: Files) -> Files:
    """Return all files of an artifact, those of packed folders too.

    Raises:
        RefusedNameError: A packed folder has a file at the path of another blob's.
        OSError: As `Layers.entries`.
    """
    owners = dict(files.raw)
    entries = (entry for file in files.packed for entry in _unpacked(source, file, owners))
    raw = [files.tree.entry(path) for path in files.raw]
    return Files(source.stored, Tree(chain(raw, entries), source.name), files.raw)


def _unpacked(source: Source, file: ArtifactFile, owners: dict[str, Descriptor]) -> Iterator[LayerEntry]:
    if file.path:
        yield LayerEntry(file.path, "directory")
    for entry in _with_bytes(source.layers.entries(file.blob)):
        path = artifacts.path_in_folder(file.path, entry.path)
        if path is None:
            continue
        if entry.kind != "directory" and owners.setdefault(path, file.blob).digest != file.blob.digest:
            what = f"the packed folder {file.blob.digest} has {path[:80]!r}"
            raise errors.refused_name(source.name, what, "another blob has it, too")
        yield entry._replace(path=path)


def _layer(source: Source, blob: Descriptor) -> Iterator[LayerEntry]:
    yield LayerEntry(blob.digest, "directory")
    for entry in _with_bytes(source.layers.entries(blob)):
        yield entry._replace(path=f"{blob.digest}/{entry.path}")


def _with_bytes(entries: Iterable[LayerEntry]) -> Iterator[LayerEntry]:
    """Yield the entries of one archive; hard links have what their targets have, as `merge` gives it to them."""
    files: dict[str, LayerEntry] = {}
    for entry in entries:
        if entry.kind == "hardlink" and entry.link_target in files:
            target = files[entry.link_target]
            found = target._replace(path=entry.path, kind="hardlink", link_target=entry.link_target)
        else:
            found = entry
        if found.blob is not None:
            files[found.path] = found
        yield found


def _raw_entry(source: Source, file: ArtifactFile) -> LayerEntry:
    size = file.blob.size
    if size is None:
        size = int(source.catalog.fs.info(source.catalog.blob_path(file.blob.digest))["size"])
    return artifacts.raw_entry(file, size, source.stored.manifest)


def _is_archive(blob: Descriptor) -> bool:
    return blob.media_type is None or "tar" in blob.media_type
