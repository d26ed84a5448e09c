"""A walk's directories from one flat listing that goes along with it, instead of one request each."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from registry_s3fs.listing import directory
from registry_s3fs.listing.children_ahead import ChildrenAhead
from registry_s3fs.listing.directory import Info
from registry_s3fs.listing.partition import STREAMS, OutOfOrderError
from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.s3.bucket import Bucket

LOOK_AHEAD_KEYS = 4000
"""Below one directory; where there are more, its children are asked for, and the walk need not wait for them all."""

FULL_PAGE_KEYS = 1000
REQUESTS_AT_ONCE = 16
"""Of a walk by directory, on an average."""
REQUEST_S = 0.0003
"""What a request costs the client, beside the wait for its answer and the reading of its keys."""


class WalkAhead:
    """The keys below a directory between where the walk is and where its listing has got to.

    A walk goes on in the order of names, or leaves directories out, where the keys are in an order of
    their own (``app-2/`` before ``app/``): what lies elsewhere starts the listing anew from there.
    """

    def __init__(self, bucket: Bucket, path: str, depth: int | None = None) -> None:
        """Of a walk that visits so many levels of directories, all by default."""
        self._bucket = bucket
        self._path = path
        self._top = bucket.space.prefix(path)
        self._undecided = depth
        """Whether to go by directory is not known before the first page."""
        self._by_directory: ChildrenAhead | None = None
        self._shallow_was_long = False
        self._is_ordered = True
        """Whether the server's keys have come in their order so far. (Storj's do not.)"""
        self._start_at("")

    def _start_at(self, key: str) -> None:
        """Know nothing, but of the keys after this one soon."""
        self._after = key
        self._objects: list[ObjectInfo] = []
        self._keys: list[str] = []
        self._ended = False
        self._pages: Iterator[Page] = directory.pages(self._bucket, self._top, start_after=key)

    def children(self, path: str, *, shallow: bool = False) -> list[Info] | None:
        """As `directory.children`; `shallow` where nothing further down will be asked for."""
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
        """Whether the walk goes by directory or by key, now that a first page can tell which is quicker."""
        began, worked = time.perf_counter(), time.thread_time()
        self._read()
        worked = time.thread_time() - worked
        waited = time.perf_counter() - began - worked
        is_all = len(self._keys) < FULL_PAGE_KEYS
        if not is_all and by_directory(self._keys, self._top, depth, waited, worked):
            self._by_directory = ChildrenAhead(self._bucket, self._path, depth)
        self._undecided = None

    def _extent(self, prefix: str, look_ahead: int) -> tuple[int, int] | None:
        """Where the keys below a prefix are among those known, if it took no more than that to know them all."""
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
        """Of what lies before a key, most has been walked through."""
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
    """The first key after all that begin with a prefix, which ends in a slash or is the whole bucket's."""
    return prefix[:-1] + chr(ord("/") + 1) if prefix else ""


def by_directory(keys: Sequence[str], top: str, depth: int, waited_s: float, worked_s: float) -> bool:
    """Whether a request for each directory of so many levels is quicker than one listing of all.

    That goes by its first page: the keys, how long they were waited for, and how long they took to read.

    >>> keys = [f"repository-{number // 100}/layers/{number}" for number in range(1000)]
    >>> by_directory(keys, "", 2, waited_s=0.0, worked_s=0.005)
    True
    >>> by_directory(keys, "", 2, waited_s=0.03, worked_s=0.005)
    False
    """
    visited = [_visited(key[len(top) :], depth) for key in keys]
    begun = max(1, len(set().union(*visited)) - len(visited[0]))  # on this page; those of its first key were before
    return begun * (waited_s / REQUESTS_AT_ONCE + REQUEST_S) < waited_s / STREAMS + worked_s


def _visited(name: str, depth: int) -> set[str]:
    """The directories above a key that a walk of so many levels visits."""
    parts = name.split("/")[:-1]
    return {"/".join(parts[:level]) for level in range(1, min(len(parts) + 1, depth))}
