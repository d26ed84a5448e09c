"""The directories of a walk, from one flat listing that advances with it instead of one request each."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from registry_s3fs.listing import directory
from registry_s3fs.listing.children_ahead import ChildrenAhead
from registry_s3fs.listing.partition import STREAMS, OutOfOrderError
from registry_s3fs.model.info import Info
from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.model.ranges import MAX_PAGE_KEYS as FULL_PAGE_KEYS
from registry_s3fs.s3.bucket import Bucket

LOOK_AHEAD_KEYS = 4000
"""The most keys below one directory that are read ahead.

Where there are more, the directory's children are listed by a request, and the walk need not wait for all keys.
"""

REQUESTS_AT_ONCE = 16
"""The average number of requests at once of a walk by directory."""
REQUEST_S = 0.0003
"""The seconds that a request costs the client, without the wait for the response and the reading of its keys."""


class WalkAhead:
    """The keys below a directory, between the position of the walk and the position of its listing.

    A walk goes in the order of names, or leaves directories out. The keys have an order of their own (``app-2/`` before
    ``app/``). Where the walk asks for keys that lie elsewhere, the listing starts anew from there.
    """

    def __init__(self, bucket: Bucket, path: str, depth: int | None = None) -> None:
        """Start a walk. `depth` is how many levels of directories it visits, by default all."""
        self._bucket = bucket
        self._path = path
        self._top = bucket.space.prefix(path)
        self._undecided = depth
        """The depth, until the first page shows whether to walk by directory. Then None."""
        self._by_directory: ChildrenAhead | None = None
        self._shallow_was_long = False
        self._is_ordered = True
        """True while all keys of the server came in order. Those of Storj do not."""
        self._start_at("")

    def _start_at(self, key: str) -> None:
        """Forget all keys, and list those after this one."""
        self._after = key
        self._objects: list[ObjectInfo] = []
        self._keys: list[str] = []
        self._ended = False
        self._pages: Iterator[Page] = directory.pages(self._bucket, self._top, start_after=key)

    def children(self, path: str, *, shallow: bool = False) -> list[Info] | None:
        """Return the same as `directory.children`. With `shallow`, nothing further down will be asked for."""
        if self._is_ordered:
            try:
                return self._children(path, shallow=shallow)
            except OutOfOrderError:
                self._is_ordered = False
        return directory.children(self._bucket, path)

    def _children(self, path: str, *, shallow: bool) -> list[Info] | None:
        if self._undecided is not None:
            self._decide(self._undecided)
        if self._by_directory is not None:
            return self._by_directory.children(path)
        prefix = self._bucket.space.prefix(path)
        extent = self._extent(prefix, 0 if shallow and self._shallow_was_long else LOOK_AHEAD_KEYS)
        self._shallow_was_long = shallow and extent is None
        if extent is None:
            return directory.children(self._bucket, path)
        start, stop = extent
        return self._level(prefix, start, stop) if stop > start else None

    def _decide(self, depth: int) -> None:
        """Decide whether to walk by directory or by key. The first page shows which is quicker."""
        began, worked = time.perf_counter(), time.thread_time()
        self._read()
        worked = time.thread_time() - worked
        waited = time.perf_counter() - began - worked
        is_all = len(self._keys) < FULL_PAGE_KEYS
        if not is_all and by_directory(self._keys, self._top, depth, waited, worked):
            self._by_directory = ChildrenAhead(self._bucket, self._path, depth)
        self._undecided = None

    def _extent(self, prefix: str, look_ahead: int) -> tuple[int, int] | None:
        """Return where the keys below a prefix begin and end among the known keys.

        Read further pages as needed. Return None where more than `look_ahead` keys would have to be read.
        """
        if prefix < self._after:
            self._start_at(prefix)
        behind = _behind(prefix)
        tried = False
        while not (self._ended or (behind and self._keys and self._keys[-1] >= behind)):
            ahead = len(self._keys) - bisect_left(self._keys, prefix)
            if ahead >= look_ahead:
                return None
            if not ahead and tried and self._after != prefix:
                self._start_at(prefix)
            tried = True
            self._read()
        self._forget(prefix)
        start = bisect_left(self._keys, prefix)
        return start, bisect_left(self._keys, behind, start) if behind else len(self._keys)

    def _read(self) -> None:
        try:
            page = next(self._pages, None)
        except OSError:
            self._start_at(self._keys[-1] if self._keys else self._after)  # the walk may go on elsewhere
            raise
        if page is None:
            self._ended = True
        else:
            keys = [item.key for item in page.objects]
            if sorted(keys) != keys or (keys and self._keys and keys[0] <= self._keys[-1]):
                raise OutOfOrderError
            self._objects += page.objects
            self._keys += keys

    def _forget(self, key: str) -> None:
        """Forget the keys before this one, which the walk has passed, once many keys are held."""
        if len(self._keys) > 2 * LOOK_AHEAD_KEYS:
            walked = bisect_left(self._keys, key)
            del self._keys[:walked], self._objects[:walked]
            self._after = max(self._after, key)

    def _level(self, prefix: str, at: int, stop: int) -> list[Info]:
        found: list[Info] = []
        while at < stop:
            key = self._keys[at]
            name, slash, _ = key[len(prefix) :].partition("/")
            path = directory.nameable(self._bucket, prefix + name + slash) if key != prefix else None
            if path:
                found.append(directory.directory(path) if slash else directory.file(path, self._objects[at]))
            at = bisect_left(self._keys, _behind(prefix + name + slash), at, stop) if slash else at + 1
        return sorted(found, key=directory.name_of)


def _behind(prefix: str) -> str:
    """Return the first string after all that begin with a prefix, which ends in a slash.

    For the empty prefix, which is the whole bucket's, return ``""``.
    """
    return prefix[:-1] + chr(ord("/") + 1) if prefix else ""


def by_directory(keys: Sequence[str], top: str, depth: int, waited_s: float, worked_s: float) -> bool:
    """Return whether one request for each directory is quicker than one listing of all keys.

    It is estimated from the first page of that listing.

    >>> keys = [f"repository-{number // 100}/layers/{number}" for number in range(1000)]
    >>> by_directory(keys, "", 2, waited_s=0.0, worked_s=0.005)
    True
    >>> by_directory(keys, "", 2, waited_s=0.03, worked_s=0.005)
    False

    Args:
        keys: The keys of the page.
        top: The prefix of the walk's directory.
        depth: The number of levels of directories that the walk visits.
        waited_s: The seconds for which the page was waited for.
        worked_s: The seconds that it took to read the page.
    """
    visited = [_visited(key[len(top) :], depth) for key in keys]
    begun = max(1, len(set().union(*visited)) - len(visited[0]))  # on this page; those of its first key were before
    return begun * (waited_s / REQUESTS_AT_ONCE + REQUEST_S) < waited_s / STREAMS + worked_s


def _visited(name: str, depth: int) -> set[str]:
    """Return the directories above a key that are visited by a walk of so many levels."""
    parts = name.split("/")[:-1]
    return {"/".join(parts[:level]) for level in range(1, min(len(parts) + 1, depth))}
