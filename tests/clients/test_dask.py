"""dask reads and writes by URL: on threads, and on processes of their own."""

from __future__ import annotations

import os
from typing import Any

import pandas
import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.s3 import client as s3_client
from tests.libraries import library

library("dask")
distributed = library("distributed")
bag = library("dask.bag")
dataframe = library("dask.dataframe")


def write_and_read(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """Hive partitions, each worker with a file in each; all come back, and a filter takes its partition."""
    url, options = fs.unstrip_protocol("/hive"), fs.storage_options
    dataframe.from_pandas(frame, npartitions=4, sort=False).to_parquet(
        url, partition_on=["year"], write_index=False, storage_options=options
    )
    assert {path.split("/")[2] for path in fs.find("/hive")} == {"year=2025", "year=2026"}
    assert len(fs.find("/hive")) == 4
    read = dataframe.read_parquet(url, storage_options=options)
    assert sorted(read.compute()["name"]) == ["a", "c", "d", "é"]
    filtered = dataframe.read_parquet(url, filters=[("year", "==", 2026)], storage_options=options)
    assert filtered["value"].sum().compute() == 7


def test_hive_partitions_on_threads(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """The scheduler that dask takes by itself."""
    write_and_read(fs, frame)


@pytest.mark.promise("Other libraries")
def test_hive_partitions_on_processes(fs: RegistryS3FileSystem, frame: pandas.DataFrame, client: Any) -> None:
    """dask works on threads and on processes. The threads of each process share one boto3 client."""

    def look(fs: RegistryS3FileSystem) -> tuple[int, int, int]:
        mine = [each for each in s3_client.CLIENTS.by_parameters if each.bucket == fs.parameters.bucket]
        return os.getpid(), len(fs.find("/hive")), len(mine)

    with client.as_current():
        write_and_read(fs, frame)
        seen = client.run(look, fs)
    assert len({pid for pid, _, _ in seen.values()} - {os.getpid()}) == 2
    assert [(files, clients) for _, files, clients in seen.values()] == [(4, 1), (4, 1)]


def test_text_and_csv_in_blocks(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """Globs and `*` masks; a file cut into blocks loses no line."""
    options: dict[str, Any] = {"storage_options": fs.storage_options}
    dataframe.from_pandas(frame, npartitions=2).to_csv(fs.unstrip_protocol("/csv/*.csv"), index=False, **options)
    assert fs.find("/csv") == ["/csv/0.csv", "/csv/1.csv"]
    read = dataframe.read_csv(fs.unstrip_protocol("/csv/*.csv"), blocksize=10, **options)
    assert read.npartitions > 2
    assert read.compute().to_numpy().tolist() == frame.to_numpy().tolist()
    lines = [f"line {number}" for number in range(10)]
    bag.from_sequence(lines, npartitions=2).to_textfiles(fs.unstrip_protocol("/text/*.txt.gz"), **options)
    assert fs.cat_file("/text/0.txt.gz")[:2] == b"\x1f\x8b"
    found = bag.read_text(fs.unstrip_protocol("/text/*.txt.gz"), **options).compute(scheduler="threads")
    assert [line.rstrip("\n") for line in found] == lines


def test_the_names_that_a_writer_returns_are_read_back(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """They are paths without a bucket; with ``registrys3://`` before them, the bucket is that of the options."""
    options: dict[str, Any] = {"storage_options": fs.storage_options}
    table = dataframe.from_pandas(frame, npartitions=2)
    names = table.to_csv(fs.unstrip_protocol("/csv/*.csv"), index=False, **options)
    read = dataframe.read_csv([f"registrys3://{name}" for name in names], **options)
    assert read.compute().to_numpy().tolist() == frame.to_numpy().tolist()
