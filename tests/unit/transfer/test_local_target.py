"""The local file of `get`: a new one whole or not at all, an old one in its own shape, a device as a device."""

from __future__ import annotations

import errno
import io
import os
import pty
import re
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.transfer import local_target

DATA = bytes(range(256)) * 40_000
"""More than two of the pieces that an object is fetched in."""
GIVE_UP_S = 30
Fetch = Callable[[RegistryS3FileSystem, Any], None]


def get_file(fs: RegistryS3FileSystem, target: Any) -> None:
    fs.get_file("/f", target)


def get(fs: RegistryS3FileSystem, target: Any) -> None:
    fs.get("/f", str(target))


def download(fs: RegistryS3FileSystem, target: Any) -> None:
    fs.download("/f", str(target))


BY_EACH = pytest.mark.parametrize("fetch", [get_file, get, download])


@pytest.fixture
def fs(options: dict[str, Any]) -> RegistryS3FileSystem:
    """With a file of several pieces."""
    found = RegistryS3FileSystem(**options)
    found.pipe_file("/f", DATA)
    return found


@pytest.fixture
def failing(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> RegistryS3FileSystem:
    """Whose reads fail after the first piece."""

    get = fs.bucket.get

    def fail(key: str, start: int = 0, *args: Any) -> Any:
        if start:
            raise ConnectionResetError(errno.ECONNRESET, "the connection broke", "/f")
        return get(key, start, *args)

    monkeypatch.setattr(fs.bucket, "get", fail)
    return fs


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@contextmanager
def reading(read: Callable[[], Any]) -> Iterator[None]:
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield
    thread.join(GIVE_UP_S)
    assert not thread.is_alive(), "nobody wrote what it read"


@pytest.fixture
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """/dev/null or /dev/full: for root, who could replace it, one of our own."""
    number = {"null": 3, "full": 7}[request.param]
    if os.geteuid() != 0:
        return Path("/dev", request.param)
    path = tmp_path / request.param
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, number))
        path.open("rb").close()  # a file system may be mounted without devices
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def partial_files(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".part")]


@pytest.mark.promise("Local files")
@BY_EACH
def test_a_new_file_has_the_mode_that_the_umask_leaves(
    fs: RegistryS3FileSystem, tmp_path: Path, umask: int, fetch: Fetch
) -> None:
    """A new local file has the mode that the umask leaves."""
    fetch(fs, tmp_path / "new")
    assert mode(tmp_path / "new") == 0o666 & ~umask


@pytest.mark.promise("Local files")
@BY_EACH
@pytest.mark.parametrize("before", [0o600, 0o640, 0o444, 0o755, 0o666, 0o060])
def test_a_file_that_is_replaced_keeps_its_mode(
    fs: RegistryS3FileSystem, tmp_path: Path, before: int, fetch: Fetch
) -> None:
    """A local file that is replaced keeps its mode.

    A secret stays secret, a program can still be run, and a read-only file stays read-only.
    """
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(before)
    fetch(fs, path)
    assert mode(path) == before
    path.chmod(0o600)
    assert path.read_bytes() == DATA


