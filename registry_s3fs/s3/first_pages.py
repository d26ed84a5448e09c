"""The first pages of many listings side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from registry_s3fs.model.objects import Page
from registry_s3fs.s3.fast_path.call import Call
from registry_s3fs.s3.fast_path.client import FastPath
from registry_s3fs.s3.listing_responses import Listing
from registry_s3fs.s3.lookups import list_request
from registry_s3fs.s3.many_requests import ManyRequests, Way
from registry_s3fs.s3.responses import Answer

LIST = "ListObjectsV2"


class Started(NamedTuple):
    """A listing whose first page is there."""

    pages: Iterator[Page]
    waited_s: float
    """The least of the seconds for which a first page was waited for, of all that were requested with it."""
    worked_s: float
    """The seconds for which that kept the processor busy."""


@dataclass
class _First:
    """The first request of a listing."""

    listing: Listing
    answer: Answer | None = None
    error: Exception | None = None
    waited_s: float = 0
    worked_s: float = 0


class FirstPages(ManyRequests):
    """The first requests of many listings."""

    def start_lists(self, listings: Sequence[Listing]) -> list[Started | Exception]:
        """Send the first ListObjectsV2 of each listing, side by side.

        In place of a listing that cannot be begun stands why.
        """
        firsts = [_First(listing) for listing in listings]
        waiting = firsts[::-1]
        way = Way(LIST, self._list_call, self._is_listed, self._list_by_boto3)
        for _ in self._each(way, lambda: waiting.pop() if waiting else None, lambda: len(waiting)):
            pass
        # This thread also had the others' pages to read, and each response may have waited for that.
        waited_s = min((each.waited_s for each in firsts if each.answer), default=0)
        return [each.error or Started(self._watched(each), waited_s, each.worked_s) for each in firsts]

    def _watched(self, first: _First) -> Iterator[Page]:
        return self.key_order.watched(self._pages(first.listing, 0, first.answer))

    def _list_call(self, first: _First, fast_path: FastPath) -> Call[_First] | None:
        return fast_path.list_objects(list_request(first.listing), first) if fast_path.is_open(LIST) else None

    def _is_listed(self, first: _First, call: Call[_First]) -> bool:
        first.answer, first.waited_s, first.worked_s = call.answer, call.exchange.waited_s, call.worked_s
        if call.error is not None:
            first.error = self._translation(first.listing.prefix, call.error)
        return call.answer is not None or call.error is not None

    def _list_by_boto3(self, first: _First, call: Call[_First] | None) -> _First:
        began, worked = time.perf_counter(), time.thread_time()
        try:
            if call is not None:
                call.hand_over()
            first.answer = self._send("list_objects_v2", first.listing.prefix, list_request(first.listing))
        except (OSError, ValueError) as error:
            first.error = error
        first.worked_s = time.thread_time() - worked
        first.waited_s = time.perf_counter() - began - first.worked_s
        return first
