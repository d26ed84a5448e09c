"""The directories of a tree, level by level. Those that follow each other in a level are listed side by side.

A small directory takes one page of a flat listing, which tells all that lies below it. A larger one is listed by its
delimiter. Where directories are tiny, one page tells of many in a row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import TypeGuard

from registry_s3fs.listing import directory, next_pages
from registry_s3fs.listing.partition import successor
from registry_s3fs.model.info import Info
from registry_s3fs.model.key_order import directories_around
from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.model.paths import parent
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.listing_responses import Listing

MOST_AT_ONCE = next_pages.MOST_BEGUN
"""The most directories listed at once.

Of those that the caller then leaves out, two first pages each were for nothing, and `next_pages.MOST_PAGES` in all.
"""
GROWTH = 4
WORTH_A_PAGE = 20
"""The number of directories from which one page that holds them all costs the client less than a request for each.

The client reads a page of 1,000 keys, and what is below each of the directories, in the time of 10 to 20 requests.
"""
WORTH_A_LOOK = 16
"""The number of large directories at once from which one of them is looked at, whether they are still large."""

NOTHING = Page([], [], last=True)
LAST = "\U0010ffff"
"""A character that comes, in UTF-8, after every character that a key is likely to hold."""
_key = attrgetter("key")


def before(prefix: str, *, is_by_bytes: bool = True) -> str:
    """Return a string that comes before a prefix, which ends in ``/``, and after all keys that come before it.

    Where keys may not be listed by their bytes, it also comes before the prefix in a listing by directory. Some keys
    may lie between them then.
    """
    name = prefix[:-1]
    if is_by_bytes or not name or not (earlier := chr(ord(name[-1]) - 1)).isprintable():
        return name + chr(ord("/") - 1) + LAST
    return name[:-1] + earlier + LAST


@dataclass(frozen=True)
class Subtree:
    """All objects below a prefix, in the order of keys."""

    prefix: str
    objects: list[ObjectInfo]

    def below(self, prefix: str) -> Subtree:
        """Return the part of it that lies below a longer prefix."""
        start = bisect_left(self.objects, prefix, key=_key)
        stop = bisect_left(self.objects, successor(prefix), start, key=_key) if prefix else len(self.objects)
        return Subtree(prefix, self.objects[start:stop])

    def children(self, bucket: Bucket) -> list[Info] | None:
        """Return the same as `directory.children`."""
        found: list[Info] = []
        at = 0
        while at < len(self.objects):
            item = self.objects[at]
            name, slash, _ = item.key[len(self.prefix) :].partition("/")
            path = directory.nameable(bucket, self.prefix + name + slash) if item.key != self.prefix else None
            if path:
                found.append(directory.directory(path) if slash else directory.file(path, item))
            at = bisect_left(self.objects, successor(self.prefix + name + slash), at, key=_key) if slash else at + 1
        return sorted(found, key=directory.name_of) if self.objects else None


_First = directory.Begun | OSError
_Listed = Subtree | directory.Begun | list[Info] | OSError | None
"""What is known of a directory: all that lies below it, its children, why it can't be listed, or that it is missing."""


class _Ahead:
    """What is known of directories that were listed ahead of the caller. There may be ten thousands of them."""

    def __init__(self) -> None:
        self._below: dict[str, dict[str, _Listed]] = {}
        """It has no directory without any that are known below it."""

    def __bool__(self) -> bool:
        return bool(self._below)

    def __contains__(self, name: str) -> bool:
        return name in self.below(parent(name))

    def __getitem__(self, name: str) -> _Listed:
        return self._below[parent(name)][name]

    def __setitem__(self, name: str, found: _Listed) -> None:
        self._below.setdefault(parent(name), {})[name] = found

    def update(self, found: Mapping[str, _Listed]) -> None:
        """Add some directories."""
        for name, each in found.items():
            self[name] = each

    def pop(self, name: str) -> _Listed:
        """Remove a directory, and return what is known of it."""
        above = parent(name)
        found = self._below[above].pop(name)
        if not self._below[above]:
            del self._below[above]
        return found

    def below(self, path: str) -> Mapping[str, _Listed]:
        """Return those that lie directly below a directory."""
        return self._below.get(path, {})

    def all(self) -> Iterator[tuple[str, _Listed]]:
        """Return an iterator over all of them."""
        return chain.from_iterable(found.items() for found in self._below.values())

    def clear(self) -> None:
        """Forget all of them."""
        self._below.clear()


