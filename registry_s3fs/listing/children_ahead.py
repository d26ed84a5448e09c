"""The directories of a walk, by one request each. The longer it visits them in order, the more are listed at once."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from registry_s3fs.listing import directory
from registry_s3fs.model.info import Info
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.threads.pool import pool

MOST_AT_ONCE = 64
"""The most directories listed at once.

Where the walk leaves them out, at most so many requests were for nothing.
"""
GROWTH = 4


@dataclass
class _Level:
    """What is known about the directories of one depth."""

    waiting: deque[str] = field(default_factory=deque)
    listed: dict[str, list[Info] | OSError | None] = field(default_factory=dict)
    at_once: int = 1


class ChildrenAhead:
    """The listings of a walk that goes at most `depth` levels deep. The directory itself is the first level."""

    def __init__(self, bucket: Bucket, path: str, depth: int) -> None:
        self._bucket = bucket
        self._above = path.rstrip("/").count("/") - 1
        self._depth = depth
        self._levels: defaultdict[int, _Level] = defaultdict(_Level)

    def children(self, path: str) -> list[Info] | None:
        """Return the same as `directory.children`."""
        number = path.rstrip("/").count("/") - self._above
        level = self._levels[number]
        if path not in level.listed:
            self._list(path, number)
        infos = level.listed.pop(path)
        if isinstance(infos, OSError):
            raise infos
        return infos

    def _list(self, path: str, number: int) -> None:
        """List a directory that is asked for, and some that follow it."""
        level = self._levels[number]
        level.at_once = 1 if level.listed else min(GROWTH * level.at_once, MOST_AT_ONCE)
        level.listed.clear()
        while level.waiting and level.waiting.popleft() != path:
            pass  # the walk has left it out
        following = [level.waiting.popleft() for _ in range(min(level.at_once - 1, len(level.waiting)))]
        names = [path, *following]
        for name, infos in zip(names, self._children_of_each(names), strict=True):
            level.listed[name] = infos
            if number < self._depth and isinstance(infos, list):
                self._levels[number + 1].waiting += [info["name"] for info in infos if info["type"] == "directory"]

    def _children_of_each(self, names: list[str]) -> list[list[Info] | OSError | None]:
        return pool(self._bucket.parameters.max_concurrency).map(self._attempt, names)

    def _attempt(self, path: str) -> list[Info] | OSError | None:
        try:
            return directory.children(self._bucket, path)
        except OSError as error:  # told when the walk gets there
            return error
