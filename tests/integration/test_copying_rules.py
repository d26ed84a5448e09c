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
from tests.fakes import on_both

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
@pytest.mark.parametrize("maxdepth", [None, 1, 2])
@pytest.mark.parametrize("target", ["there", "new/"])
@pytest.mark.parametrize("source", ["s", "s/"])
def test_a_tree_keeps_its_shape_whatever_it_holds(
    fs: RegistryS3FileSystem, tmp_path: Path, source: str, target: str, maxdepth: int | None, call: str
) -> None:
    """A tree keeps its shape where it is copied, whatever it holds, also if that is one file.

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
