"""Large numbers, on a bucket in memory: 100,000 keys and objects of 5 TiB."""

from __future__ import annotations

import hashlib
import itertools
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model import ranges, registry_layout

KEYS = 100_000
REPOSITORIES = 500


def registry_paths() -> Iterator[str]:
    """The layout of a registry: blobs, and for each of them links of a layer, a revision and a tag."""
    for number in itertools.count():
        blob = "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()
        repository = f"team-{number % 7}/app{number % REPOSITORIES}"
        yield registry_layout.blob_path(blob)
        yield registry_layout.layer_link(repository, blob)
        yield registry_layout.revision_link(repository, blob)
        yield registry_layout.tag_link(repository, f"v{number}")
        yield registry_layout.tag_index_link(repository, f"v{number}", blob)


@pytest.fixture
def paths(fs: RegistryS3FileSystem) -> list[str]:
    """Paths of as many objects of 71 bytes, in no order, some with names that sort oddly as keys."""
    odd = ["/docker/é", "/docker/\ufb00", "/docker/\U00010000", "/docker/a", "/docker/a!", "/docker/a/b", "/docker/a0"]
    made = [*odd, *itertools.islice(registry_paths(), KEYS - len(odd))]
    for path in made:
        fs.bucket.plant(fs.bucket.space.key(path), 71)
    fs.bucket.store.requests.clear()
    return made


@pytest.mark.thorough
@pytest.mark.promise("Listing")
def test_find_lists_100_000_keys_by_name_from_few_requests(fs: RegistryS3FileSystem, paths: list[str]) -> None:
    """`find` is complete and sorted. It takes at most 1.3 times the fewest pages, and under 2 KiB of memory a key with
    `detail=True`.
    """
    assert fs.find("/docker") == sorted(paths)
    requests = fs.bucket.store.requests
    assert KEYS / 1000 <= requests["ListObjectsV2"] <= 1.3 * KEYS / 1000
    assert requests.total() <= requests["ListObjectsV2"] + 1
    tracemalloc.start()
    try:
        found = fs.find("/", detail=True, withdirs=True)
        assert tracemalloc.get_traced_memory()[1] < 2048 * len(found)
    finally:
        tracemalloc.stop()
    assert [name for name, info in found.items() if info["type"] == "file"] == sorted(paths)
    assert list(found) == sorted(found)
    parents = {path[:at] for path in paths for at in range(1, len(path)) if path[at] == "/"}
    assert found.keys() == {*paths, *parents, "/"}


@pytest.mark.thorough
def test_du_asks_no_more_than_find(fs: RegistryS3FileSystem, paths: list[str]) -> None:
    """One listing tells all sizes."""
    assert fs.du("/docker") == 71 * KEYS
    assert fs.bucket.store.requests["ListObjectsV2"] <= 1.3 * KEYS / 1000
    assert fs.du("/docker", total=False) == dict.fromkeys(sorted(paths), 71)


def test_ls_asks_for_one_level_only(fs: RegistryS3FileSystem, paths: list[str]) -> None:
    """However many keys lie below it; a page holds 1,000 keys and prefixes."""
    requests = fs.bucket.store.requests
    assert len(fs.ls(f"{registry_layout.BLOBS}/sha256", detail=False)) == 256
    assert requests.pop("ListObjectsV2") == 1
    names = [fs.ls(f"{registry_layout.REPOSITORIES}/team-{n}", detail=False) for n in range(7)]
    assert [name for found in names for name in found] == [name for found in names for name in sorted(found)]
    assert len(set(itertools.chain(*names))) == REPOSITORIES * 7
    assert requests.pop("ListObjectsV2") == 7
    flat = [f"/flat/{number}" for number in range(2500)]
    for path in flat:
        fs.bucket.plant(fs.bucket.space.key(path), 0)
    assert fs.ls("/flat", detail=False) == sorted(flat)
    assert requests.pop("ListObjectsV2") == 3


@pytest.mark.thorough
def test_walk_sees_the_same_files(fs: RegistryS3FileSystem, paths: list[str]) -> None:
    """From about a request a page, though there are 20,000 directories."""
    expected = sorted(path for path in paths if path.startswith(registry_layout.BLOBS))
    walked = list(fs.walk(f"{registry_layout.BLOBS}"))
    assert fs.bucket.store.requests["ListObjectsV2"] <= 1.3 * len(expected) / 1000
    assert sorted(f"{folder}/{file}" for folder, _, names in walked for file in names) == expected
    assert len(walked) > len(expected)


@pytest.mark.parametrize("size", [ranges.MAX_OBJECT_BYTES, ranges.MAX_OBJECT_BYTES - 1, 320_000 * ranges.MIB + 1])
def test_the_largest_object_is_copied_in_10_000_parts_at_most(fs: RegistryS3FileSystem, size: int) -> None:
    """All of its bytes, in order, whatever multipartcopychunksize says."""
    fs.bucket.plant(fs.bucket.space.key("/large"), size)
    fs.cp_file("/large", "/copy")
    requests = fs.bucket.store.requests
    assert 9_000 < requests["UploadPartCopy"] <= ranges.MAX_PARTS
    assert fs.info("/copy")["size"] == size
    assert fs.info("/copy")["ETag"].endswith(f'-{requests["UploadPartCopy"]}"')
    assert fs.list_multipart_uploads() == []


def test_10_000_parts_are_copied_where_the_chunksize_makes_them(options: dict[str, Any]) -> None:
    """The last part number that S3 knows is used, and none beyond."""
    fs = RegistryS3FileSystem(**options, multipartcopychunksize=5 * ranges.MIB)
    fs.bucket.plant(fs.bucket.space.key("/large"), 50_000 * ranges.MIB)
    fs.cp_file("/large", "/copy")
    assert fs.bucket.store.requests["UploadPartCopy"] == ranges.MAX_PARTS
    assert fs.info("/copy")["size"] == 50_000 * ranges.MIB


def test_appending_to_a_large_object_copies_it_in_the_server(fs: RegistryS3FileSystem) -> None:
    """4 TiB in parts of at most 5 GiB; only the new bytes are sent."""
    size = 4 * 1024 * ranges.GIB + 1
    fs.bucket.plant(fs.bucket.space.key("/large"), size)
    with fs.open("/large", "ab") as file:
        assert file.tell() == size
        file.write(b"x")
    assert fs.info("/large")["size"] == size + 1
    requests = fs.bucket.store.requests
    assert (requests["UploadPartCopy"], requests["UploadPart"], requests["GetObject"]) == (820, 1, 0)


def test_what_would_be_larger_than_s3_allows_is_refused_at_the_latest_by_s3(fs: RegistryS3FileSystem) -> None:
    """The object stays as it was, and no upload is left."""
    fs.bucket.plant(fs.bucket.space.key("/large"), ranges.MAX_OBJECT_BYTES)
    with pytest.raises(OSError, match="larger than S3 allows"), fs.open("/large", "ab") as file:
        file.write(b"x")
    assert fs.info("/large")["size"] == ranges.MAX_OBJECT_BYTES
    assert fs.list_multipart_uploads() == []
