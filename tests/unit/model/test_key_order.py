"""The order in which a server lists keys: what a page shows of it, and what lies around a directory."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from registry_s3fs.model.key_order import SURE_KEYS, KeyOrder, comes_after_its_neighbours
from registry_s3fs.model.objects import ObjectInfo, Page

NOW = datetime.now(timezone.utc)


def page(*names: str) -> Page:
    """A page of these names; those that end in a slash are common prefixes."""
    files = [ObjectInfo(name, 0, "", NOW) for name in names if not name.endswith("/")]
    return Page(files, [name for name in names if name.endswith("/")])


@pytest.mark.parametrize(
    ("names", "is_in_order"),
    [
        (["app/"], True),
        (["app/", "app0/"], True),
        (["app", "app/"], True),
        (["app-x/", "app/"], True),
        (["app-x/", "app-y/"], True),  # it comes behind both
        (["app-x/", "app.txt"], True),
        ([], True),  # it has been deleted
        (["app/", "app-x/"], False),
        (["app", "app/", "app-x/"], False),
        (["app/", "app-x/", "app-y/"], False),
        (["app.txt", "app/"], False),  # which of them came first is not told
    ],
)
def test_a_neighbour_that_comes_too_late_is_seen(names: list[str], is_in_order: bool) -> None:
    """By a few names around a directory."""
    assert comes_after_its_neighbours("app/", page(*names)) == is_in_order


@pytest.mark.parametrize("end", ["/x", "/"])
def test_many_keys_in_order_show_it(end: str) -> None:
    """Where a store that lists by directory would have two of them the other way round. A few may be an accident."""
    many = [f"b{number:04}{end}" for number in range(SURE_KEYS)]
    pair = ["a-" + end, "a" + end]
    for names, is_by_bytes in ((many, False), (pair, False), ([*pair, *many], True), ([*many, *pair], False)):
        order = KeyOrder()
        order.saw(page(*names))
        assert order.is_by_bytes == is_by_bytes


def test_keys_and_common_prefixes_are_in_order_each() -> None:
    """A response has them apart."""
    assert page("b", "c", "a/", "d/").is_ordered
    assert not page("c", "b").is_ordered
    assert not page("d/", "a/").is_ordered
