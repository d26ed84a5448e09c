"""A tree's directories, listed in the order in which a caller asks for them: the right children, by few requests."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from fsspec.spec import AbstractFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.listing import tree
from registry_s3fs.model.key_order import KeyOrder
from registry_s3fs.model.objects import Page
from tests.thoroughly import thorough

TEAMS, APPS, DEEP = 6, 5, 40

names = st.sampled_from(["a", "a-b", "a.b", "b", "bc", "c"])
paths = st.lists(st.lists(names, min_size=1, max_size=5).map("/".join), max_size=40)


class Requests(list[str]):
    """The prefix of each listing request, with ``*`` behind it where all keys below were asked for."""


@pytest.fixture
def listed(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> Requests:
    """The requests of a filesystem that has some teams of repositories, a few keys a page."""
    for team in range(TEAMS):
        for app in range(APPS):
            for number in range(DEEP):
                fs.bucket.plant(fs.bucket.space.key(f"/r/team-{team}/app-{app}/_layers/{number:03}/link"), 1)
    fs.bucket.store.page_keys = 50
    seen = Requests()
    ask = fs.bucket.list

    def note(prefix: str, delimiter: str = "", **options: Any) -> Iterator[Page]:
        for page in ask(prefix, delimiter, **options):
            seen.append((fs.bucket.space.path(prefix) or prefix) + "*" * (not delimiter))
            yield page

    monkeypatch.setattr(fs.bucket, "list", note)
    return seen


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths, st.sampled_from([1, 2, 3, 7, 1000]), st.sampled_from([None, 1, 2, 3]), st.booleans(), st.integers(0, 99))
def test_a_walk_gives_what_a_request_for_each_directory_gives(
    fs: RegistryS3FileSystem, keys: list[str], page_keys: int, depth: int | None, topdown: bool, seed: int
) -> None:
    """Whatever the keys and the size of a page, and where the caller leaves directories out or goes back and forth."""
    fs.bucket.store.objects.clear()
    fs.bucket.store.page_keys = page_keys
    for key in keys:
        fs.bucket.plant(fs.bucket.space.key(f"/{key}"), 1)
    expected = list(AbstractFileSystem.walk(fs, "/", maxdepth=depth, topdown=topdown))
    assert list(fs.walk("/", maxdepth=depth, topdown=topdown)) == expected
    theirs = AbstractFileSystem.walk(fs, "/", maxdepth=depth)
    assert pruned(fs.walk("/", maxdepth=depth), seed) == pruned(theirs, seed)


def pruned(walk: Iterator[Any], seed: int) -> list[Any]:
    """A walk whose caller shuffles directories and leaves some out."""
    random, found = Random(seed), []
    for path, dirs, files in walk:
        random.shuffle(dirs)
        dirs[:] = [name for name in dirs if random.random() < 0.8]
        found.append((path, list(dirs), files))
    return found


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_walk_of_few_levels_lists_each_directory_once_by_its_delimiter(
    fs: RegistryS3FileSystem, listed: Requests, depth: int
) -> None:
    """But for a page now and then, which shows whether directories are large, no key that lies deeper is read."""
    visited = [path for path, _, _ in fs.walk("/r", maxdepth=depth)]
    flat = [each.rstrip("*") for each in listed if each[-1] == "*"]
    assert sorted({*(each for each in listed if each[-1] != "*"), *flat}) == sorted(visited)
    assert len(flat) <= (0, 1, 2)[depth - 1]
    assert len(listed) <= len(visited) + len(flat)
    assert len(visited) == [1, 1 + TEAMS, 1 + TEAMS + TEAMS * APPS][depth - 1]


def test_tiny_directories_take_a_page_for_many(fs: RegistryS3FileSystem, listed: Requests) -> None:
    """A walk of all of them takes not many more requests than their keys have pages."""
    keys = TEAMS * APPS * DEEP
    assert sum(len(files) for _, _, files in fs.walk("/r")) == keys
    assert len(listed) <= 2.5 * keys / fs.bucket.store.page_keys
    listed.clear()
    assert len(fs.find("/r/team-0/app-0/_layers", maxdepth=2)) == DEEP
    assert len(listed) == 1


def test_only_what_is_visited_in_order_is_listed_ahead(fs: RegistryS3FileSystem, listed: Requests) -> None:
    """The first directory is two requests; what a walk leaves out costs a few at most."""
    next(fs.walk("/r", maxdepth=3))
    assert listed == ["/r*", "/r"]
    listed.clear()
    for _, dirs, _ in fs.walk("/r", maxdepth=3):
        dirs[:] = [name for name in dirs if name in ("team-3", "app-4")]
    assert {"/r", "/r/team-3", "/r/team-3/app-4"} <= set(listed)
    assert len(listed) <= 2 + 2 * tree.GROWTH


def test_a_walk_that_leaves_out_all_children_reads_few_keys_below_them(
    fs: RegistryS3FileSystem, listed: Requests
) -> None:
    """After the first directories, each is listed by its delimiter, though a page would tell of two."""
    repositories = [f"/q/app-{number:03}" for number in range(100)]
    for path in repositories:
        for number in range(20):
            fs.bucket.plant(fs.bucket.space.key(f"{path}/_layers/{number:03}/link"), 1)
    visited = []
    for path, dirs, _ in fs.walk("/q"):
        dirs[:] = [name for name in dirs if not name.startswith("_")]
        visited.append(path)
    assert visited == ["/q", *repositories]
    flat = [each for each in listed if each[-1] == "*"]
    assert len(flat) <= 10
    assert len(listed) <= len(visited) + len(flat)


def test_an_error_is_told_where_the_walk_gets_there(
    fs: RegistryS3FileSystem, listed: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the directory with which it was asked for, which is walked."""
    ask = fs.bucket.list

    def denied(prefix: str, *args: Any, **options: Any) -> Any:
        if prefix.endswith("team-1/"):
            raise PermissionError(13, "denied", prefix)
        return ask(prefix, *args, **options)

    monkeypatch.setattr(fs.bucket, "list", denied)
    errors: list[OSError] = []
    visited = [path for path, _, _ in fs.walk("/r", maxdepth=2, on_error=errors.append)]
    assert visited == ["/r", *(f"/r/team-{team}" for team in range(TEAMS) if team != 1)]
    assert [error.filename for error in errors] == [fs.bucket.space.prefix("/r/team-1")]


