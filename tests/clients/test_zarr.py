"""zarr (format 3) and xarray by URL and storage_options."""

from __future__ import annotations

import numpy
import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

zarr = library("zarr")

pytestmark = pytest.mark.filterwarnings(
    "ignore:Consolidated metadata is currently not part:UserWarning"  # zarr says so each time that it writes it
)
NUMBERS = numpy.arange(10_000).reshape(100, 100)


@pytest.fixture
def url(fs: RegistryS3FileSystem) -> str:
    return fs.unstrip_protocol("/data.zarr")


def test_a_group_of_arrays_comes_back(fs: RegistryS3FileSystem, url: str) -> None:
    """Whole and in part; each chunk is one object below the URL."""
    group = zarr.create_group(url, storage_options=fs.storage_options, attributes={"title": "é"})
    group.create_array("deep/x", shape=NUMBERS.shape, chunks=(10, 20), dtype=NUMBERS.dtype)[:] = NUMBERS
    assert len(fs.find("/data.zarr/deep/x/c")) == 50
    again = zarr.open_group(url, mode="r", storage_options=fs.storage_options)
    assert dict(again.attrs) == {"title": "é"}
    assert [name for name, _ in again.members(max_depth=None)] == ["deep", "deep/x"]
    assert (again["deep/x"][:] == NUMBERS).all()
    assert (again["deep/x"][7:31, 55:61] == NUMBERS[7:31, 55:61]).all()


def test_shards_are_read_in_ranges(fs: RegistryS3FileSystem, url: str) -> None:
    """Many chunks in one object, of which a slice reads its own."""
    array = zarr.create_array(
        url, shape=(100, 100), chunks=(5, 5), shards=(50, 50), dtype="int64", storage_options=fs.storage_options
    )
    array[:] = NUMBERS
    array[3:5, 45:55] = -1
    assert len(fs.find("/data.zarr/c")) == 4
    expected = NUMBERS.copy()
    expected[3:5, 45:55] = -1
    again = zarr.open_array(url, mode="r", storage_options=fs.storage_options)
    assert (again[2:6, 44:56] == expected[2:6, 44:56]).all()
    assert (again[:] == expected).all()


def test_consolidated_metadata_saves_the_listing(fs: RegistryS3FileSystem, url: str) -> None:
    """All members are known from one object; an array that has gone since is still named there."""
    group = zarr.create_group(url, storage_options=fs.storage_options)
    group.create_array("x", shape=(4,), dtype="int32")
    zarr.consolidate_metadata(group.store)
    fs.rm("/data.zarr/x", recursive=True)
    again = zarr.open_consolidated(url, storage_options=fs.storage_options)
    assert [name for name, _ in again.members()] == ["x"]


def test_what_is_deleted_or_overwritten_is_gone(fs: RegistryS3FileSystem, url: str) -> None:
    """Chunks cut off by a resize, a deleted member, and all of a group opened with mode w; w- refuses."""
    group = zarr.create_group(url, storage_options=fs.storage_options)
    array = group.create_array("x", shape=(100,), chunks=(10,), dtype="int32")
    array[:] = 1
    array.resize((20,))
    assert len(fs.find("/data.zarr/x/c")) == 2
    del group["x"]
    assert fs.find("/data.zarr") == ["/data.zarr/zarr.json"]
    group.create_array("y", shape=(1,), dtype="int32")[:] = 1
    with pytest.raises(FileExistsError):
        zarr.open_group(url, mode="w-", storage_options=fs.storage_options)
    zarr.open_group(url, mode="w", storage_options=fs.storage_options)
    assert fs.find("/data.zarr") == ["/data.zarr/zarr.json"]


def test_an_xarray_dataset_comes_back_and_grows(fs: RegistryS3FileSystem, url: str) -> None:
    """Values, coordinates and attributes, read lazily; append_dim adds to it."""
    xarray = library("xarray")
    dataset = xarray.Dataset(
        {"t": (("time", "x"), NUMBERS[:6, :4])}, {"time": range(6), "x": [1.5, 2.5, 3.5, 4.5]}, {"title": "é"}
    )
    dataset.isel(time=slice(4)).to_zarr(url, storage_options=fs.storage_options)
    dataset.isel(time=slice(4, None)).to_zarr(url, append_dim="time", storage_options=fs.storage_options)
    with xarray.open_zarr(url, storage_options=fs.storage_options) as again:
        assert again["t"].chunks
        xarray.testing.assert_identical(again.compute(), dataset)
