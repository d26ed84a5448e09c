"""The links by which repositories have images, written in the order in which nothing is promised before it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from registry_s3fs.model.registry_layout import LayerLink, RevisionLink, TagIndexLink, TagLink
from registry_s3fs.registry.oci_layout.closures import Closures
from registry_s3fs.registry.oci_layout.destinations import Destination
from registry_s3fs.registry.reading import read_links
from registry_s3fs.registry.writing import Writer

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MOST_AT_ONCE = 4000

Links = Mapping[str, str]
"""The digests that links hold, by their paths."""


def links(placed: Iterable[Destination], closures: Closures, stored: Mapping[str, int], root: str) -> Sequence[Links]:
    """Return the links of images, those first that must be there before the others.

    These are the layers', the manifests', and what each tag means or has meant; at the end, what each tag means now.

    Args:
        placed: The images.
        closures: Their manifests.
        stored: The blobs that are there. Foreign layers need not be.
        root: The registry's root.
    """
    layers: dict[str, str] = {}
    revisions: dict[str, str] = {}
    indexes: dict[str, str] = {}
    tags: dict[str, str] = {}
    for repository, tag, digest in placed:
        for node in closures.below(digest):
            revisions[RevisionLink(repository, node.digest).at(root)] = node.digest
            for blob, _ in node.blobs:
                if blob in stored:
                    layers[LayerLink(repository, blob).at(root)] = blob
        if tag:
            indexes[TagIndexLink(repository, tag, digest).at(root)] = digest
            tags[TagLink(repository, tag).at(root)] = digest
    return layers, revisions, indexes, tags


def write_links(fs: AbstractFileSystem, wanted: Links) -> int:
    """Write the links that are missing or hold something else, and return their number."""
    found = read_links(fs, ((path, None) for path in wanted))
    left = [path for path, digest in found if digest != wanted[path]]
    writer = Writer(fs)
    for first in range(0, len(left), MOST_AT_ONCE):
        batch = left[first : first + MOST_AT_ONCE]
        failed = writer.store({path: wanted[path].encode() for path in batch})
        for error in failed.values():
            raise error
        writer.remove_leftovers_of(batch)
    return len(left)
