"""Text and compression layers above a file open for writing. An exception in the block still discards the file.

Both layers of the standard library leave a ``with`` block through C code that only calls ``close()``. The layers here
have an ``__exit__`` in Python, which `threads.call_stack` can see.

A layer may be garbage-collected although nobody closed it. Then the file below is told first, and ignores the bytes
that the layer still writes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from fsspec.compression import compr

from registry_s3fs.files.write_file import WriteFile
from registry_s3fs.threads import call_stack

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class TextFile(io.TextIOWrapper):
    """An `io.TextIOWrapper` that discards the file below it when an exception leaves its block."""

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class CompressedWriter(io.BufferedIOBase):
    """A compressor and the file below it, closed in that order. The compressors alone would leave the file open."""

    def __init__(self, raw: WriteFile, compression: str, mode: str) -> None:
        self._raw = raw
        self._written = 0
        self._asked_writable: call_stack.Instruction | None = None
        self._compressor = compr[compression](raw, mode=mode[0])

    def writable(self) -> bool:
        """Return True, and note the caller for `seekable`."""
        self._asked_writable = call_stack.instruction_of_caller()
        return True

    def seekable(self) -> bool:
        """Return the same as `WriteFile.seekable`."""
        asked, self._asked_writable = self._asked_writable, None
        return asked is not None and asked == call_stack.instruction_of_caller()

    def write(self, data: ReadableBuffer) -> int:
        """Compress and write bytes. Return their number before compression."""
        taken = int(self._compressor.write(data))
        self._written += taken
        return taken

    def flush(self) -> None:
        """Flush the compressor, unless the file is closed."""
        if not self.closed:
            self._compressor.flush()

    def tell(self) -> int:
        """Return the number of bytes written so far, before compression. Not all compressors tell it."""
        return self._written

    def close(self) -> None:
        """Finish the compressed stream, then close the file. Where the first step fails, discard the file."""
        if self.closed:
            return
        if self.__dict__.get("_finalizing"):  # set by the finaliser of `io`'s classes, which calls this
            self._dealloc_warn(self)
        try:
            super().close()
            self._compressor.close()
        except BaseException:
            self._raw.discard()
            raise
        self._raw.close()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _dealloc_warn(self, source: object) -> None:
        """Tell the file below that this layer is being garbage-collected.

        Python's `io` calls this on what a collected layer wraps, as on an `io.FileIO`, before it calls ``close()``.
        """
        self._raw._dealloc_warn(source)
