"""Libraries on `registryfile://`: they read files of artifacts by URL, by ranges, on several processes."""

from __future__ import annotations

import gzip
import io
import multiprocessing
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from threading import Lock
from typing import Any

import fsspec
import numpy
import pandas
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.registry.filesystem import RegistryFileSystem
from testbed.messages import Answer, Request
from testbed.proxy import Proxy
from testbed.servers import Server
from tests.libraries import library
from tests.registries import MadeRegistry

DATA = "registryfile://team/data:2026"


@pytest.fixture
def bucket(fs: RegistryS3FileSystem) -> str:
    """The URL of the bucket, in which the registry is."""
    return fs.unstrip_protocol("/").rstrip("/")


@pytest.fixture
def storage(fs: RegistryS3FileSystem) -> dict[str, Any]:
    """What a chained URL needs to know of the storage."""
    return {"registrys3": dict(fs.storage_options)}


@pytest.fixture
def pushed(fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> RegistryFileSystem:
    """Tables pushed as an artifact, and the filesystem that shows it."""
    files = {"train.parquet": parquet(frame), "notes.csv.gz": gzip.compress(frame.to_csv(index=False).encode())}
    for year, part in frame.groupby("year"):
        files[f"hive/year={year}/0.parquet"] = parquet(part.drop(columns="year"))
    MadeRegistry(fs).artifact("team/data", "2026", files)
    return RegistryFileSystem(fs=fs)


def parquet(frame: pandas.DataFrame, **how: Any) -> bytes:
    """Give a table's file."""
    written = io.BytesIO()
    frame.to_parquet(written, index=False, **how)
    return written.getvalue()


@pytest.mark.promise("Other libraries")
def test_pandas_reads_a_file_of_an_artifact_by_url(
    pushed: RegistryFileSystem, frame: pandas.DataFrame, bucket: str, storage: dict[str, Any]
) -> None:
    """pandas reads Parquet and CSV of an artifact in a registry by a chained URL, `registryfile://...::registrys3://...`."""
    read = pandas.read_parquet(f"{DATA}/train.parquet::{bucket}", storage_options=storage)
    pandas.testing.assert_frame_equal(read, frame)
    read = pandas.read_csv(f"{DATA}/notes.csv.gz::{bucket}", storage_options=storage, compression="gzip")
    pandas.testing.assert_frame_equal(read, frame)
    with pytest.raises(FileNotFoundError):
        pandas.read_parquet(f"{DATA}/none.parquet::{bucket}", storage_options=storage)
    with pytest.raises(OSError, match="only read here"):
        frame.to_parquet(f"{DATA}/new.parquet::{bucket}", storage_options=storage)


def test_pyarrow_finds_a_dataset_in_an_artifact(pushed: RegistryFileSystem, frame: pandas.DataFrame) -> None:
    """Partitions are folders; a filter reads those that it needs. One file is read without a wrapper, too."""
    dataset = pyarrow.dataset.dataset("team/data:2026/hive", filesystem=pushed, partitioning="hive")
    assert dataset.files == [f"team/data:2026/hive/year={year}/0.parquet" for year in (2025, 2026)]
    assert dataset.to_table(filter=pyarrow.dataset.field("year") == 2026)["name"].to_pylist() == ["c", "d"]
    table = pyarrow.parquet.read_table("team/data:2026/train.parquet", filesystem=pushed)
    pandas.testing.assert_frame_equal(table.to_pandas(), frame)
    wrapped = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(pushed))
    assert wrapped.get_file_info("team/data:2026/train.parquet").is_file
    assert wrapped.get_file_info("team/data").type == pyarrow.fs.FileType.Directory
    with wrapped.open_input_file("team/data:2026/notes.csv.gz") as file:
        assert gzip.decompress(file.read()) == frame.to_csv(index=False).encode()


def test_duckdb_queries_files_of_an_artifact(pushed: RegistryFileSystem) -> None:
    """One file, and all that a pattern matches, with their partitions."""
    duckdb = library("duckdb")
    with duckdb.connect() as connection:
        connection.register_filesystem(pushed)
        query = f"SELECT sum(value) FROM '{DATA}/train.parquet'"
        assert connection.execute(query).fetchall() == [(10,)]
        table = f"read_parquet('{DATA}/hive/*/*.parquet', hive_partitioning=true)"
        query = f"SELECT year, sum(value) FROM {table} GROUP BY year ORDER BY year"
        assert connection.execute(query).fetchall() == [(2025, 3), (2026, 7)]


def test_polars_reads_an_open_file_of_an_artifact(pushed: RegistryFileSystem) -> None:
    """Whole, and by a scan."""
    polars = library("polars")
    with pushed.open("team/data:2026/train.parquet") as file:
        assert polars.read_parquet(file)["value"].to_list() == [1, 2, 3, 4]
    with pushed.open("team/data:2026/train.parquet") as file:
        assert polars.scan_parquet(file).filter(polars.col("year") == 2026).collect()["name"].to_list() == ["c", "d"]


