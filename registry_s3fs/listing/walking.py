"""The walk through a tree in the order of keys, from one flat listing. Directories are inferred from the keys.

What lies below a path can be left out.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import chain

from registry_s3fs.listing.directory import Entry, entries, is_after_its_neighbours
from registry_s3fs.listing.tree import LAST
from registry_s3fs.model.key_order import directories_around
from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.s3.bucket import Bucket


class Walk:
    """What lies below a directory, in the order of keys. Each directory comes before what lies in it.

    Only keys after `start_after` are given. `skip` leaves out what lies below a path that was just given. Pages that
    hold nothing else are not requested. Where the server's order of keys is not known, eight bytes are kept for each.
    """

    def __init__(self, bucket: Bucket, path: str, start_after: str = "") -> None:
        self._bucket = bucket
        self._path = path
        self._prefix = bucket.space.prefix(path)
        self._start_after = start_after
        self._left_out: list[str] = []
        self._looked_at: set[str] = set()
        self._given = array("q")
        """The hashes of the keys that were given."""
        self._jumps = True
        """False once what is left out had to be read over."""
        self._has_jumped = False
        self.found = False
        """True once any key was listed, even one that no path can name."""

    def skip(self, path: str) -> None:
        """Leave out what lies below a path."""
        self._left_out.append(self._bucket.space.prefix(path))

    def __iter__(self) -> Iterator[Entry]:
        for path, item in entries(self._bucket, self._path, self._objects()):
            if path != self._path and not self._is_skipped(self._bucket.space.key(path)):
                yield path, item

    def _objects(self) -> Iterator[ObjectInfo]:
        order = self._bucket.key_order
        pages = self._bucket.list(self._prefix, start_after=self._start_after)
        while (page := next(pages, None)) is not None:
            if self._may_have_missed_some:
                break
            self.found = self.found or bool(page.objects)
            for item in page.objects:
                if not self._is_skipped(item.key):
                    self._given.extend([hash(item.key)] if order.is_checked else ())
                    yield item
            if page.objects and not page.last and self._is_within_what_is_skipped(page.objects[-1].key):
                behind = self._behind_what_is_skipped() if self._jumps else None
                self._jumps = behind is not None
                self._has_jumped = self._has_jumped or self._jumps
                pages = behind or pages
        if self._may_have_missed_some:
            yield from self._what_was_missed()

    @property
    def _may_have_missed_some(self) -> bool:
        order = self._bucket.key_order
        return self._has_jumped and order.is_own and order.is_checked

    def _what_was_missed(self) -> Iterator[ObjectInfo]:
        """Yield what was not given yet, from the beginning: a server with an order of its own was jumped about in."""
        given, left_out = set(self._given), tuple(self._left_out)
        for page in self._bucket.list(self._prefix, start_after=self._start_after):
            for item in page.objects:
                if hash(item.key) not in given and not item.key.startswith(left_out) and not self._is_skipped(item.key):
                    yield item

    def _behind_what_is_skipped(self) -> Iterator[Page] | None:
        """Return the pages behind what is left out, or None where some keys may be missed there."""
        if not self._is_in_order():
            return None
        order = self._bucket.key_order
        behind = self._bucket.list(self._prefix, start_after=self._left_out[-1] + LAST)
        first = next(behind, None)
        if first is not None and first.objects:
            order.starts_anywhere = True
        if order.is_own or not order.starts_anywhere:
            return None
        return chain([first] if first else [], behind)

    def _is_in_order(self) -> bool:
        """Return whether what S3 lists before the directories around what is left out seems to be listed before it."""
        order = self._bucket.key_order
        if order.is_by_bytes or order.is_own:
            return order.is_by_bytes
        around = set(directories_around(self._left_out[-1], self._prefix)) - self._looked_at
        self._looked_at |= around
        return all(is_after_its_neighbours(self._bucket, each) for each in sorted(around)) and not order.is_own

    def _is_within_what_is_skipped(self, key: str) -> bool:
        return self._is_skipped(key) and key < self._left_out[-1] + LAST

    def _is_skipped(self, key: str) -> bool:
        return bool(self._left_out) and key.startswith(self._left_out[-1])
