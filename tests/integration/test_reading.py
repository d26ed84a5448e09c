"""Looking and reading: what the tree shows, and which bytes come back."""

from __future__ import annotations

import logging
import pickle
import random
import time
import tracemalloc
from collections import deque
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import FileExpired
from registry_s3fs.threads import buffers
from testbed.plain_answers import fitted, whole_object
from testbed.scripted_server import ScriptedServer
from tests.fakes import on_both

MIB = 1024 * 1024
TREE = {
    "/docker/a": b"1",
    "/docker/a/b": b"22",
    "/docker/a/c d+e%20?#[1]=é": b"333",
    "/docker/z/y/x": b"4444",
    "/docker/year=2026/month=11/p.bin": b"55555",
}


@pytest.fixture
def tree(fs: RegistryS3FileSystem) -> RegistryS3FileSystem:
    fs.pipe(TREE)
    return fs


def names(infos: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(info["name"], info["type"]) for info in infos]


@pytest.mark.promise("Listing")
@on_both
def test_ls_shows_files_and_directories_by_name(tree: RegistryS3FileSystem) -> None:
    """Listings give names that begin with `/`, below `rootdirectory`.

    An object `a` beside `a/b` shows as a file and as a directory.
    """
    assert names(tree.ls("/docker")) == [
        ("/docker/a", "directory"),
        ("/docker/a", "file"),
        ("/docker/year=2026", "directory"),
        ("/docker/z", "directory"),
    ]
    assert tree.ls("docker/a", detail=False) == ["/docker/a/b", "/docker/a/c d+e%20?#[1]=é"]
    assert names(tree.ls("/docker/z/y/x")) == [("/docker/z/y/x", "file")]
    assert names(tree.ls("/")) == [("/docker", "directory")]
    with pytest.raises(FileNotFoundError):
        tree.ls("/nothing")


@pytest.mark.promise("Listing")
@on_both
def test_info_of_a_file_is_what_its_head_tells(tree: RegistryS3FileSystem) -> None:
    """`info` of a file has `name`, `size`, `type`, `ETag`, `LastModified` (an aware `datetime`), `StorageClass`,
    `ContentType` and `metadata`.
    """
    info = tree.info("/docker/a")
    assert (info["name"], info["size"], info["type"]) == ("/docker/a", 1, "file")
    assert info["ETag"] == '"c4ca4238a0b923820dcc509a6f75849b"'
    assert info["StorageClass"] == "STANDARD"
    assert info["ContentType"] == "application/octet-stream"
    assert info["metadata"] == {}
    assert abs((datetime.now(timezone.utc) - info["LastModified"]).total_seconds()) < 60
    assert tree.info("/docker/z") == {"name": "/docker/z", "size": 0, "type": "directory"}
    assert tree.info("/")["type"] == "directory"
    with pytest.raises(FileNotFoundError):
        tree.info("/docker/a/nothing")


@pytest.mark.promise("Listing")
@on_both
def test_listed_infos_are_those_of_info(tree: RegistryS3FileSystem) -> None:
    """`ls` and `find` give the same size, `ETag` and time as `info`."""
    for info in (*tree.ls("/docker/a"), *tree.find("/docker", detail=True).values()):
        assert info.items() <= tree.info(info["name"]).items()


@pytest.mark.promise("Listing")
@on_both
def test_exists_isfile_isdir(tree: RegistryS3FileSystem) -> None:
    """An object `a` beside `a/b` is a file to `info`, `isfile` and `isdir`."""
    found = {
        path: (tree.exists(path), tree.isfile(path), tree.isdir(path)) for path in ("/docker/a", "/docker/z", "/n")
    }
    assert found == {"/docker/a": (True, True, False), "/docker/z": (True, False, True), "/n": (False, False, False)}


