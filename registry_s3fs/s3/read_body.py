"""A range of an object on its way into memory, over as many answers as it takes."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from registry_s3fs.errors import InvalidResponseError, replaced
from registry_s3fs.model import ranges
from registry_s3fs.model.objects import ANY, Checksum, Content, ObjectVersion
from registry_s3fs.s3 import checksums, responses
from registry_s3fs.s3.body_range import body_range
from registry_s3fs.s3.responses import Asked
from registry_s3fs.threads.buffers import Memory, Sink

STEP_BYTES = 256 * 1024
"""What boto3 is asked for at a time: what is lost of a body of its own that breaks."""


class SizeUnknownError(InvalidResponseError):
    """The answer does not tell how large the whole object is, which must be asked for."""


class Read:
    """A range of an object, and how much of it is in memory.

    The first answer says which bytes these are, of which version and size; each further one must go on with them.
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
        """Of the bytes from `start` up to `end`, or to the object's end; a negative `start` counts from there.

        `path` names the object in errors. `place` is the memory for a range that the object, whose size `version`
        tells, is known to have; without it, memory is taken. Of an object that is asked for as a whole, `most_bytes`
        are received. With `checksum`, S3 is asked for the whole object's, which it gives only where there is no range.
        """
        self.key, self.start, self.end, self.version = key, start, end, version
        self.checksum = checksum
        self.stored: Checksum | None = None
        """The whole object's checksum, where S3 told it."""
        self.received = 0
        self.is_past_end = False
        """Whether the object ends before the range."""
        self.error: Exception | None = None
        self.owner: Any = None
        """Whatever who made it has put here."""
        self.memory_for: Callable[[Read, int, int], memoryview | Sink] | None = None
        """Gives the memory for the bytes from one place up to another, once these are known."""
        self._asked = Asked("GetObject", path)
        self._piece = place
        self._memory: Memory | None = None
        self._most = most_bytes
        self._is_begun = False

    def __repr__(self) -> str:
        return f"<Read {self._asked.path!r} from {self.start}>"

    @property
    def size(self) -> int:
        """Of the whole object, once it is known."""
        return self.version.size or 0

    @property
    def piece(self) -> memoryview | Sink:
        """The memory of the range, or what takes it, once that is known."""
        return self._piece if self._piece is not None else memoryview(b"")

    @property
    def next_range(self) -> dict[str, str]:
        """The Range field of the next request; none where the whole object is asked for."""
        if not self.start and not self.received and self.end is None:
            return {}
        return {"Range": ranges.header(self.start + self.received, self.end)}

    @property
    def next_start(self) -> int:
        """Where the next answer must begin; negative, counted from the object's end."""
        return self.start + self.received

    def accept(self, answer: Mapping[str, Any]) -> memoryview | Sink:
        """Return the memory for what an answer brings, or what takes it.

        Raises:
            InvalidResponseError: it is another range or size than was asked for, or proves itself in none.
            FileExpired: it is of another version.
            SizeUnknownError: it does not tell the object's size, and nothing else has.
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
            self._piece = self.memory_for(self, start, end)
        elif self._piece is None:
            self._memory = Memory(end - start)
            self._piece = self._memory.view()
        self._is_begun = True

    def receive(self, body: Any) -> None:
        """Take the body of an accepted answer of boto3's to its end; where it breaks, what came is kept."""
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
        """Whether an answer has been accepted."""
        return self._is_begun

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return self.is_past_end or (self._is_begun and self.received == self._length)

    @property
    def _length(self) -> int:
        """Of the range; 0 where its end is not known."""
        return 0 if self.end is None else self.end - self.start

    def content(self) -> Content:
        """Return the bytes, of which memory was taken. It must be whole."""
        self.release()
        if self._memory is None:
            return Content(b"", self.version, 0)
        return Content(self._memory.data(), self.version, self.size, self.stored)

    def release(self) -> None:
        """Let go of the memory; see `bodies.Memory.view`."""
        piece, self._piece = self._piece, None
        if isinstance(piece, memoryview) and self._memory is not None:
            piece.release()


def _read(body: Any, most: int) -> bytes:
    try:
        data: bytes = body.read(most)
    except (ValueError, TypeError) as error:  # of a chunk's size that is none
        text = f"the answer's body is not well formed: {error}"
        raise ConnectionResetError(errno.ECONNRESET, text) from None
    return data
