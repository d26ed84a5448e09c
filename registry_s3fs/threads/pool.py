"""The one thread pool of a process for each `max_concurrency`: bounded, fork-aware, results in order.

Its threads are daemons: they keep no interpreter from ending. Its locks are reentrant, since Python may collect
garbage while one is held, and run a finaliser that uses the pool.
"""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from weakref import WeakSet

from registry_s3fs.threads import background, cancellation, fork

T = TypeVar("T")
R = TypeVar("R")

_worker = threading.local()
WORKER, COORDINATOR = "worker", "coordinator"
COORDINATORS = 4
"""Large files that are stored side by side, each with parts side by side."""


class TaskCancelledError(OSError):
    """What was going on in another thread when the process forked does not go on in the child."""


class Task(Future[R], cancellation.Work):
    """A call, and the future of its result."""

    def __init__(self, call: Callable[..., R], *args: object) -> None:
        super().__init__()
        self._call: Any = (call, args)
        self.parts: WeakSet[Task[Any]] = WeakSet()
        """What its thread, a coordinator's, has handed in to others."""

    def run(self) -> None:
        """Call, in this thread."""
        (call, args), self._call = self._call, None
        if not self.set_running_or_notify_cancel():
            return
        try:
            with cancellation.doing(self):
                result = call(*args)
        except BaseException as error:  # noqa: BLE001  # the future raises it
            self.set_exception(error)
        else:
            self.set_result(result)

    def cancel_and_forget(self) -> None:
        """Fail, in a forked child: the thread is the parent's, as is the connection, and so may be the lock."""
        self.connection = None
        self._condition, self._waiters = threading.Condition(), []
        if not self.done():
            text = "it was going on in another thread when the process forked; do it again in the child"
            self.set_exception(TaskCancelledError(errno.ECANCELED, text))


class _Workers:
    """Threads at one queue, which come as they are needed, and end once they are dismissed."""

    def __init__(self, most: int, kind: str) -> None:
        self._most = most
        self._kind = kind
        self._threads: list[threading.Thread] = []
        self._idle: SimpleQueue[None] = SimpleQueue()
        """An item for each thread that waits for a task, and that none is on its way to."""
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()

    def take(self, task: Task[Any]) -> None:
        """Have the task done: by an idle thread, a new one, or the next that is free.

        Raises:
            OSError: (EAGAIN) there is no thread, and none can be started.
        """
        if self._has_idle() or len(self._threads) >= self._most or not self._start(task):
            self._tasks.put(task)

    def _has_idle(self) -> bool:
        try:
            self._idle.get_nowait()
        except Empty:
            return False
        return True

    def _start(self, task: Task[Any]) -> bool:
        """Start a thread, which begins with the task; False where none can be started, but others are there."""
        name = f"registry-s3fs-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, args=([task],), name=name, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except BaseException as error:
            self._threads.remove(thread)
            if not isinstance(error, RuntimeError):
                raise
            if not self._threads:
                raise _no_thread(error) from error
            return False
        background.start()  # after it: where there is room for one thread alone, that is the one
        return True

    def dismiss(self) -> None:
        """What was taken is still done; then the threads end."""
        self._tasks.put(None)

    def _work(self, first: list[Task[Any]]) -> None:
        """`first` is a list, which this empties: a thread keeps its arguments for as long as it lives."""
        _worker.kind = self._kind
        task: Task[Any] | None = first.pop()
        while task is not None:
            task.run()
            del task  # and what it holds, while there is nothing to do
            task = self._next()
        self._tasks.put(None)  # for the next thread

    def _next(self) -> Task[Any] | None:
        try:
            return self._tasks.get_nowait()
        except Empty:
            self._idle.put(None)
            return self._tasks.get()


def _no_thread(error: RuntimeError) -> OSError:
    text = (
        f"no thread can be started ({error}); raise the limit of processes (ulimit -u, or pids.max of the container's "
        "cgroup), or lower max_concurrency"
    )
    return OSError(errno.EAGAIN, text)


