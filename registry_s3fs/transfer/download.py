"""Objects, or ranges of them, on their way into memory or files: pieces of many side by side, driven by one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Protocol

from registry_s3fs.model import ranges
from registry_s3fs.model.integrity import Check
from registry_s3fs.model.objects import ANY, Checksum, ObjectVersion
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.read_body import Read
from registry_s3fs.threads.buffers import Sink, naming_path
from registry_s3fs.threads.pool import Pool


class Target(Protocol):
    """Where the bytes of a download go."""

    most_pieces: int | None
    """So many may be under way or waiting for their turn; None: any number."""

    def begin(self, start: int, end: int, *, in_order: bool) -> None:
        """Prepare for an object's bytes from `start` up to `end`, which may be none. `in_order`: whether pieces are
        taken in their order, whatever `open` says."""

    def place(self, start: int, end: int) -> memoryview | Sink:
        """Return memory for a piece, or, where pieces need not be taken in their order, what takes it as it comes."""

    def open(self) -> bool:
        """Get ready to take pieces, if that has not been done; return whether it takes them in their order only."""

    def take(self, start: int, piece: memoryview | Sink) -> None:
        """Take a piece that has come, to where `place` said, and release its memory."""

    def finish(self) -> None:
        """All has come."""

    def abandon(self, error: BaseException) -> None:
        """Nothing more comes."""


Compared = Callable[["Checksum | None"], "Check | None"]
"""Given the checksum that S3 told of an object, if it told one; gives what compares the bytes, if anything."""


class Download:
    """An object, or the range of one that a Python slice names, all of one version: what is to be asked for next."""

    def __init__(
        self,
        bucket: Bucket,
        key: str,
        target: Target,
        *,
        start: int = 0,
        end: int | None = None,
        version: ObjectVersion = ANY,
        compared: Compared | None = None,
    ) -> None:
        """A negative `start` counts from the object's end, and then there is no `end`. Of a `version` whose size is
        known the range lies within that. `compared` is for whole objects.
        """
        self.key = key
        self.path = bucket.path(key)
        self.error: Exception | None = None
        self._target = target
        self._start, self._end = start, end
        self._version = version
        self._compared = compared
        self._with_checksum = compared is not None and bucket.compares_checksums(key)
        self._check: Check | None = None
        self._turns = _Turns(start)
        self._is_first_asked = False
        self._pieces: deque[ranges.Range] | None = None
        """Those not yet asked for; None before the first answer."""
        self._under_way = 0
        self._size = 0
        if version.size is not None:
            self._begin(start, start, version.size)
            self._is_first_asked = True

    @property
    def is_over(self) -> bool:
        """Whether all has come, or nothing more will."""
        return self._is_first_asked and not self._under_way and not self._pieces

    @property
    def has_due(self) -> bool:
        """Whether there is something to ask for now."""
        if not self._is_first_asked:
            return True
        most = self._target.most_pieces
        return bool(self._pieces) and (most is None or self._under_way + self._turns.waiting < most)

    def due(self) -> Read:
        """Return what to ask for, where `has_due`."""
        self._under_way += 1
        if not self._is_first_asked:
            self._is_first_asked = True
            return self._first()
        start, end = (self._pieces or deque()).popleft()
        with naming_path(self.path):
            place = self._target.place(start, end)
        return Read(self.key, self.path, start, end, self._version, place=place)

    def _first(self) -> Read:
        """The read that learns version and size; of a whole object with its checksum, where these are compared."""
        end = None
        if not self._with_checksum and self._start >= 0:
            reach = self._start + ranges.PIECE_BYTES
            end = reach if self._end is None else min(self._end, reach)
        most = ranges.PIECE_BYTES if self._with_checksum or not self._start else None
        read = Read(self.key, self.path, self._start, end, self._version, most_bytes=most, checksum=self._with_checksum)
        read.memory_for = self._memory_for
        return read

    def _memory_for(self, read: Read, start: int, end: int) -> memoryview | Sink:
        """The memory for what the first answer brings, now that it has told of the object."""
        self._version = read.version
        self._check = self._compared(read.stored) if self._compared else None
        self._begin(start, end, read.size)
        return self._target.place(start, end)

    def _begin(self, start: int, until: int, size: int) -> None:
        """All that is wanted begins at `start`; what comes up to `until` is under way."""
        self._size = size
        end = size if self._end is None else min(self._end, size)
        self._turns = _Turns(start)
        with naming_path(self.path):
            self._target.begin(start, max(start, end), in_order=self._check is not None)
        self._pieces = deque(ranges.split_for_reading(until, end))

    def took(self, read: Read) -> None:
        """Take what was asked for, once it has come or failed."""
        self._under_way -= 1
        try:
            if read.error is not None:
                raise read.error
            if self.error is None:
                self._take(read)
        except (OSError, ValueError) as error:
            self.error = self.error or error
            self._pieces = deque()
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
        """Give it up."""
        self._target.abandon(error)

    def end(self) -> None:
        """Finish or abandon the target."""
        try:
            if self.error is None:
                self._target.finish()
                return
        except OSError as error:
            self.error = error
        self._target.abandon(self.error)


class _Turns:
    """Pieces that have come, each of which has its turn behind the one that ends where it begins.

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
        """How many have come and had no turn."""
        return len(self._pieces)

    def put(self, start: int, piece: memoryview) -> None:
        """Add one."""
        self._pieces[start] = piece

    def ready(self) -> Iterator[tuple[int, memoryview]]:
        """Take out those whose turn it is, in their order."""
        while (piece := self._pieces.pop(self._next, None)) is not None:
            start, self._next = self._next, self._next + len(piece)
            yield start, piece
            if self._next == start:  # an empty one
                return

    def all(self) -> Iterator[tuple[int, memoryview]]:
        """Take out all, whatever their turn."""
        while self._pieces:
            yield self._pieces.popitem()


