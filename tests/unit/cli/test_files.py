"""`ls`, `find`, `cat` and `stat`."""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.registries import MadeRegistry
from tests.unit.cli.conftest import FILES, Done, Run
from tests.unit.registry.filesystem import trees

Good = Callable[..., Done]


def test_ls_shows_what_lies_in_a_directory(good: Good, folder: Path) -> None:
    """Sizes, times and names, a slash behind directories; for programs all that a listing tells."""
    lines = good("ls", f"file://{folder}").lines
    assert [line.split()[-1] for line in lines] == [f"{folder}/a/", f"{folder}/f"]
    assert lines[1].split()[0] == "0"
    rows = good("ls", "--json", f"file://{folder}/a").json
    assert {row["name"]: (row["type"], row["size"]) for row in rows} == {
        f"{folder}/a/b": ("directory", None),
        f"{folder}/a/e": ("file", 3000),
        f"{folder}/a/with space": ("file", 1),
    }
    assert all(row["modified"].endswith("Z") for row in rows if row["type"] == "file")


def test_ls_of_a_bucket(good: Good, bucket: list[str]) -> None:
    """A path in the bucket that the options name, or a URL."""
    assert [line.split()[-1] for line in good("ls", *bucket, "/top").lines] == ["/top/a/", "/top/f"]
    assert good("ls", *bucket, "-q", "registrys3:///top/a/b").lines == ["/top/a/b/c", "/top/a/b/d.json"]
    (row,) = good("ls", *bucket, "--json", "/top/f").json
    assert (row["size"], row["storage_class"], row["type"]) == (0, "STANDARD", "file")


def test_sizes_in_units(good: Good, folder: Path) -> None:
    """With -h, wherever the output goes."""
    assert good("ls", "-h", f"file://{folder}/a/e").out.startswith("2.9 KiB")
    assert good("ls", f"file://{folder}/a/e").out.startswith("3000 ")


def test_a_pattern_means_its_matches(good: Good, folder: Path, bucket: list[str]) -> None:
    """In any filesystem."""
    assert good("ls", "-q", f"file://{folder}/a/b/*").lines == [f"{folder}/a/b/c", f"{folder}/a/b/d.json"]
    assert good("find", *bucket, "/top/a/?").lines == ["/top/a/b/c", "/top/a/b/d.json", "/top/a/e"]
    assert good("cat", *bucket, "/top/a/b/*").out == "12345{}"


@pytest.mark.parametrize("command", ["ls", "find", "cat", "stat", "du", "rm", "rm -r", "get", "get -r"])
@pytest.mark.parametrize("path", ["/nothing", "/top/nothing/*"])
def test_what_is_missing_is_status_1(
    run: Run, bucket: list[str], memory: MemoryFileSystem, command: str, path: str
) -> None:
    """In every command, of a path and of a pattern, in a bucket and elsewhere, with a sentence that names it."""
    for words in ([*bucket, path], [f"memory://{path}"]):
        done = run(*command.split(), *words)
        assert (done.status, done.out) == (1, "")
        assert path in done.err


def test_find_lists_all_files(good: Good, bucket: list[str], folder: Path) -> None:
    """In the order of their keys, by name alone or with sizes."""
    names = sorted(f"/top/{name}" for name in FILES)
    assert good("find", *bucket, "/top").lines == names
    assert good("find", *bucket, "/top", "--limit", 2).lines == names[:2]
    assert good("find", *bucket, "/top", "--print0").out == "".join(f"{name}\0" for name in names)
    assert good("find", *bucket, "/top", "--sort", "size").lines[0] == "/top/a/e"
    assert [row["size"] for row in good("find", *bucket, "/top/a/b", "--json").json] == [5, 2]
    assert sorted(good("find", f"file://{folder}").lines) == sorted(f"{folder}/{name}" for name in FILES)
    assert good("find", f"file://{folder}/f").lines == [f"{folder}/f"]


def test_find_takes_what_matches(good: Good, bucket: list[str]) -> None:
    """By name, type, size and depth."""
    assert good("find", *bucket, "/top", "--name", "*.json").lines == ["/top/a/b/d.json"]
    assert good("find", *bucket, "/top", "--type", "d").lines == ["/top", "/top/a", "/top/a/b"]
    assert good("find", *bucket, "/top", "--larger-than", "2K").lines == ["/top/a/e"]
    assert good("find", *bucket, "/top", "--max-depth", 1).lines == ["/top/f"]


def test_find_takes_files_by_age(good: Good, folder: Path) -> None:
    """Older or newer than a duration."""
    old = time.time() - 100 * 86400
    os.utime(folder / "f", (old, old))
    assert good("find", f"file://{folder}", "--older-than", "90d").lines == [f"{folder}/f"]
    assert f"{folder}/f" not in good("find", f"file://{folder}", "--newer-than", "90d").lines


def test_an_empty_directory_is_not_missing(good: Good, tmp_path: Path) -> None:
    """It has nothing in it, and that is all."""
    assert good("find", f"file://{tmp_path}").out == good("ls", f"file://{tmp_path}").out == ""


def test_stat_tells_all_that_is_known(good: Good, bucket: list[str]) -> None:
    """Of a file what a HEAD tells, and of a directory that it is one."""
    lines = dict(line.split(maxsplit=1) for line in good("stat", *bucket, "/top/a/e").lines)
    assert {"name:": "/top/a/e", "size:": "3000", "type:": "file"}.items() <= lines.items()
    (row,) = good("stat", *bucket, "/top/a/e", "--json").json
    assert row["content_type"] == "application/octet-stream"
    assert good("stat", *bucket, "/top/a", "--json").json[0]["type"] == "directory"


