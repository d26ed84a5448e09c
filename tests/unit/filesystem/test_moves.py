"""A tree that moves: how often it is listed."""

from __future__ import annotations

from typing import Any

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
    directories = 0 if maxdepth is None else 10  # of which each is listed
    assert store.requests["ListObjectsV2"] - before <= 11 + directories + 3  # and is either of the names a directory?
    assert len(fs.find("/b")) == 100
    assert fs.find("/a") == []
    assert (fs.bucket.space.prefix("/b/5") in store.objects) == (maxdepth is None)


def test_a_move_of_few_levels_reads_no_key_below_them(fs: RegistryS3FileSystem) -> None:
    """However many there are."""
    store = fs.bucket.store
    for number in range(100):
        fs.bucket.plant(fs.bucket.space.key(f"/a/deep/{number}"), 1)
    for name in "xy":
        fs.bucket.plant(fs.bucket.space.key(f"/a/{name}"), 1)
    store.page_keys = 10
    before = store.requests["ListObjectsV2"]
    fs.mv("/a", "/b", recursive=True, maxdepth=1)
    assert store.requests["ListObjectsV2"] - before <= 4
    assert fs.find("/b") == ["/b/x", "/b/y"]


@pytest.mark.parametrize(
    ("how", "why"), [({}, "recursive=True"), ({"recursive": True, "maxdepth": 1}, "within maxdepth")], ids=repr
)
def test_a_directory_of_which_nothing_moves_is_an_error(
    fs: RegistryS3FileSystem, how: dict[str, Any], why: str
) -> None:
    """It says what to give."""
    fs.pipe_file("/a/deep/x", b"x")
    with pytest.raises(IsADirectoryError, match=why):
        fs.mv("/a", "/b", **how)
    assert fs.find("/") == ["/a/deep/x"]


@pytest.mark.parametrize("root", ["/", "//", ["/"]])
def test_all_below_the_root_moves(fs: RegistryS3FileSystem, root: str | list[str]) -> None:
    """Where a rootdirectory is given, that is what lies below it."""
    for name in ("/f", "/a/g", "/a/b/h"):
        fs.pipe_file(name, b"x")
    fs.mv(root, "/new", recursive=True)
    assert sorted(name.rpartition("/")[2] for name in fs.find("/")) == ["f", "g", "h"]
    assert all(name.startswith("/new/") for name in fs.find("/"))
