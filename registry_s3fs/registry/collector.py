"""Python's own garbage collector, while millions of small values are made that are in no circle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 100_000
"""So many new objects make it look; by default 700 do."""


@contextmanager
def seldom() -> Iterator[None]:
    """Let Python look for garbage in circles less often. It takes a quarter of the time of a listing otherwise.

    It is the process's setting. A second caller at the same time finds it made, and leaves it to the first.
    """
    before = gc.get_threshold()
    if not 0 < before[0] < NEW_OBJECTS:  # 0 means never
        yield
        return
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
