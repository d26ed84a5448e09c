"""What users of fsspec do besides reading and writing: progress, text that is appended, caches, URLs with buckets."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.callbacks import Callback

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import ForeignBucketError, InvalidPathError
from registry_s3fs.listing import directory
from tests.fakes import on_both

MIB = 1024 * 1024


class Seen(Callback):
    """Every value that a callback came to."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[int] = []

    def call(self, hook_name: Any = None, **kwargs: Any) -> None:
        self.values.append(self.value)


@on_both
def test_one_large_file_shows_its_bytes(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Through `put` and `get`, on the way and not at the end alone."""
    size = 21 * MIB
    (tmp_path / "up").write_bytes(bytes(size))
    for call in (
        lambda seen: fs.put(str(tmp_path / "up"), "/f", callback=seen),
        lambda seen: fs.get("/f", str(tmp_path / "down"), callback=seen),
    ):
        seen = Seen()
        call(seen)
        assert (seen.size, seen.value) == (size, size)
        assert len({value for value in seen.values if 0 < value < size}) >= 2


@on_both
def test_several_files_are_counted(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Also where a directory has one."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"123")
    seen = Seen()
    fs.put(str(tmp_path / "d"), "/d", recursive=True, callback=seen)
    assert (seen.size, seen.value) == (1, 1)


@on_both
def test_a_puts_bytes_count_when_the_server_has_them(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when they are read."""
    (tmp_path / "up").write_bytes(bytes(25 * MIB))
    stored, seen = [0], Seen()
    send = fs.bucket.upload_part

    def sending(key: str, upload_id: str, number: int, body: Any) -> Any:
        part = send(key, upload_id, number, body)
        stored[0] += len(body)
        return part

    class Watching(Seen):
        def call(self, hook_name: Any = None, **kwargs: Any) -> None:
            assert self.value <= stored[0]

    monkeypatch.setattr(fs.bucket, "upload_part", sending)
    fs.put(str(tmp_path / "up"), "/f", callback=Watching())
    fs.put_file(str(tmp_path / "up"), "/g", callback=seen)
    assert seen.value == 25 * MIB


@pytest.mark.promise("Writing")
@on_both
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "UTF16", "utf-32", "utf-16-le", None])
@pytest.mark.parametrize("before", ["", "grün\n"])
def test_appended_text_is_a_local_files(
    fs: RegistryS3FileSystem, tmp_path: Path, encoding: str | None, before: str
) -> None:
    """Appended text is the same as in a local file.

    It has the same bytes, at most one byte order mark, and the same positions.
    """
    told: list[list[int]] = []
    local: Callable[..., Any] = open
    for opened in (partial(local, tmp_path / "f", encoding=encoding), partial(fs.open, "/f", encoding=encoding)):
        positions = []
        for mode, text in (("w", before), ("a", "é\n"), ("a", "z")):
            with opened(mode) as file:
                positions.append(file.tell())
                file.write(text)
                positions.append(file.tell())
        told.append(positions)
    assert fs.cat("/f") == (tmp_path / "f").read_bytes()
    assert told[0] == told[1]


@on_both
def test_compressed_text_is_appended_as_a_member_of_its_own(fs: RegistryS3FileSystem) -> None:
    """As gzip's own files."""
    for text in ("a\n", "b\n"):
        with fs.open("/f.gz", "a", compression="gzip", encoding="utf-8") as file:
            file.write(text)
    assert gzip.decompress(fs.cat("/f.gz")) == b"a\nb\n"


@pytest.mark.promise("Listing")
@on_both
def test_a_listings_cache_is_one_for_all_threads(options: dict[str, Any]) -> None:
    """All threads share one cache of listings.

    What one thread writes is in another's listing. Filesystems with other settings have a cache of their own.
    """
    cached = {**options, "use_listings_cache": True}
    fs, others = RegistryS3FileSystem(**cached), []
    thread = threading.Thread(target=lambda: others.append(RegistryS3FileSystem(**cached)))
    thread.start()
    thread.join()
    other = others[0]
    assert other is not fs
    other.pipe("/a", b"")
    assert fs.ls("/", detail=False) == ["/a"]
    assert other.dircache is fs.dircache
    other.pipe("/b", b"")
    assert fs.ls("/", detail=False) == ["/a", "/b"]
    assert RegistryS3FileSystem(**cached, listings_expiry_time=5).dircache is not fs.dircache


