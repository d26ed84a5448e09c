"""Calls on many paths send their requests side by side: each waits here until another one is on its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model.ranges import MAX_PART_BYTES, MIB
from registry_s3fs.transfer.multipart import MAX_BYTES_IN_MEMORY, most_in_flight

FILES = {f"/d/{n}": bytes([n]) for n in range(4)}

CALLS: dict[str, tuple[str, Callable[[RegistryS3FileSystem, Path], Any]]] = {
    "cat": ("get", lambda fs, folder: fs.cat(list(FILES))),
    "cat recursive": ("get", lambda fs, folder: fs.cat("/d", recursive=True)),
    "cat_ranges": ("get", lambda fs, folder: fs.cat_ranges(list(FILES), 0, 1)),
    "get": ("get", lambda fs, folder: fs.get("/d", str(folder / "down"), recursive=True)),
    "put": ("put", lambda fs, folder: fs.put(str(folder / "up"), "/up", recursive=True)),
    "pipe": ("put", lambda fs, folder: fs.pipe(FILES)),
    "copy": ("copy", lambda fs, folder: fs.copy("/d", "/e", recursive=True)),
    "mv": ("copy", lambda fs, folder: fs.mv("/d", "/e", recursive=True)),
    "rm": ("delete_many", lambda fs, folder: fs.rm("/many", recursive=True)),
    "one large file, read": ("get", lambda fs, folder: fs.cat_file("/large", 0, 60 * MIB)),
    "one large file, stored": ("upload_part", lambda fs, folder: fs.pipe_file("/large", bytes(40 * MIB))),
    "one large file, copied": ("upload_part_copy", lambda fs, folder: fs.cp_file("/large", "/copy")),
    "one large file, by cat": ("get", lambda fs, folder: fs.cat("/large")),
    "one large file, by get": ("get", lambda fs, folder: fs.get("/large", str(folder / "large"))),
    "one large file, by pipe": ("upload_part", lambda fs, folder: fs.pipe("/large", bytes(40 * MIB))),
    "one large file, by pipe of a mapping": ("upload_part", lambda fs, folder: fs.pipe({"/large": bytes(40 * MIB)})),
    "one large file beside small ones, by pipe": (
        "upload_part",
        lambda fs, folder: fs.pipe({"/large": bytes(40 * MIB), "/a": b"", "/b": b""}),
    ),
    "one large file, by put": ("upload_part", lambda fs, folder: fs.put(str(folder / "big"), "/large")),
    "one large file of a tree, by put": ("upload_part", lambda fs, folder: fs.put(f"{folder}/", "/t", recursive=True)),
    "one large file, by copy": ("upload_part_copy", lambda fs, folder: fs.copy("/large", "/copy")),
    "one large file, by mv": ("upload_part_copy", lambda fs, folder: fs.mv("/large", "/copy")),
}


@pytest.fixture
def tree(fs: RegistryS3FileSystem, tmp_path: Path) -> RegistryS3FileSystem:
    fs.pipe(FILES)
    fs.pipe_file("/large", bytes(70 * MIB))
    for n in range(2000):
        fs.bucket.plant(f"registry/many/{n}", 0)
    (tmp_path / "up").mkdir()
    (tmp_path / "big").write_bytes(bytes(40 * MIB))
    for n in range(4):
        (tmp_path / "up" / str(n)).write_bytes(b"x")
    return fs


@pytest.mark.promise("Copying, moving and deleting")
@pytest.mark.parametrize("name", CALLS)
def test_requests_are_side_by_side(
    tree: RegistryS3FileSystem, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every recursive or many-path call sends its requests side by side, and so do the parts of one large file."""
    operation, call = CALLS[name]
    request, met = getattr(tree.bucket, operation), threading.Event()
    waiting: list[None] = []

    def meeting(*args: Any, **kwargs: Any) -> Any:
        if not is_first_bytes(operation, args):
            waiting.append(None)
            if len(waiting) > 1:
                met.set()
            assert met.wait(20), "a request waited for the one before it"
        return request(*args, **kwargs)

    monkeypatch.setattr(tree.bucket, operation, meeting)
    call(tree, tmp_path)
    assert met.is_set()


def test_small_files_are_stored_while_others_go_on(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread stores the small ones. It does not wait for files of some MiB, nor they for it."""
    put, put_many = fs.bucket.put, fs.bucket.put_many
    began, stored = threading.Event(), threading.Event()

    def larger(key: str, body: Any, **how: Any) -> Any:
        if len(body) > MIB:
            began.set()
            assert stored.wait(20), "the small files wait for this one"
        return put(key, body, **how)

    def small(*args: Any) -> Any:
        assert began.wait(20), "the larger files wait for the small ones"
        yield from put_many(*args)
        stored.set()

    monkeypatch.setattr(fs.bucket, "put", larger)
    monkeypatch.setattr(fs.bucket, "put_many", small)
    files = {"/a": b"1", "/m": bytes(2 * MIB), "/n": bytes(2 * MIB), "/b": b"2"}
    fs.pipe(files)
    assert fs.cat(list(files)) == files


def is_first_bytes(operation: str, args: Any) -> bool:
    """The request that tells the size of a large object comes alone."""
    return operation == "get" and args[0].endswith("large") and args[1] == 0


@pytest.mark.promise("Configuration")
def test_a_copy_has_no_more_parts_in_flight_than_asked(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`multipartcopymaxconcurrency` bounds the parts of one copy that are in flight."""
    copying = {"multipartcopymaxconcurrency": 2, "multipartcopychunksize": 5 * MIB, "multipartcopythresholdsize": 0}
    fs = RegistryS3FileSystem(**options, **copying)
    fs.pipe_file("/f", bytes(50 * MIB))
    request, lock, running, most = fs.bucket.upload_part_copy, threading.Lock(), [0], [0]

    def counted(*args: Any) -> Any:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.01)
        with lock:
            running[0] -= 1
        return request(*args)

    monkeypatch.setattr(fs.bucket, "upload_part_copy", counted)
    fs.cp_file("/f", "/g")
    assert most[0] == 2


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("chunk", [5 * MIB, 10 * MIB, 32 * MIB, 64 * MIB, 100 * MIB, MAX_PART_BYTES])
def test_chunks_in_memory_are_bounded_or_two(chunk: int) -> None:
    """A file that is open for writing holds at most 112 MiB of chunks in memory, but never fewer than two chunks.

    These are the chunks that are being sent and the one that is being filled.
    """
    chunks = most_in_flight(chunk) + 1
    assert chunks >= 2
    assert chunks == 2 or chunks * chunk <= MAX_BYTES_IN_MEMORY
    assert (chunks + 1) * chunk > MAX_BYTES_IN_MEMORY
