"""The division of one listing into key ranges that are listed side by side. Pure: no requests.

A listing is a row of key ranges. Each one is a `KeyRange` that is paged through alone, from S3's StartAfter on. The
place of a cut matters for speed only. Any string will do, whether or not there is such a key: the left range takes the
keys up to it, and the right range takes the keys after it. So every key is listed once, whatever is added or deleted
meanwhile. No request is spent on finding the place, because a page is of use wherever it begins.

The place is guessed from a sample of the keys received. The guess goes through the levels at which they differ, such as
``blobs`` and ``repositories``, or ``0`` to ``5``. It assumes that as many keys are to come as there were. A cut is
made:

- After all keys that begin like the ones received.
- Among the letters or digits that may follow the beginning that these share: ``0`` to ``5`` are done, ``6`` to ``f``
  may come.

A key range costs at most one request more than without it, as its last page may hold keys of the next range. So ranges
are paid for with pages received. A listing takes at most `MOST_MORE` more requests than the fewest possible.

Where it is not known that the server lists as S3 does, there are checks (`listing.order_guard`). Each directory that
is looked at costs a request for the names around it, which counts as one more, but for the first `FREE_LOOKS`. A second
one, where something comes before the directory, is not counted.
"""

from __future__ import annotations

import math
import string
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from operator import attrgetter
from typing import NamedTuple

from registry_s3fs.listing.order_guard import OrderGuard, OutOfOrderError
from registry_s3fs.model.key_order import KeyOrder
from registry_s3fs.model.objects import Page

MOST_MORE = Fraction(3, 10)
"""The most requests beyond the fewest possible, as a fraction of those."""
STREAMS = 12
"""The most key ranges listed side by side.

So many are of use where requests spend their time waiting. Otherwise one range keeps the interpreter busy.
"""
RANGE_AHEAD_PAGES = 16
"""The most pages of one key range that wait to be taken."""
AHEAD_PAGES = 128
"""The most pages of all key ranges that wait to be taken or are being requested. They take about 40 MB."""
WORTH_PAGES = 2
"""The number of pages that a new key range should bring."""
SAMPLE_KEYS = 64
FREE_LOOKS = 8
"""How many directories may be looked at without being paid for."""
DENSE = 0.25
"""The fraction of the characters from the first to the last one seen that must be seen, to guess at others."""
ALPHABETS = tuple(map(frozenset, (string.digits, string.ascii_lowercase, string.ascii_uppercase)))
HEX_DIGITS = frozenset(string.digits + "abcdef")

_key = attrgetter("key")


class Cut(NamedTuple):
    """A place to cut a key range, and the estimated number of keys after it."""

    keys: float
    at: str


