"""One measurement, in a process of its own: ``python -m benchmarks.measure``.

It reads a `Task` as a line of JSON, sets the peer up, has it send one request, and says "ready". At the next line it
measures, and answers with a line of JSON: `Sample`, or ``{"failure": ...}``. A workload that takes longer than its
bound ends the process by SIGALRM, wherever it is.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.peers import connect
from benchmarks.peers.base import Access, Peer
from benchmarks.profiles import Sizes
from benchmarks.workloads import BY_NAME, Case, Workload

STATUS = Path("/proc/self/status")
RESET_PEAK = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Task:
    """What to measure, on what."""

    peer: str
    workload: str
    access: Access
    sizes: Sizes
    scratch: str
    bound_seconds: float

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Back from `to_json`."""
        fields = json.loads(text)
        return cls(**{**fields, "access": Access(**fields["access"]), "sizes": Sizes(**fields["sizes"])})

    def to_json(self) -> str:
        """Everything, the keys to the bucket included."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Sample:
    """What one run of a workload took."""

    seconds: float
    cpu_seconds: float
    """User and system time of the whole process."""
    peak_bytes: int | None
    """Most resident memory beyond that when the clock started; None where the system does not tell."""


READY = "ready"


def main() -> None:
    """Measure what stdin says."""
    try:
        answer: dict[str, Any] = asdict(measure(Task.from_json(sys.stdin.readline())))
    except Exception as error:  # noqa: BLE001  # whatever a peer raises is its result
        answer = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]}
    print(json.dumps(answer), flush=True)
    os._exit(0)  # threads of a peer in trouble would keep the process


def measure(task: Task) -> Sample:
    """Set up, wait for the start, run within the bound, check."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, task.bound_seconds)
    peer, workload = connect(task.peer, task.access), BY_NAME[task.workload]
    peer.info([data.ANY])  # clients are made, modules loaded and connections opened when they are first needed
    case = Case(task.sizes, Path(task.scratch))
    inputs = workload.inputs(case)
    print(READY, flush=True)
    if not sys.stdin.readline():
        raise EOFError("the benchmark has ended")
    sample, result = _timed(peer, workload, case, inputs, task.bound_seconds)
    workload.check(case, result)
    return sample


def _timed(peer: Peer, workload: Workload, case: Case, inputs: Any, bound_seconds: float) -> tuple[Sample, Any]:
    before = _start_of_peak()
    signal.setitimer(signal.ITIMER_REAL, bound_seconds)
    started, cpu = time.perf_counter(), time.process_time()
    result = workload.run(peer, case, inputs)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    signal.setitimer(signal.ITIMER_REAL, 0)
    return Sample(seconds, cpu_seconds, None if before is None else resident("VmHWM") - before), result


def _start_of_peak() -> int | None:
    """Bytes resident now, from where the kernel is to remember the most."""
    try:
        RESET_PEAK.write_text("5")  # man 5 proc: resets VmHWM
    except OSError:
        return None
    return resident("VmRSS")


def resident(name: str) -> int:
    """Bytes of memory, by their name in the kernel's status of this process: VmRSS, or VmHWM for the most so far."""
    found = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
