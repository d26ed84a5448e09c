"""The cache of a file open for reading: right bytes always, ranges ahead of a stream, nothing more for random reads."""

from __future__ import annotations

import random
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.files.read_ahead import LEAST_BYTES, RANGES_AHEAD, PrefetchCache
from registry_s3fs.threads.pool import TaskCancelledError

MIB = 1024 * 1024


class Fetches:
    """Gives ranges of some data and notes which; `submit` runs at once or, if told, only when waited for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, start: int, end: int) -> bytes:
        assert 0 <= start < end <= len(self.data)
        self.ranges.append((start, end))
        return self.data[start:end]

    def submit(self, call: Any, *args: int) -> Future[bytes]:
        future: Future[bytes] = Future()
        future.set_result(call(*args))
        return future

    def cache(self, blocksize: int) -> PrefetchCache:
        return PrefetchCache(blocksize, self, len(self.data), submit=self.submit)


def read(cache: PrefetchCache, start: int, end: int) -> bytes:
    """Read as fsspec's file does."""
    data: bytes = cache._fetch(start, end)
    return data


@given(
    st.integers(0, 300), st.integers(1, 40), st.lists(st.tuples(st.integers(0, 310), st.integers(0, 60)), max_size=30)
)
def test_the_bytes_are_those_asked_for(size: int, blocksize: int, reads: list[tuple[int, int]]) -> None:
    """Whatever is read in whatever order, and runs of reads that follow one another."""
    fetches = Fetches(random.Random(size).randbytes(size))
    cache = fetches.cache(blocksize)
    for start, length in reads:
        for at in (start, start + length, start + 2 * length):
            assert read(cache, at, at + length) == fetches.data[at : at + length]


def test_random_reads_are_one_request_each_of_their_own_bytes() -> None:
    """No more, and no byte beyond them."""
    fetches = Fetches(bytes(64 * MIB))
    cache = fetches.cache(4 * MIB)
    wanted = [(at * MIB, at * MIB + LEAST_BYTES) for at in random.Random(1).sample(range(0, 64, 2), 30)]
    for start, stop in wanted:
        read(cache, start, stop)
    assert fetches.ranges == wanted


def test_a_small_read_brings_what_lies_around() -> None:
    """64 KiB take no longer than a byte; the reads that follow in them cost nothing."""
    fetches = Fetches(bytes(MIB))
    cache = fetches.cache(4 * MIB)
    for start in (500_000, 500_010, 530_000, 500_000):
        read(cache, start, start + 10)
    assert fetches.ranges == [(500_000, 500_000 + LEAST_BYTES)]


@pytest.mark.parametrize("step", [8192, MIB, 5 * MIB + 1])
def test_a_stream_is_fetched_once_in_large_ranges(step: int) -> None:
    """Each byte comes once; a stream of many small reads is few requests."""
    fetches = Fetches(random.Random(2).randbytes(100 * MIB))
    cache = fetches.cache(4 * MIB)
    got = b"".join(read(cache, at, at + step) for at in range(0, 100 * MIB, step))
    assert got == fetches.data
    assert sum(end - start for start, end in fetches.ranges) == 100 * MIB
    assert len(fetches.ranges) <= 26
    assert max(end - start for start, end in fetches.ranges) == 4 * MIB


def test_no_more_is_held_than_promised() -> None:
    """At most the range at hand and `RANGES_AHEAD` more."""
    fetches = Fetches(bytes(200 * MIB))
    cache = fetches.cache(4 * MIB)
    for at in range(0, 150 * MIB, MIB):
        read(cache, at, at + MIB)
        assert sum(end - start for start, end in fetches.ranges) - at <= (RANGES_AHEAD + 1) * 4 * MIB


def test_two_reads_at_the_start_do_not_begin_a_stream_yet() -> None:
    """Whoever looks at a header pays for a header."""
    fetches = Fetches(bytes(100 * MIB))
    cache = fetches.cache(4 * MIB)
    read(cache, 0, 100)
    read(cache, 100, 200)
    assert fetches.ranges == [(0, LEAST_BYTES)]


def test_a_seek_ends_the_stream() -> None:
    """What was fetched ahead is given up; the next read is exact."""
    fetches = Fetches(bytes(200 * MIB))
    cache = fetches.cache(4 * MIB)
    read(cache, 0, MIB)
    before = len(fetches.ranges)
    read(cache, 190 * MIB, 190 * MIB + MIB)
    assert fetches.ranges[before:] == [(190 * MIB, 191 * MIB)]


def test_a_failed_range_is_fetched_again() -> None:
    """An error reaches the read that needs the bytes, and does not stick."""
    fetches = Fetches(b"x" * 10 * MIB)
    failing = [True]

    def fetch(start: int, end: int) -> bytes:
        if failing[0]:
            raise TimeoutError
        return fetches(start, end)

    def submit(call: Any, *args: int) -> Future[bytes]:
        future: Future[bytes] = Future()
        try:
            future.set_result(call(*args))
        except TimeoutError as error:
            future.set_exception(error)
        return future

    cache = PrefetchCache(4 * MIB, fetch, 10 * MIB, submit=submit)
    with pytest.raises(TimeoutError):
        read(cache, 0, MIB)
    failing[0] = False
    assert read(cache, 0, MIB) == b"x" * MIB


def test_a_streams_memory_is_used_again() -> None:
    """As much as the ranges held at once, however long the stream; and no byte of one is taken for another's."""
    data = random.Random(2).randbytes(64 * MIB)
    used: dict[int, object] = {}

    def fetch_into(view: memoryview, start: int) -> None:
        used[id(view.obj)] = view.obj
        view[:] = data[start : start + len(view)]

    fetches = Fetches(data)
    cache = PrefetchCache(MIB, fetches, len(data), submit=fetches.submit, fetch_into=fetch_into)
    steps = [(at, min(at + 700_000, len(data))) for at in range(0, len(data), 700_000)]
    assert b"".join(read(cache, *step) for step in steps) == data
    assert len(used) <= RANGES_AHEAD + 1
    assert fetches.ranges == []


class Late:
    """Does the first call at once, and no other one for now."""

    def __init__(self) -> None:
        self.futures: list[Future[None]] = []

    def submit(self, call: Any, *args: Any) -> Future[None]:
        future: Future[None] = Future()
        self.futures.append(future)
        if len(self.futures) == 1:
            future.set_result(call(*args))
        return future


def test_a_closed_file_gives_up_what_it_fetches_ahead(fs: RegistryS3FileSystem) -> None:
    """Whatever fsspec does with the cache of a file that is closed."""
    fs.pipe_file("/f", bytes(20 * MIB))
    late = Late()
    file = fs.open("/f", block_size=MIB, cache_options={"submit": late.submit})
    file.read(MIB)
    file.close()
    assert len(late.futures) > 1
    assert all(future.cancelled() for future in late.futures[1:])


def test_what_was_fetched_ahead_before_a_fork_is_fetched_again() -> None:
    """The thread that was at it is the parent's."""
    late, data = Late(), random.Random(3).randbytes(4 * MIB)
    fetches = Fetches(data)
    threads = [late]
    cache = PrefetchCache(MIB, fetches, len(data), submit=lambda *call: threads[-1].submit(*call))
    assert read(cache, 0, MIB) == data[:MIB]
    for future in late.futures[1:]:
        future.set_exception(TaskCancelledError())
    threads.append(fetches)
    assert read(cache, MIB, 4 * MIB) == data[MIB:]
