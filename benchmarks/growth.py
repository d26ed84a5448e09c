"""``python -m benchmarks.growth``: what large numbers cost, each at three sizes, and the law that the cost follows.

With the simulator (`S3SIM` names its folder), the table is written into docs/performance.md. Otherwise it is printed,
of a hundredth of the keys, on moto's server.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import data, endpoints, report
from benchmarks.data import KIB, MIB
from benchmarks.endpoints import Endpoint
from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model import ranges
from registry_s3fs.model.text import size_text

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN = "<!-- growth: written by `python -m benchmarks.growth` -->"
GIB, TIB = 1024 * MIB, 1024 * 1024 * MIB
CHUNK_BYTES = 10 * MIB


@dataclass(frozen=True)
class Growth:
    """Something that is done at several sizes."""

    what: str
    sizes: Sequence[int]
    shown: Callable[[int], str]
    run: Callable[[RegistryS3FileSystem, int], Any]
    """It gives what is kept in memory."""
    law: str
    unit: str = ""
    """What time and memory are divided by; empty: by nothing."""


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    seconds: float
    kept_bytes: int
    peak_bytes: int


def main() -> None:
    """Measure each, print the table, and write it down where all of it was measured."""
    folder = endpoints.simulator_folder()
    with endpoints.simulator(folder) if folder else endpoints.moto() as endpoint:
        text = table(endpoint, largest=1_000_000 if folder else 10_000)
    print(text)
    if folder:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(report.inserted(page, text, begin=BEGIN), encoding="utf-8")


def table(endpoint: Endpoint, largest: int) -> str:
    """The table, with up to so many keys."""
    keys = [largest // 100, largest // 10, largest]
    for count in keys:
        endpoint.store_flat(folder_of(count), count)
    fs = filesystem(endpoint)
    fs.exists("/any")  # clients are made and modules loaded when they are first needed
    rows = [row(each, fs) for each in growths(keys, endpoint)]
    return report.markdown(["what", "sizes", "time", "memory kept", "most memory", "law"], rows)


def filesystem(endpoint: Endpoint, rootdirectory: str = "") -> RegistryS3FileSystem:
    """A filesystem of its own, which no other call is given."""
    access = endpoint.access
    return RegistryS3FileSystem(
        bucket=access.bucket, region=access.region, regionendpoint=access.endpoint, rootdirectory=rootdirectory,
        accesskey=access.access_key, secretkey=access.secret_key, skip_instance_cache=True,
    )  # fmt: skip


def folder_of(count: int) -> str:
    """The folder with so many keys."""
    return f"{data.ROOT}/growth/{count}"


def growths(keys: Sequence[int], endpoint: Endpoint) -> list[Growth]:
    """All that is measured."""
    objects = (5 * GIB, 512 * GIB, 5 * TIB)
    return [
        Growth(
            "the parts of an upload of known size", objects, size_text,
            lambda fs, size: ranges.split_for_upload(size, CHUNK_BYTES), "at most 10,000 parts, whatever the size",
        ),
        Growth(
            "the pieces of a read, of which the first 1,000 are taken", objects, size_text,
            lambda fs, size: [piece for piece, _ in zip(ranges.Pieces(0, size), range(1_000), strict=False)][:0],
            "constant: each is cut when its turn comes",
        ),
        Growth("`find`", keys, number_text, lambda fs, count: fs.find(f"/{folder_of(count)}"),
               "linear in the keys that are returned", "key"),
        Growth("`find(detail=True)`", keys, number_text, lambda fs, count: fs.find(f"/{folder_of(count)}", detail=True),
               "linear in the keys that are returned", "key"),
        Growth("`iter_find`, each page forgotten", keys, number_text,
               lambda fs, count: sum(map(len, fs.iter_find(f"/{folder_of(count)}"))),
               "time linear in the keys; the pages that wait, and 8 bytes a key, as this is no AWS",
               "key"),
        Growth("files open for reading", (100, 1_000, 10_000), number_text,
               lambda fs, count: [fs.open(f"/{folder_of(keys[0])}/000000", "rb") for _ in range(count)],
               "linear: no thread, no connection, no buffer before the first read", "file"),
        Growth("files open for writing, 1 KiB in each", (100, 1_000, 10_000), number_text,
               lambda fs, count: [_written(fs, number) for number in range(count)],
               "linear: the bytes written, up to a part each", "file"),
        Growth("filesystems, one `rootdirectory` each", (10, 100, 1_000), number_text,
               lambda fs, count: [filesystem(endpoint, f"root/{number}") for number in range(count)],
               "linear: they share one boto3 client, its connections and threads", "filesystem"),
    ]  # fmt: skip


def _written(fs: RegistryS3FileSystem, number: int) -> Any:
    file = fs.open(f"/{data.WRITTEN}/{number}", "wb")
    file.write(bytes(KIB))
    return file


def row(growth: Growth, fs: RegistryS3FileSystem) -> list[str]:
    """A row of the table, with a figure for each size."""
    costs = [cost(growth, fs, size) for size in growth.sizes]
    divisors = [size if growth.unit else 1 for size in growth.sizes]
    per = f" a {growth.unit}" if growth.unit else ""

    def cell(text: Callable[[float], str], of: Callable[[Cost], float]) -> str:
        return ", ".join(text(of(each) / by) for each, by in zip(costs, divisors, strict=True)) + per

    times, kept = cell(time_text, lambda each: each.seconds), cell(_memory_text, lambda each: each.kept_bytes)
    return [
        growth.what, ", ".join(map(growth.shown, growth.sizes)), times, kept,
        ", ".join(size_text(each.peak_bytes) for each in costs), growth.law,
    ]  # fmt: skip


def cost(growth: Growth, fs: RegistryS3FileSystem, size: int) -> Cost:
    """Run twice: for the time, and for the memory, whose counting takes time."""
    began = time.perf_counter()
    kept = growth.run(fs, size)
    seconds = time.perf_counter() - began
    _forget(kept)
    del kept
    with _counted() as count:
        kept = growth.run(fs, size)
        found = count()
    _forget(kept)
    return Cost(seconds, *found)


def _forget(kept: Any) -> None:
    """Throw away what was written."""
    for each in kept if isinstance(kept, list) else ():
        if hasattr(each, "discard"):
            each.discard()


@contextmanager
def _counted() -> Iterator[Callable[[], tuple[int, int]]]:
    gc.collect()
    tracemalloc.start()
    try:
        yield _memory
    finally:
        tracemalloc.stop()


def _memory() -> tuple[int, int]:
    gc.collect()
    now, most = tracemalloc.get_traced_memory()
    return now, most


def number_text(count: int) -> str:
    """
    >>> number_text(100_000)
    '100,000'
    """
    return f"{count:,}"


def time_text(seconds: float) -> str:
    """
    >>> time_text(0.0000123), time_text(0.0123), time_text(1.23)
    ('12 us', '12 ms', '1.2 s')
    """
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.0f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} us"


def _memory_text(count: float) -> str:
    return size_text(round(count))


if __name__ == "__main__":
    main()
