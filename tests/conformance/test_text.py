"""Text as of a local file, whoever makes the layer: `fs.open`, `fsspec.open`, pandas, or the user."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pandas
import pytest

from registry_s3fs import RegistryS3FileSystem

OPENED: dict[str, Callable[[RegistryS3FileSystem, str, str], Any]] = {
    "fs.open": lambda fs, mode, encoding: fs.open("/a", mode, encoding=encoding),
    "fsspec.open": lambda fs, mode, encoding: fsspec.open(
        fs.unstrip_protocol("/a"), mode, encoding=encoding, **fs.storage_options
    ).open(),
    "io.TextIOWrapper": lambda fs, mode, encoding: io.TextIOWrapper(fs.open("/a", mode + "b"), encoding=encoding),
    "on a buffer": lambda fs, mode, encoding: io.TextIOWrapper(
        io.BufferedWriter(fs.open("/a", mode + "b")), encoding=encoding
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
@pytest.mark.parametrize("way", OPENED)
def test_a_byte_order_mark_is_at_the_start_alone(
    fs: RegistryS3FileSystem, tmp_path: Path, way: str, encoding: str
) -> None:
    """Written, and appended to, as a local file."""
    local = tmp_path / "a"
    for mode in ("w", "a", "a"):
        with OPENED[way](fs, mode, encoding) as file, open(local, mode, encoding=encoding) as other:
            assert file.tell() == other.tell()
            assert (file.write("é\n"), file.write("b")) == (other.write("é\n"), other.write("b"))
            assert file.tell() == other.tell()
        assert fs.cat("/a") == local.read_bytes()


def test_a_table_is_appended_to_without_a_second_mark(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """It would be part of the first name."""
    frame, local = pandas.DataFrame({"a": ["x"]}), tmp_path / "a.csv"
    for encoding in ("utf-8-sig", "utf-16"):
        for mode in ("w", "a"):
            how: dict[str, Any] = {"mode": mode, "header": mode == "w", "index": False, "encoding": encoding}
            frame.to_csv(fs.unstrip_protocol("/a.csv"), storage_options=fs.storage_options, **how)
            frame.to_csv(local, **how)
        assert fs.cat("/a.csv") == local.read_bytes()


def test_what_was_written_cannot_be_sought(fs: RegistryS3FileSystem) -> None:
    """Whoever asks is told so, but for a text layer at its making."""
    with fs.open("/a", "wb") as file:
        assert file.writable()
        assert not file.seekable()
        with io.TextIOWrapper(file) as text:
            assert not text.seekable()
            assert not file.seekable()
