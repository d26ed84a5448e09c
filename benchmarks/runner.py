"""Runs every peer on every workload, in turns, each time in a new process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import ClientError

from benchmarks import data
from benchmarks.baseline import Baseline
from benchmarks.endpoints import Endpoint
from benchmarks.measure import READY, Task
from benchmarks.peers import OURS
from benchmarks.peers.base import Access
from benchmarks.profiles import Profile, Sizes
from benchmarks.results import Record
from benchmarks.stored import check_stored, fill
from benchmarks.workloads import BY_NAME, Case, Workload, WrongResultError, files_of

BOUND_SECONDS = 30.0
FAR_SECONDS, FAR_TIMES = 2.0, 4
"""A peer whose best round took longer than this, and so many times as long as our worst, is not measured again."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    profile: Profile
    peers: Sequence[str]
    workloads: Sequence[str]
    rounds: int
    baseline: Baseline | None = None
    """Which of the peers is an earlier commit, if one is."""


def run(plan: Plan, endpoint: Endpoint) -> list[Record]:
    """All records, in the order of measuring."""
    with _scratch(plan.profile.sizes) as case:
        fill(endpoint, plan.profile.sizes)
        bench, records = Bench(endpoint, case, plan.profile.knobs, plan.baseline), list[Record]()
        for number in range(plan.rounds):
            for name in plan.workloads:
                for peer in turns(plan.peers, number):
                    if not is_settled(records, peer, name):
                        records.append(bench.record(peer, BY_NAME[name], is_first=number == 0))
                        print(f"round {number + 1}: {records[-1]}", file=sys.stderr)
    return records


def is_settled(records: Sequence[Record], peer: str, workload: str) -> bool:
    """Whether a peer needs no further round: it failed, or even its best one is far behind our worst."""
    earlier = [each for each in records if (each.peer, each.workload) == (peer, workload)]
    ours = [each.seconds for each in records if (each.peer, each.workload) == (OURS, workload) and not each.failure]
    far = max(FAR_SECONDS, FAR_TIMES * max(ours)) if ours else BOUND_SECONDS
    return any(each.failure for each in earlier) or min((each.seconds for each in earlier), default=0.0) > far


def turns(peers: Sequence[str], number: int) -> list[str]:
    """The peers' order in a round: another one begins each time.

    >>> turns(["a", "b", "c"], 4)
    ['b', 'c', 'a']
    """
    first = number % len(peers)
    return [*peers[first:], *peers[:first]]


@contextmanager
def _scratch(sizes: Sizes) -> Iterator[Case]:
    with tempfile.TemporaryDirectory(prefix="registry-s3fs-benchmark-") as folder:
        case = Case(sizes, Path(folder))
        with open(case.source, "wb") as file:
            file.writelines(data.blocks(sizes.large_bytes))
        for key, size in (pair for each in (data.MANY, data.MIXED) for pair in files_of(sizes, each).items()):
            os.makedirs(os.path.dirname(case.local(key)), exist_ok=True)
            Path(case.local(key)).write_bytes(data.file_content(key, size))
        yield case


@dataclass(frozen=True)
class Bench:
    """An endpoint that has been filled, and how slow it is while something is measured."""

    endpoint: Endpoint
    case: Case
    knobs: Mapping[str, float]
    baseline: Baseline | None = None

    def record(self, peer: str, workload: Workload, *, is_first: bool) -> Record:
        """Measure once.

        To keep a large upload costs the simulator as much as to receive it. So it is kept and compared in a rehearsal,
        before the first round; when it is measured, only its size is kept.
        """
        if not (workload.is_large_upload and self.endpoint.can_drop_bodies):
            return self._run(peer, workload, {**self.knobs, **dict(workload.knobs)})
        if is_first:
            rehearsal = self._run(peer, workload, {})
            if rehearsal.failure:
                return rehearsal
        return self._run(peer, workload, {**self.knobs, "keepBodies": False})

    def _run(self, peer: str, workload: Workload, knobs: Mapping[str, float]) -> Record:
        if workload.deletes:
            self.endpoint.store_flat(data.DOOMED, self.case.sizes.small)
        self.case.begin()
        name, command = self._started(peer)
        task = Task(name, workload.name, self.endpoint.access, self.case.sizes, str(self.case.scratch), BOUND_SECONDS)
        requests: dict[str, int] = {}
        # From the start of the process on: a client may learn from its first request how far the server is.
        with self.endpoint.configured(knobs):
            answer = _answer(command, task, self.endpoint.counting(requests))
        if "failure" not in answer:
            answer |= self._failure(workload, is_kept=knobs.get("keepBodies", True) is True)
        self.endpoint.delete([data.WRITTEN, *self.endpoint.keys(data.WRITTEN), *self.endpoint.keys(data.DOOMED)])
        return Record(peer=peer, workload=workload.name, requests=requests, **answer)

    def _started(self, peer: str) -> tuple[str, list[str]]:
        """Which client a peer is, and the command that measures it."""
        if self.baseline and peer == self.baseline.name:
            return OURS, self.baseline.command()
        return peer, [sys.executable, "-m", "benchmarks.measure"]

    def _failure(self, workload: Workload, *, is_kept: bool) -> dict[str, str]:
        try:
            check_stored(self.endpoint, self.case, workload, is_kept=is_kept)
        except (WrongResultError, ClientError) as error:  # or it is not there at all
            return {"failure": f"wrong result: {error}"}
        return {}


def _answer(command: list[str], task: Task, started: AbstractContextManager[Any]) -> dict[str, Any]:
    """What a new process answers; `started` is entered when it is ready to be measured."""
    with tempfile.TemporaryFile("w+") as errors, _process(command, task.access, errors) as process:
        lines = _talk(process, task, started)
        status = process.wait()
        errors.seek(0)
        return _read(status, lines, errors.read(), task)


def _process(command: list[str], access: Access, errors: IO[str]) -> subprocess.Popen[str]:
    pipe, env = subprocess.PIPE, environment(access.authority)
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=env)


def _talk(process: subprocess.Popen[str], task: Task, started: AbstractContextManager[Any]) -> list[str]:
    assert process.stdin
    assert process.stdout
    print(task.to_json(), file=process.stdin, flush=True)
    first = process.stdout.readline().strip()
    if first != READY:
        return [first]
    with started:
        print("go", file=process.stdin, flush=True)
        return [first, *process.stdout.read().splitlines()]


def _read(status: int, lines: list[str], errors: str, task: Task) -> dict[str, Any]:
    if status == -signal.SIGALRM and lines[0] == READY:
        return {"failure": f"over {task.bound_seconds:.0f} s", "seconds": task.bound_seconds}
    if status:
        return {"failure": f"ended with status {status}: {errors.strip()[-300:]}"}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def environment(authority: str = "") -> dict[str, str]:
    """Without what would give one peer other settings than the next.

    A certificate authority's file is named for the peers that are built on botocore; the others' modules tell them.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    trusted = {"AWS_CA_BUNDLE": authority} if authority else {}
    return {**kept, **trusted, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
