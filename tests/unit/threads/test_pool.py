"""The pool is bounded, keeps order, lets the first error win, and never waits for itself."""

from __future__ import annotations

import errno
import gc
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.threads import background, cancellation
from registry_s3fs.threads.pool import Pool, Task, cancel_and_wait, clean_up, pool
from tests.locks import package_locks

WAIT_S = 20


def test_results_come_in_the_items_order() -> None:
    """Whoever finishes first."""
    assert Pool(4).map(lambda n: (time.sleep(0.01 * (5 - n)), n)[1], range(5)) == list(range(5))


@pytest.mark.promise("Configuration")
def test_no_more_run_at_once_than_threads() -> None:
    """`max_concurrency` bounds the requests in flight."""
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
    results = [one.submit(lambda n=n: n) for n in range(3)]
    one.dismiss()
    assert [each.result() for each in results] == [0, 1, 2]
    first.join(10)
    assert not first.is_alive()
    assert one.submit(threading.current_thread).result() is not first


def test_work_that_has_no_connection_yet_is_given_up() -> None:
    """It comes to none: its next request raises."""
    work = cancellation.Work()
    with cancellation.doing(work):
        cancellation.uses(HTTPConnection("127.0.0.1"))
        cancellation.give_up([work])
        with pytest.raises(cancellation.GivenUp):
            cancellation.check()


# No room for threads


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Sets how many more threads may be started, as a limit of processes does."""
    start, left = threading.Thread.start, [0]

    def limited(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    def set_limit(number: int) -> None:
        left[0] = number
        monkeypatch.setattr(threading.Thread, "start", limited)

    yield set_limit
    background.start()  # where it could not


class Call:
    """What a test looks for once it should be gone."""

    def __call__(self, number: int = 0) -> int:
        return number + 1


CALLS: dict[str, Callable[[Pool, Call], Any]] = {
    "submit": lambda one, call: [one.submit(call, number).result(WAIT_S) for number in range(5)],
    "map": lambda one, call: one.map(call, range(5)),
    "each": lambda one, call: list(one.each(call, range(5), ahead=3)),
}


@pytest.mark.promise("Errors")
@pytest.mark.parametrize("name", CALLS)
def test_where_no_thread_can_be_started_the_error_says_so(
    limit: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where no thread can be started, the error says so and says what to raise. Later calls work."""
    limit(0)
    few, call = Pool(4), Call()
    for _ in range(10):
        with pytest.raises(OSError, match="no thread can be started .*ulimit -u.*cgroup") as told:
            CALLS[name](few, call)
        assert told.value.errno == errno.EAGAIN
    left = weakref.ref(call)
    del call, told
    gc.collect()
    assert left() is None
    limit(100)
    assert CALLS[name](few, Call()) == [1, 2, 3, 4, 5]
    assert few.submit(threading.current_thread).result(WAIT_S) is not threading.current_thread()


@pytest.mark.promise("Errors")
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("room", [1, 2])
def test_the_threads_that_could_be_started_do_all_the_work(limit: Callable[[int], None], name: str, room: int) -> None:
    """Where only some threads can be started, they do all the work."""
    limit(room)
    assert CALLS[name](Pool(4), Call()) == [1, 2, 3, 4, 5]


def test_threads_are_as_many_as_ever_after_a_shortage(limit: Callable[[int], None]) -> None:
    """Those that could not be started do not count."""
    few, meeting = Pool(3), threading.Barrier(3)
    limit(1)
    few.map(Call(), range(5))
    limit(100)
    few.map(lambda _: meeting.wait(WAIT_S), range(3))


@pytest.mark.parametrize("is_running", [True, False])
def test_the_last_request_is_sent_without_a_thread_too(
    limit: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, is_running: bool
) -> None:
    """After Ctrl-C it gets a thread of its own, and where there is none, the background's, or this one."""
    background.start()
    if not is_running:
        background.begin_anew()
    limit(0)
    sent = []
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        clean_up(lambda: sent.append(threading.current_thread()))
    assert len(sent) == 1
    assert (sent[0] is threading.current_thread()) is not is_running


