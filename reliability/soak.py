"""A long run in which nothing goes wrong: whether memory, descriptors and threads stay as they are."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median_low
from typing import Any

from benchmarks import data
from benchmarks.data import MIB
from benchmarks.measure import resident
from registry_s3fs import RegistryS3FileSystem
from reliability import contents, load, operations, store
from reliability.load import Tally, Worker, give_back
from testbed.scripted_store import ScriptedStore

THREADS = 8
WEIGHTS: dict[str, float] = {
    "read a range": 15, "read a blob": 24, "read its own file": 15, "look up": 14, "write": 12, "copy": 4, "rm": 5,
    "ls": 4, "open, read": 7, "stream in": 0.1, "stream out": 0.05, "read its own large file": 0.05,
}  # fmt: skip
"""How often each call comes, beside the others: small ones, and a large transfer now and then."""
SAMPLES = 200
WRITTEN_DOWN = 200_000
"""So many operations, and the run is kept."""
MOST_GROWTH_BYTES = 16 * MIB
"""By so much the memory in use may differ: calls in flight, among them large ones. A leak goes on growing."""
MOST_MORE_DESCRIPTORS = 8
MOST_MORE_THREADS = 4


@dataclass(frozen=True)
class Sample:
    """The process after so many operations."""

    operations: int
    resident_bytes: int
    """Without what the allocator keeps in case."""
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Soak:
    """What a run came to."""

    about: dict[str, str]
    server: str
    seconds: float
    calls: dict[str, int]
    wrong: int
    raised: dict[str, str]
    """Class of exceptions: the text of the first one."""
    samples: list[Sample]

    @property
    def operations(self) -> int:
        """How many, in all."""
        return sum(self.calls.values())


Measure = Callable[[Sample], int]
MEASURES: dict[str, tuple[Measure, int]] = {
    "memory in use, bytes": (lambda sample: sample.resident_bytes, MOST_GROWTH_BYTES),
    "descriptors": (lambda sample: sample.descriptors, MOST_MORE_DESCRIPTORS),
    "threads": (lambda sample: sample.threads, MOST_MORE_THREADS),
}
"""What must be flat, and how much more of it there may be in the last quarter than in the second."""


def usual(soak: Soak, quarter: int, measure: Measure) -> int:
    """The median of a quarter of the run, 0 to 3: what one call takes and gives back does not count."""
    length = soak.operations / 4
    within = [each for each in soak.samples if quarter * length <= each.operations <= (quarter + 1) * length]
    return median_low(map(measure, within))


def problems(soak: Soak) -> list[str]:
    """Why it did not go well, in words; none where it did."""
    found = [f"{soak.wrong} wrong"] if soak.wrong else []
    found += [f"raised {name}: {text}" for name, text in soak.raised.items()]
    for name, (measure, more) in MEASURES.items():
        second, last = usual(soak, 1, measure), usual(soak, 3, measure)
        if last > second + more:
            found.append(f"{name} grew from {second:,} to {last:,}")
    return found


def rows(soak: Soak) -> Iterator[list[str]]:
    """As a table: what, in the second quarter, in the last, the most that it may be there."""
    yield ["operations", "", f"{soak.operations:,}", ""]
    yield ["operations a second", "", f"{soak.operations / soak.seconds:,.0f}", ""]
    for name, (measure, more) in MEASURES.items():
        second, last = usual(soak, 1, measure), usual(soak, 3, measure)
        yield [name, f"{second:,}", f"{last:,}", f"{second + more:,}"]
    yield ["wrong bytes or names", "", f"{soak.wrong:,}", "0"]
    yield ["calls that raised", "", f"{len(soak.raised):,} kinds", "0"]


def run(count: int, folder: Path | None, about: dict[str, str]) -> Soak:
    """So many operations; on the simulator in a folder, or on a scripted store, each in a process of its own."""
    server = "the simulator" if folder else "the scripted store"
    with _simulator(folder) if folder else scripted_store() as options:
        fs = RegistryS3FileSystem(**options, skip_instance_cache=True)
        tally, started = Tally(), time.monotonic()
        samples = list(_worked(fs, count, tally))
        seconds = time.monotonic() - started
    return Soak(about, server, seconds, dict(tally.calls), tally.wrong, dict(tally.messages), samples)


def _worked(fs: RegistryS3FileSystem, count: int, tally: Tally) -> Iterator[Sample]:
    """Samples at even distances, while threads make the calls."""
    each = -(-count // THREADS)
    workers = [Worker(fs, number, WEIGHTS) for number in range(THREADS)]

    def work(worker: Worker) -> None:
        for name in WEIGHTS:  # whatever is made when it is first needed is there from the beginning
            worker.call(tally, name)
        for _ in range(each - len(WEIGHTS)):
            worker.call(tally)

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    following = 0
    while any(thread.is_alive() for thread in threads):
        done = sum(tally.calls.values())
        if done >= following:
            following = done + max(count // SAMPLES, 1)
            give_back()
            yield Sample(done, resident("VmRSS"), len(os.listdir("/proc/self/fd")), threading.active_count())
        time.sleep(0.02)


@contextmanager
def _simulator(folder: Path) -> Iterator[dict[str, Any]]:
    with store.running(folder) as simulator:
        store.fill(simulator)
        simulator.store_flat(load.FOLDER, load.LISTED)
        yield operations.options(simulator.access)


@contextmanager
def scripted_store() -> Iterator[dict[str, Any]]:
    """Storage options of a filesystem on a scripted store in another process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        options: dict[str, Any] = ours.recv()
        yield {**options, "chunksize": contents.CHUNK_BYTES, "config_kwargs": operations.CHECKSUMS}
    finally:
        ours.close()  # which ends it
        process.join()


def _serve(pipe: Connection) -> None:
    held = {contents.large_path().lstrip("/"): contents.large()}
    held |= {path.lstrip("/"): value for path, value in contents.small_blobs().items()}
    held |= dict.fromkeys(data.flat_keys(load.FOLDER, load.LISTED), b"")
    with ScriptedStore(held, log_limit=0) as running:
        pipe.send(running.options())
        pipe.poll(None)  # until the other end is closed
