"""A listing in parts gives what one page after another would, in at most 1.3 times as many requests."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_s3fs.listing.order_guard import OutOfOrderError
from registry_s3fs.listing.partition import AHEAD_PAGES, FREE_LOOKS, RANGE_AHEAD_PAGES, STREAMS, KeyRange, Plan
from registry_s3fs.model.key_order import KeyOrder
from registry_s3fs.model.objects import ObjectInfo, Page

WHEN = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Server:
    """Keys, and how many of them a page has; counts what is asked."""

    def __init__(self, keys: set[str], page_keys: int, prefix: str = "", delimiter: str = "") -> None:
        self.keys = sorted(keys)
        self.page_keys = page_keys
        self.prefix = prefix
        self.delimiter = delimiter
        self.requests = 0

    def items(self) -> list[str]:
        """Keys, with those that share a prefix up to the delimiter as one."""
        if not self.delimiter:
            return [key for key in self.keys if key.startswith(self.prefix)] if self.prefix else self.keys
        rolled = {}
        for key in self.keys:
            if key.startswith(self.prefix):
                head, found, _ = key[len(self.prefix) :].partition(self.delimiter)
                rolled[self.prefix + head + found] = None
        return sorted(rolled)

    def page(self, after: str) -> Page:
        self.requests += 1
        items = self.items()
        start = bisect_right(items, after)
        found = items[start : start + self.page_keys]
        ends = start + self.page_keys >= len(items)
        prefixes = [each for each in found if self.delimiter and each.endswith(self.delimiter)]
        return Page([ObjectInfo(each, 0, "", WHEN) for each in found if each not in prefixes], prefixes, ends)


def act(
    server: Server, choose: Callable[[list[KeyRange]], KeyRange], meanwhile: Callable[[], None] = lambda: None
) -> list[str]:
    """Carry the plan out; requests are answered in the order that `choose` wants."""
    plan = Plan(server.prefix, server.delimiter)
    reached: dict[KeyRange, str] = {}
    running: list[KeyRange] = []
    listed: list[str] = []
    while True:
        while (page := plan.take()) is not None:
            listed += sorted([item.key for item in page.objects] + page.prefixes)
        if plan.finished:
            return listed
        running += plan.due()
        key_range = choose(running)
        running.remove(key_range)
        page = server.page(reached.get(key_range, key_range.after))
        reached[key_range] = max(
            [reached.get(key_range, key_range.after), *(item.key for item in page.objects), *page.prefixes]
        )
        plan.received(key_range, page)
        meanwhile()


def first(running: list[KeyRange]) -> KeyRange:
    return running[0]


names = st.lists(
    st.text(st.sampled_from("019af-./é\U0001f433\x01"), min_size=1, max_size=6), max_size=60, unique=True
) | st.builds(
    lambda start, count, form: [form.format(number) for number in range(start, start + count)],
    st.integers(0, 10**6),
    st.integers(0, 400),
    st.sampled_from(["{:07}", "{}", "{:x}/data", "a/{:03}/b", "t-{:02}/x/y", "9/{}", "\uffff{}"]),
)
key_sets = st.lists(names, min_size=1, max_size=3).map(lambda found: {key for each in found for key in each})


@settings(max_examples=400)
@given(key_sets, st.integers(1, 40), st.randoms())
def test_each_key_comes_once_and_in_order(keys: set[str], page_keys: int, random: Random) -> None:
    """Whatever the keys are and in whichever order answers come, within 1.3 times the fewest requests."""
    server = Server(keys, page_keys)
    assert act(server, random.choice) == sorted(keys)
    assert server.requests <= 1.3 * max(1, math.ceil(len(keys) / page_keys))


@settings(max_examples=200)
@given(key_sets, st.integers(1, 20), st.randoms())
def test_directories_are_listed_once_and_in_order(keys: set[str], page_keys: int, random: Random) -> None:
    """The keys below each are one item, which no cut divides."""
    server = Server({f"p/{key}" for key in keys} | {"o", "q"}, page_keys, "p/", "/")
    assert act(server, random.choice) == server.items()
    assert server.requests <= 1.3 * max(1, math.ceil(len(server.items()) / page_keys))


@settings(max_examples=200)
@given(key_sets, key_sets, key_sets, st.integers(1, 20), st.randoms())
def test_what_changes_meanwhile_harms_nothing_else(
    keys: set[str], added: set[str], deleted: set[str], page_keys: int, random: Random
) -> None:
    """Keys that are there all the time come once; those that come or go, once or not at all."""
    server = Server(keys, page_keys)
    coming, going = sorted(added - keys), sorted(deleted & keys)

    def change() -> None:
        if coming:
            server.keys = sorted({*server.keys, coming.pop()})
        if going:
            server.keys.remove(going.pop())

    listed = act(server, random.choice, change)
    assert listed == sorted(set(listed))
    assert keys - deleted <= set(listed) <= keys | added


def registry() -> Iterator[str]:
    for number in range(3000):
        yield f"docker/registry/v2/blobs/sha256/{number * 7919 % 256:02x}/{number * 104729:064x}/data"
        repository = f"docker/registry/v2/repositories/team-{number % 20:02}/app-{number % 150:04}"
        yield f"{repository}/_layers/sha256/{number:064x}/link"


@pytest.mark.parametrize(
    "keys",
    [registry(), (f"d/{n:06}" for n in range(6000)), (f"{n * 2654435761 % 2**32:08x}" for n in range(6000))],
    ids=["registry", "numbers", "digests"],
)
def test_many_requests_run_side_by_side(keys: Iterator[str]) -> None:
    """A listing of 100 pages takes less than half as long as one page after another."""
    server = Server(set(keys), 60)
    rounds, answered = 0, 0

    def oldest(running: list[KeyRange]) -> KeyRange:
        nonlocal rounds, answered
        if not answered:
            rounds, answered = rounds + 1, len(running)
        answered -= 1
        return running[0]

    act(server, oldest)
    assert rounds < 50


@pytest.mark.parametrize("levels", [1, 5, 60, 200])
def test_looks_around_directories_are_paid_for(levels: int) -> None:
    """Beyond the first few, each counts as a request, however deep the keys lie."""
    server = Server({"d/" * levels + f"{number:05}" for number in range(4_000)}, 40)
    plan, reached = Plan("", order=KeyOrder()), dict[KeyRange, str]()
    looks, cuts = list[str](), 0
    while not plan.finished:
        for key_range in list(plan.due()):
            page = server.page(reached.get(key_range, key_range.after))
            reached[key_range] = page.objects[-1].key if page.objects else key_range.after
            cuts = max(cuts, len(reached) - 1)
            plan.received(key_range, page)
        looks += plan.guard.due()
        plan.take()
    assert cuts or levels > 30
    assert len(looks) == len(set(looks)) == (levels if cuts else 0)
    assert server.requests + len(looks) <= 1.3 * 100 + FREE_LOOKS


def test_memory_is_bounded() -> None:
    """However slowly pages are taken, few wait."""
    server = Server({f"{number:06}" for number in range(30_000)}, 10)
    plan = Plan("")
    reached: dict[KeyRange, str] = {}
    received, taken = 0, 0
    while not plan.finished:
        due = list(plan.due())
        assert len(due) <= STREAMS
        for key_range in due:
            page = server.page(reached.get(key_range, key_range.after))
            reached[key_range] = page.objects[-1].key if page.objects else key_range.after
            plan.received(key_range, page)
            received += 1
        taken += plan.take() is not None
        assert received - taken <= AHEAD_PAGES + RANGE_AHEAD_PAGES + 0.3 * received
    assert received > 3000


def test_where_the_interpreter_is_the_bottleneck_one_request_runs_at_a_time() -> None:
    """Nothing would be gained by more, and requests be lost."""
    server = Server({f"{number:06}" for number in range(2000)}, 10)
    plan = Plan("")
    after = ""
    while not plan.finished:
        due = list(plan.due())
        assert len(due) <= 1
        for key_range in due:
            page = server.page(after)
            after = page.objects[-1].key
            plan.received(key_range, page, waited_s=0.001, worked_s=0.005)
        plan.take()
    assert server.requests == 200


def test_a_server_that_ignores_start_after_is_found_out() -> None:
    """Its keys are never taken for those of a part."""
    server = Server({f"{number:06}" for number in range(2000)}, 10)
    order, pages = KeyOrder.of_s3(), iter([server.page(f"{number:06}") for number in range(-1, 2000, 10)])
    plan = Plan("", order=order)
    with pytest.raises(OutOfOrderError):
        while True:
            for key_range in list(plan.due()):
                page = next(pages) if not key_range.after else replace(server.page(""), ignores_start=True)
                plan.received(key_range, next(order.watched([page])))
            plan.take()


@pytest.mark.parametrize(
    "page",
    [
        Page([ObjectInfo(key, 0, "", WHEN) for key in ("9999991", "9999990")], []),
        Page([], ["9999991/", "9999990/"]),
        Page([ObjectInfo("9999990", 0, "", WHEN)], [], ignores_start=True),
    ],
)
def test_a_page_that_is_out_of_order_ends_a_listing_in_parts(page: Page) -> None:
    """Its keys may lie in any part."""
    server = Server({f"{number:06}" for number in range(2000)}, 10)
    order, reached = KeyOrder.of_s3(), dict[KeyRange, str]()
    plan = Plan("", order=order)
    while len(due := list(plan.due())) < 2:
        for key_range in due:
            found = server.page(reached.get(key_range, key_range.after))
            reached[key_range] = found.objects[-1].key
            plan.received(key_range, found)
    with pytest.raises(OutOfOrderError):
        plan.received(due[-1], next(order.watched([page])))


def test_a_server_with_an_order_of_its_own_is_listed_page_after_page() -> None:
    """As soon as one page shows it, nothing is cut any more."""
    order = KeyOrder.of_s3()
    plan = Plan("", order=order)
    pages = [Page([ObjectInfo(f"{n:03}{each}", 0, "", WHEN) for each in "abc"], []) for n in range(200, 100, -1)]
    for page in order.watched(pages):
        (key_range,) = plan.due()
        plan.received(key_range, page)
        assert plan.take() == page
