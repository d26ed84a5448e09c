"""What a forked child process does before anything else: it forgets what is its parent's.

Threads do not survive a fork. A lock that one of them holds at that moment is never released.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakSet

Call = TypeVar("Call", bound=Callable[[], object])

_calls: list[Callable[[], object]] = []
_guards: WeakSet[Guard] = WeakSet()


class Guard:
    """A reentrant lock, ``with guard.lock: ...``, which is new in a forked child.

    The lock itself is entered, not the guard: Ctrl-C can come between two lines of Python, and would leave it held.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        _guards.add(self)


def in_child(call: Call) -> Call:
    """Have a function called in every forked child, in the order of the modules' imports, once all locks are new.

    Use it as a decorator.
    """
    _calls.append(call)
    return call


def _begin_child() -> None:
    for guard in list(_guards):
        guard.lock = threading.RLock()
    for call in _calls:
        call()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)
