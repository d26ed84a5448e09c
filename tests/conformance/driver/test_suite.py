"""What distribution's own suite asks of every storage driver (``registry/storage/driver/testsuites``), test by test."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import threading
import time
import urllib.error
import urllib.request
from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry_s3fs import StorageDriver
from registry_s3fs.errors import FileExpired, InvalidOffsetError, InvalidPathError, PathNotFoundError
from tests.conformance.driver import probes
from tests.conformance.driver.conftest import Place
from tests.conformance.driver.probes import needs

MIB = 1024 * 1024
SMALL = random.Random(32).randbytes(32)


@pytest.fixture
def driver(place: Place) -> StorageDriver:
    """A driver with the smallest parts that S3 allows."""
    return StorageDriver(place.fs(chunksize=5 * MIB))


def path(length: int = 32) -> str:
    """An odd path of this many characters and a few levels."""
    levels = ["".join(random.choices("abcXYZ012_-.", k=length // 4)) + "x" for _ in range(4)]
    return "/" + "/".join(levels)


def write(driver: StorageDriver, name: str, *contents: bytes) -> None:
    """Through a writer, which is committed and closed."""
    writer = driver.writer(name)
    for content in contents:
        assert writer.write(content) == len(content)
    writer.commit()
    writer.close()
    assert writer.size == sum(map(len, contents))


def is_gone(driver: StorageDriver, name: str) -> bool:
    """Whether reading tells that nothing is there, naming the driver as Go's errors do."""
    with pytest.raises(PathNotFoundError, match="s3aws") as missing:
        driver.get_content(name)
    return missing.value.filename == name


def test_root_exists(driver: StorageDriver) -> None:
    """`/` is listed, and is a directory, in an empty bucket."""
    assert driver.list("/") == []
    assert driver.stat("/").is_dir


@pytest.mark.parametrize(
    "name",
    [
        *("/a", "/2", "/aa", "/a.a", "/0-9/abcdefg", "/abcdefg/z.75", "/abc/1.2.3.4.5-6_zyx/123.z/4"),
        *("/docker/docker-registry", "/123.abc", "/abc./abc", "/.abc", "/a--b", "/a-.b", "/_.abc"),
        *("/Docker/docker-registry", "/Abc/Cba", "/...", "/a/..b"),
    ],
)
def test_valid_paths(driver: StorageDriver, name: str) -> None:
    """Are written and read."""
    driver.put_content(name, SMALL)
    assert driver.get_content(name) == SMALL


@pytest.mark.parametrize("content", [b"a", "ß".encode(), SMALL, random.Random(4).randbytes(MIB), b"\x80\x80\x80\x80"])
def test_write_read(driver: StorageDriver, content: bytes) -> None:
    """WriteRead1 to 4 and NonUTF8: a byte, unicode, a few bytes, 1 MiB, and no text at all."""
    name = path()
    driver.put_content(name, content)
    assert driver.get_content(name) == content


@pytest.mark.parametrize("content", [b"a", "ß".encode(), SMALL, random.Random(4).randbytes(MIB), b"\x80\x80\x80\x80"])
def test_write_read_streams(driver: StorageDriver, content: bytes) -> None:
    """WriteReadStreams1 to 4 and NonUTF8: the same through a writer and a reader."""
    name = path()
    write(driver, name, content)
    with driver.reader(name) as reader:
        assert reader.read() == content


def test_truncate(driver: StorageDriver) -> None:
    """Of a large content nothing is left behind a small one."""
    name = path()
    driver.put_content(name, bytes(MIB))
    driver.put_content(name, SMALL)
    assert driver.get_content(name) == SMALL


def test_read_nonexistent(driver: StorageDriver) -> None:
    """Is a PathNotFoundError, of content and stream alike."""
    assert is_gone(driver, path())
    for offset in (0, 64):
        with pytest.raises(PathNotFoundError, match="s3aws"):
            driver.reader(path(), offset)


def test_write_read_large_streams(driver: StorageDriver) -> None:
    """100 MiB in odd pieces come back with the same digest."""
    name, source, sent, received = path(), random.Random(1), hashlib.sha256(), hashlib.sha256()
    with driver.writer(name) as writer:
        while writer.size < 100 * MIB:
            content = source.randbytes(3 * MIB + writer.size % 7)
            sent.update(content)
            writer.write(content)
        writer.commit()
    with driver.reader(name) as reader:
        while content := reader.read(8 * MIB):
            received.update(content)
    assert received.digest() == sent.digest()


def test_reader_with_offset(driver: StorageDriver) -> None:
    """Gives the rest from there, nothing at and past the end, and no negative offset."""
    name, content = path(), os.urandom(96)
    driver.put_content(name, content)
    for offset in (0, 32, 64, 95, 96, 97, 1000):
        with driver.reader(name, offset) as reader:
            assert reader.read() == content[offset:]
            assert reader.read(1) == b""
    with pytest.raises(InvalidOffsetError, match=rf"s3aws: {name}: offset -1"):
        driver.reader(name, -1)


