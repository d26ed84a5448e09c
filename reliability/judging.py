"""Whether a call kept the promises, whatever it was answered: right bytes or an error, nothing lost, in time."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

BOUND_SECONDS = 20.0
"""No call takes longer."""
RIGHT = "right"
REFUSED = "refused"


class WrongError(Exception):
    """What a call handed out or left behind is wrong, which it saw itself; no error that the package raises."""


@dataclass(frozen=True)
class Intent:
    """What a call is asked for."""

    result: Any = None
    """What it must return."""
    stores: Mapping[str, bytes] = field(default_factory=dict)
    """Keys, and what they hold afterwards."""
    deletes: frozenset[str] = frozenset()
    """Keys that are gone afterwards."""
    moves: Mapping[str, str] = field(default_factory=dict)
    """Keys among `deletes`, and those of `stores` that get their bytes."""


@dataclass(frozen=True)
class Ending:
    """What became of a call."""

    result: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    stack: str = ""
    """Where it was, if it did not end in time."""

    @property
    def name(self) -> str:
        """`RIGHT` or `REFUSED`, if nothing is wrong with it."""
        return RIGHT if self.error is None else REFUSED

    @property
    def said(self) -> str:
        """The error, in words."""
        return "" if self.error is None else f"{type(self.error).__name__}: {' '.join(str(self.error).split())}"[:400]


def within(seconds: float, call: Callable[[], Any]) -> Ending:
    """What became of a call, in a thread of its own; one that takes longer is left alone, with a stack that tells."""
    ended: list[Ending] = []
    started = time.monotonic()

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001  # whatever is raised is what became of it
            error = raised
        ended.append(Ending(result, error, time.monotonic() - started))

    thread = threading.Thread(target=run, name="a call under test", daemon=True)
    thread.start()
    thread.join(seconds)
    if ended:
        return ended[0]
    frame = sys._current_frames().get(thread.ident or 0)
    return Ending(seconds=seconds, stack="".join(traceback.format_stack(frame)))


def problems(
    intent: Intent,
    ending: Ending,
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    *,
    is_plausible: bool = False,
    spoils: bool = False,
    errors: tuple[type[BaseException], ...] = (OSError,),
) -> list[str]:
    """What is not as promised, in words.

    `before` and `after` are the store's contents. Of an answer that is wrong and `is_plausible` (a listing that
    leaves a key out) nothing can tell: then the result is not compared, and what was lost still is. A store that
    `spoils` has itself put something else where a call wanted to write; then the call must fail.
    """
    if ending.stack:
        return [f"not ended after {ending.seconds:.0f} s"]
    spoiled = {key for key, data in intent.stores.items() if spoils and ending.error and before.get(key) != data}
    found = _kept(intent, before, after, spoiled) + _moved(intent, before, after)
    if isinstance(ending.error, WrongError):
        found.append(str(ending.error))
    elif ending.error is not None and not isinstance(ending.error, errors):
        found.append(f"raised {ending.said}")
    elif ending.error is None and not is_plausible:
        found += _done(intent, after)
        if ending.result != intent.result:
            found.append(f"gave {shown(ending.result)} instead of {shown(intent.result)}")
    return found


def _kept(
    intent: Intent, before: Mapping[str, bytes], after: Mapping[str, bytes], spoiled: Collection[str]
) -> list[str]:
    """Nothing is touched but what was asked for; that is as before or as asked for, and nothing in between."""
    found = []
    for key in sorted({*before, *after, *intent.stores} - {*spoiled}):
        allowed = [before.get(key), *([intent.stores[key]] if key in intent.stores else [])]
        if after.get(key) not in allowed and not (key in intent.deletes and key not in after):
            found.append(f"{key} {'is lost' if key not in after else f'holds {shown(after[key])}'}")
    return found


def _moved(intent: Intent, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    return [
        f"{source} is deleted, and {target} does not hold its bytes"
        for source, target in intent.moves.items()
        if source in before and source not in after and after.get(target) != before[source]
    ]


def _done(intent: Intent, after: Mapping[str, bytes]) -> list[str]:
    stored = [f"{key} is not written" for key, data in intent.stores.items() if after.get(key) != data]
    return stored + [f"{key} is not deleted" for key in sorted(intent.deletes & {*after} - {*intent.stores})]


def shown(value: Any) -> str:
    """A value in an error's text: short.

    >>> shown(b"abc"), shown(b"x" * 100), shown((b"x" * 100, 3))
    ("b'abc'", '100 bytes', '(100 bytes, 3)')
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    if isinstance(value, (bytes, bytearray)) and len(value) > 40:
        return f"{len(value):,} bytes"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
