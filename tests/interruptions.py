"""Exceptions at chosen points of this package's code, as handlers of signals raise them."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import registry_s3fs
from registry_s3fs.errors import BulkError
from registry_s3fs.threads import call_stack

HERE = str(Path(registry_s3fs.__file__).parent)


def interrupted(act: Callable[[], object], at: int, kind: type[BaseException]) -> bool:
    """Carry out, with an exception at this one of the points where this thread may get it. Tell whether it got there.

    The points are the beginnings of this package's functions, and the ends of built-in ones that it calls: there the
    interpreter looks for signals. Generators are left out, since Python lets nothing out of one that it closes.

    Raises:
        AssertionError: The exception was raised and did not come out, itself or as the error of one of many files.
    """
    left, where = at, ""

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal left, where
        if event not in ("call", "c_return") or not frame.f_code.co_filename.startswith(HERE):
            return
        if event == "call" and frame.f_code.co_flags & inspect.CO_GENERATOR:
            return
        if not call_stack.by_finaliser():  # which Python lets no exception out of
            left -= 1
        if left == 0:
            where = "".join(traceback.format_stack(frame, 8))
            raise kind

    sys.setprofile(count)
    try:
        act()
    except kind:
        return True
    except BulkError as error:
        if not any(isinstance(each, kind) for each in error.errors.values()):
            raise
        return True
    finally:
        sys.setprofile(None)
    assert left > 0, f"what was raised at point {at} was swallowed:\n{where}"
    return False
