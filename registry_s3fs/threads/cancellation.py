"""Work in other threads that is cancelled: its connections are shut down, and it sends no more requests.

Ctrl-C reaches the main thread alone. The work that other threads do for it would go on for as long as a server may be
silent.

There is no lock here. Ctrl-C and the collection of garbage may come at any point. When two threads tell each other
something, each writes first and then reads.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from registry_s3fs.threads import fork
from registry_s3fs.threads.call_stack import being_handled

GRACE_S = 0.8
"""The seconds to wait after Ctrl-C for cancelled work, and again for the request that cleans up after it."""


class GivenUp(BaseException):  # no error: nobody is to see it
    """An exception raised in a thread whose work was cancelled."""


class Connection(Protocol):
    """A connection of `http.client`, and the work that waits for it."""

    sock: socket.socket | None
    used_by: Work | None


class Work:
    """A piece of work that one thread does."""

    given_up = False
    needs_answer = False
    """Whether it waits for a response that tells what is to be cleaned up; see `answer_needed`."""
    connection: Connection | None = None
    """The connection that it used last."""


_here = threading.local()
_ending = threading.Event()


def current() -> Work | None:
    """Return the work that this thread does, or None where it cannot be cancelled."""
    return getattr(_here, "work", None)


@contextmanager
def doing(work: Work | None) -> Iterator[None]:
    """Run the body as this work of the thread; with None, the body cannot be cancelled."""
    before = getattr(_here, "work", None)
    _here.work = work
    try:
        yield
    finally:
        _here.work = before
        if work is not None:
            _let_go_of_connection(work)


def _let_go_of_connection(work: Work) -> None:
    """Release the connection of a work, so that the next work may use it.

    Otherwise the connection would keep the work, with its result, for as long as it is open.
    """
    connection, work.connection = work.connection, None
    if connection is not None and connection.used_by is work:
        connection.used_by = None


@contextmanager
def answer_needed() -> Iterator[None]:
    """Run the body, and let the response that it waits for still come when this thread's work is cancelled.

    `cut_off` ends that.

    Raises:
        GivenUp: The work was cancelled before.
    """
    work = getattr(_here, "work", None) or Work()
    work.needs_answer = True
    try:
        if work.given_up:  # after it is known, so that `give_up` meets the one or the other
            raise GivenUp
        yield
    finally:
        work.needs_answer = False


def uses(connection: Connection) -> None:
    """Note that this thread is about to wait for a connection, which is one of `http.client`.

    Raises:
        GivenUp: The work was cancelled.
    """
    work = getattr(_here, "work", None)
    connection.used_by = work
    if work is not None:
        work.connection = connection
    check()  # after it is known, so that `give_up` meets the one or the other


def check(**event: object) -> None:
    """Raise `GivenUp` where this thread's work was cancelled; this is also a handler of boto3's events."""
    work = getattr(_here, "work", None)
    if work is not None and work.given_up and not work.needs_answer:
        raise GivenUp


def pause(seconds: float) -> None:
    """Sleep, unless the work is cancelled.

    Raises:
        GivenUp: The work was cancelled.
    """
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.1))


def give_up(works: Iterable[Work]) -> None:
    """Cancel work that is being done, wherever it waits for a server, unless its response is needed."""
    left = set(works)
    for work in left:
        work.given_up = True
    for work in left:
        if not work.needs_answer:
            _shut_down(work)


def cut_off(works: Iterable[Work]) -> None:
    """Cancel work as `give_up` does, even where its response is needed."""
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
    """Return whether this thread is on its way out after Ctrl-C, or the interpreter is ending."""
    return _ending.is_set() or any(isinstance(error, KeyboardInterrupt) for error in being_handled())


def is_ending() -> bool:
    """Return whether the interpreter is about to end."""
    return _ending.is_set()


def end() -> None:
    """Note that the interpreter is about to end."""
    _ending.set()


@fork.in_child
def _forget_parents_work() -> None:
    """Forget the parent's work, as a forked child must not shut down its parent's connections."""
    _here.work = None
