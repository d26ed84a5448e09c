"""A walk: order, inferred directories, what is left out, and how few requests that takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry_s3fs import FileInfo, FilledBuffer, SkipDir, StorageDriver
from registry_s3fs.errors import InvalidPathError, PathNotFoundError
from tests.conformance.driver import probes
from tests.conformance.driver.conftest import Place
from tests.conformance.driver.probes import needs

FILES = [
    *("/file1", "/folder1-suffix/file1", "/folder1/file1", "/folder2/file1", "/folder4/file1"),
    *("/folder3/subfolder1/subfolder1/file1", "/folder3/subfolder2/subfolder1/file1"),
]
ALL = [
    *("/file1", "/folder1-suffix", "/folder1-suffix/file1", "/folder1", "/folder1/file1", "/folder2", "/folder2/file1"),
    *("/folder3", "/folder3/subfolder1", "/folder3/subfolder1/subfolder1", "/folder3/subfolder1/subfolder1/file1"),
    *("/folder3/subfolder2", "/folder3/subfolder2/subfolder1", "/folder3/subfolder2/subfolder1/file1"),
    *("/folder4", "/folder4/file1"),
]
IN_FOLDER3 = [path for path in ALL if path.startswith("/folder3/")]
SECOND_HALF = ALL[ALL.index("/folder3/subfolder2") :]


@pytest.fixture
def driver(place: Place) -> StorageDriver:
    """A driver on a small tree."""
    driver = StorageDriver(place.fs())
    driver.fs.pipe({path: path.encode() for path in FILES})
    return driver


def walked(driver: StorageDriver, path: str, hint: str = "", **signals: type[Exception]) -> list[str]:
    """The paths of a walk; at each that ends in the name of a signal's keyword, that is raised."""
    found: list[str] = []

    def visit(info: FileInfo) -> None:
        found.append(info.path)
        for name, signal in signals.items():
            if info.path.rsplit("/", 1)[-1] == name:
                raise signal

    driver.walk(path, visit, hint)
    return found


@pytest.mark.promise("The storage driver")
@pytest.mark.parametrize(
    ("path", "hint", "expected"),
    [
        ("/", "", ALL),
        ("/folder1", "", ["/folder1/file1"]),
        ("/folder3", "", IN_FOLDER3),
        ("/", "/folder3/subfolder1/subfolder1/file1", ["/folder3", *SECOND_HALF]),
        ("/folder3", "/folder3/subfolder1/subfolder1/file1", SECOND_HALF[:3]),
        ("/folder1", "/folder2", []),
        ("/folder3", "/folder3", IN_FOLDER3),
        ("/folder3", "/folder3/notafolder/notafile", IN_FOLDER3),
        ("/", "/zzz", []),
    ],
)
def test_walk(driver: StorageDriver, path: str, hint: str, expected: list[str]) -> None:
    """`walk` goes in the order of keys, each directory before its contents."""
    assert walked(driver, path, hint) == expected


def test_skip_dir(driver: StorageDriver) -> None:
    """Leaves out what lies below, and nothing that merely begins with the same letters."""
    assert walked(driver, "/", folder3=SkipDir) == [path for path in ALL if path not in IN_FOLDER3]
    assert walked(driver, "/", folder1=SkipDir) == [path for path in ALL if path != "/folder1/file1"]
    assert walked(driver, "/", file1=SkipDir) == ALL
    assert walked(driver, "/folder3", subfolder1=SkipDir) == [
        *("/folder3/subfolder1", "/folder3/subfolder2", "/folder3/subfolder2/subfolder1")
    ]


def test_filled_buffer(driver: StorageDriver) -> None:
    """Ends the walk, and is no error."""
    assert walked(driver, "/", folder1=FilledBuffer) == ALL[:4]


