"""Stores that list keys in an order of their own: every key is listed once, wherever that is noticed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from hashlib import md5
from itertools import product
from random import Random
from typing import Any, NamedTuple

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.listing import directory
from registry_s3fs.listing.walking import Walk
from registry_s3fs.model.key_order import KeyOrder
from registry_s3fs.model.objects import ObjectInfo, Page
from tests.thoroughly import thorough

Order = Callable[[str], Any]

NAMES = ["a", "a-b", "a.b", "b", "b-", "c", "c!"]


def directories_first(key: str) -> list[tuple[bool, str]]:
    *above, name = key.split("/")
    return [*((False, each) for each in above), (bool(name), name)]


def files_first(key: str) -> list[tuple[bool, str]]:
    *above, name = key.split("/")
    return [*((True, each) for each in above), (False, name)]


def hashed(name: str) -> bytes:
    return md5(name.encode(), usedforsecurity=False).digest()


ORDERS: dict[str, Order] = {
    "by hash": hashed,
    "by hash, as a store that encrypts names": lambda key: list(map(hashed, key.split("/"))),
    "by UTF-16, as a store in Java": lambda key: key.encode("utf-16-be", "surrogatepass"),
    "directories first": directories_first,
    "files first": files_first,
    "by directory, as a store on a disk": lambda key: key.split("/"),
    "by key, as S3": lambda key: key,
}
STARTS = ["by its bytes", "in its own order", "not at all", "if the key is there"]
"""How a store takes StartAfter."""


class OddStore(NamedTuple):
    """How a server lists, with few keys a page and so late that it is asked for parts."""

    order: Order
    start: str
    page_keys: int = 20
    look_s: float = 0.005
    """The seconds that a request for the names around a directory takes."""
    late_s: float = 0.005
    """The seconds that any other request takes."""
    sorts_prefixes: bool = False
    """Whether common prefixes are in the order of their bytes, whatever that of the keys."""

    def listed(self, objects: list[ObjectInfo], listing: tuple[str, str, str], limit: int) -> Iterator[Page]:
        """The pages of a listing, as `Bucket.list` gives them."""
        prefix, delimiter, start_after = listing
        names: dict[str, ObjectInfo | None] = {}
        for item in sorted(objects, key=lambda item: self.order(item.key)):
            at = item.key.find(delimiter, len(prefix)) if delimiter else -1
            names[item.key if at < 0 else item.key[: at + 1]] = item if at < 0 else None
        left = self._behind([*names], start_after)
        size = min(limit or self.page_keys, self.page_keys)
        for number in range(0, max(1, len(left)), size):
            time.sleep(self.look_s if delimiter and prefix[-1:] not in ("", "/") else self.late_s)
            page = left[number : number + size]
            kept = [name for name in page if name > start_after]
            dirs = [name for name in kept if not names[name]]
            yield Page(
                [item for name in kept if (item := names[name])],
                sorted(dirs) if self.sorts_prefixes else dirs,
                last=bool(limit) or number + size >= len(left),
                ignores_start=kept != page,
            )
            if limit:
                return

    def _behind(self, names: list[str], start_after: str) -> list[str]:
        if not start_after or self.start == "not at all":
            return names
        if self.start == "by its bytes":
            return [name for name in names if name > start_after]
        if self.start == "in its own order":
            return [name for name in names if self.order(name) > self.order(start_after)]
        return names[names.index(start_after) + 1 :] if start_after in names else []


@pytest.fixture
def serve(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> Callable[[OddStore], list[str]]:
    """Has the filesystem's bucket listed as a store lists it, of which nothing is known.

    Gives the list of what listings start after.
    """

    def serve(store: OddStore) -> list[str]:
        asked: list[str] = []
        fs.bucket.store.page_keys = 10_000
        fs.bucket.key_order = KeyOrder()
        ask = fs.bucket.list

        def listed(prefix: str, delimiter: str = "", limit: int = 0, start_after: str = "") -> Iterator[Page]:
            asked.append(start_after)
            objects = [item for page in ask(prefix) for item in page.objects]
            return fs.bucket.key_order.watched(store.listed(objects, (prefix, delimiter, start_after), limit))

        monkeypatch.setattr(fs.bucket, "list", listed)
        return asked

    return serve


def stored(fs: RegistryS3FileSystem, seed: int) -> list[str]:
    """Plant some hundred keys, of which many share the beginnings of their names.

    By directory, all of the first pages are in the order of keys, and then come some that are before them.
    """
    random = Random(seed)
    paths = {
        "/".join(random.choice(NAMES) for _ in range(random.randint(1, 3))) + f"/{random.randrange(40):02}"
        for _ in range(400)
    }
    first = random.choice([60, 200, 600])
    paths |= {f"0/{number:03}" for number in range(first)} | {f"0!/{number}" for number in range(5)}
    for path in paths:
        fs.bucket.plant(fs.bucket.space.key(f"/{path}"), 1)
    return sorted(f"/{path}" for path in paths)


@pytest.mark.parametrize("seed", [0, *thorough(1, 2, 3)])
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("order", ORDERS)
def test_every_key_is_listed_once(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]], order: str, start: str, seed: int
) -> None:
    """By a server that answers so late that it is asked for parts, if its keys seem to be in order."""
    paths = stored(fs, seed)
    serve(OddStore(ORDERS[order], start))
    assert sorted(path for path, _ in directory.files(fs.bucket, "/")) == paths


def test_two_servers_behind_one_name_lose_no_key(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]]
) -> None:
    """Each lists in order, and one after the other: what one of them shows of its order is not all."""
    paths = stored(fs, 1)
    serve(OddStore(lambda key: (len(key) % 2, key), "by its bytes"))
    for _ in range(3):
        assert sorted(path for path, _ in directory.files(fs.bucket, "/")) == paths


@pytest.mark.parametrize("sorts_prefixes", [True, *thorough(False)])
@pytest.mark.parametrize(("above", "look_s"), [("", 0.005), *thorough(("x/y/", 0.3))])
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("order", ORDERS)
def test_what_a_cut_hides_is_found(
    fs: RegistryS3FileSystem,
    serve: Callable[[OddStore], list[str]],
    order: str,
    start: str,
    above: str,
    look_s: float,
    sorts_prefixes: bool,
) -> None:
    """Where each page is in order, and nothing else shows that some keys come behind a directory that was cut.

    What is found around the directory counts, also where it comes after the last page.
    """
    paths = [f"/{above}0/{number:03}" for number in range(600)] + [f"/{above}0!/{number}" for number in range(5)]
    for path in paths:
        fs.bucket.plant(fs.bucket.space.key(path), 1)
    asked = serve(OddStore(ORDERS[order], start, look_s=look_s, sorts_prefixes=sorts_prefixes))
    assert sorted(path for path, _ in directory.files(fs.bucket, "/")) == sorted(paths)
    assert any(asked) or not order.startswith("by key")  # else it was not listed in parts


def test_a_store_that_is_known_to_list_in_order_may_still_know_no_place_between_keys(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]]
) -> None:
    """What was given before that is noticed is not given again."""
    paths = stored(fs, 1)
    serve(OddStore(ORDERS["by key, as S3"], "if the key is there"))
    fs.bucket.key_order.shows_bytes = True
    assert sorted(path for path, _ in directory.files(fs.bucket, "/")) == paths


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("order", ORDERS)
def test_every_name_is_listed_once(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]], order: str, start: str
) -> None:
    """Of a directory that has directories and files, which are pages of their own each."""
    paths = [f"/d/{number:03}{end}" for number in range(150) for end in ("/x", "-", "!/y", ".z")]
    for path in paths:
        fs.bucket.plant(fs.bucket.space.key(path), 1)
    serve(OddStore(ORDERS[order], start))
    assert fs.ls("/d", detail=False) == sorted(path.removesuffix("/x").removesuffix("/y") for path in paths)


SEARCHES: dict[str, Callable[[RegistryS3FileSystem], list[str]]] = {
    "glob": lambda fs: fs.glob("/*/*"),
    "glob of names": lambda fs: fs.glob("/*/x"),
    "find": lambda fs: fs.find("/", maxdepth=2),
    "walk": lambda fs: sorted(f"{above}/{name}" for above, _, names in fs.walk("/") for name in names),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("search", ["glob", *thorough("glob of names", "find", "walk")])
def test_what_is_in_many_small_directories_is_found(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]], order: str, start: str, search: str
) -> None:
    """A page of a server's own order does not tell that a directory is empty."""
    paths = [f"/{number:03}{end}/x" for number in range(150) for end in ("", "-", "-a")]
    for path in paths:
        fs.bucket.plant(fs.bucket.space.key(path), 1)
    serve(OddStore(ORDERS[order], start))
    assert SEARCHES[search](fs) == sorted(paths)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("sorts_prefixes", "places"),
    [(False, range(1, 150, 37)), *thorough((True, range(0, 150, 4)), (False, range(2, 150, 4)))],
)
def test_the_only_directory_that_has_an_odd_neighbour_is_found(
    fs: RegistryS3FileSystem,
    serve: Callable[[OddStore], list[str]],
    order: str,
    sorts_prefixes: bool,
    places: range,
    start: str,
) -> None:
    """Wherever it lies: at the beginning of a page, at its end, or in between."""
    serve(OddStore(ORDERS[order], start, late_s=0, sorts_prefixes=sorts_prefixes))
    for place in places:
        names = [*(f"{number:03}" for number in range(150)), f"{place:03}-"]
        fs.bucket.store.objects.clear()
        fs.bucket.key_order = KeyOrder()
        for name in names:
            fs.bucket.plant(fs.bucket.space.key(f"/{name}/x"), 1)
        for search in ("walk", "glob"):
            assert SEARCHES[search](fs) == sorted(f"/{name}/x" for name in names)


