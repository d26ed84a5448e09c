"""The one thread pool of a process for each `max_concurrency`: bounded, fork-aware, with results in order.

Its threads are daemons, so that they keep no interpreter from ending. Its locks are reentrant. Python may collect
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
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakSet

from registry_s3fs.errors import interrupted
from registry_s3fs.threads import background, cancellation, fork

T = TypeVar("T")
R = TypeVar("R")
AnyFuture = Future[Any]
"""A future of any result. No future is a `Future[object]`, as type checkers see it."""

_worker = threading.local()
WORKER, COORDINATOR = "worker", "coordinator"
COORDINATORS = 4
"""The number of large files that are stored side by side, each with parts side by side."""


class TaskCancelledError(OSError):
    """An error for a task that another thread was doing at a fork; the task does not go on in the child."""


class Task(Future[R], cancellation.Work):
    """A call, and the future of its result."""

    def __init__(self, call: Callable[..., R], *args: object) -> None:
        super().__init__()
        self._call: tuple[Callable[..., R], tuple[object, ...]] | None = (call, args)
        self.parts: WeakSet[cancellation.Work] = WeakSet()
        """The tasks that its thread, a coordinator's, has handed in to others."""

    def run(self) -> None:
        """Run the call in this thread."""
        todo, self._call = self._call, None
        if not self.set_running_or_notify_cancel() or todo is None:
            return
        call, args = todo
        try:
            with cancellation.doing(self):
                result = call(*args)
        except BaseException as error:  # noqa: BLE001  # the future raises it
            self.set_exception(error)
        else:
            self.set_result(result)

    def fail_as_cancelled(self) -> None:
        """Fail the task in a forked child, as its thread and its connection are the parent's, and its lock may be."""
        self.connection = None
        self._condition, self._waiters = threading.Condition(), []
        if not self.done():
            text = "it was going on in another thread when the process forked; do it again in the child"
            self.set_exception(TaskCancelledError(errno.ECANCELED, text))


class _Runnable(Protocol):
    """A task of any result, as a thread sees it."""

    def run(self) -> None:
        """See `Task.run`."""


