"""Copying, moving and deleting: one key or a tree, and nothing more than was named."""

from __future__ import annotations

import errno
import time
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BulkError
from registry_s3fs.s3 import retry
from registry_s3fs.s3.error_codes import from_code
from testbed.scripted_store import ScriptedStore
from tests.fakes import on_both

MIB = 1024 * 1024


@pytest.mark.promise("Configuration")
def test_a_copy_keeps_bytes_content_type_and_metadata(fs: RegistryS3FileSystem) -> None:
    """A copy keeps bytes, content type and metadata. Above `multipartcopythresholdsize` it goes in parts of
    `multipartcopychunksize`.
    """
    small = RegistryS3FileSystem(
        **fs.storage_options, multipartcopythresholdsize=5 * MIB, multipartcopychunksize=5 * MIB
    )
    for size, parts in ((10, ""), (12 * MIB, "3")):
        fs.bucket.client.put_object(
            Bucket=fs.parameters.bucket,
            Key="registry/odd + %é",
            Body=bytes(range(256)) * (size // 256) + b"." * (size % 256),
            ContentType="text/plain",
            Metadata={"who": "me"},
        )
        small.cp_file("/odd + %é", "/copy")
        info = fs.info("/copy")
        assert (info["size"], info["ContentType"], info["metadata"]) == (size, "text/plain", {"who": "me"})
        assert fs.cat_file("/copy") == fs.cat_file("/odd + %é")
        assert info["ETag"].strip('"').partition("-")[2] == parts


@pytest.mark.promise("Copying, moving and deleting")
def test_touch_renews_the_time_and_keeps_the_rest(fs: RegistryS3FileSystem) -> None:
    """`touch(truncate=False)` renews the time and keeps the rest. `touch` with `truncate` empties the file."""
    fs.bucket.client.put_object(Bucket=fs.parameters.bucket, Key="registry/f", Body=b"x", Metadata={"who": "me"})
    before, deadline = fs.modified("/f"), time.monotonic() + 10
    while fs.modified("/f") == before:  # S3 tells times in seconds
        assert time.monotonic() < deadline
        fs.touch("/f", truncate=False)
    assert fs.cat_file("/f") == b"x"
    assert fs.info("/f")["metadata"] == {"who": "me"}
    fs.touch("/f")
    assert fs.cat_file("/f") == b""
    fs.touch("/new", truncate=False)
    assert fs.cat_file("/new") == b""


@pytest.mark.promise("Copying, moving and deleting")
@on_both
def test_mv_takes_one_key_and_not_what_is_below_it(fs: RegistryS3FileSystem) -> None:
    """`mv` and `rm` without `recursive` take one key: of an object `a` beside `a/b`, only `a`."""
    fs.pipe({"/a": b"1", "/a/b": b"2"})
    fs.mv("/a", "/c")
    assert fs.cat(["/a/b", "/c"]) == {"/a/b": b"2", "/c": b"1"}
    assert not fs.isfile("/a")


@on_both
def test_mv_of_a_tree_takes_all_of_it(fs: RegistryS3FileSystem) -> None:
    """Recursive; without it a directory is refused, and nothing moves."""
    fs.pipe({f"/tree/{n}/x": bytes([n]) for n in range(20)})
    with pytest.raises(IsADirectoryError):
        fs.mv("/tree", "/moved")
    assert len(fs.find("/tree")) == 20
    fs.mv("/tree", "/moved", recursive=True)
    assert fs.find("/") == sorted(f"/moved/{n}/x" for n in range(20))


@pytest.mark.promise("Copying, moving and deleting")
@on_both
def test_mv_takes_the_keys_that_stand_for_directories_along(fs: RegistryS3FileSystem) -> None:
    """`mv` of a tree takes its directory markers along.

    Nothing is left at the source. An empty directory moves too, alone or in a tree. Copies need no markers.
    """
    for key in ("tree/", "tree/empty/", "tree/full/", "alone/", "sibling/"):
        fs.bucket.put("registry/" + key, b"")
    fs.pipe_file("/tree/full/x", b"1")
    fs.copy("/tree", "/copied", recursive=True)
    assert fs.find("/copied", withdirs=True) == ["/copied", "/copied/full", "/copied/full/x"]
    fs.mv("/tree", "/moved", recursive=True)
    fs.mv("/alone", "/moved/alone", recursive=True)
    assert not fs.exists("/tree")
    assert not fs.exists("/alone")
    assert [item.key for page in fs.bucket.list("registry/moved") for item in page.objects] == [
        f"registry/moved/{key}" for key in ("", "alone/", "empty/", "full/", "full/x")
    ]
    fs.mv("/moved", "/moved", recursive=True)
    fs.mv("/moved", "/moved/deeper", recursive=True)
    assert fs.cat_file("/moved/deeper/full/x") == b"1"
    assert fs.isdir("/moved/deeper/alone")
    assert fs.ls("/moved", detail=False) == ["/moved/deeper"]
    assert fs.isdir("/sibling")


@on_both
@pytest.mark.parametrize("sequence", [list, tuple])
def test_sources_and_targets_pair_in_the_order_given(fs: RegistryS3FileSystem, tmp_path: Any, sequence: Any) -> None:
    """A list or, as fsspec's rsync hands in, a tuple; a name that looks like a pattern is a name."""
    sources, targets = sequence(["/s/b", "/s/a[1]", "/s/a1"]), sequence(["/t/b", "/t/a[1]", "/t/a1"])
    fs.pipe({name: name.encode() for name in sources})
    fs.copy(sources, targets)
    assert fs.cat("/t", recursive=True) == {f"/t/{name}": f"/s/{name}".encode() for name in ("a1", "a[1]", "b")}
    local = sequence([str(tmp_path / name) for name in ("b", "a[1]", "a1")])
    fs.get(sources, local)
    fs.put(local, sequence(["/up/b", "/up/a[1]", "/up/a1"]))
    assert fs.cat("/up", recursive=True) == {f"/up/{name}": f"/s/{name}".encode() for name in ("a1", "a[1]", "b")}
    fs.mv(sources, sequence(["/moved/b", "/moved/a[1]", "/moved/a1"]))
    assert fs.find("/s") == []
    assert fs.cat_file("/moved/b") == b"/s/b"


@pytest.mark.promise("Copying, moving and deleting")
@on_both
def test_mv_onto_itself_changes_nothing(fs: RegistryS3FileSystem) -> None:
    """`mv` of a file onto itself changes nothing.

    Each spelling of the path is tried.
    """
    fs.pipe_file("/a", b"1")
    fs.mv("/a", "a")
    fs.mv("a", fs.unstrip_protocol("/a"))
    assert fs.cat_file("/a") == b"1"


@pytest.mark.promise("Copying, moving and deleting")
@on_both
@pytest.mark.parametrize("call", ["copy", "mv"])
def test_what_would_overwrite_a_file_still_to_be_read_is_refused(fs: RegistryS3FileSystem, call: str) -> None:
    """A call that would overwrite a file which it still has to read is refused before it begins: a tree into itself, a
    swap, two sources to one target.
    """
    before = {"/a": b"1", "/a/b": b"2", "/c/a": b"3"}
    fs.pipe(before)
    move = getattr(fs, call)
    for arguments, options in (
        (("/a", "/a/b"), {"recursive": True}),
        ((["/a", "/c/a"], ["/c/a", "/a"]), {}),
        ((["/a", "/c/a"], "/d/"), {}),
    ):
        with pytest.raises(OSError) as refused:  # noqa: PT011  # the errno tells
            move(*arguments, **options)
        assert refused.value.errno == errno.EINVAL
    assert fs.cat("/", recursive=True) == before
    move("/c", "/c/c/x", recursive=True)
    assert fs.cat_file("/c/c/x/a") == b"3"


@pytest.mark.promise("Copying, moving and deleting")
@on_both
def test_a_source_is_not_deleted_when_its_copy_failed(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`mv` keeps the source where the copy failed."""

    def fail(*args: Any) -> None:
        raise OSError(5, "no copy", "/a")

    fs.pipe_file("/a", b"1")
    monkeypatch.setattr(fs.bucket, "copy", fail)
    with pytest.raises(OSError, match="no copy"):
        fs.mv("/a", "/b")
    assert fs.cat_file("/a") == b"1"


@on_both
def test_rm_takes_what_was_named(fs: RegistryS3FileSystem) -> None:
    """One key; a list; a pattern; a tree."""
    fs.pipe(dict.fromkeys(("/a", "/a/b", "/l/1", "/l/2", "/l/3", "/g/x1", "/g/x2", "/g/y"), b""))
    fs.rm("/a")
    assert fs.find("/a") == ["/a/b"]
    fs.rm(["/l/1", "/l/2"])
    fs.rm("/g/x*")
    assert fs.find("/") == ["/a/b", "/g/y", "/l/3"]
    fs.rm("/l", recursive=True)
    fs.rm_file("/g/y")
    assert fs.find("/") == ["/a/b"]


@on_both
def test_rm_of_nothing_and_of_a_directory_are_errors(fs: RegistryS3FileSystem) -> None:
    """S3 itself would say nothing."""
    fs.pipe_file("/d/a", b"")
    for call in (fs.rm, fs.rm_file, lambda path: fs.rm(path, recursive=True)):
        with pytest.raises(FileNotFoundError):
            call("/nothing")
    with pytest.raises(IsADirectoryError):
        fs.rm("/d")
    with pytest.raises(FileNotFoundError):
        fs.rm("/d/*.csv")
    assert fs.find("/") == ["/d/a"]


@pytest.mark.promise("Copying, moving and deleting")
@on_both
def test_every_key_that_could_not_be_deleted_is_named(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rm` names every key that could not be deleted, and deletes all others."""
    fs.pipe({f"/m/{n}": b"" for n in range(5)})
    delete = fs.bucket.delete_many

    def partly(keys: list[str]) -> dict[str, Exception]:
        kept = [key for key in keys if key.endswith(("1", "3"))]
        return {
            **delete([key for key in keys if key not in kept]),
            **{key: PermissionError(13, "kept") for key in kept},
        }

    monkeypatch.setattr(fs.bucket, "delete_many", partly)
    with pytest.raises(BulkError) as failed:
        fs.rm("/m", recursive=True)
    assert failed.value.errors.keys() == {"/m/1", "/m/3"}
    assert fs.find("/") == ["/m/1", "/m/3"]


@pytest.mark.promise("Copying, moving and deleting")
@on_both
def test_keys_for_which_s3_was_busy_are_deleted_after_all(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rm` asks again for keys with which S3 was busy or failed.

    boto3 repeats requests that fail, but not single keys of a request. A key that is busy each time is named.
    """
    fs.pipe({f"/m/{n}": b"" for n in range(5)})
    delete, asked = fs.bucket.delete_many, list[list[str]]()

    def busy(keys: list[str]) -> dict[str, Exception]:
        asked.append(keys)
        kept = [key for key in keys if key.endswith("1") or (key.endswith("3") and len(asked) < 3)]
        deleted = [key for key in keys if key not in kept]
        failed = from_code("SlowDown", "", "/m")
        return {**(delete(deleted) if deleted else {}), **dict.fromkeys(kept, failed)}

    monkeypatch.setattr(fs.bucket, "delete_many", busy)
    monkeypatch.setattr(retry, "LONGEST_PAUSES_S", (0.0, 0.0, 0.0))
    with pytest.raises(BulkError) as failed:
        fs.rm("/m", recursive=True)
    assert failed.value.errors.keys() == {"/m/1"}
    assert fs.find("/") == ["/m/1"]
    assert [len(keys) for keys in asked] == [5, 2, 2, 1]


@pytest.mark.promise("Copying, moving and deleting")
@on_both
def test_directories_are_prefixes(fs: RegistryS3FileSystem) -> None:
    """Directories are prefixes: `mkdir` and `makedirs` write nothing."""
    fs.mkdir("/d")
    fs.makedirs("/d/e", exist_ok=False)
    assert not fs.exists("/d")
    fs.rmdir("/d")
    fs.pipe_file("/d/a", b"")
    fs.makedirs("/d", exist_ok=True)
    with pytest.raises(FileExistsError):
        fs.makedirs("/d")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir("/d")
    with pytest.raises(NotADirectoryError):
        fs.rmdir("/d/a")


@pytest.mark.promise("Copying, moving and deleting")
@on_both
@pytest.mark.parametrize("key", ["a", "/a", "./a", "sub/"])
def test_rmdir_refuses_what_any_key_lies_below(fs: RegistryS3FileSystem, key: str) -> None:
    """`rmdir` of a directory that is not empty is `OSError(ENOTEMPTY)`.

    A key below it that no path can name counts too. The directory's own marker stays.
    """
    fs.bucket.put("registry/d/" + key, b"")
    for _ in range(2):
        with pytest.raises(OSError, match="not empty") as refused:
            fs.rmdir("/d")
        assert (refused.value.errno, refused.value.filename) == (errno.ENOTEMPTY, "/d")
        assert fs.isdir("/d")
        fs.bucket.put("registry/d/", b"")


@pytest.mark.promise("Copying, moving and deleting")
@on_both
def test_get_and_put_of_trees_count_files(fs: RegistryS3FileSystem, tmp_path: Any) -> None:
    """Callbacks count files on recursive `get` and `put`."""
    import fsspec

    for n in range(10):
        (tmp_path / "up" / str(n % 3)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / str(n % 3) / f"{n}").write_bytes(bytes([n]) * n)
    up, down = fsspec.callbacks.Callback(), fsspec.callbacks.Callback()
    fs.put(f"{tmp_path}/up", "/t", recursive=True, callback=up)
    fs.get("/t", f"{tmp_path}/down", recursive=True, callback=down)
    assert (up.size, up.value, down.size, down.value) == (10, 10, 10, 10)
    for n in range(10):
        assert (tmp_path / "down" / str(n % 3) / f"{n}").read_bytes() == bytes([n]) * n


@pytest.mark.parametrize("rootdirectory", ["", "/r"])
def test_a_directory_with_a_marker_moves_to_the_root(rootdirectory: str) -> None:
    """The root is a directory without a marker, which no key could be where there is no `rootdirectory`."""
    below = rootdirectory[1:] + "/" if rootdirectory else ""
    with ScriptedStore({f"{below}a/": b"", f"{below}a/f": b"1"}) as store:
        fs = RegistryS3FileSystem(**store.options(rootdirectory=rootdirectory))
        fs.mv("/a/", "/", recursive=True)
        assert store.contents() == {f"{below}f": b"1"}
