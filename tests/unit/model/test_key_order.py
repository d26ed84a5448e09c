"""The order in which a server lists keys: what a page shows of it, and what lies around a directory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from registry_s3fs.model.key_order import SURE_KEYS, KeyOrder, comes_after_its_neighbours, has_neighbours
from registry_s3fs.model.objects import ObjectInfo, Page

NOW = datetime.now(timezone.utc)


def page(*names: str) -> Page:
    """A page of these names; those that end in a slash are common prefixes."""
    files = [ObjectInfo(name, 0, "", NOW) for name in names if not name.endswith("/")]
    return Page(files, [name for name in names if name.endswith("/")])


@pytest.mark.parametrize(
    ("names", "has_some"),
    [
        (["app/"], False),
        (["app/", "app0/", "appz"], False),
        (["app", "app/"], False),
        (["app-x/", "app/"], True),
        (["app/", "app-x/"], True),
        (["app.txt", "app/"], True),
        (["app-x/", "app-y/"], False),  # the directory comes behind both, or has been deleted
        ([], False),
    ],
)
def test_a_neighbour_begins_like_a_directory_and_comes_before_it(names: list[str], has_some: bool) -> None:
    """By the bytes of keys, in whichever order it was listed."""
    assert has_neighbours("app/", page(*names)) is has_some


@pytest.mark.parametrize(
    ("keys", "is_in_order"),
    [
        (["app.txt", "app/1"], True),
        (["app", "app-x/1", "app.txt"], True),
        (["app/1", "app/2", "app/3"], False),
        (["app", "app/1", "app/2"], False),
        ([], False),  # it has been deleted
    ],
)
def test_a_neighbour_is_listed_before_what_is_in_the_directory(keys: list[str], is_in_order: bool) -> None:
    """By a few keys, without a delimiter."""
    assert comes_after_its_neighbours("app/", keys) is is_in_order


def test_many_keys_in_order_show_it() -> None:
    """Where a store that lists by directory would have two of them the other way round. A few may be an accident."""
    many = [f"b{number:04}/x" for number in range(SURE_KEYS)]
    pair = ["a-/x", "a/x"]
    for names, is_by_bytes in ((many, False), (pair, False), ([*pair, *many], True), ([*many, *pair], False)):
        order = KeyOrder()
        assert list(order.watched([page(*names)])) == [page(*names)]
        assert order.is_by_bytes == is_by_bytes


@pytest.mark.parametrize(
    "pages",
    [
        [page("b", "a")],
        [page("b/", "a/")],
        [page("a", "c"), page("b", "d")],
        [page("a/", "c"), page("b/", "d")],
        [page("b"), page(), page("a")],
        [replace(page("b"), ignores_start=True)],
    ],
)
def test_an_order_of_its_own_is_never_forgotten(pages: list[Page]) -> None:
    """Whatever comes after it, or was seen before."""
    sure = page(*(f"{name}{number:04}/x" for name in ("a-", "a") for number in range(SURE_KEYS)))
    for before, after in ((1, 0), (0, 1), (1, 1)):
        order = KeyOrder()
        for listing in [*([sure],) * before, pages, *([sure],) * after]:
            assert list(order.watched(listing)) == listing
        assert order.is_own
        assert not order.is_by_bytes


@pytest.mark.parametrize("pair", [("a-/", "a/"), ("a-", "a/1"), ("a.txt", "a/1")])
def test_what_other_stores_list_so_too_shows_nothing(pair: tuple[str, str]) -> None:
    """Some sort common prefixes, and not keys. Some list the files of a directory before its directories."""
    order, end = KeyOrder(), pair[1][1:]
    assert list(order.watched([page(*pair, *(f"b{number:04}{end}" for number in range(SURE_KEYS)))]))
    assert order == KeyOrder()


def test_keys_and_common_prefixes_are_in_order_each() -> None:
    """A response has them apart."""
    assert page("b", "c", "a/", "d/").is_ordered
    assert not page("c", "b").is_ordered
    assert not page("d/", "a/").is_ordered
