"""Keys as a tree, in fsspec's info dicts: the children of a directory, and all that lies below it."""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, cast

from registry_s3fs.listing.order_guard import OutOfOrderError
from registry_s3fs.listing.partition import KeyRange, Plan
from registry_s3fs.model.info import Info
from registry_s3fs.model.key_order import NEIGHBOURS, comes_after_its_neighbours, has_neighbours
from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.first_pages import Started
from registry_s3fs.s3.listing_responses import Listing
from registry_s3fs.threads.pool import finished_or_cancelled
from registry_s3fs.threads.signal_errors import is_of_handler

logger = logging.getLogger("registry_s3fs")

_Timed = tuple[Page | None, float, float]

Entry = tuple[str, ObjectInfo | None]
"""A path and its object. The object of a directory is None."""

TOLD = ("ContentType", "ServerSideEncryption", "SSEKMSKeyId")
"""The fields of a HEAD response that an info has, under S3's names. It has the user metadata as `metadata`."""


def directory(path: str) -> Info:
    """Return the info of a directory."""
    return {"name": path, "size": 0, "type": "directory"}


def file(path: str, found: ObjectInfo) -> Info:
    """Return the info of a file: `size` in bytes, `ETag` with its quotes, `LastModified` with its time zone."""
    info: Info = {
        "name": path,
        "size": found.size,
        "type": "file",
        "ETag": found.etag,
        "LastModified": found.last_modified,
        "StorageClass": found.storage_class,
    }
    if found.version_id:
        info["VersionId"] = found.version_id
    if found.head:
        info.update(cast(Info, {name: found.head[name] for name in TOLD if name in found.head}))
        info["metadata"] = found.metadata
    return info


class Begun(NamedTuple):
    """A listing whose first pages have been requested, by any thread."""

    pages: list[Page]
    waited_s: float
    """The seconds for which the first page was waited for."""
    worked_s: float
    """The seconds for which the first page kept the processor busy."""
    following: Iterator[Page]

    @property
    def first(self) -> Page | None:
        """Return the first page, or None where no key is listed."""
        return self.pages[0] if self.pages else None

    @property
    def is_whole(self) -> bool:
        """Return whether nothing follows these pages."""
        return not self.pages or self.pages[-1].last


def begin(bucket: Bucket, prefix: str, delimiter: str = "", start_after: str = "") -> Begun:
    """Request the first page of the keys below a prefix and after `start_after`."""
    following = bucket.list(prefix, delimiter, start_after=start_after)
    page, waited_s, worked_s = _timed(following)
    return Begun(_listed(page), waited_s, worked_s, following)


def begin_each(bucket: Bucket, listings: list[Listing]) -> list[Begun | OSError]:
    """Request the first page of each listing, side by side. In place of one stands why it cannot be listed."""
    if len(listings) > 1 and not bucket.parameters.is_directory_bucket:
        return [_begun(started) for started in bucket.start_lists(listings)]

    def begun(listing: Listing) -> Begun | OSError:
        try:
            return begin(bucket, *listing)
        except OSError as error:
            return error

    return bucket.pool.map(begun, listings)


def _begun(started: Started | Exception) -> Begun | OSError:
    if isinstance(started, OSError):
        return started
    if isinstance(started, Exception):
        raise started
    try:
        page, waited_s, worked_s = _timed(started.pages)
    except OSError as error:
        if is_of_handler(error):
            raise
        return error
    return Begun(_listed(page), started.waited_s + waited_s, started.worked_s + worked_s, started.pages)


def _listed(page: Page | None) -> list[Page]:
    return [] if page is None else [page]


def pages(bucket: Bucket, prefix: str, delimiter: str = "", begun: Begun | None = None) -> Iterator[Page]:
    """Yield the pages of keys below a prefix, in the order of keys.

    Where the first page is not the only one, key ranges are listed in parallel. `listing.partition` tells how, and how
    many requests and how much memory that takes. Within a task of the pool they are listed one after the other. A
    listing that was `begun` there may go on elsewhere.

    Of a store other than AWS, eight bytes are kept for each key that was given, and some seventy more once it turns out
    that its keys are not in order.
    """
    begun = begun or begin(bucket, prefix, delimiter)
    if begun.is_whole:  # as most directories are; a plan takes a tenth of a request's time
        yield from begun.pages
        return
    given, furthest, is_checked = array("q"), "", bucket.key_order.is_checked
    try:
        for page in _SideBySide(bucket, prefix, delimiter, begun).pages():
            names = page.names
            given.extend(map(hash, names) if is_checked else ())
            furthest = names[-1] if names else furthest
            yield page
    except OutOfOrderError:
        logger.debug("not listed in parts: the server's keys below %r may not be in order", prefix)
        known = set(given)

        def is_new(name: str) -> bool:
            return hash(name) not in known if is_checked else name > furthest

        for page in bucket.list(prefix, delimiter):
            yield Page([item for item in page.objects if is_new(item.key)], list(filter(is_new, page.prefixes)))


