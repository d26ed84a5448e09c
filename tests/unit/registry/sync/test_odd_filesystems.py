"""Registries and layouts go to and come from filesystems that lack something, and folders with any name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry.oci_layout import export_images, import_images
from registry_s3fs.registry.renaming import rename
from registry_s3fs.registry.sync import blobs, sync
from tests.registries import MadeRegistry
from tests.unit.cli.sample import make_sample
from tests.unit.registry.sync.conftest import copied_part, files


class WithoutMv(MemoryFileSystem):
    def mv(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError


class WithoutCopies(MemoryFileSystem):
    def cp_file(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError


class WithoutSizes(MemoryFileSystem):
    """Lists as a web server does."""

    def ls(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return [{**info, "size": None} for info in super().ls(path, *args, **kwargs)]


class SaysNoSize(WithoutSizes):
    """Does not tell a file's size elsewhere, either."""

    def info(self, path: str, **kwargs: Any) -> Any:
        return {**super().info(path, **kwargs), "size": None}


def empty(kind: type[MemoryFileSystem]) -> MemoryFileSystem:
    fs = kind(skip_instance_cache=True)
    fs.store, fs.pseudo_dirs = {}, [""]
    return fs


def on_a_disk(tmp_path: Path) -> AbstractFileSystem:
    return DirFileSystem(path=str(tmp_path), fs=LocalFileSystem())


def in_a_part_of_memory(tmp_path: Path) -> AbstractFileSystem:
    return DirFileSystem(path="/part", fs=empty(MemoryFileSystem))


ODD = (
    *(lambda tmp_path, kind=kind: empty(kind) for kind in (MemoryFileSystem, WithoutMv, WithoutCopies, WithoutSizes)),
    *(on_a_disk, in_a_part_of_memory),
)
Make = Callable[[Path], AbstractFileSystem]


@pytest.fixture
def made(made: MadeRegistry, monkeypatch: pytest.MonkeyPatch) -> MadeRegistry:
    """A registry with large and small blobs, one of them empty."""
    make_sample(made)
    made.layer("team/app", b"")
    monkeypatch.setattr(blobs, "SMALL_BYTES", 4000)
    return made


def contents(fs: AbstractFileSystem, root: str) -> dict[str, bytes]:
    """The files below a root, by their names in it."""
    return {path.partition(f"{root}/")[2]: bytes(fs.cat_file(path)) for path in fs.find(root)}


@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize("name", ["plain", "[a]*", "a?b #"])
def test_a_registry_is_copied_there_and_back(made: MadeRegistry, make: Make, name: str, tmp_path: Path) -> None:
    """Again, nothing is copied, and nothing is left beside the files."""
    fs, root = make(tmp_path), f"/{name}/{layout.ROOT[1:]}"
    sync(made.fs, fs, destination_root=root)
    whole = {path.removeprefix(f"{layout.ROOT}/"): data for path, data in copied_part(made).items()}
    assert contents(fs, root) == whole
    done = sync(made.fs, fs, destination_root=root)
    assert (done.blobs, done.links, done.tags) == (0, 0, [])
    back = empty(MemoryFileSystem)
    sync(fs, back, source_root=root)
    assert files(back) == copied_part(made)


@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize("target", ["/folder", "/[a]*.tar"])
def test_images_are_exported_there_and_imported(made: MadeRegistry, make: Make, target: str, tmp_path: Path) -> None:
    """A folder and a tar; and a registry in such a filesystem."""
    fs = make(tmp_path)
    export_images(made.fs, ["team/app:v1", "team/tools:1.0"], target, target_fs=fs)
    import_images(fs, target, root="/new", source_fs=fs)
    found = {f"{layout.ROOT}/{name}": data for name, data in contents(fs, "/new").items()}
    assert len(found) > 20
    assert found.items() <= copied_part(made).items()


def test_files_whose_size_nobody_tells_are_not_taken_for_empty_ones(made: MadeRegistry) -> None:
    """It is an error that names the first of them."""
    odd = empty(SaysNoSize)
    odd.store = made.fs.store
    with pytest.raises(OSError, match="does not tell the size of the file"):
        sync(odd, empty(MemoryFileSystem))
    with pytest.raises(OSError, match="does not tell the size of the file"):
        export_images(odd, ["team/app:v1"], "/layout", target_fs=empty(MemoryFileSystem))


def test_no_file_is_moved_into_a_folder_of_its_name(tmp_path: Path) -> None:
    """As a disk's own move does."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        rename(LocalFileSystem(), f"{tmp_path}/file", f"{tmp_path}/folder")
    assert not list((tmp_path / "folder").iterdir())


def test_a_rename_that_is_written_leaves_no_part(made: MadeRegistry) -> None:
    """Where the filesystem fails in the middle, there is no target; the source is there."""

    class Failing(WithoutCopies):
        def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
            file = super().open(path, mode, **kwargs)
            if mode == "wb":
                file.write(b"be")
                file.write = None
            return file

    fs = empty(Failing)
    fs.store = dict(made.fs.store)
    [source, *_] = fs.store
    with pytest.raises(TypeError):
        rename(fs, source, "/target")
    assert fs.exists(source)
    assert not fs.exists("/target")
