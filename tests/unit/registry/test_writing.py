"""`registry.writing`: files stored whole on any filesystem, and what killed runs leave."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.registry.abilities import is_object_store, side_by_side
from registry_s3fs.registry.writing import Writer


class Memory(MemoryFileSystem):
    """A filesystem in memory that is like no other."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store = {}
        self.pseudo_dirs = [""]


def test_names_are_never_patterns() -> None:
    """fsspec's own `mv` would take what is in the file `xy`, too, and store it in a folder."""
    fs = Memory()
    fs.pipe_file("/a/xy", b"other")
    for writer in (Writer(fs), Writer(DirFileSystem("/", fs))):
        writer.put("/a/x[y]*", b"1")
        writer.publish("/a/x?", [b"2", b"3"])
        assert {path: fs.cat_file(path) for path in fs.find("/a")} == {
            "/a/x[y]*": b"1",
            "/a/x?": b"23",
            "/a/xy": b"other",
        }


def test_what_is_asynchronous_need_not_be_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is made asynchronous has the former file until the new one is whole."""
    fs = AsyncFileSystemWrapper(LocalFileSystem(), asynchronous=False)
    file = tmp_path / "link"
    file.write_text("old")
    seen = []
    replace = os.replace

    def watched(source: str, target: str) -> None:
        seen.append(file.read_text())
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    assert not is_object_store(fs)
    assert Writer(fs).store({str(file): b"new"}) == {}
    assert (seen, [each.name for each in tmp_path.iterdir()]) == (["old"], ["link"])


def test_an_exception_leaves_the_former_file(tmp_path: Path) -> None:
    """And no other one."""
    file = tmp_path / "data"
    file.write_text("old")

    def content() -> Iterator[bytes]:
        yield b"ne"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Writer(LocalFileSystem()).publish(str(file), content())
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"data": "old"}


def test_leftovers_of_files_that_are_stored_are_removed(tmp_path: Path) -> None:
    """Those of other files stay, and so does what only looks alike."""
    names = ["a", "a.partial-0123abcd", "a.partial-mine", "b.partial-0123abcd", "c.partial-0123abcd"]
    for name in names:
        (tmp_path / name).write_text(name)
    Writer(LocalFileSystem()).remove_leftovers_of([f"{tmp_path}/a"], [f"{tmp_path}/b"])
    assert sorted(each.name for each in tmp_path.iterdir()) == [name for name in names if name != "a.partial-0123abcd"]


def test_a_partial_file_that_was_cleared_away_counts_only_where_files_are_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A blob that another run has stored is there; of an archive, this cannot be said."""
    fs = Memory()
    fs.pipe_file("/data", b"1")

    def gone(self: object, source: str, target: str) -> None:
        self.rm_file(source)  # type: ignore[attr-defined]  # it is the filesystem
        raise FileNotFoundError(source)

    monkeypatch.setattr(Memory, "cp_file", gone)
    Writer(fs).put("/data", b"1")
    with pytest.raises(FileNotFoundError):
        Writer(fs, are_alike=False).put("/data", b"2")


def test_threads_share_no_filesystem_that_is_not_known() -> None:
    """Of FTP, two calls at a time would get each other's answers."""

    def threads(*filesystems: AbstractFileSystem) -> set[int]:
        return set(side_by_side(filesystems, lambda _: threading.get_ident(), range(3)))

    assert threads(Memory(), AbstractFileSystem()) == {threading.get_ident()}
    assert threading.get_ident() not in threads(Memory(), DirFileSystem("/", LocalFileSystem()))


def test_a_full_disk_is_told_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the error of a disk's write does not name."""

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    fs = MemoryFileSystem()
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", full)
    with pytest.raises(OSError, match="No space left on device: '/full/file'"):
        Writer(fs).put("/full/file", b"x")
