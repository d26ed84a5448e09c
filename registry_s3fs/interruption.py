"""Work in other threads that nobody waits for any more: its connections are shut down, and it asks for nothing else.

Ctrl-C reaches the main thread alone. What the threads at work for it have begun would go on for as long as a
server may be silent.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from registry_s3fs.abandonment import being_handled

GRACE_S = 0.8
"""After Ctrl-C, how long is waited for work that is given up, and again for the request that cleans up after it."""


class GivenUp(BaseException):  # no error: nobody is to see it
    """Raised in a thread whose work was given up."""


class Work:
    """A piece of work that one thread does."""

    given_up = False


_here = threading.local()
_users: WeakKeyDictionary[Any, Work] = WeakKeyDictionary()
"""Connection -> the work that used it last."""
_lock = threading.Lock()
_ending = False


@contextmanager
def doing(work: Work | None) -> Iterator[None]:
    """What this thread does in the block; None, and it cannot be given up."""
    before = getattr(_here, "work", None)
    _here.work = work
    try:
        yield
    finally:
        _here.work = before


def uses(connection: Any) -> None:
    """This thread is about to wait for a connection, which is one of `http.client`."""
    work = getattr(_here, "work", None)
    with _lock:
        if work is not None:
            _users[connection] = work
        else:
            _users.pop(connection, None)
    check()  # after it is known, so that `give_up` meets the one or the other


def check(**event: Any) -> None:
    """Raise `GivenUp` where this thread's work is. (A handler of boto3's events, too.)"""
    if getattr(getattr(_here, "work", None), "given_up", False):
        raise GivenUp


def pause(seconds: float) -> None:
    """Sleep, unless the work is given up."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.1))


def give_up(works: Iterable[Work]) -> None:
    """End work that is being done, wherever it waits for a server."""
    left = set(works)
    for work in left:
        work.given_up = True
    with _lock:
        theirs = [connection for connection, work in _users.items() if work in left]
    for connection in theirs:
        if (connected := connection.sock) is not None:
            with suppress(OSError):  # closed meanwhile
                socket.socket.shutdown(connected, socket.SHUT_RDWR)  # below TLS, whose state is its reader's


def is_on() -> bool:
    """Whether this thread is on its way out after Ctrl-C, or the interpreter is."""
    return _ending or any(isinstance(error, KeyboardInterrupt) for error in being_handled())


def end() -> None:
    """The interpreter is about to end."""
    global _ending
    _ending = True


def _forget_parents_work() -> None:
    """A forked child must not shut down its parent's connections."""
    global _lock
    _lock = threading.Lock()
    _users.clear()
    _here.work = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_work)
