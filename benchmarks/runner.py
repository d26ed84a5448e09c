"""Runs every peer on every workload, in turns, each time in a new process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.endpoints import Endpoint
from benchmarks.measure import Task
from benchmarks.profiles import Profile, Sizes
from benchmarks.results import Record
from benchmarks.workloads import BY_NAME, Case, Workload, WrongResultError, expect

BOUND_SECONDS = 30.0
GRACE_SECONDS = 60.0
"""For start, set-up and check, beyond the bound."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    profile: Profile
    peers: Sequence[str]
    workloads: Sequence[str]
    rounds: int


def run(plan: Plan, endpoint: Endpoint) -> list[Record]:
    """All records, in the order of measuring. A peer that failed at a workload is not asked again."""
    with _scratch(plan.profile.sizes) as case:
        fill(endpoint, plan.profile.sizes)
        records: list[Record] = []
        for number in range(plan.rounds):
            for name in plan.workloads:
                for peer in turns(plan.peers, number):
                    if not any(each.failure and (each.peer, each.workload) == (peer, name) for each in records):
                        records.append(_one(plan.profile, endpoint, case, peer, BY_NAME[name]))
                        print(f"round {number + 1}: {records[-1]}", file=sys.stderr)
    return records


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
        yield case


def fill(endpoint: Endpoint, sizes: Sizes) -> None:
    """Store what is read."""
    endpoint.store_large(data.LARGE, sizes.large_bytes)
    endpoint.store_large(data.COPY_SOURCE, sizes.copy_bytes)
    endpoint.store(data.small(sizes.small, sizes.small_bytes))
    endpoint.store_flat(data.FLAT, sizes.flat)
    endpoint.store_tree(data.TREE, sizes.tree, sizes.repositories)
    endpoint.store_tree(data.WALKED, sizes.tree, sizes.repositories)


def _one(profile: Profile, endpoint: Endpoint, case: Case, peer: str, workload: Workload) -> Record:
    if workload.deletes:
        endpoint.store_flat(data.DOOMED, case.sizes.small)
    task = Task(peer, workload.name, endpoint.access, case.sizes, str(case.scratch), BOUND_SECONDS)
    with endpoint.measured({**profile.knobs, **dict(workload.knobs)}) as requests:
        answer = _in_a_process(task)
    if "failure" not in answer:
        try:
            _check_stored(endpoint, case, workload)
        except WrongResultError as error:
            answer = {"failure": f"wrong result: {error}"}
    endpoint.delete([data.WRITTEN, *endpoint.keys(data.WRITTEN), *endpoint.keys(data.DOOMED)])
    return Record(peer=peer, workload=workload.name, requests=requests, **answer)


def _in_a_process(task: Task) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.measure"]
    try:
        done = subprocess.run(
            command, input=task.to_json(), capture_output=True, text=True, check=False,
            env=_environment(), timeout=task.bound_seconds + GRACE_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"failure": "does not end", "seconds": task.bound_seconds}
    if done.returncode == -signal.SIGALRM:
        return {"failure": f"over {task.bound_seconds:.0f} s", "seconds": task.bound_seconds}
    if done.returncode:
        return {"failure": f"ended with status {done.returncode}: {done.stderr.strip()[-300:]}"}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _environment() -> dict[str, str]:
    """Without what would give one peer other settings than the next."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}


def _check_stored(endpoint: Endpoint, case: Case, workload: Workload) -> None:
    for key, size in workload.written(case).items():
        expect(data.matches(endpoint.read(key), size), f"{key} does not hold the {size} bytes")
    if workload.small_written:
        written = endpoint.keys(data.WRITTEN)
        expect(len(written) == case.sizes.small, f"{len(written)} objects instead of {case.sizes.small}")
        for number, key in list(enumerate(written))[:: max(1, len(written) // 50)]:
            right = data.content(number * case.sizes.small_bytes, case.sizes.small_bytes)
            expect(b"".join(endpoint.read(key)) == right, f"{key} holds other bytes")
    if workload.deletes:
        left = [key for key in endpoint.keys(data.DOOMED) if not key.endswith("/")]  # pyarrow leaves a folder's marker
        expect(not left, f"{len(left)} objects are still there")
