"""The file open for writing. It sends its parts in the background, and publishes the object at the end or never."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  # boto3 needs it for a client, and at the interpreter's end it is too late
import errno
import logging
import threading
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from fsspec.spec import AbstractBufferedFile

from registry_s3fs.files.host import FileHost
from registry_s3fs.files.write_states import CLOSED_LATER, TRANSITIONS, State
from registry_s3fs.model import ranges
from registry_s3fs.model.buffers import bytes_of
from registry_s3fs.model.objects import DEFAULT_HEADERS, ObjectHeaders, ObjectVersion
from registry_s3fs.s3.bucket import ObjectLocation
from registry_s3fs.threads import background, call_stack, cancellation, fork
from registry_s3fs.threads.buffers import ReusedBuffers, memory, naming_path
from registry_s3fs.transfer.multipart import MultipartUpload

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

logger = logging.getLogger("registry_s3fs")

_open_files: weakref.WeakSet[WriteFile] = weakref.WeakSet()


class WriteFile(AbstractBufferedFile):
    """A file open for writing, in mode ``wb``, ``xb`` or ``ab``.

    The whole object appears when the file is closed, or when it is committed, with ``autocommit=False``. Otherwise it
    never appears. `blocksize` is the part size in bytes. A file of at most this size is one PutObject request. A larger
    file is a multipart upload, whose parts are sent while the caller writes. The parts in memory have at most
    `multipart.MAX_BYTES_IN_MEMORY` together, but two are allowed whatever their size.
    """

    closed: bool
    _asked_writable: call_stack.Instruction | None = None
    """The place of the code that called `writable` last."""
    published: Callable[[], object] = staticmethod(lambda: None)
    """A function that is called once the object is published."""
    has_layer = False
    """Whether text or compressed bytes come from a layer above, which may hold some back until it is closed."""
    _state = State.DISCARDED  # until it is known that the file can be opened
    _block_thread: int | None = None
    """The thread that is in a ``with`` block of this very file, which decides what becomes of it."""
    _is_layer_closing = False
    """Whether a layer of `io` above is being garbage-collected: what it writes and closes next is not the caller's."""
    _is_loss_told = False

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
        self._location = ObjectLocation(fs.bucket, fs.bucket.space.key(path))
        self._changed = changed
        self._headers: ObjectHeaders = {**DEFAULT_HEADERS, **changed}
        self._upload: MultipartUpload | None = None
        self._chunk = bytearray()
        self._filled = 0
        """The number of bytes that the buffer holds."""
        self._buffers = ReusedBuffers()
        self._handled_at_open = call_stack.being_handled()
        background.start()
        self._state = State.OPEN
        _open_files.add(self)
        if mode == "ab":
            self._discarding_on_error(self._begin_with_committed)

    def write(self, data: ReadableBuffer) -> int:
        """Write bytes.

        Args:
            data: Any object with the buffer interface.

        Returns:
            The number of bytes, which is always that of `data`.

        Raises:
            ValueError: The file is closed or discarded.
            OSError: The upload of an earlier part failed, and the file is discarded. Or (EBADF) the file was open when
                the interpreter ended.
        """
        view = bytes_of(data)
        at = 0 if self._takes_bytes() else len(view)
        while at < len(view) and self._has_room():
            at += self._take(view[at:])
        self.loc += len(view)
        return len(view)

    def _takes_bytes(self) -> bool:
        """Return whether the file still takes bytes, which a file that was garbage-collected does not.

        Raises:
            ValueError: The file is not open.
            OSError: The file was open when the interpreter ended, which discarded it.
        """
        if self._state is State.ENDED:
            raise self._too_late()
        is_finaliser = self._is_layer_closing or self._state is not State.COLLECTED or call_stack.by_finaliser()
        if TRANSITIONS.after(self._state, "write") is None or not is_finaliser:
            raise ValueError(f"{self.path}: the file is {self._state.value}; it takes no more bytes")
        return self._state is State.OPEN

    def _too_late(self) -> OSError:
        text = "the interpreter ended while the file was open, and what was written is discarded; close it earlier"
        return OSError(errno.EBADF, text, self.path)

    def _has_room(self) -> bool:
        """Send the buffer if it is full. Return whether the file is still open.

        A finaliser must not wait for that. Where one runs, the file is discarded instead.
        """
        if self._filled == self._chunk_bytes:
            if call_stack.by_finaliser():
                self._collect()
            else:
                self._send_chunk()
        return self._state is State.OPEN

    def writable(self) -> bool:
        """Return whether the file is open."""
        self._asked_writable = call_stack.instruction_of_caller()
        return not self.closed

    def seekable(self) -> bool:
        """Return False: the bytes stay where they were written.

        To `io.TextIOWrapper`, return True. When it is made, it calls `writable` and this method by one instruction of
        Python's code. It never asks for the position of a file that is not seekable. So it would write no byte order
        mark, or one too many.
        """
        asked, self._asked_writable = self._asked_writable, None
        return asked is not None and asked == call_stack.instruction_of_caller()

    def flush(self, force: bool = False) -> None:
        """Do nothing: S3 has no object that grows. The bytes appear when the file is closed.

        Raises:
            ValueError: The file is closed.
        """
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def close(self) -> None:
        """Publish the object. With ``autocommit=False``, keep it for `commit` or `discard`.

        Discard it instead where an exception is leaving the block, or where a finaliser closes the file.
        `threads.call_stack` tells how this is known.

        Raises:
            FileExistsError: In mode ``xb``, the object exists.
            OSError: The object could not be stored, and is discarded. Or (EBADF) the file was open when the interpreter
                ended, or was discarded as a layer above it was garbage-collected.
        """
        if self._is_layer_closing:
            self._is_layer_closing = False
            if self._block_thread == threading.get_ident():
                return
        elif self._state is State.COLLECTED:
            self._tell_loss()
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
        """Publish what was written. After a discard, do nothing.

        Raises:
            FileExistsError: In mode ``xb``, the object exists.
            OSError: The object could not be stored, and is discarded. Or (EBADF) the file was open when the interpreter
                ended.
        """
        if self._state is State.ENDED:
            raise self._too_late()
        if self.is_unfinished:
            self.discard()
            raise_unfinished([self])
        self._do("commit")

    @property
    def is_unfinished(self) -> bool:
        """Whether a layer above is open, and may hold back a part of what was written."""
        return self.has_layer and self._state is State.OPEN

    def _tell_loss(self) -> None:
        """Raise an error, once, for whoever closes a file that was discarded because its layer was collected."""
        self.closed = True
        if self._is_loss_told or call_stack.must_not_wait():
            return
        self._is_loss_told = True
        text = (
            "what was written is discarded, as the text, buffer or compression above the file was garbage-collected "
            "before it was closed; close that, or write in a with block of the file"
        )
        raise OSError(errno.EBADF, text, self.path)

    def discard(self) -> None:
        """Discard what was written. No object appears, and the parts that were sent are deleted."""
        self._do("discard")

    def __enter__(self) -> WriteFile:
        self._block_thread = threading.get_ident()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._block_thread, self._is_layer_closing = None, False
        if kind is not None:
            self.discard()
            self._is_loss_told = True
        self.close()

    __hash__ = object.__hash__  # fsspec's asks for the checksum of a file that is not there yet
    __eq__ = object.__eq__

    def __del__(self) -> None:
        self._collect()

    def _dealloc_warn(self, source: object) -> None:
        """Discard the file, since nobody closed the layer of Python's `io` above it, which is being garbage-collected.

        Such a layer calls this before it closes what it wraps, as on an `io.FileIO`. In a ``with`` block of the file,
        the layer's bytes are taken, and the block publishes them. Where another thread collects the layer, nothing may
        wait for a part to be sent, and the block's end raises.
        """
        self._is_layer_closing = True
        if self._block_thread != threading.get_ident():
            self._collect()

    def _collect(self) -> None:
        """Discard the file if nobody published it.

        This may run at any point of any thread. So nothing here waits, or takes a lock.
        """
        self._lose("collect", lambda text: background.later(partial(logger.warning, "%s", text)))

    def discard_at_exit(self) -> None:
        """Discard the file if nobody published it and the interpreter's end would leave its multipart upload behind.

        A file without a multipart upload may still be closed, by a handler of that end that runs later.
        """
        if self._upload is not None:
            self._lose("end", partial(logger.warning, "%s"))

    def _lose(self, event: str, log: Callable[[str], object]) -> None:
        missed = "closed" if self._state is State.OPEN else "committed"
        if self._do(event):
            text = f"{self.path} was never {missed}; what was written is discarded"
            log(text)
            call_stack.warn(text, self)

    def disown(self) -> None:
        """Forget an upload that belongs to another process."""
        self._enter("disown")
        self._upload = None
        self._forget()

    # How it is done

    def _do(self, event: str) -> bool:
        """Carry out an event. Return whether it changed the state."""
        if not self._enter(event):
            return False
        if self._state not in CLOSED_LATER:
            self.closed = True
        self._handled_at_open = []
        if self._state is State.PUBLISHED:
            self._discarding_on_error(self._publish)
        elif self._state is not State.HELD:
            self._throw_away()
        return True

    def _enter(self, event: str) -> bool:
        """Enter the state that follows an event. Return whether it is another one."""
        after = TRANSITIONS.after(self._state, event)
        if after is None or after is self._state:
            return False
        self._state = after
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
            self._location.bucket.put(self._location.key, self._chunk, exclusive=exclusive, headers=self._headers)
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

    def _discarding_on_error(self, act: Callable[..., None], *args: object) -> None:
        try:
            act(*args)
        except BaseException:
            self._enter("fail")
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
            self._upload = MultipartUpload(self._location, headers=self._headers)
        return self._upload

    def _take(self, view: memoryview) -> int:
        """Put as many bytes as fit into the buffer, which grows up to the part size. Return their number."""
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
        """Start an append with the existing object. The server copies it where S3 allows a part of its size."""
        bucket, key = self._location
        try:
            committed = bucket.head(key, explain=False)
        except FileNotFoundError:
            return
        self._headers = {**committed.headers, **self._changed}
        is_one_part = committed.size < (ranges.MIN_PART_BYTES if self.fs.parameters.is_aws else self.blocksize)
        copied = 0 if is_one_part else self._multipart().add_object(committed, self.blocksize)
        if copied < committed.size:
            version = ObjectVersion(committed.etag, size=committed.size)
            self._take(memoryview(bucket.get(key, copied, committed.size, version).data))
        self.loc = committed.size


def raise_unfinished(files: Iterable[WriteFile]) -> NoReturn:
    """Raise `ValueError` for files whose text or compression is open when they should appear."""
    names = ", ".join(file.path for file in files)
    raise ValueError(
        f"{names}: text or compressed files are still open, and are discarded; close them before they are committed"
    )


@atexit.register
def _end_open_files() -> None:
    """Discard open files when the interpreter ends, while requests can still be sent."""
    cancellation.end()
    for file in list(_open_files):
        file.discard_at_exit()


@fork.in_child
def _disown_open_files() -> None:
    """Forget the open files in a forked child, which must not abort its parent's uploads."""
    for file in list(_open_files):
        file.disown()
