"""Progress as rich draws it. Imported only where it is shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fsspec.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from registry_s3fs.model.text import printable, size_text


def _bars() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=30))
    told = TextColumn("{task.fields[told]}", markup=False)
    return Progress(*columns, told, TimeElapsedColumn(), console=Console(stderr=True), transient=True)


@contextmanager
def transfer(text: str) -> Iterator[Callback]:
    """Show a bar for a `get` or `put`, and give the callback that moves it."""
    with _bars() as bars:
        yield _Transfer(bars, bars.add_task(printable(text), total=None, told=""))


class _Transfer(Callback):
    """Counts what fsspec tells: files, and their bytes in branches; or bytes alone, where one file was named."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        super().__init__()
        self._bars = bars
        self._task = task
        self._lock = threading.Lock()
        self._bytes = 0
        self._has_branches = False

    def branched(self, path_1: str, path_2: str, **how: Any) -> Callback:
        """Return the callback for the bytes of one of several files."""
        self._has_branches = True
        return _Branch(self.add_bytes)

    def add_bytes(self, count: int) -> None:
        """Count bytes of one of the files."""
        with self._lock:
            self._bytes += count
        self.call()

    def call(self, *args: object, **how: object) -> None:
        """Show what was counted."""
        done, total = self.value, self.size
        told = f"{done} of {total or '?'} files, {size_text(self._bytes)}"
        if not self._has_branches:
            told = f"{size_text(done)} of {size_text(total)}" if total else size_text(done)
        self._bars.update(self._task, completed=done, total=total, told=told)


class _Branch(Callback):
    """Counts the bytes of one of several files."""

    def __init__(self, add_bytes: Callable[[int], None]) -> None:
        super().__init__()
        self._add_bytes = add_bytes

    def relative_update(self, inc: int = 1) -> None:
        """Count more bytes."""
        self.value += inc
        self._add_bytes(inc)

    def absolute_update(self, value: int) -> None:
        """Count the bytes so far, which go back where a part is sent again."""
        self.relative_update(value - self.value)


@contextmanager
def steps() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a bar for each step of the work, and give the function that moves them."""
    with _bars() as bars:
        tasks: dict[str, TaskID] = {}

        def told(text: str, done: int, total: int | None) -> None:
            if text not in tasks:
                tasks[text] = bars.add_task(printable(text), total=total, told="")
            amount = f"{done:,} of {total:,}" if total else f"{done:,}"
            bars.update(tasks[text], completed=done, total=total, told=amount)

        yield told
