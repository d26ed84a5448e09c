"""The one thread pool of a process for each `max_concurrency`: bounded, fork-aware, results in order.

Its threads are daemons: they keep no interpreter from ending.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from registry_s3fs import interruption

T = TypeVar("T")
R = TypeVar("R")

_worker = threading.local()


class Task(Future[R], interruption.Work):
    """A call, and the future of its result."""

    def __init__(self, call: Callable[..., R], *args: object) -> None:
        super().__init__()
        self._call: Any = (call, args)

    def run(self) -> None:
        """Call, in this thread."""
        (call, args), self._call = self._call, None
        if not self.set_running_or_notify_cancel():
            return
        try:
            with interruption.doing(self):
                result = call(*args)
        except BaseException as error:  # noqa: BLE001  # the future raises it
            self.set_exception(error)
        else:
            self.set_result(result)


class _Crew:
    """Threads at one queue, which come as they are needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._idle = threading.Semaphore(0)
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()

    def take(self, task: Task[Any]) -> None:
        self._tasks.put(task)
        if not self._idle.acquire(blocking=False) and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name=f"registry-s3fs-{self._threads}", daemon=True).start()

    def dismiss(self) -> None:
        """What was taken is still done; then the threads end."""
        for _ in range(self._threads):
            self._tasks.put(None)

    def _work(self) -> None:
        _worker.is_one = True
        while (task := self._next()) is not None:
            task.run()
            del task  # and what it holds, while there is nothing to do

    def _next(self) -> Task[Any] | None:
        try:
            return self._tasks.get_nowait()
        except Empty:
            self._idle.release()
            return self._tasks.get()


class Pool:
    """Threads for requests. Work that a worker itself hands in runs at once, in that worker:
    waiting for a free thread inside a thread could wait for ever."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._crew = _Crew(threads)
        self._lock = threading.Lock()

    def submit(self, call: Callable[..., R], *args: object) -> Future[R]:
        """Start a call; its result or exception comes through the future."""
        if not getattr(_worker, "is_one", False):
            task: Task[R] = Task(call, *args)
            with self._lock:
                self._crew.take(task)
            return task
        future: Future[R] = Future()
        try:
            future.set_result(call(*args))
        except Exception as error:  # noqa: BLE001  # the future raises it
            future.set_exception(error)
        return future

    def dismiss(self) -> None:
        """End the threads; there are new ones when there is more to do."""
        with self._lock:
            self._crew.dismiss()
            self._crew = _Crew(self.threads)

    def map(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Results in the items' order. At the first error nothing more is started, what runs is waited
        for, and the error is raised."""
        items = list(items)
        results: list[Any] = [None] * len(items)
        turns = deque(range(len(items)))

        def work() -> None:
            """One after the other: a future for each item would cost as much as half a request."""
            while (turn := _next_of(turns)) is not None:
                results[turn] = call(items[turn])

        futures = [self.submit(work) for _ in range(min(self.threads, len(items)))]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        except BaseException:
            turns.clear()
            settle(futures)
            raise
        return results

    def each(self, call: Callable[[T], R], items: Iterable[T], ahead: int) -> Generator[R, None, None]:
        """Results in the items' order, one by one; at most `ahead` of them wait or run at any time."""
        pending: deque[Future[R]] = deque()
        try:
            for item in items:
                if len(pending) >= ahead:
                    yield first_result(pending)
                pending.append(self.submit(call, item))
            while pending:
                yield first_result(pending)
        finally:
            settle(pending)


def _next_of(turns: deque[int]) -> int | None:
    try:
        return turns.popleft()
    except IndexError:
        return None


def first_result(pending: deque[Future[R]]) -> R:
    """The result of the first, which is taken out once it is there: until then, somebody may have to `settle` it."""
    result = pending[0].result()
    pending.popleft()
    return result


@contextmanager
def settled(futures: Iterable[Future[R]]) -> Iterator[None]:
    """At the end of the block, what of these has not begun is given up, and the rest waited for."""
    try:
        yield
    finally:
        settle(futures)


def settle(futures: Iterable[Future[Any]]) -> None:
    """As `leave`, and what has begun is waited for: after Ctrl-C, not for long."""
    left = leave(futures)
    wait(left, interruption.GRACE_S if interruption.is_on() else None)


def leave(futures: Iterable[Future[Any]]) -> list[Future[Any]]:
    """What of these has not begun is given up; after Ctrl-C, what has begun, too, and the pools' threads end.
    Gives those that have begun, and waits for nothing."""
    left = [future for future in futures if not future.cancel()]
    if interruption.is_on():
        interruption.give_up(future for future in left if isinstance(future, Task))
        for each in list(_pools.values()):
            each.dismiss()
    return left


def clean_up(call: Callable[[], object]) -> None:
    """Send a last request, also from work that was given up.

    Raises:
        TimeoutError: after Ctrl-C, when it takes long. It may still come to its end.
    """
    if not interruption.is_on():
        with interruption.doing(None):
            call()
        return
    task = Task(call)
    try:
        threading.Thread(target=task.run, name="registry-s3fs-clean-up", daemon=True).start()
    except RuntimeError:  # some Pythons start no thread at the interpreter's end
        task.run()
    if not wait([task], interruption.GRACE_S).done:
        raise TimeoutError(errno.ETIMEDOUT, "interrupted before the server had answered")
    task.result()


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
