"""The sizes of many files."""

from __future__ import annotations

import pytest

from registry_s3fs import RegistryS3FileSystem


def test_sizes_are_in_the_order_of_the_paths(fs: RegistryS3FileSystem) -> None:
    """One request for each, as `size` sends."""
    fs.pipe({f"/f/{number}": b"x" * number for number in range(5)})
    fs.bucket.store.requests.clear()
    assert fs.sizes(["/f/3", "/f/1", "/f/4"]) == [3, 1, 4]
    assert fs.bucket.store.requests == {"HeadObject": 3}
    assert fs.sizes([]) == []


def test_a_missing_file_is_an_error(fs: RegistryS3FileSystem) -> None:
    """As in `size`."""
    fs.pipe("/f", b"1")
    with pytest.raises(FileNotFoundError, match="/none"):
        fs.sizes(["/f", "/none"])