class _Workers:
    """Threads at one queue, which start as they are needed, and end once they are dismissed."""

    def __init__(self, most: int, kind: str) -> None:
        self._most = most
        self._kind = kind
        self._threads: list[threading.Thread] = []
        self._idle: SimpleQueue[None] = SimpleQueue()
        """An item for each thread that waits for a task and has none on its way."""
        self._tasks: SimpleQueue[_Runnable | None] = SimpleQueue()

    def take(self, task: _Runnable) -> None:
        """Have the task done by an idle thread, by a new one, or by the next that is free.

        Raises:
            OSError: There is no thread, and none can be started (EAGAIN).
        """
        if self._has_idle() or len(self._threads) >= self._most or not self._start(task):
            self._tasks.put(task)

    def _has_idle(self) -> bool:
        try:
            self._idle.get_nowait()
        except Empty:
            return False
        return True

    def _start(self, task: _Runnable) -> bool:
        """Start a thread that begins with the task, and return whether it was started.

        It returns False where no thread can be started, but others exist.
        """
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
        """Have the threads end once the tasks that were taken are done."""
        self._tasks.put(None)

    def _work(self, first: list[_Runnable]) -> None:
        """Do tasks until the threads are dismissed.

        `first` is a list, which this function empties, as a thread keeps its arguments for as long as it lives.
        """
        _worker.kind = self._kind
        task: _Runnable | None = first.pop()
        while task is not None:
            task.run()
            del task  # and what it holds, while there is nothing to do
            task = self._next()
        self._tasks.put(None)  # for the next thread

    def _next(self) -> _Runnable | None:
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
    """Threads for requests.

    Work that a worker itself hands in runs at once, in that worker. Waiting for a free thread inside a thread could
    last for ever. Coordinators are threads that only hand in work to workers and wait for it.
    """

    def __init__(self, threads: int, *, coordinates: bool = False) -> None:
        self.threads = threads
        self._kind = COORDINATOR if coordinates else WORKER
        self._in_place_for = (WORKER, COORDINATOR) if coordinates else (WORKER,)
        self.begin_anew()
        _pools_made.add(self)

    @property
    def is_in_place(self) -> bool:
        """Return whether what this thread hands in runs at once, one after the other, in this thread."""
        return getattr(_worker, "kind", None) in self._in_place_for

    def begin_anew(self) -> None:
        """Forget all threads and have none."""
        self._workers = _Workers(self.threads, self._kind)
        self._lock = threading.RLock()

    def submit(self, call: Callable[..., R], *args: object) -> Future[R]:
        """Start a call, and return the future of its result or exception.

        Raises:
            OSError: There is no thread, and none can be started (EAGAIN). Nothing of the call is left.
        """
        return self.submit_to([], call, *args)

    def submit_to(self, futures: MutableSequence[Future[R]], call: Callable[..., R], *args: object) -> Future[R]:
        """Start a call as `submit` does, and add its future to `futures` before the call begins.

        Ctrl-C may come at any point. Whoever cleans up then knows of everything that runs.
        """
        if self.is_in_place:
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
        """End the threads; new ones start when there is more to do."""
        with self._lock:
            dismissed, self._workers = self._workers, _Workers(self.threads, self._kind)
            dismissed.dismiss()

    def map(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return the results of a call in the items' order.

        At the first error no more calls start. Those that run are waited for, and the error is raised.
        """
        items = list(items)
        results: dict[int, R] = {}
        turns = deque(range(len(items)))

        def work() -> None:
            """Call with one item after the other: a future for each item would cost as much as half a request."""
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
        return [results[turn] for turn in range(len(items))]

    def each(self, call: Callable[[T], R], items: Iterable[T], ahead: int) -> Results[T, R]:
        """Return an iterator of results in the items' order; at most `ahead` of them wait or run at any time."""
        return Results(self, call, items, ahead)


def _done(call: Callable[..., R], *args: object) -> Future[R]:
    """Call at once, and return the future of its result or exception."""
    future: Future[R] = Future()
    try:
        future.set_result(call(*args))
    except Exception as error:  # noqa: BLE001  # the future raises it
        future.set_exception(error)
    return future


class Results(Iterator[R], Generic[T, R]):
    """The iterator that `Pool.each` returns; `close` cancels what was begun, and waits for what runs."""

    def __init__(self, pool: Pool, call: Callable[[T], R], items: Iterable[T], ahead: int) -> None:
        self._pending: deque[Future[R]] = deque()
        self._pool = pool
        self._call = call
        self._items = iter(items)
        self._ahead = ahead

    def begin(self) -> None:
        """Start as many calls as may wait or run, before a result is asked for."""
        for item in islice(self._items, self._ahead - len(self._pending)):
            self._pool.submit_to(self._pending, self._call, item)

    def __next__(self) -> R:
        try:
            self.begin()
            if self._pending:
                return first_result(self._pending)
        except BaseException:
            self.close()
            raise
        raise StopIteration

    def close(self) -> None:
        """Cancel what was begun, and wait for what runs."""
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
    """Return the result of the first future.

    The future is removed once its result is there. Until then, it may have to be cancelled.
    """
    result = pending[0].result()
    pending.popleft()
    return result


@contextmanager
def finished_or_cancelled(futures: Iterable[Future[R]]) -> Iterator[None]:
    """Run the body; at its end, cancel those futures that have not begun, and wait for the rest.

    There is no waiting where the block is in a generator that ends early, as it may have been collected.
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


def cancel_and_wait(futures: Iterable[AnyFuture]) -> None:
    """Cancel futures as `cancel_all` does, and wait for those that have begun; after Ctrl-C, only for a short time."""
    left = cancel_all(futures)
    if not cancellation.is_on():
        wait(left)
        return
    running = wait(left, cancellation.GRACE_S / 2).not_done
    cancellation.cut_off(_tasks(running))
    wait(running, cancellation.GRACE_S / 2)


def cancel_all(futures: Iterable[AnyFuture]) -> list[AnyFuture]:
    """Cancel futures that have not begun; return those that have, without waiting for them.

    After Ctrl-C, those that have begun are cancelled, too, and the pools' threads end.
    """
    return _cancel(list(futures), interrupted=cancellation.is_on())


def cancel_all_later(futures: Iterable[AnyFuture]) -> None:
    """Cancel futures as `cancel_all` does, but in the background, as finalisers must: a future has a lock."""
    left = list(futures)
    if left:
        background.later(partial(_cancel, left, interrupted=cancellation.is_on()))


def _cancel(futures: list[AnyFuture], *, interrupted: bool) -> list[AnyFuture]:
    left = [future for future in futures if not future.cancel()]
    if interrupted:
        cancellation.give_up([each for task in _tasks(left) for each in (task, *task.parts)])
        for each in (*list(_pools.values()), _coordinators):
            each.dismiss()
    return left


def _tasks(futures: Iterable[AnyFuture]) -> list[Task[Any]]:
    return [future for future in futures if isinstance(future, Task)]


def clean_up(call: Callable[[], object]) -> None:
    """Send a last request, even from work that was cancelled.

    Raises:
        TimeoutError: The request takes long after Ctrl-C. It may still be carried out.
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
        raise interrupted()
    task.result()


_unfinished: WeakSet[Task[Any]] = WeakSet()
"""The tasks that threads may be doing, and others until they are collected."""
_pools_made: WeakSet[Pool] = WeakSet()
_pools: dict[int, Pool] = {}
_coordinators = Pool(COORDINATORS, coordinates=True)
_guard = fork.Guard()


def pool(threads: int) -> Pool:
    """Return the process's pool of this many threads, which is made at its first use."""
    with _guard.lock:
        if threads not in _pools:
            _pools[threads] = Pool(threads)
        return _pools[threads]


def coordinators() -> Pool:
    """Return the process's threads that hand in work to those of any `pool`."""
    return _coordinators


@fork.in_child
def _begin_anew() -> None:
    """Forget the parent's threads and tasks in a forked child.

    Threads do not survive a fork. The child starts its own, and waits for none of its parent's.
    """
    _worker.kind = None
    for each in list(_pools_made):
        each.begin_anew()
    for task in list(_unfinished):
        task.fail_as_cancelled()