@pytest.mark.promise("Local files")
@pytest.mark.parametrize("before", [None, 0o600, 0o640, 0o044])
def test_a_partial_file_never_shows_more_than_the_final_one(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int | None
) -> None:
    """The partial file is never readable by more users than the final one.

    That holds when it is made, whatever the umask, and while it is written.
    """
    path, seen = tmp_path / "f", []
    made, os_open = [], os.open

    def opening(name: Any, flags: int, given: int = 0o777, **how: Any) -> int:
        descriptor = os_open(name, flags, given, **how)
        made.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    if before is not None:
        path.write_bytes(b"old")
        path.chmod(before)
    monkeypatch.setattr(os, "open", opening)
    with local_target.opened(path) as file:
        seen.append(stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        file.write(b"new")
    assert len(made) == 1
    assert all(each & ~mode(path) == 0 for each in made + seen)


@pytest.mark.promise("Local files")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_and_group_are_kept_where_the_system_allows_it(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """A local file that is replaced keeps its owner and group, where the system allows it."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    fs.get_file("/f", path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


@pytest.mark.promise("Local files")
@BY_EACH
def test_a_file_that_cannot_be_fetched_stays_as_it_was(
    failing: RegistryS3FileSystem, tmp_path: Path, fetch: Fetch
) -> None:
    """A local file that `get` cannot fetch stays as it was: a new one does not appear, an old one keeps its bytes and
    mode, and no partial file is left.
    """
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "old").chmod(0o640)
    (tmp_path / "link").symlink_to("old")
    for name in ("old", "link", "new"):
        with pytest.raises(ConnectionResetError):
            fetch(failing, tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["link", "old"]
    assert ((tmp_path / "old").read_bytes(), mode(tmp_path / "old")) == (b"old", 0o640)


@pytest.mark.promise("Local files")
@BY_EACH
def test_what_a_link_leads_to_is_replaced(fs: RegistryS3FileSystem, tmp_path: Path, fetch: Fetch) -> None:
    """`get` follows symbolic links, and the links stay.

    There may be several links, also relative ones, in other folders. The target's mode stays, too.
    """
    (tmp_path / "there" / "deeper").mkdir(parents=True)
    target = tmp_path / "there" / "target"
    target.write_bytes(b"old")
    target.chmod(0o600)
    (tmp_path / "there" / "deeper" / "second").symlink_to("../target")
    (tmp_path / "folder").symlink_to("there/deeper")
    (tmp_path / "first").symlink_to("folder/second")
    before = target.stat().st_ino
    fetch(fs, tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "folder" / "second").is_symlink()
    assert (target.read_bytes(), mode(target)) == (DATA, 0o600)
    assert target.stat().st_ino != before, "written into, it could be seen half written"
    assert partial_files(tmp_path) == partial_files(target.parent) == []


@pytest.mark.promise("Local files")
@BY_EACH
def test_a_dangling_link_creates_its_target(fs: RegistryS3FileSystem, tmp_path: Path, fetch: Fetch) -> None:
    """A dangling link creates its target.

    An ordinary write through the link would do the same. Missing folders are made, as for any target of `get`.
    """
    (tmp_path / "near").symlink_to("target")
    (tmp_path / "far").symlink_to(tmp_path / "new" / "folder" / "target")
    for name in ("near", "far"):
        fetch(fs, tmp_path / name)
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "target").read_bytes() == (tmp_path / "new" / "folder" / "target").read_bytes() == DATA


@pytest.mark.promise("Local files")
@BY_EACH
def test_a_loop_of_links_is_an_error(fs: RegistryS3FileSystem, tmp_path: Path, fetch: Fetch) -> None:
    """A loop of links is an `OSError` with the path, and the links stay."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links") as refused:
        fetch(fs, tmp_path / "a")
    assert (refused.value.errno, refused.value.filename) == (errno.ELOOP, str(tmp_path / "a"))
    assert (tmp_path / "a").is_symlink()


@pytest.mark.promise("Local files")
def test_other_hard_links_keep_the_old_bytes(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Other hard links of a replaced file keep the old bytes.

    The name is replaced, not the file that other names share.
    """
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    fs.get_file("/f", tmp_path / "a")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (DATA, b"old")


@pytest.mark.promise("Local files")
@BY_EACH
@pytest.mark.parametrize("device", ["null"], indirect=True)
def test_a_device_is_written_into(fs: RegistryS3FileSystem, tmp_path: Path, device: Path, fetch: Fetch) -> None:
    """`get` writes into a device, which stays what it is."""
    (tmp_path / "link").symlink_to(device)
    before = device.stat()
    for path in (device, tmp_path / "link"):
        fetch(fs, path)
        after = device.stat()
        assert (after.st_mode, after.st_ino, after.st_rdev) == (before.st_mode, before.st_ino, before.st_rdev)
    assert (tmp_path / "link").is_symlink()


@BY_EACH
@pytest.mark.parametrize("device", ["full"], indirect=True)
def test_a_write_that_fails_names_the_file(fs: RegistryS3FileSystem, device: Path, fetch: Fetch) -> None:
    """A full disk is told with the path that it is about."""
    with pytest.raises(OSError, match="No space left") as failed:
        fetch(fs, device)
    assert (failed.value.errno, failed.value.filename) == (errno.ENOSPC, str(device))


@pytest.mark.promise("Local files")
@BY_EACH
def test_a_fifo_is_written_into_in_order(fs: RegistryS3FileSystem, tmp_path: Path, fetch: Fetch) -> None:
    """`get` writes into a FIFO, in order.

    Its reader gets the bytes, and it stays a FIFO. An empty file ends it at once.
    """
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for expected in (DATA, b""):
        fs.pipe_file("/f", expected)
        got: list[bytes] = []
        with reading(lambda: got.append(fifo.read_bytes())):  # noqa: B023  # it ends with the block
            fetch(fs, fifo)
        assert got == [expected]
        assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.promise("Local files")
@BY_EACH
@pytest.mark.parametrize("place", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_an_open_descriptor_is_written_into(fs: RegistryS3FileSystem, place: str, fetch: Fetch) -> None:
    """`get` writes into `/dev/stdout` and other open descriptors.

    They are those of a pipe, as /dev/stdout and ``>(command)`` are, and of a socket, which could not be opened anew.
    """
    readable, writable = os.pipe()
    ours, theirs = socket.socketpair()
    for descriptor, read in ((writable, lambda size: os.read(readable, size)), (ours.fileno(), theirs.recv)):
        got = bytearray()

        def drain(read: Any = read, got: bytearray = got) -> None:
            while len(got) < len(DATA) and (data := read(1 << 16)):
                got.extend(data)

        with reading(drain):
            fetch(fs, place.format(descriptor))
        assert got == DATA
    for descriptor in (readable, writable):
        os.close(descriptor)
    ours.close()
    theirs.close()


@BY_EACH
def test_a_redirected_output_keeps_what_is_there(fs: RegistryS3FileSystem, tmp_path: Path, fetch: Fetch) -> None:
    """/dev/stdout of ``(echo header; get; echo footer) > out`` and ``>> out``: what comes is added where it stands."""
    with (tmp_path / "out").open("wb", buffering=0) as out:
        out.write(b"header")
        (tmp_path / "stdout").symlink_to(f"/dev/fd/{out.fileno()}")
        fetch(fs, tmp_path / "stdout")
        out.write(b"footer")
        assert os.fstat(out.fileno()).st_nlink == 1
    assert (tmp_path / "out").read_bytes() == b"header" + DATA + b"footer"
    assert partial_files(tmp_path) == []


def test_a_terminal_is_written_into(fs: RegistryS3FileSystem) -> None:
    """By its name."""
    fs.pipe_file("/f", b"to be seen\n")
    master, slave = pty.openpty()
    fs.get_file("/f", os.ttyname(slave))
    assert os.read(master, 100).replace(b"\r", b"") == b"to be seen\n"
    os.close(master)
    os.close(slave)


@pytest.mark.promise("Local files")
@BY_EACH
@pytest.mark.skipif(not os.path.exists("/proc/self/comm"), reason="no /proc on this system")
def test_a_file_of_proc_is_written_into(fs: RegistryS3FileSystem, tmp_path: Path, fetch: Fetch) -> None:
    """`get` writes into a file of `/proc`.

    The kernel takes what is written. No file can be made beside it.
    """
    comm = Path("/proc/self/comm")
    before = comm.read_bytes()
    (tmp_path / "comm").symlink_to(comm)
    for path, name in ((comm, b"one"), (tmp_path / "comm", b"two")):
        fs.pipe_file("/f", name)
        fetch(fs, path)
        assert comm.read_bytes() == name + b"\n"
    comm.write_bytes(before)


@BY_EACH
def test_a_socket_is_an_error(fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: Any, fetch: Fetch) -> None:
    """It cannot be opened, and stays."""
    monkeypatch.chdir(tmp_path)  # a socket's address is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(OSError, match="socket") as refused:
            fetch(fs, tmp_path / "socket")
    assert refused.value.filename == str(tmp_path / "socket")
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
    assert partial_files(tmp_path) == []


def test_a_directory_is_an_error_before_anything_is_fetched(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And fine where the remote path is a directory, too."""
    fs.pipe_file("/d/x", b"")
    fs.get_file("/d", tmp_path)
    monkeypatch.setattr(fs.bucket, "get", None)
    with pytest.raises(IsADirectoryError) as refused:
        fs.get_file("/f", tmp_path)
    assert refused.value.filename == str(tmp_path)


@pytest.mark.promise("Local files")
@pytest.mark.parametrize("name", ["x" * 255, "猫" * 85, "é" * 127, "x" + "🐈" * 63, "n\udcff" * 20])
def test_any_name_that_the_file_system_takes_can_be_fetched(
    fs: RegistryS3FileSystem, tmp_path: Path, name: str
) -> None:
    """A local file may have any name that its file system takes.

    A name may have 255 bytes, which need not be text. The partial file has a name of its own, as documented.
    """
    fs.get_file("/f", tmp_path / name)
    assert (tmp_path / name).read_bytes() == DATA
    partial = local_target.partial_name(name)
    assert re.fullmatch(r"\..+\.[0-9a-f]{32}\.part", partial)
    assert len(os.fsencode(partial)) <= 143
    partial.encode()  # without half a character, which some file systems refuse


@pytest.mark.promise("Local files")
def test_the_partial_file_is_found_by_its_documented_name(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """The partial file is named `.NAME.HEX.part`, and lies beside the final one."""
    with local_target.opened(tmp_path / "data.bin"):
        (name,) = os.listdir(tmp_path)
    assert re.fullmatch(r"\.data\.bin\.[0-9a-f]{32}\.part", name)
    assert os.listdir(tmp_path) == ["data.bin"]


def test_a_directory_that_takes_no_new_file_is_told_and_named(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file stays as it is: written into, it could be lost half way."""
    (tmp_path / "f").write_bytes(b"old")

    def refuse(*args: Any, **how: Any) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), args[0])

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="no file can be made beside it") as refused:
        fs.get_file("/f", tmp_path / "f")
    assert refused.value.filename == str(tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"old"


def test_a_place_that_is_taken_meanwhile_is_named(tmp_path: Path) -> None:
    """As by a directory beside a file of its name. The partial file, which is gone, is not named."""

    def write() -> None:
        with local_target.opened(tmp_path / "f"):
            (tmp_path / "f").mkdir()

    with pytest.raises(IsADirectoryError) as taken:
        write()
    assert (taken.value.filename, taken.value.filename2) == (str(tmp_path / "f"), None)
    assert os.listdir(tmp_path) == ["f"]


def test_a_partial_file_that_cannot_be_removed_is_named_in_the_log(
    failing: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is the first one."""

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "not yours", path)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(ConnectionResetError):
        failing.get_file("/f", tmp_path / "f")
    (left,) = partial_files(tmp_path)
    assert f"{tmp_path / left} is left behind" in caplog.text


class Short(io.RawIOBase):
    """A file object that takes 1,000 bytes at a time, as a pipe or a disk that is nearly full may."""

    def __init__(self) -> None:
        self.got = bytearray()

    def write(self, data: Any) -> int:
        self.got += data[:1000]
        return min(len(data), 1000)


def test_a_file_object_that_takes_little_at_a_time_gets_everything(fs: RegistryS3FileSystem) -> None:
    """One without a buffer says how much it took; what it did not is handed in again."""
    into = Short()
    fs.get_file("/f", into)
    assert into.got == DATA


@pytest.mark.parametrize("kind", [os.fspath, os.fsencode, Path])
def test_a_local_path_may_be_of_any_kind(fs: RegistryS3FileSystem, tmp_path: Path, kind: Any) -> None:
    """Text, bytes or a Path, absolute or not; with a slash at its end it means the same file."""
    fs.get_file("/f", kind(tmp_path / "f"))
    fs.put_file(kind(tmp_path / "f"), "/g")
    assert fs.cat_file("/g") == DATA


def test_a_relative_path_and_one_with_a_slash_are_files(
    fs: RegistryS3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the current directory."""
    monkeypatch.chdir(tmp_path)
    fs.get_file("/f", "new/f")
    fs.get_file("/f", "g/")
    assert (tmp_path / "new" / "f").read_bytes() == (tmp_path / "g").read_bytes() == DATA


class TakesSome:
    """A file object that takes some bytes at a time, and says how many."""

    def __init__(self, said: int) -> None:
        self.taken = b""
        self.said = said

    def write(self, data: bytes) -> int:
        self.taken += bytes(data[: self.said])
        return self.said


def test_a_file_object_that_takes_some_bytes_gets_the_rest() -> None:
    """As one does whose disk is nearly full, without being one of `io`'s."""
    file = TakesSome(3)
    local_target.write_all(file)(b"x" * 9)
    assert file.taken == b"x" * 9


@pytest.mark.parametrize("said", [0, -1, 10])
def test_a_number_of_bytes_that_cannot_be_is_an_error(said: int) -> None:
    """It neither counts as all of them, nor is it tried for ever."""
    with pytest.raises(OSError, match=f"it took {said} of 9 bytes"):
        local_target.write_all(TakesSome(said))(b"x" * 9)
