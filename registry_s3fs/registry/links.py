"""The links whose text a listing does not tell: what tags point to now, and links that are odd."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import (
    LINK_BYTES,
    LayerLink,
    Link,
    RevisionLink,
    TagLink,
    UploadStartedAt,
    digest_in_path,
)
from registry_s3fs.registry.previous import Previous, link_state
from registry_s3fs.registry.progress import Progress, told
from registry_s3fs.registry.reading import MAX_LINK_BYTES, ReadFiles, raise_if_unreachable
from registry_s3fs.registry.scan import ListedLink, Scan
from registry_s3fs.registry.tables import Rows


class BrokenLink(NamedTuple):
    """A link that does not say what its path says, or no digest at all."""

    file: Link
    key: str
    code: str
    digest: str | None
    """The digest that it says."""
    detail: str


class LinksRead(NamedTuple):
    """What the links say."""

    tags: pa.Table
    """The tags with what they point to, which is null for a broken link."""
    links: pa.Table
    """The table `links`: every text that was read."""
    broken: list[BrokenLink]
    odd_revisions: set[tuple[str, str]]
    """The repository of each revision whose link was read, with the digest that its text says and that of its path."""
    started: dict[str, bytes]
    """The text of each file ``startedat``, by its path."""


def read_links(read: ReadFiles, scan: Scan, previous: Previous, progress: Progress) -> LinksRead:
    """Return what the links say that the listing does not tell, and add their rows to the scan.

    Those that are gone meanwhile are left out.

    Args:
        read: What reads files.
        scan: What the listing tells.
        previous: What an earlier inventory knows.
        progress: What is told how far it is.
    """
    tags, links = Rows("tags"), Rows("links")
    broken: list[BrokenLink] = []
    odd_revisions: set[tuple[str, str]] = set()
    started: dict[str, bytes] = {}
    for link, text in _texts(read, scan.unread, previous, progress):
        if isinstance(text, FileNotFoundError):
            continue
        if isinstance(text, str) and text:
            etag = link_state(link.entry).etag
            links.append(link.entry.path, link.entry.modified, link.entry.size, etag, text)
        if isinstance(link.file, UploadStartedAt):
            started[link.entry.path] = text.encode() if isinstance(text, str) else b""
            continue
        digest = text if isinstance(text, str) and digests.is_digest(text) else None
        if isinstance(link.file, TagLink):
            tags.append(link.file.repository, link.file.tag, digest, link.entry.modified)
        else:
            _add(scan, link.file, digest, link.entry.modified)
        if isinstance(link.file, RevisionLink):
            odd_revisions |= {(link.file.repository, each) for each in (digest, link.file.digest) if each}
        broken += filter(None, [_found_broken(link.file, link.entry.path, text, digest)])
    return LinksRead(tags.table(), links.table(), broken, odd_revisions, started)


def _texts(
    read: ReadFiles, unread: list[ListedLink], previous: Previous, progress: Progress
) -> Iterator[tuple[ListedLink, str | OSError]]:
    changed = []
    for link in unread:
        text = "" if link.entry.size == 0 else previous.link_text(link.entry)
        if text is None:
            changed.append(link)
        else:
            yield link, text
    contents = read([(link.entry.path, link.entry.size) for link in changed], MAX_LINK_BYTES)
    found = zip(changed, (content for _, content in contents), strict=True)
    for link, content in told(progress, "links", found, len(changed)):
        raise_if_unreachable(content)
        yield link, content if isinstance(content, OSError) else content.decode("ascii", errors="backslashreplace")


def _add(scan: Scan, file: Link, digest: str | None, modified: datetime | None) -> None:
    """Add the row of a link that is no tag's ``current``. A broken layer link still shows that its folder is there."""
    if isinstance(file, LayerLink):
        digest = digest or digest_in_path(file)
    if digest:
        scan.add_link(file, digest, modified)


def _found_broken(file: Link, key: str, text: str | OSError, digest: str | None) -> BrokenLink | None:
    expected = digest_in_path(file)
    if digest:
        # A path of another algorithm is an alias, whose text is the canonical digest.
        is_alias = expected is None or digests.split(expected).algorithm != digests.split(digest).algorithm
        if is_alias or digest == expected:
            return None
        detail = f"its text is {digest}, and its path says {expected}"
        return BrokenLink(file, key, "link_target_differs", digest, detail)
    if text == "":
        return BrokenLink(file, key, "link_empty", None, f"it has no text; {_needed(expected)}")
    shown = f"its text is no digest: {text[:100]!r}" if isinstance(text, str) else f"it was not read: {text}"
    return BrokenLink(file, key, "link_target_differs", None, f"{shown}; {_needed(expected)}")


def _needed(expected: str | None) -> str:
    return f"it should be {expected}" if expected else f"it should be a digest, of sha256 with {LINK_BYTES} bytes"
