"""Progress on standard error: only on a terminal, and only where rich is installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsspec.callbacks import Callback

Told = Callable[[str, int, int | None], None]
"""Is told what is going on, how much of it is done, and how much there is, where that is known."""


def is_shown(arguments: argparse.Namespace) -> bool:
    """Return whether there is somebody to see progress, and something to show it with."""
    return not arguments.quiet and sys.stderr.isatty() and find_spec("rich") is not None


@contextmanager
def of_transfer(arguments: argparse.Namespace, text: str) -> Iterator[Callback]:
    """Give a callback for fsspec's `get` and `put`, which shows files and bytes."""
    from fsspec.callbacks import NoOpCallback

    if not is_shown(arguments):
        yield NoOpCallback()
        return
    from registry_s3fs.cli import progress_bars

    with progress_bars.transfer(text) as callback:
        yield callback


@contextmanager
def of_steps(arguments: argparse.Namespace) -> Iterator[Told]:
    """Give a function that is told how far a step of the work has come."""
    if not is_shown(arguments):
        yield lambda text, done, total: None
        return
    from registry_s3fs.cli import progress_bars

    with progress_bars.steps() as told:
        yield told
