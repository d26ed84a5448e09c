"""fsspec's documented rules for copies of directories, whatever a directory holds.

They are at https://filesystem-spec.readthedocs.io/en/latest/copying.html.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BulkError
from tests.fakes import on_both
from tests.thoroughly import thorough

pytestmark = on_both

TREES = [["x"], ["d/x"], ["d/x", "d/y", "d/e/z"], ["x", "d/y"], ["x", "y", "d/z"]]
Copy = Callable[[RegistryS3FileSystem, str, str, str, "int | None"], object]

CALLS: dict[str, Copy] = {
    "get": lambda fs, top, source, target, depth: fs.get(
        f"{top}/from/{source}", f"{top}/to/{target}", recursive=True, maxdepth=depth
    ),
    "put": lambda fs, top, source, target, depth: fs.put(
        f"{top}/from/{source}", f"{top}/to/{target}", recursive=True, maxdepth=depth
    ),
    "copy": lambda fs, top, source, target, depth: fs.copy(
        f"{top}/from/{source}", f"{top}/to/{target}", recursive=True, maxdepth=depth
    ),
    "mv": lambda fs, top, source, target, depth: fs.mv(
        f"{top}/from/{source}", f"{top}/to/{target}", recursive=True, maxdepth=depth
    ),
}


@pytest.mark.promise("Copying, moving and deleting")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("maxdepth", [1, *thorough(None, 2)])
@pytest.mark.parametrize("target", ["there", "new/"])
@pytest.mark.parametrize("source", ["s", "s/"])
def test_a_tree_keeps_its_shape_whatever_it_holds(
    fs: RegistryS3FileSystem, tmp_path: Path, source: str, target: str, maxdepth: int | None, call: str
) -> None:
    """A tree that is named keeps its shape where it is copied, whatever it holds, also if that is one file.

    It goes into a directory that exists, or whose name ends in `/`, unless its own name ends in `/`.
    """
    for tree in TREES:
        top = f"{tmp_path}/{'-'.join(tree).replace('/', '_')}"
        files = {f"{top}/from/s/{name}" for name in tree} | {f"{top}/to/there/before"}
        fs.pipe(dict.fromkeys(files, b"1"))
        for name in files:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()
        copied = [name for name in tree if maxdepth is None or name.count("/") < maxdepth]
        with nullcontext() if copied or call != "mv" else pytest.raises(IsADirectoryError):
            CALLS[call](fs, top, source, target, maxdepth)
        goal = f"{top}/to/{target.rstrip('/')}" + ("/s" if source == "s" else "")
        found = LocalFileSystem().find(f"{top}/to") if call == "get" else fs.find(f"{top}/to")
        assert set(found) == {f"{top}/to/there/before", *(f"{goal}/{name}" for name in copied)}, tree


MARKED = ["m/", "m/e/", "m/d/", "m/d/deep/"]


@pytest.mark.promise("Local files")
@pytest.mark.parametrize(
    ("source", "maxdepth", "folders"),
    [
        ("/m/", None, {"d/deep", "e"}),
        ("/m/", 1, set()),
        ("/m/", 2, {"d", "e"}),
        ("/m/e", None, {"."}),
        ("/m/e", 1, {"."}),
        ("/m/*", None, {"d/deep", "e"}),
        (["/m/e"], None, {"e"}),
    ],
)
def test_get_makes_the_folders_of_empty_directories(
    fs: RegistryS3FileSystem, tmp_path: Path, source: str | list[str], maxdepth: int | None, folders: set[str]
) -> None:
    """A recursive `get` makes a local folder of each directory that is empty, down to `maxdepth`."""
    for name in MARKED:
        fs.bucket.put(f"registry/{name}", b"")
    fs.pipe_file("/m/f", b"1")
    fs.get(source, f"{tmp_path}/to/", recursive=True, maxdepth=maxdepth)
    top = tmp_path / "to" / ("e" if source == "/m/e" else "")
    leaves = {path for path in [top, *top.rglob("*")] if path.is_dir() and not list(path.glob("*"))}
    assert leaves == {top / each for each in folders}
    assert (top / "f").exists() == ("e" not in str(source))


@pytest.mark.parametrize("maxdepth", [None, 1])
def test_a_list_makes_no_folder_where_a_file_goes_or_what_is_below_is_cut_off(
    fs: RegistryS3FileSystem, tmp_path: Path, maxdepth: int | None
) -> None:
    """Names of a list are laid side by side, so that an empty directory may meet a file's name."""
    fs.pipe({"/a/x": b"1", "/b/y/f": b"2"})
    fs.bucket.put("registry/q/x/", b"")
    fs.get(["/a", "/q", "/b"], str(tmp_path), recursive=True, maxdepth=maxdepth)
    assert (tmp_path / "x").read_bytes() == b"1"
    assert not (tmp_path / "y").exists()


def test_a_folder_that_cannot_be_made_is_told(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """All others are there."""
    for name in MARKED:
        fs.bucket.put(f"registry/{name}", b"")
    (tmp_path / "e").touch()
    with pytest.raises(BulkError) as told:
        fs.get("/m/", f"{tmp_path}/", recursive=True)
    assert [(path, type(error)) for path, error in told.value.errors.items()] == [("/m/e", FileExistsError)]
    assert (tmp_path / "d" / "deep").is_dir()
