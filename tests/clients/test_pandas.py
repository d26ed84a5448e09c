"""pandas reads and writes by URL and storage_options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas
import pytest

from registry_s3fs import RegistryS3FileSystem

FORMATS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = {
    "csv": (pandas.DataFrame.to_csv, pandas.read_csv, {"index": False}),
    "csv.gz": (pandas.DataFrame.to_csv, pandas.read_csv, {"index": False}),
    "parquet": (pandas.DataFrame.to_parquet, pandas.read_parquet, {}),
    "json": (pandas.DataFrame.to_json, pandas.read_json, {}),
    "pickle": (pandas.DataFrame.to_pickle, pandas.read_pickle, {}),
}


@pytest.mark.promise("Other libraries")
@pytest.mark.parametrize("ending", FORMATS)
def test_a_table_comes_back_as_it_was_written(fs: RegistryS3FileSystem, frame: pandas.DataFrame, ending: str) -> None:
    """pandas reads a table back as it was written, by URL and `storage_options`.

    Each format is tried, compressed or not. The key is the one that the URL names.
    """
    write, read, how = FORMATS[ending]
    url = fs.unstrip_protocol(f"/frame.{ending}")
    write(frame, url, storage_options=fs.storage_options, **how)
    assert fs.find("/") == [f"/frame.{ending}"]
    pandas.testing.assert_frame_equal(read(url, storage_options=fs.storage_options), frame)


def test_a_partitioned_table_is_one_file_a_partition(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """Hive directories, of which a filter reads only those that it names."""
    url = fs.unstrip_protocol("/hive")
    frame.to_parquet(url, partition_cols=["year"], storage_options=fs.storage_options)
    assert fs.ls("/hive", detail=False) == ["/hive/year=2025", "/hive/year=2026"]
    read = pandas.read_parquet(url, filters=[("year", "=", 2026)], storage_options=fs.storage_options)
    assert list(read["name"]) == ["c", "d"]


def test_a_csv_is_read_in_pieces(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """chunksize= streams from the open file."""
    url = fs.unstrip_protocol("/frame.csv")
    frame.to_csv(url, index=False, storage_options=fs.storage_options)
    with pandas.read_csv(url, chunksize=3, storage_options=fs.storage_options) as pieces:
        assert [len(piece) for piece in pieces] == [3, 1]