class Pool:
    """Threads for requests. Work that a worker itself hands in runs at once, in that worker:
    waiting for a free thread inside a thread could wait for ever. Coordinators are threads that only hand in work to
    workers, and wait for it."""

    def __init__(self, threads: int, *, coordinates: bool = False) -> None:
        self.threads = threads
        self._kind = COORDINATOR if coordinates else WORKER
        self._in_place_for = (WORKER, COORDINATOR) if coordinates else (WORKER,)
        self.begin_anew()
        _pools_made.add(self)

    def begin_anew(self) -> None:
        """Have no threads, and know of none."""
        self._workers = _Workers(self.threads, self._kind)
        self._lock = threading.RLock()

    def submit(self, call: Callable[..., R], *args: object) -> Future[R]:
        """Start a call; its result or exception comes through the future.

        Raises:
            OSError: (EAGAIN) there is no thread, and none can be started. Nothing of the call is left.
        """
        return self.submit_to([], call, *args)

    def submit_to(self, futures: MutableSequence[Future[R]], call: Callable[..., R], *args: object) -> Future[R]:
        """As `submit`. The future is among `futures` before the call begins: Ctrl-C may come at any point, and then
        nothing runs that whoever cleans up does not know of."""
        if getattr(_worker, "kind", None) in self._in_place_for:
            futures.append(future := _done(call, *args))
            return future
        task: Task[R] = Task(call, *args)
        if isinstance(whole := cancellation.current(), Task):
            whole.parts.add(task)
            cancellation.check()  # after it is known, so that whoever gives up the whole meets the one or the other
        _unfinished.add(task)
        futures.append(task)
        try:
            with self._lock:
                self._workers.take(task)
        except BaseException:
            cancel_all([task])
            raise
        return task

    def dismiss(self) -> None:
        """End the threads; there are new ones when there is more to do."""
        with self._lock:
            dismissed, self._workers = self._workers, _Workers(self.threads, self._kind)
            dismissed.dismiss()

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

        futures: list[Future[None]] = []
        try:
            for _ in range(min(self.threads, len(items))):
                self.submit_to(futures, work)
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        except BaseException:
            turns.clear()
            cancel_and_wait(futures)
            raise
        return results

    def each(self, call: Callable[[T], R], items: Iterable[T], ahead: int) -> Results[R]:
        """Results in the items' order, one by one; at most `ahead` of them wait or run at any time."""
        return Results(self, call, items, ahead)


def _done(call: Callable[..., R], *args: object) -> Future[R]:
    """Call at once; gives the future of what came of it."""
    future: Future[R] = Future()
    try:
        future.set_result(call(*args))
    except Exception as error:  # noqa: BLE001  # the future raises it
        future.set_exception(error)
    return future


class Results(Iterator[R]):
    """What `Pool.each` gives. `close` gives up what was begun, and waits for what runs."""

    def __init__(self, pool: Pool, call: Callable[[Any], R], items: Iterable[Any], ahead: int) -> None:
        self._pending: deque[Future[R]] = deque()
        self._pool = pool
        self._call = call
        self._items = iter(items)
        self._ahead = ahead

    def __next__(self) -> R:
        try:
            while len(self._pending) < self._ahead and (item := next(self._items, self)) is not self:
                self._pool.submit_to(self._pending, self._call, item)
            if self._pending:
                return first_result(self._pending)
        except BaseException:
            self.close()
            raise
        raise StopIteration

    def close(self) -> None:
        """Give up what was begun, and wait for what runs."""
        self._items = iter(())
        cancel_and_wait(self._pending)
        self._pending.clear()

    def __del__(self) -> None:
        cancel_all_later(getattr(self, "_pending", ()))  # Ctrl-C may have come before there was any


