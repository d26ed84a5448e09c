"""The file by which a verification that was killed goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from io import FileIO
from types import TracebackType

_KIND = "registry-s3fs verify 1"


class State:
    """A file of lines, of which each tells one thing that is done.

    Lines are only added, and are on the disk when `add` returns. The last line may be torn, where the process was
    killed while it wrote. It is cut off when the file is opened again.

    Args:
        path: The file's path; None keeps nothing.
        subject: What the lines are about.

    Raises:
        ValueError: The file is about something else, or none of ours.
    """

    def __init__(self, path: str | None, subject: str) -> None:
        self._lines: frozenset[str] = frozenset()
        self._file: FileIO | None = None
        if path is not None:
            self._file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+")
            try:
                self._lines = _begin(self._file, path, f"{_KIND} {json.dumps(subject)}\n".encode())
            except BaseException:
                self.close()
                raise

    def has(self, line: str) -> bool:
        """Return whether a line was there when the file was opened."""
        return line in self._lines

    def add(self, lines: Sequence[str]) -> None:
        """Add lines; they are on the disk when this returns."""
        if self._file is not None and lines:
            _write(self._file, "".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _begin(file: FileIO, path: str, heading: bytes) -> frozenset[str]:
    """Read what is there, cut off a torn line, and write the heading of a new file. Return the whole lines."""
    text = file.readall()
    whole = text[: text.rfind(b"\n") + 1]
    is_ours = whole.startswith(heading) if whole else heading.startswith(text)
    if not is_ours:
        what = "is of another registry" if whole.startswith(_KIND.encode()) else "was not written by verify"
        raise ValueError(f"{path} {what}; name another file, or remove it")
    file.truncate(len(whole))
    file.seek(len(whole))
    if not whole:
        _write(file, heading)
        _sync_directory(os.path.dirname(path) or ".")
    return frozenset(whole.decode(errors="replace").split("\n")[1:])


def _write(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
    os.fsync(file.fileno())


def _sync_directory(path: str) -> None:
    """Have a new file's name on the disk, too. Windows opens no directories, and needs nothing."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
