"""Where downloaded bytes go."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from fsspec.callbacks import Callback, NoOpCallback

from registry_s3fs.model import ranges
from registry_s3fs.transfer import local_target
from registry_s3fs.transfer.targets import SCRATCH_BYTES, IntoFile, IntoWrite, Window


def test_memory_that_is_used_again_is_as_large_as_the_piece() -> None:
    """A short piece may come first, and one at an object's end may be longer than the others."""
    taken: list[bytes] = []
    target, at = IntoWrite(taken.append, NoOpCallback()), 0
    target.begin(0, 10 * ranges.PIECE_BYTES, in_order=False)
    for size in (10, ranges.PIECE_BYTES, ranges.PIECE_BYTES + 5, 3, ranges.PIECE_BYTES):
        piece = target.place(at, at + size)
        assert isinstance(piece, memoryview)
        assert len(piece) == size
        piece[:] = b"x" * size
        target.take(at, piece)
        at += size
    assert sum(map(len, taken)) == at


def begun(path: Path, size: int, callback: Callback | None = None, *, in_order: bool = False) -> IntoFile:
    target = IntoFile(partial(local_target.opened, path), callback or Callback())
    target.begin(0, size, in_order=in_order)
    return target


def window(target: IntoFile, start: int, end: int) -> Window:
    found = target.place(start, end)
    assert isinstance(found, Window)
    return found


def test_bytes_go_to_their_places_in_a_file_as_they_come(tmp_path: Path) -> None:
    """Two parts of a file come in turn through the same memory; the file appears when it is whole."""
    progress, path = Callback(), tmp_path / "f"
    target = begun(path, 6, progress)
    first, second = window(target, 0, 4), window(target, 4, 6)
    for part, data in ((first, b"ab"), (second, b"ef"), (first, b"cd")):
        part.space()[: len(data)] = data
        part.filled(len(data))
        part.flush()
    assert (first.left, second.left, path.exists()) == (0, 0, False)
    target.take(0, first)
    target.take(4, second)
    target.finish()
    assert (path.read_bytes(), progress.size, progress.value) == (b"abcdef", 6, 6)


def test_a_window_has_room_until_all_has_come(tmp_path: Path) -> None:
    """It takes what is larger than the memory that it goes through, and never more than its own."""
    size = SCRATCH_BYTES + 3
    target = begun(tmp_path / "f", size)
    whole = window(target, 0, size)
    while whole.left:
        space = whole.space()
        assert 0 < len(space) <= whole.left
        count = min(len(space), 100_000)
        space[:count] = b"x" * count
        whole.filled(count)
    whole.flush()
    target.take(0, whole)
    target.finish()
    assert (tmp_path / "f").read_bytes() == b"x" * size


def fails(descriptor: int, data: memoryview, at: int) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def gives_up_halfway(descriptor: int, data: memoryview, at: int) -> int:
    return fails(descriptor, data, at) if at else WRITE(descriptor, data[:1], at)


WRITE: Callable[..., int] = getattr(os, "pwrite", fails)


@pytest.mark.parametrize("write", [fails, gives_up_halfway])
def test_a_full_disk_is_told_when_the_piece_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., int]
) -> None:
    """Not where the bytes are received, which would be taken for an error of the connection. Nothing is published."""
    target = begun(tmp_path / "f", 4)
    part = window(target, 0, 4)
    monkeypatch.setattr(os, "pwrite", write)
    part.write(b"abcd")
    assert part.left == 0
    with pytest.raises(OSError, match="No space left") as failed:
        target.take(0, part)
    target.abandon(failed.value)
    assert os.listdir(tmp_path) == []


def test_a_short_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less than it is given."""
    target = begun(tmp_path / "f", 4)
    part = window(target, 0, 4)
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, at: WRITE(descriptor, data[:1], at))
    part.write(b"abcd")
    target.take(0, part)
    target.finish()
    assert (tmp_path / "f").read_bytes() == b"abcd"


@pytest.mark.parametrize("why", ["compared", "no pwrite"])
def test_pieces_are_taken_in_order_where_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Bytes that are compared with a checksum, and systems that cannot write to a place: memory for each piece."""
    if why == "no pwrite":
        monkeypatch.delattr(os, "pwrite")
    target = begun(tmp_path / "f", 4, in_order=why == "compared")
    assert target.open() == (why == "no pwrite")
    for start, data in ((0, b"ab"), (2, b"cd")):
        piece = target.place(start, start + 2)
        assert isinstance(piece, memoryview)
        piece[:] = data
        target.take(start, piece)
    target.finish()
    assert (tmp_path / "f").read_bytes() == b"abcd"


def test_nothing_is_written_once_the_file_is_given_up(tmp_path: Path) -> None:
    """A thread may come late, and the descriptor be another file's."""
    target = begun(tmp_path / "f", 4)
    part = window(target, 0, 4)
    target.abandon(KeyboardInterrupt())
    with open(tmp_path / "other", "w+b") as other:
        assert other.fileno() >= 0
        part.write(b"late")
        assert (tmp_path / "other").read_bytes() == b""
    assert os.listdir(tmp_path) == ["other"]


def test_no_file_is_opened_once_the_download_is_given_up(tmp_path: Path) -> None:
    """A thread may come late, and nobody would close the file or remove it."""
    target = begun(tmp_path / "f", 4)
    target.abandon(KeyboardInterrupt())
    with pytest.raises(OSError, match=os.strerror(errno.ECANCELED)):
        target.place(0, 4)
    assert os.listdir(tmp_path) == []
