"""What callers do that is not in the books: words and forms of arguments, and who is told of what."""

from __future__ import annotations

import _thread
import ctypes
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, get_type_hints

import fsspec
import pytest
from fsspec.callbacks import Callback
from fsspec.spec import AbstractFileSystem

from registry_s3fs import ForeignBucketError, RefusedParameterError, RegistryS3FileSystem
from registry_s3fs.config.foreign_names import OF_CONFIG

ALL_CACHES = ["prefetch", "none", "readahead", "bytes", "mmap", "blockcache", "first", "all", "background"]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # of "mmap"
@pytest.mark.parametrize("cache", ALL_CACHES)
def test_lines_are_read_up_to_a_size(fs: RegistryS3FileSystem, cache: str) -> None:
    """As of `io.BytesIO`, also past the file's end, and where a block is smaller than the line."""
    data = b"one\n\nthree and more\nlast"
    fs.pipe("/a", data)
    for size in (-1, 0, 1, 3, 4, 5, 100, None):
        file, local = fs.open("/a", cache_type=cache, block_size=5), BytesIO(data)
        for _ in range(30):
            assert file.readline(size) == local.readline(size)
            assert file.tell() == local.tell()


@pytest.mark.parametrize(("start", "end"), [(0.0, 3), (0.5, None), (0, 2.5), ("0", 3), (None, "3")])
def test_a_range_is_of_integers(fs: RegistryS3FileSystem, start: Any, end: Any) -> None:
    """S3 would be sent a header that it cannot read, and answer with the whole file."""
    fs.pipe({"/a": b"abcdef", "/b": b"b"})
    for call in (
        lambda: fs.cat_file("/a", start, end),
        lambda: fs.cat(["/a", "/b"], start=start, end=end),
        lambda: fs.cat_ranges(["/a"], [start], [end]),
        lambda: fs.cat_ranges(["/a"], [start], [end], max_gap=2),
    ):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            call()


def test_bytes_have_any_items_and_dimensions(fs: RegistryS3FileSystem) -> None:
    """Also none at all, as in an array of no rows."""
    no_rows, no_columns = (ctypes.c_double * 3 * 0)(), (ctypes.c_double * 0 * 3)()
    two_by_three, none_of_one = memoryview(b"abcdef").cast("B", (2, 3)), memoryview(bytes(8)).cast("d")[:0]
    for view, data in ((two_by_three, b"abcdef"), (none_of_one, b""), (no_rows, b""), (no_columns, b"")):
        fs.pipe({"/one": view, "/other": view})
        fs.pipe_file("/third", view)
        with fs.open("/file", "wb") as file:
            assert file.write(view) == len(data)
        assert set(fs.cat("/", recursive=True).values()) == {data}


@pytest.mark.parametrize("mode", ["wb", "xb", "ab", "w"])
def test_the_root_cannot_be_written(fs: RegistryS3FileSystem, options: dict[str, Any], mode: str) -> None:
    """It is told at the open, whatever `rootdirectory` is; a key that ends in a slash would be a directory."""
    for root in (fs, RegistryS3FileSystem(**{**options, "rootdirectory": ""})):
        with pytest.raises(IsADirectoryError):
            root.open("/", mode)
        assert root.find("/") == []


def test_what_an_object_says_of_itself_may_change_with_an_append(fs: RegistryS3FileSystem) -> None:
    """Fields that are not named stay; metadata is one field."""
    fs.pipe_file("/a", b"1", ContentType="x/y", Metadata={"k": "v", "other": "gone"})
    with fs.open("/a", "ab", CacheControl="no-cache") as file:
        file.write(b"2")
    with fs.open("/a", "ab", Metadata={"k": "w"}) as file:
        file.write(b"3")
    found = fs.bucket.head(fs.bucket.space.key("/a")).headers
    assert fs.cat("/a") == b"123"
    assert found == {"ContentType": "x/y", "Metadata": {"k": "w"}, "CacheControl": "no-cache"}


