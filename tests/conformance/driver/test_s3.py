"""What distribution's tests of its S3 driver ask (``s3-aws/s3_test.go``), and where we ask for more."""

from __future__ import annotations

import random
from typing import Any

import pytest

from registry_s3fs import StorageDriver
from registry_s3fs.driver.storage_driver import FileInfo
from registry_s3fs.errors import BucketNotFoundError, InvalidPathError, PathNotFoundError, StorageDriverError
from tests.conformance.driver import probes
from tests.conformance.driver.conftest import Place
from tests.conformance.driver.probes import needs

MIB = 1024 * 1024


@pytest.fixture
def driver(place: Place) -> StorageDriver:
    """A driver under the rootdirectory of most tests."""
    return StorageDriver(place.fs())


@pytest.mark.parametrize(
    ("root", "key"),
    [
        *(("", "a/b"), ("/", "a/b"), ("/reg", "reg/a/b"), ("reg", "reg/a/b"), ("/reg/", "reg/a/b")),
        *(("reg/", "reg/a/b"), ("/x/y.z", "x/y.z/a/b"), ("/sp ace/é+%", "sp ace/é+%/a/b")),
    ],
)
def test_empty_and_odd_root_directories(place: Place, root: str, key: str) -> None:
    """Every call speaks of the same keys, and every path comes back absolute and valid."""
    driver = StorageDriver(place.fs(rootdirectory=root))
    driver.put_content("/a/b", b"1")
    stored = place.server.client().list_objects_v2(Bucket=place.bucket)["Contents"]
    assert [each["Key"] for each in stored] == [key]
    assert (driver.list("/"), driver.list("/a")) == (["/a"], ["/a/b"])
    walked: list[str] = []
    driver.walk("/", lambda info: walked.append(info.path))
    assert walked == ["/a", "/a/b"]
    driver.move("/a/b", "/c")
    assert driver.get_content("/c") == b"1"
    with driver.writer("/c") as writer:
        writer.write(b"2")
    with driver.writer("/c", append=True) as writer:
        writer.commit()
    assert driver.stat("/c").size == 1
    driver.delete("/c")
    assert driver.list("/") == []


def test_a_rootdirectory_does_not_see_its_neighbour(place: Place) -> None:
    """`/reg` is not `/registry2`."""
    StorageDriver(place.fs(rootdirectory="/registry2")).put_content("/a", b"")
    driver = StorageDriver(place.fs(rootdirectory="/reg"))
    assert driver.list("/") == []
    with pytest.raises(PathNotFoundError):
        driver.stat("/a")


@pytest.mark.parametrize("storageclass", ["NONE", "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA"])
def test_storage_class(place: Place, storageclass: str) -> None:
    """Is asked for when a file is put, written, and moved."""
    if storageclass not in ("NONE", "STANDARD"):
        needs(place, probes.storage_classes)
    driver = StorageDriver(place.fs(storageclass=storageclass))
    driver.put_content("/put", b"content")
    with driver.writer("/written") as writer:
        writer.write(b"content")
        writer.commit()
    driver.put_content("/source", b"content")
    driver.move("/source", "/moved")
    client = place.server.client()
    for name in ("put", "written", "moved"):
        found = client.head_object(Bucket=place.bucket, Key=f"registry/{name}").get("StorageClass", "STANDARD")
        assert found == ("STANDARD" if storageclass == "NONE" else storageclass)


TREE = [
    *("/file1", "/file1-2", "/folder1/file1", "/folder2/file1", "/folder3/file1", "/folder4/file1"),
    *("/folder3/subfolder1/subfolder1/file1", "/folder3/subfolder2/subfolder1/file1"),
    *("/folder1-v2/file1", "/folder1-v2/subfolder1/file1"),
]


@pytest.mark.parametrize("path", ["/folder1", "/folder2", "/folder3", "/folder3/subfolder1", *TREE])
def test_delete(driver: StorageDriver, path: str) -> None:
    """Exactly what the path names, and what lies below it."""
    driver.fs.pipe({each: each.encode() for each in TREE})
    driver.delete(path)
    assert driver.fs.find("/") == sorted(each for each in TREE if each != path and not each.startswith(f"{path}/"))


def test_delete_of_what_is_missing_or_invalid(driver: StorageDriver) -> None:
    """Is told, and deletes nothing; not even where the path begins another one."""
    driver.fs.pipe(dict.fromkeys(TREE, b""))
    for missing in ("/path/does/not/exist", "/folder", "/file", "/folder1/file"):
        with pytest.raises(PathNotFoundError):
            driver.delete(missing)
    for invalid in ("/path/is/invalid/", "/path/is/invalid*", "/folder*", "/", "", "/folder1/.."):
        with pytest.raises(InvalidPathError):
            driver.delete(invalid)
    assert driver.fs.find("/") == sorted(TREE)


def test_delete_takes_a_file_and_what_lies_below_its_path(place: Place, driver: StorageDriver) -> None:
    """An object `a` beside `a/b`, as S3 allows."""
    needs(place, probes.file_beside_directory)
    driver.fs.pipe({"/a": b"", "/a/b": b"", "/ab": b""})
    driver.delete("/a")
    assert driver.list("/") == ["/ab"]


def test_stat_tells_no_directory_where_only_a_longer_name_is(driver: StorageDriver) -> None:
    """The Go driver says that `/a` is a directory where only `/ab` is."""
    driver.put_content("/ab", b"")
    for call in (driver.stat, driver.list, driver.delete, driver.get_content):
        with pytest.raises(PathNotFoundError):
            call("/a")


