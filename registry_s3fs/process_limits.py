"""What an error means that comes of a lack of descriptors, threads or memory, whatever the SDK made of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

TEXTS = {
    errno.EMFILE: "this process has no file descriptors left; raise its limit (ulimit -n), or lower max_concurrency",
    errno.ENFILE: "this machine has no file descriptors left; close files, or raise fs.file-max",
    errno.ENOMEM: "there is no memory left; read or write less at a time",
    errno.ENOBUFS: "the system has no memory left for connections; lower max_concurrency",
    errno.EAGAIN: "no thread can be started; raise the limit (ulimit -u, or the pids limit of the container)",
}
"""A mapping from each errno to what is lacking, and what to do."""


def of(error: BaseException) -> int | None:
    """Return the errno of the lack that led to an error, or None where there was none.

    >>> of(ConnectionError("no answer")), of(OSError(errno.EMFILE, "Too many open files")) == errno.EMFILE
    (None, True)
    """
    for each in _all_behind(error):
        if isinstance(each, OSError) and each.errno in TEXTS and each.errno != errno.EAGAIN:
            return each.errno
        if isinstance(each, MemoryError):
            return errno.ENOMEM
        if type(each) is RuntimeError and "start new thread" in str(each):
            return errno.EAGAIN
    return _of_lookup(error)


def _all_behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, including what botocore and urllib3 keep in their own ways."""
    found = [error]
    for each in found:
        yield each
        kept = getattr(each, "kwargs", None)
        led = [each.__cause__, each.__context__, getattr(each, "reason", None)]
        led += [kept.get("error")] if isinstance(kept, dict) else []
        found += [one for one in led if isinstance(one, BaseException) and one not in found]


def _of_lookup(error: BaseException) -> int | None:
    """Return the errno of the lack of descriptors that made the look-up of a name fail, or None.

    A name cannot be looked up without a descriptor, and the resolver does not say why.
    """
    if type(error).__name__ not in ("EndpointConnectionError", "gaierror"):
        return None
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as lack:
        return lack.errno if lack.errno in (errno.EMFILE, errno.ENFILE) else None
    return None
