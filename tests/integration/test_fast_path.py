"""The fast path takes the plain answer only, spends the same budget as boto3, and is heard and seen as boto3 is."""

from __future__ import annotations

import errno
import gc
import logging
import os
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
import botocore.client
import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.s3 import many_requests
from registry_s3fs.s3.fast_path import client, connection
from registry_s3fs.s3.fast_path.client import MOST_REFUSALS
from registry_s3fs.s3.listing_responses import Listing
from registry_s3fs.s3.many_requests import for_boto3
from testbed.messages import Answer, Close, Pause, Request, Silence, steps
from testbed.plain_answers import plain
from testbed.scripted_store import ScriptedStore
from testbed.servers import Server
from tests.thoroughly import thorough

MIB = 1024 * 1024
DATA = bytes(range(256)) * 40


@pytest.fixture
def store() -> Iterator[ScriptedStore]:
    with ScriptedStore({"f": DATA, "g": b"another", "d/h": b"1"}) as found:
        yield found


def filesystem(store: ScriptedStore, **options: Any) -> RegistryS3FileSystem:
    config = {"read_timeout": 2, "retries": {"total_max_attempts": 2}, **options.pop("config_kwargs", {})}
    return RegistryS3FileSystem(**store.options(config_kwargs=config, **options), skip_instance_cache=True)


CALLS: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "GetObject": lambda fs: fs.cat_file("/f"),
    "HeadObject": lambda fs: fs.info("/f")["size"],
    "ListObjectsV2": lambda fs: fs.ls("/d", detail=False),
    "PutObject": lambda fs: fs.pipe_file("/new", b"1"),
    "UploadPart": lambda fs: fs.bucket.upload_part("p", fs.bucket.create_upload("p"), 1, b"1").etag,
}
SENT = [name for call in CALLS for name in {"UploadPart": ["CreateMultipartUpload", call]}.get(call, [call])]
"""The operations that all of the calls send."""
BY_BOTO3 = "Boto3/"


def by_boto3(request: Request) -> bool:
    return BY_BOTO3 in (request.header("User-Agent") or "")


@pytest.mark.promise("boto3")
@pytest.mark.parametrize("operation", CALLS)
def test_the_plain_answer_takes_one_request(store: ScriptedStore, operation: str) -> None:
    """With `fast_path=False`, boto3 sends every request.

    Without that option, a request with a plain answer is sent once, and boto3 does not see it.
    """
    CALLS[operation](filesystem(store))
    assert [by_boto3(request) for request in store.of(operation)] == [False]
    CALLS[operation](filesystem(store, fast_path="false"))
    assert [by_boto3(request) for request in store.of(operation)] == [False, True]


def odd(_: Request, answer: Answer) -> Any:
    return answer.with_header("X-Folded", "a\r\n b")


@pytest.mark.promise("boto3")
@pytest.mark.parametrize("operation", CALLS)
def test_a_kind_of_request_is_boto3s_after_so_many_odd_answers(store: ScriptedStore, operation: str) -> None:
    """After five odd answers to one kind of request, boto3 sends the requests of that kind.

    Answers that were taken between them do not count. Other kinds of requests stay on the fast path.
    """
    fs = filesystem(store)
    for _ in range(MOST_REFUSALS):
        CALLS[operation](fs)
        script = store.script(operation, odd, times=1)
        CALLS[operation](fs)
        assert script.struck == 1
    assert not fs.bucket.fast_path.is_open(operation)
    assert all(fs.bucket.fast_path.is_open(other) for other in CALLS if other != operation)
    store.requests.clear()
    CALLS[operation](fs)
    assert [by_boto3(request) for request in store.of(operation)] == [True]


