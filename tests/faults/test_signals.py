"""Signals: to the command they are as Ctrl-C, and nothing is left behind; the library leaves them alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.cli import main
from testbed.proxy import ALWAYS, GIVE_UP_S, Fault, Proxy
from tests.faults.conftest import DATA
from tests.registries import MadeRegistry
from tests.thoroughly import thorough

GET = (["get", "/large", "{folder}/f"], Fault("GetObject", "stall", nth=3, times=ALWAYS))
PUT = (
    ["put", "{folder}/large", "/new", "-o", "chunksize=5242880"],
    Fault("UploadPart", "silent", nth=3, times=ALWAYS),
)
STREAM = (
    ["put", "/dev/zero", "/new", "-o", "chunksize=5242880"],
    Fault("UploadPart", "silent", nth=3, times=ALWAYS),
)
CAT = (["cat", "/large"], Fault("GetObject", "stall", nth=2, times=ALWAYS))
INVENTORY = (["inventory", "{folder}/tables"], Fault("ListObjectsV2", "silent", nth=2, times=ALWAYS))
VERIFY = (["verify"], Fault("GetObject", "stall", nth=3, times=ALWAYS))
CALLS = {"get": GET, "put": PUT, "put of a stream": STREAM, "cat": CAT, "inventory": INVENTORY, "verify": VERIFY}
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

Started = Callable[[list[str], Fault, list[str]], "subprocess.Popen[str]"]


@pytest.fixture
def start(
    fs: RegistryS3FileSystem, options: dict[str, Any], proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Started]:
    """Starts the command with these words, and waits until the server has stalled. It is killed after the test."""
    fs.pipe_file("/large", DATA)
    MadeRegistry(fs).image("team/app", "v1", [DATA])
    (tmp_path / "large").write_bytes(bytes(32 << 20))
    monkeypatch.setenv("THE_SECRET", options["secretkey"])
    given = {**options, "regionendpoint": proxy.endpoint}
    words = [f"-o{name}={value}" for name, value in given.items() if name != "secretkey"]

    def run(call: list[str], fault: Fault, before: list[str]) -> subprocess.Popen[str]:
        proxy.faults = [Fault(**vars(fault))]
        named = [word.format(folder=tmp_path) for word in call]
        child = subprocess.Popen(
            [*before, sys.executable, "-m", "registry_s3fs", *named, *words, "--secret-from-env", "THE_SECRET"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        children.append(child)
        assert proxy.stalled.wait(GIVE_UP_S)
        time.sleep(0.3)  # more may be under way by now
        return child

    children: list[subprocess.Popen[str]] = []
    yield run
    for child in children:
        child.kill()
        child.communicate()


@pytest.mark.promise("Processes and threads")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, signal.SIGTERM) for name in CALLS),
        ("get", signal.SIGHUP),
        *thorough(("put", signal.SIGHUP), ("get", signal.SIGINT)),
    ],
)
def test_a_signal_ends_the_command_and_leaves_nothing(
    fs: RegistryS3FileSystem, start: Started, tmp_path: Path, name: str, number: signal.Signals
) -> None:
    """SIGTERM ends the command as Ctrl-C does: with a plain sentence and status 130, and without a partial file or
    upload left. A second signal does not end the cleaning up.
    """
    child = start(*CALLS[name], [])
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
    child = start(*CAT, ["sh", "-c", 'trap "" TERM HUP; exec "$@"', "sh"])
    for number in (signal.SIGTERM, signal.SIGHUP):
        child.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.5)


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
