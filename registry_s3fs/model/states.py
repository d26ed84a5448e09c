"""Tables of states: the state that follows from a state and an event. Pure.

A table is written down once, beside what has the states. No other line says which event is possible in which state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

State = TypeVar("State")


class Transitions(Generic[State]):
    """The transitions between states, each from a state and an event to the state that follows.

    >>> door = Transitions({("open", "shut"): "shut", ("shut", "open"): "open", ("shut", "lock"): "locked"})
    >>> door.after("shut", "lock"), door.after("open", "lock"), door.after("locked", "open")
    ('locked', None, None)
    """

    def __init__(self, table: Mapping[tuple[State, str], State]) -> None:
        self.table = dict(table)

    def after(self, state: State, event: str) -> State | None:
        """Return the state that follows, or None where the event is not possible in this state."""
        return self.table.get((state, event))