@pytest.mark.promise("boto3")
@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize("reply", [plain(503), plain(500), [Close()]], ids=["503", "500", "close"])
def test_attempts_are_the_sdks_setting_all_in_all(
    store: ScriptedStore, operation: str, attempts: int, reply: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`total_max_attempts` holds for every request, whether it goes by the fast path or by boto3."""
    monkeypatch.setattr("random.uniform", lambda *bounds: 0.0)
    monkeypatch.setattr("random.random", lambda: 0.0)
    fs = filesystem(store, config_kwargs={"retries": {"total_max_attempts": attempts}})
    store.script(operation, reply)
    with pytest.raises(OSError, match=r"busy|failed|broke|is none of S3's"):
        CALLS[operation](fs)
    assert len(store.of(operation)) == attempts


@pytest.mark.parametrize("status", [403, 404, 412, 416])
def test_a_plain_refusal_is_an_answer(store: ScriptedStore, status: int) -> None:
    """It is not asked for again, does not count as odd, and has the SDK's exception as its cause."""
    body = b"<Error><Code>Whatever</Code><Message>for a reason</Message></Error>"
    fs = filesystem(store)
    store.script("PutObject", plain(status, body))
    for _ in range(2 * MOST_REFUSALS):
        with pytest.raises(OSError, match="for a reason") as refused:
            fs.pipe_file("/new", b"1")
        assert refused.value.__cause__.response["Error"]["Code"] == "Whatever"
    assert not any(map(by_boto3, store.of("PutObject")))
    assert fs.bucket.fast_path.is_open("PutObject")


FOLLOWING = (
    b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 5\r\nLast-Modified: Tue, 24 Nov 2026 07:57:54 GMT\r\n\r\nother'
)


def at_once(answer: Answer) -> bytes:
    """What may come in one packet with what follows it."""
    return b"".join(step for step in steps(answer) if isinstance(step, bytes))


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        lambda request, answer: [INTERIM, answer],
        lambda request, answer: [at_once(answer) + FOLLOWING],
        lambda request, answer: [at_once(answer) + FOLLOWING * 1000],
    ],
    ids=["interim", "answer behind", "many answers behind"],
)
def test_no_request_gets_the_answer_to_another(store: ScriptedStore, fast: bool, change: Any) -> None:
    """No request gets the answer to another, whatever interim answers or bytes behind a body a server sends."""
    fs = filesystem(store, fast_path=fast)
    store.script("GetObject", change, key="f")
    store.script("HeadObject", change, key="f")
    for _ in range(4):
        with suppress(OSError):
            assert fs.cat_file("/f") == DATA
        assert fs.cat_file("/g") == b"another"
        with suppress(OSError):
            assert fs.info("/f")["size"] == len(DATA)
        assert fs.info("/g")["size"] == 7


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("fast", [True, False])
def test_a_head_that_breaks_off_within_a_number_is_not_taken(store: ScriptedStore, fast: bool) -> None:
    """An answer whose header block breaks off is not taken.

    http.client would take ``Content-Length: 10``, the beginning of 10240, for a file of 10 bytes.
    """
    fs = filesystem(store, fast_path=fast)
    head = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nLast-Modified: Tue, 24 Nov 2026 07:57:54 GMT\r\nContent-Length: 10'
    store.script("HeadObject", [head, Close()])
    with pytest.raises(ConnectionError):
        fs.info("/f")


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("operation", ["GetObject", "HeadObject", "ListObjectsV2"])
def test_an_answer_that_trickles_is_a_timeout(store: ScriptedStore, fast: bool, operation: str) -> None:
    """An answer that trickles is a `TimeoutError`.

    A byte now and then would beat each timeout of a socket.
    """
    fs = filesystem(store, fast_path=fast, config_kwargs={"read_timeout": 0.5})
    trickle = [step for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200 for step in (bytes([byte]), Pause(0.1))]
    store.script(operation, trickle)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        CALLS[operation](fs)
    assert time.monotonic() - began < 15


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("fast", [True, False])
def test_a_connection_that_was_idle_for_long_is_not_used_again(
    store: ScriptedStore, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was idle for 20 s is not used again.

    A proxy or firewall may have dropped it. That would cost a whole read timeout.
    """
    fs = filesystem(store, fast_path=fast)
    assert fs.cat_file("/f") == DATA
    used = store.connections
    assert fs.cat_file("/f") == DATA
    assert store.connections == used
    for module in (connection, sys.modules["registry_s3fs.s3.strict_http"]):
        monkeypatch.setattr(module, "MAX_IDLE_S", -1.0)
    assert fs.cat_file("/f") == DATA
    assert store.connections == used + 1


@pytest.mark.promise("boto3")
def test_who_listens_is_heard_from_then_on(store: ScriptedStore) -> None:
    """Handlers of boto3's events are called for every request, whenever they were registered."""
    fs, heard = filesystem(store), []
    assert fs.cat_file("/f") == DATA
    fs.bucket.client.meta.events.register("before-send.s3", lambda **event: heard.append(event["event_name"]))
    for call in CALLS.values():
        call(fs)
    assert [name.rpartition(".")[2] for name in heard] == SENT


@pytest.mark.promise("boto3")
def test_who_wraps_botocores_calls_sees_each(store: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracers that wrap botocore's calls see every call."""
    fs, seen = filesystem(store), []
    assert fs.cat_file("/f") == DATA
    original = botocore.client.BaseClient._make_api_call

    def traced(self: Any, operation: str, parameters: Any) -> Any:
        seen.append(operation)
        return original(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", traced)
    for call in CALLS.values():
        call(fs)
    assert fs.cat(["/f", "/g"]) == {"/f": DATA, "/g": b"another"}
    assert seen == [*SENT, "GetObject", "GetObject"]
    monkeypatch.undo()
    assert fs.cat_file("/f") == DATA
    assert len(seen) == len(SENT) + 2


@pytest.mark.promise("Configuration")
def test_each_request_and_each_handing_over_is_told(store: ScriptedStore, caplog: pytest.LogCaptureFixture) -> None:
    """`loglevel="debug"` shows each request, and why a request was left to boto3.

    The line of a request has what was asked for, the status and the time.
    """
    caplog.set_level(logging.DEBUG, "registry_s3fs")
    fs = filesystem(store)
    fs.cat(["/f", "/g"])
    store.script("HeadObject", odd, times=1)
    fs.info("/f")
    text = caplog.text
    assert "GetObject 'f': status 206" in text
    assert "GetObject 'g': status 206" in text
    assert "HeadObject 'f': left to boto3: not the plain answer: the head is not well formed" in text


LOUD = """
import sys
from registry_s3fs import RegistryS3FileSystem
fs = RegistryS3FileSystem(bucket="demo", regionendpoint=sys.argv[1], accesskey="a", secretkey="s", loglevel=sys.argv[2])
fs.cat_file("/f")
"""


def test_loglevel_debug_shows_something_where_nothing_else_does(store: ScriptedStore) -> None:
    """A program without a handler of its own sees it on standard error; by default it is silent."""
    for level, shown in (("debug", True), ("off", False)):
        command = [sys.executable, "-c", LOUD, store.endpoint, level]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert ("GetObject 'f': status 206" in ended.stderr) == shown


def frames(error: BaseException | None, seen: set[int]) -> Iterator[dict[str, Any]]:
    """The locals of all frames of an exception and of those that led to it."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename != __file__:
            yield dict(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next
    yield from frames(error.__cause__, seen)
    yield from frames(error.__context__, seen)


FAILURES: dict[str, Any] = {
    "denied": plain(403),
    "busy": plain(503),
    "closed": [Close()],
    "silent": [Silence()],
    "odd": [b"HTTP/1.0 200\r\n\r\n"],
}


@pytest.mark.promise("Secrets and credentials")
@pytest.mark.parametrize("failure", ["denied", "silent", "odd", *thorough("busy", "closed")])
@pytest.mark.parametrize("fast", [True, False])
def test_no_frame_of_an_exception_holds_a_signature(store: ScriptedStore, failure: str, fast: bool) -> None:
    """No traceback's locals hold a signature that still works.

    Tools such as Sentry record the locals of tracebacks.
    """
    config = {"read_timeout": 0.3, "retries": {"total_max_attempts": 2}}
    fs = filesystem(store, fast_path=fast, sessiontoken="TOKENOFTHISTEST", config_kwargs=config)
    store.script("", FAILURES[failure])
    calls = [*CALLS.values(), lambda fs: fs.cat(["/f", "/g"]), lambda fs: fs.pipe({"/a": b"1", "/b": b"2"})]
    calls += [lambda fs: fs.cp_file("/f", "/x"), lambda fs: fs.pipe_file("/large", bytes(12 * MIB))]
    signatures = set()
    for call in calls:
        with pytest.raises(OSError) as raised:  # noqa: PT011  # which one is another test's
            call(fs)
        signatures |= {_signature(request) for request in store.requests}
        held = repr(list(frames(raised.value, set())))
        assert not [each for each in signatures if each in held]
        assert "TOKENOFTHISTEST" not in held
    assert len(signatures) > 2


def _signature(request: Request) -> str:
    return (request.header("Authorization") or "").rpartition("Signature=")[2]


def test_ctrl_c_in_the_middle_of_a_request_holds_no_signature(
    store: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It arrives in the thread that does the work, wherever that is; the connection is closed."""

    def interrupt(*args: Any) -> Any:
        raise KeyboardInterrupt

    fs = filesystem(store)
    monkeypatch.setattr(selectors.PollSelector, "select", interrupt)
    for call in (CALLS["GetObject"], lambda fs: fs.cat(["/f", "/g"])):
        with pytest.raises(KeyboardInterrupt) as raised:
            call(fs)
        held = repr(list(frames(raised.value, set())))
        assert "Signature=" not in held


@contextmanager
def descriptors_left(count: int) -> Iterator[Callable[[], None]]:
    """Within it, the process has so many; what is given takes those that others have let go since."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    heard, gc.callbacks[:] = gc.callbacks[:], []  # dask's would open a file

    def take() -> None:
        gc.collect()  # files and sockets in cycles, which would be closed at any moment
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))

    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        take()
        for _ in range(count):
            os.close(taken.pop())
        yield take
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        gc.callbacks[:] = heard


@pytest.mark.promise("Errors")
def test_a_lack_of_descriptors_is_told_and_harms_no_later_call(store: ScriptedStore) -> None:
    """A lack of descriptors is an error that says so, and harms no later call.

    It is not told as missing credentials, nor as an endpoint that cannot be reached.
    """
    fs = filesystem(store)
    with descriptors_left(0) as take_the_rest:
        for call in CALLS.values():
            time.sleep(0.05)  # threads of servers that have ended close their sockets
            take_the_rest()
            with pytest.raises(OSError, match="no file descriptors left") as lack:
                call(fs)
            assert lack.value.errno == errno.EMFILE
    for call in CALLS.values():
        call(fs)
    assert all(map(fs.bucket.fast_path.is_open, CALLS))


def test_many_are_read_with_the_descriptors_that_there_are(moto_server: Server) -> None:
    """Fewer connections are used where the system gives no more."""
    moto_server.create_bucket("few-descriptors")
    names = [f"/many/{number}" for number in range(60)]
    for name in names:
        moto_server.client().put_object(Bucket="few-descriptors", Key=name[1:], Body=DATA)
    fs = RegistryS3FileSystem(**moto_server.options("few-descriptors"))
    assert fs.cat_file(names[0]) == DATA
    with descriptors_left(6):
        assert fs.cat(names) == dict.fromkeys(names, DATA)


@pytest.mark.promise("boto3")
def test_clients_of_many_credentials_are_let_go(store: ScriptedStore) -> None:
    """A client that no filesystem uses any more is freed, with its connections.

    Many session tokens leave neither descriptors nor clients behind.
    """
    before = len(os.listdir("/proc/self/fd"))
    for number in range(60):
        fs = filesystem(store, sessiontoken=f"token{number}")
        assert fs.cat_file("/f") == DATA
        fs.rm_file("/f")
        store.s3.store("f", DATA)
    del fs
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) - before < 20


def test_a_body_of_a_lying_size_takes_no_memory(store: ScriptedStore) -> None:
    """It is bounded before it is believed."""
    fs = filesystem(store)
    huge = str(10**18)
    for operation in ("HeadObject", "GetObject"):
        store.script(operation, lambda request, answer: answer.with_header("Content-Length", huge))
    for call in (CALLS["GetObject"], CALLS["HeadObject"], lambda fs: fs.open("/f").read()):
        with pytest.raises(OSError, match=r"ContentLength|Content-Length|connection broke"):
            call(fs)


@pytest.mark.promise("boto3")
def test_a_default_sessions_handlers_hear_of_calls(store: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers on the default session are called too."""
    heard: list[str] = []
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    fs = filesystem(store)
    assert fs.cat_file("/f") == DATA
    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("before-call.s3", lambda **event: heard.append(event["event_name"]))
    assert fs.cat_file("/f") == DATA
    assert heard == ["before-call.s3.GetObject"]
    assert client.logger.name == "registry_s3fs"


@pytest.mark.parametrize(
    "call",
    [
        lambda fs: fs.bucket.start_lists([Listing(f"d{number}/") for number in range(40)]),
        lambda fs: fs.pipe({f"/d{number}": b"x" for number in range(40)}),
        lambda fs: fs.cat([f"/d{number}" for number in range(40)], on_error="return"),
    ],
    ids=["list", "pipe", "cat"],
)
def test_a_server_that_is_gone_is_tried_for_all_at_once(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each boto3 call takes as long as it tries, so they are not made a few after a few."""
    with refusing(max_concurrency=64) as fs, suppress(OSError):
        rounds = rounds_of(fs, monkeypatch)
        call(fs)
    assert 1 <= len(rounds) <= 2
    assert sum(rounds) == 40


def test_more_are_tried_side_by_side_alone_where_nothing_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not within a task of the pool, where one would wait for the other."""
    allowed: list[int] = []

    def noted(left: Any, due: Any, most: int) -> Any:
        allowed.append(most)
        return for_boto3(left, due, most)

    monkeypatch.setattr(many_requests, "for_boto3", noted)
    listings = [Listing("a/"), Listing("b/")]
    with refusing(max_concurrency=8) as fs:
        fs.bucket.start_lists(listings)
        assert set(allowed) == {8}
        allowed.clear()
        fs.pool.submit(fs.bucket.start_lists, listings).result()
        assert set(allowed) == {0}
    with ScriptedStore({"a/f": b"1", "b/f": b"2"}) as store:
        allowed.clear()
        options = store.options(config_kwargs={"retries": {"total_max_attempts": 2}})
        RegistryS3FileSystem(**options, skip_instance_cache=True).bucket.start_lists(listings)
        assert allowed[0] == 0


@contextmanager
def refusing(**options: Any) -> Iterator[RegistryS3FileSystem]:
    """A filesystem at a port where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = Server("none", f"http://127.0.0.1:{bound.getsockname()[1]}")
        tries = {"retries": {"total_max_attempts": 2}}
        yield RegistryS3FileSystem(**server.options("bucket", config_kwargs=tries, **options), skip_instance_cache=True)


def rounds_of(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests are left to boto3 at a time, from now on."""
    rounds: list[int] = []
    each = fs.pool.each

    def counted(work: Any, items: Any, *more: Any) -> Any:
        listed = list(items)
        if listed:
            rounds.append(len(listed))
        return each(work, listed, *more)

    monkeypatch.setattr(fs.pool, "each", counted)
    return rounds
