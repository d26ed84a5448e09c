"""`cp`, `get`, `put` and `rm`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.unit.cli.conftest import FILES, Done, Run

Good = Callable[..., Done]


def files_of(folder: Path) -> dict[str, bytes]:
    """Give all files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_get_copies_files_and_directories(
    good: Good, bucket: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a name, into a directory, and into the current one where no target is named."""
    good("get", *bucket, "/top/a/e", tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == FILES["a/e"]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    good("get", *bucket, "/top/a/b/c")
    good("get", *bucket, "/top/f", "/top/a/b/*.json", ".")
    assert files_of(tmp_path / "here") == {"c": b"12345", "f": b"", "d.json": b"{}"}
    good("get", "-r", *bucket, "/top", tmp_path / "copy")
    assert files_of(tmp_path / "copy") == FILES


def test_get_writes_to_standard_output(good: Good, bucket: list[str]) -> None:
    """Where the target is a dash."""
    assert good("get", *bucket, "/top/a/b/c", "-").out == "12345"


def test_put_copies_files_and_directories(good: Good, bucket: list[str], folder: Path, fs: Any) -> None:
    """To a name, into a directory, or several into one."""
    good("put", *bucket, folder / "a/e", "/new/name")
    good("put", *bucket, folder / "a/b/c", folder / "f", "/new/dir")
    good("put", "-r", *bucket, folder, "/new/tree")
    found = fs.cat("/new", recursive=True)
    assert found == {
        "/new/name": FILES["a/e"],
        "/new/dir/c": b"12345",
        "/new/dir/f": b"",
        **{f"/new/tree/{name}": data for name, data in FILES.items()},
    }


def test_put_reads_standard_input(good: Good, bucket: list[str], fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the source is a dash."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    good("put", *bucket, "-", "/new")
    assert fs.cat_file("/new") == b"piped"


def test_cp_copies_within_a_bucket_and_between_filesystems(
    good: Good, bucket: list[str], fs: Any, memory: MemoryFileSystem, tmp_path: Path
) -> None:
    """Wherever both are: in one bucket, on this machine, or in two places elsewhere."""
    good("cp", *bucket, "/top/a/e", "/copy")
    assert fs.cat_file("/copy") == FILES["a/e"]
    good("cp", "-r", *bucket, "registrys3:///top", f"file://{tmp_path}/copy")
    assert files_of(tmp_path / "copy") == FILES
    good("cp", "-r", *bucket, "/top", "memory://copy")
    found = {path: memory.cat_file(path) for path in memory.find("/copy")}
    assert found == {f"/copy/{name}": data for name, data in FILES.items()}
    good("cp", "-r", *bucket, "memory://copy/a", "/back")
    assert fs.cat_file("/back/b/c") == b"12345"


@pytest.mark.parametrize("names", [["x"], ["d/x"], ["x", "d/y"]], ids=repr)
@pytest.mark.parametrize(("source", "goal"), [("memory://s", "/new/s"), ("memory://s/", "/new")])
def test_cp_between_filesystems_keeps_the_shape_of_a_tree(
    good: Good, bucket: list[str], fs: Any, memory: MemoryFileSystem, names: list[str], source: str, goal: str
) -> None:
    """Also of one that has a single file."""
    for name in names:
        memory.pipe(f"/s/{name}", b"1")
    good("cp", "-r", *bucket, source, "/new/")
    assert fs.find("/new") == sorted(f"{goal}/{name}" for name in names)


def test_cp_takes_paths_of_this_machine_where_nothing_names_a_bucket(
    good: Good, memory: MemoryFileSystem, tmp_path: Path
) -> None:
    """As the source or the target of a copy from or to another filesystem."""
    memory.pipe("/x/a", b"one")
    good("cp", "memory://x/a", tmp_path / "copy")
    good("cp", tmp_path / "copy", "memory://y/b")
    assert memory.cat_file("/y/b") == b"one"


@pytest.mark.parametrize("command", ["cp", "get", "put", "rm"])
def test_a_directory_needs_recursive(run: Run, bucket: list[str], folder: Path, tmp_path: Path, command: str) -> None:
    """Else it is status 1, and nothing is done."""
    words = {"put": [folder, "/new"], "rm": ["/top"]}.get(command, ["/top", tmp_path / "new"])
    done = run(command, *bucket, *words)
    assert (done.status, done.out) == (1, "")
    assert "--recursive" in done.err
    assert not (tmp_path / "new").exists()


def test_rm_deletes_nothing_without_yes(good: Good, bucket: list[str], fs: Any) -> None:
    """It lists what would be deleted, and says how to go on."""
    done = good("rm", "-r", *bucket, "/top")
    assert all(f"/top/{name}" in done.out for name in FILES)
    assert f"{len(FILES)} files" in done.out
    assert "--yes" in done.out
    assert len(fs.find("/top")) == len(FILES)


def test_rm_deletes_with_yes(good: Good, bucket: list[str], fs: Any, memory: MemoryFileSystem) -> None:
    """A file, a pattern's matches, a directory."""
    assert good("rm", "--yes", *bucket, "/top/f").lines == ["deleted: 1 file, 0 bytes"]
    assert not fs.exists("/top/f")
    good("rm", "--yes", *bucket, "/top/a/b/*")
    assert not fs.exists("/top/a/b")
    good("rm", "-r", "--yes", *bucket, "/top")
    assert fs.find("/") == []
    memory.pipe({"/x/a": b"", "/x/b": b""})
    good("rm", "--yes", "memory://x/?")
    assert memory.find("/") == []


def test_rm_names_alone_for_programs(good: Good, bucket: list[str]) -> None:
    """As JSON, or quietly."""
    assert good("rm", *bucket, "-q", "/top/f").lines == ["/top/f"]
    assert [row["name"] for row in good("rm", *bucket, "--json", "/top/f").json] == ["/top/f"]


@pytest.mark.parametrize("command", ["cp", "put"])
def test_a_url_of_this_machine_is_a_path_of_it(
    good: Good, monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, command: str
) -> None:
    """The folders of a target are made, as they are where it is a path."""
    good(command, folder / "a/e", f"file://{tmp_path}/new/folder/")
    assert files_of(tmp_path / "new") == {"folder/e": FILES["a/e"]}


class Picky(MemoryFileSystem):
    """It knows no storage parameters."""

    protocol = "picky"

    def __init__(self) -> None:
        super().__init__()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("picky://")))


def test_the_parameters_are_the_buckets(good: Good, bucket: list[str], memory: MemoryFileSystem) -> None:
    """Another filesystem beside it has its own configuration, and may refuse words that it does not know."""
    fsspec.register_implementation("picky", Picky, clobber=True)
    good("cp", *bucket, "/top/a/e", "picky://copy")
    assert memory.cat_file("/copy") == FILES["a/e"]
    memory.rm("/copy")
    good("get", "-o", "region=eu-central-1", *bucket, "registrys3:///top/a/b/c", "-")
    good("ls", *bucket, "registrys3:///top", "picky:///")


def test_parameters_of_another_filesystem_are_its_own(run: Run) -> None:
    """Where no bucket is named, they go where the URL leads."""
    fsspec.register_implementation("picky", Picky, clobber=True)
    assert "unexpected keyword argument 'region'" in run("ls", "-o", "region=eu-central-1", "picky:///").err
