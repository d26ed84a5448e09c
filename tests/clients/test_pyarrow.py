"""pyarrow on the filesystem itself and on its own wrapper of it: files, datasets, hive partitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fsspec
import pandas
import pyarrow
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import pytest

from registry_s3fs import RegistryS3FileSystem


def as_it_is(fs: RegistryS3FileSystem) -> Any:
    return fs


def wrapped(fs: RegistryS3FileSystem) -> Any:
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(fs))


@pytest.fixture
def table(frame: pandas.DataFrame) -> pyarrow.Table:
    return pyarrow.Table.from_pandas(frame)


@pytest.mark.parametrize("given", [as_it_is, wrapped])
def test_a_parquet_file_comes_back(
    fs: RegistryS3FileSystem, table: pyarrow.Table, given: Callable[[RegistryS3FileSystem], Any]
) -> None:
    """Whole, and one column of one row group."""
    pyarrow.parquet.write_table(table, "/t.parquet", row_group_size=2, filesystem=given(fs))
    assert pyarrow.parquet.read_table("/t.parquet", filesystem=given(fs)).equals(table)
    with pyarrow.parquet.ParquetFile("/t.parquet", filesystem=given(fs)) as file:
        assert file.read_row_group(1, columns=["value"]).to_pydict() == {"value": [3, 4]}


@pytest.mark.parametrize("given", [as_it_is, wrapped])
def test_a_hive_dataset_is_written_found_and_filtered(
    fs: RegistryS3FileSystem, table: pyarrow.Table, given: Callable[[RegistryS3FileSystem], Any]
) -> None:
    """Partitions are directories; a dataset finds them again and reads those that a filter needs."""
    for name in ("old", "new"):  # the second takes the place of the first
        pyarrow.dataset.write_dataset(
            table, "/hive", format="parquet", partitioning=["year"], partitioning_flavor="hive",
            basename_template=name + "-{i}.parquet", existing_data_behavior="delete_matching", filesystem=given(fs),
        )  # fmt: skip
    files = ["/hive/year=2025/new-0.parquet", "/hive/year=2026/new-0.parquet"]
    assert fs.find("/hive") == files
    dataset = pyarrow.dataset.dataset("/hive", filesystem=given(fs), partitioning="hive")
    assert dataset.files == files
    assert dataset.to_table(filter=pyarrow.dataset.field("year") == 2026)["name"].to_pylist() == ["c", "d"]
    pyarrow.parquet.write_to_dataset(table, "/more", partition_cols=["year"], filesystem=given(fs))
    assert pyarrow.parquet.read_table("/more", filesystem=given(fs)).num_rows == 4


def test_a_tree_is_listed_copied_moved_and_deleted(fs: RegistryS3FileSystem) -> None:
    """Through pyarrow's own calls; what is missing is told from what is there."""
    arrow = wrapped(fs)
    fs.pipe({"/a/one": b"1", "/a/b/two": b"22"})
    below = arrow.get_file_info(pyarrow.fs.FileSelector("/a", recursive=True))
    kind = pyarrow.fs.FileType
    assert {info.path: info.type for info in below} == {
        "/a/b": kind.Directory, "/a/b/two": kind.File, "/a/one": kind.File
    }  # fmt: skip
    assert [info.type for info in arrow.get_file_info(["/a", "/nothing"])] == [kind.Directory, kind.NotFound]
    assert arrow.get_file_info(pyarrow.fs.FileSelector("/nothing", allow_not_found=True)) == []
    with pytest.raises(FileNotFoundError):
        arrow.get_file_info(pyarrow.fs.FileSelector("/nothing"))
    pyarrow.fs.copy_files("/a", "/copy", source_filesystem=arrow, destination_filesystem=arrow)
    assert fs.cat("/copy", recursive=True) == {"/copy/b/two": b"22", "/copy/one": b"1"}
    arrow.move("/copy/one", "/moved")
    arrow.delete_dir("/copy")
    arrow.delete_dir_contents("/a")
    assert fs.find("/") == ["/moved"]


def test_a_url_alone_is_enough_where_fsspec_is_configured(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`FileSystem.from_uri` takes no options; fsspec has them from its configuration or FSSPEC_REGISTRYS3_*."""
    monkeypatch.setitem(fsspec.config.conf, "registrys3", fs.storage_options)
    found, path = pyarrow.fs.FileSystem.from_uri("fsspec+" + fs.unstrip_protocol("/a/b"))
    assert path == "/a/b"
    assert found == wrapped(fs)


def test_a_name_that_exists_is_no_pattern(fs: RegistryS3FileSystem) -> None:
    """To delete, copy and move."""
    fs.pipe({f"/{name}": name.encode() for name in ("d[1]/a", "d1/a", "z[1]", "z1")})
    arrow = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(fs))
    arrow.delete_dir("/d[1]")
    arrow.copy_file("/z[1]", "/copied")
    arrow.move("/z[1]", "/moved")
    assert fs.cat(fs.find("/")) == {"/d1/a": b"d1/a", "/z1": b"z1", "/copied": b"z[1]", "/moved": b"z[1]"}
    arrow.delete_file("/z1")
    assert not fs.exists("/z1")
