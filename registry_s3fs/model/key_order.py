"""What is known of the order in which a server lists keys. Pure.

S3 lists them by their bytes: ``app-x/`` comes before ``app/``. A store that keeps them on a disk may list directory by
directory, where ``app/`` and all below it comes first. It may do so in pages that are in order each, and still compare
StartAfter by its bytes. Whoever goes on behind a key in such a listing misses ``app-x/``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from registry_s3fs.model.objects import Page

NEIGHBOURS = 3
"""How many keys are looked at, where something may come before a directory. One may be a file of its name."""
SURE_KEYS = 100
"""The fewest keys in order that are no accident, where a store lists by hash."""


@dataclass
class KeyOrder:
    """What is known of one server. Threads may share it: nothing that is known is forgotten."""

    is_own: bool = False
    """True once keys were seen in another order than that of their bytes, or from before StartAfter."""
    shows_bytes: bool = False
    """True once keys were seen that a listing by directory would have had the other way round. It is true of S3."""
    starts_anywhere: bool = False
    """True once a listing has begun behind a key that cannot be there. It is true of S3.

    Some stores list nothing then.
    """
    is_checked: bool = True
    """False of S3 itself, whose listings are believed."""

    @classmethod
    def of_s3(cls) -> KeyOrder:
        """Return what is known of S3 itself."""
        return cls(shows_bytes=True, starts_anywhere=True, is_checked=False)

    @property
    def is_by_bytes(self) -> bool:
        """Return whether keys are known to be listed by their bytes, and never were otherwise."""
        return self.shows_bytes and not self.is_own

    def watched(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Yield the pages of one listing, and learn from each. Every listing that is requested passes here."""
        reached = ""
        for page in pages:
            names = page.names
            self.saw(page, names, reached)
            reached = max([reached, *names[-1:]])
            yield page

    def saw(self, page: Page, names: Sequence[str], reached: str) -> None:
        """Learn from a page, which has these names, of a listing whose greatest name so far was `reached`."""
        if page.ignores_start or not page.is_ordered or (names and names[0] <= reached):
            self.is_own = True
        elif not self.shows_bytes:  # some stores sort common prefixes, and not keys
            keys = [item.key for item in page.objects]
            if len(keys) >= SURE_KEYS and _only_by_bytes(keys):
                self.shows_bytes = True


def _only_by_bytes(keys: Sequence[str]) -> bool:
    """Return whether keys, which are in the order of their bytes, have directories that are in no order by directory.

    A file is no sign of it: some stores list the files of a directory first.

    >>> _only_by_bytes(["app-x/1", "app/1"]), _only_by_bytes(["app-x", "app/1"]), _only_by_bytes(["app/1", "app0/1"])
    (True, False, False)
    """
    by_directory = [key.replace("/", "\0") for key in keys]
    if by_directory == sorted(by_directory):  # which is known in a tenth of the time
        return False
    pairs = zip(pairwise(by_directory), pairwise(keys), strict=True)
    return any(_changes_directory(*names) for (here, there), names in pairs if here > there)


def _changes_directory(key: str, following: str) -> bool:
    """Return whether a directory's name ends where two keys begin to differ, and the first key lies in another one."""
    at = next((at for at, (here, there) in enumerate(zip(key, following, strict=False)) if here != there), len(key))
    return following[at : at + 1] == "/" and "/" in key[at:]


def directories_around(key: str, prefix: str) -> list[str]:
    """Return the prefixes of the directories in which a key lies, below a longer or equal beginning of a listing.

    >>> directories_around("v2/blobs/sha256/8", "v2/"), directories_around("v2/blobs/8", "v2/bl")
    (['v2/blobs/', 'v2/blobs/sha256/'], ['v2/blobs/'])
    """
    ends = (at for at in range(len(prefix), len(key)) if key[at] == "/")
    return [key[: at + 1] for at in ends]


def has_neighbours(directory: str, page: Page) -> bool:
    """Return whether something comes before a directory, by the bytes of keys, and begins like it.

    Args:
        directory: The directory's prefix, which ends in ``/``.
        page: The first page of the names that begin like the directory, listed by the delimiter.
    """
    others = [name for name in page.names if directory[:-1] < name < directory]
    return bool(others) and directory in page.prefixes


def comes_after_its_neighbours(directory: str, keys: Sequence[str]) -> bool:
    """Return whether what comes before a directory, by the bytes of keys, is listed before all in it.

    There is such a thing. `keys` are the first ones that begin like the directory, without a delimiter: a response has
    files apart from common prefixes, which some stores sort, so those do not tell which came first.
    """
    others = [key for key in keys if key != directory[:-1]]
    return bool(others) and not others[0].startswith(directory)
