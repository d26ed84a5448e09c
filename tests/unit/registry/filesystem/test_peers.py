"""The same tree, asked through fsspec's local filesystem, its archives and ours: the answers are the same."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.zip import ZipFileSystem

from registry_s3fs.registry.filesystem import RegistryFileSystem
from tests.registries import MadeRegistry

from . import trees

IMAGE = "team/app:1"
PATHS = [
    "", "a.txt", "empty", "d", "d/b.csv", "d/e", "d/e/c.bin", "none", "d/none", "a.txt/x", "to-file", "to-folder",
    "to-folder/b.csv", "dangling", "circle", "up", "d/e/back/d/b.csv", "hard", "odd [1]*",
    "to-folder/e/c.bin", "dangling/x", "circle/x",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tree with files, folders, and links of every kind that stay inside it."""
    top = tmp_path / "tree"
    (top / "d" / "e").mkdir(parents=True)
    (top / "a.txt").write_bytes(b"0123456789")
    (top / "empty").write_bytes(b"")
    (top / "d" / "b.csv").write_bytes(b"x,y\n1,2\n")
    (top / "d" / "e" / "c.bin").write_bytes(bytes(range(256)) * 20)
    (top / "odd [1]*").write_bytes(b"odd")
    (top / "a.txt").chmod(0o640)
    os.link(top / "a.txt", top / "hard")
    for name, target in (
        ("to-file", "d/b.csv"),
        ("to-folder", "d"),
        ("dangling", "nowhere"),
        ("circle", "circle"),
        ("up", "d/../a.txt"),
    ):
        (top / name).symlink_to(target)
    (top / "d" / "e" / "back").symlink_to("../..")
    return top


@pytest.fixture
def files(folder: Path) -> RegistryFileSystem:
    """The tree as an image of one layer."""
    made = MadeRegistry()
    trees.push_image(made, IMAGE, trees.tar_of(folder))
    return RegistryFileSystem(fs=made.fs, root=made.root)


def answer(call: Callable[[], Any]) -> Any:
    """Give what a call returns, or the kind of its error."""
    try:
        return call()
    except FileNotFoundError:
        return "missing"
    except IsADirectoryError:
        return "a directory"
    except NotADirectoryError:
        return "no directory"
    except OSError as error:
        return error.errno


def told(info: dict[str, Any], top: str) -> dict[str, Any]:
    """Take what both know of a file out of an info, with its path below the top. Folders' sizes differ by disk."""
    same = {name: info[name] for name in ("type", "mode", "uid", "gid", "islink", "destination") if name in info}
    mtime = round(info["mtime"]) if info["name"].strip("/") != top.strip("/") else 0
    size = info["size"] if info["type"] == "file" else 0
    return {**same, "mtime": mtime, "size": size, "name": info["name"].strip("/")[len(top.strip("/")) :].strip("/")}


@pytest.mark.parametrize("path", PATHS)
def test_one_path_is_answered_as_by_the_local_filesystem(files: RegistryFileSystem, folder: Path, path: str) -> None:
    """info, exists, isdir, isfile, ls, cat_file, open and size; the errors are of the same kinds."""
    local = LocalFileSystem()
    here, there = f"{folder}/{path}".rstrip("/"), f"{IMAGE}/{path}".rstrip("/")
    if path:
        found = answer(lambda: told(files.info(there), IMAGE))
        assert found == answer(lambda: told(local.info(here), str(folder)))
    for ask in ("exists", "isdir", "isfile"):
        assert getattr(files, ask)(there) == getattr(local, ask)(here), ask
    assert answer(lambda: files.cat_file(there)) == answer(lambda: local.cat_file(here))
    assert answer(lambda: files.open(there).read()) == answer(lambda: local.open(here).read())
    assert answer(lambda: listed(files, there, IMAGE)) == answer(lambda: listed(local, here, str(folder)))


def listed(fs: AbstractFileSystem, path: str, top: str) -> list[dict[str, Any]]:
    """List a folder, as `told` tells of what is in it."""
    return sorted((told(info, top) for info in fs.ls(path, detail=True)), key=lambda info: str(info["name"]))


@pytest.mark.parametrize("path", ["", "d", "to-folder", "a.txt", "none"])
def test_many_paths_are_found_as_by_the_local_filesystem(files: RegistryFileSystem, folder: Path, path: str) -> None:
    """find, walk and glob: links to folders are not entered, and named by their own path they are."""
    local = LocalFileSystem()
    here, there = f"{folder}/{path}".rstrip("/"), f"{IMAGE}/{path}".rstrip("/")

    def below(names: list[str], top: str) -> list[str]:
        return sorted(name[len(top) :] for name in names)

    for how in ({}, {"maxdepth": 1}, {"withdirs": True}):
        assert below(files.find(there, **how), there) == below(local.find(here, **how), here), how  # type: ignore[arg-type]  # of both kinds
    walked = [(at[len(there) :], sorted(folders), sorted(names)) for at, folders, names in files.walk(there)]
    expected = [(at[len(here) :], sorted(folders), sorted(names)) for at, folders, names in local.walk(here)]
    assert sorted(walked) == sorted(expected)
    for pattern in ("*", "**", "*.csv", "**/*.csv", "[a-d]*", "?"):
        assert below(files.glob(f"{there}/{pattern}"), there) == below(local.glob(f"{here}/{pattern}"), here), pattern


