"""Paths as text, as pathlib's, alone and in lists; what they may not be; and which errors tell of it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem

from registry_s3fs import RegistryS3FileSystem
from tests.fakes import on_both

pytestmark = on_both


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two files of one name."""
    (tmp_path / "t" / "u").mkdir(parents=True)
    (tmp_path / "t" / "x").write_bytes(b"1")
    (tmp_path / "t" / "u" / "x").write_bytes(b"2")
    return tmp_path / "t"


@pytest.mark.promise("Paths and names")
def test_every_kind_of_path_goes_through_every_call_on_many(
    fs: RegistryS3FileSystem, tree: Path, tmp_path: Path
) -> None:
    """A path may be text or any `os.PathLike`, alone or in a list, local or remote.

    pathlib's paths are tried. A tree keeps its shape.
    """
    fs.put(tree, PurePosixPath("/p"), recursive=True)
    assert fs.cat("/p", recursive=True) == {"/p/x": b"1", "/p/u/x": b"2"}
    fs.put([tree / "x"], [PurePosixPath("/q")])
    fs.cp(PurePosixPath("/q"), PurePosixPath("/q2"))
    fs.cp([PurePosixPath("/q")], [PurePosixPath("/q3")])
    fs.mv(PurePosixPath("/q3"), PurePosixPath("/q4"))
    fs.mv((PurePosixPath("/q4"),), [PurePosixPath("/q5")])
    fs.upload(tree / "x", PurePosixPath("/up"))
    assert fs.cat([PurePosixPath("/q2"), "/q5", "/up"]) == dict.fromkeys(("/q2", "/q5", "/up"), b"1")
    fs.get(PurePosixPath("/p"), tmp_path / "got", recursive=True)
    assert (tmp_path / "got" / "u" / "x").read_bytes() == b"2"
    fs.get([PurePosixPath("/q")], [tmp_path / "one"])
    fs.download(PurePosixPath("/q"), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == b"1"
    fs.rm({PurePosixPath("/q"), PurePosixPath("/q2")})
    assert fs.ls("/", detail=False) == ["/p", "/q5", "/up"]


@pytest.mark.parametrize("path", [None, 1, 1.5, b"/p", ["/p"]], ids=repr)
@pytest.mark.parametrize(
    "call", ["info", "exists", "isdir", "ls", "find", "glob", "cat_file", "open", "rm_file", "touch", "mkdir"]
)
def test_what_is_no_path_is_told_by_its_type(fs: RegistryS3FileSystem, call: str, path: object) -> None:
    """As `os.fspath` tells it: by a `TypeError`, and not by an error of the code within."""
    with pytest.raises(TypeError, match=f"a path is a str or an os.PathLike, not {type(path).__name__}"):
        getattr(fs, call)(path)


@pytest.mark.parametrize("call", ["put", "get", "cp", "mv"])
def test_two_sources_do_not_go_to_one_target(fs: RegistryS3FileSystem, tree: Path, tmp_path: Path, call: str) -> None:
    """Into a directory, and pair by pair; nothing is done."""
    fs.pipe({"/p/x": b"1", "/p/u/x": b"2"})
    sources = [tree / "x", tree / "u" / "x"] if call == "put" else ["/p/x", "/p/u/x"]
    target = str(tmp_path / "to") if call == "get" else "/to"
    for targets in (target + "/", [target, target]):
        with pytest.raises(OSError, match="would go there") as caught:
            getattr(fs, call)(sources, targets)
        assert caught.value.errno == errno.EINVAL
    assert not (tmp_path / "to").exists()
    assert fs.find("/") == ["/p/u/x", "/p/x"]


def test_pipe_checks_all_names_before_its_first_request(fs: RegistryS3FileSystem) -> None:
    """A bad one among good ones: nothing is stored."""
    with pytest.raises(ValueError, match="component"):
        fs.pipe({"/good": b"", "/a//b": b""})
    assert fs.find("/") == []


@pytest.mark.parametrize(
    "how", [{"mode": "foo"}, {"block_size": "5 apples"}, {"content_type": 1}, {"metadata": {"a b": "c"}}], ids=repr
)
@pytest.mark.parametrize("call", ["pipe", "put"])
def test_a_bad_argument_is_told_before_anything_is_sent(
    fs: RegistryS3FileSystem, tree: Path, call: str, how: dict[str, Any]
) -> None:
    """By its own error, as of one file, and not as the failure of each of many."""
    given: list[Any] = [{"/a": b"1", "/b": b"2"}] if call == "pipe" else [[tree / "x", tree / "u" / "x"], ["/a", "/b"]]
    with pytest.raises(ValueError, match=next(iter(how))) as told:
        getattr(fs, call)(*given, **how)
    assert not isinstance(told.value, OSError)
    assert fs.find("/") == []


@pytest.mark.parametrize("call", ["put", "get", "cp", "mv"])
def test_of_no_paths_nothing_is_done(fs: RegistryS3FileSystem, call: str) -> None:
    """Two empty lists are no error."""
    getattr(fs, call)([], [])
    getattr(fs, call)((path for path in ()), [])


@pytest.mark.parametrize("key", ["/x", "//x", "/", "a//", "a//b"])
def test_keys_with_empty_components_make_no_root_in_the_root(options: dict[str, Any], key: str) -> None:
    """Of other tools, where `rootdirectory` is empty: they are not listed, and every walk ends."""
    fs = RegistryS3FileSystem(**{**options, "rootdirectory": ""})
    fs.bucket.put(key, b"1")
    fs.pipe("/y", b"")
    shown = ["/a", "/y"] if key[0] == "a" else ["/y"]
    assert fs.ls("/", detail=False) == fs.glob("/*") == shown
    assert fs.find("/") == ["/y"]
    assert fs.find("/", withdirs=True) == ["/", *shown]
    assert [path for path, _, _ in fs.walk("/")] == ["/", *shown[:-1]]


def test_a_dir_filesystem_on_the_root_works(fs: RegistryS3FileSystem) -> None:
    """Names are relative there."""
    fs.pipe({"/a": b"1", "/b/c": b"2"})
    whole = DirFileSystem("/", fs)
    assert (whole.ls("", detail=False), whole.find(""), whole.glob("*")) == (["a", "b"], ["a", "b/c"], ["a", "b"])
    assert whole.cat(["a", "b/c"]) == {"a": b"1", "b/c": b"2"}
    assert list(whole.walk("")) == [("", ["b"], ["a"]), ("b", [], ["c"])]
    assert whole.isdir("b")


def test_a_local_name_may_have_255_bytes(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Also one of fewer characters."""
    name = "é" * 127 + "x"
    fs.pipe(f"/{name}", b"1")
    fs.get(f"/{name}", str(tmp_path / name))
    fs.put(str(tmp_path / name), "/put/")
    assert fs.cat(f"/put/{name}") == b"1"


READING: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "open": lambda fs: fs.open("/d"),
    "open text": lambda fs: fs.open("/d", "r"),
    "cat_file": lambda fs: fs.cat_file("/d"),
    "a range": lambda fs: fs.cat_file("/d", 1, 2),
    "cat": lambda fs: fs.cat("/d"),
    "cat of several": lambda fs: fs.cat(["/d", "/d/f"]),
    "cat_ranges": lambda fs: fs.cat_ranges(["/d"], [0], [1], on_error="raise"),
    "head": lambda fs: fs.head("/d"),
    "tail": lambda fs: fs.tail("/d"),
    "read_block": lambda fs: fs.read_block("/d", 0, 1),
    "read_text": lambda fs: fs.read_text("/d"),
    "the root": lambda fs: fs.open("/"),
    "cp_file": lambda fs: fs.cp_file("/d", "/e"),
    "rm_file": lambda fs: fs.rm_file("/d"),
    "rm": lambda fs: fs.rm("/d"),
    "mv": lambda fs: fs.mv("/d", "/e"),
}


@pytest.mark.promise("Reading")
@pytest.mark.parametrize("call", READING.values(), ids=READING)
def test_a_directory_is_no_file_to_read(fs: RegistryS3FileSystem, call: Callable[[Any], Any]) -> None:
    """To read or open a directory is an `IsADirectoryError` with its path."""
    fs.pipe("/d/f", b"1")
    with pytest.raises(IsADirectoryError) as caught:
        call(fs)
    assert caught.value.errno == errno.EISDIR
    assert caught.value.filename in ("/d", "/")
    assert fs.find("/") == ["/d/f"]


def test_a_directory_among_many_is_told_in_its_place(fs: RegistryS3FileSystem) -> None:
    """Beside a missing file, which stays one."""
    fs.pipe("/d/f", b"1")
    found = fs.cat(["/d", "/d/f", "/none"], on_error="return")
    assert {path: type(value) for path, value in found.items()} == {
        "/d": IsADirectoryError, "/d/f": bytes, "/none": FileNotFoundError
    }  # fmt: skip
    ranges = fs.cat_ranges(["/d", "/none"], [0, 0], [1, 1])
    assert [type(value) for value in ranges] == [IsADirectoryError, FileNotFoundError]


@pytest.mark.parametrize("call", ["get", "cp", "put"])
def test_a_directory_without_recursive_is_said_to_be_one(
    fs: RegistryS3FileSystem, tmp_path: Path, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    """fsspec's suite wants nothing to be done; a warning tells so."""
    fs.pipe("/d/f", b"1")
    (tmp_path / "l").mkdir()
    source = str(tmp_path / "l") if call == "put" else "/d"
    with caplog.at_level(logging.WARNING, "registry_s3fs"):
        getattr(fs, call)(source, str(tmp_path / "to"))
    assert caplog.messages == [f"{source} is a directory; nothing is done without recursive=True"]


@pytest.mark.parametrize("call", ["put", "get", "cp", "mv"])
def test_one_source_may_have_a_list_of_one_target(fs: RegistryS3FileSystem, tmp_path: Path, call: str) -> None:
    """As fsspec's memory filesystem takes it."""
    (tmp_path / "l").write_bytes(b"1")
    fs.pipe("/a", b"1")
    source, target = (str(tmp_path / "l"), "/b") if call == "put" else ("/a", "/b")
    getattr(fs, call)(source, [str(tmp_path / "g") if call == "get" else target])
    assert (tmp_path / "g").read_bytes() == b"1" if call == "get" else fs.cat("/b") == b"1"


def test_touch_leaves_a_directory_as_it_is(fs: RegistryS3FileSystem) -> None:
    """A file of its name would hide it."""
    fs.pipe("/d/f", b"1")
    fs.touch("/d", truncate=False)
    assert fs.isdir("/d")
    assert fs.find("/") == ["/d/f"]


def test_a_recursive_rm_by_a_pattern_takes_all_below_what_it_matches(fs: RegistryS3FileSystem) -> None:
    """Markers, keys that no path can name, and what lies below a directory beside a file of its name."""
    fs.pipe({"/d1": b"", "/d1/x": b"", "/d2/x": b"", "/e/x": b""})
    for key in ("d2/", "d2/a//b"):
        fs.bucket.put(fs.bucket.space.prefix("/") + key, b"")
    fs.rm("/d*", recursive=True)
    assert [item.key for page in fs.bucket.list(fs.bucket.space.prefix("/")) for item in page.objects] == [
        fs.bucket.space.key("/e/x")
    ]


def test_a_size_that_is_given_pins_nothing(fs: RegistryS3FileSystem) -> None:
    """The file's own version is read, and no bytes of another."""
    fs.pipe("/f", b"A" * 100)
    with fs.open("/f", size=50) as file:
        assert (file.size, file.read()) == (100, b"A" * 100)
    with pytest.raises(FileNotFoundError):
        fs.open("/none", size=5)


@pytest.mark.parametrize("call", ["cat", "cat_ranges", "copy"])
def test_a_word_that_on_error_does_not_know_is_refused(fs: RegistryS3FileSystem, call: str) -> None:
    """It was taken for another one."""
    arguments = {"cat": (["/a"],), "cat_ranges": (["/a"], [0], [1]), "copy": ("/a", "/b")}[call]
    with pytest.raises(ValueError, match="on_error: 'bogus'"):
        getattr(fs, call)(*arguments, on_error="bogus")


def test_a_cache_type_that_there_is_not_is_refused(fs: RegistryS3FileSystem) -> None:
    """By name, with those that there are."""
    fs.pipe("/a", b"1")
    with pytest.raises(ValueError, match="cache_type: 'bogus' is none of .*prefetch"):
        fs.open("/a", cache_type="bogus")


def test_the_urls_bucket_survives_being_stripped_twice(fs: RegistryS3FileSystem) -> None:
    """As fsspec's caching filesystems do; another bucket's URL is refused through these, too."""
    for name in ("simplecache", "filecache", "blockcache"):
        with pytest.raises(ValueError, match="another-bucket"):
            fsspec.filesystem(name, fs=fs).open(URL).read()


URL = "registrys3://another-bucket/x"


def test_the_roots_url_ends_in_no_slash(fs: RegistryS3FileSystem) -> None:
    """`rsync` and others put one behind it."""
    assert fs.unstrip_protocol("/") == f"registrys3://{fs.parameters.bucket}"
    assert fs.ls(fs.unstrip_protocol("/")) == []
