"""The files of a registry sorted by what they mean: blobs, links, uploads, and what no registry writes."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import NamedTuple

from registry_s3fs.model.registry_layout import (
    LINK_BYTES,
    LINKS,
    Blob,
    LayerLink,
    Layout,
    Link,
    RegistryFile,
    RevisionLink,
    TagIndexLink,
    Unknown,
    UploadData,
    UploadHashState,
    UploadStartedAt,
    digest_in_path,
)
from registry_s3fs.registry.entries import Entry
from registry_s3fs.registry.progress import Progress
from registry_s3fs.registry.tables import Rows


class ListedLink(NamedTuple):
    """A link, or an upload's ``startedat``, whose text the listing does not tell."""

    file: Link | UploadStartedAt
    entry: Entry


@dataclass
class Sums:
    """The bytes of all keys, and of those that are no blobs."""

    keys: int = 0
    bytes: int = 0
    links: int = 0
    uploads: int = 0
    unknown: int = 0

    def __add__(self, other: Sums) -> Sums:
        """Return the sums of both."""
        return Sums(*map(operator.add, astuple(self), astuple(other)))


class Scan:
    """What a listing tells. Add all entries, then take the rows.

    A link of `LINK_BYTES` whose path has a sha256 digest says that digest, as every registry writes it. So it is not
    read. All others are, and so is ``startedat`` of uploads: they are in `unread`.
    """

    def __init__(self, root: str) -> None:
        self.blobs = Rows("blobs")
        self.revisions = Rows("revisions")
        self.tag_history = Rows("tag_history")
        self.layers = Rows("layers")
        self.unread: list[ListedLink] = []
        self.unknown: list[Entry] = []
        self.uploads: list[Entry] = []
        self.sums = Sums()
        self._layout = Layout(root)

    def add(self, entries: Sequence[Entry]) -> None:
        """Add files, in any order."""
        parse, sums = self._layout.parse, self.sums
        sums.keys += len(entries)
        sums.bytes += sum([entry.size for entry in entries])
        for entry in entries:
            file = parse(entry.path) if entry.is_file else Unknown(entry.path)
            if isinstance(file, Blob):
                self.blobs.append(file.digest, entry.size, entry.modified, entry.storage_class)
            elif isinstance(file, LINKS):
                self._add_link(file, entry)
            else:
                self._add_other(file, entry)

    def update(self, other: Scan) -> None:
        """Add what another scan has, of other files of the same registry."""
        for name in ("blobs", "revisions", "tag_history", "layers"):
            getattr(self, name).extend(getattr(other, name))
        self.unread += other.unread
        self.unknown += other.unknown
        self.uploads += other.uploads
        self.sums += other.sums

    def add_link(self, file: Link, digest: str, modified: datetime | None) -> None:
        """Add a link, other than a tag's ``current``, whose text says a digest."""
        if isinstance(file, LayerLink):
            self.layers.append(file.repository, digest, modified)
        elif isinstance(file, RevisionLink):
            self.revisions.append(file.repository, digest, modified)
        elif isinstance(file, TagIndexLink):
            self.tag_history.append(file.repository, file.tag, digest, modified)

    def _add_link(self, file: Link, entry: Entry) -> None:
        self.sums.links += entry.size
        digest = digest_in_path(file)
        if digest and entry.size == LINK_BYTES and digest.startswith("sha256:"):
            self.add_link(file, digest, entry.modified)
        else:
            self.unread.append(ListedLink(file, entry))

    def _add_other(self, file: RegistryFile, entry: Entry) -> None:
        if isinstance(file, (UploadData, UploadStartedAt, UploadHashState)):
            self.sums.uploads += entry.size
            self.uploads.append(entry)
            if isinstance(file, UploadStartedAt):
                self.unread.append(ListedLink(file, entry))
        else:
            self.sums.unknown += entry.size
            self.unknown.append(entry)


def scan_pages(root: str, pages: Iterable[Sequence[Entry]], progress: Progress) -> Scan:
    """Return what the pages of a listing tell.

    Args:
        root: The registry's root.
        pages: The files below it, or some of them.
        progress: What is told how many files there were so far.
    """
    scan = Scan(root)
    for page in pages:
        scan.add(page)
        progress("listing", scan.sums.keys, None)
    return scan
