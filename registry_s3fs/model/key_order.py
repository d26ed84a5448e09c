"""What is known of the order in which a server lists keys. Pure.

S3 lists them by their bytes: ``app-x/`` comes before ``app/``. A store that keeps them on a disk may list directory by
directory, where ``app/`` and all below it comes first. It may do so in pages that are in order each, and still compare
StartAfter by its bytes. Whoever goes on behind a key in such a listing misses ``app-x/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registry_s3fs.model.objects import Page

NEIGHBOURS = 3
"""How many names are looked at around a directory.

A file of its name may be the first one, and the directory itself the second.
"""
SURE_KEYS = 100
"""The fewest keys in order that are no accident, where a store lists by hash."""


@dataclass
class KeyOrder:
    """What is known of one server. Threads may share it: nothing that is known is forgotten."""

    is_by_bytes: bool = False
    """True once keys were seen that a listing by directory would have had the other way round. It is true of S3."""
    is_own: bool = False
    """True once keys were seen in another order than that of their bytes, or from before StartAfter."""
    starts_anywhere: bool = False
    """True once a listing has begun behind a key that cannot be there. It is true of S3.

    Some stores list nothing then.
    """
    is_checked: bool = True
    """False of S3 itself, whose listings are believed."""

    @classmethod
    def of_s3(cls) -> KeyOrder:
        """Return what is known of S3 itself."""
        return cls(is_by_bytes=True, starts_anywhere=True, is_checked=False)

    def saw(self, page: Page) -> None:
        """Learn from a page."""
        if page.ignores_start or not page.is_ordered:
            self.is_own = True
        if self.is_by_bytes or self.is_own:
            return
        keys = [item.key for item in page.objects]
        if any(len(names) >= SURE_KEYS and _only_by_bytes(names) for names in (keys, page.prefixes)):
            self.is_by_bytes = True


def _only_by_bytes(names: Sequence[str]) -> bool:
    """Return whether names, which are in the order of their bytes, are in no order by directory.

    >>> _only_by_bytes(["app-x/1", "app/1"]), _only_by_bytes(["app/1", "app0/1"])
    (True, False)
    """
    by_directory = [name.replace("/", "\0") for name in names]
    return by_directory != sorted(by_directory)


def directories_around(key: str, prefix: str) -> list[str]:
    """Return the prefixes of the directories in which a key lies, below a longer or equal beginning of a listing.

    >>> directories_around("v2/blobs/sha256/8", "v2/"), directories_around("v2/blobs/8", "v2/bl")
    (['v2/blobs/', 'v2/blobs/sha256/'], ['v2/blobs/'])
    """
    ends = (at for at in range(len(prefix), len(key)) if key[at] == "/")
    return [key[: at + 1] for at in ends]


def directories_ahead(prefix: str) -> Iterator[str]:
    """Yield the directories that a listing by directory has before a prefix, and S3 behind it.

    >>> list(directories_ahead("r/app-x.y/tags/"))
    ['r/app/', 'r/app-x/']
    """
    for at, char in enumerate(prefix):
        if at and char < "/" and prefix[at - 1] != "/":
            yield prefix[:at] + "/"


def comes_after_its_neighbours(directory: str, page: Page) -> bool:
    """Return whether nothing that comes before a directory, by the bytes of keys, is listed after it.

    Args:
        directory: The directory's prefix, which ends in ``/``.
        page: The first names that begin like the directory, listed by the delimiter. `NEIGHBOURS` were asked for.
    """
    name = directory[:-1]
    before = [each for each in page.prefixes if each < directory]
    files = [item.key for item in page.objects if name < item.key < directory]
    if directory not in page.prefixes or not (before or files):
        return True
    # A response has files apart from directories, so it does not tell which came first.
    return not files and page.prefixes.index(directory) > page.prefixes.index(before[-1])
