"""One thread for what must not be done in the place where it is noticed.

Python collects garbage at any point of any thread, even while that thread holds a lock. So a finaliser must neither
wait for a network nor take a lock, not even the lock of a log handler. It leaves both to this thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from registry_s3fs.threads import fork

logger = logging.getLogger("registry_s3fs")

Job = Callable[[], object]


class _Background:
    """The jobs of this process, and its thread for them."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all jobs and the thread; see the module's `begin_anew`."""
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.thread: threading.Thread | None = None
        self.starting = threading.Lock()

    def start(self) -> None:
        """Start the thread, unless it runs; see the module's `start`."""
        if self.thread is None and self.starting.acquire(blocking=False):
            try:
                thread = threading.Thread(target=_work, name="background-of-registry-s3fs", daemon=True)
                thread.start()
                self.thread = thread
            except RuntimeError as error:
                logger.debug("no background thread yet: %s", error)
            finally:
                self.starting.release()


_background = _Background()


def start() -> None:
    """Start the thread, unless it runs.

    Where no thread can be started, jobs wait until a later call can start one, or until `finish`.
    """
    _background.start()


def is_running() -> bool:
    """Return whether the thread has been started."""
    return _background.thread is not None


def later(job: Job) -> None:
    """Have the thread do a job.

    A finaliser may call this: `SimpleQueue.put` is reentrant, and made for that.
    """
    _background.jobs.put(job)


def finish(seconds: float) -> bool:
    """Wait until all jobs handed in before are done, but at most `seconds`; where there is no thread, do them here.

    Returns:
        Whether all of them are done.
    """
    if not is_running():
        while (job := _next()) is not None:
            _do(job)
        return True
    done = threading.Event()
    later(done.set)
    return done.wait(seconds)


def _next() -> Job | None:
    try:
        return _background.jobs.get_nowait()
    except Empty:
        return None


def _work() -> None:
    while True:
        _do(_background.jobs.get())


def _do(job: Job) -> None:
    try:
        job()
    except Exception:
        logger.exception("a job in the background failed")


@fork.in_child
def begin_anew() -> None:
    """Forget all jobs and the thread, as in a forked child.

    The parent does the jobs. Its thread does not exist in the child.
    """
    _background.begin_anew()