def test_stat_tells_what_images_and_artifacts_tell(good: Good, memory: MemoryFileSystem) -> None:
    """Digest and media type of a blob with a title, mode and target of a link, and no time that there cannot be."""
    made = MadeRegistry(memory)
    pushed = made.artifact("team/data", "v1", {"a.bin": b"abc"})
    late = tarfile.TarInfo("late")
    late.mtime = 10**18
    trees.push_image(made, "team/app:v1", trees.tar([late, trees.link("link", "late")]))
    (row,) = good("stat", "registryfile://team/data:v1/a.bin::memory://", "--json").json
    assert row["digest"] == made.digest(b"abc")
    assert row["media_type"] == pushed.layers[0].media_type
    (row,) = good("stat", "registryfile://team/app:v1/link::memory://", "--json").json
    assert (row["mode"], row["destination"], row["modified"]) == ("-rw-r--r--", "late", None)


@pytest.mark.parametrize(
    ("mode", "shown"),
    [(0o644, "-rw-r--r--"), (0o100755, "-rwxr-xr-x"), ("100644", "100644"), (-1, "-1"), (2**40, str(2**40))],
)
def test_stat_takes_a_mode_as_its_filesystem_tells_it(
    good: Good, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, mode: object, shown: str
) -> None:
    """Those of archives lack the type, git's and GitHub's are texts, and some are none of a file."""
    memory.pipe("/f", b"x")
    told = memory.info("/f")
    monkeypatch.setattr(MemoryFileSystem, "info", lambda self, path, **kwargs: {**told, "mode": mode})
    assert str(good("stat", "memory://f", "--json").json[0]["mode"]) == shown
    assert f"mode:          {shown}" in good("stat", "memory://f").lines


def test_names_cannot_command_the_terminal(good: Good, fs: object, bucket: list[str]) -> None:
    """An escape sequence in a key is shown, and not obeyed; JSON has the name itself."""
    name = "/odd/\x1b[2J\x9b31m\u202etxt.exe"
    fs.pipe(name, b"")  # type: ignore[attr-defined]  # the filesystem of the fixture
    for words in (
        ["ls"],
        ["ls", "-q"],
        ["find"],
        ["find", "-l"],
        ["ls", "--format", "tree"],
        ["du", "--max-depth", "9"],
    ):
        out = good(*words, *bucket, "/odd").out
        assert out.replace("\n", "").isprintable(), words
    assert good("ls", "--json", *bucket, "/odd").json[0]["name"] == name


def test_a_link_to_nothing_is_told_as_it_is_listed(good: Good, folder: Path) -> None:
    """fsspec's local filesystem lists it, and fails to tell of it alone. The others of a pattern are shown."""
    (folder / "link").symlink_to("nowhere")
    told = {row["name"]: row for row in good("stat", f"file://{folder}/*", "--json").json}
    assert told[f"{folder}/link"]["destination"] == "nowhere"
    assert told[f"{folder}/f"]["size"] == 0


@pytest.mark.parametrize("missing", [("type",), ("size",), ("type", "size")])
def test_what_a_filesystem_leaves_out_is_unknown(
    good: Good, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
) -> None:
    """Infos without a type are taken for files', and those without a size have none."""
    memory.pipe("/d/f", b"abc")
    whole = MemoryFileSystem.info

    def info(self: MemoryFileSystem, path: str, **kwargs: object) -> dict[str, object]:
        return {name: value for name, value in whole(self, path, **kwargs).items() if name not in missing}

    def ls(self: MemoryFileSystem, path: str, detail: bool = True, **kwargs: object) -> list[object]:
        return [info(self, "/d/f")] if detail else ["/d/f"]

    monkeypatch.setattr(MemoryFileSystem, "ls", ls)
    monkeypatch.setattr(MemoryFileSystem, "find", lambda self, path, **kwargs: {"/d/f": info(self, "/d/f")})
    monkeypatch.setattr(MemoryFileSystem, "info", info)
    size = None if "size" in missing else 3
    for words in (["ls", "memory:///d"], ["find", "memory:///d"], ["stat", "memory:///d/f"], ["rm", "memory:///d/f"]):
        (row,) = good(*words, "--json").json
        assert (row["name"], row["type"], row["size"]) == ("/d/f", "file", size)
    assert good("du", "memory:///d", "--json").json[0]["size"] == (size or 0)


def test_a_link_to_nothing_is_told_by_its_own_name(good: Good, folder: Path) -> None:
    """As what it is, and it can be deleted."""
    (folder / "link").symlink_to("nowhere")
    (row,) = good("stat", f"file://{folder}/link", "--json").json
    assert row["destination"] == "nowhere"
    good("rm", f"file://{folder}/link", "--yes")
    assert not (folder / "link").is_symlink()


@pytest.mark.parametrize("told", [{"last_modified": "2026-01-01T00:00:00Z"}, {"mtime": 1767225600}])
def test_the_time_of_a_file_has_many_names(
    good: Good, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, told: dict[str, object]
) -> None:
    """Each filesystem has its own, and age is reckoned from any."""
    memory.pipe("/d/f", b"abc")
    monkeypatch.setattr(
        MemoryFileSystem,
        "find",
        lambda self, path, **kwargs: {"/d/f": {"name": "/d/f", "size": 3, "type": "file", **told}},
    )
    (row,) = good("find", "memory:///d", "--older-than", "1d", "--json").json
    assert row["modified"].startswith("2026-01-01T00:00:00")


def test_a_tree_of_a_very_deep_path(good: Good, memory: MemoryFileSystem) -> None:
    """A key may have five hundred levels; the deepest are in one line."""
    memory.pipe("/" + "a/" * 510 + "f", b"1")
    lines = good("find", "memory://", "--format", "tree").lines
    assert lines[-1].strip().endswith("a/a/a/f  size 1, modified " + lines[-1].rpartition("modified ")[2])
