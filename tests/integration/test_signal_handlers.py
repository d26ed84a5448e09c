"""What the handler of a user's signal raises comes out, at whatever point of a call it is raised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.interruptions import interrupted

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # a connection in the making is collected
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
FILES = {f"/{folder}/{name}": b"abc" for folder in "pqr" for name in "xyz"}
CALLS: dict[str, Callable[[RegistryS3FileSystem, Path], object]] = {
    "walk": lambda fs, folder: list(fs.walk("/")),
    "glob": lambda fs, folder: fs.glob("/*/x"),
    "find": lambda fs, folder: fs.find("/"),
    "cat": lambda fs, folder: fs.cat(list(FILES)),
    "cat_file": lambda fs, folder: fs.cat_file("/p/x"),
    "pipe": lambda fs, folder: fs.pipe(FILES),
    "get": lambda fs, folder: fs.get("/", str(folder), recursive=True),
    "info": lambda fs, folder: fs.info("/p"),
}
EACH = 19
"""Of so many points one is tried."""


class TimeLimitError(TimeoutError):
    """What a user's handler of SIGALRM may raise."""


class RefusalError(ValueError):
    """And what another one may."""


@pytest.mark.promise("Processes and threads")
@pytest.mark.parametrize("kind", [TimeLimitError, RefusalError])
@pytest.mark.parametrize("call", CALLS)
def test_what_a_signals_handler_raises_comes_out(
    options: dict[str, Any], tmp_path: Path, call: str, kind: type[Exception]
) -> None:
    """An exception of your own handler of a signal, such as a time limit, is not taken for an error of a request.

    It leaves the call that it interrupts, itself or as the error of one of many files, and the fast path stays open.
    """
    fs = RegistryS3FileSystem(**options)
    fs.pipe(FILES)
    CALLS[call](fs, tmp_path)  # so that what is made once is there
    at = 1
    while interrupted(lambda: CALLS[call](fs, tmp_path), at, kind):
        at += EACH
    assert at > 3 * EACH
    assert fs.bucket.fast_path.is_open("ListObjectsV2")
    assert fs.cat("/", recursive=True) == FILES
