"""Ctrl-C at every point: whatever this package is at in the thread that gets it, no upload is left behind."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.interruptions import interrupted
from tests.thoroughly import thorough

MIB = 1024 * 1024
WAIT_S = 20
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def write(fs: Any, local: str) -> None:
    with fs.open("/f", "wb", block_size=5 * MIB) as file:
        file.write(bytes(5 * MIB + 1))


def write_in_vain(fs: Any, local: str) -> None:
    file = fs.open("/f", "wb", block_size=5 * MIB)
    file.write(bytes(5 * MIB + 1))
    file.discard()


def write_while_handling(fs: Any, local: str) -> None:
    try:
        raise LookupError
    except LookupError:
        write(fs, local)


def append(fs: Any, local: str) -> None:
    with fs.open("/large", "ab", block_size=5 * MIB) as file:
        file.write(b"x")


def put(fs: Any, local: str) -> None:
    fs.put_file(local, "/f", block_size=5 * MIB)


def put_many(fs: Any, local: str) -> None:
    fs.put([local, local], ["/f", "/g"], block_size=5 * MIB)


def copy(fs: Any, local: str) -> None:
    fs.copy("/large", "/f")


def soon(condition: Callable[[], bool]) -> bool:
    """Whether it is so before long: a thread may hold an upload until the part that it sends is there."""
    until = time.monotonic() + WAIT_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no SIGUSR1 on this system")
@pytest.mark.promise("Processes and threads")
@pytest.mark.parametrize("act", [write, put, *thorough(copy, write_in_vain, write_while_handling, append, put_many)])
def test_ctrl_c_at_any_point_leaves_no_upload(
    fs: RegistryS3FileSystem, tmp_path: Path, act: Callable[[Any, str], None]
) -> None:
    """Ctrl-C leaves no unfinished upload, at whatever point it comes, and every object that is there is whole."""
    few = RegistryS3FileSystem(
        **{**fs.storage_options, "max_concurrency": 2, "multipartcopythresholdsize": MIB}, skip_instance_cache=True
    )
    large, store = bytes(6 * MIB), few.bucket.store
    gc.collect()
    gc.freeze()  # what is there is not looked at again each time
    few.pipe_file("/large", large, block_size=5 * MIB)
    (tmp_path / "f").write_bytes(large)
    at = 1
    while interrupted(lambda: act(few, str(tmp_path / "f")), at, KeyboardInterrupt):
        gc.collect()
        assert soon(lambda: store.uploads == {}), at
        assert {found.info.size for found in store.objects.values()} <= {5 * MIB + 1, 6 * MIB, 6 * MIB + 1}
        if act is append:
            few.pipe_file("/large", large, block_size=5 * MIB)
        at += 1
    gc.unfreeze()
    assert at > 30


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="no SIGINT on this system")
def test_ctrl_c_between_the_answer_and_the_id_leaves_no_upload(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has begun the upload when the signal comes, and nobody knows its id yet."""
    create = fs.bucket.create_upload

    def answered(*args: Any, **kwargs: Any) -> str:
        upload_id = create(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGINT)
        return upload_id

    monkeypatch.setattr(fs.bucket, "create_upload", answered)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            write(fs, "")
    finally:
        signal.signal(signal.SIGINT, before)
    assert fs.bucket.store.requests["CreateMultipartUpload"] == 1
    assert fs.bucket.store.uploads == {}
