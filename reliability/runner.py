"""Runs every operation under every fault that can strike it, each row in a process of its own."""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.endpoints import Simulator
from reliability import faults, operations, rows, store, subject
from reliability import load as loads
from reliability.faults import Fault
from reliability.operations import Operation
from reliability.rows import Load, Outcome, Row


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    operations: Sequence[str]
    faults: Sequence[str]
    runs: int


SIDE_BY_SIDE = 3
"""Operations at once, each on a simulator of its own: most of the time is waiting before a request is repeated."""


def run(plan: Plan, folder: Path) -> list[Row]:
    """All rows: of each operation first the one without faults, whose requests tell what can be struck."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        each = threads.map(lambda name: _rows(plan, folder, operations.BY_NAME[name]), plan.operations)
        return [row for found in each for row in found]


def _rows(plan: Plan, folder: Path, operation: Operation) -> list[Row]:
    found: list[Row] = []
    with store.running(folder) as simulator:
        store.fill(simulator)
        for row in _of_operation(plan, simulator, operation):
            verdict = "; ".join(rows.problems(row, operations.PROTECTED)) or "good"
            print(f"{row.operation}, {row.fault}: {row.outcomes}, {row.seconds:.2f} s, {verdict}", file=sys.stderr)
            found.append(row)
    return found


def _of_operation(plan: Plan, simulator: Simulator, operation: Operation) -> Iterator[Row]:
    undisturbed = _row(simulator, operation, faults.NONE, {}, plan.runs)
    yield undisturbed
    requests = {name: count // plan.runs for name, count in undisturbed.requests.items()}
    for name in plan.faults:
        if faults.BY_NAME[name].rules(requests, 0):
            yield _row(simulator, operation, faults.BY_NAME[name], requests, plan.runs)


def _row(simulator: Simulator, operation: Operation, fault: Fault, requests: dict[str, int], runs: int) -> Row:
    options = operations.options(simulator.access, read_timeout=faults.READ_TIMEOUT_S, connect_timeout=2)
    results, struck, sent = [], 0, Counter[str]()
    with Process() as process:
        for number in range(runs):
            store.prepare(simulator, operation)
            process.prepare(options)
            with store.struck(simulator, fault.rules(requests, number), seed=number + 1) as seen:
                outcome = process.perform(operation.name)
            stored = rows.summed([store.check(simulator, operation, outcome), seen.uploads])
            results.append((outcome, stored))
            struck += seen.faults
            sent.update(seen.requests)
    return rows.row(operation.name, fault.name, results, struck, dict(sent))


def load(folder: Path, seconds: float) -> Load:
    """Many threads on one filesystem for so long."""
    with store.running(folder) as simulator, Process() as process:
        store.fill(simulator)
        simulator.store_flat(loads.FOLDER, loads.LISTED)
        options = operations.options(simulator.access, read_timeout=loads.READ_TIMEOUT_S)
        with store.struck(simulator, loads.rules(), seed=1) as seen:
            found = process.load(options, seconds)
    uploads = seen.uploads
    return replace(found, struck=seen.faults, requests=seen.requests, left=uploads.left, unheard=uploads.unheard)


class Process:
    """A process of the package under test, from ``with`` to its end; a new one when it had to be ended.

    It is forked off a server that has imported the package and does nothing else, so it begins at once and clean.
    """

    def __enter__(self) -> Process:
        self._start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._executor.shutdown()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([subject.__name__])
        self._executor = ProcessPoolExecutor(1, mp_context=context)

    def prepare(self, options: dict[str, Any]) -> None:
        """Make the filesystem, so that what comes next is the operation alone."""
        self._executor.submit(subject.prepare, options).result()

    def load(self, options: dict[str, Any], seconds: float) -> Load:
        """Load a filesystem of its own."""
        return self._executor.submit(loads.run, options, seconds).result()

    def perform(self, operation: str) -> Outcome:
        """Run an operation; one that takes too long ends its process."""
        try:
            return self._executor.submit(subject.perform, operation).result()
        except BrokenProcessPool:
            self._start()
            return Outcome(subject.BOUND_SECONDS, raised=rows.OVERDUE, message=f"over {subject.BOUND_SECONDS:.0f} s")
