"""The cache of a file open for reading. It notices sequential reads and fetches some byte ranges ahead of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NamedTuple

from fsspec.caching import BaseCache

from registry_s3fs.threads.buffers import Memory, memory
from registry_s3fs.threads.call_stack import must_not_wait
from registry_s3fs.threads.pool import TaskCancelledError, cancel_all, cancel_all_later, pool

RANGES_AHEAD = 8
"""The number of byte ranges in flight at once.

One connection to S3 gives a fraction of what a network can, and nothing before its first byte.
"""
EAGER_BYTES = 512 * 1024
"""The size from which a first read, at the very beginning, starts reading ahead.

After any other read, this takes a second one that follows it.
"""
LEAST_BYTES = 64 * 1024
"""The least number of bytes that a request asks for.

A request for one byte takes as long as a request for so many, and the bytes around it are often read next.
"""


FetchInto = Callable[[memoryview, int], None]
"""A function that fills a view with the bytes that start at a position."""


class _Range(NamedTuple):
    start: int
    end: int
    memory: bytes | bytearray
    filled: Future[None]

    def view(self, start: int, end: int) -> memoryview:
        """Return a section of the byte range. Wait until its bytes have arrived."""
        self.filled.result()
        return memoryview(self.memory)[start - self.start : end - self.start]

    def buffers(self) -> list[bytearray]:
        """Return the buffer for use by another byte range, if nobody writes to it any more."""
        return [self.memory] if isinstance(self.memory, bytearray) and self.filled.done() else []


class PrefetchCache(BaseCache):
    """An fsspec cache (``cache_type="prefetch"``) that reads sequentially at full speed, and at random exactly.

    Sequential reads are served from byte ranges that are fetched ahead. At most `RANGES_AHEAD` of them are held beside
    the one being read. So the memory is at most ``(RANGES_AHEAD + 1) * blocksize``, which is 36 MiB by default. The
    buffers are used again and again. Any other read ends the reading ahead. It is one request for its own bytes, or for
    64 KiB if they are fewer.
    """

    name = "prefetch"

    def __init__(
        self,
        blocksize: int,
        fetcher: Callable[[int, int], bytes],
        size: int,
        *,
        fetch_into: FetchInto | None = None,
        submit: Callable[..., Future[None]] | None = None,
    ) -> None:
        super().__init__(blocksize, fetcher, size)
        self._fetch_into = fetch_into or self._by_fetcher
        self._submit = submit or pool(RANGES_AHEAD).submit
        self._held: deque[_Range] = deque()
        """The byte range that was read last, and the ones ahead of it, without a gap."""
        self._buffers: list[bytearray] = []
        self._next: int | None = None
        """The position at which the last read ended."""
        self._forget()

    def _fetch(self, start: int | None, stop: int | None) -> bytes:
        start = start or 0
        stop = self.size if stop is None else min(stop, self.size)
        if start >= stop:
            return b""
        try:
            data = self._serve(start, stop)
        except TaskCancelledError:  # this process was forked while ranges were being fetched
            self._forget()
            data = self._serve(start, stop)
        except BaseException:
            self._forget()
            raise
        self._next = stop
        return data

    def forget(self) -> None:
        """Drop what was fetched, and cancel what is being fetched. A garbage-collected file calls this, too."""
        self._forget(cancel_all_later if must_not_wait() else cancel_all)

    def close(self) -> None:
        """Do the same as `forget`. An fsspec file calls this when it is closed, and then drops the cache."""
        self.forget()

    def _forget(self, give_up: Callable[[Iterable[Future[None]]], object] = cancel_all) -> None:
        give_up(held.filled for held in self._held)
        self._held.clear()
        self._buffers.clear()
        self._ahead = 1

    def _serve(self, start: int, stop: int) -> bytes:
        if self._held and self._held[0].start <= start and stop <= self._held[-1].end:
            return self._take(start, stop)
        if start == self._next:
            return self._take(start, stop)
        if self._next is None and start == 0 and stop >= EAGER_BYTES:
            self._ahead = RANGES_AHEAD
            return self._take(start, stop)
        return self._single(start, stop)

    def _single(self, start: int, stop: int) -> bytes:
        self._forget()
        end = max(stop, min(start + LEAST_BYTES, self.size))
        data: bytes = self.fetcher(start, end)
        if end - start <= self.blocksize:  # a larger one would only stand in memory twice
            filled: Future[None] = Future()
            filled.set_result(None)
            self._held.append(_Range(start, end, data, filled))
        return data if end == stop else data[: stop - start]

    def _take(self, start: int, stop: int) -> bytes:
        """Return bytes from the byte ranges at hand, and start new ones as these are used up."""
        held = self._range_at(start)
        if stop <= held.end:
            return bytes(held.view(start, stop))
        wanted = Memory(stop - start)
        with wanted.view() as whole:
            at = start
            while at < stop:
                held = self._range_at(at)
                until = min(stop, held.end)
                wanted.touch(at - start, until - start)
                whole[at - start : until - start] = held.view(at, until)
                at = until
        return wanted.data()

    def _range_at(self, start: int) -> _Range:
        while self._held and self._held[0].end <= start:
            self._buffers += self._held.popleft().buffers()
            self._go_ahead(start)
        if not self._held:
            self._go_ahead(start)
        return self._held[0]

    def _go_ahead(self, start: int) -> None:
        """Start more byte ranges. Allow one more at once than the time before."""
        end = self._held[-1].end if self._held else start
        while len(self._held) <= self._ahead and end < self.size:
            end = self._begin(end)
        self._ahead = min(self._ahead + 1, RANGES_AHEAD)

    def _begin(self, start: int) -> int:
        end: int = min(start + self.blocksize, self.size)
        place = self._buffers.pop() if self._buffers else memory(min(self.blocksize, self.size))
        self._held.append(_Range(start, end, place, self._submit(self._fill, place, start, end)))
        return end

    def _fill(self, memory: bytearray, start: int, end: int) -> None:
        with memoryview(memory) as whole, whole[: end - start] as view:
            self._fetch_into(view, start)

    def _by_fetcher(self, view: memoryview, start: int) -> None:
        view[:] = self.fetcher(start, start + len(view))
