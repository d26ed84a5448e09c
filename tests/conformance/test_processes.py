"""Life in processes: forks, spawned workers, threads, kills and the interpreter's end."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from datetime import timedelta
from typing import Any

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem

MIB = 1024 * 1024
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
FORK_WARNING = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def python(code: str, options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own, with `fs` made from the options."""
    start = "import json, os, signal, sys, fsspec; fs = fsspec.filesystem('registrys3', **json.loads(sys.argv[1]))\n"
    command = [sys.executable, "-W", "always", "-c", start + code, json.dumps(options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@FORKS
@FORK_WARNING
def test_a_forked_child_has_its_own_connections_and_threads(fs: RegistryS3FileSystem) -> None:
    """Used before the fork, the filesystem works in the child and goes on in the parent."""
    fs.pipe({f"/f{n}": b"x" for n in range(8)})
    client = id(fs.bucket._client)
    child = os.fork()
    if child == 0:
        good = fs.cat([f"/f{n}" for n in range(8)]) == {f"/f{n}": b"x" for n in range(8)}
        os._exit(0 if good and id(fs.bucket._client) != client else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert fs.cat_file("/f0") == b"x"


@FORKS
@FORK_WARNING
def test_a_forked_child_leaves_its_parents_files_alone(fs: RegistryS3FileSystem) -> None:
    """Collected in the child, a file that the parent has open for writing is not aborted."""
    file = fs.open("/f", "wb", block_size=5 * MIB)
    file.write(bytes(11 * MIB))
    upload = file._upload.upload_id
    child = os.fork()
    if child == 0:
        collected = weakref.ref(file)
        del file
        gc.collect()
        os._exit(1 if collected() else 0)
    assert os.waitpid(child, 0)[1] == 0
    assert [each["UploadId"] for each in fs.list_multipart_uploads()] == [upload]
    file.close()
    assert fs.info("/f")["size"] == 11 * MIB


def read_in_worker(fs: RegistryS3FileSystem, path: str) -> tuple[bytes, int]:
    return fs.cat_file(path), os.getpid()


def test_spawned_workers_get_the_same_filesystem(fs: RegistryS3FileSystem) -> None:
    """Pickled into a process that was started afresh."""
    fs.pipe_file("/f", b"x")
    with multiprocessing.get_context("spawn").Pool(1) as workers:
        data, pid = workers.apply(read_in_worker, (fs, "/f"))
    assert data == b"x"
    assert pid != os.getpid()


def test_json_leads_to_an_equal_filesystem(fs: RegistryS3FileSystem) -> None:
    """to_json and from_json, pickle, and fsspec's cache of instances."""
    fs.pipe_file("/f", b"x")
    for again in (fsspec.AbstractFileSystem.from_json(fs.to_json()), pickle.loads(pickle.dumps(fs))):
        assert again == fs
        assert again.cat_file("/f") == b"x"


def test_64_threads_share_one_instance_and_one_client(fs: RegistryS3FileSystem) -> None:
    """Every byte its own."""
    clients: set[int] = set()
    wrong: list[object] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                fs.pipe_file(f"/t/{number}", bytes([number]) * turn)
                found = fs.cat_file(f"/t/{number}")
                clients.add(id(fs.bucket._client))
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


def test_the_interpreters_end_discards_open_files(fs: RegistryS3FileSystem, options: dict[str, Any]) -> None:
    """Neither an object nor an unfinished upload is left, and a warning says so."""
    ended = python(f"file = fs.open('/f', 'wb', block_size={5 * MIB}); file.write(bytes({11 * MIB}))", options)
    assert ended.returncode == 0
    assert "ResourceWarning: /f was never closed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not fs.exists("/f")
    assert fs.list_multipart_uploads() == []


def test_a_warning_that_is_an_error_leaves_no_upload(fs: RegistryS3FileSystem, options: dict[str, Any]) -> None:
    """Where Python is told so (`-W error`), a file that is collected is discarded all the same."""
    code = "import warnings; warnings.simplefilter('error')\n"
    code += f"file = fs.open('/f', 'wb', block_size={5 * MIB}); file.write(bytes({11 * MIB})); del file; os._exit(0)"
    ended = python(code, options)
    assert "ResourceWarning: /f was never closed" in ended.stderr
    assert fs.list_multipart_uploads() == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_writer_that_is_killed_leaves_the_old_object_intact(
    fs: RegistryS3FileSystem, options: dict[str, Any]
) -> None:
    """What it had sent can be found and cleared."""
    fs.pipe_file("/f", b"old")
    killed = python(
        f"file = fs.open('/f', 'wb', block_size={5 * MIB})\nfile.write(bytes({16 * MIB}))\n"
        "while len(fs.bucket.list_parts(file._key, file._upload.upload_id)) < 3: pass\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        options,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert fs.cat_file("/f") == b"old"
    assert [upload["name"] for upload in fs.list_multipart_uploads()] == ["/f"]
    fs.clear_multipart_uploads(older_than=timedelta(0))
    assert fs.list_multipart_uploads() == []
    assert fs.cat_file("/f") == b"old"
