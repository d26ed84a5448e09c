"""The walk through a tree in the order of keys, from one flat listing. Directories are inferred from the keys.

What lies below a path can be left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from registry_s3fs.listing.directory import Entry, entries
from registry_s3fs.listing.tree import LAST
from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.s3.bucket import Bucket


class Walk:
    """What lies below a directory, in the order of keys. Each directory comes before what lies in it.

    Only keys after `start_after` are given. `skip` leaves out what lies below a path that was just given. Pages that
    hold nothing else are not requested, where the server is known to list keys by their bytes.
    """

    def __init__(self, bucket: Bucket, path: str, start_after: str = "") -> None:
        self._bucket = bucket
        self._path = path
        self._start_after = start_after
        self._skipped = ""
        self._reads_on = False
        """True once what is left out had to be read over."""
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
        while (page := next(pages, None)) is not None:
            self.found = self.found or bool(page.objects)
            yield from (item for item in page.objects if not self._is_skipped(item.key))
            if page.objects and not page.last and self._is_within_what_is_skipped(page.objects[-1].key):
                behind = None if self._reads_on else self._behind_what_is_skipped(prefix)
                self._reads_on, pages = behind is None, behind or pages

    def _behind_what_is_skipped(self, prefix: str) -> Iterator[Page] | None:
        """Return the pages behind what is left out, or None where some keys may be missed there.

        In another order than S3's, what lies around it may come later and before it by its bytes.
        """
        order = self._bucket.key_order
        if not order.is_by_bytes:
            return None
        behind = self._bucket.list(prefix, start_after=self._skipped + LAST)
        first = next(behind, None)
        if first is not None and first.objects:
            order.starts_anywhere = True
        if not (order.is_by_bytes and order.starts_anywhere):
            return None
        return chain([first] if first else [], behind)

    def _is_within_what_is_skipped(self, key: str) -> bool:
        return self._is_skipped(key) and key < self._skipped + LAST

    def _is_skipped(self, key: str) -> bool:
        return bool(self._skipped) and key.startswith(self._skipped)
