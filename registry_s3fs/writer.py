"""The file open for writing: chunks gathered and sent in the background, the object published at the end or never."""

from __future__ import annotations

import atexit
import enum
import os
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from registry_s3fs import abandonment, interruption, ranges
from registry_s3fs.bodies import Spare
from registry_s3fs.multipart import MultipartUpload
from registry_s3fs.records import Description, Pin

if TYPE_CHECKING:
    from registry_s3fs.filesystem import RegistryS3FileSystem


class State(enum.Enum):
    """Of a file open for writing."""

    OPEN = "open"
    HELD = "closed, waiting for commit or discard"
    PUBLISHED = "published"
    DISCARDED = "discarded"


AFTER = {
    (State.OPEN, "close"): State.PUBLISHED,
    (State.OPEN, "hold"): State.HELD,
    (State.OPEN, "commit"): State.PUBLISHED,
    (State.OPEN, "discard"): State.DISCARDED,
    (State.HELD, "commit"): State.PUBLISHED,
    (State.HELD, "discard"): State.DISCARDED,
}
"""What an event leads to; one that is not listed changes nothing."""


_open_files: weakref.WeakSet[WriteFile] = weakref.WeakSet()


class WriteFile(AbstractBufferedFile):
    """A file open for writing, in mode ``wb``, ``xb`` or ``ab``.

    The object appears, whole, when the file is closed (or committed, with ``autocommit=False``),
    and never otherwise. `blocksize` is the chunk size in bytes: up to it one PutObject, beyond it a
    multipart upload whose parts go up while the caller writes. At most 128 MiB of chunks (never
    fewer than two) are in memory.
    """

    def __init__(
        self,
        fs: RegistryS3FileSystem,
        path: str,
        mode: str,
        *,
        block_size: int,
        description: Description,
        autocommit: bool = True,
    ) -> None:
        self._state = State.DISCARDED  # until it is known that the file can be opened
        super().__init__(fs, path, "wb" if mode == "xb" else mode, block_size, autocommit)
        self.mode = mode
        self._key = fs.bucket.space.key(path)
        self._description = description
        self._upload: MultipartUpload | None = None
        self._chunk = bytearray()
        self._filled = 0
        """Of the chunk."""
        self._spare = Spare()
        self._handled_at_open = abandonment.being_handled()
        self._state = State.OPEN
        _open_files.add(self)
        if mode == "ab":
            self._discarding_on_error(self._begin_with_committed)

    def write(self, data: Any) -> int:
        """Take bytes; raises the error of an earlier chunk's upload, after which the file is discarded."""
        if self._state is not State.OPEN:
            raise ValueError(f"{self.path}: the file is {self._state.value}; it takes no more bytes")
        view = memoryview(data).cast("B")
        at = 0
        while at < len(view):
            if self._filled == self._chunk_bytes:
                self._send_chunk()
            at += self._take(view[at:])
        self.loc += len(view)
        return len(view)

    def flush(self, force: bool = False) -> None:
        """Nothing: S3 has no object that grows. What is written appears at the close."""
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def close(self) -> None:
        """Publish the object, or discard it where an exception is leaving the block; see `abandonment`."""
        if self.closed:
            return
        if self._state is State.OPEN and abandonment.left_by_exception(self._handled_at_open):
            self.discard()
        self._do("close" if self.autocommit else "hold")

    def commit(self) -> None:
        """Publish what was written. After a discard: nothing."""
        self._do("commit")

    def discard(self) -> None:
        """Forget what was written; no object appears, and the parts sent are thrown away."""
        self._do("discard")

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            self.discard()
        self.close()

    __hash__ = object.__hash__  # fsspec's asks for the checksum of a file that is not there yet
    __eq__ = object.__eq__

    def __del__(self) -> None:
        self.abandon()

    def abandon(self) -> None:
        """Discard what nobody published, with a `ResourceWarning`."""
        if self._state in (State.OPEN, State.HELD):
            missed = "closed" if self._state is State.OPEN else "committed"
            self.discard()  # first, since a warning may be an error
            text = f"{self.path} was never {missed}; what was written is discarded"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)

    def disown(self) -> None:
        """Forget an upload that is another process's."""
        self._state, self._upload = State.DISCARDED, None
        self._forget()

    # How it is done

    def _do(self, event: str) -> None:
        after = AFTER.get((self._state, event), self._state)
        if after is self._state:
            return
        self._state = after
        self.closed = True
        self._handled_at_open = []
        if after is State.PUBLISHED:
            self._discarding_on_error(self._publish)
        elif after is State.DISCARDED:
            self._throw_away()

    def _publish(self) -> None:
        exclusive = self.mode == "xb"
        del self._chunk[self._filled :]
        if self._upload is None:
            self.fs.bucket.put(self._key, self._chunk, exclusive=exclusive, description=self._description)
        else:
            if self._chunk:
                self._send_chunk()
            self._upload.complete(exclusive=exclusive)
        self._forget()
        self.fs.invalidate_cache(self.path)

    def _forget(self) -> None:
        self._chunk, self._filled, self._spare = bytearray(), 0, Spare()

    def _throw_away(self) -> None:
        self._forget()
        if self._upload is not None:
            upload, self._upload = self._upload, None
            upload.abort()

    def _discarding_on_error(self, act: Any, *args: Any) -> None:
        try:
            act(*args)
        except BaseException:
            self._state = State.DISCARDED
            self.closed = True
            self._throw_away()
            raise

    @property
    def _chunk_bytes(self) -> int:
        number = self._upload.next_number if self._upload else 1
        return ranges.streamed_part_bytes(number, self.blocksize)

    def _multipart(self) -> MultipartUpload:
        if self._upload is None:
            bucket, pool = self.fs.bucket, self.fs.pool
            self._upload = MultipartUpload(bucket, pool, self._key, description=self._description)
        return self._upload

    def _take(self, view: memoryview) -> int:
        """Put what fits into the chunk, which grows up to its size; gives how much that was."""
        end = min(self._filled + len(view), self._chunk_bytes)
        if end > len(self._chunk):
            grown = min(max(end, 2 * len(self._chunk)), self._chunk_bytes)
            self._chunk.extend(bytes(grown - len(self._chunk)))
        taken = end - self._filled
        self._chunk[self._filled : end] = view[:taken]
        self._filled = end
        return taken

    def _send_chunk(self) -> None:
        chunk, lent = self._chunk, self._spare.lent
        self._discarding_on_error(lambda: self._multipart().add(len(chunk), lambda: lent(chunk)))
        self._chunk, self._filled = self._spare.take(self._chunk_bytes), 0

    def _begin_with_committed(self) -> None:
        """Append: the object as it stands goes first, copied by the server where S3 allows such a part."""
        try:
            committed = self.fs.bucket.head(self._key, explain=False)
        except FileNotFoundError:
            return
        self._description = committed.description
        if committed.size < ranges.MIN_PART_BYTES:
            self._take(memoryview(self.fs.bucket.get(self._key, pin=Pin(committed.etag)).data))
        else:
            self._discarding_on_error(lambda: self._multipart().add_object(committed))
        self.loc = committed.size


@atexit.register
def _discard_open_files() -> None:
    """At the interpreter's end, while requests can still be sent."""
    interruption.end()
    for file in list(_open_files):
        file.abandon()


def _disown_open_files() -> None:
    """A forked child must not abort its parent's uploads."""
    for file in list(_open_files):
        file.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_open_files)