def test_a_whole_tree_is_copied(files: RegistryFileSystem, folder: Path, tmp_path: Path) -> None:
    """Links to files are written as the files. Links to folders and to nowhere are left out."""
    files.get(IMAGE, f"{tmp_path}/copy", recursive=True)
    written = {each.relative_to(tmp_path / "copy").as_posix() for each in (tmp_path / "copy").rglob("*")}
    good = {"a.txt", "empty", "d", "d/b.csv", "d/e", "d/e/c.bin", "odd [1]*", "hard", "to-file", "up"}
    assert written == good
    for name in good - {"d", "d/e"}:
        assert (tmp_path / "copy" / name).read_bytes() == (folder / name).read_bytes()
        assert not (tmp_path / "copy" / name).is_symlink()
    files.get(f"{IMAGE}/to-folder", f"{tmp_path}/linked", recursive=True)
    assert (tmp_path / "linked" / "e" / "c.bin").read_bytes() == (folder / "d/e/c.bin").read_bytes()


def test_an_artifact_answers_as_an_archive_does(tmp_path: Path) -> None:
    """find, ls, info, cat and open of the same files in a zip."""
    top = tmp_path / "tree"
    (top / "d" / "e").mkdir(parents=True)
    for name in ("a.txt", "d/b.csv", "d/e/c.bin"):
        (top / name).write_bytes(name.encode() * 100)
    made = MadeRegistry()
    trees.push_titles(made, "team/data:1", top)
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zipped:
        for name in ("a.txt", "d/b.csv", "d/e/c.bin"):
            zipped.write(top / name, name)
    archive = ZipFileSystem(f"{tmp_path}/x.zip")
    try:
        for path in ("", "a.txt", "d", "d/b.csv", "d/e", "none", "d/none"):
            there = f"team/data:1/{path}".rstrip("/")
            for ask in ("exists", "isdir", "isfile"):
                assert getattr(files, ask)(there) == getattr(archive, ask)(path), (ask, path)
        for path in ("", "d", "d/e"):
            names = [f"team/data:1/{name.rstrip('/')}" for name in archive.ls(path, detail=False)]
            assert files.ls(f"team/data:1/{path}", detail=False) == names
        assert files.find("team/data:1") == [f"team/data:1/{name}" for name in archive.find("")]
        for name in archive.find(""):
            assert files.cat_file(f"team/data:1/{name}", 3, -2) == archive.cat_file(name, 3, -2)
            assert files.size(f"team/data:1/{name}") == archive.size(name)
    finally:
        archive.close()


def test_devices_have_their_numbers_and_no_bytes() -> None:
    """A device and a fifo are of the type ``other``; a hard link has the bytes of its target."""
    made = MadeRegistry()
    layer = trees.tar(
        [
            trees.special("dev/sda", tarfile.BLKTYPE, device=(8, 1), mode=0o660),
            trees.special("dev/null", tarfile.CHRTYPE, device=(1, 3)),
            trees.special("run/pipe", tarfile.FIFOTYPE),
            ("bin/su", b"binary"),
            trees.special("bin/sudo", tarfile.LNKTYPE, "bin/su"),
            trees.special("tmp", tarfile.DIRTYPE, mode=0o1777),
        ]
    )  # fmt: skip
    trees.push_image(made, IMAGE, layer)
    files = RegistryFileSystem(fs=made.fs, root=made.root)
    infos = {path: files.info(f"{IMAGE}/{path}") for path in ("dev/sda", "dev/null", "run/pipe", "bin/sudo", "tmp")}
    assert {path: (info["type"], info["kind"], oct(int(str(info["mode"])))) for path, info in infos.items()} == {
        "dev/sda": ("other", "block_device", "0o60660"),
        "dev/null": ("other", "character_device", "0o20644"),
        "run/pipe": ("other", "fifo", "0o10644"),
        "bin/sudo": ("file", "hardlink", "0o100644"),
        "tmp": ("directory", "directory", "0o41777"),
    }
    assert (infos["dev/sda"]["device"], infos["dev/null"]["device"]) == ((8, 1), (1, 3))
    assert files.cat_file(f"{IMAGE}/bin/sudo") == b"binary"
    for path in ("dev/sda", "run/pipe"):
        with pytest.raises(OSError, match="has no bytes to read"):
            files.open(f"{IMAGE}/{path}")
    assert files.cat(IMAGE, recursive=True) == {f"{IMAGE}/bin/su": b"binary", f"{IMAGE}/bin/sudo": b"binary"}
