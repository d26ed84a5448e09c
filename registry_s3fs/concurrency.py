"""The one thread pool of a process for each `max_concurrency`: bounded, fork-aware, results in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_worker = threading.local()


class Pool:
    """Threads for requests. Work that a worker itself hands in runs at once, in that worker:
    waiting for a free thread inside a thread could wait for ever."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="registry-s3fs", initializer=_mark_worker)

    def submit(self, call: Callable[..., R], *args: object) -> Future[R]:
        """Start a call; its result or exception comes through the future."""
        if not getattr(_worker, "is_one", False):
            return self._executor.submit(call, *args)
        future: Future[R] = Future()
        try:
            future.set_result(call(*args))
        except Exception as error:  # noqa: BLE001  # the future raises it
            future.set_exception(error)
        return future

    def map(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Results in the items' order. At the first error nothing more is started, what runs is waited
        for, and the error is raised."""
        futures = [self.submit(call, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done() and not future.cancelled():
                    future.result()
            return [future.result() for future in futures]
        except BaseException:
            _settle(futures)
            raise

    def each(self, call: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
        """Results in the items' order, one by one; at most `ahead` of them wait or run at any time."""
        pending: deque[Future[R]] = deque()
        try:
            for item in items:
                if len(pending) >= ahead:
                    yield pending.popleft().result()
                pending.append(self.submit(call, item))
            while pending:
                yield pending.popleft().result()
        finally:
            _settle(pending)


@contextmanager
def settled(futures: Iterable[Future[R]]) -> Iterator[None]:
    """At the end of the block, what of these has not begun is given up, and the rest waited for."""
    try:
        yield
    finally:
        _settle(futures)


def _settle(futures: Iterable[Future[R]]) -> None:
    left = [future for future in futures if not future.cancel()]
    wait(left)


def _mark_worker() -> None:
    _worker.is_one = True


_pools: dict[int, Pool] = {}
_lock = threading.Lock()


def pool(threads: int) -> Pool:
    """The process's pool of this many threads, started at its first use."""
    with _lock:
        if threads not in _pools:
            _pools[threads] = Pool(threads)
        return _pools[threads]


def _forget_parents_pools() -> None:
    """Threads do not survive a fork; the child starts its own."""
    global _lock
    _pools.clear()
    _worker.is_one = False
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_pools)
