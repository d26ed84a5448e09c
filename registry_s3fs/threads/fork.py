"""What a forked child process does before anything else: it forgets what is its parent's.

Threads do not survive a fork, and a lock that one of them holds at that moment is never released.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from weakref import WeakSet

Call = TypeVar("Call", bound=Callable[[], object])

_calls: list[Callable[[], object]] = []
_locks: WeakSet[Lock] = WeakSet()


class Lock:
    """A reentrant lock, which a forked child has anew."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        with suppress(RuntimeError):  # it was taken before a fork, in the thread that lives on
            self._lock.release()

    def renew(self) -> None:
        """Forget whoever holds it."""
        self._lock = threading.RLock()


def in_child(call: Call) -> Call:
    """Have this called in every forked child, in the order of the modules' imports, once all locks are new.

    To be used as a decorator.
    """
    _calls.append(call)
    return call


def _begin_child() -> None:
    for lock in list(_locks):
        lock.renew()
    for call in _calls:
        call()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)