class _SideBySide:
    """The requests of a listing in parts."""

    def __init__(self, bucket: Bucket, prefix: str, delimiter: str, begun: Begun) -> None:
        self._bucket = bucket
        self._prefix, self._delimiter = prefix, delimiter
        self._plan = Plan(prefix, delimiter, bucket.key_order)
        first = next(self._plan.due())
        for page in begun.pages:
            self._plan.received(first, page, begun.waited_s, begun.worked_s)
        self._sources: dict[KeyRange, Iterator[Page]] = {first: begun.following}
        self._running: dict[Future[Any], Callable[[Any], None]] = {}
        """The values take in what the request has found."""

    def pages(self) -> Iterator[Page]:
        """Yield the pages in the order of their keys, as long as the server seems to have that order.

        Raises:
            OutOfOrderError: It has not. The pages so far are right.
        """
        plan = self._plan
        while (taken := plan.take()) is not None:  # nothing more is requested before they are asked for
            yield taken
        with finished_or_cancelled(self._running):
            while not plan.finished or self._running:
                self._request()
                page = plan.take()
                for future in wait(self._running, 0 if page else None, FIRST_COMPLETED).done:
                    self._running.pop(future)(future.result())
                if page is not None:
                    yield page

    def _request(self) -> None:
        submit = self._bucket.pool.submit
        for key_range in self._plan.due():
            self._running[submit(self._next_page, key_range)] = partial(self._received, key_range)
        for directory in self._plan.guard.due():
            self._running[submit(is_after_its_neighbours, self._bucket, directory)] = self._plan.guard.looked

    def _next_page(self, key_range: KeyRange) -> _Timed:
        if key_range not in self._sources:
            self._sources[key_range] = self._bucket.list(self._prefix, self._delimiter, start_after=key_range.after)
        return _timed(self._sources[key_range])

    def _received(self, key_range: KeyRange, timed: _Timed) -> None:
        self._plan.received(key_range, *timed)


def is_after_its_neighbours(bucket: Bucket, directory: str) -> bool:
    """Return whether the server lists nothing after a directory that S3 lists before it, as requests for it tell.

    It is one request, and two where there is such a thing. It is False where that cannot be found out.
    """
    name = directory[:-1]
    try:
        if not has_neighbours(directory, next(bucket.list(name, "/"), Page([], []))):
            return True
        keys = [item.key for page in bucket.list(name, limit=NEIGHBOURS) for item in page.objects]
    except OSError as error:
        if is_of_handler(error):
            raise
        return False
    return not bucket.key_order.is_own and comes_after_its_neighbours(directory, keys)


def _timed(pages: Iterator[Page]) -> _Timed:
    """Return the next page, or None, with the seconds spent waiting for it and the seconds spent reading it."""
    began, worked = time.perf_counter(), time.thread_time()
    page = next(pages, None)
    worked = max(time.thread_time() - worked, 1e-6)
    return page, time.perf_counter() - began - worked, worked


def children(bucket: Bucket, path: str, begun: Begun | None = None) -> list[Info] | None:
    """Return the infos of a directory's children, by name, or None where no key lies below it, not even its marker.

    `begun` is the listing by delimiter, where it has been begun.
    """
    prefix = bucket.space.prefix(path)
    found: list[Info] = []
    exists = False
    for page in pages(bucket, prefix, "/", begun=begun):
        exists = exists or bool(page.objects or page.prefixes)
        found += [directory(below) for key in page.prefixes if (below := nameable(bucket, key))]
        found += [
            file(below, item) for item in page.objects if item.key != prefix and (below := nameable(bucket, item.key))
        ]
    return sorted(found, key=name_of) if exists else None


name_of = itemgetter("name")