@dataclass
class _Level:
    """The directories of one depth."""

    waiting: deque[str] = field(default_factory=deque)
    """Those that may be asked for next, in the order in which they may be."""
    listed: _Ahead = field(default_factory=_Ahead)
    at_once: int = 1
    batches: int = 0
    """How many batches of large directories were listed."""
    depth: int = 0
    """The depth of the children of a directory that led to them. Theirs is greater where a name was known."""


class Tree:
    """The listings of the directories below one, in the order in which the caller asks for them.

    Args:
        bucket: The bucket.
        path: The directory at the top.
        following: Tells which directories may be asked for below one, given its path and its children.
        deepest: The depth of the directories of which nothing but the children is asked for. Those below are not.
        at_once: How many of the directories that follow are listed with the first one. The number grows as the caller
            goes on in order.
    """

    def __init__(
        self,
        bucket: Bucket,
        path: str,
        following: Callable[[str, list[Info]], list[str]],
        deepest: int | None = None,
        at_once: int = 1,
    ) -> None:
        self._bucket = bucket
        self._top = bucket.space.prefix(path)
        self._following = following
        self._deepest = deepest
        self._levels: defaultdict[int, _Level] = defaultdict(lambda: _Level(at_once=at_once))
        self._a_page: dict[int, int] = {}
        """How many directories of a depth a page seems to hold."""
        self._page_keys = 1
        """The number of keys on a page that was not the last."""
        self._last = Subtree("/", [])
        """The subtree asked for last. What is asked for next mostly lies in it."""
        self._childless: set[int] = set()
        """The depths at which the caller went into none of the children of the last directory that had some."""
        self._leaves_out = False
        """True once the caller has made a choice. What is below other directories may be left out, too."""

    def children(self, path: str) -> list[Info] | None:
        """Return the same as `directory.children`.

        Raises:
            OSError: The directory cannot be listed.
        """
        found = self.look(path)
        return found.children(self._bucket) if isinstance(found, Subtree) else found

    def look(self, path: str) -> Subtree | list[Info] | None:
        """Return all that lies below a directory if one page held it, else its children as `directory.children`.

        Raises:
            OSError: The directory cannot be listed.
        """
        prefix = self._bucket.space.prefix(path)
        if prefix.startswith(self._last.prefix):
            return self._last.below(prefix)
        level = self._levels[depth(path)]
        if path not in level.listed:
            self._list(path, level)
        self._read_on(path, level)
        found = level.listed.pop(path)
        if isinstance(found, OSError):
            raise found
        if isinstance(found, directory.Begun):  # what follows is listed side by side, but in the caller's thread alone
            infos = directory.children(self._bucket, path, found)
            self._waits(path, infos, are_next=True)
            return infos
        if isinstance(found, Subtree):
            self._last = found
        return found

    def whole(self, path: str) -> Subtree | None:
        """Return all that lies below a directory where it shares a page with others, or None where it does not.

        Raises:
            OSError: The directory cannot be listed.
        """
        is_known = self._bucket.space.prefix(path).startswith(self._last.prefix)
        found = self.look(path) if is_known or self._shares_a_page(path) else None
        return found if isinstance(found, Subtree) else None

    def expect(self, path: str, names: list[str]) -> None:
        """Note which directories below one the caller asks for, and in which order, where it has made a choice."""
        self._leaves_out = True
        (self._childless.discard if names else self._childless.add)(depth(path))
        if self._bucket.space.prefix(path).startswith(self._last.prefix):
            return  # they need no request
        level = self._levels[depth(path) + 1]
        for name in set(level.listed.below(path)).difference(names):
            level.listed.pop(name)
        while level.waiting and parent(level.waiting[0]) == path:
            level.waiting.popleft()
        level.waiting.extendleft(name for name in reversed(names) if name not in level.listed)

    def _list(self, path: str, level: _Level) -> None:
        """List a directory that is asked for, and some that follow it."""
        level.at_once = 1 if level.listed else min(GROWTH * level.at_once, MOST_AT_ONCE)
        level.listed.clear()
        if path in level.waiting:
            while level.waiting.popleft() != path:
                pass  # the caller has left it out
        if not self._bucket.key_order.is_own and self._shares_a_page(path):
            names = [path, *_taken(level.waiting, level.at_once * self._held(level.depth) - 1)]
            left = self._list_in_rows(names, level)
            if len(left) > level.at_once:  # a page holds fewer than it seemed
                level.waiting.extendleft(reversed(names[names.index(left[level.at_once]) :]))
            self._list_each(left[: level.at_once], level)
        else:
            self._list_each([path, *_taken(level.waiting, level.at_once - 1)], level)

    def _list_each(self, names: list[str], level: _Level) -> None:
        """List each of these directories by itself: its first page, and where that is not all, its first children."""
        if names and self._seem_large(depth(names[0]), level.depth):
            # One of many is looked at, whether it is still large: in the 1st, 2nd, 4th, 8th batch, and so on.
            level.batches += len(names) >= WORTH_A_LOOK
            looked_at = names[: len(names) >= WORTH_A_LOOK and level.batches.bit_count() == 1]
            pages, begun = self._requested(looked_at, names)
            level.listed.update(self._learned(dict(zip(looked_at, pages, strict=True)), level))
        else:
            pages, _ = self._requested(names, [])
            level.listed.update(self._learned(dict(zip(names, pages, strict=True)), level))
            names = [name for name in names if name not in level.listed]
            _, begun = self._requested([], names)
        for name, found in zip(names, begun, strict=True):
            if name in level.listed:
                continue
            level.listed[name] = found
            if isinstance(found, directory.Begun) and found.is_whole:
                level.listed[name] = infos = directory.children(self._bucket, name, found)
                self._waits(name, infos, are_next=False)

    def _read_on(self, path: str, level: _Level) -> None:
        """Request what follows the first page of a directory, together with what follows those of some others."""
        if not _has_one_page_of_more(level.listed[path]):
            return
        near = level.listed.below(parent(path)).items() if self._leaves_out else level.listed.all()
        begun = {name: found for name, found in near if _has_one_page_of_more(found)}
        names = [path, *(name for name in begun if name != path)][: next_pages.listings_at_once(self._bucket)]
        if len(names) > 1:
            for name in names:
                level.listed.pop(name)  # after an exception they are listed anew
            level.listed.update(next_pages.read_on(self._bucket, {name: begun[name] for name in names}))

    def _requested(self, flat: list[str], by_delimiter: list[str]) -> tuple[list[_First], list[_First]]:
        """Request the first pages of all keys below some directories, and those of the children of others, at once."""
        prefix = self._bucket.space.prefix
        calls = [Listing(prefix(name)) for name in flat]
        calls += [Listing(prefix(name), "/") for name in by_delimiter]
        found = directory.begin_each(self._bucket, calls)  # an error is told when the caller gets there
        return found[: len(flat)], found[len(flat) :]

    def _learned(self, first: dict[str, _First], level: _Level) -> dict[str, Subtree | OSError]:
        """Return those of the directories that one page holds, and learn from the pages how many one may hold."""
        found: dict[str, Subtree | OSError] = {}
        keys = 0
        for name, begun in first.items():
            prefix = self._bucket.space.prefix(name)
            if isinstance(begun, OSError):
                found[name] = begun
                continue
            page = begun.first or NOTHING
            if page.last:
                found[name] = Subtree(prefix, sorted(page.objects, key=_key))
                keys += len(page.objects)
            else:
                self._page_keys = len(page.objects)
                self._a_page.update(directories_held(page, prefix, depth(name)))
        if keys and depth(next(iter(first))) == level.depth:
            self._a_page[level.depth] = max(1, self._page_keys * len(found) // keys)
        return found

    def _seem_large(self, own_depth: int, counted_depth: int) -> bool:
        """Return whether their children are all that is asked for of directories, or a page seems to hold none."""
        return self._ends_at(own_depth) or (own_depth == counted_depth and not self._held(counted_depth))

    def _ends_at(self, own_depth: int) -> bool:
        """Return whether nothing but their children seems to be asked for of the directories of a depth."""
        return own_depth == self._deepest or own_depth in self._childless

    def _held(self, counted_depth: int) -> int:
        """Return how many directories of a depth a page seems to hold. One, where none was seen yet."""
        return self._a_page.get(counted_depth, 1)

    def _shares_a_page(self, path: str) -> bool:
        """Return whether a page seems to hold so many directories like this one that it is worth more than each."""
        level = self._levels[depth(path)]
        reads_deeper = self._ends_at(depth(path)) and level.depth + 1 in self._a_page
        return self._held(level.depth) >= (WORTH_A_PAGE if reads_deeper else 2)

    def _waits(self, path: str, infos: list[Info] | None, *, are_next: bool) -> None:
        """Note the directories that may be asked for below one: next, or after those that wait already."""
        names = self._following(path, infos or [])
        if names:
            level = self._levels[depth(names[0])]
            level.depth = depth(path) + 1
            if are_next:
                level.waiting.extendleft(reversed(names))
            else:
                level.waiting.extend(names)

    def _list_in_rows(self, names: list[str], level: _Level) -> list[str]:
        """List directories that follow each other, by pages that each hold several. Return those that no page held."""
        by_prefix = {self._bucket.space.prefix(name): name for name in names}
        prefixes = sorted(by_prefix)
        starts = sorted({*prefixes[:: self._held(level.depth)], self._bucket.space.prefix(names[0])})
        by_bytes = self._bucket.key_order.is_by_bytes
        listings = [Listing(self._top, start_after=before(start, is_by_bytes=by_bytes)) for start in starts]
        rows = list(map(self._row, starts, directory.begin_each(self._bucket, listings)))
        found = {prefix: rows[bisect_right(starts, prefix) - 1].subtree(prefix) for prefix in prefixes}
        held = {by_prefix[prefix]: subtree for prefix, subtree in found.items() if subtree is not None}
        self._a_page[level.depth] = len(held) // len(starts)
        level.listed.update(held)
        return [name for name in names if name not in held]

    def _row(self, start: str, begun: _First) -> _Row:
        order = self._bucket.key_order
        page = Page([], []) if isinstance(begun, OSError) else begun.first or NOTHING  # told where it is listed alone
        if page.objects:
            order.starts_anywhere = True
        is_known = order.starts_anywhere and not order.is_own
        return _Row(start, page if is_known else Page([], []), is_sure=not order.is_checked)


@dataclass(frozen=True)
class _Row:
    """A page of keys from a prefix on."""

    start: str
    page: Page
    is_sure: bool
    """Whether the keys are known to be listed as S3 lists them. Else a directory may lie on another page."""

    def subtree(self, prefix: str) -> Subtree | None:
        """Return all that lies below a prefix that is not before the start, or None where the page may not hold it."""
        found = self._below(prefix) if self._goes_beyond(prefix) else None
        if found and not found.objects and not self.is_sure and not self._shows_where_it_would_be(prefix):
            return None
        return found

    def _goes_beyond(self, prefix: str) -> bool:
        objects = self.page.objects
        return self.page.last or bool(objects and successor(prefix) <= objects[-1].key)

    def _shows_where_it_would_be(self, prefix: str) -> bool:
        """Return whether the page has all of a directory that a prefix lies in, and something of it."""
        above = (each for each in directories_around(prefix[:-1], "") if each >= self.start)
        return any(self._below(each).objects for each in above if self._goes_beyond(each))

    def _below(self, prefix: str) -> Subtree:
        return Subtree(self.start, self.page.objects).below(prefix)


def directories_held(page: Page, prefix: str, above: int) -> dict[int, int]:
    """Return how many directories of each depth below a prefix's own, which is `above`, end on its first page.

    >>> from datetime import datetime
    >>> keys = ["r/a/1/x", "r/a/2/x", "r/b/1/x", "r/b/1/y"]
    >>> directories_held(Page([ObjectInfo(key, 0, "", datetime.min) for key in keys], []), "r/", above=1)
    {2: 1, 3: 2}
    """
    held: defaultdict[int, set[tuple[str, ...]]] = defaultdict(set)
    for item in page.objects:
        *names, _ = item.key[len(prefix) :].split("/")
        for level in range(1, len(names) + 1):
            held[above + level].add(tuple(names[:level]))
    return {level: len(names) - 1 for level, names in held.items()}


def depth(path: str) -> int:
    """Return how many directories below the root a path lies."""
    return path.rstrip("/").count("/")


def _has_one_page_of_more(found: _Listed) -> TypeGuard[directory.Begun]:
    return isinstance(found, directory.Begun) and len(found.pages) == 1 and not found.is_whole


def _taken(waiting: deque[str], most: int) -> list[str]:
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]


def tree_down_to(bucket: Bucket, path: str, maxdepth: int | None, at_once: int = 1) -> Tree:
    """Return the tree for a walk that goes `maxdepth` levels deep, by default all. The children are the first one."""
    deepest = depth(path) + maxdepth - 1 if maxdepth else None

    def following(above: str, infos: list[Info]) -> list[str]:
        goes_on = deepest is None or depth(above) < deepest
        return [info["name"] for info in infos if info["type"] == "directory"] if goes_on else []

    return Tree(bucket, path, following, deepest, at_once)


def within(bucket: Bucket, path: str, maxdepth: int) -> Iterator[Info]:
    """Yield what lies at most `maxdepth` levels below a directory."""
    tree = tree_down_to(bucket, path, maxdepth, MOST_AT_ONCE)
    deepest = depth(path) + maxdepth

    def below(above: str) -> Iterator[Info]:
        for info in tree.children(above) or []:
            yield info
            if info["type"] == "directory" and depth(info["name"]) < deepest:
                yield from below(info["name"])

    return below(path)
