"""`import_images`: the images of an OCI image layout go into a registry's storage, as if they were pushed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fsspec.core import url_to_fs

from registry_s3fs.errors import LayoutError, UnreadableManifestError
from registry_s3fs.model.registry_layout import ROOT
from registry_s3fs.model.text import counted
from registry_s3fs.registry.oci_layout.blobs import BlobSource, Copied, copy_blobs, registry_blobs
from registry_s3fs.registry.oci_layout.closures import Closures, checked, compared
from registry_s3fs.registry.oci_layout.destinations import Destination, LayoutImage, destinations
from registry_s3fs.registry.oci_layout.index_file import INDEX_FILE, parse_index
from registry_s3fs.registry.oci_layout.layouts import open_layout
from registry_s3fs.registry.oci_layout.links import Links, links, write_links
from registry_s3fs.registry.oci_layout.names import CONTAINERD_NAME, REF_NAME, image_name
from registry_s3fs.registry.platforms import choose, parse_platform
from registry_s3fs.registry.progress import Progress, silent

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from registry_s3fs.registry.manifests import Descriptor

_MOST_SHOWN = 10


class ImportedImage(NamedTuple):
    """An image that is in the registry now."""

    repository: str
    tag: str | None
    """None where the repository has it by its digest alone."""
    digest: str
    kind: str
    """``image``, ``index``, ``artifact`` or ``schema1``."""
    manifests: int
    """The number of its manifests: itself, and those of an index."""
    bytes: int
    """The size of all that it consists of."""

    @property
    def reference(self) -> str:
        """Return its name in the registry."""
        return str(Destination(self.repository, self.tag, self.digest))


class Import(NamedTuple):
    """What came of an import."""

    images: tuple[ImportedImage, ...]
    blobs: int
    """The number of blobs that were stored."""
    bytes: int
    """The number of their bytes."""
    kept: int
    """The number of blobs that were there already."""
    links: int
    """The number of links that were written."""
    foreign: tuple[str, ...]
    """The layers that clients fetch from elsewhere, and that the layout does not have."""


def import_images(
    fs: AbstractFileSystem,
    source: str,
    *,
    root: str = ROOT,
    source_fs: AbstractFileSystem | None = None,
    reference: str | None = None,
    images: Collection[str] = (),
    platform: str | None = None,
    progress: Progress = silent,
) -> Import:
    """Store the images of an OCI image layout in a registry: the files are those that the registry writes for a push.

    Every manifest is read, and every blob is known to be there, before the first one is written. Each blob is compared
    with its digest on the way; links are written when all blobs are there, and what tags mean last of all. An import
    that was interrupted copies what lacks when it is begun again.

    Args:
        fs: The filesystem that the registry is in.
        source: The layout: a folder or a tar, as a path or a URL of any fsspec filesystem.
        root: The folder that has or gets ``blobs`` and ``repositories``.
        source_fs: The filesystem that the layout is in. By default, the URL tells.
        reference: Another name for the image, such as ``team/app:1.2``. A repository alone, such as ``team/app``, has
            all images of the layout, each with its own tag.
        images: Only these, by their names in the layout or by their digests. By default, all.
        platform: Of an index, only the image for this platform, such as ``linux/arm64``. It gets the name of the index.
            The layout need not have the others: docker saves only the images that it has pulled.
        progress: Is told how many manifests, blobs and links are done.

    Raises:
        FileNotFoundError: There is no such folder or file.
        LayoutError: It is no layout, lacks what it names, or names what no registry takes.
        DigestMismatchError: A blob has other bytes than its digest says. No link is written.
        UnreadableManifestError: A manifest cannot be read.
        InvalidReferenceError: `reference` is none.
        PlatformError: An index has nothing for the platform.
        OSError: Something cannot be read or written.
    """
    opened, path = (source_fs, source) if source_fs else url_to_fs(source)
    layout = open_layout(opened, path)
    chosen = _chosen(parse_index(layout.index(), path), images, path)
    if platform:
        chosen = [_for_platform(layout.blobs, each, platform, path) for each in chosen]
    closures = Closures(layout.blobs.manifests, _missing)
    closures.add(_digests(chosen, path))
    progress("manifests", len(closures.nodes), len(closures.nodes))
    placed = destinations([_named(each, reference) for each in chosen], closures, reference)
    sizes = _all_there(layout.blobs, closures, path)
    copied = copy_blobs(layout.blobs, registry_blobs(fs, root), sizes, progress)
    written = _link(fs, links(placed, closures, sizes, root), progress)
    return _result(placed, closures, sizes, copied, written)


def _chosen(there: Sequence[Descriptor], images: Collection[str], where: str) -> Sequence[Descriptor]:
    """Return the images that were asked for, by default all."""
    if not there:
        raise LayoutError(f"{where}: the layout has no images")
    names = {text for each in there for text in _texts(each)}
    unknown = [image for image in images if image not in names]
    if unknown:
        shown = ", ".join(sorted(names)[:_MOST_SHOWN])
        raise LayoutError(f"{where}: the layout has no image {unknown[0][:200]!r}; it has {shown}")
    return [each for each in there if not images or _texts(each) & set(images)]


def _for_platform(blobs: BlobSource, image: Descriptor, platform: str, where: str) -> Descriptor:
    """Return the image of an index that is for a platform, with the index's name, or an image that is no index."""
    [digest] = _digests([image], where)
    [(path, data)] = blobs.manifests([digest])
    if isinstance(data, OSError):
        raise _missing(f"the manifest {digest} is missing", path) if isinstance(data, FileNotFoundError) else data
    manifest = compared(digest, path, data)
    if manifest.kind != "index":
        return image
    return choose(manifest, parse_platform(platform), digest)._replace(annotations=image.annotations)


