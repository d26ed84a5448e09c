"""Text and compression on top of a file open for writing, such that an exception still discards it.

Both stdlib layers leave a ``with`` block through C code that only calls ``close()``; these
have an ``__exit__`` in Python, which `abandonment` can see.

Where one is collected that nobody closed, the file below is told first, and takes what the layer still writes for
nothing.
"""

from __future__ import annotations

import io
from typing import Any

from fsspec.compression import compr

from registry_s3fs.threads import call_stack


class TextFile(io.TextIOWrapper):
    """`io.TextIOWrapper` that discards what it wraps when an exception leaves its block."""

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class CompressedWriter(io.BufferedIOBase):
    """A compressor and the file below it, closed in that order; the compressors alone leave the file open."""

    def __init__(self, raw: Any, compression: str, mode: str) -> None:
        self._raw = raw
        self._written = 0
        self._asked_writable: call_stack.Instruction | None = None
        self._compressor = compr[compression](raw, mode=mode[0])

    def writable(self) -> bool:
        self._asked_writable = call_stack.instruction_of_caller()
        return True

    def seekable(self) -> bool:
        """As of `writer.WriteFile`."""
        asked, self._asked_writable = self._asked_writable, None
        return asked is not None and asked == call_stack.instruction_of_caller()

    def write(self, data: Any) -> int:
        taken = int(self._compressor.write(data))
        self._written += taken
        return taken

    def flush(self) -> None:
        if not self.closed:
            self._compressor.flush()

    def tell(self) -> int:
        """Bytes written so far, before their compression. (Not all compressors tell.)"""
        return self._written

    def close(self) -> None:
        """Finish the compressed stream, then close the file; where the first fails, discard it."""
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
        """Python's `io` calls this of what a collected layer wraps, as `io.FileIO` has it, before ``close()``."""
        self._raw._dealloc_warn(source)