def test_a_reader_reads_one_version(driver: StorageDriver) -> None:
    """Where its file is replaced, its reads raise the filesystem's error."""
    driver.put_content("/a", SMALL)
    with driver.reader("/a") as reader:
        driver.put_content("/a", bytes(32))
        with pytest.raises(FileExpired):
            reader.read()


@pytest.mark.parametrize("size", [32, 10 * MIB], ids=["small", "large"])
def test_continue_stream_append(driver: StorageDriver, size: int) -> None:
    """ContinueStreamAppendSmall and Large: three writers, each going on where the last one was closed."""
    name = path()
    contents = [random.Random(n).randbytes(size) for n in range(3)]
    for number, content in enumerate(contents):
        writer = driver.writer(name, append=number > 0)
        assert writer.size == number * size
        assert writer.write(content) == size
        assert writer.size == (number + 1) * size
        if number == 2:
            writer.commit()
        writer.close()
    assert driver.get_content(name) == b"".join(contents)


def test_write_zero_byte_stream_then_append(driver: StorageDriver) -> None:
    """An empty file is committed, read, and appended to."""
    name = path()
    write(driver, name)
    _is_empty_and_appended_to(driver, name)


def test_write_zero_byte_content_then_append(driver: StorageDriver) -> None:
    """The same for an empty file that was put."""
    name = path()
    driver.put_content(name, b"")
    _is_empty_and_appended_to(driver, name)


def _is_empty_and_appended_to(driver: StorageDriver, name: str) -> None:
    assert driver.stat(name).size == 0
    with driver.reader(name) as reader:
        assert reader.read() == b""
    with driver.writer(name, append=True) as writer:
        assert writer.size == 0
        writer.write(SMALL)
        writer.commit()
    assert writer.size == len(SMALL)
    assert driver.get_content(name) == SMALL


def test_list(driver: StorageDriver) -> None:
    """Gives the direct children, absolute; of what is no directory a PathNotFoundError."""
    root = "/" + path(8).split("/")[1]
    for missing in (root, f"{root}/nonexistent"):
        with pytest.raises(PathNotFoundError, match="s3aws"):
            driver.list(missing)
    parent = f"{root}/{path(8).split('/')[1]}"
    children = sorted(f"{parent}/file{number}" for number in range(50))
    for child in children:
        driver.put_content(child, SMALL)
    assert driver.list("/") == [root]
    assert driver.list(root) == [parent]
    assert driver.list(parent) == children
    with pytest.raises(PathNotFoundError):
        driver.list(children[0])


def test_move(driver: StorageDriver) -> None:
    """Then the file is there and no longer here."""
    source, dest = path(), path()
    driver.put_content(source, SMALL)
    driver.move(source, dest)
    assert driver.get_content(dest) == SMALL
    assert is_gone(driver, source)


def test_move_overwrite(driver: StorageDriver) -> None:
    """What was there is replaced."""
    source, dest = path(), path()
    driver.put_content(source, SMALL)
    driver.put_content(dest, bytes(64))
    driver.move(source, dest)
    assert driver.get_content(dest) == SMALL
    assert is_gone(driver, source)


def test_move_nonexistent(driver: StorageDriver) -> None:
    """Is a PathNotFoundError, and what is there stays."""
    source, dest = path(), path()
    driver.put_content(dest, SMALL)
    with pytest.raises(PathNotFoundError, match="s3aws"):
        driver.move(source, dest)
    assert driver.get_content(dest) == SMALL


def test_move_invalid(driver: StorageDriver) -> None:
    """What lies below a file that is no directory is not there to be moved."""
    driver.put_content("/notadir", SMALL)
    with pytest.raises(PathNotFoundError):
        driver.move("/notadir/foo", "/notadir/bar")


def test_redirect_url(driver: StorageDriver) -> None:
    """Plain HTTP gets and heads the file by it, without credentials."""
    name = path()
    driver.put_content(name, SMALL)
    with urllib.request.urlopen(driver.redirect_url(name)) as answer:
        assert answer.read() == SMALL
    head = urllib.request.Request(driver.redirect_url(name, "HEAD"), method="HEAD")
    with urllib.request.urlopen(head) as answer:
        assert answer.headers["Content-Length"] == "32"
    assert [driver.redirect_url(name, method) for method in ("PUT", "POST", "DELETE")] == ["", "", ""]
    assert "X-Amz-Expires=1200" in driver.redirect_url(name)


def test_redirect_url_of_another_endpoint(place: Place) -> None:
    """`redirectendpoint` is what the URL's host and signature are for; here another name of the same server."""
    needs(place, probes.checked_signatures)
    other = place.server.endpoint.replace("127.0.0.1", "localhost")
    driver = StorageDriver(place.fs(redirectendpoint=other))
    driver.put_content("/a", SMALL)
    url = driver.redirect_url("/a")
    assert url.startswith(other)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == SMALL
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace("localhost", "127.0.0.1"))


