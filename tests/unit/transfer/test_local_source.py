"""The local file of `put`: a stream is read to its end, and a file that changes meanwhile is not stored."""

from __future__ import annotations

import errno
import os
import pty
import random
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from fsspec.callbacks import Callback

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.transfer import local_source

MIB = 1024 * 1024
LARGE = random.Random(3).randbytes(12 * MIB + 7)
"""Of three parts of at least 5 MiB."""
GIVE_UP_S = 30
Store = Callable[..., None]


def put_file(fs: RegistryS3FileSystem, source: Any, target: str, **how: Any) -> None:
    fs.put_file(source, target, block_size=5 * MIB, **how)


def put(fs: RegistryS3FileSystem, source: Any, target: str, **how: Any) -> None:
    fs.put(str(source), target, block_size=5 * MIB, **how)


def upload(fs: RegistryS3FileSystem, source: Any, target: str, **how: Any) -> None:
    fs.upload(str(source), target, block_size=5 * MIB, **how)


BY_EACH = pytest.mark.parametrize("store", [put_file, put, upload])


@contextmanager
def feeding(write: Callable[[], Any]) -> Iterator[None]:
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield
    thread.join(GIVE_UP_S)
    assert not thread.is_alive(), "nobody read what it wrote"


@contextmanager
def fifo(folder: Path, data: bytes) -> Iterator[str]:
    """A named pipe that some other thread writes into."""
    path = folder / "fifo"
    os.mkfifo(path)
    with feeding(lambda: path.write_bytes(data)):
        yield str(path)


@contextmanager
def substituted(folder: Path, data: bytes) -> Iterator[str]:
    """What the shell makes of ``<(command)``, and /dev/stdin of ``command |``."""
    readable, writable = os.pipe()

    def write() -> None:
        with open(writable, "wb") as file:
            file.write(data)

    with feeding(write):
        yield f"/dev/fd/{readable}"
    os.close(readable)


PIPES = pytest.mark.parametrize("pipe", [fifo, substituted])


def parts(fs: RegistryS3FileSystem, path: str) -> str:
    return str(fs.info(path)["ETag"]).strip('"').partition("-")[2]


def assert_nothing_left(fs: RegistryS3FileSystem) -> None:
    assert fs.list_multipart_uploads() == []


