"""Many threads on one filesystem, each with files of its own whose contents it knows, while S3 fails now and then."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import random
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks import data
from benchmarks.data import KIB, MIB
from benchmarks.measure import resident
from registry_s3fs import RegistryS3FileSystem
from reliability import contents
from reliability.rows import Load, Sample, wrong_bytes, wrong_names

CHANCE = 0.05
"""Of each request to be struck, by one of these."""
READ_TIMEOUT_S = 10.0
"""Longer than this machine may be busy with other things. A request that is given up for silence may still be carried
out, after the next ones: that is S3's nature, and no thread could know what its file holds."""
KINDS: tuple[tuple[float, dict[str, Any]], ...] = (
    (0.18, {"kind": "503"}),
    (0.18, {"kind": "500"}),
    (0.18, {"kind": "reset"}),
    (0.18, {"kind": "reset", "applied": True}),
    (0.18, {"kind": "truncate"}),
    (0.08, {"kind": "slow", "seconds": 0.5}),
    (0.02, {"kind": "stall", "seconds": 2 * READ_TIMEOUT_S}),  # each keeps a thread for that long
)
"""Share, and rule of the simulator."""
THREADS = 200
MAX_CONCURRENCY = 64
SAMPLED_EVERY_S = 0.5
ENDING_SECONDS = 60.0
"""How long calls that were begun may take to end."""
MOST_THREADS = THREADS + MAX_CONCURRENCY + 2
"""Those of the load, the filesystem's own, this one and the executor's."""
MOST_SOCKETS = 2 * (THREADS + MAX_CONCURRENCY) + 16
"""A connection of each kind (the fast path's and boto3's) for each thread; the rest are pipes to the parent."""
MOST_GROWTH_BYTES = 64 * MIB
"""Calls in flight differ by so much from one time to another; a leak would go on growing."""
MOST_LEFT_BYTES = 96 * MIB
"""After the end: stacks of the filesystem's threads, connections, caches."""
WEIGHTS = {
    "read a range": 24, "read a blob": 24, "read its own file": 16, "read its own large file": 4, "write": 12,
    "copy": 8, "rm": 6, "ls": 4, "stream in": 4, "stream out": 4,
}  # fmt: skip
"""How often each call comes, beside the others."""
LISTED = 200
FOLDER = f"{data.ROOT}/listed"
STREAM_BYTES = 6 * MIB
AT_ONCE = threading.Semaphore(16)
"""Calls on megabytes; the memory in use would otherwise be a matter of how many there happen to be."""


def rules() -> list[dict[str, Any]]:
    """The simulator's: the first that strikes decides, so the chances add up to nearly `CHANCE`."""
    ops = ("GetObject", "HeadObject", "PutObject", "ListObjectsV2", "DeleteObject", "CopyObject", "UploadPart")
    uploads = ("CreateMultipartUpload", "CompleteMultipartUpload", "AbortMultipartUpload")
    return [{**kind, "op": op, "probability": CHANCE * share} for op in (*ops, *uploads) for share, kind in KINDS]


