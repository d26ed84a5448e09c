"""Ctrl-C at every line of what has connections and local files: nothing is kept that nobody uses."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import registry_s3fs
from registry_s3fs import RegistryS3FileSystem
from testbed.scripted_store import ScriptedStore

HERE = Path(registry_s3fs.__file__).parent
FILES = frozenset(
    str(HERE / name) for name in ("s3/fast_path/engine.py", "s3/fast_path/connection.py", "transfer/local_target.py")
)
# A connection that only the interrupted frame knew is closed when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def fs() -> Iterator[RegistryS3FileSystem]:
    """A filesystem on a store of known contents, whose connections are open."""
    with ScriptedStore({"a": b"x" * 100}) as store:
        options = store.options(config_kwargs={})  # where a request may be tried once only, the fast path is closed
        found = RegistryS3FileSystem(**options, skip_instance_cache=True)
        found.cat_file("/a")
        assert found.bucket.fast_path.connections.idle
        yield found


def interrupted(act: Callable[[], object], at: int) -> bool:
    """Carry out with Ctrl-C before this one of the lines; gives whether it came to that."""
    left = at

    def in_its_own_place() -> Iterator[None]:
        """Carry out where CPython's stack of handled exceptions ends with this generator.

        Where a line of a handler is traced and the tracer raises, CPython 3.11 holds the handled exception for handled
        still, for good; what its frames know would be collected in the middle of other tests.
        """
        with suppress(KeyboardInterrupt):
            act()
        yield

    def line(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return line

    sys.settrace(lambda frame, event, arg: line if frame.f_code.co_filename in FILES else None)
    try:
        next(in_its_own_place())
    finally:
        sys.settrace(None)
    return left <= 0


CALLS: dict[str, Callable[[RegistryS3FileSystem, Path], object]] = {
    "cat_file": lambda fs, folder: fs.cat_file("/a"),
    "get_file": lambda fs, folder: fs.get_file("/a", folder / "a"),
    "pipe": lambda fs, folder: fs.pipe({"/b": b"1", "/c": b"2"}),
}


@pytest.mark.parametrize("connections", ["open", "new"])
@pytest.mark.parametrize("call", CALLS)
def test_no_connection_is_lost_and_no_file_left(
    fs: RegistryS3FileSystem, tmp_path: Path, call: str, connections: str
) -> None:
    """None counts as used for ever, which would end in one request at a time; and no partial file stays."""
    kept = fs.bucket.fast_path.connections
    at = 1
    while True:
        if connections == "new":
            while kept.idle:
                kept.idle.pop().close()
        if not interrupted(lambda: CALLS[call](fs, tmp_path), at):
            break
        if kept.used:  # one that only the interrupted frames knew
            gc.collect()
        assert not list(kept.used), at
        assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")], at
        at += 1
    assert at > 30
    assert fs.cat_file("/a") == b"x" * 100
