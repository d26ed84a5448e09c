"""How one listing is split into ranges of keys that are listed side by side. Pure: no requests.

A listing is a row of parts, each a range of keys that is paged through on its own, from S3's StartAfter on.
Where a range is cut matters for speed only: any string will do, whether or not a key is there, since the left
part takes the keys up to it and the right one those after it. So every key is listed once, whatever is added or
deleted meanwhile; and no request is spent on finding out where to cut, because a page is of use wherever it
begins. Where the keys lie is guessed from a sample of those received, at each level where they differ,
``blobs`` and ``repositories``, ``0`` to ``5``, with as much to come as there was:

- Behind all that begins as they do.
- Among the letters or digits that may follow what they share: ``0`` to ``5`` are done, ``6`` to ``f`` may come.

A part costs at most one request more than none: its last page may hold keys of the next one. So parts are bought with
pages received, and a listing takes at most `MOST_MORE` more requests than the fewest possible.
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

from registry_s3fs.model.objects import Page

MOST_MORE = Fraction(3, 10)
"""Requests beyond the fewest possible, as a part of those."""
STREAMS = 12
"""Parts that are listed side by side at most, where requests spend their time waiting; without that, one
interpreter is busy with one."""
PART_AHEAD_PAGES = 16
"""Pages of one part that wait to be taken."""
AHEAD_PAGES = 128
"""Pages of all parts that wait to be taken or are on their way: about 40 MB of records."""
WORTH_PAGES = 2
"""Pages that a part should bring."""
SAMPLE_KEYS = 64
DENSE = 0.25
"""So many of the characters between the first and the last one seen must have been seen, to guess at more."""
ALPHABETS = tuple(map(frozenset, (string.digits, string.ascii_lowercase, string.ascii_uppercase)))
HEX_DIGITS = frozenset(string.digits + "abcdef")

_key = attrgetter("key")


class OutOfOrderError(Exception):
    """The server gave keys in another order than that of their UTF-8 bytes, or from before StartAfter."""


class Cut(NamedTuple):
    """A place to cut a part, and how many keys are thought to lie behind it."""

    keys: float
    at: str


class Sample(NamedTuple):
    """Every so many of the keys received, in order."""

    keys: list[str]
    every: int

    def with_page(self, names: Sequence[str]) -> Sample:
        """The sample with those of one more page, thinned where it has grown."""
        keys, every = [*self.keys, *names[:: self.every]], self.every
        while len(keys) > SAMPLE_KEYS:
            keys, every = keys[::2], every * 2
        return Sample(keys, every)

    def cut(self, last: str, upto: str | None, prefix: str, worth: float) -> Cut | None:
        """Where to cut the keys after `last` and up to `upto` (None: to the end) of those below `prefix`, such that
        `worth` keys may be to come; at the first level that allows it."""
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
    """Of the characters that may follow what is shared: how many are done, and which may come.

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
    """What both begin with.

    >>> beginning("sha256/0a", "sha256/0b"), beginning("a", "a/b")
    ('sha256/0', 'a')
    """
    differing = (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return one[: next(differing, min(len(one), len(other)))]


def successor(text: str) -> str:
    """The first string behind all that begin with `text`; ``""`` where there is none that may be sent.

    >>> successor("blobs/"), successor("sha256/0"), successor("a\\x7f")
    ('blobs0', 'sha256/1', '')
    """
    behind = chr(ord(text[-1]) + 1) if text and text[-1] < "\\U0010ffff" else ""
    # Some servers repeat StartAfter as it is in their XML, which cannot hold control characters.
    return text[:-1] + behind if behind and behind.isprintable() else ""


EMPTY = Sample([], 16)


@dataclass(eq=False, slots=True)
class Part:
    """The keys after one and up to another (None: to the end), and those of its pages that wait to be taken."""

    after: str
    upto: str | None = None
    last: str = ""
    """The last key received."""
    sample: Sample = EMPTY
    """Of this part, and of those to its left before it was cut off from them."""
    pages: deque[Page] = field(default_factory=deque)
    running: bool = False
    done: bool = False


class Plan:
    """The parts of one listing, in the order of their keys, and which requests are due.

    Whoever acts on it starts a request for each part that `due` gives, hands in what came with
    `received`, and takes pages in the order of their keys with `take`, until it is `finished`.
    """

    def __init__(self, prefix: str, delimiter: str = "", start_after: str = "") -> None:
        self._prefix = prefix
        self._delimiter = delimiter
        self._parts = [Part(start_after)]
        self._ordered = True
        self._ended = False
        self._requests = 0
        self._keys = 0
        self._page_keys = 1
        self._waited_s, self._worked_s = 60.0, 1.0

    @property
    def finished(self) -> bool:
        """Whether all pages have been taken."""
        return not self._parts

    def take(self) -> Page | None:
        """The next page in order, where it has come; it may be shorter than the server's."""
        while self._parts:
            head = self._parts[0]
            if head.pages:
                return head.pages.popleft()
            if not head.done:
                return None
            del self._parts[0]
        return None

    @property
    def _streams(self) -> int:
        """While a request waits for the server, so many others can be worked on. The least times count: they
        are the ones that nothing else has lengthened."""
        return 1 + round(min(self._waited_s / self._worked_s, STREAMS - 1))

    def due(self) -> Iterator[Part]:
        """The parts whose next page is to be requested now; each counts as running until it is received."""
        while self._parts and sum(part.running for part in self._parts) < self._streams:
            part = next(self._waiting(), None) or self._cut()
            if part is None:
                return
            part.running = True
            yield part

    def _room(self) -> bool:
        return sum(len(part.pages) + part.running for part in self._parts) < AHEAD_PAGES

    def _waiting(self) -> Iterator[Part]:
        """Parts that may go on: the first one always, so that memory is bounded but nothing stands still."""
        room = self._room()
        for part in self._parts[:STREAMS]:
            within = part is self._parts[0] or (room and len(part.pages) < PART_AHEAD_PAGES)
            if within and not part.done and not part.running:
                yield part

    def _cut(self) -> Part | None:
        """Cut where most is to come, if it may cost a request and there is room; gives the right part."""
        if not (self._ordered and self._room() and self._affordable()):
            return None
        worth = float(WORTH_PAGES * self._page_keys)
        cuts = {
            part: cut
            for part in self._parts[:STREAMS]
            if not part.done and (cut := part.sample.cut(part.last, part.upto, self._prefix, worth))
            if not self._delimiter or self._delimiter not in cut.at[len(self._prefix) :]
        }
        if not cuts:
            return None
        left = max(cuts, key=lambda part: cuts[part].keys)
        right = Part(cuts[left].at, left.upto, sample=left.sample)
        left.upto = right.after
        self._parts.insert(self._parts.index(left) + 1, right)
        return right

    def _affordable(self) -> bool:
        """Whether one more part keeps the requests within their bound, even where the last page of each
        is of no use. One of those has a key, unless the end has been seen."""
        wasted = self._requests - Fraction(self._keys, self._page_keys)
        at_worst = wasted + 1 + sum(not part.done for part in self._parts)
        more = math.floor(at_worst) if self._ended else math.ceil(at_worst) - 1
        goes_on = bool(self._parts[-1].last) and not self._parts[-1].done
        fewest = self._keys // self._page_keys + 1 if goes_on else math.ceil(self._keys / self._page_keys)
        return more <= MOST_MORE * fewest

    def received(self, part: Part, page: Page | None, waited_s: float = 1, worked_s: float = 1e-3) -> None:
        """Take in the page that was requested for a part; None where none followed.

        The request waited so long for the server, and kept the interpreter busy so long.

        Raises:
            OutOfOrderError: the server cannot list parts. The pages taken so far are right.
        """
        part.running = False
        if page is None or page.last:
            part.done = self._ended = True
        if page is None:
            return
        self._requests += 1
        self._waited_s, self._worked_s = min(self._waited_s, waited_s), min(self._worked_s, worked_s)
        names = _names(page)
        if page.ignores_start or (names and names[0] <= max(part.after, part.last)):
            self._ordered = False
            if len(self._parts) > 1 or part.after:
                raise OutOfOrderError
        self._page_keys = max(self._page_keys, len(names))
        if part.upto is not None and names and names[-1] > part.upto:
            part.done = True
            page, names = _up_to(page, part.upto), names[: bisect_right(names, part.upto)]
        if names:
            self._keys += len(names)
            part.last, part.sample = names[-1], part.sample.with_page(names)
            part.pages.append(page)


def _names(page: Page) -> list[str]:
    names = list(map(_key, page.objects))
    return sorted(names + page.prefixes) if page.prefixes else names


def _up_to(page: Page, key: str) -> Page:
    objects = page.objects[: bisect_right(page.objects, key, key=_key)]
    return Page(objects, page.prefixes[: bisect_right(page.prefixes, key)], last=True)