@contextmanager
def warned(caplog: pytest.LogCaptureFixture, name: str) -> Iterator[None]:
    with caplog.at_level(logging.WARNING, "registry_s3fs"):
        yield
    assert f"{name} is a directory" in caplog.text
    caplog.clear()


def test_a_directory_without_recursive_says_so(
    fs: RegistryS3FileSystem, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In every form of names; nothing is made of it."""
    fs.pipe({"/d/x": b"1", "/f": b"2"})
    out, local = tmp_path / "out", tmp_path / "local"
    local.mkdir()
    (local / "x").write_bytes(b"1")
    with warned(caplog, "/d"):
        fs.get(["/d"], [str(out)])
    with warned(caplog, "/d"):
        fs.get(["/d", "/f"], f"{out}/")
    assert (out / "d").is_dir()
    assert (out / "f").read_bytes() == b"2"
    with pytest.raises(IsADirectoryError) as local_one:
        fs.get_file("/f", out)
    assert local_one.value.filename == str(out)
    with warned(caplog, "/d"):
        fs.get_file("/d", tmp_path / "made")
    with warned(caplog, str(local)):
        fs.put([str(local)], ["/x"])
    with pytest.raises(IsADirectoryError):
        fs.get_file("/d", BytesIO())
    with pytest.raises(IsADirectoryError):
        fs.get_file("/d", None, outfile=BytesIO())
    with pytest.raises(FileNotFoundError):
        fs.get_file("/none", BytesIO())


@pytest.mark.parametrize("bucket", [None, ""])
def test_an_empty_bucket_beside_a_url_is_told(fs: RegistryS3FileSystem, bucket: Any) -> None:
    """As from a form or a configuration that left it empty; fsspec would speak of two values."""
    with pytest.raises(ForeignBucketError, match="leave bucket= out"):
        fsspec.open(fs.unstrip_protocol("/a"), **{**fs.storage_options, "bucket": bucket})


def test_a_transaction_counts_bytes_when_they_are_published(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Not when they are held; and never where it fails."""
    source, told = tmp_path / "f", Callback()
    source.write_bytes(b"x" * 1000)
    with fs.transaction:
        fs.put_file(source, "/x", callback=told)
        assert (told.size, told.value) == (1000, 0)
    assert told.value == 1000
    lost = Callback()
    with pytest.raises(ZeroDivisionError), fs.transaction:
        fs.put_file(source, "/y", callback=lost)
        raise ZeroDivisionError
    assert lost.value == 0


def test_a_named_file_shows_its_bytes_whatever_its_name(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """A name with ``[`` is no pattern where the file is there."""
    source = tmp_path / "z[1]"
    source.write_bytes(b"x" * 1000)
    put, got = Callback(), Callback()
    fs.put(str(source), "/z[1]", callback=put)
    fs.get("/z[1]", str(tmp_path / "back"), callback=got)
    assert [(each.size, each.value) for each in (put, got)] == [(1000, 1000)] * 2


def test_signed_urls_take_their_fields_and_no_others(fs: RegistryS3FileSystem) -> None:
    """A version by our name or S3's."""
    for sign in (fs.sign, fs.url):
        assert "versionId=v1" in sign("/a", version_id="v1")
        assert "versionId=v1" in sign("/a", VersionId="v1")
        with pytest.raises(TypeError, match="'bogus' is no keyword argument"):
            sign("/a", bogus=1)
        with pytest.raises(RefusedParameterError):
            sign("/a", client_method="bogus")


def test_a_block_is_read_by_its_delimiter(fs: RegistryS3FileSystem) -> None:
    """As fsspec's; the empty version is the newest."""
    fs.pipe("/a", b"one\ntwo\nthree")
    assert fs.read_block("/a", 0, 5, b"\n") == b"one\ntwo\n"
    assert fs.read_block("/a", 4, None) == b"two\nthree"
    assert fs.read_block("/a", 0, 3, version_id="") == b"one"


@pytest.mark.skipif(not hasattr(AbstractFileSystem, "tree"), reason="this fsspec draws no trees")
def test_a_tree_is_drawn_of_any_kind_of_path(fs: RegistryS3FileSystem) -> None:
    """`pathlib` too."""
    fs.pipe("/d/x", b"1")
    assert fs.tree(Path("/d")) == fs.tree("/d")


@pytest.mark.promise("Listing")
def test_files_are_found_a_page_at_a_time(fs: RegistryS3FileSystem) -> None:
    """`iter_find` gives every file once, a page at a time, as `find` gives them."""
    fs.pipe({f"/d/{number:04}": b"1" for number in range(1100)})
    fs.pipe("/d", b"itself")
    pages = list(fs.iter_find("/d"))
    assert len(pages) >= 3
    assert {info["name"]: info["size"] for page in pages for info in page} == {
        name: info["size"] for name, info in fs.find("/d", detail=True).items()
    }
    assert list(fs.iter_find("/none")) == []


def test_a_cache_of_listings_shows_what_others_with_the_same_parameters_wrote(
    fs: RegistryS3FileSystem, options: dict[str, Any]
) -> None:
    """With a cache of their own, of another age, or with none."""
    cached = RegistryS3FileSystem(**options, use_listings_cache=True)
    other = RegistryS3FileSystem(**options, use_listings_cache=True, listings_expiry_time=60)
    for number, writer in enumerate((fs, other, cached)):
        assert len(cached.ls("/")) == number
        assert len(other.ls("/")) == number
        writer.pipe(f"/{number}", b"1")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("max_attempts", "total_max_attempts"),
        ("max_retries", "total_max_attempts"),
        ("tcp_keepalive", "config_kwargs={'tcp_keepalive'"),
        ("request_checksum_calculation", "config_kwargs"),
        ("s3", "config_kwargs"),
        ("keys", "accesskey and secretkey"),
        ("hf", "load_dataset"),
    ],
)
def test_other_peoples_names_are_told_what_to_give(options: dict[str, Any], name: str, said: str) -> None:
    """From a table, never by likeness."""
    with pytest.raises(TypeError, match=said):
        RegistryS3FileSystem(**options, **{name: 1})


