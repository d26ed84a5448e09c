"""The cache of a file open for reading: it sees a file read from front to back, and stays some ranges ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, NamedTuple

from fsspec.caching import BaseCache

from registry_s3fs.threads.buffers import Memory, memory
from registry_s3fs.threads.call_stack import must_not_wait
from registry_s3fs.threads.pool import TaskCancelledError, cancel_all, cancel_all_later, pool

RANGES_AHEAD = 8
"""In flight at once: a connection to S3 gives some 90 MB/s, less the wait for its first byte."""
EAGER_BYTES = 512 * 1024
"""A first read from the very beginning that is as large as this begins a stream; others must be followed by one."""
LEAST_BYTES = 64 * 1024
"""A request takes as long for a byte as for these, and what lies around a byte is often asked for next."""


FetchInto = Callable[[memoryview, int], None]
"""Fills a view with the bytes from a position on."""


class _Range(NamedTuple):
    start: int
    end: int
    memory: bytes | bytearray
    filled: Future[None]

    def view(self, start: int, end: int) -> memoryview:
        """The bytes of a part of it, once they are there."""
        self.filled.result()
        return memoryview(self.memory)[start - self.start : end - self.start]

    def buffers(self) -> list[bytearray]:
        """Its memory, where nobody writes to it any more, for another range."""
        return [self.memory] if isinstance(self.memory, bytearray) and self.filled.done() else []


class PrefetchCache(BaseCache):
    """An fsspec cache (``cache_type="prefetch"``) for reading sequentially at full speed and at random exactly.

    Reads that follow one another are served from ranges fetched ahead, at most `RANGES_AHEAD` beside the
    one being read; so the memory is at most ``(RANGES_AHEAD + 1) * blocksize``, 36 MiB by default, used again
    and again. Any other read ends that, and is one request of its own bytes (at least 64 KiB).
    """

    name = "prefetch"

    def __init__(
        self,
        blocksize: int,
        fetcher: Any,
        size: int,
        *,
        fetch_into: FetchInto | None = None,
        submit: Callable[..., Future[None]] | None = None,
    ) -> None:
        super().__init__(blocksize, fetcher, size)
        self._fetch_into = fetch_into or self._by_fetcher
        self._submit = submit or pool(RANGES_AHEAD).submit
        self._held: deque[_Range] = deque()
        """The range read last and those ahead, without a gap between."""
        self._buffers: list[bytearray] = []
        self._next: int | None = None
        """Where the last read ended."""
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
        """Give up what was fetched and is being fetched. A file that is collected calls this, too."""
        self._forget(cancel_all_later if must_not_wait() else cancel_all)

    def close(self) -> None:
        """As `forget`; fsspec's files call it when they are closed, and let go of the cache."""
        self.forget()

    def _forget(self, give_up: Callable[[Iterable[Future[Any]]], object] = cancel_all) -> None:
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
        """Bytes from the ranges at hand, with new ones begun as these are used up."""
        held = self._range_at(start)
        if stop <= held.end:
            return bytes(held.view(start, stop))
        wanted = Memory(stop - start)
        with wanted.view() as whole:
            at = start
            while at < stop:
                held = self._range_at(at)
                until = min(stop, held.end)
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
        """Begin more ranges, and one more at once than the time before."""
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
