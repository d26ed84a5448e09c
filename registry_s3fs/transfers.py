"""Between local files and objects, a piece at a time."""

from __future__ import annotations

import errno
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from io import FileIO
from typing import IO, Any

from registry_s3fs import checksums, ranges
from registry_s3fs.bodies import Spare
from registry_s3fs.bucket import Bucket
from registry_s3fs.checks import Check
from registry_s3fs.concurrency import Pool
from registry_s3fs.records import Content, Pin

PIECES_AHEAD = 24
"""Of a download, in flight or waiting to be written: 96 MiB. A connection to S3 gives some 90 MB/s."""


def download(
    bucket: Bucket, pool: Pool, key: str, write: Callable[[bytes], Any], callback: Any, pin: Pin, check: Check | None
) -> None:
    """Hand an object's bytes to `write` in order, all of one version, compared by `check`, or else with the checksum
    that S3 has of them; a few pieces are fetched ahead."""
    first = bucket.begin(key, pin)
    callback.set_size(first.size)
    _in_order(bucket, pool, key, write, callback, first, check or checksums.check(bucket.path(key), first.checksum))


def fetch(bucket: Bucket, pool: Pool, key: str, file: IO[bytes], callback: Any, pin: Pin, check: Check | None) -> None:
    """As `download`, into a local file; what need not be compared is written to its place as it comes."""
    first = bucket.begin(key, pin)
    callback.set_size(first.size)
    check = check or checksums.check(bucket.path(key), first.checksum)
    if check:
        _in_order(bucket, pool, key, file.write, callback, first, check)
    else:
        _in_place(bucket, pool, key, file, callback, first)


def _in_order(
    bucket: Bucket,
    pool: Pool,
    key: str,
    write: Callable[[bytes], Any],
    callback: Any,
    first: Content,
    check: Check | None,
) -> None:
    at = 0

    def take(data: bytes) -> None:
        nonlocal at
        write(data)
        callback.relative_update(len(data))
        if check:
            check.take(at, data, first.size)
        at += len(data)

    take(first.data)
    rest = ranges.split_for_reading(at, first.size)
    with closing(pool.each(lambda piece: bucket.get(key, *piece, pin=first.pin).data, rest, PIECES_AHEAD)) as pieces:
        for data in pieces:
            take(data)


def _in_place(bucket: Bucket, pool: Pool, key: str, file: IO[bytes], callback: Any, first: Content) -> None:
    file.write(first.data)
    callback.relative_update(len(first.data))
    writing = threading.Lock()
    spare = Spare()

    def move(piece: ranges.Range) -> None:
        start, end = piece
        with (
            spare.lent(spare.take(ranges.PIECE_BYTES)) as memory,
            memoryview(memory) as whole,
            whole[: end - start] as view,
        ):
            bucket.get_into(key, view, start, first.pin)
            with writing:
                file.seek(start)
                file.write(view)
                callback.relative_update(len(view))

    rest = ranges.split_for_reading(len(first.data), first.size)
    with closing(pool.each(move, rest, PIECES_AHEAD)) as moved:
        for _ in moved:
            pass


@contextmanager
def replacing(lpath: Any) -> Iterator[IO[bytes]]:
    """A local file that takes its name when the block ends well; otherwise what was there stays."""
    lpath = os.path.abspath(os.fspath(lpath))
    folder, name = os.path.split(lpath)
    os.makedirs(folder, exist_ok=True)
    partial = os.path.join(folder, f".{name[:200]}.{uuid.uuid4().hex}.part")
    try:
        with open(partial, "xb") as file:
            yield file
        os.replace(partial, lpath)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)
        raise


def local_reader(lpath: Any, callback: Any) -> Callable[[ranges.Range], AbstractContextManager[bytearray]]:
    """A function that lends ranges of a local file, to any thread, and tells the callback."""
    counting, spare = threading.Lock(), Spare()

    def lend(extent: ranges.Range) -> AbstractContextManager[bytearray]:
        start, end = extent
        memory = spare.take(end - start)
        with open(lpath, "rb", buffering=0) as file:
            file.seek(start)
            _fill(file, memory)
        with counting:
            callback.relative_update(len(memory))
        return spare.lent(memory)

    return lend


def _fill(file: FileIO, memory: bytearray) -> None:
    """Read as much as the memory holds; Linux reads at most 2 GiB at a time."""
    with memoryview(memory) as view:
        at = 0
        while at < len(view):
            count = file.readinto(view[at:])
            if not count:
                raise OSError(errno.EIO, "the local file shrank while it was being stored", os.fspath(file.name))
            at += count
