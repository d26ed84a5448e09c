"""A tree that moves: how often it is listed."""

from __future__ import annotations

import pytest

from registry_s3fs import RegistryS3FileSystem


@pytest.mark.parametrize("maxdepth", [None, 3])
def test_a_tree_that_moves_is_listed_once(fs: RegistryS3FileSystem, maxdepth: int | None) -> None:
    """Its directory markers are in the same listing as its files."""
    store = fs.bucket.store
    for number in range(100):
        fs.bucket.plant(fs.bucket.space.key(f"/a/{number // 10}/{number}"), 1)
    fs.bucket.plant(fs.bucket.space.prefix("/a/5"), 0)
    store.page_keys = 10
    before = store.requests["ListObjectsV2"]
    fs.mv("/a", "/b", recursive=True, maxdepth=maxdepth)
    assert store.requests["ListObjectsV2"] - before <= 11 + 3  # and is either of the names a directory?
    assert len(fs.find("/b")) == 100
    assert fs.find("/a") == []
    assert fs.bucket.space.prefix("/b/5") in store.objects or maxdepth