def test_an_error_of_the_function_ends_the_walk_and_is_raised(driver: StorageDriver) -> None:
    """As it is: one that looks like the storage's own is not mistaken for it."""
    with pytest.raises(FileNotFoundError) as raised:
        walked(driver, "/", file1=FileNotFoundError)
    assert type(raised.value) is FileNotFoundError


def test_what_is_told_of_each(driver: StorageDriver) -> None:
    """Size and time of a file; a directory has neither."""
    found: list[FileInfo] = []
    driver.walk("/folder1", found.append)
    (file,) = found
    told = driver.stat("/folder1/file1")
    assert (file.path, file.size, file.is_dir) == (told.path, told.size, told.is_dir) == (FILES[2], 14, False)
    assert file.mod_time is not None
    assert file.mod_time.replace(microsecond=0) == told.mod_time  # a HEAD tells whole seconds
    driver.walk("/", found.append)
    assert FileInfo("/folder3", 0, None, is_dir=True) in found


def test_nothing_there(driver: StorageDriver) -> None:
    """Is told, unless it is the root or a hint may have left everything out."""
    for path in ("/missing", "/folder", "/file1"):
        with pytest.raises(PathNotFoundError, match="s3aws"):
            walked(driver, path)
        assert walked(driver, path, "/a") == []
    driver.fs.rm(FILES)
    assert walked(driver, "/") == []


@pytest.mark.parametrize("path", ["", "folder1", "/folder1/", "//", "/folder1/..", "/folder*"])
def test_invalid_paths(driver: StorageDriver, path: str) -> None:
    """Are refused, also as a hint."""
    with pytest.raises(InvalidPathError):
        walked(driver, path)
    if path:
        with pytest.raises(InvalidPathError):
            walked(driver, "/", path)


def test_a_file_beside_a_directory_of_its_name(place: Place, driver: StorageDriver) -> None:
    """Both are told: S3 has both."""
    needs(place, probes.file_beside_directory)
    driver.fs.pipe({"/x/a": b"", "/x/a/b": b"", "/x/a-b": b""})
    assert walked(driver, "/x") == ["/x/a", "/x/a-b", "/x/a", "/x/a/b"]


def test_markers_of_other_tools_are_directories(place: Place, driver: StorageDriver) -> None:
    """A key that ends in a slash is no file."""
    needs(place, probes.markers)
    for key in ("registry/m/", "registry/m/empty/", "registry/m/full/", "registry/m/full/f"):
        place.server.client().put_object(Bucket=place.bucket, Key=key, Body=b"")
    assert walked(driver, "/m") == ["/m/empty", "/m/full", "/m/full/f"]
    assert driver.list("/m") == ["/m/empty", "/m/full"]


def many(count: int) -> Callable[[str], list[str]]:
    """Files of a directory."""
    return lambda folder: [f"{folder}/{number:03}" for number in range(count)]


def test_one_flat_listing(place: Place, driver: StorageDriver) -> None:
    """As many requests as the keys have pages, whatever the number of directories."""
    requests = place.paged(driver.fs, "ListObjectsV2", MaxKeys=4)
    assert walked(driver, "/") == ALL
    assert len(requests) == 2


def test_pages_that_hold_only_what_is_skipped_are_not_asked_for(place: Place) -> None:
    """100 skipped keys, 10 a page, cost one page, and requests for what lies around them; the rest comes whole."""
    driver = StorageDriver(place.fs())
    before, below, after = many(3)("/a"), many(100)("/b/skipped"), many(3)("/b/skipped0")
    driver.fs.pipe(dict.fromkeys([*before, *below, *after, "/b/z"], b""))
    requests = place.paged(driver.fs, "ListObjectsV2", MaxKeys=10)
    assert walked(driver, "/", skipped=SkipDir) == ["/a", *before, "/b", "/b/skipped", "/b/skipped0", *after, "/b/z"]
    assert len(requests) <= 4
    requests.clear()
    assert walked(driver, "/b", skipped=FilledBuffer) == ["/b/skipped"]
    assert len(requests) == 1
