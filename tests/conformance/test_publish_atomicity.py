"""1,000 writes, of which a random half fail: what was finished is there, whole, and nothing else."""

from __future__ import annotations

import gc
import gzip
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.fakes import on_both

MIB = 1024 * 1024
WRITES = 1000
THREADS = 8
LARGE_EVERY = 100
"""One write in so many is of more than a chunk."""
FAILING = frozenset(random.Random(2).sample(range(WRITES), WRITES // 2))


class LostError(Exception):
    """What the writer of a file was stopped by."""


def through_fs(fs: RegistryS3FileSystem, path: str, mode: str, compression: str | None) -> Any:
    return fs.open(path, mode, block_size=5 * MIB, compression=compression)


def through_fsspec(fs: RegistryS3FileSystem, path: str, mode: str, compression: str | None) -> Any:
    options = {**fs.storage_options, "chunksize": 5 * MIB}
    return fsspec.open(fs.unstrip_protocol(path), mode, compression=compression, **options)


def write(fs: RegistryS3FileSystem, number: int) -> tuple[str, bytes | None]:
    """One write, drawn from its number alone; gives its path and the bytes that must be there, None if it failed."""
    draw = random.Random(number)
    text, compression = draw.random() < 0.5, draw.choice([None, None, "gzip"])
    opened: Callable[..., Any] = draw.choice([through_fs, through_fsspec])
    size = draw.randrange(5 * MIB, 8 * MIB) if number % LARGE_EVERY == 0 else draw.randrange(2000)
    data = draw.randbytes(size // 2).hex()
    stop = draw.randrange(len(data) + 1) if number in FAILING else None
    path = f"/{number % 7}/{number}" + (".gz" if compression else "")
    try:
        with opened(fs, path, "wt" if text else "wb", compression) as file:
            step = len(data) // 3 + 1
            for start in range(0, len(data), step):
                piece = data[start : start + step]
                if stop is not None and start + step > stop:
                    file.write(piece[: stop - start] if text else piece[: stop - start].encode())
                    raise LostError
                file.write(piece if text else piece.encode())
            if stop is not None:
                raise LostError
    except LostError:
        return path, None
    return path, data.encode()


@pytest.mark.promise("Whole or not at all")
@on_both
def test_of_1000_writes_exactly_the_finished_ones_exist(fs: RegistryS3FileSystem) -> None:
    """A file appears when it is closed, whole. Of writes that end or fail at random, exactly the finished ones exist.

    Files are binary, text and gzip, from fs.open and fsspec.open, in several threads. No upload is left behind.
    """
    with ThreadPoolExecutor(THREADS) as threads:
        results = dict(threads.map(lambda number: write(fs, number), random.Random(1).sample(range(WRITES), WRITES)))
    gc.collect()
    finished = {path: data for path, data in results.items() if data is not None}
    assert len(results) == WRITES
    assert len(finished) == WRITES / 2
    assert fs.find("/") == sorted(finished)
    found = fs.cat(list(finished))
    assert {path: gzip.decompress(data) if path.endswith(".gz") else data for path, data in found.items()} == finished
    large = [number in FAILING for number in range(0, WRITES, LARGE_EVERY)]
    assert {True, False} == set(large)
    assert sum(len(data) > 5 * MIB - 2 for data in finished.values()) == large.count(False)
    assert fs.list_multipart_uploads() == []