@pytest.mark.promise("Local files")
@BY_EACH
@PIPES
@pytest.mark.parametrize("size", [0, 10, 70_000, 5 * MIB, 5 * MIB + 1, len(LARGE)])
def test_a_pipe_is_read_to_its_end(
    fs: RegistryS3FileSystem, tmp_path: Path, pipe: Any, size: int, store: Store
) -> None:
    """`put` reads a pipe to its end.

    Up to a chunk, the bytes go in one request. More go in parts.
    """
    with pipe(tmp_path, LARGE[:size]) as path:
        store(fs, path, "/f")
    assert fs.cat_file("/f") == LARGE[:size]
    assert parts(fs, "/f") == ("" if size <= 5 * MIB else str(-(-size // (5 * MIB))))
    assert_nothing_left(fs)


@pytest.mark.promise("Local files")
@BY_EACH
@pytest.mark.parametrize(
    "name", ["/proc/version", "/proc/cpuinfo", "/proc/self/cmdline", "/sys/kernel/mm/transparent_hugepage/enabled"]
)
def test_a_file_of_the_kernel_is_read_to_its_end(
    fs: RegistryS3FileSystem, tmp_path: Path, name: str, store: Store
) -> None:
    """`put` reads a file of `/proc` or `/sys` to its end.

    /proc says that the size is 0, and /sys that it is 4,096. A link to such a file is read to its end too.
    """
    if not os.path.exists(name):
        pytest.skip(f"no {name} on this system")
    (tmp_path / "link").symlink_to(name)
    for path in (name, tmp_path / "link"):
        store(fs, path, "/f")
        assert fs.cat_file("/f").split()[:3] == Path(name).read_bytes().split()[:3] != []


@pytest.mark.promise("Local files")
def test_many_files_of_the_kernel_take_no_more_memory_than_one(fs: RegistryS3FileSystem) -> None:
    """`put` of several reads each to its end, whatever size it reports, with buffers of one chunk at most."""
    names = [str(path) for path in Path("/sys/kernel/mm/transparent_hugepage").glob("*e*") if path.is_file()]
    if len(names) < 2:
        pytest.skip("no such files on this system")
    targets = [f"/{number}" for number in range(len(names))]
    tracemalloc.start()
    try:
        fs.put(names, targets, block_size=5 * MIB)
        fs.put(names, targets)
        assert tracemalloc.get_traced_memory()[1] < (len(names) + 1) * fs.parameters.chunksize
    finally:
        tracemalloc.stop()
    assert [fs.cat_file(target) for target in targets] == [Path(name).read_bytes() for name in names]


@pytest.mark.promise("Local files")
@pytest.mark.parametrize("size", [0, 10, 2 * MIB])
def test_one_of_many_files_that_changes_before_its_turn_is_not_torn(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """`put` of several files stores what a file holds when its turn comes, or refuses it where that is too much."""
    for name in "ab":
        (tmp_path / name).write_bytes(b"old")
    opened = local_source.opened

    def growing(lpath: Any, callback: Callback) -> Any:
        Path(lpath).write_bytes(b"x" * size)
        return opened(lpath, callback)

    monkeypatch.setattr(local_source, "opened", growing)
    with pytest.raises(OSError, match="changed") if size > MIB else nullcontext():
        fs.put([str(tmp_path / name) for name in "ab"], ["/a", "/b"])
    assert fs.find("/") == ([] if size > MIB else ["/a", "/b"])
    assert all(fs.cat_file(path) == b"x" * size for path in fs.find("/"))


@pytest.mark.promise("Local files")
def test_a_regular_file_that_says_size_0_is_read_to_its_end(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`put` reads any file that says its size is 0 to its end.

    Some file systems do not know how large a file will be when it is read.
    """
    (tmp_path / "f").write_bytes(LARGE)

    def sizeless(look: Any) -> Any:
        def call(*args: Any, **how: Any) -> os.stat_result:
            found = look(*args, **how)
            return os.stat_result((*found[:6], 0, *found[7:10]))

        return call

    monkeypatch.setattr(os, "fstat", sizeless(os.fstat))
    monkeypatch.setattr(os, "stat", sizeless(os.stat))
    fs.put_file(str(tmp_path / "f"), "/f")
    assert fs.cat_file("/f") == LARGE


def test_a_terminal_is_read_until_ctrl_d(fs: RegistryS3FileSystem) -> None:
    """And no further: a second Ctrl-D is not waited for."""
    master, slave = pty.openpty()
    os.write(master, b"typed\n\x04")
    fs.put_file(os.ttyname(slave), "/f")
    assert fs.cat_file("/f") == b"typed\n"
    os.close(master)
    os.close(slave)


def test_a_device_at_its_end_and_an_empty_file_are_empty_objects(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """/dev/null."""
    (tmp_path / "empty").touch()
    for path in (os.devnull, tmp_path / "empty"):
        fs.put_file(path, "/f")
        assert fs.info("/f")["size"] == 0


@pytest.mark.promise("Local files")
@BY_EACH
@PIPES
@pytest.mark.parametrize("size", [10, len(LARGE)])
def test_what_is_said_of_a_file_is_said_of_a_stream(
    fs: RegistryS3FileSystem, tmp_path: Path, pipe: Any, size: int, store: Store
) -> None:
    """`put` of a stream takes the content type, metadata and `mode="create"` that `put` of a file takes."""
    said = {"content_type": "text/csv", "metadata": {"who": "me"}}
    with pipe(tmp_path, LARGE[:size]) as path:
        store(fs, path, "/f", mode="create", **said)
    info = fs.info("/f")
    assert (info["size"], info["ContentType"], info["metadata"]) == (size, "text/csv", {"who": "me"})
    (tmp_path / "fifo").unlink(missing_ok=True)
    with pipe(tmp_path, LARGE[1 : size + 1]) as path, pytest.raises(FileExistsError):
        store(fs, path, "/f", mode="create")
    assert fs.cat_file("/f") == LARGE[:size]
    with pytest.raises(TypeError):
        store(fs, os.devnull, "/f", compression="gzip")
    with pytest.raises(ValueError, match="neither 'overwrite' nor 'create'"):
        store(fs, os.devnull, "/f", mode="append")
    assert_nothing_left(fs)


@PIPES
@pytest.mark.parametrize("size", [10, len(LARGE)])
def test_a_stream_waits_for_the_end_of_a_transaction(
    fs: RegistryS3FileSystem, tmp_path: Path, pipe: Any, size: int
) -> None:
    """As a file does; where it fails, nothing is stored."""
    with pipe(tmp_path, LARGE[:size]) as path, fs.transaction:
        put_file(fs, path, "/f", metadata={"who": "me"})
        assert not fs.exists("/f")
    assert fs.cat_file("/f") == LARGE[:size]
    assert fs.info("/f")["metadata"] == {"who": "me"}
    (tmp_path / "fifo").unlink(missing_ok=True)
    with pipe(tmp_path, LARGE[:size]) as path, pytest.raises(KeyError), fs.transaction:
        put_file(fs, path, "/g")
        raise KeyError
    assert fs.find("/") == ["/f"]
    assert_nothing_left(fs)


@PIPES
def test_bytes_of_a_stream_are_counted_without_a_size(fs: RegistryS3FileSystem, tmp_path: Path, pipe: Any) -> None:
    """Nobody knows it beforehand."""
    callback = Callback()
    with pipe(tmp_path, LARGE) as path:
        put_file(fs, path, "/f", callback=callback)
    assert (callback.size, callback.value) == (None, len(LARGE))


@PIPES
def test_a_stream_whose_upload_fails_leaves_nothing(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipe: Any
) -> None:
    """No object, no upload; the old object stays."""

    def fail(*args: Any) -> None:
        raise OSError(errno.EIO, "the network is gone", "/f")

    fs.pipe_file("/f", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(fs.bucket, "upload_part", fail)
        with pipe(tmp_path, LARGE) as path, pytest.raises(OSError, match="network is gone"):
            put_file(fs, path, "/f")
    assert fs.cat_file("/f") == b"old"
    assert_nothing_left(fs)


@pytest.mark.promise("Local files")
def test_memory_of_an_endless_stream_is_bounded(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """`put` of a stream reads at most 112 MiB ahead of the server, however slow that is."""
    sent, read, most = [0], [0], [0]
    send, fill = fs.bucket.upload_part, local_source.fill

    def sending(key: str, upload_id: str, number: int, body: bytes) -> Any:
        part = send(key, upload_id, number, body)
        sent[0] += len(body)
        return part

    def reading(memory: bytearray, take: Any) -> int:
        if read[0] >= 480 * MIB:
            return 0
        read[0] += len(memory)
        most[0] = max(most[0], read[0] - sent[0])
        return fill(memory, take)

    monkeypatch.setattr(fs.bucket, "upload_part", sending)
    monkeypatch.setattr(local_source, "fill", reading)
    fs.put_file("/dev/zero", "/f", block_size=32 * MIB)
    assert fs.info("/f")["size"] == 480 * MIB
    assert most[0] <= 112 * MIB


@pytest.mark.promise("Copying, moving and deleting")
@pytest.mark.parametrize("size", [10, len(LARGE)])
def test_bytes_count_once_the_server_has_them(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Bytes of a `put` count once the server has them, not when they are read."""
    told, unacknowledged = [], []

    class Watching(Callback):
        def relative_update(self, inc: int = 1) -> None:
            told.append(inc)

    def watched(send: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            unacknowledged.append(sum(told))
            return send(*args, **kwargs)

        return call

    (tmp_path / "f").write_bytes(LARGE[:size])
    monkeypatch.setattr(fs.bucket, "put", watched(fs.bucket.put))
    monkeypatch.setattr(fs.bucket, "upload_part", watched(fs.bucket.upload_part))
    fs.put_file(str(tmp_path / "f"), "/f", block_size=5 * MIB, callback=Watching())
    assert sum(told) == size
    assert unacknowledged[0] == 0


def test_a_path_that_cannot_be_opened_is_named(fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: Any) -> None:
    """What is missing, a dangling link, a loop of links, a socket; nothing is stored, an old object stays."""
    fs.pipe_file("/f", b"old")
    (tmp_path / "dangling").symlink_to("missing")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name, kind in (
            ("missing", FileNotFoundError), ("dangling", FileNotFoundError), ("loop", OSError), ("socket", OSError)
        ):  # fmt: skip
            with pytest.raises(kind) as failed:
                fs.put_file(str(tmp_path / name), "/f")
            assert failed.value.filename == str(tmp_path / name)
    assert fs.cat_file("/f") == b"old"


@pytest.mark.promise("Local files")
def test_special_files_that_are_found_are_left_out(
    fs: RegistryS3FileSystem, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    """`put` of a directory or pattern leaves out FIFOs, sockets and devices, and the log names them. It stores what
    links to files lead to.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t" / "d").mkdir(parents=True)
    (tmp_path / "t" / "d" / "file").write_bytes(b"1")
    (tmp_path / "t" / "link").symlink_to("d/file")
    (tmp_path / "t" / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "t" / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("t/socket")
        fs.put(f"{tmp_path}/t", "/tree", recursive=True)
        fs.put(f"{tmp_path}/t/*", "/pattern/")
    assert fs.find("/") == ["/pattern/link", "/tree/d/file", "/tree/link"]
    for name in ("zero", "fifo", "socket"):
        assert f"{tmp_path}/t/{name} is a FIFO, socket or device, and is left out" in caplog.text


def test_special_files_that_are_named_are_read(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Alone, in a list, and with recursive=True."""
    (tmp_path / "file").write_bytes(b"1")
    with fifo(tmp_path, b"2") as path:
        fs.put([path, str(tmp_path / "file")], "/list/")
    (tmp_path / "fifo").unlink()
    with fifo(tmp_path, b"3") as path:
        fs.put(path, "/alone", recursive=True)
    assert fs.cat("/", recursive=True) == {"/alone": b"3", "/list/fifo": b"2", "/list/file": b"1"}


def test_paths_of_any_kind_mean_the_same(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Text or `os.PathLike`, alone or in lists, local or remote, of a file or a tree."""
    (tmp_path / "t" / "d").mkdir(parents=True)
    (tmp_path / "t" / "d" / "f").write_bytes(b"1")
    stored = []
    for kind in (os.fspath, PurePosixPath):
        source, local = kind(tmp_path / "t"), tmp_path / kind.__name__
        fs.put(source, kind("/tree"), recursive=True)
        fs.put(kind(tmp_path / "t" / "d" / "f"), kind("/one"))
        fs.put([kind(tmp_path / "t" / "d" / "f")], [kind("/listed")])
        fs.copy(kind("/tree"), kind("/copied"), recursive=True)
        fs.mv(kind("/one"), kind("/moved"))
        stored.append(fs.find("/"))
        fs.get(kind("/tree"), kind(local / "tree"), recursive=True)
        fs.get(kind("/moved"), kind(local / "one"))
        fs.get([kind("/moved")], [kind(local / "listed")])
        fs.get([kind("/moved"), kind("/listed")], kind(local / "flat"))
        fs.rm(kind("/"), recursive=True)
        stored.append(sorted(str(each.relative_to(local)) for each in local.rglob("*")))
    assert stored[0] == ["/copied/d/f", "/listed", "/moved", "/tree/d/f"]
    assert stored[1] == ["flat", "flat/listed", "flat/moved", "listed", "one", "tree", "tree/d", "tree/d/f"]
    assert stored[:2] == stored[2:]


# Files that change


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrunk(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def rewritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x")


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def removed(path: Path) -> None:
    path.unlink()


CHANGES = pytest.mark.parametrize("change", [grown, shrunk, emptied, rewritten, replaced, removed])


def old_file(path: Path, data: bytes) -> Path:
    """With a time that any write changes, however coarse the clock of the file system."""
    path.write_bytes(data)
    os.utime(path, ns=(10**18, 10**18))
    return path


@pytest.mark.promise("Local files")
@BY_EACH
@CHANGES
@pytest.mark.parametrize("before", [None, b"old"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_file_that_changes_while_its_parts_are_sent_is_not_stored(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    change: Any, before: bytes | None, number: int, store: Store,
) -> None:  # fmt: skip
    """A local file that changes while it is stored is an `OSError` that names it. Nothing is published, and the old
    object stays.
    """
    path = old_file(tmp_path / "f", LARGE)
    send, turns = fs.bucket.upload_part, iter([number])

    def sending(key: str, upload_id: str, part: int, body: bytes) -> Any:
        if part == number and next(turns, None):
            change(path)
        return send(key, upload_id, part, body)

    if before:
        fs.pipe_file("/f", before)
    monkeypatch.setattr(fs.bucket, "upload_part", sending)
    with pytest.raises(OSError, match="the local file changed while it was being stored") as failed:
        store(fs, path, "/f")
    assert failed.value.filename == str(path)
    assert (fs.cat_file("/f") if fs.exists("/f") else None) == before
    assert_nothing_left(fs)


@CHANGES
@pytest.mark.parametrize("transaction", [False, True])
def test_a_small_file_that_changes_while_it_is_read_is_not_stored(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, transaction: bool
) -> None:
    """No request is sent."""
    path = old_file(tmp_path / "f", b"some bytes")
    fill = local_source.fill

    def filling(memory: bytearray, read: Any) -> int:
        found = fill(memory, read)
        change(path)
        return found

    fs.pipe_file("/f", b"old")
    monkeypatch.setattr(local_source, "fill", filling)
    with pytest.raises(OSError, match="the local file changed while it was being stored"):
        if transaction:
            with fs.transaction:
                fs.put_file(str(path), "/f")
        else:
            fs.put_file(str(path), "/f")
    assert fs.cat_file("/f") == b"old"


def test_a_small_file_that_shrinks_before_it_is_read_is_not_stored(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less is there than its size said."""
    path = old_file(tmp_path / "f", b"some bytes")
    fill = local_source.fill
    monkeypatch.setattr(local_source, "fill", lambda memory, read: shrunk(path) or fill(memory, read))
    with pytest.raises(OSError, match="the local file changed"):
        fs.put_file(str(path), "/f")
    assert not fs.exists("/f")


def test_an_empty_file_that_is_written_while_it_is_stored_is_not(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that its size was 0 because it was."""
    path = old_file(tmp_path / "f", b"")
    fill = local_source.fill
    monkeypatch.setattr(local_source, "fill", lambda memory, read: grown(path) or fill(memory, read))
    with pytest.raises(OSError, match="the local file changed"):
        fs.put_file(str(path), "/f")
    assert not fs.exists("/f")


def test_a_link_that_leads_elsewhere_meanwhile_is_a_change(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a new version is put in place by a link."""
    for name in ("one", "two"):
        old_file(tmp_path / name, LARGE)
    link = tmp_path / "link"
    link.symlink_to("one")
    send = fs.bucket.upload_part

    numbers = count()

    def sending(*args: Any) -> Any:
        other = tmp_path / f"link{next(numbers)}"  # of which two threads make one each
        other.symlink_to("two")
        other.replace(link)
        return send(*args)

    monkeypatch.setattr(fs.bucket, "upload_part", sending)
    with pytest.raises(OSError, match="the local file changed"):
        put_file(fs, link, "/f")
    assert fs.find("/") == []


def test_what_is_no_change_of_the_bytes_is_none(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To be read, linked or given another mode; and the current directory may be another one by then."""
    monkeypatch.chdir(tmp_path)
    path = old_file(tmp_path / "f", LARGE)
    send = fs.bucket.upload_part

    def sending(key: str, upload_id: str, part: int, body: bytes) -> Any:
        path.read_bytes()
        path.chmod(0o600)
        (tmp_path / f"link{part}").hardlink_to(path)
        os.chdir("/")
        return send(key, upload_id, part, body)

    monkeypatch.setattr(fs.bucket, "upload_part", sending)
    put_file(fs, "f", "/f")
    assert fs.cat_file("/f") == LARGE


def test_a_file_is_opened_once(fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part is of the file that was there at the beginning, whatever its name leads to."""
    (tmp_path / "f").write_bytes(LARGE)
    opened = []
    file_io = local_source.io.FileIO
    monkeypatch.setattr(local_source.io, "FileIO", lambda path: opened.append(path) or file_io(path))
    put_file(fs, tmp_path / "f", "/f")
    assert opened == [str(tmp_path / "f")]


def test_without_preadv_ranges_are_read_all_the_same(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has none."""
    monkeypatch.delattr(os, "preadv")
    (tmp_path / "f").write_bytes(LARGE)
    put_file(fs, tmp_path / "f", "/f")
    assert fs.cat_file("/f") == LARGE
