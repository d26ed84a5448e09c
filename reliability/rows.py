"""What was seen, whether it is good, and how it is kept. Pure."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from reliability import faults

FINISHED = "finished"
OVERDUE = "over time"
"""The outcome of a run that had to be ended."""


@dataclass(frozen=True)
class Outcome:
    """What one run came to, as the process that ran it saw it."""

    seconds: float = 0.0
    wrong: int = 0
    """Bytes, or names, that were handed to the caller and are not those stored."""
    raised: str = ""
    """The class of what was raised, if anything was."""
    message: str = ""
    is_os_error: bool = True
    failed: tuple[str, ...] = ()
    """Paths that a `BulkError` named."""


@dataclass(frozen=True)
class Stored:
    """What one run left in the bucket."""

    wrong: int = 0
    """Bytes that differ, or objects that are there and should not be, or the reverse."""
    half: int = 0
    """Objects that are neither as before nor as written."""
    left: int = 0
    """Unfinished uploads whose id the client knew."""
    unheard: int = 0
    """Those whose id never reached it: CreateMultipartUpload's answer was lost."""


@dataclass(frozen=True)
class Row:
    """All runs of one operation under one fault."""

    operation: str
    fault: str
    outcomes: dict[str, int]
    """FINISHED, OVERDUE or a class of exceptions: how many runs."""
    struck: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    """The median of the runs."""
    wrong: int = 0
    half: int = 0
    left: int = 0
    unheard: int = 0
    message: str = ""
    """Of the first exception."""
    foreign: tuple[str, ...] = ()
    """Exceptions that are no `OSError`."""

    @property
    def runs(self) -> int:
        """How many."""
        return sum(self.outcomes.values())


@dataclass(frozen=True)
class Sample:
    """The process under load at one moment."""

    second: float
    resident_bytes: int
    """Without what the allocator keeps in case."""
    threads: int
    sockets: int


@dataclass(frozen=True)
class Load:
    """What many threads on one filesystem came to."""

    threads: int
    seconds: float
    most_threads: int
    """How many there may be at any time."""
    most_sockets: int
    most_growth_bytes: int
    most_left_bytes: int
    calls: dict[str, int]
    """Operation: how many were begun."""
    raised: dict[str, int]
    """Class of exceptions: how many calls."""
    foreign: tuple[str, ...]
    wrong: int
    stuck: int
    """Threads that did not end."""
    samples: list[Sample]
    peak_bytes: int = 0
    """The most that was resident, with what the allocator kept."""
    left_bytes: int = 0
    """More in use after the end than before the beginning."""
    struck: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    left: int = 0
    unheard: int = 0
    messages: dict[str, str] = field(default_factory=dict)
    """Class of exceptions: the text of the first one."""


@dataclass(frozen=True)
class Results:
    """All that one run of the program saw."""

    about: dict[str, str]
    operations: dict[str, str]
    """Operation: what it does."""
    rows: list[Row]
    load: Load | None = None


def wrong_bytes(expected: bytes, got: Any) -> int:
    """How many bytes differ, are missing or are too many.

    >>> wrong_bytes(b"abc", b"abc"), wrong_bytes(b"abc", b"aXc"), wrong_bytes(b"abc", b"ab"), wrong_bytes(b"", b"ab")
    (0, 1, 1, 2)
    """
    got = bytes(got)
    if got == expected:
        return 0
    return sum(1 for one, other in zip(expected, got, strict=False) if one != other) + abs(len(expected) - len(got))


def wrong_names(expected: Iterable[Hashable], got: Iterable[Hashable]) -> int:
    """How many names are missing or too many, repeated ones included.

    >>> wrong_names(["a", "b"], ["b", "a"]), wrong_names(["a", "b"], ["b", "c"]), wrong_names(["a"], ["a", "a"])
    (0, 2, 1)
    """
    names = list(got)
    return len(set(expected) ^ set(names)) + len(names) - len(set(names))


def stored_as(content: bytes | None, before: bytes, written: bytes, *, finished: bool) -> Stored:
    """What to make of an object that held `before` and over which `written` was written; None: it is gone.

    >>> stored_as(b"new", b"older", b"new", finished=True), stored_as(b"older", b"older", b"new", finished=False)
    (Stored(wrong=0, half=0, left=0, unheard=0), Stored(wrong=0, half=0, left=0, unheard=0))
    >>> [stored_as(each, b"older", b"new", finished=True).wrong for each in (b"older", b"nXw")]
    [3, 1]
    >>> [stored_as(each, b"older", b"new", finished=False).half for each in (b"ne", b"olde", None)]
    [1, 1, 1]
    """
    if content == written or (content == before and not finished):
        return Stored()
    if content == before:
        return Stored(wrong=len(written))
    if content is not None and len(content) == len(written):
        return Stored(wrong=wrong_bytes(written, content))
    return Stored(half=1)


def summed(found: Iterable[Stored]) -> Stored:
    """All of them as one."""
    each = list(found)
    return Stored(
        sum(stored.wrong for stored in each),
        sum(stored.half for stored in each),
        sum(stored.left for stored in each),
        sum(stored.unheard for stored in each),
    )


