"""fsspec's chained URLs: caches, archives and references in front of ours."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.s3.bucket import Bucket

# fsspec's caches leave their local files to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file <_io.Buffered:ResourceWarning")

DATA = bytes(range(256)) * 1000


@pytest.fixture
def url(fs: RegistryS3FileSystem) -> str:
    fs.pipe({"/d/a.bin": DATA, "/d/b.bin": b"b"})
    return fs.unstrip_protocol("/d/a.bin")


@pytest.mark.parametrize("cache", ["simplecache", "filecache", "blockcache"])
def test_a_cached_file_is_read_from_disk_the_second_time(
    fs: RegistryS3FileSystem, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    """No byte of it is asked for again; and the cache lists, globs and reads as we do."""
    options: dict[str, Any] = {"registrys3": fs.storage_options, cache: {"cache_storage": str(tmp_path)}}
    cached = fsspec.filesystem(
        cache, target_protocol="registrys3", target_options=fs.storage_options, cache_storage=str(tmp_path)
    )
    assert cached.ls("/d", detail=False) == cached.glob("/d/*") == ["/d/a.bin", "/d/b.bin"]
    assert cached.cat_file("/d/b.bin") == b"b"
    with fsspec.open(f"{cache}::{url}", **options) as file:
        assert file.read() == DATA

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("S3 was asked for bytes")

    monkeypatch.setattr(Bucket, "get", refuse)
    with fsspec.open(f"{cache}::{url}", **options) as file:
        file.seek(1000)
        assert file.read(10) == DATA[1000:1010]


def test_filecache_notices_a_new_version(fs: RegistryS3FileSystem, url: str, tmp_path: Path) -> None:
    """check_files compares by our ukey."""
    how = {"cache_storage": str(tmp_path), "check_files": True}
    for data in (DATA, b"new", b"wen"):
        fs.pipe_file("/d/a.bin", data)
        with fsspec.open(f"filecache::{url}", registrys3=fs.storage_options, filecache=how) as file:
            assert file.read() == data


def test_libraries_that_need_a_local_file_get_one(fs: RegistryS3FileSystem, url: str, tmp_path: Path) -> None:
    """open_local of a glob; and a file written through simplecache is stored when it is closed."""
    how: dict[str, Any] = {"registrys3": fs.storage_options, "simplecache": {"cache_storage": str(tmp_path)}}
    found = fsspec.open_local(f"simplecache::{fs.unstrip_protocol('/d/*.bin')}", **how)
    assert [Path(name).read_bytes() for name in found] == [DATA, b"b"]
    with fsspec.open(f"simplecache::{fs.unstrip_protocol('/d/new')}", "wb", **how) as file:
        file.write(DATA)
    assert fs.cat_file("/d/new") == DATA


def test_a_member_of_an_archive_is_read_in_place(fs: RegistryS3FileSystem) -> None:
    """zip and tar, by name and by pattern, alone and through a cache."""
    with fs.open("/a.zip", "wb") as raw, zipfile.ZipFile(raw, "w") as zipped:
        zipped.writestr("in/one.txt", "1")
        zipped.writestr("in/two.txt", "22")
    with fs.open("/a.tar.gz", "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as tarred:
        member = tarfile.TarInfo("in/one.txt")
        member.size = 1
        tarred.addfile(member, io.BytesIO(b"1"))
    archive = fs.unstrip_protocol("/a.zip")
    for url in (f"zip://in/one.txt::{archive}", f"tar://in/one.txt::{fs.unstrip_protocol('/a.tar.gz')}"):
        with fsspec.open(url, registrys3=fs.storage_options) as file:
            assert file.read() == b"1"
    contents = []
    for opened in fsspec.open_files(f"zip://in/*.txt::simplecache::{archive}", registrys3=fs.storage_options):
        with opened as file:
            contents.append(file.read())
    assert contents == [b"1", b"22"]


def test_a_reference_reads_ranges_of_objects(fs: RegistryS3FileSystem, url: str) -> None:
    """As kerchunk writes them: a key that is a range of an object, or the object itself."""
    references = {"version": 1, "refs": {"part": [url, 1000, 10], "whole": [url], "inline": "text"}}
    found = fsspec.filesystem(
        "reference", fo=references, remote_protocol="registrys3", remote_options=fs.storage_options
    )
    assert found.cat(["part", "whole", "inline"]) == {"part": DATA[1000:1010], "whole": DATA, "inline": b"text"}


def test_a_directory_of_ours_is_a_filesystem_of_its_own(fs: RegistryS3FileSystem, url: str) -> None:
    """`dir` with the filesystem itself."""
    inside = fsspec.filesystem("dir", path="/d", fs=fs)
    assert inside.find("") == ["a.bin", "b.bin"]
    inside.pipe_file("c.bin", inside.cat_file("b.bin"))
    assert fs.cat_file("/d/c.bin") == b"b"
