"""The boundary at which boto3's exceptions become this package's exceptions.

Only the SDK's exception passes it, as the cause.
"""

from __future__ import annotations

import sys
from types import TracebackType

from registry_s3fs.redaction import chain
from registry_s3fs.s3.error_codes import translate
from registry_s3fs.threads.signal_errors import is_of_handler


class translated:  # noqa: N801  # used as a function
    """A context manager that replaces boto3's exceptions as `translate` does, and keeps them as the cause.

    What a handler of a signal raises is the caller's, and stays what it is.

    Every exception that leaves the block, `KeyboardInterrupt` too, leaves it without the SDK's frames. The locals of
    these frames hold signed requests, and tools that report exceptions record locals.
    """

    def __init__(self, path: str, *, precondition: type[OSError] = FileExistsError) -> None:
        self._path = path
        self._precondition = precondition

    def __enter__(self) -> None:
        self._handled = sys.exc_info()[1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        handled, self._handled = self._handled, None
        if error is None:
            return
        is_of_signal = is_of_handler(error)
        forget_frames(error, handled)
        better = error
        if isinstance(error, Exception) and not is_of_signal:
            better = translate(error, self._path, precondition=self._precondition)
        try:
            if better is error:
                raise error
            raise better from error
        finally:
            del better, error, traceback, handled  # their frames would keep this one


def forget_frames(error: BaseException, handled: BaseException | None) -> None:
    """Take the frames from an exception and from those that led to it.

    The exception that the caller was handling, and those that led to it, keep theirs.
    """
    for each in chain(error, until=handled):
        each.__traceback__ = None