def uploads_left(ids: Iterable[str], used: Iterable[str], lost_answers: int) -> Stored:
    """Unfinished uploads, by whether their client can have known of them.

    One whose id is in no request of the client, and for which an answer of CreateMultipartUpload was lost or
    changed on its way, is unheard of.

    >>> uploads_left(["a", "b", "c"], ["a"], lost_answers=1)
    Stored(wrong=0, half=0, left=2, unheard=1)
    """
    found = list(ids)
    unheard = min(len(set(found) - set(used)), lost_answers)
    return Stored(left=len(found) - unheard, unheard=unheard)


def row(
    operation: str, fault: str, runs: Sequence[tuple[Outcome, Stored]], struck: int, requests: dict[str, int]
) -> Row:
    """One row of several runs."""
    outcomes: dict[str, int] = {}
    for outcome, _ in runs:
        name = outcome.raised or FINISHED
        outcomes[name] = outcomes.get(name, 0) + 1
    stored = summed(stored for _, stored in runs)
    return Row(
        operation, fault, outcomes, struck, requests,
        seconds=median(outcome.seconds for outcome, _ in runs),
        wrong=stored.wrong + sum(outcome.wrong for outcome, _ in runs),
        half=stored.half, left=stored.left, unheard=stored.unheard,
        message=next((outcome.message for outcome, _ in runs if outcome.raised), ""),
        foreign=tuple(sorted({outcome.raised for outcome, _ in runs if not outcome.is_os_error})),
    )  # fmt: skip


def undetectable(row: Row, protected: Iterable[str]) -> bool:
    """Whether a wrong byte is nobody's fault here: it came with an answer for which S3 had given no checksum.

    `protected` are the operations whose answers are held against a digest. What is written is always
    protected on its way.
    """
    return row.fault == faults.CORRUPT_ANSWER.name and row.operation not in protected


def problems(row: Row, protected: Iterable[str]) -> list[str]:
    """Why a row is not good, in words; none where it is."""
    found = []
    if row.wrong and not undetectable(row, protected):
        found.append(f"{row.wrong} wrong")
    if row.half:
        found.append(f"{row.half} half published")
    if row.left:
        found.append(f"{row.left} uploads left")
    if row.foreign:
        found.append(f"raised {', '.join(row.foreign)}, which is no OSError")
    if row.outcomes.get(OVERDUE):
        found.append("did not end in time")
    if row.fault == faults.NONE.name and row.outcomes != {FINISHED: row.runs}:
        found.append(f"failed without a fault: {row.message}")
    if row.fault != faults.NONE.name and not row.struck:
        found.append("nothing was struck, so nothing is shown")
    return found


def most_in_use(samples: Sequence[Sample], third: int) -> int:
    """The most memory in use in a third of the time: 0, 1 or 2.

    >>> samples = [Sample(second, size, 1, 1) for second, size in enumerate([9, 9, 9, 4, 7, 5, 8, 6, 1])]
    >>> most_in_use(samples, 1), most_in_use(samples, 2)
    (7, 8)
    """
    length = samples[-1].second / 3
    return max(each.resident_bytes for each in samples if third * length <= each.second <= (third + 1) * length)


def growth_bytes(samples: Sequence[Sample]) -> int:
    """How much more memory was in use at most in the last third of the time than in the second."""
    return most_in_use(samples, 2) - most_in_use(samples, 1)


def load_problems(load: Load) -> list[str]:
    """Why the load did not go well, in words; none where it did."""
    peak_threads, peak_sockets = max(s.threads for s in load.samples), max(s.sockets for s in load.samples)
    found = {
        f"{load.wrong} wrong": load.wrong > 0,
        f"{load.left} uploads left": load.left > 0,
        f"{load.stuck} threads did not end": load.stuck > 0,
        f"raised {', '.join(load.foreign)}, which is no OSError": bool(load.foreign),
        f"memory grew by {growth_bytes(load.samples)} bytes": growth_bytes(load.samples) > load.most_growth_bytes,
        f"{load.left_bytes} bytes left after the end": load.left_bytes > load.most_left_bytes,
        f"{peak_threads} threads": peak_threads > load.most_threads,
        f"{peak_sockets} sockets": peak_sockets > load.most_sockets,
        "nothing was struck, so nothing is shown": not load.struck,
    }
    return [text for text, is_so in found.items() if is_so]


def dumps(results: Results) -> str:
    """JSON with a line for each row, so that a comparison of two runs can be read."""
    fields = asdict(results)
    lines = ",\n  ".join(json.dumps(each) for each in fields.pop("rows"))
    load = json.dumps(fields.pop("load"))
    head = json.dumps(fields, indent=1).removesuffix("\n}")
    return f'{head},\n "rows": [\n  {lines}\n ],\n "load": {load}\n}}\n'


def loads(text: str) -> Results:
    """Back from `dumps`."""
    fields = json.loads(text)
    rows = [Row(**{**each, "foreign": tuple(each["foreign"])}) for each in fields.pop("rows")]
    load = fields.pop("load")
    if load:
        samples = [Sample(**each) for each in load.pop("samples")]
        load = Load(**{**load, "foreign": tuple(load["foreign"])}, samples=samples)
    return Results(**fields, rows=rows, load=load)


def save(path: Path, results: Results) -> None:
    """Write results in place of the last ones."""
    path.write_text(dumps(results), encoding="utf-8")
