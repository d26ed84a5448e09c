"""Memory in large pages."""

from __future__ import annotations

import itertools
import mmap
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from registry_s3fs.threads import huge_pages
from registry_s3fs.threads.buffers import Memory


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(huge_pages.Rest, "ends_at", 0.0)
    looked_up = huge_pages.madvise
    looked_up.cache_clear()
    yield
    looked_up.cache_clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """What the system was told: first byte, number of bytes, advice."""
    told: list[tuple[int, int, int]] = []

    def noted(first: Any, count: Any, advice: int) -> None:
        told.append((first.value, count.value, advice))

    monkeypatch.setattr(huge_pages, "madvise", lambda: noted)
    return told


@pytest.mark.parametrize("offset", [0, 1, mmap.PAGESIZE - 1])
def test_the_advice_begins_with_a_page_of_the_memory(asked: list[tuple[int, int, int]], offset: int) -> None:
    """The system takes whole pages alone, and refuses an address within one."""
    import ctypes

    memory = bytearray(huge_pages.SMALLEST_BYTES + mmap.PAGESIZE)
    with memoryview(memory)[offset:] as view:
        huge_pages.touch(view, 0, huge_pages.PAGE_BYTES)
        address = ctypes.addressof(ctypes.c_char.from_buffer(view))
    first, count, advice = asked[0]
    assert first % mmap.PAGESIZE == 0
    assert 0 <= first - address < mmap.PAGESIZE
    assert first + count == address + huge_pages.PAGE_BYTES
    assert advice == mmap.MADV_HUGEPAGE


def test_only_bytes_that_are_about_to_be_filled_are_touched(
    asked: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may have been filled by now."""
    monkeypatch.setattr(huge_pages, "SLOW_S", float("inf"))
    size, page = huge_pages.SMALLEST_BYTES, huge_pages.PAGE_BYTES
    memory = bytearray(b"x" * size)
    assert huge_pages.touch(memoryview(memory), page - 1, size - 1)
    assert [at for at, value in enumerate(memory) if value == 0] == [page - 1]


def test_parts_that_follow_each_other_leave_no_page_out(
    asked: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of 2 MiB need all their memory advised, wherever the parts begin."""
    monkeypatch.setattr(huge_pages, "SLOW_S", float("inf"))
    memory = memoryview(bytearray(8 * 2**20 + 1))
    edges = [1, 3_000_001, 3_000_002, 6_123_456, len(memory)]
    for start, end in itertools.pairwise(edges):
        assert huge_pages.touch(memory, start, end)
    told = [(first, first + count) for first, count, _ in asked if count]
    for (_, end), (start, _) in itertools.pairwise(told):
        assert -(-end // mmap.PAGESIZE) * mmap.PAGESIZE == start


def test_one_slow_page_is_the_last(asked: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The system had none free. For a while no memory asks for any, and then it is tried again."""
    now = 1000.0
    clock = SimpleNamespace(monotonic=lambda: now, thread_time=time.thread_time)
    monkeypatch.setattr(huge_pages, "time", clock)
    monkeypatch.setattr(huge_pages, "SLOW_S", -1.0)
    size = 3 * huge_pages.PAGE_BYTES
    memory, other, later = Memory(size), Memory(size), Memory(size)
    memory.touch(0, size)
    other.touch(0, size)
    assert len(asked) == 1
    now += huge_pages.REST_S
    memory.touch(0, size)
    assert len(asked) == 1
    later.touch(0, size)
    assert len(asked) == 2


def test_little_memory_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the allocator's, and may hold what others wrote."""
    monkeypatch.setattr(huge_pages, "madvise", lambda: pytest.fail("advised"))
    memory = Memory(huge_pages.SMALLEST_BYTES - 1)
    memory.touch(0, huge_pages.SMALLEST_BYTES - 1)
    assert memory.data() == bytes(huge_pages.SMALLEST_BYTES - 1)


@pytest.mark.parametrize("lacking", ["advice", "ctypes", "library"])
def test_memory_is_there_without_it(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    """On other systems, with a Python that has no ctypes, and with a C library that does not know the function."""
    if lacking == "advice":
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    elif lacking == "ctypes":
        monkeypatch.setitem(sys.modules, "ctypes", None)
    else:
        monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert huge_pages.madvise() is None
    memory = Memory(huge_pages.SMALLEST_BYTES)
    memory.touch(0, huge_pages.SMALLEST_BYTES)
    with memory.view() as view:
        view[-1:] = b"x"
    assert memory.data()[-2:] == b"\x00x"


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="only Linux takes this advice")
def test_the_system_takes_the_advice() -> None:
    """The call succeeds on memory that Python gives."""
    import ctypes

    call = huge_pages.madvise()
    assert call is not None
    memory = memoryview(bytearray(2 * huge_pages.SMALLEST_BYTES))
    first = -(-ctypes.addressof(ctypes.c_char.from_buffer(memory)) // mmap.PAGESIZE) * mmap.PAGESIZE
    assert call(ctypes.c_void_p(first), ctypes.c_size_t(huge_pages.SMALLEST_BYTES), mmap.MADV_HUGEPAGE) == 0