def test_a_store_that_lists_in_an_order_of_its_own_is_asked_for_each_directory(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page tells nothing of what follows there, so none is asked for that could hold several directories."""
    fs.bucket.store.page_keys = 50
    for number in range(500):
        fs.bucket.plant(fs.bucket.space.key(f"/r/{number:03}/link"), 1)
    expected = list(AbstractFileSystem.walk(fs, "/r"))
    ask, order = fs.bucket.list, fs.bucket.key_order
    starts: list[str] = []

    def unordered(prefix: str, delimiter: str = "", start_after: str = "", **options: Any) -> Iterator[Page]:
        starts.append(start_after)
        for page in ask(prefix, delimiter, start_after=start_after, **options):
            yield Page(page.objects[::-1], page.prefixes[::-1], page.last, bool(start_after))

    monkeypatch.setattr(fs.bucket, "list", lambda *asked, **options: order.watched(unordered(*asked, **options)))
    assert list(fs.walk("/r")) == expected
    assert not any(starts)


def test_an_order_of_the_callers_own_is_listed_ahead_too(fs: RegistryS3FileSystem, listed: Requests) -> None:
    """And what the caller has left out is not."""
    for path, dirs, _ in fs.walk("/r", maxdepth=2):
        if path == "/r":
            dirs[:] = [name for name in reversed(dirs) if name != "team-2"]
    assert [each for each in listed if each[-1] != "*"] == ["/r", *(f"/r/team-{team}" for team in (5, 4, 3, 1, 0))]


@pytest.mark.parametrize("pattern", ["/r/team-*/app-1/_layers/007/link", "/r/*/app-1/_layers/007/**", "/r/*/app-?/**"])
def test_a_pattern_that_ends_in_names_takes_a_page_for_many_directories(
    fs: RegistryS3FileSystem, listed: Requests, pattern: str
) -> None:
    """Not a request for each name."""
    fs.bucket.store.page_keys = 800
    expected = AbstractFileSystem.glob(fs, pattern)
    listed.clear()
    assert fs.glob(pattern) == expected
    assert len(listed) <= 6


@pytest.mark.parametrize("call", ["leaving out", *thorough("walk", "glob")])
def test_tiny_directories_cost_as_much_each_however_many_there_are(fs: RegistryS3FileSystem, call: str) -> None:
    """Counted in calls of functions. Rows of pages hold thousands of them, and none is looked at again."""
    calls = {}
    fs.bucket.store.page_keys = 100
    for count in (1_000, 8_000):
        for number in range(count):
            fs.bucket.plant(fs.bucket.space.key(f"/{count}/{number:05}/x"), 1)
        seen = Counter[str]()
        sys.setprofile(lambda _, event, __, seen=seen: seen.update([event]))
        try:
            if call == "glob":
                assert len(fs.glob(f"/{count}/*/*")) == count
            else:
                for _, below, _ in fs.walk(f"/{count}"):
                    del below[: 1 if call == "leaving out" else 0]
        finally:
            sys.setprofile(None)
        calls[count] = seen["call"] / count
    assert calls[8_000] <= 1.5 * calls[1_000]


@pytest.mark.parametrize("order", [KeyOrder.of_s3(), KeyOrder()], ids=["S3's order", "an order that is not known"])
def test_directories_that_are_missing_cost_no_requests(fs: RegistryS3FileSystem, order: KeyOrder) -> None:
    """A page that has keys before and behind a directory, and none of it, tells that it is missing."""
    fs.bucket.key_order = order
    for number in range(1_000):
        for name in ("x", *(["tags/t"] if number % 10 == 0 else [])):
            fs.bucket.plant(fs.bucket.space.key(f"/r/{number:04}-{name[0]}/{name}"), 1)
    found = fs.glob("/r/*/tags/*")
    assert len(found) == 100
    assert sum(fs.bucket.store.requests.values()) <= 20


def test_one_large_directory_does_not_make_the_small_ones_behind_it_dear(
    fs: RegistryS3FileSystem, listed: Requests
) -> None:
    """A page tells of many of them again, though the first page told of none."""
    for number in range(60):
        fs.bucket.plant(fs.bucket.space.key(f"/s/a/{number}"), 1)
    for number in range(1000):
        fs.bucket.plant(fs.bucket.space.key(f"/s/b{number:04}/x"), 1)
    for found in (fs.walk("/s"), fs.walk("/s", maxdepth=2), fs.find("/s", maxdepth=2)):
        listed.clear()
        assert len(list(found)) in (1002, 1060)
        assert len(listed) < 150


@pytest.mark.parametrize("call", ["glob", "walk", "find"])
def test_the_pages_of_one_large_directory_are_listed_side_by_side(
    fs: RegistryS3FileSystem, listed: Requests, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever call."""
    for number in range(3000):
        fs.bucket.plant(fs.bucket.space.key(f"/big/{number:04}"), 1)
    ask, running, most = fs.bucket.list, [0], [0]

    def slow(*args: Any, **options: Any) -> Iterator[Page]:
        pages = ask(*args, **options)
        while True:
            running[0] += 1
            most[0] = max(most[0], running[0])
            time.sleep(0.01)
            running[0] -= 1
            page = next(pages, None)
            if page is None:
                return
            yield page

    monkeypatch.setattr(fs.bucket, "list", slow)
    calls = {
        "glob": lambda: fs.glob("/big/*"),
        "walk": lambda: next(fs.walk("/big"))[2],
        "find": lambda: fs.find("/big", maxdepth=1),
    }
    assert len(calls[call]()) == 3000
    assert most[0] > 2


def test_large_directories_ahead_are_begun_and_read_on_a_little(fs: RegistryS3FileSystem, listed: Requests) -> None:
    """A walk that stops has read two pages of each at most, and four more of each that was begun with the first."""
    for team in range(30):
        for number in range(400):
            fs.bucket.plant(fs.bucket.space.key(f"/large/{team:02}/{number:03}"), 1)
    walk = fs.walk("/large")
    for _ in range(3):
        next(walk)
    assert len(listed) <= 2 + 2 * tree.GROWTH + tree.GROWTH**2 + 3 * 400 / 50


def test_of_directories_that_the_caller_leaves_out_no_further_page_is_requested(
    fs: RegistryS3FileSystem, listed: Requests
) -> None:
    """But the first pages of some, with those of their neighbours."""
    for team in range(4):
        for app in range(4):
            for number in range(200):
                fs.bucket.plant(fs.bucket.space.key(f"/apps/{team}/{app}/{number:03}"), 1)
    for path, dirs, _ in fs.walk("/apps"):
        if path in ("/apps/1", "/apps/2"):
            del dirs[1:]
    pages = Counter(asked for asked in listed if asked.startswith(("/apps/1/", "/apps/2/")))
    assert {path for path, count in pages.items() if count > 1} == {"/apps/1/0", "/apps/2/0"}


@pytest.mark.parametrize("call", ["walk", "glob", "find"])
def test_after_ctrl_c_no_more_is_requested(
    fs: RegistryS3FileSystem, listed: Requests, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what is under way: directories that were begun ahead do not go on in other threads."""
    for team in range(4):
        for number in range(10_000):
            fs.bucket.plant(fs.bucket.space.key(f"/large/{team}/{number:05}"), 1)
    ask = fs.bucket.list

    def slow(*args: Any, **options: Any) -> Iterator[Page]:
        for page in ask(*args, **options):
            time.sleep(0.02)
            yield page

    monkeypatch.setattr(fs.bucket, "list", slow)
    calls = {
        "walk": lambda: list(fs.walk("/large")),
        "glob": lambda: fs.glob("/large/*/*"),
        "find": lambda: fs.find("/large", maxdepth=2),
    }
    asked = []

    def press_ctrl_c() -> None:
        asked.append(len(listed))
        signal.raise_signal(signal.SIGINT)

    timer = threading.Timer(0.25, press_ctrl_c)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        calls[call]()
    timer.join()
    time.sleep(0.3)
    assert len(listed) <= asked[0] + tree.MOST_AT_ONCE
