"""The walk through a tree in the order of keys, from one flat listing. Directories are inferred from the keys.

What lies below a path can be left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.model.paths import parent
from registry_s3fs.s3.bucket import Bucket

LAST = "\U0010ffff"
"""A character that comes, in UTF-8, after every character that a key is likely to hold."""

Entry = tuple[str, ObjectInfo | None]
"""A path and its object. The object of a directory is None."""


class Walk:
    """What lies below a directory, in the order of keys. Each directory comes before what lies in it.

    Only keys after `start_after` are given. `skip` leaves out what lies below a path that was just given. Pages that
    hold nothing else are not requested.
    """

    def __init__(self, bucket: Bucket, path: str, start_after: str = "") -> None:
        self._bucket = bucket
        self._prefix = bucket.space.prefix(path)
        self._start_after = start_after
        self._previous = path.rstrip("/") + "/"
        self._skipped = ""
        self.found = False
        """True once any key was listed, even one that no path can name."""

    def skip(self, path: str) -> None:
        """Leave out what lies below a path."""
        self._skipped = self._bucket.space.prefix(path)

    def __iter__(self) -> Iterator[Entry]:
        pages = self._bucket.list(self._prefix, start_after=self._start_after)
        can_skip = True
        while (page := next(pages, None)) is not None:
            self.found = self.found or bool(page.objects)
            can_skip = can_skip and not page.ignores_start  # else each listing begins anew, and the pages at hand go on
            yield from self._entries(page)
            if can_skip and not page.last and page.objects and self._is_skipped(page.objects[-1].key):
                pages = self._bucket.list(self._prefix, start_after=self._skipped + LAST)

    def _entries(self, page: Page) -> Iterator[Entry]:
        for item in page.objects:
            path = self._bucket.space.path(item.key)
            if path is None:
                continue
            is_marker = item.key.endswith("/")
            path += "/" if is_marker else ""
            for directory in entered(self._previous, path):
                if not self._is_skipped(item.key):
                    yield directory, None
            self._previous = path
            if not is_marker and not self._is_skipped(item.key):
                yield path, item

    def _is_skipped(self, key: str) -> bool:
        return bool(self._skipped) and key.startswith(self._skipped)


def entered(previous: str, current: str) -> list[str]:
    """Return the directories that hold the path `current` and not `previous`, outermost first.

    A directory's own path ends in ``/``.

    >>> entered("/a/", "/a/b/c/file"), entered("/a/b/x", "/a/b/y"), entered("/", "/a/b/")
    (['/a/b', '/a/b/c'], [], ['/a', '/a/b'])
    >>> entered("/folder1-suffix/file", "/folder1/file")
    ['/folder1']
    """
    found = []
    directory = parent(current)
    while directory != "/" and not previous.startswith(f"{directory}/"):
        found.append(directory)
        directory = parent(directory)
    return found[::-1]
