"""What a registry has that is to be copied: its links by what they say, then its blobs.

Links are listed first and blobs afterwards. A push stores blobs before the links to them, so what a link that was
listed needs is among the blobs, however much is pushed meanwhile.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import (
    LINK_BYTES,
    LINKS,
    Blob,
    LayerLink,
    Link,
    RevisionLink,
    SignatureLink,
    TagIndexLink,
    TagLink,
    Unknown,
    digest_in_path,
)
from registry_s3fs.registry.entries import Entry, listed
from registry_s3fs.registry.progress import Progress, told
from registry_s3fs.registry.reading import File, raise_if_unreachable, read_links
from registry_s3fs.registry.sync.places import Place
from registry_s3fs.registry.sync.result import Problem

CopiedLink = LayerLink | RevisionLink | SignatureLink | TagIndexLink
"""A link other than a tag's ``current``."""


@dataclass
class Links:
    """The links of the chosen repositories."""

    said: dict[CopiedLink, str | None] = field(default_factory=dict)
    """The digest that each link says and that is to be written. It is None where the destination's link says it."""
    tags: dict[TagLink, str] = field(default_factory=dict)
    """The digest that each tag means."""
    repositories: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    """The links that say nothing."""
    unknown: int = 0


def chosen_by(include: str | re.Pattern[str] | None) -> Callable[[str], bool]:
    """Return the function that tells whether a repository is chosen.

    Raises:
        ValueError: It is no regular expression.
    """
    if include is None:
        return lambda name: True
    try:
        pattern = re.compile(include)
    except re.error as error:
        raise ValueError(f"{include!r} is no regular expression: {error}") from None
    return lambda name: pattern.search(name) is not None


def is_told_by_path(link: Link, size: int) -> bool:
    """Return whether the listing tells what a link says, as its path does, for all that registries write."""
    digest = digest_in_path(link)
    return size == LINK_BYTES and digest is not None and digest.startswith("sha256:")


def read_source_links(source: Place, is_chosen: Callable[[str], bool], progress: Progress) -> Links:
    """Return the links of the chosen repositories, of which those are read that the listing does not tell."""
    links = Links()
    unread: list[tuple[Link, int]] = []
    parse, done = source.layout.parse, 0
    for page in listed(source.fs, source.layout.repositories):
        for entry in page:
            file = parse(entry.path) if entry.is_file else Unknown(entry.path)
            if isinstance(file, LINKS):
                if is_chosen(file.repository):
                    _add(links, unread, file, entry)
            elif isinstance(file, Unknown):
                links.unknown += 1
        done += len(page)
        progress("listing links", done, None)
    _read(source, links, unread, progress)
    return links


def _add(links: Links, unread: list[tuple[Link, int]], file: Link, entry: Entry) -> None:
    links.repositories.add(file.repository)
    if isinstance(file, TagLink) or not is_told_by_path(file, entry.size):
        unread.append((file, entry.size))
        return
    if isinstance(file, SignatureLink):
        links.said[file] = file.signature
    else:
        digest = sys.intern(file.digest)  # a million links say fewer digests
        links.said[file._replace(digest=digest)] = digest


def _read(source: Place, links: Links, unread: Sequence[tuple[Link, int]], progress: Progress) -> None:
    files: Iterable[File] = ((file.at(source.root), size) for file, size in unread)
    found = zip(unread, read_links(source.fs, files), strict=True)
    for (file, size), (path, digest) in told(progress, "links", found, len(unread)):
        raise_if_unreachable(digest)
        if isinstance(digest, FileNotFoundError):  # deleted meanwhile
            continue
        problem = _problem(file, size, path, digest)
        if problem:
            links.problems.append(problem)
        elif isinstance(file, TagLink):
            links.tags[file] = sys.intern(str(digest))
        else:
            links.said[file] = sys.intern(str(digest))


def _problem(file: Link, size: int, path: str, digest: str | OSError) -> Problem | None:
    tag = file.tag if isinstance(file, (TagLink, TagIndexLink)) else None
    affected = (f"{file.repository}:{file.tag}",) if isinstance(file, TagLink) else ()
    expected = digest_in_path(file)
    if isinstance(digest, OSError):
        is_broken = isinstance(digest, ValueError)
        code = "link_empty" if size == 0 else "link_target_differs" if is_broken else "link_unreadable"
        detail = digest.strerror or str(digest)
        return Problem(code, file.repository, tag, expected, detail, affected, path)
    if expected is None or digest == expected or _is_alias(expected, digest):
        return None
    detail = f"the link says {digest}, and its path says {expected}"
    return Problem("link_target_differs", file.repository, tag, expected, detail, affected, path)


def _is_alias(expected: str, digest: str) -> bool:
    """Return whether a path of another algorithm leads to the canonical digest."""
    return digests.split(expected).algorithm != digests.split(digest).algorithm


def source_blobs(source: Place, progress: Progress) -> dict[str, int]:
    """Return the size of each blob."""
    found: dict[str, int] = {}
    parse, done = source.layout.parse, 0
    for page in listed(source.fs, source.layout.blobs):
        for entry in page:
            file = parse(entry.path)
            if isinstance(file, Blob) and entry.is_file:  # a FIFO would be read for ever
                found[sys.intern(file.digest)] = entry.size
        done += len(page)
        progress("listing blobs", done, None)
    return found


def meanings_now(source: Place, tags: Iterable[TagLink]) -> dict[TagLink, str | None]:
    """Return what tags mean now, or None for those that are gone or mean nothing."""
    wanted = list(tags)
    found = read_links(source.fs, ((tag.at(source.root), None) for tag in wanted))
    return {tag: digest if isinstance(digest, str) else None for tag, (_, digest) in zip(wanted, found, strict=True)}


def links_now(source: Place, links: Iterable[CopiedLink]) -> dict[CopiedLink, str]:
    """Return what links say that the listing did not have: some were written while it was made."""
    wanted = list(links)
    found = read_links(source.fs, ((link.at(source.root), None) for link in wanted))
    return {link: digest for link, (_, digest) in zip(wanted, found, strict=True) if isinstance(digest, str)}
