"""The walk through a tree in the order of keys, from one flat listing. Directories are inferred from the keys.

What lies below a path can be left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from registry_s3fs.listing.directory import Entry, entries
from registry_s3fs.listing.tree import LAST
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.s3.bucket import Bucket


class Walk:
    """What lies below a directory, in the order of keys. Each directory comes before what lies in it.

    Only keys after `start_after` are given. `skip` leaves out what lies below a path that was just given. Pages that
    hold nothing else are not requested.
    """

    def __init__(self, bucket: Bucket, path: str, start_after: str = "") -> None:
        self._bucket = bucket
        self._path = path
        self._start_after = start_after
        self._skipped = ""
        self.found = False
        """True once any key was listed, even one that no path can name."""

    def skip(self, path: str) -> None:
        """Leave out what lies below a path."""
        self._skipped = self._bucket.space.prefix(path)

    def __iter__(self) -> Iterator[Entry]:
        for path, item in entries(self._bucket, self._path, self._objects()):
            if path != self._path and not self._is_skipped(self._bucket.space.key(path)):
                yield path, item

    def _objects(self) -> Iterator[ObjectInfo]:
        prefix = self._bucket.space.prefix(self._path)
        pages = self._bucket.list(prefix, start_after=self._start_after)
        can_skip, reached = True, ""
        while (page := next(pages, None)) is not None:
            self.found = self.found or bool(page.objects)
            # Else each listing begins anew, or keys that are yet to come are before what is left out.
            can_skip = can_skip and not page.ignores_start and page.is_ordered
            can_skip = can_skip and (not page.objects or page.objects[0].key > reached)
            reached = page.objects[-1].key if page.objects else reached
            yield from (item for item in page.objects if not self._is_skipped(item.key))
            last_key = page.objects[-1].key if page.objects and not page.last else ""
            if can_skip and self._is_skipped(last_key) and last_key < self._skipped + LAST:
                pages = self._bucket.list(prefix, start_after=self._skipped + LAST)

    def _is_skipped(self, key: str) -> bool:
        return bool(self._skipped) and key.startswith(self._skipped)