def test_delete(driver: StorageDriver) -> None:
    """Then nothing is there."""
    name = path()
    driver.put_content(name, SMALL)
    driver.delete(name)
    assert is_gone(driver, name)


def test_delete_nonexistent(driver: StorageDriver) -> None:
    """Is a PathNotFoundError."""
    with pytest.raises(PathNotFoundError, match="s3aws"):
        driver.delete(path())


def test_delete_folder(driver: StorageDriver) -> None:
    """One child alone, then all that is left of them."""
    folder = path()
    first, *others = [f"{folder}/{name}" for name in ("one", "two", "sub/three")]
    for name in (first, *others):
        driver.put_content(name, SMALL)
    driver.delete(first)
    assert is_gone(driver, first)
    assert [driver.get_content(name) for name in others] == [SMALL, SMALL]
    driver.delete(folder)
    assert all(is_gone(driver, name) for name in others)


def test_delete_only_deletes_subpaths(driver: StorageDriver) -> None:
    """Not what merely begins with the same letters."""
    folder = path()
    for name in ("file", "filesuffix", "folder/file", "foldersuffix/file"):
        driver.put_content(f"{folder}/{name}", SMALL)
    driver.delete(f"{folder}/file")
    assert is_gone(driver, f"{folder}/file")
    assert driver.get_content(f"{folder}/filesuffix") == SMALL
    driver.delete(f"{folder}/folder")
    assert is_gone(driver, f"{folder}/folder/file")
    assert driver.get_content(f"{folder}/foldersuffix/file") == SMALL


def test_stat_call(driver: StorageDriver) -> None:
    """Tells a file's size and time, a directory, and what is neither."""
    folder, name = path(), "file"
    file = f"{folder}/{name}"
    for missing in (folder, file):
        with pytest.raises(PathNotFoundError, match="s3aws"):
            driver.stat(missing)
    driver.put_content(file, bytes(4096))
    first = driver.stat(file)
    assert (first.path, first.size, first.is_dir) == (file, 4096, False)
    assert first.mod_time is not None
    assert abs(first.mod_time.timestamp() - time.time()) < 600
    time.sleep(1.1)  # servers tell whole seconds
    driver.put_content(file, bytes(4096))
    second = driver.stat(file)
    assert second.mod_time is not None
    assert second.mod_time > first.mod_time
    found = driver.stat(folder)
    assert (found.path, found.size, found.is_dir) == (folder, 0, True)


def test_put_content_multiple_times(driver: StorageDriver) -> None:
    """The last one holds, whole."""
    name = path()
    driver.put_content(name, bytes(4096))
    driver.put_content(name, SMALL * 64)
    assert driver.get_content(name) == SMALL * 64


def test_concurrent_stream_reads(driver: StorageDriver) -> None:
    """Ten readers of one file, each from an offset of its own."""
    name, content = path(), random.Random(2).randbytes(12 * MIB)
    driver.put_content(name, content)
    start = threading.Barrier(10)

    def read(offset: int) -> bool:
        start.wait()
        with driver.reader(name, offset) as reader:
            return reader.read() == content[offset:]

    with ThreadPoolExecutor(10) as threads:
        assert all(threads.map(read, range(0, 12 * MIB, 12 * MIB // 10 + 1)))


def test_concurrent_file_streams(driver: StorageDriver) -> None:
    """Eight writers at once, each with a file of its own."""
    contents = {path(): random.Random(number).randbytes(6 * MIB) for number in range(8)}
    start = threading.Barrier(8)

    def stream(name: str) -> bytes:
        start.wait()
        write(driver, name, contents[name])
        return driver.get_content(name)

    with ThreadPoolExecutor(8) as threads:
        assert dict(zip(contents, threads.map(stream, contents), strict=True)) == contents


def test_a_writer_takes_what_copyfileobj_hands_it(driver: StorageDriver) -> None:
    """So a reader is copied into a writer as any file is."""
    driver.put_content("/from", SMALL * MIB)
    with driver.reader("/from") as reader, driver.writer("/to") as writer:
        shutil.copyfileobj(reader, writer)
        writer.commit()
    assert driver.get_content("/to") == SMALL * MIB


def test_a_writer_takes_whatever_holds_bytes(driver: StorageDriver) -> None:
    """And counts bytes, not items."""
    with driver.writer("/a") as writer:
        assert [writer.write(content) for content in (array("I", [1, 2]), memoryview(b"345"), bytearray(b""))] == [
            8,
            3,
            0,
        ]
        writer.commit()
    assert driver.get_content("/a") == array("I", [1, 2]).tobytes() + b"345"


@pytest.mark.parametrize("name", ["", "/", "abc", "123.abc", "//bcd", "/abc_123/"])
def test_invalid_paths(driver: StorageDriver, name: str) -> None:
    """Are refused by name."""
    for call in (lambda: driver.put_content(name, SMALL), lambda: driver.get_content(name)):
        with pytest.raises(InvalidPathError, match="s3aws"):
            call()
