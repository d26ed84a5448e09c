"""The state of a byte range of an object that is read into memory, over as many responses as it takes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from registry_s3fs.errors import InvalidResponseError, replaced
from registry_s3fs.model import ranges
from registry_s3fs.model.objects import ANY, Checksum, Content, ObjectVersion
from registry_s3fs.s3 import checksums, responses
from registry_s3fs.s3.body_range import body_range
from registry_s3fs.s3.responses import Answer, Asked
from registry_s3fs.threads.buffers import Memory, Sink

STEP_BYTES = 256 * 1024
"""boto3 is asked for this many bytes at a time. At most this many are lost where a body of boto3's breaks."""


MemoryFor = Callable[["Read", int, int], "memoryview | Sink"]


class Body(Protocol):
    """The body of a response of boto3's."""

    def read(self, amt: int, /) -> bytes:
        """Return at most this many of the next bytes."""

    def close(self) -> None:
        """Close the body, and its connection where bytes are left."""


class SizeUnknownError(InvalidResponseError):
    """An error that says that the response does not tell the size of the whole object.

    The size must be asked for.
    """


class Read:
    """A byte range of an object, and how much of it is in memory.

    The first response tells which bytes these are, of which object version and size. Each further response must
    continue them.
    """

    def __init__(
        self,
        key: str,
        path: str,
        start: int = 0,
        end: int | None = None,
        version: ObjectVersion = ANY,
        *,
        place: memoryview | Sink | None = None,
        most_bytes: int | None = None,
        checksum: bool = False,
    ) -> None:
        """Begin a read of the bytes from `start` up to `end`, or to the object's end where `end` is None.

        A negative `start` counts from the object's end. `path` names the object in errors. `place` is the buffer for a
        byte range that the object is known to have. `version` tells the size of that object. Without `place`, memory is
        taken. `most_bytes` limits what is received of an object that is requested as a whole. With `checksum`, S3 is
        asked for the checksum of the whole object. S3 gives it only where there is no byte range.
        """
        self.key, self.start, self.end, self.version = key, start, end, version
        self.checksum = checksum
        self.stored: Checksum | None = None
        """It is the checksum of the whole object, where S3 told it."""
        self.received = 0
        self.is_past_end = False
        """It is True where the object ends before the byte range."""
        self.error: Exception | None = None
        """It is what the read met: this package's error, or that of `memory_for` as it was raised."""
        self.owner: object = None
        """The maker of the read may put anything here."""
        self.memory_for: MemoryFor | None = None
        """It gives the buffer for the bytes from one place up to another, once these are known."""
        self._asked = Asked("GetObject", path)
        self._piece = place
        self._memory: Memory | None = None
        self._most = most_bytes
        self._is_begun = False

    def __repr__(self) -> str:
        return f"<Read {self._asked.path!r} from {self.start}>"

    @property
    def size(self) -> int:
        """Return the size of the whole object, or 0 as long as it is unknown."""
        return self.version.size or 0

    @property
    def piece(self) -> memoryview | Sink:
        """Return the buffer of the byte range, or the sink that takes it.

        The result is an empty buffer as long as none is known.
        """
        return self._piece if self._piece is not None else memoryview(b"")

    @property
    def next_range(self) -> dict[str, str]:
        """Return the Range field of the next request.

        The result is empty where the whole object is requested.
        """
        if not self.start and not self.received and self.end is None:
            return {}
        return {"Range": ranges.header(self.start + self.received, self.end)}

    @property
    def next_start(self) -> int:
        """Return where the next response must begin.

        A negative place is counted from the object's end.
        """
        return self.start + self.received

    def accept(self, answer: Answer) -> memoryview | Sink:
        """Return the buffer for what a response brings, or the sink that takes it.

        Raises:
            InvalidResponseError: The response has another byte range or size than was requested, or it does not prove
                itself.
            FileExpired: The response is of another object version.
            SizeUnknownError: The response does not tell the object's size, and nothing else has told it.
        """
        responses.is_not_foreign(answer, self._asked)
        responses.is_of_version(answer, self.version.version_id, self._asked)
        etag = responses.text(answer, "ETag", self._asked)
        if self.version.etag and not responses.is_same(etag, self.version.etag):  # some servers ignore If-Match
            raise replaced(self._asked.path)
        found = body_range(answer, self.next_start, self.end, self.version.size, self._asked)
        if found.size is None:
            raise SizeUnknownError(errno.EPROTO, "the size of the object is not told", self._asked.path)
        if not self._is_begun:
            self.version = ObjectVersion(self.version.etag or etag, self.version.version_id, found.size)
            self.stored = checksums.stored(answer)
            self._begin(found.start, found.end)
        piece = self.piece
        return piece[self.received :] if self.received and isinstance(piece, memoryview) else piece

    def _begin(self, start: int, end: int) -> None:
        if self._most is not None:
            end = min(end, start + self._most)
        if self._piece is not None and self._length != end - start:
            raise self._asked.refused(f"it brings {end - start} bytes, where {self._length} were asked for")
        self.start, self.end = start, end
        if self._piece is None and self.memory_for is not None:
            self._piece = self._memory_from(self.memory_for, start, end)
        elif self._piece is None:
            self._memory = Memory(end - start)
            self._piece = self._memory.view()
        self._is_begun = True

    def _memory_from(self, memory_for: MemoryFor, start: int, end: int) -> memoryview | Sink:
        try:
            return memory_for(self, start, end)
        except OSError as error:  # such as a local file's, which says nothing of S3
            self.error = error
            raise

    def receive(self, body: Body) -> None:
        """Receive the body of an accepted response of boto3's to its end.

        Where the body breaks, the bytes that came are kept.
        """
        with closing(body):
            while not self.is_whole:
                data = _read(body, min(STEP_BYTES, self._length - self.received))
                if not data:
                    raise ConnectionResetError(errno.ECONNRESET, "the answer's body is shorter than it said")
                if isinstance(self.piece, memoryview):
                    self.piece[self.received : self.received + len(data)] = data
                else:
                    self.piece.write(data)
                self.received += len(data)
            if self._most is None:
                _read(body, 1)  # boto3 compares a checksum when nothing more comes

    @property
    def is_begun(self) -> bool:
        """Return whether a response has been accepted."""
        return self._is_begun

    @property
    def is_whole(self) -> bool:
        """Return whether the whole byte range is there."""
        return self.is_past_end or (self._is_begun and self.received == self._length)

    @property
    def _length(self) -> int:
        """Return the length of the byte range, or 0 where its end is unknown."""
        return 0 if self.end is None else self.end - self.start

    def content(self) -> Content:
        """Return the bytes for which memory was taken.

        The read must be whole.
        """
        self.release()
        if self._memory is None:
            return Content(b"", self.version, 0)
        return Content(self._memory.data(), self.version, self.size, self.stored)

    def release(self) -> None:
        """Release the buffer; see `buffers.Memory.view`."""
        piece, self._piece = self._piece, None
        if isinstance(piece, memoryview) and self._memory is not None:
            piece.release()


def _read(body: Body, most: int) -> bytes:
    try:
        return body.read(most)
    except (ValueError, TypeError) as error:  # of a chunk's size that is none
        text = f"the answer's body is not well formed: {error}"
        raise ConnectionResetError(errno.ECONNRESET, text) from None