SHARED = [("directories first", "/d/zz"), ("by directory, as a store on a disk", "/d/333-/a")]


@pytest.mark.parametrize(("order", "neighbour"), [*SHARED, *thorough(*product(ORDERS, ["/d/zz", "/d/333-/a"]))])
def test_directories_of_some_files_that_share_a_page_are_found(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]], order: str, neighbour: str
) -> None:
    """A page that begins at one directory does not tell of those that the store lists before it."""
    paths = [f"/d/{number:03}/{name}" for number in range(400) for name in "abc"] + [neighbour, "/e/1"]
    for path in paths:
        fs.bucket.plant(fs.bucket.space.key(path), 1)
    for search in (lambda: fs.find("/", maxdepth=3), lambda: fs.glob("/*/*") + fs.glob("/*/*/*")):
        for shift in (0, 1, 2):
            fs.bucket.key_order = KeyOrder()
            serve(OddStore(ORDERS[order], "in its own order", 1000 - shift, look_s=0, late_s=0))
            assert {path for path in search() if path in paths} == {*paths}


@pytest.mark.parametrize("start", ["by its bytes", "in its own order"])
@pytest.mark.parametrize("order", ORDERS)
def test_files_of_a_directory_that_a_page_has_hide_none_of_its_directories(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]], order: str, start: str
) -> None:
    """A page may end in what the store lists of it first."""
    paths = [f"/d/{number:03}/{name}" for number in range(400) for name in "abc"]
    paths += [f"/e/z{number:03}" for number in range(900)] + [f"/e/{number:03}/x" for number in range(90)]
    for path in paths:
        fs.bucket.plant(fs.bucket.space.key(path), 1)
    serve(OddStore(ORDERS[order], start, page_keys=1000, late_s=0))
    assert fs.find("/", maxdepth=3) == sorted(paths)


