"""Writing: chunks as the server counts them, whole or not at all, in every mode and through every layer."""

from __future__ import annotations

import gc
import io
import random
import threading
import warnings
from typing import Any

import fsspec
import pandas
import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.files.write_file import WriteFile
from registry_s3fs.threads import background
from registry_s3fs.transfer.multipart import MAX_BYTES_IN_MEMORY
from testbed import servers
from testbed.servers import Server
from tests.fakes import on_both
from tests.thoroughly import thorough

MIB = 1024 * 1024


def pattern(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def part_sizes(fs: RegistryS3FileSystem, path: str) -> list[int]:
    """The parts of an object, as the server counted them."""
    client, key, sizes = fs.bucket.client, fs.bucket.space.key(path), []
    first = client.head_object(Bucket=fs.parameters.bucket, Key=key, PartNumber=1)
    for number in range(1, first.get("PartsCount", 1) + 1):
        answer = client.head_object(Bucket=fs.parameters.bucket, Key=key, PartNumber=number)
        sizes.append(answer["ContentLength"])
    return sizes


def pending(fs: RegistryS3FileSystem) -> list[Any]:
    """Multipart uploads begun and neither completed nor aborted."""
    return fs.bucket.client.list_multipart_uploads(Bucket=fs.parameters.bucket).get("Uploads", [])


@pytest.mark.promise("Writing")
def test_a_file_of_100_mib_arrives_in_chunks_of_10_mib(fs: RegistryS3FileSystem) -> None:
    """`chunksize` (10 MiB by default) is the size of an upload's parts."""
    data = pattern(100 * MIB)
    with fs.open("/big", "wb") as file:
        assert file.blocksize == fs.parameters.chunksize == 10 * MIB
        for start in range(0, len(data), 3 * MIB):
            file.write(data[start : start + 3 * MIB])
    assert part_sizes(fs, "/big") == [10 * MIB] * 10
    assert fs.cat_file("/big") == data


@pytest.mark.promise("Writing")
@on_both
@pytest.mark.parametrize(("size", "parts"), [(0, 0), (1, 0), (5 * MIB, 0), (5 * MIB + 1, 2), (10 * MIB, 2)])
def test_multipart_begins_with_the_second_chunk(fs: RegistryS3FileSystem, size: int, parts: int) -> None:
    """A file of up to `chunksize` bytes is one PutObject. `block_size=` replaces `chunksize` for one file."""
    data = pattern(size)
    with fs.open("/f", "wb", block_size=5 * MIB) as file:
        assert file.blocksize == 5 * MIB
        file.write(data)
    etag = fs.info("/f")["ETag"].strip('"')
    assert etag.partition("-")[2] == (str(parts) if parts else "")
    assert fs.cat_file("/f") == data


@pytest.mark.promise("Writing")
@on_both
@pytest.mark.parametrize("block_size", [5 * MIB - 1, 5 * 1024 * MIB + 1, "big"])
def test_a_block_size_has_the_bounds_of_chunksize(fs: RegistryS3FileSystem, block_size: Any) -> None:
    """`block_size=` has the bounds of `chunksize`: 5 MiB to 5 GiB.

    S3 would refuse such parts only at the end.
    """
    with pytest.raises(ValueError, match="block_size"):
        fs.open("/f", "wb", block_size=block_size)


def through_open(fs: RegistryS3FileSystem, mode: str, compression: str | None) -> Any:
    return fs.open("/f", mode, compression=compression)


def through_fsspec_open(fs: RegistryS3FileSystem, mode: str, compression: str | None) -> Any:
    return fsspec.open(fs.unstrip_protocol("/f"), mode, compression=compression, **fs.storage_options)


@pytest.mark.promise("Whole or not at all")
@pytest.mark.parametrize("opened", [through_open, through_fsspec_open])
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("mode", ["wb", "wt", "w"])
@pytest.mark.parametrize("size", [1000, 12 * MIB])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_block_left_by_an_exception_publishes_nothing(
    fs: RegistryS3FileSystem, opened: Any, compression: str | None, mode: str, size: int, before: bytes | None
) -> None:
    """A `with` block that an exception leaves publishes nothing, and leaves no unfinished upload. An object that was
    there stays untouched. This holds for binary, text and compressed files, through `fs.open` and `fsspec.open`.
    """
    if before:
        fs.pipe_file("/f", before)
    data = random.Random(1).randbytes(size // 2).hex()
    with pytest.raises(KeyError), opened(fs, mode, compression) as file:
        file.write(data.encode() if mode == "wb" else data)
        raise KeyError
    gc.collect()
    assert (fs.cat_file("/f") if fs.exists("/f") else None) == before
    assert pending(fs) == []


@pytest.mark.promise("Writing")
@on_both
@pytest.mark.parametrize("opened", [through_open, through_fsspec_open])
@pytest.mark.parametrize("compression", [None, "gzip", "bz2"])
def test_text_and_compression_come_back(fs: RegistryS3FileSystem, opened: Any, compression: str | None) -> None:
    """Text and compressed files read back as they were written."""
    with opened(fs, "wt", compression) as file:
        file.write("grüße\n" * 1000)
    with opened(fs, "rt", compression) as file:
        assert file.read() == "grüße\n" * 1000


@pytest.mark.promise("Whole or not at all")
@on_both
def test_pandas_failing_half_way_publishes_nothing(fs: RegistryS3FileSystem) -> None:
    """A table that pandas fails to write half-way is not published.

    pandas only calls close(), in success and failure alike.
    """

    class Unprintable:
        def __str__(self) -> str:
            raise KeyError("half way")

    frame = pandas.DataFrame({"a": ["x"] * 1000 + [Unprintable()]})
    with pytest.raises(KeyError):
        frame.to_csv(fs.unstrip_protocol("/half.csv"), storage_options=fs.storage_options, chunksize=100)
    gc.collect()
    assert not fs.exists("/half.csv")


@pytest.mark.promise("Files that nobody closed")
def test_a_file_never_closed_is_discarded_with_a_warning(fs: RegistryS3FileSystem) -> None:
    """A file that nobody closed is discarded when it is collected, with a `ResourceWarning`.

    Nobody said that it was whole.
    """
    file = fs.open("/f", "wb", block_size=5 * MIB)
    file.write(pattern(11 * MIB))
    with pytest.warns(ResourceWarning, match="never closed"):
        del file
        gc.collect()
    assert background.finish(60)
    assert not fs.exists("/f")
    assert pending(fs) == []


@pytest.mark.promise("Whole or not at all")
@on_both
def test_a_file_written_inside_an_except_block_is_published(fs: RegistryS3FileSystem) -> None:
    """A file that is written inside an `except` block is published.

    An error report is a file like any other.
    """
    try:
        raise KeyError
    except KeyError:
        with fs.open("/report", "w") as file:
            file.write("it failed")
    assert fs.cat_file("/report") == b"it failed"


def test_an_exclusive_file_loses_to_one_that_was_quicker(fs: RegistryS3FileSystem) -> None:
    """`x` is checked again, by the server, when the file is published."""
    for size in (10, 11 * MIB):
        with pytest.raises(FileExistsError), fs.open(f"/x{size}", "xb", block_size=5 * MIB) as file:
            file.write(pattern(size))
            fs.pipe_file(f"/x{size}", b"quicker")
        assert fs.cat_file(f"/x{size}") == b"quicker"
        with pytest.raises(FileExistsError):
            fs.open(f"/x{size}", "x")
    assert pending(fs) == []


@pytest.mark.promise("Writing")
@on_both
def test_exclusive_creation_looks_at_files_alone(fs: RegistryS3FileSystem) -> None:
    """Mode `x` and `mode="create"` look at files alone, not at directories.

    The name of a directory is free for a file. `open`, `pipe_file` and `put_file` agree, in a transaction too.
    """
    fs.pipe({f"/d{n}/x": b"" for n in range(4)})
    with fs.open("/d0", "xb") as file:
        file.write(b"1")
    fs.pipe_file("/d1", b"1", mode="create")
    fs.put_file(__file__, "/d2", mode="create")
    with fs.transaction:
        fs.pipe_file("/d3", b"1", mode="create")
    for n in range(4):
        assert fs.isfile(f"/d{n}")
        for call in (lambda path: fs.open(path, "xb"), lambda path: fs.pipe_file(path, b"", mode="create")):
            with pytest.raises(FileExistsError) as there:
                call(f"/d{n}")
            assert there.value.filename == f"/d{n}"


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("committed", [None, 0, 10, 5 * MIB - 1, 5 * MIB, 12 * MIB])
@pytest.mark.parametrize("added", [0, 1, 11 * MIB])
def test_append_adds_to_the_committed_object(fs: RegistryS3FileSystem, committed: int | None, added: int) -> None:
    """Mode `a` adds to the object that is there, whatever its size, and makes a missing one."""
    before = pattern(committed or 0)
    if committed is not None:
        fs.pipe_file("/a", before)
    with fs.open("/a", "ab", block_size=5 * MIB) as file:
        assert file.tell() == len(before)
        file.write(pattern(added))
    assert fs.cat_file("/a") == before + pattern(added)
    assert pending(fs) == []


@on_both
def test_a_file_that_could_not_be_opened_leaves_nothing_to_close(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Append looks at the object first; where that is denied, no warning of an unclosed file follows."""

    def deny(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "denied", "/f")

    monkeypatch.setattr(fs.bucket, "head", deny)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PermissionError):
            fs.open("/f", "ab")
        gc.collect()
    assert all(each.closed for each in gc.get_objects() if type(each) is WriteFile)


@pytest.mark.promise("Writing")
@on_both
def test_autocommit_false_waits_for_commit_or_discard(fs: RegistryS3FileSystem) -> None:
    """A file opened with `autocommit=False` waits for `commit()` or `discard()`."""
    files = {}
    for name in ("/kept", "/dropped"):
        with fs.open(name, "wb", autocommit=False) as files[name]:
            files[name].write(b"data")
        assert not fs.exists(name)
    files["/kept"].commit()
    files["/dropped"].discard()
    files["/dropped"].commit()
    assert fs.cat_file("/kept") == b"data"
    assert not fs.exists("/dropped")


@pytest.mark.promise("Writing")
@on_both
def test_a_transaction_publishes_all_or_none(fs: RegistryS3FileSystem) -> None:
    """The files of a transaction appear when it ends. None appears when its block fails."""
    with fs.transaction:
        fs.open("/t1", "wb").close()
        with fs.open("/t2", "w") as file:
            file.write("two")
        assert not fs.exists("/t1")
    assert fs.cat(["/t1", "/t2"]) == {"/t1": b"", "/t2": b"two"}
    with pytest.raises(KeyError), fs.transaction:
        fs.open("/t3", "wb").close()
        raise KeyError
    assert not fs.exists("/t3")


def test_a_transaction_takes_pipe_and_put_too(fs: RegistryS3FileSystem, tmp_path: Any) -> None:
    """Whatever writes a file waits for the end, in parts as well."""
    (tmp_path / "f").write_bytes(b"put")
    fs.start_transaction()
    fs.pipe({"/small": b"1", "/large": bytes(11 * MIB)})
    fs.put(str(tmp_path / "f"), "/put")
    assert fs.find("/") == []
    fs.end_transaction()
    assert fs.cat(["/small", "/put"]) == {"/small": b"1", "/put": b"put"}
    assert fs.info("/large")["size"] == 11 * MIB


@pytest.mark.promise("Writing")
def test_a_transaction_in_which_one_file_fails_discards_the_rest(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one file cannot be published at the end of a transaction, the files before it stay, the files after it are
    discarded, and the error is raised.
    """
    complete = fs.bucket.complete_upload

    def failing(key: str, *args: Any, **kwargs: Any) -> None:
        if key.endswith("/2"):
            raise OSError(5, "the server failed", "/2")
        complete(key, *args, **kwargs)

    monkeypatch.setattr(fs.bucket, "complete_upload", failing)
    with pytest.raises(OSError, match="server failed"), fs.transaction:
        for name in ("/1", "/2", "/3"):
            with fs.open(name, "wb", block_size=5 * MIB) as file:
                file.write(pattern(6 * MIB))
    assert fs.find("/") == ["/1"]
    assert pending(fs) == []
    fs.pipe_file("/after", b"published at once")
    assert fs.exists("/after")


@pytest.mark.parametrize("size", [10, 11 * MIB])
def test_a_store_that_ignores_if_none_match_is_looked_at_once_more(rclone_server: Server, size: int) -> None:
    """Right before the object is published, in one request and in parts; the quicker writer's bytes stay."""
    bucket = f"exclusive-{size}"
    rclone_server.create_bucket(bucket)
    fs = RegistryS3FileSystem(**rclone_server.options(bucket))
    with pytest.raises(FileExistsError), fs.open("/x", "xb", block_size=5 * MIB) as file:
        file.write(pattern(size))
        fs.pipe_file("/x", b"quicker")
    with pytest.raises(FileExistsError):
        fs.pipe_file("/x", b"slower", mode="create")
    assert fs.cat_file("/x") == b"quicker"


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("size", [10, 6 * MIB])
def test_of_writers_that_race_for_an_exclusive_file_one_wins(size: int) -> None:
    """Mode `x` is atomic: of writers that race for one file one wins, and the others get a `FileExistsError`.

    8 threads race, in one request and in parts. The winner's bytes are there, whole.
    """
    with servers.moto(serial=True) as server:
        server.create_bucket("race")
        race(RegistryS3FileSystem(**server.options("race")), size)


def race(fs: RegistryS3FileSystem, size: int) -> None:
    won, lost = [], []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        file = fs.open("/x", "xb", block_size=5 * MIB)
        file.write(bytes([number]) * size)
        start.wait()
        try:
            file.close()
            won.append(number)
        except FileExistsError:
            lost.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert fs.cat_file("/x") == bytes(won) * size
    assert pending(fs) == []


@pytest.mark.promise("Whole or not at all")
def test_a_failed_part_fails_the_write_and_leaves_nothing(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that fails in the background fails the write, and the upload is aborted."""

    def fail(*args: Any) -> None:
        raise OSError(5, "the network is gone", "/f")

    monkeypatch.setattr(fs.bucket, "upload_part", fail)
    file = fs.open("/f", "wb", block_size=5 * MIB)
    with pytest.raises(OSError, match="network is gone"):
        for _ in range(1000):
            file.write(pattern(5 * MIB))
    assert file.closed
    file.close()
    assert not fs.exists("/f")
    assert pending(fs) == []


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("backend", ["fake", *thorough("moto")], indirect=True)
def test_memory_stays_bounded_while_writing(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts go up in the background while the caller writes. However slow the server is, the memory for chunks stays
    bounded.
    """
    held: set[int] = set()
    most = 0
    send = fs.bucket.upload_part

    def watched(key: str, upload_id: str, number: int, body: bytes) -> Any:
        held.add(number)
        part = send(key, upload_id, number, body)
        held.discard(number)
        return part

    monkeypatch.setattr(fs.bucket, "upload_part", watched)
    with fs.open("/f", "wb", block_size=32 * MIB) as file:
        for _ in range(12):
            file.write(bytes(32 * MIB))
            most = max(most, len(held))
    assert 0 < most <= MAX_BYTES_IN_MEMORY // (32 * MIB)


@on_both
def test_writing_to_a_closed_file_is_an_error(fs: RegistryS3FileSystem) -> None:
    """Bytes that could not be published are not taken."""
    file = fs.open("/f", "wb")
    file.close()
    file.close()
    assert fs.cat_file("/f") == b""
    with pytest.raises(ValueError, match="published"):
        file.write(b"x")


@on_both
def test_every_bytes_like_object_can_be_written(fs: RegistryS3FileSystem) -> None:
    """write, pipe_file and put take what files take."""
    import array

    for value in (b"ab", bytearray(b"ab"), memoryview(b"ab"), array.array("H", [0x6261])):
        fs.pipe_file("/p", value)
        assert fs.cat_file("/p") == b"ab"
        with fs.open("/w", "wb") as file:
            assert file.write(value) == 2
        assert fs.cat_file("/w") == b"ab"


@pytest.mark.promise("Copying, moving and deleting")
def test_a_local_file_goes_up_and_comes_down(fs: RegistryS3FileSystem, tmp_path: Any) -> None:
    """Callbacks count bytes on `get_file` and `put_file`."""
    data = pattern(37 * MIB + 1)
    (tmp_path / "up").write_bytes(data)
    up, down = fsspec.callbacks.Callback(), fsspec.callbacks.Callback()
    fs.put_file(str(tmp_path / "up"), "/f", callback=up)
    assert part_sizes(fs, "/f") == [10 * MIB] * 3 + [7 * MIB + 1]
    fs.get_file("/f", str(tmp_path / "new" / "down"), callback=down)
    assert (tmp_path / "new" / "down").read_bytes() == data
    assert (up.value, up.size, down.value, down.size) == (len(data),) * 4
    out = io.BytesIO()
    fs.get_file("/f", out)
    assert out.getvalue() == data


@on_both
def test_a_failed_download_leaves_the_local_file_alone(fs: RegistryS3FileSystem, tmp_path: Any) -> None:
    """It takes its name when it is whole."""
    (tmp_path / "kept").write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        fs.get_file("/missing", str(tmp_path / "kept"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_bytes() == b"old"


@on_both
def test_no_warning_is_given_for_good_files(fs: RegistryS3FileSystem) -> None:
    """Closed files are collected quietly."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with fs.open("/f", "wb") as file:
            file.write(b"x")
        del file
        gc.collect()
