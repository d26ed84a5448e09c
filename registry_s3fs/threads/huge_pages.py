"""Memory in large pages, where the system has them at hand.

Linux gives a process its memory page by page, at the first use. With pages of 4 KiB that costs more than all else that
is done to receive as many bytes. Where no large page is free, the system moves the pages of others about until one is,
which costs far more than small pages do. So each large page is asked for on its own, and the first slow one is the
last for a while. https://docs.kernel.org/admin-guide/mm/transhuge.html
"""

from __future__ import annotations

import mmap
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import _NamedFuncPointer, c_size_t, c_void_p

SMALLEST_BYTES = 4 * 2**20
"""Memory of fewer bytes is often the allocator's, which uses it again, and holds hardly a large page."""
PAGE_BYTES = 2 * 2**20
SLOW_S = 0.001
"""A large page that is free is there within 0.2 ms, and small pages for as many bytes within 0.5 ms."""
REST_S = 60.0


class Rest:
    """The time at which large pages are asked for again."""

    ends_at = 0.0


def touch(memory: memoryview, start: int, end: int) -> bool:
    """Have the system give the pages from `start` up to `end`, which are about to be filled, before they are needed.

    Args:
        memory: All of it, zeros that can be written to.
        start: The first byte, from the beginning of the memory.
        end: The byte after the last one.

    Returns:
        Whether large pages are worth asking for in the rest of the memory.
    """
    advise = madvise() if len(memory) >= SMALLEST_BYTES and time.monotonic() >= Rest.ends_at else None
    if advise is None:
        return False
    for at in range(start, end, PAGE_BYTES):
        first, length = _pages(memory, at, min(at + PAGE_BYTES, end))
        advise(first, length, mmap.MADV_HUGEPAGE)  # a refusal changes nothing
        began = time.thread_time()  # a wait for the processor, or for other threads, says nothing of pages
        memory[at] = 0
        if time.thread_time() - began > SLOW_S:
            Rest.ends_at = time.monotonic() + REST_S
            return False
    return True


def _pages(memory: memoryview, start: int, end: int) -> tuple[c_void_p, c_size_t]:
    """Return the address and the length of the pages that begin within a part; the one in which it ends is the last."""
    import ctypes

    with memory[start:end] as part:
        address = ctypes.addressof(ctypes.c_char.from_buffer(part))
    first = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
    return ctypes.c_void_p(first), ctypes.c_size_t(max(0, address + end - start - first))


@cache
def madvise() -> _NamedFuncPointer | None:
    """Return that function of the C library, or None where it, ctypes or the advice is missing."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).madvise
    except (ImportError, OSError, AttributeError):
        return None
