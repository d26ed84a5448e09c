"""The pool is bounded, keeps order, lets the first error win, and never waits for itself."""

from __future__ import annotations

import threading
import time
from http.client import HTTPConnection

import pytest

from registry_s3fs import interruption
from registry_s3fs.concurrency import Pool, pool


def test_results_come_in_the_items_order() -> None:
    """Whoever finishes first."""
    assert Pool(4).map(lambda n: (time.sleep(0.01 * (5 - n)), n)[1], range(5)) == list(range(5))


def test_no_more_run_at_once_than_threads() -> None:
    """The bound holds."""
    running, most, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    Pool(3).map(work, range(20))
    assert most == 3


def test_the_first_error_wins_and_nothing_more_starts() -> None:
    """What had not begun is never begun."""
    started = []

    def work(n: int) -> None:
        started.append(n)
        if n == 1:
            raise KeyError(n)
        time.sleep(0.02)

    with pytest.raises(KeyError):
        Pool(2).map(work, range(100))
    assert len(started) < 20


def test_work_inside_work_does_not_wait_for_ever() -> None:
    """A task that hands in tasks runs them itself, with one thread as with many."""
    one = Pool(1)
    assert one.map(lambda n: one.map(lambda m: n * m, range(3)), range(3)) == [[0, 0, 0], [0, 1, 2], [0, 2, 4]]


def test_each_stays_a_few_items_ahead() -> None:
    """Memory is bounded: at most `ahead` results wait."""
    started: list[int] = []
    results = Pool(8).each(lambda n: (started.append(n), n)[1], range(100), ahead=4)
    assert next(results) == 0
    time.sleep(0.05)
    assert len(started) <= 5
    assert list(results) == list(range(1, 100))


def test_a_pool_is_shared_by_all_who_ask_for_its_size() -> None:
    """One pool a process."""
    assert pool(5) is pool(5)
    assert pool(5) is not pool(6)


def test_threads_keep_no_interpreter_from_ending() -> None:
    """They are daemons, as many as there is work for."""
    asked = Pool(8)
    names = {asked.submit(threading.current_thread).result().name for _ in range(5)}
    assert len(names) == 1
    assert all(each.daemon for each in threading.enumerate() if each.name in names)


def test_dismissed_threads_end_after_what_was_handed_in() -> None:
    """And new ones come for new work."""
    one = Pool(1)
    first = one.submit(threading.current_thread).result()
    results = [one.submit(lambda n=n: n) for n in range(3)]  # type: ignore[misc]
    one.dismiss()
    assert [each.result() for each in results] == [0, 1, 2]
    first.join(10)
    assert not first.is_alive()
    assert one.submit(threading.current_thread).result() is not first


def test_work_that_has_no_connection_yet_is_given_up() -> None:
    """It comes to none: its next request raises."""
    work = interruption.Work()
    with interruption.doing(work):
        interruption.uses(HTTPConnection("127.0.0.1"))
        interruption.give_up([work])
        with pytest.raises(interruption.GivenUp):
            interruption.check()
