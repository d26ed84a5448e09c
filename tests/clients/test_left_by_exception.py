"""Half a file is never published, whichever layer's ``with`` block an exception leaves, those written in C included."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pyarrow
import pyarrow.csv
import pyarrow.fs
import pyarrow.parquet
import pytest

from registry_s3fs import RegistryS3FileSystem

TABLE = pyarrow.table({"a": [1, 2]})


def arrow(fs: RegistryS3FileSystem) -> Any:
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(fs))


LAYERS: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "io.TextIOWrapper": lambda fs: io.TextIOWrapper(fs.open("/p", "wb")),
    "io.BufferedWriter": lambda fs: io.BufferedWriter(fs.open("/p", "wb")),
    "text on a buffer": lambda fs: io.TextIOWrapper(io.BufferedWriter(fs.open("/p", "wb"))),
    "contextlib.closing": lambda fs: contextlib.closing(io.TextIOWrapper(fs.open("/p", "wb"))),
    "gzip.GzipFile": lambda fs: gzip.GzipFile(fileobj=fs.open("/p", "wb"), mode="w"),
    "zipfile on a file": lambda fs: zipfile.ZipFile(io.BufferedWriter(fs.open("/p", "wb")), "w"),
    "pyarrow.PythonFile": lambda fs: pyarrow.PythonFile(fs.open("/p", "wb")),
    "open_output_stream": lambda fs: arrow(fs).open_output_stream("/p"),
    "compressed stream": lambda fs: arrow(fs).open_output_stream("/p", compression="gzip"),
    "pyarrow's CSV writer": lambda fs: pyarrow.csv.CSVWriter(pyarrow.PythonFile(fs.open("/p", "wb")), TABLE.schema),
    "pyarrow's Parquet writer": lambda fs: pyarrow.parquet.ParquetWriter("/p", TABLE.schema, filesystem=arrow(fs)),
}


@pytest.mark.promise("Whole or not at all")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("layer", LAYERS)
def test_a_block_left_by_an_exception_publishes_nothing(fs: RegistryS3FileSystem, layer: str) -> None:
    """An exception that leaves the block of a layer written in C publishes nothing, and the file that was there before
    stays. `simplecache::` and `filecache::` publish even so, as they hand over whole files: with them, use the block
    of `fs.open`.
    """
    fs.pipe("/p", b"before")
    with contextlib.suppress(ZeroDivisionError), LAYERS[layer](fs) as file:
        for write in ("write", "writestr", "write_table"):
            with contextlib.suppress(Exception):
                getattr(file, write)(b"half")
        raise ZeroDivisionError
    assert fs.cat("/p") == b"before"
    assert fs.list_multipart_uploads() == []


@pytest.mark.parametrize("layer", [io.TextIOWrapper, io.BufferedWriter, pyarrow.PythonFile])
def test_a_block_inside_an_except_block_publishes(fs: RegistryS3FileSystem, layer: Callable[[Any], Any]) -> None:
    """What is written about an error is no half file; nor is what was closed before the error."""
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        with layer(fs.open("/p", "wb")):
            pass
    assert fs.exists("/p")
    file = layer(fs.open("/q", "wb"))
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        file.close()
    assert fs.exists("/q")