def check_depth(maxdepth: int | None) -> None:
    """Raise `ValueError` where `maxdepth` is not a number of levels."""
    if maxdepth is not None and maxdepth < 1:
        raise ValueError("maxdepth must be at least 1")


def exists_below(bucket: Bucket, path: str) -> bool:
    """Return whether any key lies below a directory. Its own marker counts.

    Raises:
        BucketNotFoundError: The bucket is missing.
    """
    return any(page.objects or page.prefixes for page in bucket.list(bucket.space.prefix(path), limit=1))


def files(bucket: Bucket, path: str, begin: str = "") -> Iterator[tuple[str, ObjectInfo]]:
    """Return an iterator over the path and object of each file below a directory, in the order of keys.

    Only files whose names below the directory start with `begin` are given.
    """
    return files_on(bucket, pages(bucket, bucket.space.prefix(path) + begin))


def files_on(bucket: Bucket, listed: Iterable[Page]) -> Iterator[tuple[str, ObjectInfo]]:
    """Yield the path and object of each file on some pages, without the directory markers."""
    path_of = bucket.space.path
    for page in listed:
        for item in page.objects:
            if item.key[-1] != "/" and (path := path_of(item.key) or nameable(bucket, item.key)):
                yield path, item


def descendants(bucket: Bucket, path: str, markers: list[ObjectInfo] | None = None) -> dict[str, Info]:
    """Return every file and directory below a directory, from one flat listing. Add its markers to `markers`."""
    found: dict[str, Info] = {}
    directories: dict[str, Info] = {}

    def listed() -> Iterator[ObjectInfo]:
        for page in pages(bucket, bucket.space.prefix(path)):
            if markers is not None:
                markers.extend(item for item in page.objects if item.key[-1] == "/")
            yield from page.objects

    for name, item in entries(bucket, path, listed()):
        if item is not None:
            found[name] = file(name, item)
        elif name != path:
            directories[name] = directory(name)
    # A file of a directory's name, "a" beside "a/b", is the one that is shown.
    return {**directories, **found}


def entries(bucket: Bucket, path: str, listed: Iterable[ObjectInfo], within: str = "") -> Iterator[Entry]:
    """Yield a directory and all that lies below it, from the objects that a flat listing tells of.

    Directories come before what lies in them. A store that does not list in order may have some come twice. Where
    `within` is given, only directories are of interest below which every path holds that text.
    """
    previous = ""
    for item in listed:
        name, is_directory = nameable(bucket, item.key), item.key[-1:] == "/"
        if name is None:  # the directories above it are there, if it is not
            name, is_directory = directory_above(bucket, item.key), True
        current = name.rstrip("/") + "/" if is_directory else name
        if not previous:
            previous = path.rstrip("/") + "/"
            yield path, None
        if within in current:
            for above in entered(previous, current):
                yield above, None
        previous = current
        if not is_directory:
            yield name, item


def entered(previous: str, current: str) -> list[str]:
    """Return the directories that hold the path `current` and not `previous`, outermost first.

    A directory's own path ends in ``/``.

    >>> entered("/a/", "/a/b/c/file"), entered("/a/b/x", "/a/b/y"), entered("/", "/a/b/")
    (['/a/b', '/a/b/c'], [], ['/a', '/a/b'])
    >>> entered("/folder1-suffix/file", "/folder1/file")
    ['/folder1']
    """
    found = []
    end = current.rfind("/")
    while end > 0 and not previous.startswith(current[: end + 1]):
        found.append(current[:end])
        end = current.rfind("/", 0, end)
    found.reverse()
    return found


def directory_above(bucket: Bucket, key: str) -> str:
    """Return the deepest directory above a key that a path can name. For a directory marker, it may be its own."""
    while key := key.rpartition("/")[0]:
        path = bucket.space.path(key + "/")
        if path is not None:
            return path
    return "/"


def keys(bucket: Bucket, path: str) -> Iterator[str]:
    """Return an iterator over all keys below a directory.

    These include directory markers, the directory's own one among them, and keys that no path can name.
    """
    return (item.key for page in pages(bucket, bucket.space.prefix(path)) for item in page.objects)


def nameable(bucket: Bucket, key: str) -> str | None:
    """Return the path of a key or prefix. Where no path can name it, return None and log a debug line."""
    path = bucket.space.path(key)
    if path is None:
        logger.debug("not listed: key %r has a '.', '..' or empty component, so no path can name it", key)
    return path
