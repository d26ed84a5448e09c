"""`export_images`: images of a registry's storage go into an OCI image layout, which other tools read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fsspec.core import url_to_fs

from registry_s3fs import errors
from registry_s3fs.model.references import Reference
from registry_s3fs.model.registry_layout import ROOT
from registry_s3fs.model.text import counted
from registry_s3fs.registry.catalog import Catalog
from registry_s3fs.registry.oci_layout.blobs import BlobFiles, registry_blobs
from registry_s3fs.registry.oci_layout.closures import Closures
from registry_s3fs.registry.oci_layout.index_file import Entry
from registry_s3fs.registry.oci_layout.names import ref_name
from registry_s3fs.registry.oci_layout.referrers import Referrers, Referring
from registry_s3fs.registry.oci_layout.targets import TAR, check_target, write_folder, write_tar
from registry_s3fs.registry.progress import Progress, silent

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class ExportedImage(NamedTuple):
    """An image that is in the layout."""

    reference: str
    """Its name in the layout, by which skopeo finds it: ``oci:FOLDER:NAME``."""
    digest: str
    kind: str
    """``image``, ``index``, ``artifact`` or ``schema1``."""
    manifests: int
    """The number of its manifests: itself, and those of an index."""
    bytes: int
    """The size of all that it consists of."""
    is_referrer: bool
    """Whether it is there because it says something about another one."""


class Export(NamedTuple):
    """What came of an export."""

    images: tuple[ExportedImage, ...]
    blobs: int
    """The number of blobs that were written."""
    bytes: int
    """The number of their bytes."""
    kept: int
    """The number of blobs that were in the folder already."""
    foreign: tuple[str, ...]
    """The layers that clients fetch from elsewhere, and that the registry does not store."""


def export_images(
    fs: AbstractFileSystem,
    references: Iterable[str | Reference],
    target: str,
    *,
    root: str = ROOT,
    target_fs: AbstractFileSystem | None = None,
    referrers: bool = False,
    platform: str | None = None,
    progress: Progress = silent,
) -> Export:
    """Write images into an OCI image layout, digest for digest as the registry has them.

    An index comes with all its images. Each blob is written once, and compared with its digest on the way. What is
    missing is known before the first one is written; ``index.json``, which makes the layout, is written last.

    Args:
        fs: The filesystem that the registry is in.
        references: The images and artifacts, by tag or digest.
        target: The layout, as a path or a URL of any fsspec filesystem: a tar where its name ends in ``.tar``, or else
            a folder. To a folder that is a layout, the images are added.
        root: The folder that has ``blobs`` and ``repositories``.
        target_fs: The filesystem that the layout goes to. By default, the URL tells.
        referrers: Also what says something about the images: signatures, SBOMs, attestations.
        platform: Of an index, only the image for this platform, such as ``linux/arm64``.
        progress: Is told how many manifests and blobs are done.

    Raises:
        NotInRegistryError: There is no such repository or tag, or a manifest or blob is missing.
        FileExistsError: There is a tar, or a folder with other files.
        LayoutError: There is a layout that cannot be read, or it would be larger than any that tools read.
        DigestMismatchError: A blob is damaged.
        UnreadableManifestError: A manifest cannot be read.
        InvalidReferenceError: A reference names nothing that a registry could have.
        PlatformError: An index has nothing for the platform.
        OSError: Something cannot be read or written.
    """
    opened, path = (target_fs, target) if target_fs else url_to_fs(target)
    path = path.rstrip("/") or path
    check_target(opened, path)
    catalog, blobs = Catalog(fs, root), registry_blobs(fs, root)
    named = [_named(catalog, reference, platform) for reference in references]
    closures = Closures(blobs.manifests, errors.not_in_registry)
    closures.add(each.digest for each in named)
    referring = _referring(catalog, named, closures) if referrers else []
    progress("manifests", len(closures.nodes), len(closures.nodes))
    sizes = _sizes(blobs, closures)
    entries = [_entry(each, closures) for each in dict.fromkeys([*named, *referring])]
    write = write_tar if path.endswith(TAR) else write_folder
    copied = write(opened, path, entries, blobs, sizes, progress)
    first = {_entry(each, closures).name for each in named}
    images = tuple(_image(entry, closures, sizes, entry.name not in first) for entry in entries)
    foreign = tuple(digest for digest in closures.blobs() if digest not in sizes)
    return Export(images, copied.blobs, copied.bytes, copied.kept, foreign)


def _named(catalog: Catalog, reference: str | Reference, platform: str | None) -> Referring:
    """Return what a reference names. The image for a platform keeps the tag of its index."""
    found = catalog.resolve(reference, platform)
    return Referring(found.repository, found.tag, found.digest)


def _referring(catalog: Catalog, named: Sequence[Referring], closures: Closures) -> list[Referring]:
    found = []
    for repository in dict.fromkeys(each.repository for each in named):
        roots = [each.digest for each in named if each.repository == repository]
        found += Referrers(catalog, repository).of(roots, closures)
    return found


def _sizes(blobs: BlobFiles, closures: Closures) -> dict[str, int]:
    """Return the sizes of all blobs, in the order in which they are written: manifests last."""
    needed = closures.blobs()
    found = blobs.sizes(needed)
    missing = [digest for digest, may_be_missing in needed.items() if digest not in found and not may_be_missing]
    if missing:
        needing = [node.digest for node in closures.nodes.values() if missing[0] in {blob for blob, _ in node.blobs}]
        raise errors.not_in_registry(
            f"{counted(len(missing), 'blob')} of the images are missing, the first is {missing[0]}, which the manifest "
            f"{needing[0]} needs",
            blobs.path(missing[0]),
        )
    return found | {node.digest: node.size for node in closures.nodes.values()}


def _entry(found: Referring, closures: Closures) -> Entry:
    node = closures.nodes[found.digest]
    name = ref_name(found.repository, found.tag, found.digest)
    return Entry(name, node.digest, node.size, node.media_type, node.artifact_type)


def _image(entry: Entry, closures: Closures, sizes: dict[str, int], is_referrer: bool) -> ExportedImage:
    kind, manifests, size = closures.weight(entry.digest, sizes)
    return ExportedImage(entry.name, entry.digest, kind, manifests, size, is_referrer)
