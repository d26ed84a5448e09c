"""The storage driver's `FileWriter`: an upload that outlives its writer.

Another process can continue the upload. An upload begun by the Go registry can be continued from Python, and the other
way round.
"""

from __future__ import annotations

import enum
import errno
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from registry_s3fs.errors import DRIVER_NAME, StorageDriverError, as_driver
from registry_s3fs.filesystem.core import RegistryS3FileSystem
from registry_s3fs.model import ranges
from registry_s3fs.model.buffers import bytes_of
from registry_s3fs.model.objects import ObjectVersion, Part, Upload
from registry_s3fs.model.states import Transitions
from registry_s3fs.s3.bucket import Bucket, ObjectLocation
from registry_s3fs.transfer.multipart import MultipartUpload

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class State(enum.Enum):
    """The states of a `FileWriter`."""

    OPEN = "open"
    CLOSED = "closed"
    COMMITTED = "committed"
    CANCELLED = "cancelled"
    FAILED = "failed; open it again with append=True to go on from what was stored"


UNKNOWN_AGE = datetime.min.replace(tzinfo=timezone.utc)
"""The time for uploads where a server does not tell when they were begun. The last one listed is continued."""
TRANSITIONS = Transitions(
    {
        (State.OPEN, "write"): State.OPEN,
        (State.OPEN, "commit"): State.COMMITTED,
        (State.OPEN, "cancel"): State.CANCELLED,
        (State.OPEN, "close"): State.CLOSED,
        (State.OPEN, "fail"): State.FAILED,
        (State.FAILED, "cancel"): State.CANCELLED,
        (State.FAILED, "fail"): State.FAILED,
    }
)
"""The state that each call leads to, and the failure of one.

A state that does not allow a call refuses it. Only `close` does nothing then.
"""


class FileWriter:
    """A file being written in steps, by the multipart upload of its path (Go: ``s3-aws``'s ``writer``).

    `commit` publishes the file, and `cancel` deletes what was written. `close` without either of them stores what was
    written, such that ``StorageDriver.writer(path, append=True)`` continues it. A ``with`` block closes the file.

    Parts are sent one after the other. So what is stored has no gap, whenever the process ends. At most two parts are
    in memory. Each part has `chunksize` bytes, and more after `ranges.STEADY_PARTS` of them. The last part is smaller.

    Raises:
        StorageDriverError: A request failed, or the writer is no longer open.
    """

    def __init__(self, fs: RegistryS3FileSystem, path: str, *, append: bool = False) -> None:
        self._state = State.CLOSED  # until it is known that it can be opened
        self.path = path
        self._fs = fs
        self._location = ObjectLocation(fs.bucket, fs.bucket.space.key(path))
        self._buffer = bytearray()
        with as_driver(path):
            pending = pending_upload(self._location, path) if append else None
        with as_driver(path, missing=StorageDriverError):
            parts = _parts(fs.bucket, pending, path) if pending else []
            self._upload = self._multipart((pending.upload_id, parts) if pending else None)
        self._size = sum(part.size for part in parts)
        self._begins_again = _must_begin_again(parts)
        self._state = State.OPEN

    @property
    def size(self) -> int:
        """Return the number of bytes written so far. It includes those of an upload that was resumed."""
        return self._size

    def write(self, data: ReadableBuffer) -> int:
        """Write bytes. Return their number.

        Args:
            data: Any object with the buffer interface.

        Raises:
            StorageDriverError: A request failed, or the writer is not open.
        """
        self._check("write")
        view = bytes_of(data)
        with self._becoming("write"):
            if view and self._begins_again:
                self._begin_again()
            at = 0
            while at < len(view):
                taken = view[at : at + self._part_bytes - len(self._buffer)]
                self._buffer += taken
                at += len(taken)
                if len(self._buffer) == self._part_bytes:
                    self._send(self._part_bytes)
        self._size += len(view)
        return len(view)

    def commit(self) -> None:
        """Publish the whole file, which may be empty.

        Raises:
            StorageDriverError: A request failed, or the writer is not open.
        """
        self._check("commit")
        with self._becoming("commit"):
            self._flush()
            if not self._upload.wait_for_parts():
                self._upload.add(0, lambda: nullcontext(b""), at_once=1)  # S3 completes no upload without a part
            self._publish()

    def cancel(self) -> None:
        """Delete all that was written, including what an earlier writer of this upload wrote.

        Raises:
            StorageDriverError: A request failed, or the writer is neither open nor failed.
        """
        self._check("cancel")
        with self._becoming("cancel"):
            self._upload.cancel()

    def close(self) -> None:
        """Store what was written, so that it can be resumed. Do nothing if the writer is no longer open.

        Raises:
            StorageDriverError: A request failed.
        """
        if TRANSITIONS.after(self._state, "close") is not None:
            with self._becoming("close"):
                self._flush()
                self._upload.wait_for_parts()

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._state is State.OPEN:
            text = f"{self.path} was never closed; bytes that were not yet sent are lost"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)

    # How it is done

    def _check(self, call: str) -> None:
        """Refuse a call that the state does not allow."""
        if TRANSITIONS.after(self._state, call) is None:
            raise _refused(errno.EBADF, f"{call}: the writer is {self._state.value}", self.path)

    @contextmanager
    def _becoming(self, call: str) -> Iterator[None]:
        """Run a call, and take the state that it leads to, or that its failure does.

        The state stays where another thread or a signal's handler has cancelled the writer meanwhile.
        """
        try:
            with as_driver(self.path, missing=StorageDriverError):
                yield
        except BaseException:
            self._state = TRANSITIONS.after(self._state, "fail") or self._state
            raise
        self._state = TRANSITIONS.after(self._state, call) or self._state

    def _multipart(self, resume: tuple[str, Sequence[Part]] | None = None) -> MultipartUpload:
        upload = MultipartUpload(self._location, resume=resume, outlives=True)
        upload.begin()
        return upload

    @property
    def _part_bytes(self) -> int:
        return ranges.streamed_part_bytes(self._upload.next_number, self._fs.parameters.chunksize)

    def _send(self, size: int) -> None:
        chunk = self._buffer[:size]
        del self._buffer[:size]
        self._upload.add(size, lambda: nullcontext(chunk), at_once=1)

    def _flush(self) -> None:
        if self._buffer:
            self._send(len(self._buffer))

    def _publish(self) -> None:
        self._upload.complete()
        self._fs.invalidate_cache(self.path)

    def _begin_again(self) -> None:
        """Complete the upload, and begin another one with the object that it made.

        That object is copied. If it is too small for a part, it is read (Go: ``writer.Write``). Unlike in Go, all of
        ``encrypt``, ``keyid``, ``storageclass`` and ``objectacl`` are given to the new upload.
        """
        bucket, key = self._location
        following = self._multipart()  # before the other one ends: where it fails, that is still there to go on with
        try:
            self._publish()
        except BaseException:
            if _is_pending(self._location, self._upload.upload_id):
                following.abort()
            raise
        self._upload = following
        committed = bucket.head(key)
        if committed.size != self._size:
            raise _refused(errno.ESTALE, "write: somebody else wrote this file meanwhile", self.path)
        copied = self._upload.add_object(committed, self._fs.parameters.chunksize)
        if copied < committed.size:
            version = ObjectVersion(committed.etag, size=committed.size)
            self._buffer += bucket.get(key, copied, committed.size, version).data
        self._begins_again = False