class Sample(NamedTuple):
    """Every n-th of the keys received, in order."""

    keys: list[str]
    every: int

    def with_page(self, names: Sequence[str]) -> Sample:
        """Return the sample with keys of one more page. Thin it out where it has grown too large."""
        keys, every = [*self.keys, *names[:: self.every]], self.every
        while len(keys) > SAMPLE_KEYS:
            keys, every = keys[::2], every * 2
        return Sample(keys, every)

    def cut(self, last: str, upto: str | None, prefix: str, worth: float) -> Cut | None:
        """Return where to cut a key range such that an estimated `worth` keys lie after the cut.

        The range holds the keys below `prefix`, after `last` and up to `upto` (None: to the end). The cut is at the
        first level that allows one. Return None where no level does.
        """
        seen = self.keys
        while seen and seen[0] < last:
            shared, keys = beginning(seen[0], last), float(len(seen) * self.every)
            behind = successor(shared) if len(shared) > len(prefix) else ""
            is_top = seen is self.keys  # what ends below it has been cut off already
            if behind and keys >= worth and (upto is None or (behind < upto and not is_top)):
                return Cut(keys, behind)
            done, to_come = following(shared, seen, last, upto)
            if to_come and keys * len(to_come) / done >= worth:
                # No further ahead than there was: the guess may be wrong.
                return Cut(keys * len(to_come) / done, shared + to_come[min(len(to_come) // 2, done - 1)])
            seen = seen[bisect_left(seen, shared + last[len(shared)]) :]
        return None


def following(shared: str, seen: Sequence[str], last: str, upto: str | None) -> tuple[int, list[str]]:
    """Return how many of the characters that may follow the shared beginning are done, and which ones may come.

    >>> following("sha256/", ["sha256/00", "sha256/1b", "sha256/2c"], "sha256/36", None)
    (4, ['4', '5', '6', '7', '8', '9'])
    >>> following("sha256/", ["sha256/80", "sha256/9b", "sha256/ab"], "sha256/b6", "sha256/e")
    (4, ['c', 'd'])
    """
    at = len(shared)
    begun = {key[at : at + 1] for key in seen} | {last[at]}
    alphabet = begun.union(*(each for each in ALPHABETS if each & begun))
    if begun <= HEX_DIGITS and begun & ALPHABETS[0]:
        alphabet &= HEX_DIGITS
    end = upto[at : at + 1] if upto is not None and upto.startswith(shared) else ""
    done = sum(min(begun) <= char <= last[at] for char in alphabet)
    to_come = sorted(char for char in alphabet if last[at] < char and not (end and char >= end))
    return done, to_come if len(begun) >= DENSE * done else []


def beginning(one: str, other: str) -> str:
    """Return the beginning that both strings share.

    >>> beginning("sha256/0a", "sha256/0b"), beginning("a", "a/b")
    ('sha256/0', 'a')
    """
    differing = (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return one[: next(differing, min(len(one), len(other)))]


def successor(text: str) -> str:
    r"""Return the first string after all that begin with `text`, or ``""`` where there is none that may be sent.

    >>> successor("blobs/"), successor("sha256/0"), successor("a\x7f")
    ('blobs0', 'sha256/1', '')
    """
    behind = chr(ord(text[-1]) + 1) if text and text[-1] < "\\U0010ffff" else ""
    # Some servers repeat StartAfter as it is in their XML, which cannot hold control characters.
    return text[:-1] + behind if behind and behind.isprintable() else ""


EMPTY = Sample([], 16)


@dataclass(eq=False, slots=True)
class KeyRange:
    """The keys after one key and up to another (None: to the end), with the pages of them that wait to be taken."""

    after: str
    upto: str | None = None
    last: str = ""
    """The last key received."""
    sample: Sample = EMPTY
    """A sample of the keys in this range, and in the ranges to its left before it was cut off from them."""
    pages: deque[Page] = field(default_factory=deque)
    running: bool = False
    done: bool = False


class Plan:
    """The key ranges of one listing, in the order of their keys, and the requests that are due.

    The caller starts a request for each range that `due` gives. It hands in each response with `received`, and takes
    the pages with `take`, in the order of their keys. It does so until the plan is `finished`.
    """

    def __init__(self, prefix: str, delimiter: str = "", order: KeyOrder | None = None) -> None:
        """Begin the listing of a prefix. `order` is what is known of the server, and learns more. None means S3."""
        self._prefix = prefix
        self._delimiter = delimiter
        self._order = order or KeyOrder.of_s3()
        self.guard = OrderGuard(prefix, self._order)
        self._ranges = [KeyRange("")]
        self._ended = False
        self._requests = 0
        self._keys = 0
        self._page_keys = 1
        self._waited_s, self._worked_s = 60.0, 1.0

    @property
    def finished(self) -> bool:
        """Return whether all pages have been taken."""
        return not self._ranges

    def take(self) -> Page | None:
        """Return the next page in order, or None if it has not come yet. It may be shorter than the server's page."""
        while self._ranges:
            head = self._ranges[0]
            if head.pages:
                return head.pages.popleft()
            if not head.done:
                return None
            del self._ranges[0]
        return None

    @property
    def streams(self) -> int:
        """Return how many key ranges to list at once.

        While a request waits for the server, the interpreter can work on so many others. The least times count, as they
        are the ones that nothing else has lengthened.
        """
        return 1 + round(min(self._waited_s / self._worked_s, STREAMS - 1))

    def due(self) -> Iterator[KeyRange]:
        """Yield the key ranges whose next page is to be requested now. Each is running until its page is received."""
        while self._ranges and sum(key_range.running for key_range in self._ranges) < self.streams:
            key_range = next(self._waiting(), None) or self._cut()
            if key_range is None:
                return
            key_range.running = True
            yield key_range

    def _room(self) -> bool:
        return sum(len(key_range.pages) + key_range.running for key_range in self._ranges) < AHEAD_PAGES

    def _waiting(self) -> Iterator[KeyRange]:
        """Yield the key ranges that may continue.

        The first one always may. So the memory is bounded, but the listing never stands still.
        """
        room = self._room()
        for key_range in self._ranges[:STREAMS]:
            within = key_range is self._ranges[0] or (room and len(key_range.pages) < RANGE_AHEAD_PAGES)
            if within and not key_range.done and not key_range.running:
                yield key_range

    def _cut(self) -> KeyRange | None:
        """Cut the key range with the most keys to come, if there is room and a request to spare. Return the new one."""
        if self._order.is_own or not (self._room() and self._affordable()):
            return None
        worth = float(WORTH_PAGES * self._page_keys)
        cuts = {
            key_range: cut
            for key_range in self._ranges[:STREAMS]
            if not key_range.done and (cut := key_range.sample.cut(key_range.last, key_range.upto, self._prefix, worth))
            if not self._delimiter or self._delimiter not in cut.at[len(self._prefix) :]
        }
        if not cuts:
            return None
        left = max(cuts, key=lambda key_range: cuts[key_range].keys)
        if not self._affordable(len(self.guard.around(cuts[left].at))):
            return None
        right = KeyRange(cuts[left].at, left.upto, sample=left.sample)
        left.upto = right.after
        self._ranges.insert(self._ranges.index(left) + 1, right)
        self.guard.cut(right.after)
        return right

    def _affordable(self, looks: int = 0) -> bool:
        """Return whether one more key range, with so many looks, keeps the number of requests within its bound.

        This must hold even if the last page of each range is of no use. One of these pages has a key, unless the end
        has been seen.
        """
        looks = max(0, self.guard.looks + looks - FREE_LOOKS)
        wasted = self._requests + looks - Fraction(self._keys, self._page_keys)
        at_worst = wasted + 1 + sum(not key_range.done for key_range in self._ranges)
        more = math.floor(at_worst) if self._ended else math.ceil(at_worst) - 1
        goes_on = bool(self._ranges[-1].last) and not self._ranges[-1].done
        fewest = self._keys // self._page_keys + 1 if goes_on else math.ceil(self._keys / self._page_keys)
        return more <= MOST_MORE * fewest

    def received(self, key_range: KeyRange, page: Page | None, waited_s: float = 1, worked_s: float = 1e-3) -> None:
        """Take in the page that was requested for a key range.

        Args:
            key_range: The key range.
            page: The page, or None where no further one followed.
            waited_s: The seconds for which the request waited for the server.
            worked_s: The seconds for which the request kept the interpreter busy.

        Raises:
            OutOfOrderError: The server cannot list key ranges. The pages taken so far are right.
        """
        key_range.running = False
        if page is None or page.last:
            key_range.done = self._ended = True
        if page is None:
            self._meet(key_range, [])
            return
        self._requests += 1
        self._waited_s, self._worked_s = min(self._waited_s, waited_s), min(self._worked_s, worked_s)
        names = page.names
        if self._order.is_own and (len(self._ranges) > 1 or key_range.after):
            raise OutOfOrderError
        self._meet(key_range, names)
        self._page_keys = max(self._page_keys, len(names))
        if key_range.upto is not None and names and names[-1] > key_range.upto:
            key_range.done = True
            page, names = _up_to(page, key_range.upto), names[: bisect_right(names, key_range.upto)]
        if names:
            self._keys += len(names)
            key_range.last, key_range.sample = names[-1], key_range.sample.with_page(names)
            key_range.pages.append(page)

    def _meet(self, key_range: KeyRange, names: Sequence[str]) -> None:
        """Check that a key range, whose next names these are, meets the ones beside it."""
        if key_range.after and not key_range.last and (names or key_range.done):
            self.guard.begins(key_range.after, names)
        if key_range.upto is not None and names and names[-1] > key_range.upto:
            self.guard.saw_beyond(key_range.upto, names[bisect_right(names, key_range.upto)])


def _up_to(page: Page, key: str) -> Page:
    objects = page.objects[: bisect_right(page.objects, key, key=_key)]
    return Page(objects, page.prefixes[: bisect_right(page.prefixes, key)], last=True)