def _next_of(turns: deque[int]) -> int | None:
    try:
        return turns.popleft()
    except IndexError:
        return None


def first_result(pending: deque[Future[R]]) -> R:
    """The result of the first, which is taken out once it is there: until then, it may have to be cancelled."""
    result = pending[0].result()
    pending.popleft()
    return result


@contextmanager
def finished_or_cancelled(futures: Iterable[Future[R]]) -> Iterator[None]:
    """At the end of the block, what of these has not begun is given up, and the rest waited for.

    Not where the block is in a generator that ends early: it may have been collected.
    """
    try:
        yield
    except GeneratorExit:
        cancel_all_later(futures)
        raise
    except BaseException:
        cancel_and_wait(futures)
        raise
    cancel_and_wait(futures)


def cancel_and_wait(futures: Iterable[Future[Any]]) -> None:
    """As `cancel_all`, and what has begun is waited for: after Ctrl-C, not for long."""
    left = cancel_all(futures)
    if not cancellation.is_on():
        wait(left)
        return
    running = wait(left, cancellation.GRACE_S / 2).not_done
    cancellation.cut_off(_tasks(running))
    wait(running, cancellation.GRACE_S / 2)


def cancel_all(futures: Iterable[Future[Any]]) -> list[Future[Any]]:
    """What of these has not begun is given up; after Ctrl-C, what has begun, too, and the pools' threads end.
    Gives those that have begun, and waits for nothing."""
    return _cancel(list(futures), interrupted=cancellation.is_on())


def cancel_all_later(futures: Iterable[Future[Any]]) -> None:
    """As `cancel_all`, in the background: for finalisers. A future has a lock."""
    left = list(futures)
    if left:
        background.later(partial(_cancel, left, interrupted=cancellation.is_on()))


def _cancel(futures: list[Future[Any]], *, interrupted: bool) -> list[Future[Any]]:
    left = [future for future in futures if not future.cancel()]
    if interrupted:
        cancellation.give_up([each for task in _tasks(left) for each in (task, *task.parts)])
        for each in (*list(_pools.values()), _coordinators):
            each.dismiss()
    return left


def _tasks(futures: Iterable[Future[Any]]) -> list[Task[Any]]:
    return [future for future in futures if isinstance(future, Task)]


def clean_up(call: Callable[[], object]) -> None:
    """Send a last request, also from work that was given up.

    Raises:
        TimeoutError: after Ctrl-C, when it takes long. It may still come to its end.
    """
    if not cancellation.is_on():
        with cancellation.doing(None):
            call()
        return
    task = Task(call)
    try:
        threading.Thread(target=task.run, name="registry-s3fs-clean-up", daemon=True).start()
    except RuntimeError:  # there is no room for it, or the interpreter ends and no longer starts one
        if background.is_running():
            background.later(task.run)
        else:
            task.run()
    if not wait([task], cancellation.GRACE_S).done:
        raise TimeoutError(errno.ETIMEDOUT, "interrupted before the server had answered")
    task.result()


_unfinished: WeakSet[Task[Any]] = WeakSet()
"""Tasks that threads may be at; and others, until they are collected."""
_pools_made: WeakSet[Pool] = WeakSet()
_pools: dict[int, Pool] = {}
_coordinators = Pool(COORDINATORS, coordinates=True)
_guard = fork.Guard()


def pool(threads: int) -> Pool:
    """The process's pool of this many threads, started at its first use."""
    with _guard.lock:
        if threads not in _pools:
            _pools[threads] = Pool(threads)
        return _pools[threads]


def coordinators() -> Pool:
    """The process's threads that hand in work to those of any `pool`."""
    return _coordinators


@fork.in_child
def _begin_anew() -> None:
    """Threads do not survive a fork; the child starts its own, and waits for none of its parent's."""
    _worker.kind = None
    for each in list(_pools_made):
        each.begin_anew()
    for task in list(_unfinished):
        task.cancel_and_forget()
