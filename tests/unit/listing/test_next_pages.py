"""Directories of more than a page: what follows their first pages is requested side by side, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.listing import directory, next_pages, tree
from registry_s3fs.model.info import Info
from registry_s3fs.model.objects import Page
from registry_s3fs.s3.bucket import Bucket

Turn = dict[str, directory.Begun | OSError]


@pytest.fixture(autouse=True)
def small_pages(fs: RegistryS3FileSystem) -> None:
    """A page has 50 keys."""
    fs.bucket.store.page_keys = 50


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """What each turn of reading on gives."""
    read_on = next_pages.read_on
    seen: list[Turn] = []

    def note(bucket: Bucket, begun: dict[str, directory.Begun]) -> Turn:
        seen.append(read_on(bucket, begun))
        return seen[-1]

    monkeypatch.setattr(next_pages, "read_on", note)
    return seen


def plant(fs: RegistryS3FileSystem, directories: int, keys: int) -> None:
    """Store objects in directories below ``/many``."""
    for number in range(directories):
        for key in range(keys):
            fs.bucket.plant(fs.bucket.space.key(f"/many/{number:02}/{key:04}"), 1)


@pytest.mark.parametrize("call", ["walk", "glob", "find"])
@pytest.mark.parametrize("keys", [60, 200])
def test_what_follows_the_first_pages_of_many_directories_is_waited_for_together(
    fs: RegistryS3FileSystem,
    turns: list[Turn],
    call: str,
    keys: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of a page and a little more, and of some pages: nothing is left that each waits for by itself."""
    plant(fs, 30, keys)
    children = directory.children
    alone: list[str] = []

    def note_alone(bucket: Bucket, path: str, begun: directory.Begun | None = None) -> list[Info] | None:
        alone.extend([path] if begun and not begun.is_whole else [])
        return children(bucket, path, begun)

    monkeypatch.setattr(directory, "children", note_alone)
    calls = {
        "walk": lambda: [name for path, _, names in fs.walk("/many") for name in names],
        "glob": lambda: fs.glob("/many/*/*"),
        "find": lambda: fs.find("/many", maxdepth=2),
    }
    assert len(calls[call]()) == 30 * keys
    assert sum(map(len, turns)) == 30
    assert alone == []


@pytest.mark.parametrize("pattern", ["/many/*/*", "/many/*/**"])
def test_the_next_pages_of_directories_are_waited_for_side_by_side(
    fs: RegistryS3FileSystem, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None comes before all of them were requested."""
    plant(fs, 4, 60)
    ask, all_requested = fs.bucket.list, threading.Barrier(4, timeout=30)

    def waiting(prefix: str, delimiter: str = "", **options: Any) -> Iterator[Page]:
        for number, page in enumerate(ask(prefix, delimiter, **options)):
            if number == 1:
                all_requested.wait()
            yield page

    monkeypatch.setattr(fs.bucket, "list", waiting)
    assert len([path for path in fs.glob(pattern) if path.count("/") == 3]) == 240


@pytest.mark.parametrize("teams", [2, 4, 8, 40])
def test_directories_of_more_pages_than_are_read_on_lose_no_key(
    fs: RegistryS3FileSystem, turns: list[Turn], teams: int
) -> None:
    """What is read on side by side is no more than is said. The rest is listed where the caller gets there."""
    plant(fs, teams, 1200)
    assert [len(names) for _, _, names in fs.walk("/many")] == [0] + [1200] * teams
    assert turns
    for turn in turns:
        pages = [len(found.pages) - 1 for found in turn.values() if isinstance(found, directory.Begun)]
        assert 2 <= len(pages) <= next_pages.MOST_LISTINGS
        assert 0 < sum(pages) <= next_pages.MOST_PAGES
        assert max(pages) <= len(pages)


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_directories_are_read_on_than_there_are_threads(
    fs: RegistryS3FileSystem, turns: list[Turn], threads: int
) -> None:
    """Where no server answers any more, each turn takes as long as the retries of one request."""
    few = RegistryS3FileSystem(**fs.storage_options | {"max_concurrency": threads}, skip_instance_cache=True)
    plant(fs, 8, 60)
    assert len(few.glob("/many/*/*")) == 480
    assert list(map(len, turns)) == {1: [], 2: [2] * 4}[threads]


@pytest.mark.parametrize("teams", [1, 33, 70])
def test_a_pattern_of_all_that_is_below_many_directories_finds_all(fs: RegistryS3FileSystem, teams: int) -> None:
    """More than are begun at once, and more than are read on at once; the last one is alone."""
    plant(fs, teams, 60)
    assert len([path for path in fs.glob("/many/*/**") if path.count("/") == 3]) == 60 * teams


def test_after_an_exception_no_page_is_missing(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that came beside what raised it are lost, and requested again where the caller goes on."""
    plant(fs, 4, 200)
    found = tree.tree_down_to(fs.bucket, "/many", None)
    found.children("/many")
    read_on = next_pages.read_on

    def fail(bucket: Bucket, begun: dict[str, directory.Begun]) -> None:
        read_on(bucket, begun)
        monkeypatch.setattr(next_pages, "read_on", read_on)
        raise TimeoutError("a signal handler's")

    monkeypatch.setattr(next_pages, "read_on", fail)
    with pytest.raises(TimeoutError, match="handler"):
        found.children("/many/00")
    assert [len(found.children(f"/many/{team:02}") or []) for team in range(4)] == [200] * 4


def test_where_the_first_listing_fails_the_others_do_not_go_on(fs: RegistryS3FileSystem) -> None:
    """The caller is told, and may ask for nothing more."""

    def failing() -> Iterator[Page]:
        raise PermissionError("denied")
        yield

    page = Page([], ["a/"])
    begun = {str(number): directory.Begun([page], 0, 0, iter([page] * 9)) for number in range(1, 6)}
    read = next_pages.read_on(fs.bucket, {"0": directory.Begun([page], 0, 0, failing())} | begun)
    assert isinstance(read["0"], PermissionError)
    assert [len(found.pages) for found in read.values() if isinstance(found, directory.Begun)] == [2] * 5


@pytest.fixture(params=[0, 1], ids=["first page", "second page"])
def failing(fs: RegistryS3FileSystem, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of the third of four directories cannot be had."""
    plant(fs, 4, 60)
    ask = fs.bucket.list

    def listing(prefix: str, *args: Any, **options: Any) -> Iterator[Page]:
        for number, page in enumerate(ask(prefix, *args, **options)):
            if number == request.param and prefix.endswith("/02/"):
                raise PermissionError(prefix)
            yield page

    monkeypatch.setattr(fs.bucket, "list", listing)


@pytest.mark.usefixtures("failing")
def test_a_page_that_cannot_be_had_is_told_where_the_walk_gets_there(fs: RegistryS3FileSystem) -> None:
    """The directories before it are right."""
    walk = fs.walk("/many", on_error="raise")
    assert [len(next(walk)[2]) for _ in range(3)] == [0, 60, 60]
    with pytest.raises(PermissionError, match="/02/"):
        next(walk)


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("pattern", ["/many/*/*", "/many/*/**"])
def test_a_page_that_cannot_be_had_is_an_error_of_a_pattern(fs: RegistryS3FileSystem, pattern: str) -> None:
    """Nothing that matches is left out in silence."""
    with pytest.raises(PermissionError, match="/02/"):
        fs.glob(pattern)
