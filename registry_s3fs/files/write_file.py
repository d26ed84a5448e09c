"""The file open for writing: chunks gathered and sent in the background, the object published at the end or never."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  # boto3 needs it for a client, and at the interpreter's end it is too late
import enum
import errno
import logging
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from fsspec.spec import AbstractBufferedFile

from registry_s3fs.files.host import FileHost
from registry_s3fs.model import ranges
from registry_s3fs.model.objects import DEFAULT_HEADERS, ObjectHeaders, ObjectVersion
from registry_s3fs.threads import background, call_stack, cancellation, fork
from registry_s3fs.threads.buffers import ReusedBuffers, memory, naming_path
from registry_s3fs.transfer.multipart import MultipartUpload

logger = logging.getLogger("registry_s3fs")


class State(enum.Enum):
    """Of a file open for writing."""

    OPEN = "open"
    HELD = "closed, waiting for commit or discard"
    PUBLISHED = "published"
    DISCARDED = "discarded"
    COLLECTED = "collected, and discarded, without having been closed"
    ENDED = "discarded, as the interpreter ended before it was closed"


AFTER = {
    (State.OPEN, "close"): State.PUBLISHED,
    (State.OPEN, "hold"): State.HELD,
    (State.OPEN, "commit"): State.PUBLISHED,
    (State.OPEN, "discard"): State.DISCARDED,
    (State.OPEN, "collect"): State.COLLECTED,
    (State.OPEN, "end"): State.ENDED,
    (State.HELD, "commit"): State.PUBLISHED,
    (State.HELD, "discard"): State.DISCARDED,
    (State.HELD, "collect"): State.COLLECTED,
    (State.HELD, "end"): State.ENDED,
}
"""What an event leads to; one that is not listed changes nothing."""

CLOSED_LATER = (State.COLLECTED, State.ENDED)
"""Not closed before somebody closes it: layers above say nothing to a file that is closed, and would lose in silence
what they hold, or complain of it."""


_open_files: weakref.WeakSet[WriteFile] = weakref.WeakSet()


class WriteFile(AbstractBufferedFile):
    """A file open for writing, in mode ``wb``, ``xb`` or ``ab``.

    The object appears, whole, when the file is closed (or committed, with ``autocommit=False``),
    and never otherwise. `blocksize` is the chunk size in bytes: up to it one PutObject, beyond it a
    multipart upload whose parts go up while the caller writes. At most 128 MiB of chunks (never
    fewer than two) are in memory.
    """

    closed: bool
    _asked_writable: call_stack.Instruction | None = None
    """Where `writable` was asked for last."""
    published: Callable[[], object] = staticmethod(lambda: None)
    """Called once the object is there."""
    _state = State.DISCARDED  # until it is known that the file can be opened

    def __init__(
        self,
        fs: FileHost,
        path: str,
        mode: str,
        *,
        block_size: int,
        changed: ObjectHeaders = {},  # noqa: B006  # nobody changes it
        autocommit: bool = True,
    ) -> None:
        super().__init__(fs, path, "wb" if mode == "xb" else mode, block_size, autocommit)
        self.mode = mode
        self._key = fs.bucket.space.key(path)
        self._changed = changed
        self._headers: ObjectHeaders = {**DEFAULT_HEADERS, **changed}
        self._upload: MultipartUpload | None = None
        self._chunk = bytearray()
        self._filled = 0
        """Of the chunk."""
        self._buffers = ReusedBuffers()
        self._handled_at_open = call_stack.being_handled()
        background.start()
        self._state = State.OPEN
        _open_files.add(self)
        if mode == "ab":
            self._discarding_on_error(self._begin_with_committed)

    def write(self, data: Any) -> int:
        """Take bytes; raises the error of an earlier chunk's upload, after which the file is discarded."""
        view = memoryview(data).cast("B")
        at = 0 if self._takes_bytes() else len(view)
        while at < len(view) and self._has_room():
            at += self._take(view[at:])
        self.loc += len(view)
        return len(view)

    def _takes_bytes(self) -> bool:
        """False for a file that was collected: the finalisers of layers above still write, and nobody hears an error.

        Raises:
            ValueError: the file is not open.
            OSError: it was open when the interpreter's end discarded it.
        """
        if self._state is State.ENDED:
            raise self._too_late()
        if self._state not in (State.OPEN, State.COLLECTED):
            raise ValueError(f"{self.path}: the file is {self._state.value}; it takes no more bytes")
        return self._state is State.OPEN

    def _too_late(self) -> OSError:
        text = "the interpreter ended while the file was open, and what was written is discarded; close it earlier"
        return OSError(errno.EBADF, text, self.path)

    def _has_room(self) -> bool:
        """Send the chunk where it is full. A finaliser must not wait for that: there, the file is discarded."""
        if self._filled == self._chunk_bytes:
            if call_stack.by_finaliser():
                self._collect()
            else:
                self._send_chunk()
        return self._state is State.OPEN

    def writable(self) -> bool:
        """True, until it is closed."""
        self._asked_writable = call_stack.instruction_of_caller()
        return not self.closed

    def seekable(self) -> bool:
        """False: what was written stays where it is.

        True to `io.TextIOWrapper`, which asks this and `writable` when it is made, by one instruction of Python's. Of
        what is not seekable it never asks for the position, and so writes no byte order mark, or one too many.
        """
        asked, self._asked_writable = self._asked_writable, None
        return asked is not None and asked == call_stack.instruction_of_caller()

    def flush(self, force: bool = False) -> None:
        """Nothing: S3 has no object that grows. What is written appears at the close."""
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def close(self) -> None:
        """Publish the object, or discard it where an exception is leaving the block or a finaliser closes it; see
        `abandonment`."""
        if self.closed:
            return
        if self._state is State.ENDED:
            self.closed = True
            raise self._too_late()
        if self._state is State.OPEN:
            if call_stack.by_finaliser():
                self._collect()
            elif call_stack.left_by_exception(self._handled_at_open):
                self.discard()
        self._do("close" if self.autocommit else "hold")
        self.closed = True

    def commit(self) -> None:
        """Publish what was written. After a discard: nothing."""
        if self._state is State.ENDED:
            raise self._too_late()
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
        self._collect()

    def _dealloc_warn(self, source: object) -> None:
        """Discard, since a layer of Python's `io` above is collected that nobody closed: before it closes what it
        wraps, it calls this, as `io.FileIO` has it."""
        self._collect()

    def _collect(self) -> None:
        """Discard what nobody published. This may be at any point of any thread: nothing waits, or takes a lock."""
        self._lose("collect", lambda text: background.later(partial(logger.warning, "%s", text)))

    def discard_at_exit(self) -> None:
        """Discard what nobody published, where the interpreter's end would leave its upload behind. A file without
        one may still be closed, in a handler of that end that runs later."""
        if self._upload is not None:
            self._lose("end", partial(logger.warning, "%s"))

    def _lose(self, event: str, log: Callable[[str], object]) -> None:
        missed = "closed" if self._state is State.OPEN else "committed"
        if self._do(event):
            text = f"{self.path} was never {missed}; what was written is discarded"
            log(text)
            call_stack.warn(text, self)

    def disown(self) -> None:
        """Forget an upload that is another process's."""
        self._state, self._upload = State.DISCARDED, None
        self._forget()

    # How it is done

    def _do(self, event: str) -> bool:
        """Carry out an event; gives whether it changed anything."""
        after = AFTER.get((self._state, event), self._state)
        if after is self._state:
            return False
        self._state = after
        if after not in CLOSED_LATER:
            self.closed = True
        self._handled_at_open = []
        if after is State.PUBLISHED:
            self._discarding_on_error(self._publish)
        elif after is not State.HELD:
            self._throw_away()
        return True

    def _publish(self) -> None:
        try:
            self._store()
        finally:  # one that fails may have been carried out
            self.fs.invalidate_cache(self.path)
        self.published()

    def _store(self) -> None:
        exclusive = self.mode == "xb"
        del self._chunk[self._filled :]
        if self._upload is None:
            self.fs.bucket.put(self._key, self._chunk, exclusive=exclusive, headers=self._headers)
        else:
            if self._chunk:
                self._send_chunk()
            self._upload.complete(exclusive=exclusive)
        self._forget()

    def _forget(self) -> None:
        self._chunk, self._filled, self._buffers = bytearray(), 0, ReusedBuffers()

    def _throw_away(self) -> None:
        self._forget()
        upload, self._upload = self._upload, None
        if upload is not None and (self._state is State.COLLECTED or call_stack.must_not_wait()):
            background.later(upload.abort)
        elif upload is not None:
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
        if self._upload is None and cancellation.is_ending():  # one PutObject takes no thread, and leaves no upload
            return ranges.MAX_PART_BYTES
        number = self._upload.next_number if self._upload else 1
        return ranges.streamed_part_bytes(number, self.blocksize)

    def _multipart(self) -> MultipartUpload:
        if self._upload is None:
            bucket, pool = self.fs.bucket, self.fs.pool
            self._upload = MultipartUpload(bucket, pool, self._key, headers=self._headers)
        return self._upload

    def _take(self, view: memoryview) -> int:
        """Put what fits into the chunk, which grows up to its size; gives how much that was."""
        end = min(self._filled + len(view), self._chunk_bytes)
        if end > len(self._chunk):
            grown = min(max(end, 2 * len(self._chunk)), self._chunk_bytes)
            self._discarding_on_error(self._grow, grown - len(self._chunk))
        taken = end - self._filled
        self._chunk[self._filled : end] = view[:taken]
        self._filled = end
        return taken

    def _send_chunk(self) -> None:
        chunk, borrowed = self._chunk, self._buffers.borrowed
        self._discarding_on_error(lambda: self._multipart().add(len(chunk), lambda: borrowed(chunk)))
        self._chunk, self._filled = bytearray(), 0
        self._discarding_on_error(self._begin_chunk)

    def _begin_chunk(self) -> None:
        with naming_path(self.path):
            self._chunk = self._buffers.take(self._chunk_bytes)

    def _grow(self, count: int) -> None:
        with naming_path(self.path):
            self._chunk.extend(memory(count))

    def _begin_with_committed(self) -> None:
        """Append: the object as it stands goes first, copied by the server where S3 allows such a part."""
        try:
            committed = self.fs.bucket.head(self._key, explain=False)
        except FileNotFoundError:
            return
        self._headers = {**committed.headers, **self._changed}
        is_one_part = committed.size < (self.blocksize if self._at_another_store else ranges.MIN_PART_BYTES)
        copied = 0 if is_one_part else self._multipart().add_object(committed, self.blocksize)
        if copied < committed.size:
            version = ObjectVersion(committed.etag, size=committed.size)
            self._take(memoryview(self.fs.bucket.get(self._key, copied, committed.size, version).data))
        self.loc = committed.size

    @property
    def _at_another_store(self) -> bool:
        return bool(self.fs.parameters.regionendpoint)


@atexit.register
def _end_open_files() -> None:
    """At the interpreter's end, while requests can still be sent."""
    cancellation.end()
    for file in list(_open_files):
        file.discard_at_exit()


@fork.in_child
def _disown_open_files() -> None:
    """A forked child must not abort its parent's uploads."""
    for file in list(_open_files):
        file.disown()
