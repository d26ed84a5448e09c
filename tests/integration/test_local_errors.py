"""Errors of the place that bytes are fetched into, which say nothing of the store."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BulkError

OF_FOLDERS = [errno.EACCES, errno.ENOENT, errno.ENOTDIR, errno.EROFS, errno.ENOSPC, errno.EMFILE]
OF_WRITES = [errno.ENOENT, errno.EISDIR, errno.ECONNRESET, errno.ETIMEDOUT, errno.ENOSPC]
EITHER_WAY = pytest.mark.parametrize("fast_path", [True, False], ids=["fast path", "boto3"])


def get_file(fs: RegistryS3FileSystem, target: Path) -> None:
    fs.get_file("/a", target / "a")


def get(fs: RegistryS3FileSystem, target: Path) -> None:
    fs.get("/a", target / "a")


def get_many(fs: RegistryS3FileSystem, target: Path) -> None:
    try:
        fs.get(["/a", "/a/b"], [target / "a", target / "b"])
    except BulkError as error:
        raise error.errors["/a"] from None


def name(number: int) -> str:
    return errno.errorcode[number]


@pytest.fixture
def both(options: dict[str, Any], fast_path: bool) -> RegistryS3FileSystem:
    """A filesystem with a file beside a directory of its name."""
    found = RegistryS3FileSystem(**options, fast_path=fast_path)
    found.pipe({"/a": b"1", "/a/b": b"2"})
    return found


@pytest.mark.promise("Local files")
@EITHER_WAY
@pytest.mark.parametrize("fetch", [get_file, get, get_many])
@pytest.mark.parametrize("number", OF_FOLDERS, ids=name)
def test_an_error_of_a_local_file_is_raised_as_it_is(
    both: RegistryS3FileSystem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fetch: Callable[[RegistryS3FileSystem, Path], None],
    number: int,
) -> None:
    """The error of a local file or folder that cannot be made or written comes as the system gave it, with its errno
    and the local path, and is none of S3's.
    """
    local = tmp_path / "new"

    def refuse(path: str, *args: object, **how: object) -> None:
        raise OSError(number, os.strerror(number), path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "makedirs", refuse)
        with pytest.raises(OSError, match=os.strerror(number)) as refused:
            fetch(both, local)
    assert (refused.value.errno, refused.value.filename) == (number, str(local))
    assert not local.exists()


@EITHER_WAY
@pytest.mark.parametrize("number", OF_WRITES, ids=name)
def test_an_error_of_a_file_object_is_raised_as_it_is(both: RegistryS3FileSystem, number: int) -> None:
    """Whatever it is, the caller meets the very error that the object raised."""
    error = OSError(number, "mine")

    class Refusing:
        def write(self, data: bytes) -> int:
            raise error

    with pytest.raises(OSError, match="mine") as raised:
        both.get_file("/a", outfile=Refusing())
    assert raised.value is error
