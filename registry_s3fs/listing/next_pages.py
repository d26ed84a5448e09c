"""The pages that follow the first ones of several listings, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from registry_s3fs.listing.directory import Begun, begin_each
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.listing_responses import Listing
from registry_s3fs.threads.signal_errors import is_of_handler

MOST_BEGUN = 64
"""The most listings that are begun side by side."""
MOST_LISTINGS = 32
"""The most listings that are read on side by side."""
MOST_PAGES = 128
"""The most pages that are so requested before the first listing goes on. They take about 40 MB."""


def listings_at_once(bucket: Bucket) -> int:
    """Return how many listings may be read on side by side.

    They are not more than there are threads, so that a page that fails, with all its retries, is waited for once.
    """
    return 1 if bucket.pool.is_in_place else min(MOST_LISTINGS, bucket.pool.threads)


def read_on(bucket: Bucket, begun: dict[str, Begun]) -> dict[str, Begun | OSError]:
    """Request further pages of listings by their names. In place of one stands why it cannot go on.

    One listing after the other, even in parts, takes a few waits each. Side by side, all of them together wait as often
    as one has further pages. So that pays for as many pages as there are listings, up to `MOST_PAGES` in all. Where the
    first listing fails, the others do not go on.

    After an exception none of the listings may be used: those that have gone on lack a page.
    """
    read: dict[str, Begun | OSError] = {**begun}
    for _ in range(min(len(begun), MOST_PAGES // len(begun))):
        going = dict(_unfinished(read))
        if not going or isinstance(read[next(iter(read))], OSError):
            break
        read.update(zip(going, bucket.pool.map(_with_next_page, going.values()), strict=True))
    return read


def begun_in_turn(bucket: Bucket, listings: dict[str, Listing]) -> Iterator[tuple[str, Begun]]:
    """Yield listings and their names in order. They are begun side by side, and read on so where a page is not all.

    Raises:
        OSError: One of them cannot be listed.
    """
    for some in _split([*listings], MOST_BEGUN):
        begun = dict(zip(some, begin_each(bucket, [listings[name] for name in some]), strict=True))
        for names in _split(some, listings_at_once(bucket)):
            unfinished = dict(_unfinished({name: begun[name] for name in names}))
            read = read_on(bucket, unfinished) if len(unfinished) > 1 else {}
            begun.update(read)
            del unfinished, read  # their pages go as they are taken
            for name in names:
                found = begun.pop(name)
                if isinstance(found, OSError):
                    raise found
                yield name, found


def _split(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def _unfinished(read: dict[str, Begun | OSError]) -> Iterator[tuple[str, Begun]]:
    return ((name, found) for name, found in read.items() if isinstance(found, Begun) and not found.is_whole)


def _with_next_page(begun: Begun) -> Begun | OSError:
    try:
        return begun._replace(pages=[*begun.pages, *islice(begun.following, 1)])
    except OSError as error:
        if is_of_handler(error):
            raise
        return error
