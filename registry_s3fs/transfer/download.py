"""Downloads of objects, or of byte ranges of them, into memory or files.

Many byte ranges are fetched side by side. One thread drives them all.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Protocol, cast

from registry_s3fs.model import ranges
from registry_s3fs.model.integrity import Check
from registry_s3fs.model.objects import ANY, Checksum, ObjectVersion
from registry_s3fs.s3.bucket import Bucket, ObjectLocation
from registry_s3fs.s3.read_body import Read
from registry_s3fs.threads.buffers import Sink, naming_path
from registry_s3fs.threads.signal_errors import is_of_handler


class Target(Protocol):
    """The place where the bytes of a download go."""

    most_pieces: int | None
    """The most byte ranges that may be under way or waiting for their turn. None means any number."""

    def begin(self, start: int, end: int, *, in_order: bool) -> None:
        """Prepare for an object's bytes from `start` up to `end`; there may be none.

        `in_order` tells whether the byte ranges are taken in their order, whatever `open` returns.
        """

    def place(self, start: int, end: int) -> memoryview | Sink:
        """Return memory for a byte range, or a sink that takes its bytes as they come.

        A sink is possible only where the byte ranges need not be taken in their order.
        """

    def open(self) -> bool:
        """Get ready to take bytes, if that has not been done, and return whether they are taken in their order only."""

    def take(self, start: int, piece: memoryview | Sink) -> None:
        """Take the bytes of a byte range, which came to where `place` said, and release their memory."""

    def finish(self) -> None:
        """Finish, as all bytes have come."""

    def abandon(self, error: BaseException) -> None:
        """Abandon the download, as no more bytes come."""


Compared = Callable[["Checksum | None"], "Check | None"]
"""A function that is given the checksum that S3 sent for an object, or None where S3 sent none.