def test_what_is_botocores_by_our_table_is_botocores() -> None:
    """Else the advice would be refused."""
    from botocore.config import Config

    new = {"account_id_endpoint_mode", "auth_scheme_preference", "s3_disable_express_session_auth"}  # of 2025 on
    assert OF_CONFIG - Config.OPTION_DEFAULTS.keys() <= new


def test_botocores_config_is_told_from_ours(options: dict[str, Any]) -> None:
    """boto3's users give an object by that name."""
    from botocore.config import Config

    with pytest.raises(TypeError, match="config_kwargs"):
        RegistryS3FileSystem(**options, config=Config())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="typing.Unpack is of Python 3.11")
def test_the_types_of_options_are_there_at_run_time() -> None:
    """For those who look at them."""
    assert "storage_options" in get_type_hints(RegistryS3FileSystem.__init__)


def test_a_file_says_whether_it_can_be_written_to_whoever_asks(fs: RegistryS3FileSystem) -> None:
    """A thread without a Python frame above it, too."""
    with fs.open("/a", "wb") as file:
        for ask in (file.writable, file.seekable):
            with pytest.MonkeyPatch.context() as patch:
                raised: list[Any] = []
                patch.setattr(threading, "excepthook", raised.append)
                patch.setattr(sys, "unraisablehook", raised.append)
                running = _thread._count
                before = running()
                _thread.start_new_thread(ask, ())
                time.sleep(0.05)  # it is counted once it runs
                while running() > before:  # a Python function that waited for it would be its caller
                    time.sleep(0.001)
                assert raised == []
