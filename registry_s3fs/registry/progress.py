"""How a long run tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

Progress = Callable[[str, int, int | None], object]
"""What is called with a stage's name, how many of its items are done, and how many there are, if that is known."""

ITEMS_PER_CALL = 1000


def silent(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def told(progress: Progress, stage: str, items: Iterable[T], total: int | None) -> Iterator[T]:
    """Yield items, and tell how many there were after each `ITEMS_PER_CALL` and at the end."""
    done = 0
    for done, item in enumerate(items, 1):
        yield item
        if done % ITEMS_PER_CALL == 0:
            progress(stage, done, total)
    progress(stage, done, total)
