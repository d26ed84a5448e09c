"""What the handler of a user's signal raises comes out, at whatever point of a call it is raised."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.interruptions import interrupted
from tests.thoroughly import thorough

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no SIGUSR1 on this system"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # a connection in the making is collected
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
FILES = {f"/{folder}/{name}": b"abc" for folder in "pqr" for name in "xyz"}
MISSING = [*FILES, "/missing", "/p"]


def info_of_nothing(fs: RegistryS3FileSystem, folder: Path) -> None:
    with suppress(FileNotFoundError):
        fs.info("/missing")


CALLS: dict[str, Callable[[RegistryS3FileSystem, Path], object]] = {
    "walk": lambda fs, folder: list(fs.walk("/")),
    "glob": lambda fs, folder: fs.glob("/*/x"),
    "find": lambda fs, folder: fs.find("/"),
    "cat": lambda fs, folder: fs.cat(list(FILES)),
    "cat, and omit what fails": lambda fs, folder: fs.cat(MISSING, on_error="omit"),
    "cat_file": lambda fs, folder: fs.cat_file("/p/x"),
    "cat_ranges": lambda fs, folder: fs.cat_ranges(MISSING, 5, 9),
    "pipe": lambda fs, folder: fs.pipe(FILES),
    "get": lambda fs, folder: fs.get("/", str(folder), recursive=True),
    "put": lambda fs, folder: fs.put(f"{folder}/", "/", recursive=True),
    "info": lambda fs, folder: fs.info("/p"),
    "info of nothing": info_of_nothing,
}
LONG = {"cat_ranges", "cat, and omit what fails", "pipe"}
"""Those that take the most time, and are served as `cat` or `put` is."""
EACH = 47
"""Of so many points one is tried."""
OPERATIONS = ("ListObjectsV2", "GetObject", "HeadObject", "PutObject")


class TimeLimitError(TimeoutError):
    """What a user's handler of SIGALRM may raise."""


class RefusalError(ValueError):
    """And what another one may."""


@pytest.mark.promise("Processes and threads")
@pytest.mark.parametrize("kind", [TimeLimitError, *thorough(RefusalError)])
@pytest.mark.parametrize("call", [*(call for call in CALLS if call not in LONG), *thorough(*sorted(LONG))])
def test_what_a_signals_handler_raises_comes_out(
    options: dict[str, Any], tmp_path: Path, call: str, kind: type[Exception]
) -> None:
    """An exception of your own handler of a signal, such as a time limit, leaves the call that it interrupts.

    It is not taken for an error of a request or of a file, and the fast path stays open. (boto3 may still take a
    `TimeoutError` that comes while it sends a request for its own.)
    """
    fs = RegistryS3FileSystem(**options)
    fs.pipe(FILES)
    for name, data in FILES.items():
        (tmp_path / name[1:]).parent.mkdir(exist_ok=True)
        (tmp_path / name[1:]).write_bytes(data)
    CALLS[call](fs, tmp_path)  # so that what is made once is there
    at = 1
    while interrupted(lambda: CALLS[call](fs, tmp_path), at, kind, in_generators=False):
        at += EACH
    assert at > 3 * EACH
    assert [name for name in OPERATIONS if not fs.bucket.fast_path.is_open(name)] == []
    assert fs.cat("/", recursive=True) == FILES
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted("xyz" * 3)
