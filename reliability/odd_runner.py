"""Makes every call while the answers are odd: a cell of the table is some runs, each against a fresh store."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from registry_s3fs import RegistryS3FileSystem
from reliability import judging, odd_calls, odd_kinds
from reliability.judging import BOUND_SECONDS, REFUSED, RIGHT, Ending, within
from reliability.odd_calls import CONTENTS, PAGE_KEYS, PROBED, Call
from reliability.odd_kinds import Kind
from reliability.workers import spread
from testbed.messages import Answer, Reply, Request
from testbed.mutations import MOST_ENDLESS_BYTES
from testbed.scripted_store import ScriptedStore

PROCESSES = 3
"""Cells at once: much of the time is waiting before a request is repeated."""


@dataclass(frozen=True)
class Cell:
    """What one call came to under one kind of odd answer."""

    kind: str
    call: str
    runs: int
    refused: int
    problems: tuple[str, ...]
    """What is not as promised, and in which run."""
    seconds: float
    """Of the longest run."""
    said: str = ""
    """The first error."""

    @property
    def verdict(self) -> str:
        """Right, refused where a run was, or that there is a problem."""
        return "problem" if self.problems else REFUSED if self.refused else RIGHT


@dataclass(frozen=True)
class Run:
    """One run of a cell: which answers are changed."""

    kind: str
    call: str
    operation: str
    nth: int
    times: float

    @property
    def title(self) -> str:
        """In an error's text."""
        times = "always" if self.times == math.inf else "once" if self.times == 1 else f"{self.times:.0f} times"
        return f"{self.operation}, answer {self.nth}, {times}"


@cache
def answered(call: str) -> Sequence[tuple[Request, Answer]]:
    """The requests of a call and their answers, where none is odd."""
    seen: list[tuple[Request, Answer]] = []

    def remember(request: Request, answer: Answer) -> Answer:
        seen.append((request, answer))
        return answer

    with ScriptedStore(CONTENTS, page_keys=PAGE_KEYS) as store:
        store.script("", remember)
        odd_calls.BY_NAME[call].run(_filesystem(store, odd_calls.BY_NAME[call]))
    return seen


def runs(kind: Kind, call: str) -> Iterator[Run]:
    """The runs of a cell: for each operation from the first answer on that can be changed; none: no such cell."""
    for operation in kind.operations:
        answers = [pair for pair in answered(call) if pair[0].operation == operation]
        nth = next((number for number, pair in enumerate(answers, 1) if kind.suits(*pair)), 0)
        if nth:
            yield from (
                Run(kind.name, call, operation, nth, times) for times in kind.times[-1 if kind.is_slow else 0 :]
            )
        if nth and kind.is_slow:
            return


def cell(kind_name: str, call_name: str) -> Cell | None:
    """All runs of a cell; None where the kind cannot strike the call."""
    kind, found, problems = odd_kinds.BY_NAME[kind_name], [], []
    for run in runs(kind, call_name):
        ending, wrong = perform(run)
        found.append(ending)
        problems += [f"{run.title}: {text}" for text in wrong]
    if not found:
        return None
    refused = [ending for ending in found if ending.error is not None]
    said = refused[0].said if refused else ""
    longest = max(ending.seconds for ending in found)
    return Cell(kind_name, call_name, len(found), len(refused), tuple(problems), round(longest, 2), said)


def perform(run: Run) -> tuple[Ending, list[str]]:
    """One run: what became of the call, and what is not as promised."""
    return perform_kind(odd_kinds.BY_NAME[run.kind], run)


def perform_kind(kind: Kind, run: Run) -> tuple[Ending, list[str]]:
    """As `perform`, of a kind that need not be in the table."""
    call = odd_calls.BY_NAME[run.call]

    def change(request: Request, answer: Answer) -> Reply:
        return kind.change(request, answer) if kind.suits(request, answer) else answer

    with ScriptedStore(CONTENTS, page_keys=PAGE_KEYS) as store:
        fs = _filesystem(store, call)
        before, done = store.contents(), run.operation not in kind.undone
        script = store.script(run.operation, change, nth=run.nth, times=run.times, done=done, misread=kind.misread)
        ending = within(BOUND_SECONDS, lambda: call.run(fs))
        found = judging.problems(call.intent, ending, before, store.contents(), spoils=kind.spoils)
        if store.sent_bytes > MOST_ENDLESS_BYTES // 2 * max(script.struck, 1):  # the kernel's buffers are full, too
            found.append(f"took {store.sent_bytes:,} bytes of {script.struck} endless answers")
        if not ending.stack:
            found += _probed(fs, call, before)
        if not script.struck:
            found.append("no answer was changed")
    return ending, found


def _probed(fs: RegistryS3FileSystem, call: Call, before: Any) -> list[str]:
    """What is wrong with the reading of another file afterwards."""
    ending = within(BOUND_SECONDS, lambda: odd_calls.probe(fs))
    found = judging.problems(judging.Intent(PROBED), ending, {}, {})
    return [f"reading /b afterwards: {text}" for text in found]


def _filesystem(store: ScriptedStore, call: Call) -> RegistryS3FileSystem:
    return RegistryS3FileSystem(**odd_calls.options(store.options(), **call.config), skip_instance_cache=True)


def table(kinds: Iterable[str], calls: Sequence[str]) -> list[Cell]:
    """The cells of these rows and columns, as the progress is told on stderr."""
    places = [(kind, call) for kind in kinds for call in calls]
    found = []
    for each in spread(_at, places, PROCESSES, lost=_lost, is_spent=_is_spent):
        if each is not None:
            found.append(each)
            print(f"{each.kind}, {each.call}: {each.verdict}, {each.seconds} s", *each.problems, file=sys.stderr)
    return found


def _at(place: tuple[str, str]) -> Cell | None:
    return cell(*place)


def _lost(place: tuple[str, str]) -> Cell:
    return Cell(*place, runs=1, refused=0, problems=("its process died",), seconds=0.0)


def _is_spent(found: Cell | None) -> bool:
    return found is not None and found.seconds >= BOUND_SECONDS