@pytest.mark.promise("Paths and names")
def test_a_bucket_may_stand_in_the_url_and_beside_it(options: dict[str, Any]) -> None:
    """A bucket may be given in the URL and as an option where both are the same. Two different ones are a `ValueError`
    with both names, before any request.
    """
    fs = RegistryS3FileSystem(**options)
    fs.pipe("/x", b"1")
    url = fs.unstrip_protocol("/x")
    with fsspec.open(url, **options) as file:
        assert file.read() == b"1"
    assert type(file.fs.storage_options["bucket"]) is str
    others = {name: value for name, value in options.items() if name != "bucket"}
    made, path = fsspec.url_to_fs(url, **others, skip_instance_cache=True)
    assert type(made.storage_options["bucket"]) is str
    assert made.cat(path) == b"1"
    chained = {"registrys3": dict(options)}
    with fsspec.open(f"simplecache::{url}", **chained) as file:
        assert file.read() == b"1"
    opening: tuple[Callable[[], Any], ...] = (
        lambda: fsspec.open(url, **{**options, "bucket": "other-one"}),
        lambda: fsspec.open_files([url], **{**options, "bucket": "other-one"}),
        lambda: fsspec.url_to_fs(url, **{**options, "bucket": "other-one"}),
        lambda: fsspec.get_mapper(url, **{**options, "bucket": "other-one"}),
    )
    for each in opening:
        with pytest.raises(ForeignBucketError, match=f"{options['bucket']}.*other-one"):
            each()


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("url", ["s3://bucket/key", "file:///etc/passwd", "https://user:secret@host/x", "S3A://b/x"])
def test_a_url_of_another_scheme_is_refused_by_name(options: dict[str, Any], url: str) -> None:
    """A URL of another scheme is refused, and the error names our scheme."""
    fs = RegistryS3FileSystem(**options)
    for call in (fs.ls, fs.cat, fs.open, lambda path: fs.cp("/a", path), lambda path: fs.pipe({path: b""})):
        with pytest.raises(InvalidPathError, match="registrys3://BUCKET") as caught:
            call(url)
        assert url.partition("://")[0] in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_listing_asked_for_before_a_write_is_not_kept(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may have written while the answer was on its way."""
    fs = RegistryS3FileSystem(**options, use_listings_cache=True)
    fs.pipe("/d/old", b"")
    children = directory.children

    def slow(bucket: Any, path: str) -> Any:
        found = children(bucket, path)
        monkeypatch.setattr(directory, "children", children)
        fs.pipe("/d/new", b"")
        return found

    monkeypatch.setattr(directory, "children", slow)
    assert fs.ls("/d", detail=False) == ["/d/old"]
    assert fs.ls("/d", detail=False) == ["/d/new", "/d/old"]


def test_a_walk_hands_out_no_part_of_the_cache(options: dict[str, Any]) -> None:
    """What a caller does to an info is its own."""
    fs = RegistryS3FileSystem(**options, use_listings_cache=True)
    fs.pipe("/d/f", b"")
    fs.ls("/d")
    for _, _, files in fs.walk("/d", detail=True):
        files["f"]["name"] = "/changed"
    assert fs.ls("/d", detail=False) == ["/d/f"]


def test_an_async_block_left_by_an_exception_publishes_nothing(fs: RegistryS3FileSystem) -> None:
    """Through contextlib's, and any own ``__aexit__`` that only closes."""

    @contextlib.asynccontextmanager
    async def opened(path: str) -> AsyncIterator[Any]:
        file = fs.open(path, "wb")
        try:
            yield file
        finally:
            file.close()

    async def write(path: str, *, fails: bool) -> None:
        async with opened(path) as file:
            file.write(b"half")
            if fails:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(write("/half", fails=True))
    asyncio.run(write("/whole", fails=False))
    assert fs.find("/") == ["/whole"]