@pytest.mark.parametrize("order", ORDERS)
def test_a_name_that_others_begin_with_is_found(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]], order: str
) -> None:
    """Where a pattern ends in it, as a file's and as a directory's."""
    others = [
        f"/{number}/{name}" for number in range(6) for name in ("apple", "app-x", "App", "app0/1", "dir/x", "dir-1")
    ]
    for path in [*others, *(f"/{number}/app" for number in range(6))]:
        fs.bucket.plant(fs.bucket.space.key(path), 1)
    serve(OddStore(ORDERS[order], "in its own order", page_keys=5, late_s=0))
    assert fs.glob("/*/app") == [f"/{number}/app" for number in range(6)]
    assert fs.glob("/*/dir") == [f"/{number}/dir" for number in range(6)]
    assert fs.glob("/*/ap") == []


def test_a_name_that_thousands_begin_with_takes_few_requests(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]]
) -> None:
    """Whether a file has it, a directory, or nothing."""
    for number in range(400):
        fs.bucket.plant(fs.bucket.space.key(f"/d/app{number:03}"), 1)
    fs.bucket.plant(fs.bucket.space.key("/d/z/app/x"), 1)
    fs.bucket.plant(fs.bucket.space.key("/d/app/x"), 1)
    asked = serve(OddStore(ORDERS["directories first"], "in its own order", late_s=0))
    for name, found in (("app399", ["/d/app399"]), ("app", ["/d/app"]), ("ap", [])):
        asked.clear()
        assert fs.glob(f"/[d]/{name}") == found
        assert len(asked) <= 4


@pytest.mark.parametrize("order", ORDERS)
def test_large_directories_whose_files_come_last_are_listed_whole(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]], order: str
) -> None:
    """What comes after a cut has to be in what is listed from there on, not only to come after its first name."""
    paths = [f"/b/{above}/{number:03}" for above in ("App0", "a", "z") for number in range(300)] + ["/b/a-f", "/b/z-f"]
    for path in paths:
        fs.bucket.plant(fs.bucket.space.key(path), 1)
    for page_keys in (20, 40, 60):
        fs.bucket.key_order = KeyOrder()
        serve(OddStore(ORDERS[order], "in its own order", page_keys, late_s=0.001))
        assert sorted(path for path, _ in directory.files(fs.bucket, "/")) == sorted(paths)


@pytest.mark.parametrize("left_out", ["/0", "/a/a", *thorough("/a", "/c!")])
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_walk_that_leaves_a_directory_out_gives_all_others(
    fs: RegistryS3FileSystem, serve: Callable[[OddStore], list[str]], order: str, start: str, left_out: str
) -> None:
    """Whatever comes behind it in the server's order."""
    paths = stored(fs, 1)
    serve(OddStore(ORDERS[order], start))
    walk, files = Walk(fs.bucket, "/"), []
    for path, item in walk:
        files += [path] if item else []
        if path == left_out:
            walk.skip(path)
    assert sorted(files) == [path for path in paths if not path.startswith(left_out + "/")]
