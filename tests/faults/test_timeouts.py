"""How long anything takes at most: dead and silent servers, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.s3 import client, retry
from testbed.proxy import ALWAYS, GIVE_UP_S, Fault, Proxy
from tests.faults.conftest import DATA, MIB

LIMIT_S = GIVE_UP_S / 4
"""The promise is 2 s; a busy machine may take longer, but never as long as the server is silent."""
CHILD = """
import json, signal, sys, threading, time, fsspec
signal.signal(signal.SIGINT, signal.default_int_handler)
fs = fsspec.filesystem('registrys3', **json.loads(sys.argv[1]))
names, folder = [f'/t/{number}' for number in range(12)], sys.argv[2]

def working():
    return [each.name for each in threading.enumerate() if each.name.startswith('registry-s3fs')]

def call():
    CALL

try:
    call()
except KeyboardInterrupt:
    returned = time.time()
    while (left := working()) and time.time() < returned + LIMIT: time.sleep(0.01)
    print(json.dumps({'returned': returned, 'working': left, 'ended': time.time()}), flush=True)
"""
WRITE = "file.write(bytes(1 << 20))"
CALLS = {
    "cat of many": ("fs.cat(names)", Fault("GetObject", "stall", nth=3, times=ALWAYS)),
    "cat_file": ("fs.cat_file('/large')", Fault("GetObject", "stall", nth=2, times=ALWAYS)),
    "read": (
        "file = fs.open('/large'); [file.read(1 << 20) for _ in range(99)]",
        Fault("GetObject", "stall", nth=4, times=ALWAYS),
    ),
    "get_file": ("fs.get_file('/large', folder + '/f')", Fault("GetObject", "stall", nth=3, times=ALWAYS)),
    "get of many": ("fs.get('/t', folder, recursive=True)", Fault("GetObject", "silent", nth=3, times=ALWAYS)),
    "write stream": (
        f"with fs.open('/new', 'wb', block_size=5 << 20) as file:\n        while True: {WRITE}",
        Fault("UploadPart", "silent", nth=3, times=ALWAYS),
    ),
    "write stream, one part stalled": (
        f"with fs.open('/new', 'wb', block_size=5 << 20) as file:\n        {WRITE}\n        while True:\n"
        f"            if file.loc < 60 << 20: {WRITE}",
        Fault("UploadPart", "silent", nth=3),
    ),
    "put of many": (
        "[open(f'{folder}/{n}', 'wb').write(bytes(12 << 20)) for n in range(3)]\n"
        "    fs.put(folder + '/', '/new', recursive=True, block_size=5 << 20)",
        Fault("UploadPart", "silent", nth=3, times=ALWAYS),
    ),
    "copy in parts": ("fs.copy('/large', '/new')", Fault("UploadPartCopy", "silent", nth=2, times=ALWAYS)),
    "rm": ("fs.rm('/t', recursive=True)", Fault("DeleteObjects", "silent", times=ALWAYS)),
}


@pytest.fixture
def interrupted(
    fs: RegistryS3FileSystem, options: dict[str, Any], proxy: Proxy, tmp_path: Path
) -> Callable[[str, Fault], tuple[str, float, float, int]]:
    """Runs code in a process of its own, with Ctrl-C when something has stalled; gives what it printed, the moments
    of the Ctrl-C and of the end, and the status."""
    fs.pipe({"/large": DATA, **{f"/t/{number}": bytes(1000) for number in range(12)}})
    small = {"multipartcopythresholdsize": MIB, "multipartcopychunksize": 5 * MIB}
    given = json.dumps({**options, "regionendpoint": proxy.endpoint, **small})

    def run(code: str, fault: Fault) -> tuple[str, float, float, int]:
        proxy.faults = [fault]
        with subprocess.Popen(
            [sys.executable, "-c", code.replace("LIMIT", str(LIMIT_S)), given, str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as child:  # fmt: skip
            assert proxy.stalled.wait(GIVE_UP_S), child.stderr
            time.sleep(0.3)  # more may be under way by now
            at = time.time()
            os.kill(child.pid, signal.SIGINT)
            printed, _ = child.communicate(timeout=GIVE_UP_S)
        return printed, at, time.time(), child.returncode

    return run


@pytest.mark.promise("Processes and threads")
@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c_ends_a_call_its_threads_and_its_uploads(
    fs: RegistryS3FileSystem, proxy: Proxy, interrupted: Any, tmp_path: Path, name: str
) -> None:
    """Ctrl-C ends a call at once although the server is silent. No thread works on, and no upload is left."""
    call, fault = CALLS[name]
    printed, at, end, status = interrupted(CHILD.replace("CALL", call), Fault(**vars(fault)))
    told = json.loads(printed)
    assert status == 0
    assert told["returned"] - at < LIMIT_S
    assert told["working"] == []
    assert told["ended"] - at < LIMIT_S
    assert end - at < LIMIT_S
    assert fs.list_multipart_uploads() == []
    assert not fs.exists("/new")
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.promise("Processes and threads")
def test_ctrl_c_ends_the_process_although_a_file_is_open(fs: RegistryS3FileSystem, interrupted: Any) -> None:
    """Ctrl-C ends the process although a file is open. That file is discarded."""
    code = CHILD.replace(
        "CALL", f"global file; file = fs.open('/new', 'wb', block_size=5 << 20)\n    while True: {WRITE}"
    )
    code = code.replace("except KeyboardInterrupt", "except ZeroDivisionError")
    _, at, end, status = interrupted(code, Fault("UploadPart", "silent", nth=3, times=ALWAYS))
    assert status in (-signal.SIGINT, 130)
    assert end - at < LIMIT_S
    assert fs.list_multipart_uploads() == []


@pytest.fixture
def blackhole() -> Iterator[str]:
    """An endpoint that takes no connection and refuses none: its queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for each in waiting:
            each.close()


@pytest.mark.promise("Errors")
def test_an_endpoint_that_takes_no_connection_answers_within_30_seconds(
    options: dict[str, Any], blackhole: str
) -> None:
    """An endpoint that takes no connection is a `ConnectionError` within 30 seconds, with the default timeouts."""
    fs = RegistryS3FileSystem(**{**options, "regionendpoint": blackhole}, skip_instance_cache=True)
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="check regionendpoint") as dead:
        fs.cat_file("/f")
    assert time.monotonic() - began < 30
    assert dead.value.filename == "/f"


def test_all_connection_attempts_and_pauses_take_less_than_30_seconds() -> None:
    """The fast path's, boto3's, and the longest pauses that botocore may make between."""
    assert retry.TOTAL_MAX_ATTEMPTS * client.CONNECT_TIMEOUT_S + sum(retry.LONGEST_PAUSES_S) < 30
