"""Signals: to the command they are as Ctrl-C, and nothing is left behind; the library leaves them alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.cli import main
from testbed.proxy import ALWAYS, GIVE_UP_S, Fault, Proxy
from tests.faults.conftest import DATA

MAIN = """
import sys
from registry_s3fs.cli import main as cli
folder = sys.argv.pop(1)
def call(fs, arguments):
    CALL
if CALLED: cli._cat = call
sys.exit(cli.main(sys.argv[1:]))
"""
GET = ("fs.get_file('/large', folder + '/f')", Fault("GetObject", "stall", nth=3, times=ALWAYS))
PUT = (
    "open(folder + '/f', 'wb').write(bytes(32 << 20)); fs.put_file(folder + '/f', '/new', block_size=5 << 20)",
    Fault("UploadPart", "silent", nth=3, times=ALWAYS),
)
STREAM = (
    "fs.put_file('/dev/zero', '/new', block_size=5 << 20)",
    Fault("UploadPart", "silent", nth=3, times=ALWAYS),
)
CAT = ("", Fault("GetObject", "stall", nth=2, times=ALWAYS))
CALLS = {"get": GET, "put": PUT, "put of a stream": STREAM, "cat": CAT}
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

Started = Callable[[str, Fault, list[str]], "subprocess.Popen[str]"]


@pytest.fixture
def start(fs: RegistryS3FileSystem, options: dict[str, Any], proxy: Proxy, tmp_path: Path) -> Started:
    """Starts the command ``cat``, or what the code does in its place, and waits until the server has stalled."""
    fs.pipe_file("/large", DATA)
    given = {**options, "regionendpoint": proxy.endpoint}
    words = [word for name, value in given.items() for word in ("-o", f"{name}={value}")]

    def run(call: str, fault: Fault, before: list[str]) -> subprocess.Popen[str]:
        proxy.faults = [Fault(**vars(fault))]
        code = MAIN.replace("CALLED", str(bool(call))).replace("CALL", call or "pass")
        child = subprocess.Popen(
            [*before, sys.executable, "-c", code, str(tmp_path), "cat", fs.unstrip_protocol("/large"), *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        assert proxy.stalled.wait(GIVE_UP_S)
        time.sleep(0.3)  # more may be under way by now
        return child

    return run


@pytest.mark.promise("Processes and threads")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, signal.SIGTERM) for name in CALLS),
        ("get", signal.SIGHUP),
        ("put", signal.SIGHUP),
        ("get", signal.SIGINT),
    ],
)
def test_a_signal_ends_the_command_and_leaves_nothing(
    fs: RegistryS3FileSystem, start: Started, tmp_path: Path, name: str, number: signal.Signals
) -> None:
    """SIGTERM ends the command as Ctrl-C does: with a plain sentence and status 130, and without a partial file or
    upload left. A second signal does not end the cleaning up.
    """
    with start(*CALLS[name], []) as child:
        child.send_signal(number)
        if number is not signal.SIGINT:  # Ctrl-C twice is meant so
            time.sleep(0.1)
            child.send_signal(number)
        _, said = child.communicate(timeout=GIVE_UP_S)
    assert (said, child.returncode) == ("registry-s3fs: interrupted\n", 130)
    assert not list(tmp_path.rglob("*.part"))
    assert fs.list_multipart_uploads() == []
    assert not fs.exists("/new")


def test_a_signal_that_is_ignored_stays_so(start: Started) -> None:
    """Who starts the command by nohup, or with SIGTERM ignored, wants it to go on."""
    with start(*CAT, ["sh", "-c", 'trap "" TERM HUP; exec "$@"', "sh"]) as child:
        for number in (signal.SIGTERM, signal.SIGHUP):
            child.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
        child.kill()


@pytest.mark.promise("Processes and threads")
def test_the_library_leaves_signals_alone(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """The library installs no signal handler. The command takes its own away when it is done."""
    before = [signal.getsignal(number) for number in SIGNALS]
    fs.pipe_file("/f", b"x")
    fs.get_file("/f", tmp_path / "f")
    fs.put_file(tmp_path / "f", "/g")
    assert main.main(["ls", "/"]) == 1
    assert [signal.getsignal(number) for number in SIGNALS] == before
    code = "import signal, registry_s3fs.cli.main; print([signal.getsignal(n) is signal.SIG_DFL for n in (15, 1)])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[True, True]\n"
    )
