"""One thread for what must not be done where it is noticed.

Python collects garbage at any point of any thread, also while that holds a lock. So a finaliser neither waits for a
network nor takes a lock, not even that of a log handler: it leaves both to this thread.
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
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.thread: threading.Thread | None = None
        self.starting = threading.Lock()

    def start(self) -> None:
        """As the function of that name."""
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
    """Start the thread, unless it runs. Where no thread can be started, jobs wait until a later call can, or until
    `finish`."""
    _background.start()


def is_running() -> bool:
    """Whether the thread has been started."""
    return _background.thread is not None


def later(job: Job) -> None:
    """Have the thread do this. A finaliser may call it: `SimpleQueue.put` is reentrant, and made for that."""
    _background.jobs.put(job)


def finish(seconds: float) -> bool:
    """Wait until all that was handed in before is done, but not for longer; where there is no thread, do it here.

    Returns:
        Whether all of it is done.
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
def _forget_parents_jobs() -> None:
    """They are the parent's to do; and its thread is not here."""
    _background.__init__()  # type: ignore[misc]