It returns the check that compares the bytes, or None where nothing is compared.
"""


class Download:
    """A download of an object, or of the byte range that a Python slice names.

    All bytes are of one object version. The download knows what is to be requested next.
    """

    def __init__(
        self,
        location: ObjectLocation,
        target: Target,
        *,
        start: int = 0,
        end: int | None = None,
        version: ObjectVersion = ANY,
        compared: Compared | None = None,
    ) -> None:
        """Say what is to be downloaded; no request is sent.

        A negative `start` counts from the object's end; `end` is None then. Where the size of `version` is known, the
        byte range lies within it. `compared` is for whole objects only.
        """
        bucket, self.key = location
        self.path = location.path
        self.error: Exception | None = None
        self.is_found = False
        """It is True once a response has told of the object. A later error is not that of a missing one."""
        self._target = target
        self._start, self._end = start, end
        self._version = version
        self._compared = compared
        self._with_checksum = compared is not None and bucket.compares_checksums(self.key)
        self._check: Check | None = None
        self._turns = _Turns(start)
        self._is_first_asked = False
        self._pieces: ranges.Pieces | None = None
        """The byte ranges that are not yet requested. None before the first response."""
        self._under_way = 0
        self._size = 0
        if version.size is not None:
            self._begin(start, start, version.size)
            self._is_first_asked = True

    @property
    def is_over(self) -> bool:
        """Return whether all bytes have come, or no more will come."""
        return self._is_first_asked and not self._under_way and not self._pieces

    @property
    def has_due(self) -> bool:
        """Return whether there is something to request now."""
        if not self._is_first_asked:
            return True
        most = self._target.most_pieces
        return bool(self._pieces) and (most is None or self._under_way + self._turns.waiting < most)

    @property
    def pieces_left(self) -> int:
        """Return how many byte ranges are yet to be requested, as far as that is known."""
        return 1 if self._pieces is None else len(self._pieces)

    def due(self) -> Read:
        """Return the next read to request; call it only where `has_due` is true."""
        self._under_way += 1
        if not self._is_first_asked:
            self._is_first_asked = True
            return self._first()
        start, end = next(self._pieces or ranges.Pieces(0, 0))
        with naming_path(self.path):
            place = self._target.place(start, end)
        return Read(self.key, self.path, start, end, self._version, place=place)

    def _first(self) -> Read:
        """Return the read that learns the object version and the size.

        Where checksums are compared, it reads the whole object and asks for its checksum.
        """
        end = None
        if not self._with_checksum and self._start >= 0:
            reach = self._start + ranges.PIECE_BYTES
            end = reach if self._end is None else min(self._end, reach)
        most = ranges.PIECE_BYTES if self._with_checksum or not self._start else None
        read = Read(self.key, self.path, self._start, end, self._version, most_bytes=most, checksum=self._with_checksum)
        read.memory_for = self._memory_for
        return read

    def _memory_for(self, read: Read, start: int, end: int) -> memoryview | Sink:
        """Return the memory for the bytes of the first response, which has now told of the object."""
        self._version = read.version
        self._check = self._compared(read.stored) if self._compared else None
        self._begin(start, end, read.size)
        with naming_path(self.path):
            return self._target.place(start, end)

    def _begin(self, start: int, until: int, size: int) -> None:
        """Begin the download, whose bytes start at `start`; the bytes up to `until` are already under way."""
        self._size, self.is_found = size, True
        end = size if self._end is None else min(self._end, size)
        self._turns = _Turns(start)
        with naming_path(self.path):
            self._target.begin(start, max(start, end), in_order=self._check is not None)
        self._pieces = ranges.Pieces(until, end)

    def took(self, read: Read) -> None:
        """Take a read that was requested, once its bytes have come or it has failed."""
        self._under_way -= 1
        try:
            if read.error is not None:
                raise read.error
            if self.error is None:
                self._take(read)
        except (OSError, ValueError) as error:
            if is_of_handler(error):
                raise
            self.error = self.error or error
            self._pieces = ranges.Pieces(0, 0)
        finally:
            read.release()

    def _take(self, read: Read) -> None:
        if self._pieces is None:  # the range lies past the object's end
            self._check = self._compared(None) if self._compared else None
            self._begin(0, 0, 0)
            self._turns.put(0, memoryview(b""))
        elif isinstance(read.piece, memoryview):
            self._turns.put(read.start, read.piece)
        else:
            self._target.take(read.start, read.piece)
        in_order = self._target.open() or self._check is not None
        for start, piece in self._turns.ready() if in_order else self._turns.all():
            if self._check is not None:
                self._check.take(start, piece, self._size)
            self._target.take(start, piece)

    def abandon(self, error: BaseException) -> None:
        """Abandon the download, and its target with it."""
        self._target.abandon(error)

    def end(self) -> None:
        """Finish the target, or abandon it after an error."""
        try:
            if self.error is None:
                self._target.finish()
                return
        except OSError as error:
            if is_of_handler(error):
                raise
            self.error = error
        self._target.abandon(self.error)


class _Turns:
    """Byte ranges that have come, each of which has its turn after the one that ends where it begins.

    >>> turns = _Turns(0)
    >>> turns.put(2, memoryview(b"cd"))
    >>> [start for start, _ in turns.ready()], turns.waiting
    ([], 1)
    >>> turns.put(0, memoryview(b"ab"))
    >>> [start for start, _ in turns.ready()], turns.waiting
    ([0, 2], 0)
    """

    def __init__(self, start: int) -> None:
        self._next = start
        self._pieces: dict[int, memoryview] = {}

    @property
    def waiting(self) -> int:
        """Return how many have come and have not had their turn."""
        return len(self._pieces)

    def put(self, start: int, piece: memoryview) -> None:
        """Add the bytes that begin at `start`."""
        self._pieces[start] = piece

    def ready(self) -> Iterator[tuple[int, memoryview]]:
        """Remove and yield those whose turn it is, in their order."""
        while (piece := self._pieces.pop(self._next, None)) is not None:
            start, self._next = self._next, self._next + len(piece)
            yield start, piece
            if self._next == start:  # an empty one
                return

    def all(self) -> Iterator[tuple[int, memoryview]]:
        """Remove and yield all of them, whatever their turn."""
        while self._pieces:
            yield self._pieces.popitem()


def carry_out(bucket: Bucket, downloads: Iterable[Download], count: int) -> Generator[Download, None, None]:
    """Carry out downloads side by side, about `count` of them, and yield each as it ends.

    At most as many are under way as there may be requests at a time. Those under way take turns, so that a large one
    does not keep small ones waiting. A caller that stops early abandons those that are under way.
    """
    turns = _Rounds(downloads, count)
    try:
        with closing(bucket.read_many(turns.due, turns.left)) as reads:
            for read in reads:
                download = cast(Download, read.owner)
                download.took(read)
                turns.look_again_at(download)
                if download.is_over:
                    download.end()
                    yield download
    except BaseException as error:
        for download in turns.active:
            download.abandon(error)
        raise


class _Rounds:
    """Downloads that are under way, each of which has its turn to request something."""

    def __init__(self, downloads: Iterable[Download], count: int) -> None:
        self._to_come = count
        self.active: set[Download] = set()
        self._coming = iter(downloads)
        self._waiting: dict[Download, None] = {}
        """The downloads that have something to request, in the order of their turns."""

    def due(self) -> Read | None:
        """Return what is to be requested next, or None where there is nothing.

        Another download is begun where those under way have nothing to request.
        """
        download = next(iter(self._waiting), None)
        if download is None:
            download = next(self._coming, None)
            self._to_come -= 1
        if download is None:
            return None
        self._waiting.pop(download, None)
        self.active.add(download)
        read = download.due()
        read.owner = download
        self.look_again_at(download)
        return read

    def left(self) -> int:
        """Return how many reads are yet to begin, as far as that is known."""
        return max(0, self._to_come) + sum(download.pieces_left for download in self._waiting)

    def look_again_at(self, download: Download) -> None:
        """Note what a download has to request now."""
        if download.is_over:
            self.active.discard(download)
        if download.has_due:
            self._waiting.setdefault(download)
        else:
            self._waiting.pop(download, None)


def carry_out_one(bucket: Bucket, download: Download) -> None:
    """Carry out one download, and raise its error."""
    if download.is_over:  # nothing is to be asked for
        download.end()
    else:
        for _ in carry_out(bucket, [download], 1):
            pass
    if download.error is not None:
        raise download.error


def of_slice(
    location: ObjectLocation, target: Target, start: int | None, end: int | None, version: ObjectVersion = ANY
) -> Download:
    """Return the download of the byte range that a Python slice names.

    The size is requested first where the slice counts from the object's end or is empty. So a missing file is an error
    for an empty slice, too.
    """
    start = start or 0
    if (start >= 0 and (end is None or end > start)) or (start < 0 and end is None):
        return Download(location, target, start=start, end=end, version=version)
    found = location.bucket.head(location.key, version_id=version.version_id)
    version = ObjectVersion(version.etag or found.etag, version.version_id, found.size)
    start, end = ranges.resolve(start, end, found.size)
    return Download(location, target, start=start, end=end, version=version)
