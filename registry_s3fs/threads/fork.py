"""What a forked child process does before anything else: it forgets what is its parent's."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

Call = TypeVar("Call", bound=Callable[[], object])


def in_child(call: Call) -> Call:
    """Have this called in every forked child, in the order of the modules' imports. To be used as a decorator.

    Threads do not survive a fork, and a lock that one of them holds at that moment is never released.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)
    return call
