"""What the call stack tells of the reason for which a file is closed.

A file may be closed because an exception left the block that wrote it, or because it is collected. Its own ``__exit__``
and ``__del__`` know which. But `fsspec.open`, pandas and text or compression layers only call ``close()`` from an
``__exit__`` or a finaliser of theirs, in success and failure alike. Publishing then would publish half a file.
"""

from __future__ import annotations

import dis
import inspect
import io
import sys
import warnings
from pathlib import Path
from types import FrameType

_WITH_EXCEPT_START = dis.opmap["WITH_EXCEPT_START"]
PACKAGE = str(Path(__file__).parents[1])


def being_handled() -> list[BaseException]:
    """Return the exceptions that are being handled in this thread, innermost first."""
    found: list[BaseException] = []
    error = sys.exc_info()[1]
    while error is not None and error not in found:
        found.append(error)
        error = error.__context__
    return found


def left_by_exception(handled_at_open: list[BaseException]) -> bool:
    """Return whether the nearest ``__exit__`` up the stack was handed an exception raised since the file was opened.

    A file that is explicitly closed inside an ``except`` block was not left by an exception, as no ``__exit__`` was
    handed one. An ``__exit__`` in C has no frame. The frame that runs its ``with`` shows that it was handed the
    exception.
    """
    error = sys.exc_info()[1]
    # A generator that is left half-way is closed as it is collected, and Python drops a Ctrl-C that comes then.
    if error is None or id(error) in map(id, handled_at_open):
        return False
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name not in ("__exit__", "__aexit__"):
        if _leaves_block_by_exception(frame):
            return True
        frame = frame.f_back
    return frame is not None and _was_handed(frame, error)


def _leaves_block_by_exception(frame: FrameType) -> bool:
    """Return whether a frame calls an ``__exit__`` with an exception at this moment."""
    code, at = frame.f_code.co_code, frame.f_lasti
    return 0 <= at < len(code) and code[at] == _WITH_EXCEPT_START


def _was_handed(frame: FrameType, error: BaseException) -> bool:
    arguments = inspect.getargvalues(frame)
    names = [*arguments.args, *filter(None, (arguments.varargs, arguments.keywords))]
    values = [arguments.locals.get(name) for name in names]
    return any(
        value is error or (isinstance(value, tuple) and any(item is error for item in value)) for value in values
    )


def by_finaliser() -> bool:
    """Return whether what runs is part of a finaliser.

    The finaliser may be a ``__del__`` in Python. It may also be the finaliser of one of `io`'s classes that called a
    ``close()`` in Python. That one is in C and has no frame, but it says what it does in an attribute of the object.
    (Classes whose ``close()`` is in C, too, call ``_dealloc_warn`` of what they wrap.)
    """
    frame = inspect.currentframe()
    while frame is not None and not _is_finaliser(frame):
        frame = frame.f_back
    return frame is not None


def _is_finaliser(frame: FrameType) -> bool:
    name, code = frame.f_code.co_name, frame.f_code
    if name == "close" and code.co_argcount:
        closed = frame.f_locals.get(code.co_varnames[0])
        return isinstance(closed, io.IOBase) and getattr(closed, "_finalizing", False) is True
    return name == "__del__"


Instruction = tuple[int, int]
"""A frame's id, and where in its code it is."""


def instruction_of_caller() -> Instruction | None:
    """Return which instruction called the function that asks, or None where no Python called it.

    Where C called the function, it is the instruction that called the C. A loop calls many functions by one
    instruction.
    """
    asking = sys._getframe(1)
    frame = asking.f_back
    return None if frame is None else (id(frame), frame.f_lasti)


def must_not_wait() -> bool:
    """Return whether a finaliser runs, or may run.

    A generator that is collected is left by `GeneratorExit`, as one that is closed. This may be at any point of any
    thread, where nothing may wait for a network or take a lock.
    """
    return isinstance(sys.exc_info()[1], GeneratorExit) or by_finaliser()


def warn(text: str, source: object) -> None:
    """Issue a `ResourceWarning`.

    Where Python is told to raise the warning, it is printed, as that of any finaliser, and stops nothing.
    """
    _Warning(text, source)


class _Warning:
    """An object that warns when it is collected, which is at once."""

    def __init__(self, text: str, source: object) -> None:
        self._text = text
        self._source = source

    def __del__(self) -> None:
        warnings.warn(self._text, ResourceWarning, stacklevel=_callers_level(), source=self._source)


def _callers_level() -> int:
    """Return how many frames up from here the first one is that does not belong to this package.

    Seen from the caller it is one less. But Python counts the caller itself as the first.
    """
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
