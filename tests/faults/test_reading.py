"""Reading over a network that fails."""

from __future__ import annotations

import errno
import gc
import io
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import FileExpired
from registry_s3fs.s3 import retry
from testbed.plain_answers import fitted, plain
from testbed.proxy import ALWAYS, Fault, Proxy
from testbed.scripted_server import ScriptedServer
from tests.faults.conftest import DATA, MIB

PIECE = 4 * MIB
Through = Callable[..., RegistryS3FileSystem]
QUICK = {"config_kwargs": {"read_timeout": 0.5, "retries": {"total_max_attempts": 2}}}


@pytest.fixture(autouse=True)
def _data(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    fs.pipe_file("/f", DATA)
    monkeypatch.setattr(retry, "FIRST_READ_PAUSE_S", 0.01)


def opened(fs: RegistryS3FileSystem) -> bytes:
    with fs.open("/f", "rb") as file:
        return b"".join(iter(lambda: file.read(MIB), b""))


def cat_file(fs: RegistryS3FileSystem) -> bytes:
    data: bytes = fs.cat_file("/f")
    return data


def get_file(fs: RegistryS3FileSystem) -> bytes:
    into = io.BytesIO()
    fs.get_file("/f", into)
    return into.getvalue()


@pytest.mark.promise("Reading")
@pytest.mark.parametrize("kind", ["503", "500", "reset", "applied", "truncate", "break"])
@pytest.mark.parametrize("read", [opened, cat_file])
def test_a_read_goes_on_where_it_broke(
    shaky: RegistryS3FileSystem, proxy: Proxy, kind: str, read: Callable[[RegistryS3FileSystem], bytes]
) -> None:
    """A read goes on where it broke: after a body that was cut short or reset, an answer that did not come, or a
    throttled request. Each byte comes once.
    """
    proxy.faults = [Fault("GetObject", kind), Fault("GetObject", kind, nth=3)]
    assert read(shaky) == DATA
    assert proxy.count("GetObject") >= 4


def at_once(fs: RegistryS3FileSystem) -> bytes:
    with fs.open("/f", "rb") as file:
        data: bytes = file.read()
        return data


@pytest.mark.parametrize(("nth", "times"), [(1, 1), (2, 1), (1, ALWAYS), (2, ALWAYS)])
@pytest.mark.parametrize("read", [opened, at_once, cat_file, lambda fs: fs.cat_file("/f", 1, 3 * PIECE), get_file])
def test_no_error_holds_the_memory_that_was_filled(
    shaky: RegistryS3FileSystem, proxy: Proxy, nth: int, times: float, read: Callable[[RegistryS3FileSystem], bytes]
) -> None:
    """Neither one that is raised nor one that was overcome: Python's garbage collector could crash over both."""
    proxy.faults = [Fault("GetObject", "truncate", nth=nth, times=times, sent=10)]
    raised = None
    gc.collect()
    gc.disable()
    try:
        read(shaky)
    except OSError as error:
        raised = error
    finally:
        left = [each for each in gc.get_objects() if type(each) is type_of_buffer()]
        gc.enable()
    assert (raised is None) == (times == 1)
    assert left == []


def type_of_buffer() -> type:
    """What an exported view of a BytesIO holds."""
    with io.BytesIO(b"1").getbuffer() as view:
        return type(view.obj)


@pytest.mark.promise("Reading")
@pytest.mark.parametrize("kind", ["truncate", "stall"])
def test_a_read_is_taken_up_at_the_very_byte(through: Through, proxy: Proxy, kind: str) -> None:
    """Bytes that were received before a body ended or stalled are not asked for again."""
    fs, sent = through(**QUICK), 1_234_567
    proxy.faults = [Fault("GetObject", kind, sent=sent)]
    assert fs.cat_file("/f", 0, PIECE) == DATA[:PIECE]
    first, second = proxy.of("GetObject")
    assert [request.header("Range") for request in (first, second)] == [
        f"bytes=0-{PIECE - 1}",
        f"bytes={sent}-{PIECE - 1}",
    ]
    assert second.header("If-Match") == fs.info("/f")["ETag"]


def test_a_body_of_boto3s_is_taken_up_too(shaky: RegistryS3FileSystem, proxy: Proxy) -> None:
    """Where the first answer was an error, boto3 reads; of its body at most 256 KiB are asked for again."""
    proxy.faults = [Fault("GetObject", "503"), Fault("GetObject", "truncate", nth=2, sent=3 * MIB)]
    assert shaky.cat_file("/f", 0, PIECE) == DATA[:PIECE]
    start = int(re.findall(r"\d+", proxy.of("GetObject")[2].header("Range"))[0])
    assert 3 * MIB - 256 * 1024 <= start <= 3 * MIB


@pytest.mark.promise("Reading")
def test_a_connection_that_breaks_again_and_again_is_enough_while_it_brings_bytes(
    shaky: RegistryS3FileSystem, proxy: Proxy
) -> None:
    """A read goes on as long as its connections bring bytes, however often they break.

    The budget of attempts grows with progress. At 300 KB a connection, a piece of 4 MiB takes 14 attempts.
    """
    proxy.faults = [Fault("GetObject", "truncate", times=ALWAYS, sent=300_000)]
    assert shaky.cat_file("/f", 0, PIECE) == DATA[:PIECE]
    assert proxy.count("GetObject") == 14


@pytest.mark.promise("Reading")
@pytest.mark.parametrize(
    ("kind", "error"), [("truncate", ConnectionError), ("break", ConnectionError), ("stall", TimeoutError)]
)
def test_a_read_that_brings_nothing_ends(through: Through, proxy: Proxy, kind: str, error: type[OSError]) -> None:
    """A read ends after 4 attempts without a byte, with a `ConnectionError`, or a `TimeoutError` where the server
    stalls.
    """
    fs = through(**QUICK)
    proxy.faults = [Fault("GetObject", kind, times=ALWAYS, sent=0)]
    with pytest.raises(error) as broken:
        fs.cat_file("/f", 0, MIB)
    assert broken.value.filename == "/f"
    assert broken.value.__cause__ is not None
    assert proxy.count("GetObject") == retry.FRUITLESS_ATTEMPTS


@pytest.mark.promise("Reading")
def test_fruitless_attempts_are_further_and_further_apart(
    shaky: RegistryS3FileSystem, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses between attempts grow, and chance is in them.

    Chance keeps many readers from coming back at one moment.
    """
    asked: list[tuple[float, float]] = []
    monkeypatch.setattr("random.uniform", lambda least, most: asked.append((least, most)) or 0.0)
    proxy.faults = [Fault("GetObject", "break", times=3, sent=0)]
    assert shaky.cat_file("/f", 0, MIB) == DATA[:MIB]
    assert asked == [(0, 0.02), (0, 0.04), (0, 0.08)]


@pytest.mark.promise("Reading")
def test_an_object_replaced_while_the_connection_broke_is_told(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy
) -> None:
    """An object that is replaced while the connection is broken is noticed too.

    After the break, the version before it is asked for. The result is that version, or `FileExpired`.
    """

    def replace() -> None:
        fs.pipe_file("/f", DATA[::-1])

    shaky.cat_file("/f", 0, 1)
    proxy.faults = [Fault("GetObject", "truncate", after=replace)]
    with pytest.raises(FileExpired) as expired:
        shaky.cat_file("/f")
    assert expired.value.filename == "/f"


def test_a_silent_server_is_a_timeout(through: Through, proxy: Proxy) -> None:
    """However often it is asked, each time for the read timeout."""
    fs = through(**QUICK)
    proxy.faults = [Fault("GetObject", "silent", times=ALWAYS)]
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="read_timeout") as silent:
        fs.cat_file("/f")
    assert time.monotonic() - began >= 2 * 0.5
    assert silent.value.filename == "/f"
    assert proxy.count("GetObject") == 2  # one of the fast path's, one of boto3's


def test_a_looked_up_file_survives_a_failing_look(shaky: RegistryS3FileSystem, proxy: Proxy) -> None:
    """HEADs and listings are tried again too, and a truncated listing is no listing."""
    proxy.faults = [
        *(Fault("HeadObject", kind) for kind in ("503", "reset")),
        Fault("ListObjectsV2", "truncate"),
        Fault("ListObjectsV2", "500", nth=2),
    ]
    assert shaky.info("/f")["size"] == len(DATA)
    assert shaky.ls("/", detail=False) == ["/f"]


def test_a_failed_look_is_never_an_absence(through: Through, proxy: Proxy) -> None:
    """exists, isfile and isdir raise where the server fails to the end."""
    fs = through(**QUICK)
    proxy.faults = [Fault("HeadObject", "500", times=ALWAYS), Fault("ListObjectsV2", "500", times=ALWAYS)]
    looks: list[Callable[[Any], Any]] = [fs.exists, fs.isfile, fs.isdir]
    for look in looks:
        with pytest.raises(OSError, match="server failed"):
            look("/f")


@pytest.mark.parametrize("call", [RegistryS3FileSystem.cat_file, RegistryS3FileSystem.info, RegistryS3FileSystem.open])
def test_a_page_with_status_200_is_no_object(call: Callable[..., Any]) -> None:
    """A proxy's: it has no ETag, and is said to be none of S3's answers."""
    page = plain(200, b"<html>log in first</html>")
    with ScriptedServer(lambda request: fitted(page, request)) as server:
        fs = RegistryS3FileSystem(**server.options({}, anon=True), skip_instance_cache=True)
        with pytest.raises(OSError, match="is none of S3's: it has no ETag") as failed:
            call(fs, "/f")
    assert (failed.value.errno, failed.value.filename) == (errno.EPROTO, "/f")