def carry_out(bucket: Bucket, pool: Pool, downloads: Iterable[Download]) -> Generator[Download, None, None]:
    """Carry out downloads, at most as many at a time as there may be requests, and give each as it ends.

    Those under way have their turns one after the other, so that a large one does not keep small ones waiting. Left
    early, it abandons what is under way.
    """
    turns = _Rounds(downloads)
    try:
        with closing(bucket.read_many(turns.due, pool)) as reads:
            for read in reads:
                download: Download = read.owner
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
    """Downloads that are under way, each of which has its turn to ask for something."""

    def __init__(self, downloads: Iterable[Download]) -> None:
        self.active: set[Download] = set()
        self._coming = iter(downloads)
        self._waiting: dict[Download, None] = {}
        """Those that have something due, in the order of their turns."""

    def due(self) -> Read | None:
        """Return what is to be asked for next; another download is begun where those that were have nothing due."""
        download = next(iter(self._waiting), None) or next(self._coming, None)
        if download is None:
            return None
        self._waiting.pop(download, None)
        self.active.add(download)
        read = download.due()
        read.owner = download
        self.look_again_at(download)
        return read

    def look_again_at(self, download: Download) -> None:
        """Take note of what a download has due now."""
        if download.is_over:
            self.active.discard(download)
        if download.has_due:
            self._waiting.setdefault(download)
        else:
            self._waiting.pop(download, None)


def carry_out_one(bucket: Bucket, pool: Pool, download: Download) -> None:
    """Carry out one download, and raise its error."""
    if download.is_over:  # nothing is to be asked for
        download.end()
    else:
        for _ in carry_out(bucket, pool, [download]):
            pass
    if download.error is not None:
        raise download.error


def of_slice(
    bucket: Bucket, key: str, target: Target, start: int | None, end: int | None, version: ObjectVersion = ANY
) -> Download:
    """Return the download of what a Python slice names. Of one that counts from the object's end, or is empty, the size
    is asked for first; of an empty one, too, a missing file is an error."""
    start = start or 0
    if (start >= 0 and (end is None or end > start)) or (start < 0 and end is None):
        return Download(bucket, key, target, start=start, end=end, version=version)
    found = bucket.head(key, version_id=version.version_id)
    version = ObjectVersion(version.etag or found.etag, version.version_id, found.size)
    start, end = ranges.resolve(start, end, found.size)
    return Download(bucket, key, target, start=start, end=end, version=version)
