"""Tells whether a file is being closed because an exception left the block that wrote it.

A file's own ``__exit__`` is told. But `fsspec.open`, pandas and text or compression layers
only call ``close()`` from an ``__exit__`` of theirs, in success and failure alike; publishing
then would publish half a file.
"""

from __future__ import annotations

import inspect
import sys
from types import FrameType


def being_handled() -> list[BaseException]:
    """The exceptions being handled here and now, innermost first."""
    found: list[BaseException] = []
    error = sys.exc_info()[1]
    while error is not None and error not in found:
        found.append(error)
        error = error.__context__
    return found


def left_by_exception(handled_at_open: list[BaseException]) -> bool:
    """Whether the nearest ``__exit__`` up the stack was handed an exception that arose since the file was opened.

    Explicitly closing a file inside an ``except`` block is no abandonment: no ``__exit__`` was handed anything.
    """
    error = sys.exc_info()[1]
    if error is None or any(error is earlier for earlier in handled_at_open):
        return False
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "__exit__":
        frame = frame.f_back
    return frame is not None and _was_handed(frame, error)


def _was_handed(frame: FrameType, error: BaseException) -> bool:
    arguments = inspect.getargvalues(frame)
    names = [*arguments.args, *filter(None, (arguments.varargs, arguments.keywords))]
    values = [arguments.locals.get(name) for name in names]
    return any(
        value is error or (isinstance(value, tuple) and any(item is error for item in value)) for value in values
    )
