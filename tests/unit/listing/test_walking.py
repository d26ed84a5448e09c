"""A walk over listings that no server at hand gives: pages without keys, and where it asks for no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import cast

from registry_s3fs.listing.walking import Walk
from registry_s3fs.model.key_order import KeyOrder
from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.model.paths import KeySpace
from registry_s3fs.s3.bucket import Bucket

NOW = datetime.now(timezone.utc)


class Pages:
    """A bucket that gives these pages of keys, and remembers from where each listing was asked for."""

    space = KeySpace("")

    def __init__(self, *pages: list[str], ignores_start: bool = False, has_own_order: bool = False) -> None:
        self.pages, self.ignores_start, self.has_own_order = pages, ignores_start or has_own_order, has_own_order
        self.asked: list[str] = []
        self.key_order = KeyOrder.of_s3()

    def list(self, prefix: str, delimiter: str = "", limit: int = 0, start_after: str = "") -> Iterator[Page]:
        listed = self._listed(prefix, start_after)
        if delimiter or limit:
            return self.key_order.watched([self._around(prefix, delimiter, limit, listed)])
        self.asked.append(start_after)
        return self.key_order.watched(listed)

    def _around(self, prefix: str, delimiter: str, limit: int, listed: Iterator[Page]) -> Page:
        """The first names that begin like a directory."""
        objects = [item for page in listed for item in page.objects][: limit or None]
        below = [item.key[: item.key.index("/", len(prefix)) + 1] for item in objects if "/" in item.key[len(prefix) :]]
        files = [item for item in objects if "/" not in item.key[len(prefix) :]]
        return Page(files, list(dict.fromkeys(below)), last=True) if delimiter else Page(objects, [])

    def _listed(self, prefix: str, start_after: str) -> Iterator[Page]:
        first = 0
        if self.has_own_order and start_after:  # it takes the place of a directory's last key
            first = max(at for at, keys in enumerate(self.pages, 1) if keys[-1].startswith(start_after[:-1]))
        for number, keys in enumerate(self.pages[first:], first + 1):
            objects = [ObjectInfo(key, 1, "e", NOW) for key in keys if key.startswith(prefix) and key > start_after]
            ignores = self.ignores_start and any(key < start_after for key in keys)
            yield Page(objects, [], number == len(self.pages), ignores)


def walked(pages: Pages, *skipped: str) -> tuple[list[str], bool]:
    """The paths of a walk that leaves out what lies below some, and whether it found anything."""
    walk = Walk(cast(Bucket, pages), "/")
    paths = []
    for path, _ in walk:
        paths.append(path)
        if path in skipped:
            walk.skip(path)
    return paths, walk.found


def test_pages_without_keys_end_nothing() -> None:
    """S3 may give one anywhere: what is found stays found, and what is skipped stays skipped."""
    assert walked(Pages(["a/1"], [], ["a/2", "b"], [])) == (["/a", "/a/1", "/a/2", "/b"], True)
    assert walked(Pages([], ["a/1"], [], ["a/2", "b"], []), "/a") == (["/a", "/b"], True)
    assert walked(Pages([], [])) == ([], False)


def test_nothing_is_asked_for_behind_the_last_page() -> None:
    """Where that is left out, too."""
    pages = Pages(["a", "b/1"])
    assert walked(pages, "/b") == (["/a", "/b"], True)
    assert pages.asked == [""]


def test_a_store_that_lists_in_an_order_of_its_own_is_listed_to_its_end() -> None:
    """What is behind in the order of keys may have to come yet."""
    for pages in (Pages(["b/2", "b/1"], ["a", "b/3"], ["c"]), Pages(["b/1", "c"], ["a", "b/3"], ["aa"])):
        found, _ = walked(pages, "/b")
        assert found == ["/b", *(f"/{key}" for page in pages.pages for key in page if "/" not in key)]
        assert pages.asked == [""]


def test_a_store_whose_order_is_not_known_is_listed_to_its_end() -> None:
    """What lies beside a directory that is left out, or beside one above it, may come later: here by directory."""
    pages = Pages(["app/l/1", "app/l/2"], ["app/l/3", "app/m/1"], ["app/m/2", "app-x/1"], ["b"])
    pages.key_order = KeyOrder()
    found, _ = walked(pages, "/app/l")
    assert found == ["/app", "/app/l", "/app/m", "/app/m/1", "/app/m/2", "/app-x", "/app-x/1", "/b"]
    assert pages.asked == [""]


def test_what_a_jump_has_missed_is_given_at_the_end() -> None:
    """Where it shows as late as that: here files come after the directories beside them. Nothing else comes again."""
    pages = Pages(["d/0/1", "d/a/1"], ["d/a/2", "d/a/3"], ["d/b/1", "d/c/1"], ["d/0file", "e"], has_own_order=True)
    believed, _ = walked(pages, "/d/a", "/d/0")
    assert believed == ["/d", "/d/0", "/d/a", "/d/b", "/d/b/1", "/d/c", "/d/c/1", "/e"]  # as of S3 itself
    pages.asked.clear()
    pages.key_order = KeyOrder()
    found, _ = walked(pages, "/d/a", "/d/0")
    assert found == ["/d", "/d/0", "/d/a", "/d/b", "/d/b/1", "/d/c", "/d/c/1", "/d/0file", "/e"]
    assert len(pages.asked) == 3


def test_a_store_that_lists_from_its_beginning_again_is_listed_to_its_end() -> None:
    """Of what it lists then, all that comes before the key to start after has been left out."""
    pages = Pages(["b/1", "b/2"], ["a", "c"], ignores_start=True)
    assert walked(pages, "/b") == (["/b", "/a", "/c"], True)


def test_a_listing_goes_on_behind_what_is_left_out() -> None:
    """From the page whose last key is left out; not where it would be on the way anyway."""
    pages = Pages(["a/1", "a/2"], ["a/3", "a/4"], ["a/5", "b/1"], ["b/2", "c"])
    assert walked(pages, "/a", "/b") == (["/a", "/b", "/c"], True)
    assert [each[:2] for each in pages.asked] == ["", "a/", "b/"]


def test_what_is_left_out_never_makes_a_listing_go_round() -> None:
    """Not even where names in it come after every character that is likely."""
    last = [f"a/\U0010ffff{number}" for number in range(4)]
    pages = Pages(last[:2], last[2:], ["b"])
    assert walked(pages, "/a") == (["/a", "/b"], True)
    assert len(pages.asked) <= 2