class File:
    """A file of one thread, and what it may hold: one value, or several when a call on it has failed.

    Values are remembered by their digests, so that the memory measured is the filesystem's.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._possible = {_digest(None)}

    def change(self, value: bytes | None, call: Callable[[], Any]) -> None:
        """Make a call after which it holds `value` (None: nothing); if it fails, it may, or still hold what it did."""
        before, self._possible = self._possible, self._possible | {_digest(value)}
        call()
        self._possible -= before - {_digest(value)}

    def compare(self, got: bytes | None) -> int:
        """How many bytes of what was read are wrong, all of them if any; from now on, that is what it holds."""
        is_right = _digest(got) in self._possible
        self._possible = {_digest(got)}
        return 0 if is_right else max(1, len(got or b""))


def _digest(value: bytes | None) -> bytes:
    return b"" if value is None else hashlib.sha256(value).digest()


@dataclass
class Tally:
    """What the threads count."""

    calls: Counter[str] = field(default_factory=Counter)
    raised: Counter[str] = field(default_factory=Counter)
    messages: dict[str, str] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    wrong: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self, name: str, call: Callable[[], int]) -> None:
        """Make a call that gives its wrong bytes."""
        wrong, error = 0, None
        try:
            wrong = call()
        except Exception as raised:  # noqa: BLE001  # whatever is raised is a result
            error = raised
        with self.lock:
            self.calls[name] += 1
            self.wrong += wrong
            if error is not None:
                self.raised[type(error).__name__] += 1
                self.messages.setdefault(type(error).__name__, f"{name}: {error}"[:300])
                if not isinstance(error, OSError):
                    self.foreign.add(type(error).__name__)


class Worker:
    """One thread's user: it does one thing after the other."""

    def __init__(self, fs: RegistryS3FileSystem, number: int, weights: Mapping[str, float] = WEIGHTS) -> None:
        self._fs, self._weights = fs, weights
        self._random = random.Random(number)
        folder = f"/{data.WRITTEN}/{number:03}"
        self._small, self._copied, self._large = (File(f"{folder}/{name}") for name in ("small", "copied", "large"))
        self._calls: dict[str, Callable[[], int]] = {
            "read a range": self._read_range,
            "read a blob": self._read_blob,
            "read its own file": self._read_own,
            "read its own large file": self._few(lambda: self._read(self._large)[0]),
            "look up": self._look_up,
            "write": self._write,
            "copy": self._copy,
            "rm": self._remove,
            "ls": self._list,
            "open, read": self._open_and_read,
            "stream in": self._few(self._stream_in),
            "stream out": self._few(self._stream_out),
        }

    def work(self, tally: Tally, until: float) -> None:
        """Until the time has come."""
        while time.monotonic() < until:
            self.call(tally)

    def call(self, tally: Tally, name: str = "") -> None:
        """One call; by chance, unless its name is given."""
        chosen = name or self._random.choices(list(self._weights), list(self._weights.values()))[0]
        tally.attempt(chosen, self._calls[chosen])

    def _few(self, call: Callable[[], int]) -> Callable[[], int]:
        """The call, but a small read where there are enough of them."""

        def attempt() -> int:
            if not AT_ONCE.acquire(blocking=False):
                return self._read_blob()
            try:
                return call()
            finally:
                AT_ONCE.release()

        return attempt

    def _read_range(self) -> int:
        start = self._random.randrange(contents.LARGE_BYTES - contents.READ_BYTES)
        got = self._fs.cat_file(contents.large_path(), start, start + contents.READ_BYTES)
        return wrong_bytes(contents.large()[start : start + contents.READ_BYTES], got)

    def _read_blob(self) -> int:
        path = self._random.choice(list(contents.small_blobs()))
        return wrong_bytes(contents.small_blobs()[path], self._fs.cat_file(path))

    def _look_up(self) -> int:
        path = self._random.choice(list(contents.small_blobs()))
        return abs(int(self._fs.info(path)["size"]) - len(contents.small_blobs()[path]))

    def _open_and_read(self) -> int:
        path = self._random.choice(list(contents.small_blobs()))
        with self._fs.open(path, "rb") as file:
            return wrong_bytes(contents.small_blobs()[path], file.read())

    def _read_own(self) -> int:
        return self._read(self._random.choice([self._small, self._copied]))[0]

    def _write(self) -> int:
        value = self._random.randbytes(self._random.randrange(64 * KIB))
        self._small.change(value, lambda: self._fs.pipe_file(self._small.path, value))
        return 0

    def _copy(self) -> int:
        wrong, value = self._read(self._small)
        if value is not None and not wrong:
            self._copied.change(value, lambda: self._fs.cp_file(self._small.path, self._copied.path))
        return wrong

    def _read(self, file: File) -> tuple[int, bytes | None]:
        value: bytes | None = None
        with suppress(FileNotFoundError):
            value = self._fs.cat_file(file.path)
        return file.compare(value), value

    def _remove(self) -> int:
        file = self._random.choice([self._small, self._copied, self._large])
        if not self._fs.exists(file.path):
            return file.compare(None)
        file.change(None, lambda: self._fs.rm_file(file.path))
        return 0

    def _list(self) -> int:
        names = [f"/{key}" for key in data.flat_keys(FOLDER, LISTED)]
        return wrong_names(names, self._fs.ls(f"/{FOLDER}", detail=False))

    def _stream_in(self) -> int:
        start = MIB * self._random.randrange(contents.LARGE_BYTES // MIB - 2)
        with self._fs.open(contents.large_path(), "rb", block_size=512 * KIB) as file:
            file.seek(start)
            got = b"".join(file.read(512 * KIB) for _ in range(4))
        return wrong_bytes(contents.large()[start : start + 2 * MIB], got)

    def _stream_out(self) -> int:
        value = data.content(self._random.randrange(data.TILE_BYTES), STREAM_BYTES)

        def write() -> None:
            with self._fs.open(self._large.path, "wb") as file:
                file.write(value)

        self._large.change(value, write)
        return 0


def run(options: dict[str, Any], seconds: float) -> Load:
    """Load one filesystem for so long, in this process."""
    fs = RegistryS3FileSystem(**options, max_concurrency=MAX_CONCURRENCY)
    fs.info(contents.large_path())
    contents.small_blobs()
    give_back()
    tally, before, started = Tally(), resident("VmRSS"), time.monotonic()
    workers = [Worker(fs, number) for number in range(THREADS)]
    threads = [threading.Thread(target=worker.work, args=(tally, started + seconds), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    samples = []
    while time.monotonic() < started + seconds:
        time.sleep(SAMPLED_EVERY_S)
        samples.append(_sample(time.monotonic() - started))
    for thread in threads:
        thread.join(max(0.0, started + seconds + ENDING_SECONDS - time.monotonic()))
    gc.collect()
    give_back()
    return Load(
        THREADS, seconds, MOST_THREADS, MOST_SOCKETS, MOST_GROWTH_BYTES, MOST_LEFT_BYTES,
        calls=dict(tally.calls), raised=dict(tally.raised), foreign=tuple(sorted(tally.foreign)), wrong=tally.wrong,
        stuck=sum(thread.is_alive() for thread in threads), samples=samples, messages=tally.messages,
        peak_bytes=resident("VmHWM"), left_bytes=resident("VmRSS") - before,
    )  # fmt: skip


def _sample(second: float) -> Sample:
    give_back()
    return Sample(round(second, 1), resident("VmRSS"), threading.active_count(), _sockets())


def give_back() -> None:
    """Have glibc return the memory that nobody uses, which it keeps in case; what is left is in use."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # closed meanwhile
            found += stat.S_ISSOCK(os.stat(f"/proc/self/fd/{name}").st_mode)
    return found
