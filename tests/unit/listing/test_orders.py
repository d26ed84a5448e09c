"""Stores that list keys in an order of their own: every key is listed once, wherever that is noticed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from hashlib import md5
from random import Random
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.listing import directory
from registry_s3fs.model.objects import Page

Order = Callable[[str], Any]

PAGE_KEYS = 20
NAMES = ["a", "a-b", "a.b", "b", "b-", "c", "c!"]
ORDERS: dict[str, Order] = {
    "by hash, as a store that encrypts names": lambda key: md5(key.encode(), usedforsecurity=False).digest(),
    "by directory, as a store on a disk": lambda key: key.split("/"),
    "by key, as S3": lambda key: key,
}


def stored(fs: RegistryS3FileSystem, seed: int) -> list[str]:
    """Plant some hundred keys, of which many share the beginnings of their names.

    By directory, the first pages are in the order of keys, and then come some that are before them.
    """
    random = Random(seed)
    paths = {
        "/".join(random.choice(NAMES) for _ in range(random.randint(1, 3))) + f"/{random.randrange(40):02}"
        for _ in range(600)
    }
    paths |= {f"0/{number:02}" for number in range(60)} | {f"0!/{number}" for number in range(5)}
    for path in paths:
        fs.bucket.plant(fs.bucket.space.key(f"/{path}"), 1)
    return sorted(f"/{path}" for path in paths)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("knows_start_after", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_every_key_is_listed_once(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch, order: str, knows_start_after: bool, seed: int
) -> None:
    """By a server that answers so late that it is asked for parts, if its keys seem to be in order."""
    paths = stored(fs, seed)
    fs.bucket.store.page_keys = 10_000
    ask = fs.bucket.list

    def ordered(prefix: str, delimiter: str = "", start_after: str = "", **options: Any) -> Iterator[Page]:
        objects = [item for page in ask(prefix, delimiter, **options) for item in page.objects]
        left = sorted(objects, key=lambda item: ORDERS[order](item.key))
        if knows_start_after:
            left = [item for item in left if item.key > start_after]
        ignored = bool(start_after) and not knows_start_after
        for number in range(0, max(1, len(left)), PAGE_KEYS):
            time.sleep(0.005)
            page = left[number : number + PAGE_KEYS]
            kept = [item for item in page if item.key > start_after]
            yield Page(kept, [], number + PAGE_KEYS >= len(left), ignored and kept != page)

    monkeypatch.setattr(fs.bucket, "list", ordered)
    assert sorted(path for path, _ in directory.files(fs.bucket, "/")) == paths