def pending_upload(location: ObjectLocation, path: str) -> Upload | None:
    """Return the unfinished upload to continue, or the latest of several, or None where the file exists and is empty.

    Raises:
        FileNotFoundError: There is neither an upload nor a file.
        StorageDriverError: The file is committed and not empty.
    """
    bucket, key = location
    found = [upload for upload in bucket.list_uploads(key) if upload.key == key]
    if found:
        return sorted(found, key=lambda upload: upload.initiated or UNKNOWN_AGE)[-1]
    size = bucket.head(key).size
    if size:
        text = f"append: the file is committed, with {size} bytes, and S3 cannot add to an object"
        raise _refused(errno.ENOTSUP, text, path)
    return None


def _is_pending(location: ObjectLocation, upload_id: str) -> bool:
    """Return whether an upload is still there after its completion failed. Assume so where this request fails, too."""
    try:
        return any(upload.upload_id == upload_id for upload in location.bucket.list_uploads(location.key))
    except OSError:
        return True


def _parts(bucket: Bucket, upload: Upload, path: str) -> Sequence[Part]:
    """Return the parts of an upload.

    Raises:
        StorageDriverError: The parts have a gap. A writer that sent several at a time may have left one.
    """
    parts = bucket.list_parts(upload.key, upload.upload_id)
    missing = set(range(1, len(parts) + 1)) - {part.number for part in parts}
    if missing:
        text = f"append: upload {upload.upload_id} lacks part {min(missing)}; abort it and write the file again"
        raise _refused(errno.EIO, text, path)
    return parts


def _refused(number: int, text: str, path: str) -> StorageDriverError:
    return StorageDriverError(number, f"{DRIVER_NAME}: {text}", path)


def _must_begin_again(parts: Sequence[Part]) -> bool:
    """Return whether no further part can follow the last one.

    That is so where the last part is too small, or where more than `STEADY_PARTS` are used.

    >>> large, small = Part(1, "", ranges.MIN_PART_BYTES), Part(1, "", 9)
    >>> [_must_begin_again(parts) for parts in ([], [large], [large, small])]
    [False, False, True]
    >>> [_must_begin_again([large] * count) for count in (ranges.STEADY_PARTS, ranges.STEADY_PARTS + 1)]
    [False, True]
    """
    return bool(parts) and (parts[-1].size < ranges.MIN_PART_BYTES or len(parts) > ranges.STEADY_PARTS)
