"""Small objects that one thread stores, many side by side."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing, suppress
from typing import NamedTuple

from registry_s3fs.model import ranges
from registry_s3fs.model.objects import ObjectHeaders
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.puts import Put
from registry_s3fs.threads import many_calls
from registry_s3fs.threads.signal_errors import is_of_handler
from registry_s3fs.transfer.multipart import OpenBody

SMALL_BYTES = ranges.MIB
"""One thread stores many objects of up to this many bytes.

The digests of larger ones take so long that several threads should compute them.
"""


class SmallUpload(NamedTuple):
    """A small object to be stored."""

    key: str
    name: str
    """The name by which its result is found."""
    open_body: OpenBody


def store(
    bucket: Bucket, uploads: Iterable[SmallUpload], count: int, headers: ObjectHeaders
) -> Generator[tuple[str, Exception | None], None, None]:
    """Store `count` objects side by side, and yield the name and the error of each as it ends, in any order.

    The bytes of an object are opened when it is its turn, so that no more are open than are under way. Where the server
    cannot be reached, the objects whose turn has not come are not tried.
    """
    coming = iter(uploads)
    last = many_calls.LastWord()
    opened: dict[Put, tuple[str, ExitStack]] = {}
    refused: list[tuple[str, Exception]] = []
    left = count

    def next_put() -> Put | None:
        nonlocal left
        for key, name, open_body in coming:
            left -= 1
            stack = ExitStack()
            try:
                last.check()
                put = Put(key, stack.enter_context(open_body()), headers)
            except (OSError, ValueError) as error:
                if is_of_handler(error):
                    raise
                refused.append((name, error))
                continue
            opened[put] = name, stack
            return put
        return None

    try:
        with closing(bucket.put_many(next_put, lambda: left)) as puts:
            for put in puts:
                name, stack = opened.pop(put)
                last.note(put.error)
                yield name, _close(stack, put.error)
                while refused:
                    yield refused.pop()
        yield from refused
    except BaseException as error:
        for _, stack in opened.values():
            with suppress(Exception):  # of a progress bar; `error` is the one that the caller meets
                stack.__exit__(type(error), error, error.__traceback__)
        raise


def _close(stack: ExitStack, error: Exception | None) -> Exception | None:
    """Close the bytes of an object with the error that they met, and return the last error.

    Another error than an `OSError` or `ValueError`, such as a progress bar's own, ends the whole call.
    """
    try:
        with stack:
            if error is not None:
                raise error
    except (OSError, ValueError) as last:  # whoever asked for the object raises it
        if is_of_handler(last):
            raise
        return last
    return None
