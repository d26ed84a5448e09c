"""The same call for many items, each of which is tried even where others fail."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import TypeVar

from registry_s3fs.errors import BulkError
from registry_s3fs.threads.pool import Pool
from registry_s3fs.threads.signal_errors import is_of_handler

T = TypeVar("T")
Named = TypeVar("Named", bound=tuple[object, ...])
"""A tuple whose first element is the name by which an error is found."""


def do_all(pool: Pool, what: str, call: Callable[[Named], object], items: Sequence[Named]) -> None:
    """Call with each item, side by side.

    Raises:
        BulkError: Some calls failed. With one item alone, its error is raised unchanged.
    """
    raise_failed(what, errors_of(pool, call, items), len(items))


def errors_of(
    pool: Pool,
    call: Callable[[Named], object],
    items: Sequence[Named],
    *,
    done: Callable[[], object] = lambda: None,
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, Exception]:
    """Call with each item, side by side, and return the errors of those that failed.

    `done` is called after each call that succeeded. A single call is made in this thread, so that it may have its own
    work done side by side by the pool. `meanwhile` is called by this thread once the first of several have begun.
    """
    attempt = _until_hopeless(call)
    if len(items) == 1:
        meanwhile()
        return _gathered(items, map(attempt, items), done)
    with closing(pool.each(attempt, items, pool.threads)) as errors:
        errors.begin()
        meanwhile()
        return _gathered(items, errors, done)


def _gathered(
    items: Sequence[Named], errors: Iterable[Exception | None], done: Callable[[], object]
) -> dict[str, Exception]:
    failed: dict[str, Exception] = {}
    for item, error in zip(items, errors, strict=True):
        if error is None:
            done()
        else:
            failed[str(item[0])] = error
    return failed


def raise_failed(what: str, failed: Mapping[str, Exception], count: int) -> None:
    """Raise the errors of those of `count` calls that failed, if any did; a single call's error is raised unchanged."""
    if failed and count == 1:
        raise next(iter(failed.values()))
    if failed:
        raise BulkError(what, failed)


def _until_hopeless(call: Callable[[T], object]) -> Callable[[T], Exception | None]:
    """Return a function that does `call` and returns its error.

    Once an error has been the last word, it calls no more.
    """
    last = LastWord()

    def attempt(item: T) -> Exception | None:
        try:
            last.check()
            call(item)
        except (OSError, ValueError) as error:
            if is_of_handler(error):
                raise
            last.note(error)
            return error
        return None

    return attempt


class LastWord:
    """An error after which nothing more is tried.

    Where the server cannot be reached or is silent, each further call could take minutes.
    """

    def __init__(self) -> None:
        self._error: Exception | None = None

    def note(self, error: Exception | None) -> None:
        """Note what a call raised, if it raised anything."""
        if isinstance(error, TimeoutError) or getattr(error, "errno", 0) == errno.EHOSTUNREACH:
            self._error = error

    def check(self) -> None:
        """Raise the error, if there is one."""
        if self._error is not None:
            raise self._error
