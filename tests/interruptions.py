"""Signals at chosen points of this package's code, whose handler raises an exception."""

from __future__ import annotations

import inspect
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import registry_s3fs
from registry_s3fs.threads import call_stack

HERE = str(Path(registry_s3fs.__file__).parent)


def interrupted(act: Callable[[], object], at: int, kind: type[BaseException], *, in_generators: bool = True) -> bool:
    """Carry out, with a signal at this one of the points where this thread may get it. Tell whether it got there.

    The points are the beginnings of this package's functions, and the ends of built-in ones that it calls: there the
    interpreter looks for signals. Without `in_generators`, generators go on undisturbed: Python lets nothing out of one
    that it closes.

    Raises:
        AssertionError: The exception was raised and did not come out.
    """
    left, where = at, ""

    def handler(number: int, frame: FrameType | None) -> None:
        raise kind

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal left, where
        if event not in ("call", "c_return") or not frame.f_code.co_filename.startswith(HERE):
            return
        if not in_generators and frame.f_code.co_flags & inspect.CO_GENERATOR:
            return
        if not call_stack.by_finaliser():  # which Python lets no exception out of
            left -= 1
        if left == 0:
            where = "".join(traceback.format_stack(frame, 8))
            signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    sys.setprofile(count)
    try:
        act()
    except kind:
        return True
    except Exception as error:
        raise AssertionError(f"what was raised at point {at} became another error:\n{where}") from error
    finally:
        sys.setprofile(None)
        signal.signal(signal.SIGUSR1, before)
    assert left > 0, f"what was raised at point {at} was swallowed:\n{where}"
    return False