def test_dask_reads_an_artifact_on_two_processes(
    pushed: RegistryFileSystem, bucket: str, storage: dict[str, Any]
) -> None:
    """By URL; each process makes the filesystem anew, and the one that is sent reads the same."""
    dataframe = library("dask.dataframe")
    bag = library("dask.bag")
    dask_config = library("dask.config")

    def look(number: int, files: RegistryFileSystem) -> tuple[int, int]:
        return os.getpid(), len(files.find("team/data:2026"))

    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes, dask_config.set(pool=processes):
        table = dataframe.read_parquet(f"{DATA}/hive/*/*.parquet::{bucket}", storage_options=storage)
        assert table["value"].sum().compute(scheduler="processes") == 10
        seen = bag.range(4, npartitions=4).map(look, files=pushed).compute(scheduler="processes")
    assert os.getpid() not in {pid for pid, _ in seen}
    assert {count for _, count in seen} == {4}


def test_fsspec_decompresses_a_file_of_an_artifact(
    pushed: RegistryFileSystem, frame: pandas.DataFrame, bucket: str, storage: dict[str, Any]
) -> None:
    """fsspec.open with compression, open_files with a pattern, and a cache of files in front."""
    url = f"{DATA}/notes.csv.gz::{bucket}"
    with fsspec.open(url, "rt", compression="infer", **storage) as file:
        assert file.read() == frame.to_csv(index=False)
    opened = fsspec.open_files(f"{DATA}/hive/*/0.parquet::{bucket}", **storage)
    assert [file.path for file in opened] == [f"team/data:2026/hive/year={year}/0.parquet" for year in (2025, 2026)]
    with fsspec.open(f"simplecache::{url}", compression="gzip", **storage) as file:
        assert file.readline() == b"name,value,year\n"


def test_a_upath_looks_into_a_registry(pushed: RegistryFileSystem, bucket: str, storage: dict[str, Any]) -> None:
    """UPath of a chained URL: iterdir, glob, walk, stat, read_bytes; from a repository to its tags and back."""
    upath = library("upath")
    top = upath.UPath(f"{DATA}::{bucket}", **storage)
    assert sorted(path.name for path in top.iterdir()) == ["hive", "notes.csv.gz", "train.parquet"]
    assert [path.path for path in top.glob("**/*.parquet")] == [f"team/data:2026/{name}" for name in PARQUET]
    file = top / "hive" / "year=2025" / "0.parquet"
    assert file.read_bytes()[:4] == b"PAR1"
    assert (file.is_file(), file.exists(), (top / "none").exists(), top.is_dir()) == (True, True, False, True)
    assert file.stat().st_size == pushed.size("team/data:2026/hive/year=2025/0.parquet")
    assert top.parent.path == "team/data"
    assert [path.path for path in top.parent.iterdir()] == ["team/data:2026"]
    assert [path.read_bytes()[:4] for path in top.parent.parent.glob("data:*/train.parquet")] == [b"PAR1"]
    assert pickle.loads(pickle.dumps(file)) == file
    assert [names for _, _, names in (top / "hive").walk()] == [[], ["0.parquet"], ["0.parquet"]]
    with pytest.raises(NotADirectoryError):
        list((top / "notes.csv.gz").iterdir())
    with pytest.raises(FileNotFoundError):
        list((top / "none").iterdir())


PARQUET = ["hive/year=2025/0.parquet", "hive/year=2026/0.parquet", "train.parquet"]


class Counting(Proxy):
    """Counts the bytes of each object that go through it."""

    def __init__(self, behind: str) -> None:
        super().__init__(behind)
        self.read: dict[str, int] = {}
        self._adding = Lock()

    def forward(self, request: Request) -> Answer:
        """Count the body of what is read."""
        answer = super().forward(request)
        if request.method == "GET" and request.key:
            with self._adding:
                self.read[request.key] = self.read.get(request.key, 0) + len(answer.body)
        return answer


@pytest.fixture
def counting(moto_server: Server) -> Iterator[Counting]:
    """A proxy before the server."""
    with Counting(moto_server.endpoint) as proxy:
        yield proxy


@pytest.mark.promise("Images and artifacts as files")
def test_parquet_reads_only_its_columns(fs: RegistryS3FileSystem, options: dict[str, Any], counting: Counting) -> None:
    """`read_parquet` of two columns of an artifact's file reads as many bytes as of the same file by its plain path.

    Both read far less than the whole.
    """
    random = numpy.random.default_rng(1)
    wide = pandas.DataFrame({f"c{at}": random.random(20_000) for at in range(40)})
    data = parquet(wide, row_group_size=10_000)
    made = MadeRegistry(fs)
    blob = made.artifact("team/wide", "1", {"wide.parquet": data}).layers[0]
    fs.pipe_file("/plain.parquet", data)
    behind = {**options, "regionendpoint": counting.endpoint}
    urls = {
        "artifact": (
            f"registryfile://team/wide:1/wide.parquet::{fs.unstrip_protocol('/').rstrip('/')}",
            {"registrys3": behind},
        ),
        "plain": (fs.unstrip_protocol("/plain.parquet"), behind),
    }
    bytes_read = {}
    for name, (url, storage) in urls.items():
        counting.read.clear()
        read = pandas.read_parquet(url, columns=["c3", "c30"], storage_options=storage)
        pandas.testing.assert_frame_equal(read, wide[["c3", "c30"]])
        bytes_read[name] = sum(counting.read.values())
    assert bytes_read["artifact"] <= 1.3 * bytes_read["plain"]
    assert bytes_read["artifact"] < len(data) // 4
    assert blob.size == len(data)
