"""What the destination has already, so that it is not copied again."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from registry_s3fs.model.registry_layout import LINKS, Blob, Link, TagLink, Unknown
from registry_s3fs.registry.entries import Entry, listed
from registry_s3fs.registry.progress import Progress
from registry_s3fs.registry.reading import File, raise_if_unreachable, read_links
from registry_s3fs.registry.sync.places import Place
from registry_s3fs.registry.sync.source import Links, is_told_by_path
from registry_s3fs.registry.writing import place_of_leftover

_STORED = (Blob, *LINKS)


@dataclass
class There:
    """What the destination has."""

    blobs: dict[str, int] = field(default_factory=dict)
    """The size of each blob."""
    tags: dict[TagLink, str | None] = field(default_factory=dict)
    """What each tag of the source means at the destination, or None where its link there is broken."""
    leftovers: list[str] = field(default_factory=list)
    """The files that a run was writing when it was killed."""


def read_destination(destination: Place, links: Links, progress: Progress) -> There:
    """Return what the destination has, and note in `links` which of them it has, with the same text."""
    there = There()
    unread: list[tuple[Link, int]] = []
    parse, done = destination.layout.parse, 0
    for page in listed(destination.fs, destination.root):
        for entry in page:
            file = parse(entry.path) if entry.is_file else None
            if isinstance(file, Blob):
                there.blobs[sys.intern(file.digest)] = entry.size
            elif isinstance(file, LINKS):
                _add(links, unread, file, entry)
            elif isinstance(file, Unknown) and isinstance(parse(place_of_leftover(entry.path) or ""), _STORED):
                there.leftovers.append(entry.path)
        done += len(page)
        progress("listing the destination", done, None)
    _read(destination, links, there, unread)
    return there


def _add(links: Links, unread: list[tuple[Link, int]], file: Link, entry: Entry) -> None:
    if isinstance(file, TagLink):
        if file in links.tags:
            unread.append((file, entry.size))
    elif file in links.said:
        if not is_told_by_path(file, entry.size):
            unread.append((file, entry.size))
        elif links.said[file] == file[-1]:
            links.said[file] = None


def _read(destination: Place, links: Links, there: There, unread: list[tuple[Link, int]]) -> None:
    files: Iterable[File] = ((file.at(destination.root), size) for file, size in unread)
    for (file, _), (_, digest) in zip(unread, read_links(destination.fs, files), strict=True):
        raise_if_unreachable(digest)
        if isinstance(file, TagLink):
            there.tags[file] = digest if isinstance(digest, str) else None
        elif links.said[file] == digest:
            links.said[file] = None
