"""The cache: bounded, the least recently used goes first, and its folder is safe for several processes and a kill."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from registry_s3fs.registry.layers.cache import Cache, FolderCache, MemoryCache, new_cache


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(params=["memory", "folder"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Cache:
    return new_cache(None if request.param == "memory" else tmp_path, 10_000)


def test_what_was_used_longest_ago_goes_first(cache: Cache) -> None:
    """Using counts as well as keeping."""
    for number in range(10):
        cache.put(f"{number}", b"x" * 1000)
        time.sleep(0.002)  # files have times
    assert cache.get("0") == b"x" * 1000
    time.sleep(0.002)
    cache.put("10", b"x" * 1000)
    assert cache.get("1") is None
    assert cache.get("0") == cache.get("10") == b"x" * 1000


def test_what_is_kept_again_replaces_what_was(cache: Cache) -> None:
    """Its size counts once."""
    for _ in range(50):
        cache.put("same", b"y" * 900)
        cache.put("other", b"z" * 900)
    assert (cache.get("same"), cache.get("other")) == (b"y" * 900, b"z" * 900)


def test_more_than_half_of_the_room_is_not_kept(cache: Cache) -> None:
    """One thing does not push out all else."""
    cache.put("small", b"s")
    cache.put("large", b"x" * 5001)
    assert (cache.get("large"), cache.get("small")) == (None, b"s")


def test_a_cache_without_room_keeps_nothing(tmp_path: Path) -> None:
    """Of no bytes but none."""
    for cache in (new_cache(None, 0), new_cache(tmp_path, 0)):
        cache.put("a", b"a")
        assert cache.get("a") is None


def test_the_bound_of_a_folder_holds_whoever_wrote_it(tmp_path: Path) -> None:
    """What former processes left counts, too; what else is in the folder is not touched."""
    (tmp_path / "mine").write_bytes(b"m" * 50_000)
    for process in range(4):
        cache = FolderCache(tmp_path, 10_000)
        for number in range(20):
            cache.put(f"{process}-{number}", b"x" * 500)
    kept = [path for path in files(tmp_path) if path.name != "mine"]
    assert sum(path.stat().st_size for path in kept) <= 10_000 + 10_000 // 16 + 500
    assert len(kept) >= 15
    assert (tmp_path / "mine").exists()


def test_the_folder_is_this_users_alone(tmp_path: Path) -> None:
    """Layers may hold secrets."""
    cache = new_cache(tmp_path / "new" / "folder")
    cache.put("a", b"a")
    [path] = files(tmp_path)
    assert path.parent.stat().st_mode & 0o077 == 0


def test_files_that_were_half_written_go_in_time(tmp_path: Path) -> None:
    """Those of a process that was killed an hour ago, and not those that are being written."""
    FolderCache(tmp_path, 10_000).put("a", b"a")
    folder = files(tmp_path)[0].parent
    for name, age in ((".new-old", 7200), (".new-young", 5)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    FolderCache(tmp_path, 10_000).put("b", b"b")
    assert {path.name for path in files(tmp_path)} == {"a", "b", ".new-young"}


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    """Reading goes on without it."""
    cache = FolderCache(tmp_path, 10_000)
    (tmp_path / "registry-s3fs-layers").rmdir()
    cache.put("a", b"a")
    assert cache.get("a") is None
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        FolderCache(tmp_path / "file")


def _write(folder: Path, seed: int) -> None:
    cache = FolderCache(folder, 200_000)
    for number in range(100_000):
        cache.put(f"{number % 50}", bytes([number % 50]) * (9_000 + number % 50))
        cache.get(f"{(number * seed) % 50}")


def test_processes_that_write_at_once_and_are_killed_leave_whole_files(tmp_path: Path) -> None:
    """A reader sees whole values or none."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(tmp_path, seed)) for seed in (3, 7)]
    for process in processes:
        process.start()
    reader = FolderCache(tmp_path, 200_000)
    seen = 0
    end = time.monotonic() + 0.5
    while time.monotonic() < end or not seen:
        for number in range(50):
            data = reader.get(f"{number}")
            assert data in (None, bytes([number]) * (9_000 + number))
            seen += data is not None
    for process in processes:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    for path in files(tmp_path):
        if not path.name.startswith(".new-"):
            assert path.read_bytes() == bytes([int(path.name)]) * (9_000 + int(path.name))


def test_caches_are_made_of_what_was_given(tmp_path: Path) -> None:
    """Nothing, a folder, or a cache itself."""
    assert isinstance(new_cache(None), MemoryCache)
    assert isinstance(new_cache(str(tmp_path)), FolderCache)
    own = MemoryCache(5)
    assert new_cache(own) is own