def _missing(what: str, where: str) -> LayoutError:
    return LayoutError(f"{where}: {what}; of an index that is not whole, give the platform to import (--platform)")


def _texts(descriptor: Descriptor) -> set[str]:
    """Return what an image of a layout is called."""
    named = {descriptor.annotations[key] for key in (REF_NAME, CONTAINERD_NAME) if key in descriptor.annotations}
    return named | {descriptor.digest}


def _digests(chosen: Sequence[Descriptor], where: str) -> Sequence[str]:
    try:
        return [checked(each) for each in chosen]
    except UnreadableManifestError as error:
        raise LayoutError(f"{where}: {INDEX_FILE}: {error}") from error


def _named(descriptor: Descriptor, reference: str | None) -> LayoutImage:
    """Return an image and its name. One that no registry takes does not matter where it gets another one."""
    try:
        return LayoutImage(descriptor.digest, image_name(descriptor.annotations))
    except LayoutError:
        if reference and ":" in reference:
            return LayoutImage(descriptor.digest, None)
        raise


def _all_there(blobs: BlobSource, closures: Closures, where: str) -> dict[str, int]:
    """Return the sizes of all blobs, in the order in which they are copied: manifests last."""
    needed = closures.blobs()
    found = blobs.sizes(needed)
    missing = [digest for digest, may_be_missing in needed.items() if digest not in found and not may_be_missing]
    if missing:
        raise LayoutError(
            f"{where}: the layout lacks {counted(len(missing), 'blob')} of its images, the first is {missing[0]}; "
            "it may be truncated, or have been made of a part of an image"
        )
    return found | {node.digest: node.size for node in closures.nodes.values()}


def _link(fs: AbstractFileSystem, stages: Sequence[Links], progress: Progress) -> int:
    total, done, written = sum(map(len, stages)), 0, 0
    for stage in stages:
        written += write_links(fs, stage)
        done += len(stage)
        progress("links", done, total)
    return written


def _result(
    placed: Sequence[Destination], closures: Closures, sizes: Mapping[str, int], copied: Copied, written: int
) -> Import:
    images = tuple(ImportedImage(*each, *closures.weight(each.digest, sizes)) for each in placed)
    foreign = tuple(digest for digest in closures.blobs() if digest not in sizes)
    return Import(images, copied.blobs, copied.bytes, copied.kept, written, foreign)
