"""`maxdepth` is a number of levels, in whatever call it is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem

CALLS: dict[str, Callable[..., Any]] = {
    "find": lambda fs, local, **how: fs.find("/", **how),
    "walk": lambda fs, local, **how: fs.walk("/", **how),
    "glob": lambda fs, local, **how: fs.glob("/**", **how),
    "du": lambda fs, local, **how: fs.du("/", **how),
    "disk_usage": lambda fs, local, **how: fs.disk_usage("/", **how),
    "expand_path": lambda fs, local, **how: fs.expand_path("/a", **how),
    "copy": lambda fs, local, **how: fs.copy("/a", "/b", **how),
    "cp": lambda fs, local, **how: fs.cp("/a", "/b", **how),
    "mv": lambda fs, local, **how: fs.mv("/a", "/b", **how),
    "rm": lambda fs, local, **how: fs.rm("/a", **how),
    "delete": lambda fs, local, **how: fs.delete("/a", **how),
    "get": lambda fs, local, **how: fs.get("/a", local, **how),
    "put": lambda fs, local, **how: fs.put(local, "/b", **how),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("maxdepth", [0, -1])
def test_no_call_takes_a_depth_below_one(fs: RegistryS3FileSystem, tmp_path: Path, name: str, maxdepth: int) -> None:
    """As fsspec's own: it is an error, whatever else the call was to do, and nothing is done."""
    fs.pipe_file("/a", b"x")
    (tmp_path / "local").write_bytes(b"y")
    with pytest.raises(ValueError, match="maxdepth must be at least 1"):
        CALLS[name](fs, str(tmp_path / "local"), maxdepth=maxdepth)
    assert fs.ls("/", detail=False) == ["/a"]


def test_each_call_with_a_depth_is_among_them() -> None:
    """A method that gains the parameter is asked, too."""
    public = {name: member for name, member in inspect.getmembers(RegistryS3FileSystem) if not name.startswith("_")}
    having = {
        name
        for name, member in public.items()
        if inspect.isfunction(member) and "maxdepth" in inspect.signature(member).parameters
    }
    assert having <= CALLS.keys()