def test_names_that_no_path_can_say_are_listed_and_walked(driver: StorageDriver) -> None:
    """Those of other tools, which the filesystem opens; the driver refuses them, as in Go."""
    driver.fs.pipe({"/k=v/f": b"1", "/k": b""})
    walked: list[str] = []
    driver.walk("/", lambda info: walked.append(info.path))
    assert walked == ["/k", "/k=v", "/k=v/f"]
    assert driver.list("/") == ["/k", "/k=v"]
    with pytest.raises(InvalidPathError):
        driver.get_content("/k=v/f")


def test_over_a_thousand_files_are_listed_walked_and_deleted(driver: StorageDriver) -> None:
    """More than S3 gives on a page, and takes in a DeleteObjects."""
    names = [f"/thousandfiletest/file{number}" for number in range(1005)]
    driver.fs.pipe(dict.fromkeys(names, b"contents"))
    assert driver.list("/thousandfiletest") == sorted(names)
    walked: list[FileInfo] = []
    driver.walk("/thousandfiletest", walked.append)
    assert [info.path for info in walked] == sorted(names)
    assert {info.size for info in walked} == {8}
    driver.delete("/thousandfiletest")
    assert driver.list("/") == []


def test_move_with_multipart_copy(place: Place) -> None:
    """Above `multipartcopythresholdsize` the server copies in parts."""
    needs(place, probes.part_copies)
    driver = StorageDriver(place.fs(multipartcopythresholdsize=5 * MIB, multipartcopychunksize=5 * MIB))
    content = random.Random(5).randbytes(11 * MIB)
    driver.put_content("/source", content)
    copied: list[str] = place.paged(driver.fs, "UploadPartCopy")
    driver.move("/source", "/dest")
    assert len(copied) == 3
    assert driver.get_content("/dest") == content
    assert driver.list("/") == ["/dest"]


@pytest.mark.promise("The storage driver")
def test_move_takes_one_key(place: Place, driver: StorageDriver) -> None:
    """`move` takes one key. Files below the path of that key stay; the Go driver deletes them."""
    needs(place, probes.file_beside_directory)
    driver.fs.pipe({"/a": b"1", "/a/b": b"2"})
    driver.move("/a", "/c")
    assert driver.fs.cat(["/a/b", "/c"]) == {"/a/b": b"2", "/c": b"1"}
    assert driver.stat("/a").is_dir


def test_moves_are_seen_where_listings_are_cached(place: Place) -> None:
    """In the directory that a file leaves, and in the one that it comes to."""
    driver = StorageDriver(place.fs(use_listings_cache=True))
    driver.fs.pipe({"/from/a": b"", "/from/b": b"", "/to/c": b""})
    assert (driver.fs.ls("/from", detail=False), driver.fs.ls("/to", detail=False)) == (
        ["/from/a", "/from/b"],
        ["/to/c"],
    )
    driver.move("/from/a", "/to/a")
    assert (driver.fs.ls("/from", detail=False), driver.fs.ls("/to", detail=False)) == (["/from/b"], ["/to/a", "/to/c"])


@pytest.mark.promise("The storage driver")
def test_move_onto_itself_changes_nothing(driver: StorageDriver) -> None:
    """`move` of a file onto itself changes nothing. The Go driver would delete it."""
    driver.put_content("/a", b"1")
    driver.move("/a", "/a")
    assert driver.get_content("/a") == b"1"
    with pytest.raises(PathNotFoundError):
        driver.move("/b", "/b")


def test_list_objects_v2(driver: StorageDriver) -> None:
    """Files and directories side by side, in `stat`, `list` and `walk`."""
    files = [f"/test-list-objects-v2/{number}" for number in range(6)]
    driver.fs.pipe({name: name.encode() for name in [*files, "/test-list-objects-v2/sub/0"]})
    assert driver.list("/test-list-objects-v2") == [*files, "/test-list-objects-v2/sub"]
    walked: list[FileInfo] = []
    driver.walk("/test-list-objects-v2", walked.append)
    assert [info.path for info in walked] == [*files, "/test-list-objects-v2/sub", "/test-list-objects-v2/sub/0"]
    for info in walked:
        assert info.is_dir == (info.path == "/test-list-objects-v2/sub")
        assert info.size == (0 if info.is_dir else len(info.path))
        assert (info.mod_time is None) == info.is_dir


def test_a_missing_bucket_is_no_missing_path(place: Place) -> None:
    """It is a StorageDriverError whose cause tells it."""
    driver = StorageDriver(place.fs(bucket="driver-nowhere"))
    calls: list[Any] = [driver.get_content, driver.reader, driver.stat, driver.list, driver.delete, driver.writer]
    calls += [lambda path: driver.put_content(path, b""), lambda path: driver.move(path, "/b")]
    for call in [*calls, lambda path: driver.walk(path, print), lambda path: driver.writer(path, append=True)]:
        with pytest.raises(StorageDriverError, match="the bucket does not exist") as failed:
            call("/a")
        assert isinstance(failed.value.__cause__, BucketNotFoundError)


def test_wrong_credentials_are_told_with_their_cause(place: Place) -> None:
    """And are no missing path."""
    needs(place, probes.checked_signatures)
    driver = StorageDriver(place.fs(secretkey="wrong"))
    for call in (driver.get_content, driver.stat, driver.list, driver.delete):
        with pytest.raises(StorageDriverError, match="s3aws") as failed:
            call("/a")
        assert isinstance(failed.value.__cause__, PermissionError)
        assert failed.value.filename == "/a"