@pytest.mark.promise("Listing")
@on_both
def test_find_walk_du_and_glob_agree(tree: RegistryS3FileSystem) -> None:
    """`find`, `walk`, `du` and `glob` see the same files and bytes."""
    assert tree.find("/") == sorted(TREE)
    assert tree.find("/docker/a") == ["/docker/a", "/docker/a/b", "/docker/a/c d+e%20?#[1]=é"]
    assert tree.find("/docker/z/y/x") == ["/docker/z/y/x"]
    assert tree.find("/nothing") == []
    assert tree.find("/docker", maxdepth=1) == ["/docker/a"]
    assert tree.find("/docker/z", withdirs=True) == ["/docker/z", "/docker/z/y", "/docker/z/y/x"]
    walked = {f"{folder}/{file}" for folder, _, files in tree.walk("/") for file in files}
    assert walked == set(TREE)
    assert tree.du("/") == sum(map(len, TREE.values()))
    assert tree.du("/docker/a", total=False) == {path: len(TREE[path]) for path in TREE if path.startswith("/docker/a")}
    assert tree.glob("/docker/*/*") == [
        "/docker/a/b",
        "/docker/a/c d+e%20?#[1]=é",
        "/docker/year=2026/month=11",
        "/docker/z/y",
    ]
    assert tree.glob("/docker/**/x") == ["/docker/z/y/x"]
    assert tree.glob("/docker/year=*/month=1[0-2]/*.bin") == ["/docker/year=2026/month=11/p.bin"]


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("key", ["bare//b", "bare/./c", "bare/../d", "/bare"])
def test_keys_that_no_path_can_name_are_not_listed_but_removed(
    fs: RegistryS3FileSystem, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys that no path can name are not listed (a debug line says so), and a recursive `rm` deletes them."""
    caplog.set_level(logging.DEBUG, "registry_s3fs")
    client, bucket = fs.bucket.client, fs.parameters.bucket
    client.put_object(Bucket=bucket, Key="registry/dir/" + key, Body=b"")
    fs.pipe_file("/dir/fine", b"")
    assert fs.find("/dir") == ["/dir/fine"]
    assert f"not listed: key 'registry/dir/{key}'" in caplog.text
    assert [path for path in fs.find("/dir", withdirs=True) if path != "/dir/fine"] == [
        "/dir",
        *fs.ls("/dir", detail=False)[:-1],
    ]
    fs.rm("/dir", recursive=True)
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.promise("Paths and names")
def test_a_marker_key_shows_as_a_directory(fs: RegistryS3FileSystem) -> None:
    """A key that ends in `/` shows as a directory, and a recursive `rm` deletes it.

    Some tools write a key that ends in a slash.
    """
    fs.bucket.client.put_object(Bucket=fs.parameters.bucket, Key="registry/d/sub/", Body=b"")
    assert names(fs.ls("/d")) == [("/d/sub", "directory")]
    assert fs.ls("/d/sub") == []
    assert fs.isdir("/d/sub")
    assert fs.find("/d") == []
    fs.rmdir("/d/sub")
    assert not fs.exists("/d")
    fs.bucket.client.put_object(Bucket=fs.parameters.bucket, Key="registry/d/sub/", Body=b"")
    fs.rm("/d", recursive=True)
    assert not fs.exists("/d")


@pytest.mark.promise("Paths and names")
def test_a_sibling_of_rootdirectory_is_never_listed(fs: RegistryS3FileSystem) -> None:
    """A filesystem with `rootdirectory="/registry"` never sees `/registry2`."""
    fs.bucket.client.put_object(Bucket=fs.parameters.bucket, Key="registry2/secret", Body=b"")
    assert fs.find("/") == []
    assert fs.ls("/") == []


@pytest.mark.promise("Reading")
@on_both
@pytest.mark.parametrize("size", [0, 1, 1000, 16 * MIB, 50 * MIB + 7])
def test_any_slice_of_a_file_is_pythons(fs: RegistryS3FileSystem, size: int) -> None:
    """`cat_file` with `start` and `end` gives what a slice of Python gives.

    Numbers are negative, open, reversed and past the end. Files are read whole and in parallel pieces.
    """
    data = random.Random(size).randbytes(size)
    fs.pipe_file("/f", data)
    cuts = [
        (None, None),
        (0, 10),
        (5, None),
        (-7, None),
        (None, -3),
        (-9, -2),
        (size, None),
        (size + 5, size + 9),
        (9, 3),
    ]
    cuts += [(3, size + 100), (MIB, 40 * MIB)]
    for start, end in cuts:
        assert fs.cat_file("/f", start, end) == data[start:end], (start, end)
    assert fs.head("/f", 5) == data[:5]
    assert fs.tail("/f", 5) == data[-5:] if size else fs.tail("/f", 5) == b""
    assert fs.tail("/f", 0) == b""


@pytest.mark.promise("Reading")
@on_both
def test_an_open_file_seeks_and_reads(fs: RegistryS3FileSystem) -> None:
    """A file that is open for reading seeks and reads as a local file does.

    A pickled copy goes on where the file was.
    """
    data = random.Random(3).randbytes(12 * MIB)
    fs.pipe_file("/f", data)
    with fs.open("/f", "rb") as file:
        assert file.read(3) == data[:3]
        file.seek(-5, 2)
        assert file.read() == data[-5:]
        file.seek(6 * MIB)
        with pickle.loads(pickle.dumps(file)) as again:
            assert again.read(10) == data[6 * MIB : 6 * MIB + 10]
        buffer = bytearray(100)
        file.seek(100)
        assert file.readinto(buffer) == 100
        assert buffer == data[100:200]


@on_both
def test_reading_a_directory_or_nothing_is_an_error(tree: RegistryS3FileSystem) -> None:
    """IsADirectoryError or FileNotFoundError with the path, whichever bytes are asked for."""
    for path, kind in (("/docker/z", IsADirectoryError), ("/nothing", FileNotFoundError)):
        with pytest.raises(kind) as missing:
            tree.open(path, "rb")
        assert missing.value.filename == path
        for cut in ((None, None), (3, 3), (5, 2), (-2, 0), (-5, None)):
            with pytest.raises(kind):
                tree.cat_file(path, *cut)


@pytest.mark.promise("Reading")
@on_both
def test_an_object_replaced_while_it_is_read_is_told(fs: RegistryS3FileSystem) -> None:
    """A file that is open for reading is one version of its object. Once that is replaced, reading raises
    `FileExpired`; bytes of two versions are never mixed.
    """
    fs.pipe_file("/f", b"a" * 12 * MIB)
    with fs.open("/f", "rb") as file:
        assert file.read(10) == b"a" * 10
        fs.pipe_file("/f", b"b" * 12 * MIB)
        file.seek(11 * MIB)
        with pytest.raises(FileExpired) as expired:
            file.read(10)
    assert expired.value.filename == "/f"


@pytest.mark.promise("Reading")
@on_both
def test_cat_of_many_is_a_mapping(tree: RegistryS3FileSystem) -> None:
    """`cat` of a list, a pattern or a directory gives a mapping of paths to bytes. `on_error` may omit or return
    failures.
    """
    assert tree.cat("/docker/a/b") == b"22"
    assert tree.cat(["/docker/a/b"]) == {"/docker/a/b": b"22"}
    assert tree.cat("/docker/year=*/*/*") == {"/docker/year=2026/month=11/p.bin": b"55555"}
    assert tree.cat("/docker", recursive=True) == TREE
    assert tree.cat(["/docker/a", "/no"], on_error="omit") == {"/docker/a": b"1"}
    assert isinstance(tree.cat(["/docker/a", "/no"], on_error="return")["/no"], FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        tree.cat(["/docker/a", "/no"])


@on_both
def test_cat_of_an_empty_directory_is_an_empty_mapping(fs: RegistryS3FileSystem) -> None:
    """One that only a marker stands for; of nothing, recursive too, it is an error."""
    fs.bucket.put("registry/d/sub/", b"")
    assert fs.cat("/d", recursive=True) == fs.cat("/d/sub", recursive=True) == {}
    with pytest.raises(FileNotFoundError):
        fs.cat("/no", recursive=True)


@pytest.mark.promise("Reading")
@on_both
@pytest.mark.parametrize("max_gap", [None, 0, 100])
def test_cat_ranges_gives_each_its_own_bytes(fs: RegistryS3FileSystem, max_gap: int | None) -> None:
    """`cat_ranges` gives each range its own bytes, and returns each failure in its place."""
    data = random.Random(4).randbytes(1000)
    fs.pipe({"/a": data, "/b": data[::-1]})
    paths, starts, ends = ["/a", "/b", "/a", "/a", "/no"], [0, 5, 90, -10, 0], [10, 9, 120, None, 1]
    found = fs.cat_ranges(paths, starts, ends, max_gap=max_gap)
    assert found[:4] == [data[0:10], data[::-1][5:9], data[90:120], data[-10:]]
    assert isinstance(found[4], FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(paths, starts, ends, max_gap=max_gap, on_error="raise")


@pytest.mark.promise("Listing")
@on_both
def test_times_and_checksums_follow_the_object(fs: RegistryS3FileSystem) -> None:
    """`created` and `modified` are `LastModified`. `checksum` and `ukey` change with the bytes."""
    fs.pipe_file("/f", b"1")
    assert fs.created("/f") == fs.modified("/f") == fs.info("/f")["LastModified"]
    before = fs.checksum("/f"), fs.ukey("/f")
    assert before == (fs.checksum("/f"), fs.ukey("/f"))
    fs.pipe_file("/f", b"2")
    assert fs.checksum("/f") != before[0]
    assert fs.ukey("/f") != before[1]


@pytest.mark.promise("Configuration")
def test_a_presigned_url_is_read_by_plain_http(fs: RegistryS3FileSystem) -> None:
    """A URL of `sign` is read by plain HTTP, without credentials."""
    import urllib3

    fs.pipe_file("/odd name+%", b"signed")
    with urllib3.PoolManager() as http:
        assert http.request("GET", fs.sign("/odd name+%")).data == b"signed"


@pytest.mark.promise("Listing")
@on_both
def test_the_listings_cache_is_off_unless_asked_for(fs: RegistryS3FileSystem) -> None:
    """`use_listings_cache` is off by default. Where it is on, our own writes show at once.

    It is off because others write to the bucket.
    """
    cached = RegistryS3FileSystem(**fs.storage_options, use_listings_cache=True)
    fs = RegistryS3FileSystem(**fs.storage_options, useragent="another program")
    fs.pipe_file("/d/a", b"")
    assert cached.ls("/d", detail=False) == fs.ls("/d", detail=False) == ["/d/a"]
    fs.pipe_file("/d/b", b"")
    assert fs.ls("/d", detail=False) == ["/d/a", "/d/b"]
    assert cached.ls("/d", detail=False) == ["/d/a"]
    assert cached.ls("/d", detail=False, refresh=True) == ["/d/a", "/d/b"]
    cached.pipe_file("/d/c", b"")
    assert cached.ls("/d", detail=False) == ["/d/a", "/d/b", "/d/c"]
    cached.rm("/d", recursive=True)
    with pytest.raises(FileNotFoundError):
        cached.ls("/d")


@pytest.mark.promise("Listing")
@on_both
def test_cached_listings_expire_and_are_bounded(fs: RegistryS3FileSystem) -> None:
    """`listings_expiry_time` (in seconds) and `max_paths` (in directories) bound the cache of listings."""
    fs.pipe({f"/{name}/1": b"" for name in "abcd"})
    brief = RegistryS3FileSystem(**fs.storage_options, use_listings_cache="true", listings_expiry_time="0.01")
    few = RegistryS3FileSystem(**fs.storage_options, use_listings_cache=True, max_paths="2")
    off = RegistryS3FileSystem(**fs.storage_options, use_listings_cache="false")
    fs = RegistryS3FileSystem(**fs.storage_options, useragent="another program")
    for name in "abcd":
        assert len(brief.ls(name)) == len(few.ls(name)) == len(off.ls(name)) == 1
    fs.pipe({f"/{name}/2": b"" for name in "abcd"})
    time.sleep(0.02)
    assert [len(brief.ls(name)) for name in "abcd"] == [2, 2, 2, 2]
    assert [len(off.ls(name)) for name in "abcd"] == [2, 2, 2, 2]
    assert (len(few.ls("a")), len(few.ls("d"))) == (2, 1)
    for wrong in (
        {"listings_expiry_time": "soon"},
        {"listings_expiry_time": "nan"},
        {"max_paths": 0},
        {"use_listings_cache": "yes"},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            RegistryS3FileSystem(**fs.storage_options, **wrong)


@pytest.mark.promise("Reading")
@on_both
def test_a_block_of_lines_is_read(fs: RegistryS3FileSystem) -> None:
    """`read_block` cuts at a delimiter, as dask needs it."""
    fs.pipe_file("/f", b"one\ntwo\nthree\n")
    assert fs.read_block("/f", 2, 4, delimiter=b"\n") == b"two\n"
    assert fs.read_block("/f", 4, 3) == b"two"


@pytest.mark.promise("Other libraries")
@on_both
def test_a_mapper_is_a_dictionary_of_bytes(fs: RegistryS3FileSystem) -> None:
    """`get_mapper` gives a dictionary of bytes, as zarr and others use it."""
    mapper = fs.get_mapper("/m")
    mapper["a/b"] = b"1"
    assert dict(mapper) == {"a/b": b"1"}
    assert fsspec.get_mapper(fs.unstrip_protocol("/m"), **fs.storage_options)["a/b"] == b"1"
    with pytest.raises(KeyError):
        mapper["none"]


def test_a_server_that_ignores_ranges_is_told() -> None:
    """Its answer begins elsewhere than was asked for; no byte of it is taken, and its connection is closed."""
    with ScriptedServer(lambda request: fitted(whole_object(b"0123456789"), request)) as server:
        fs = RegistryS3FileSystem(**server.options())
        assert fs.cat_file("/f") == b"0123456789"
        with pytest.raises(OSError, match="ignores the Range header") as refused:
            fs.cat_file("/f", 3, 6)
        assert refused.value.filename == "/f"


@pytest.mark.promise("Reading")
def test_memory_stays_bounded_while_reading(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Memory stays within the bounds of docs/performance.md. A file that is read in order holds at most nine times its
    `block_size`, which is 36 MiB.
    """
    size = 64 * MIB
    fs.pipe_file("/f", bytes(size))

    def stream() -> None:
        with fs.open("/f", "rb") as file:
            while file.read(MIB):
                pass

    for read, most in ((stream, 36), (lambda: fs.get_file("/f", tmp_path / "f"), 68), (lambda: fs.cat_file("/f"), 68)):
        read()  # what is made once
        tracemalloc.start()
        try:
            read()
            assert tracemalloc.get_traced_memory()[1] < (most + 4) * MIB
        finally:
            tracemalloc.stop()


def test_threads_of_a_download_do_not_take_each_others_memory(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that is at hand for one thread may be gone for the next, which then makes its own."""

    class SeemsFull(deque[Any]):
        def __bool__(self) -> bool:
            return True

    monkeypatch.setattr(buffers, "deque", SeemsFull)
    data = random.Random(3).randbytes(20 * MIB)
    fs.pipe_file("/f", data)
    fs.get_file("/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == data
