"""Life in processes: forks, spawned workers, threads, kills and the interpreter's end."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.files.read_ahead import RANGES_AHEAD
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.threads import background, pool
from tests.locks import package_locks

MIB = 1024 * 1024
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
FORK_WARNING = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def python_alone(code: str, options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run code, and nothing else, in an interpreter of its own; its first argument is the options in JSON."""
    command = [sys.executable, "-W", "always", "-c", code, json.dumps(options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def python(code: str, options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own, with `fs` made from the options."""
    start = "import json, os, signal, sys, fsspec; fs = fsspec.filesystem('registrys3', **json.loads(sys.argv[1]))\n"
    return python_alone(start + code, options)


@pytest.mark.promise("Processes and threads")
@FORKS
@FORK_WARNING
def test_a_forked_child_has_its_own_connections_and_threads(fs: RegistryS3FileSystem) -> None:
    """A filesystem that was used before a fork works in the child and goes on in the parent."""
    fs.pipe({f"/f{n}": b"x" for n in range(8)})
    client = id(fs.bucket.client)
    child = os.fork()
    if child == 0:
        good = fs.cat([f"/f{n}" for n in range(8)]) == {f"/f{n}": b"x" for n in range(8)}
        os._exit(0 if good and id(fs.bucket.client) != client else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert fs.cat_file("/f0") == b"x"


@FORKS
@FORK_WARNING
def test_a_forked_child_leaves_its_parents_files_alone(fs: RegistryS3FileSystem) -> None:
    """Collected in the child, a file that the parent has open for writing is not aborted."""
    file = fs.open("/f", "wb", block_size=5 * MIB)
    file.write(bytes(11 * MIB))
    deadline = time.monotonic() + 20
    while not (begun := fs.list_multipart_uploads()):
        assert time.monotonic() < deadline
    child = os.fork()
    if child == 0:
        collected = weakref.ref(file)
        del file
        gc.collect()
        os._exit(1 if collected() else 0)
    assert os.waitpid(child, 0)[1] == 0
    assert len(begun) == 1
    assert fs.list_multipart_uploads() == begun
    file.close()
    assert fs.info("/f")["size"] == 11 * MIB


@contextmanager
def held_elsewhere(*locks: Any) -> Iterator[None]:
    """Locks that another thread holds."""
    holding, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            holding.set()
            let_go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(60)
    yield
    let_go.set()
    thread.join()


def in_child(act: Callable[[], bool]) -> bool:
    """Whether it is so in a forked child, which gets 20 s for it."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            os._exit(0 if act() else 1)
        finally:
            traceback.print_exc()
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.promise("Processes and threads")
@FORKS
@FORK_WARNING
def test_a_forked_child_waits_for_no_lock_of_its_parent(fs: RegistryS3FileSystem) -> None:
    """A forked child waits for no lock of its parent.

    A thread that held one when the process forked does not exist in the child, and never releases it.
    """
    fs.pipe({f"/f{n}": b"x" for n in range(8)})
    names = [f"/f{n}" for n in range(8)]
    few = fs.pool

    def works() -> bool:
        with fs.open("/new", "wb", block_size=5 * MIB) as file:
            file.write(bytes(11 * MIB))
        return fs.cat(names) == dict.fromkeys(names, b"x") and few.submit(len, names).result() == 8

    locks = package_locks()
    assert len(locks) > 5
    with held_elsewhere(*locks):
        assert in_child(works)
    assert fs.info("/new")["size"] == 11 * MIB


@pytest.mark.promise("Processes and threads")
@FORKS
@FORK_WARNING
def test_a_forked_child_goes_on_reading(fs: RegistryS3FileSystem) -> None:
    """A forked child goes on reading the files that its parent opened.

    The bytes that its parent's threads were fetching ahead never come. The child fetches them again.
    """
    data = random.Random(1).randbytes(8 * MIB)
    fs.pipe_file("/f", data)
    going_on = threading.Event()

    def slow(fill: Any, memory: bytearray, start: int, end: int) -> None:
        if start and os.getpid() == parent:
            going_on.wait(60)
        fill(memory, start, end)

    parent = os.getpid()
    ahead = {"submit": partial(pool.pool(RANGES_AHEAD).submit, slow)}
    with fs.open("/f", block_size=MIB, cache_options=ahead) as file:
        assert file.read(MIB) == data[:MIB]
        assert in_child(lambda: file.read() == data[MIB:])
        going_on.set()
        assert file.read() == data[MIB:]


@FORKS
@FORK_WARNING
def test_a_forked_child_is_told_that_its_parents_parts_are_not_its_own(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload of the storage driver that was on its way: the child does not wait for threads that it lacks."""
    going_on = threading.Event()
    upload_part = Bucket.upload_part

    def slow(*args: Any) -> Any:
        going_on.wait(60)
        return upload_part(*args)

    monkeypatch.setattr(Bucket, "upload_part", slow)
    writer = StorageDriver(fs).writer("/f")
    writer.write(bytes(16 * MIB))

    def is_told() -> bool:
        try:
            writer.close()
        except OSError as error:
            return "when the process forked" in str(error)
        return False

    assert in_child(is_told)
    going_on.set()
    writer.commit()
    assert fs.info("/f")["size"] == 16 * MIB


@FORKS
@FORK_WARNING
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_forked_child_discards_its_own_files_alone(fs: RegistryS3FileSystem) -> None:
    """It has a background thread of its own, with jobs of its own: what its parent collected is the parent's to do."""
    waiting, going_on = threading.Event(), threading.Event()
    background.start()
    background.later(lambda: (waiting.set(), going_on.wait(60)))
    assert waiting.wait(60)
    file = fs.open("/f", "wb", block_size=5 * MIB)
    file.write(bytes(11 * MIB))
    del file
    gc.collect()

    def uploads() -> list[str]:
        return [each["name"] for each in fs.list_multipart_uploads()]

    def discards() -> bool:
        own = fs.open("/own", "wb", block_size=5 * MIB)
        own.write(bytes(11 * MIB))
        begun = uploads()
        del own
        gc.collect()
        return begun == ["/f", "/own"] and background.finish(20) and uploads() == ["/f"]

    assert in_child(discards)
    going_on.set()
    assert background.finish(60)
    assert uploads() == []


def read_in_worker(fs: RegistryS3FileSystem, path: str) -> tuple[bytes, int]:
    return fs.cat_file(path), os.getpid()


@pytest.mark.promise("Processes and threads")
def test_spawned_workers_get_the_same_filesystem(fs: RegistryS3FileSystem) -> None:
    """A filesystem can be pickled, to spawned workers too."""
    fs.pipe_file("/f", b"x")
    with multiprocessing.get_context("spawn").Pool(1) as workers:
        data, pid = workers.apply(read_in_worker, (fs, "/f"))
    assert data == b"x"
    assert pid != os.getpid()


@pytest.mark.promise("Processes and threads")
def test_json_leads_to_an_equal_filesystem(fs: RegistryS3FileSystem) -> None:
    """`to_json` and `from_json`, and pickle, lead to an equal filesystem."""
    fs.pipe_file("/f", b"x")
    for again in (fsspec.AbstractFileSystem.from_json(fs.to_json()), pickle.loads(pickle.dumps(fs))):
        assert again == fs
        assert again.cat_file("/f") == b"x"


@pytest.mark.promise("Processes and threads")
def test_64_threads_share_one_instance_and_one_client(fs: RegistryS3FileSystem) -> None:
    """Threads may share one filesystem."""
    clients: set[int] = set()
    wrong: list[object] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                fs.pipe_file(f"/t/{number}", bytes([number]) * turn)
                found = fs.cat_file(f"/t/{number}")
                clients.add(id(fs.bucket.client))
                if found != bytes([number]) * turn:
                    wrong.append((number, turn, found))
        except Exception as error:  # noqa: BLE001  # told by the assertion below
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(fs.find("/t")) == 64
    assert len(clients) == 1


@pytest.mark.promise("Files that nobody closed")
def test_the_interpreters_end_discards_open_files(fs: RegistryS3FileSystem, options: dict[str, Any]) -> None:
    """A file that is open when the interpreter ends is discarded, with a warning. Neither an object nor an unfinished
    upload is left.
    """
    ended = python(f"file = fs.open('/f', 'wb', block_size={5 * MIB}); file.write(bytes({11 * MIB}))", options)
    assert ended.returncode == 0
    assert "ResourceWarning: /f was never closed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not fs.exists("/f")
    assert fs.list_multipart_uploads() == []


def test_a_warning_that_is_an_error_leaves_no_upload(fs: RegistryS3FileSystem, options: dict[str, Any]) -> None:
    """Where Python is told so (`-W error`), a file that is collected is discarded all the same."""
    code = "import warnings; warnings.simplefilter('error')\n"
    code += f"file = fs.open('/f', 'wb', block_size={5 * MIB}); file.write(bytes({11 * MIB})); del file; sys.exit()"
    ended = python(code, options)
    assert "ResourceWarning: /f was never closed" in ended.stderr
    assert fs.list_multipart_uploads() == []


AT_EXIT = """
import atexit, json, logging, sys, warnings

def at_the_end():
    for name, act in ACTS.items():
        try:
            act()
            print(name, "returned")
        except OSError as error:
            print(name, "raised", error)

atexit.register(at_the_end)
import fsspec
fs = fsspec.filesystem("registrys3", **json.loads(sys.argv[1]))
BLOCK = 5 << 20
"""


@pytest.mark.promise("Files that nobody closed")
@pytest.mark.parametrize(
    "writing",
    [
        "file = fs.open('/f', 'wb', block_size=BLOCK); file.write(b'x')",
        "file = fs.open('/f', 'wb'); file.write(b'x'); fs.exists('/g')",
        "file = fs.open('/f', 'w'); file.write('x')",
        "import io; file = io.TextIOWrapper(fs.open('/f', 'wb')); file.write('x')",
        "import io; file = io.BufferedWriter(fs.open('/f', 'wb')); file.write(b'x')",
        "file = fs.open('/f', 'wt', compression='gzip'); file.write('x')",
        "file = fs.open('/f', 'wb', autocommit=False); file.write(b'x'); file.close(); file.close = file.commit",
    ],
)
def test_a_file_closed_after_the_package_has_ended_is_published(
    fs: RegistryS3FileSystem, options: dict[str, Any], writing: str
) -> None:
    """A file that is closed explicitly while the interpreter ends is published.

    The handler that closes it was registered before the package was imported, and so runs last.
    """
    ended = python_alone(AT_EXIT + f"{writing}; ACTS = {{'close': file.close}}", options)
    assert ended.stdout == "close returned\n"
    assert ended.stderr == ""
    with fs.open("/f", compression="gzip" if "gzip" in writing else None) as file:
        assert file.read() == b"x"


def test_a_file_that_outgrows_a_chunk_after_the_package_has_ended_is_published(
    fs: RegistryS3FileSystem, options: dict[str, Any]
) -> None:
    """By one request, which needs no thread and leaves no upload."""
    code = "file = fs.open('/f', 'wb', block_size=BLOCK); file.write(b'x' * 100)\n"
    code += "ACTS = {'write': lambda: file.write(bytes(12 << 20)), 'close': file.close}"
    ended = python_alone(AT_EXIT + code, options)
    assert ended.stdout == "write returned\nclose returned\n"
    assert ended.stderr == ""
    assert fs.info("/f")["size"] == 100 + 12 * MIB
    assert "-" not in fs.info("/f")["ETag"]


@pytest.mark.promise("Files that nobody closed")
@pytest.mark.parametrize("layer", ["{}", "__import__('io').BufferedWriter({})", "__import__('gzip').open({}, 'wb')"])
def test_a_file_whose_upload_had_to_be_discarded_says_so_when_it_is_closed(
    fs: RegistryS3FileSystem, options: dict[str, Any], layer: str
) -> None:
    """A file whose upload the interpreter's end has already discarded raises when it is closed. No bytes are lost in
    silence.

    Its parts would have been left behind, had nobody closed it. The same holds below other layers.
    """
    opened = layer.format("fs.open('/f', 'wb', block_size=BLOCK)")
    code = f"import random; file = {opened}; file.write(random.randbytes(11 << 20))\n"
    code += "ACTS = {'write': lambda: (file.write(b'x' * (1 << 20)), file.flush()), 'close': file.close}"
    ended = python_alone(AT_EXIT + code, options)
    for line in ended.stdout.splitlines():
        assert "raised [Errno 9] the interpreter ended while the file was open" in line
    assert len(ended.stdout.splitlines()) == 2
    assert "ResourceWarning: /f was never closed" in ended.stderr
    assert not fs.exists("/f")
    assert fs.list_multipart_uploads() == []


def test_a_log_that_logging_closes_at_the_end_is_published(fs: RegistryS3FileSystem, options: dict[str, Any]) -> None:
    """`logging` was imported before, as fsspec itself does."""
    code = """
class Handler(logging.StreamHandler):
    def close(self):
        self.stream.close()
        super().close()

logging.getLogger().addHandler(Handler(fs.open("/log", "w")))
logging.getLogger().warning("to be kept")
ACTS = {}
"""
    ended = python_alone(AT_EXIT + code, options)
    assert ended.stderr == ""
    assert fs.cat_file("/log") == b"to be kept\n"


@pytest.mark.parametrize("layer", ["{}", "__import__('io').TextIOWrapper({})"])
def test_a_small_file_left_open_at_the_interpreters_end_is_discarded(
    fs: RegistryS3FileSystem, options: dict[str, Any], layer: str
) -> None:
    """With its warning."""
    file = layer.format("fs.open('/f', 'wb')")
    ended = python(f"file = {file}; file.write({'b' * (layer == '{}')}'x')", options)
    assert ended.returncode == 0
    assert "ResourceWarning: /f was never closed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not fs.exists("/f")


def test_files_collected_right_before_the_interpreters_end_leave_no_upload(
    fs: RegistryS3FileSystem, options: dict[str, Any]
) -> None:
    """It waits for what the background has to do."""
    code = f"for n in range(5): fs.open(f'/{{n}}', 'wb', block_size={5 * MIB}).write(bytes({6 * MIB}))"
    ended = python(code, options)
    assert ended.stderr.count("ResourceWarning: /") == 5
    assert fs.list_multipart_uploads() == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_writer_that_is_killed_leaves_the_old_object_intact(
    fs: RegistryS3FileSystem, options: dict[str, Any]
) -> None:
    """What it had sent can be found and cleared."""
    fs.pipe_file("/f", b"old")
    killed = python(
        f"file = fs.open('/f', 'wb', block_size={5 * MIB})\nfile.write(bytes({16 * MIB}))\n"
        "while not (uploads := fs.list_multipart_uploads()): pass\n"
        "while len(fs.bucket.list_parts(fs.bucket.space.key('/f'), uploads[0]['UploadId'])) < 3: pass\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        options,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert fs.cat_file("/f") == b"old"
    assert [upload["name"] for upload in fs.list_multipart_uploads()] == ["/f"]
    fs.clear_multipart_uploads(older_than=timedelta(0))
    assert fs.list_multipart_uploads() == []
    assert fs.cat_file("/f") == b"old"
