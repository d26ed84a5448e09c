"""duckdb reads and writes through a registered filesystem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas
import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

duckdb = library("duckdb")


@pytest.fixture
def connection(fs: RegistryS3FileSystem) -> Iterator[Any]:
    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        yield connection


def test_a_glob_of_parquet_files_is_one_table(
    fs: RegistryS3FileSystem, frame: pandas.DataFrame, connection: Any
) -> None:
    """Hive partitions become a column again; only matching files are read."""
    url = fs.unstrip_protocol("/hive")
    frame.to_parquet(url, partition_cols=["year"], storage_options=fs.storage_options)
    fs.pipe_file("/hive/year=2026/note.txt", b"no Parquet")
    table = f"read_parquet('{url}/*/*.parquet', hive_partitioning=true)"
    assert connection.execute(f"SELECT name, value, year FROM {table} ORDER BY value").fetchall() == [
        ("a", 1, 2025), ("é", 2, 2025), ("c", 3, 2026), ("d", 4, 2026)
    ]  # fmt: skip
    assert connection.execute(f"SELECT sum(value) FROM {table} WHERE year = 2026").fetchall() == [(7,)]


def test_a_query_is_copied_to_files(fs: RegistryS3FileSystem, connection: Any) -> None:
    """One, or one a partition; OVERWRITE_OR_IGNORE since no empty directory can be made to look into."""
    url = fs.unstrip_protocol("/out")
    connection.execute(f"COPY (SELECT 1 AS a, 'é' AS b) TO '{url}/one.csv' (HEADER)")
    assert fs.cat_file("/out/one.csv") == "a,b\n1,é\n".encode()
    connection.execute(
        f"COPY (SELECT range AS a, range % 2 AS p FROM range(10)) TO '{url}/parts' "
        "(FORMAT parquet, PARTITION_BY (p), OVERWRITE_OR_IGNORE)"
    )
    assert fs.find("/out/parts") == ["/out/parts/p=0/data_0.parquet", "/out/parts/p=1/data_0.parquet"]
    assert connection.execute(f"SELECT sum(a) FROM '{url}/parts/*/*.parquet'").fetchall() == [(45,)]


def test_a_missing_file_is_duckdbs_own_error(fs: RegistryS3FileSystem, connection: Any) -> None:
    """No traceback of ours for a table that is not there."""
    with pytest.raises(duckdb.IOException, match="No files found"):
        connection.execute(f"SELECT * FROM read_parquet('{fs.unstrip_protocol('/none/*.parquet')}')").fetchall()
