"""A writer that is cancelled while another call of it runs: by another thread, or a signal's handler."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.driver import FileWriter
from registry_s3fs.errors import StorageDriverError
from registry_s3fs.model import ranges


@pytest.fixture
def writer(fs: RegistryS3FileSystem) -> FileWriter:
    return StorageDriver(fs).writer("/f")


def during_a_write(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something done within the next write, where it asks for the size of a part."""
    part_bytes = ranges.streamed_part_bytes

    def acting(number: int, chunk_bytes: int) -> int:
        monkeypatch.setattr(ranges, "streamed_part_bytes", part_bytes)
        act()
        return part_bytes(number, chunk_bytes)

    monkeypatch.setattr(ranges, "streamed_part_bytes", acting)


def test_a_writer_that_is_cancelled_while_it_writes_stays_cancelled(
    writer: FileWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write that ends after it opens the writer for no other one."""
    during_a_write(monkeypatch, writer.cancel)
    writer.write(b"x")
    with pytest.raises(StorageDriverError, match="write: the writer is cancelled"):
        writer.write(b"y")


def test_a_write_that_fails_after_a_cancel_says_why_it_failed(
    writer: FileWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not that the writer was cancelled."""

    def cancelled_and_broken() -> None:
        writer.cancel()
        raise ConnectionResetError(errno.ECONNRESET, "the server is gone")

    during_a_write(monkeypatch, cancelled_and_broken)
    with pytest.raises(StorageDriverError, match="the server is gone"):
        writer.write(b"x")
    with pytest.raises(StorageDriverError, match="write: the writer is cancelled"):
        writer.write(b"y")
