"""The same call for many, each of them tried whatever becomes of the others."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from registry_s3fs.concurrency import Pool
from registry_s3fs.errors import BulkError


def do_all(
    pool: Pool,
    what: str,
    call: Callable[[Any], Any],
    pairs: Sequence[tuple[Any, Any]],
    *,
    named: int = 0,
    done: Callable[[], Any] = lambda: None,
) -> None:
    """Call with each pair, side by side; `done` after each that succeeded. An error names a pair by one of its two.

    Raises:
        BulkError: some failed. Of one pair alone, its error is raised as it is.
    """
    failed: dict[str, Exception] = {}
    with closing(pool.each(_until_hopeless(call), pairs, pool.threads)) as errors:
        for pair, error in zip(pairs, errors, strict=True):
            if error is None:
                done()
            elif len(pairs) == 1:
                raise error
            else:
                failed[str(pair[named])] = error
    if failed:
        raise BulkError(what, failed)


def _until_hopeless(call: Callable[[Any], Any]) -> Callable[[Any], Exception | None]:
    """`call`, with its error given back; once the server cannot be reached or is silent, that error without a call:
    each of them takes up to minutes."""
    ends: list[Exception] = []

    def attempt(item: Any) -> Exception | None:
        if ends:
            return ends[0]
        try:
            call(item)
        except (OSError, ValueError) as error:
            if isinstance(error, TimeoutError) or getattr(error, "errno", 0) == errno.EHOSTUNREACH:
                ends.append(error)
            return error
        return None

    return attempt
