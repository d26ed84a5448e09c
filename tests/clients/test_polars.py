"""polars knows no fsspec URLs; it reads and writes open files and pyarrow's datasets."""

from __future__ import annotations

import contextlib

import pandas
import pyarrow.dataset
import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

polars = library("polars")


def test_a_table_is_written_to_an_open_file_and_read_from_one(
    fs: RegistryS3FileSystem, frame: pandas.DataFrame
) -> None:
    """In each format; a scan reads from an open file too."""
    table = polars.from_pandas(frame)
    for name, write, read in (
        ("parquet", table.write_parquet, polars.read_parquet),
        ("csv", table.write_csv, polars.read_csv),
        ("ndjson", table.write_ndjson, polars.read_ndjson),
        ("ipc", table.write_ipc, polars.read_ipc),
    ):
        with fs.open(f"/t.{name}", "wb") as file:
            write(file)
        with fs.open(f"/t.{name}") as file:
            assert read(file).equals(table)
    with fs.open("/t.parquet") as file:
        assert polars.scan_parquet(file).filter(polars.col("year") == 2026).collect()["name"].to_list() == ["c", "d"]


def test_a_dataset_is_scanned_through_pyarrow(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """Many files, partitions and filters, of which only what is needed is read."""
    frame.to_parquet(fs.unstrip_protocol("/hive"), partition_cols=["year"], storage_options=fs.storage_options)
    dataset = pyarrow.dataset.dataset("/hive", filesystem=fs, partitioning="hive")
    found = polars.scan_pyarrow_dataset(dataset).filter(polars.col("year") == 2026).collect()
    assert found["name"].to_list() == ["c", "d"]


def test_a_block_left_by_an_exception_publishes_nothing(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """Half a table is no file."""
    with contextlib.suppress(ZeroDivisionError), fs.open("/t.parquet", "wb") as file:
        polars.from_pandas(frame).write_parquet(file)
        raise ZeroDivisionError
    assert not fs.exists("/t.parquet")


def test_a_url_is_no_such_file_to_polars(fs: RegistryS3FileSystem) -> None:
    """The error that docs/clients.md answers; where polars learns our URLs, that page is to be changed."""
    fs.pipe("/t.csv", b"a\n1\n")
    with pytest.raises(FileNotFoundError, match="registrys3://"):
        polars.read_csv(fs.unstrip_protocol("/t.csv"))
