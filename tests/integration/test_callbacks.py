"""What calls owe to the callbacks that they are given: branches that end, errors that reach the caller, sizes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.callbacks import Callback

from registry_s3fs import RegistryS3FileSystem
from tests.fakes import on_both

MIB = 1024 * 1024
GIVE_UP_S = 10
NAMES = "abcdefghi"
Call = Callable[[RegistryS3FileSystem, Path, Callback], None]

ONE: dict[str, Call] = {
    "get_file": lambda fs, local, callback: fs.get_file("/t/a", local / "new", callback=callback),
    "get": lambda fs, local, callback: fs.get("/t/a", local / "new", callback=callback),
    "put_file": lambda fs, local, callback: fs.put_file(local / "t" / "a", "/new", callback=callback),
    "put": lambda fs, local, callback: fs.put(local / "t" / "a", "/new", callback=callback),
}
MANY: dict[str, Call] = {
    "get many": lambda fs, local, callback: fs.get("/t/", local / "new/", recursive=True, callback=callback),
    "put many": lambda fs, local, callback: fs.put(local / "t", "/new", recursive=True, callback=callback),
    "put many new": lambda fs, local, callback: fs.put(
        local / "t", "/new", recursive=True, callback=callback, mode="create"
    ),
}


class Branch(Callback):
    """Raises an error when bytes have come, and knows whether it was closed."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.is_closed = False
        self._error = error

    def relative_update(self, inc: int = 1) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.is_closed = True


class Root(Branch):
    """Has branches that raise its error."""

    def __init__(self, error: BaseException | None = None, *, counts_bytes: bool = False) -> None:
        super().__init__(error if counts_bytes else None)
        self.branches: list[Branch] = []
        self._of_branches = error

    def branched(self, path_1: str, path_2: str, **kwargs: Any) -> Callback:
        self.branches.append(Branch(self._of_branches))
        return self.branches[-1]


@pytest.fixture(params=[1, 2 * MIB], ids=["small", "middling"])
def trees(request: pytest.FixtureRequest, fs: RegistryS3FileSystem, tmp_path: Path) -> Path:
    """Files of one size in the bucket, and the same in a folder."""
    (tmp_path / "t").mkdir()
    for name in NAMES:
        (tmp_path / "t" / name).write_bytes(bytes(request.param))
    fs.pipe({f"/t/{name}": bytes(request.param) for name in NAMES})
    return tmp_path


@on_both
@pytest.mark.parametrize("call", [*ONE.values(), *MANY.values()], ids=[*ONE, *MANY])
def test_the_callers_callback_stays_open(fs: RegistryS3FileSystem, trees: Path, call: Call) -> None:
    """It may serve several calls. The branches that a call asks for are the call's to close."""
    root = Root()
    call(fs, trees, root)
    assert not root.is_closed
    assert [branch.is_closed for branch in root.branches] == [True] * (len(NAMES) if call in MANY.values() else 0)


@on_both
@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("call", MANY.values(), ids=MANY)
def test_every_branch_is_closed_when_a_call_ends_by_an_error(
    fs: RegistryS3FileSystem, trees: Path, call: Call, error: BaseException
) -> None:
    """A progress bar that stays open spoils the terminal. Threads of the pool end after the call that Ctrl-C ends."""
    root = Root(error)
    with pytest.raises(type(error)):
        call(fs, trees, root)
    give_up = time.monotonic() + GIVE_UP_S
    while not all(branch.is_closed for branch in root.branches) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert {branch.is_closed for branch in root.branches} == {True}


@pytest.mark.promise("Errors")
@on_both
@pytest.mark.parametrize("call", [*ONE.values(), *MANY.values()], ids=[*ONE, *MANY])
def test_an_error_of_a_callback_is_raised_as_it_is(fs: RegistryS3FileSystem, trees: Path, call: Call) -> None:
    """An error of a callback that is no `OSError` or `ValueError` ends the call, and is raised as it is."""
    error = RuntimeError("mine")
    with pytest.raises(RuntimeError) as raised:
        call(fs, trees, Root(error, counts_bytes=call in ONE.values()))
    assert raised.value is error


@on_both
@pytest.mark.parametrize("call", ONE.values(), ids=ONE)
def test_an_empty_file_has_a_size(fs: RegistryS3FileSystem, tmp_path: Path, call: Call) -> None:
    """The size is 0. A size of None means that nobody knows it."""
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a").touch()
    fs.pipe_file("/t/a", b"")
    callback = Callback()
    call(fs, tmp_path, callback)
    assert (callback.size, callback.value) == (0, 0)