def test_the_background_has_its_jobs_done_without_a_thread(
    limit: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the latest when the interpreter ends; or by the first thread that can be started."""
    background.begin_anew()
    limit(0)
    done: list[int] = []
    background.start()
    background.later(lambda: done.append(1))
    assert done == []
    assert background.finish(WAIT_S)
    assert done == [1]
    background.later(lambda: done.append(2))
    limit(1)
    background.start()
    assert background.finish(WAIT_S)
    assert done == [1, 2]


def test_a_file_can_be_written_without_a_thread(fs: RegistryS3FileSystem, limit: Callable[[int], None]) -> None:
    """A small one needs none. A large one says why it cannot, and leaves nothing."""
    background.begin_anew()
    options = fs.storage_options | {"max_concurrency": 97}  # which no other test has, whose threads would be there
    few = RegistryS3FileSystem(**options, skip_instance_cache=True)
    limit(0)
    few.pipe_file("/small", b"x")
    with few.open("/also", "wb") as file:
        file.write(b"x")
    with pytest.raises(OSError, match="no thread can be started"), few.open("/f", "wb", block_size=5 << 20) as file:
        file.write(bytes(11 << 20))
    assert sorted(few.find("/")) == ["/also", "/small"]
    assert few.bucket.store.uploads == {}


# Ctrl-C


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs as on the way out after Ctrl-C."""
    monkeypatch.setattr(cancellation, "is_on", lambda: True)


def test_ctrl_c_while_a_thread_starts_leaves_nothing_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been handed in is known before it begins."""
    known: list[Any] = []
    one = Pool(1)

    def start(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt):
        one.submit_to(known, int)
    monkeypatch.undo()
    assert [future.cancelled() for future in known] == [True]
    assert one.submit(int).result(WAIT_S) == 0


class Connection:
    """One of http.client's, as far as interruption looks at it."""

    def __init__(self) -> None:
        self.sock, self.server = socket.socketpair()


def running(call: Callable[[Connection], Any]) -> Iterator[tuple[Task[Any], Connection]]:
    """A task that uses a connection."""
    connection, begun = Connection(), threading.Event()

    def work() -> Any:
        cancellation.uses(connection)
        begun.set()
        return call(connection)

    with closing(connection.sock), closing(connection.server):
        task = Pool(1).submit(work)
        assert begun.wait(WAIT_S)
        yield task, connection


def receive(connection: Connection) -> bytes:
    data = connection.sock.recv(10)
    cancellation.check()
    return data


def test_work_that_waits_for_a_server_is_given_up(interrupted: None) -> None:
    """Its connection is shut down, and the check behind it raises."""
    for task, _ in running(receive):
        cancel_and_wait([task])
        assert isinstance(task.exception(0), cancellation.GivenUp)


def test_an_answer_that_is_needed_may_still_come(interrupted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells what is to be cleaned up."""
    monkeypatch.setattr(cancellation, "GRACE_S", 2 * WAIT_S)
    entered = threading.Event()

    def ask(connection: Connection) -> bytes:
        with cancellation.answer_needed():
            entered.set()
            return receive(connection)

    for task, connection in running(ask):
        assert entered.wait(WAIT_S)
        cancellation.give_up([task])
        connection.server.sendall(b"the id")
        cancel_and_wait([task])
        assert task.result(0) == b"the id"


def test_an_answer_that_is_needed_is_not_waited_for_for_ever(interrupted: None) -> None:
    """The server may be silent."""

    def ask(connection: Connection) -> bytes:
        with cancellation.answer_needed():
            return receive(connection)

    for task, _ in running(ask):
        cancel_and_wait([task])
        assert isinstance(task.exception(WAIT_S), cancellation.GivenUp)


def test_nothing_is_begun_that_would_need_an_answer(interrupted: None) -> None:
    """Where the work was given up before."""
    work = cancellation.Work()
    cancellation.give_up([work])
    with cancellation.doing(work), pytest.raises(cancellation.GivenUp), cancellation.answer_needed():
        raise AssertionError("it was begun")


def test_a_connection_that_others_use_now_stays_open(interrupted: None) -> None:
    """The work that is given up used it before."""
    first, second, connection = cancellation.Work(), cancellation.Work(), Connection()
    with closing(connection.sock), closing(connection.server), cancellation.doing(first):
        cancellation.uses(connection)
        with cancellation.doing(second):
            cancellation.uses(connection)
            cancellation.give_up([first])
            connection.server.sendall(b"x")
            assert connection.sock.recv(1) == b"x"


def test_a_connection_keeps_no_result(fs: RegistryS3FileSystem) -> None:
    """It may be open for hours after."""
    connection, one = SimpleNamespace(sock=None, used_by=None), Pool(1)
    result = weakref.ref(one.submit(lambda: cancellation.uses(connection)))
    one.submit(int).result(WAIT_S)
    gc.collect()
    assert connection.used_by is None
    assert result() is None


def test_locks_that_are_held_while_garbage_is_collected_are_reentrant() -> None:
    """A finaliser may close a file by itself, and that uses the pool."""
    pool(3)
    with ExitStack() as held:
        for lock in package_locks():
            held.enter_context(lock)
        assert pool(3).submit(int).result(WAIT_S) == 0
