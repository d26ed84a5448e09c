"""Work in other threads that nobody waits for any more: its connections are shut down, and it asks for nothing else.

Ctrl-C reaches the main thread alone. What the threads at work for it have begun would go on for as long as a
server may be silent.

There is no lock here: Ctrl-C and the collection of garbage may come at any point. What two threads tell one another
is written first by each, and then read.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from registry_s3fs.threads import fork
from registry_s3fs.threads.call_stack import being_handled

GRACE_S = 0.8
"""After Ctrl-C, how long is waited for work that is given up, and again for the request that cleans up after it."""


class GivenUp(BaseException):  # no error: nobody is to see it
    """Raised in a thread whose work was given up."""


class Work:
    """A piece of work that one thread does."""

    given_up = False
    needs_answer = False
    """It waits for an answer that tells what is to be cleaned up; see `answer_needed`."""
    connection: Any = None
    """The one that it used last."""


_here = threading.local()
_ending = threading.Event()


def current() -> Work | None:
    """Return the work that this thread does, if it can be given up."""
    return getattr(_here, "work", None)


@contextmanager
def doing(work: Work | None) -> Iterator[None]:
    """What this thread does in the block; None, and it cannot be given up."""
    before = getattr(_here, "work", None)
    _here.work = work
    try:
        yield
    finally:
        _here.work = before
        if work is not None:
            _let_go_of_connection(work)


def _let_go_of_connection(work: Work) -> None:
    """The next one may use it; and it would keep the work, with its result, for as long as it is open."""
    connection, work.connection = work.connection, None
    if connection is not None and connection.used_by is work:
        connection.used_by = None


@contextmanager
def answer_needed() -> Iterator[None]:
    """Where this thread's work is given up in the block, the answer that it waits for may still come, until `cut_off`.

    Raises:
        GivenUp: it was given up before.
    """
    work = getattr(_here, "work", None) or Work()
    work.needs_answer = True
    try:
        if work.given_up:  # after it is known, so that `give_up` meets the one or the other
            raise GivenUp
        yield
    finally:
        work.needs_answer = False


def uses(connection: Any) -> None:
    """This thread is about to wait for a connection, which is one of `http.client`."""
    work = getattr(_here, "work", None)
    connection.used_by = work
    if work is not None:
        work.connection = connection
    check()  # after it is known, so that `give_up` meets the one or the other


def check(**event: Any) -> None:
    """Raise `GivenUp` where this thread's work is. (A handler of boto3's events, too.)"""
    work = getattr(_here, "work", None)
    if work is not None and work.given_up and not work.needs_answer:
        raise GivenUp


def pause(seconds: float) -> None:
    """Sleep, unless the work is given up."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.1))


def give_up(works: Iterable[Work]) -> None:
    """End work that is being done, wherever it waits for a server, unless its answer is needed."""
    left = set(works)
    for work in left:
        work.given_up = True
    for work in left:
        if not work.needs_answer:
            _shut_down(work)


def cut_off(works: Iterable[Work]) -> None:
    """As `give_up`, and answers are waited for no longer, needed or not."""
    left = list(works)
    for work in left:
        work.needs_answer = False
    give_up(left)


def _shut_down(work: Work) -> None:
    connection = work.connection
    if connection is not None and connection.used_by is work and (connected := connection.sock) is not None:
        with suppress(OSError):  # closed meanwhile
            socket.socket.shutdown(connected, socket.SHUT_RDWR)  # below TLS, whose state is its reader's


def is_on() -> bool:
    """Whether this thread is on its way out after Ctrl-C, or the interpreter is."""
    return _ending.is_set() or any(isinstance(error, KeyboardInterrupt) for error in being_handled())


def is_ending() -> bool:
    """Whether the interpreter is about to end."""
    return _ending.is_set()


def end() -> None:
    """The interpreter is about to end."""
    _ending.set()


@fork.in_child
def _forget_parents_work() -> None:
    """A forked child must not shut down its parent's connections."""
    _here.work = None
