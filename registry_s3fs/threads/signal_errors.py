"""Errors that a handler of a signal raises, such as the time limit of a user.

They may come in the main thread at any point, where they look like an error of what runs there. Whoever handles errors
by their class lets these go on to the caller.
"""

from __future__ import annotations

import functools
import signal
import sys
from types import CodeType, TracebackType

_MARK = "_registry_s3fs_is_of_handler"
_KNOWN = sys.stdlib_module_names | {"registry_s3fs", "botocore", "boto3", "urllib3"}
"""Packages whose functions raise no error as handlers of signals. (Ctrl-C's is none of `Exception`.)"""


def is_of_handler(error: BaseException) -> bool:
    """Return whether an error was raised by a function that now handles a signal.

    The answer is kept with the error, as it may lose its frames on its way.
    """
    found: bool | None = getattr(error, _MARK, None)
    if found is None:
        codes = _codes_elsewhere(error.__traceback__)
        found = bool(codes) and not codes.isdisjoint(_handlers())  # to ask for all handlers takes long
        setattr(error, _MARK, found)
    return found


def _codes_elsewhere(traceback: TracebackType | None) -> set[CodeType]:
    """Return the code of the functions of a traceback that belong to none of the known packages."""
    found = set()
    while traceback is not None:
        frame = traceback.tb_frame
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _KNOWN:
            found.add(frame.f_code)
        traceback = traceback.tb_next
    return found


def _handlers() -> set[CodeType]:
    """Return the code of the functions in Python that handle signals."""
    found = set()
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        while isinstance(handler, functools.partial):
            handler = handler.func
        if callable(handler):
            code = getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
            if isinstance(code, CodeType):
                found.add(code)
    return found
