"""The states of a file open for writing, and what may be done in each. Pure."""

from __future__ import annotations

import enum

from registry_s3fs.model.states import Transitions


class State(enum.Enum):
    """The states of a file open for writing."""

    OPEN = "open"
    HELD = "closed, waiting for commit or discard"
    PUBLISHED = "published"
    DISCARDED = "discarded"
    COLLECTED = "collected, and discarded, without having been closed"
    ENDED = "discarded, as the interpreter ended before it was closed"


TRANSITIONS = Transitions(
    {
        (State.OPEN, "write"): State.OPEN,
        (State.OPEN, "close"): State.PUBLISHED,
        (State.OPEN, "hold"): State.HELD,
        (State.OPEN, "commit"): State.PUBLISHED,
        (State.OPEN, "discard"): State.DISCARDED,
        (State.OPEN, "collect"): State.COLLECTED,
        (State.OPEN, "end"): State.ENDED,
        (State.HELD, "commit"): State.PUBLISHED,
        (State.HELD, "discard"): State.DISCARDED,
        (State.HELD, "collect"): State.COLLECTED,
        (State.HELD, "end"): State.ENDED,
        (State.COLLECTED, "write"): State.COLLECTED,  # by finalisers of the layers above; nobody would see an error
        **{(state, event): State.DISCARDED for state in State for event in ("fail", "disown")},
    }
)
"""What may be done with a file.

Where a state does not allow it, `write` raises, and other events do nothing. In the state ``ENDED``, `close` and
`commit` raise too.
"""

CLOSED_LATER = (State.COLLECTED, State.ENDED)
"""The states in which the file is not `closed` until somebody closes it.

A layer above writes nothing to a file that is closed. It would silently lose what it holds, or complain.
"""
