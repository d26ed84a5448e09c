"""Links, manifests and configs read many at a time, from any filesystem. What cannot be read is an error in its place.

What a listing told of sizes is used: a file that is too large is never read, and one that is empty need not be. Of a
file whose size is not known, no more is read than its bound.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from registry_s3fs import errors
from registry_s3fs.errors import NotAFileError
from registry_s3fs.model import digests
from registry_s3fs.registry.abilities import is_asynchronous, is_ours
from registry_s3fs.registry.documents import MAX_BYTES

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

File = tuple[str, int | None]
"""The path of a file and its size, if it is known."""
ReadFiles = Callable[[list[File], int], Iterator[tuple[str, bytes | OSError]]]
"""What does as `read_files` does, with the filesystem that it has."""

MAX_LINK_BYTES = 1024
"""More than a link to a digest of any algorithm has."""
MAX_FILES_AT_ONCE = 4000
MAX_BYTES_AT_ONCE = 64 * MAX_BYTES
"""The memory for the contents of files that are read at once, whatever is stored there."""


def read_links(fs: AbstractFileSystem, files: Iterable[File]) -> Iterator[tuple[str, str | OSError]]:
    """Yield the path of each link, and the digest that it holds.

    In place of the digest stands a `LinkError` where the link is empty or holds no digest, and another `OSError` where
    it cannot be read; a `FileNotFoundError` where it is gone.
    """
    for path, data in read_files(fs, files, MAX_LINK_BYTES):
        yield path, data if isinstance(data, OSError) else parse_link(path, data)


def read_files(fs: AbstractFileSystem, files: Iterable[File], max_bytes: int) -> Iterator[tuple[str, bytes | OSError]]:
    """Yield the path of each file and its bytes, in the order in which they were given, or why they are not read.

    A `FileTooLargeError` stands for a file of more than `max_bytes`.
    """
    for batch in _batches(files, max_bytes):
        known = [path for path, size in batch if size is not None and 0 < size <= max_bytes]
        unknown = [path for path, size in batch if size is None]
        contents = cat(fs, known)
        contents.update(zip(unknown, _cat_beginnings(fs, unknown, max_bytes + 1), strict=True))
        for path, size in batch:
            content = contents.get(path, b"")
            found = len(content) if isinstance(content, bytes) else 0
            too_large = max(found, size or 0) > max_bytes
            yield path, errors.file_too_large(path, max_bytes) if too_large else _as_value(content, path)


def raise_if_unreachable(content: object) -> None:
    """Raise an error that says that the store cannot be asked: the rest would only be missing without being told."""
    if isinstance(content, (ConnectionError, TimeoutError)):
        raise content


def _batches(files: Iterable[File], max_bytes: int) -> Iterator[list[File]]:
    batch: list[File] = []
    room = MAX_BYTES_AT_ONCE
    for file in files:
        taken = max_bytes if file[1] is None or file[1] > max_bytes else file[1]
        if batch and (taken > room or len(batch) == MAX_FILES_AT_ONCE):
            yield batch
            batch, room = [], MAX_BYTES_AT_ONCE
        batch.append(file)
        room -= taken
    if batch:
        yield batch


def cat(fs: AbstractFileSystem, paths: list[str]) -> dict[str, bytes | Exception]:
    """Return the contents of files. The keys are the paths as given, which a filesystem may name otherwise."""
    if not _is_of_objects(fs) and (odd := {path: error for path in paths if (error := _why_no_file(fs, path))}):
        return {**cat(fs, [path for path in paths if path not in odd]), **odd}
    if not paths:
        return {}
    if any(map(glob.has_magic, paths)):  # fsspec's `cat` takes them for patterns
        return dict(zip(paths, fs.cat_ranges(paths, None, None, on_error="return"), strict=True))
    found = fs.cat(paths, on_error="return")
    return {path: found[path] if path in found else found[fs._strip_protocol(path)] for path in paths}


def _cat_beginnings(fs: AbstractFileSystem, paths: list[str], end: int) -> list[bytes | Exception]:
    if _is_of_objects(fs):
        return list(fs.cat_ranges(paths, [0] * len(paths), [end] * len(paths), on_error="return")) if paths else []
    return [_beginning(fs, path, end) for path in paths]


def _is_of_objects(fs: AbstractFileSystem) -> bool:
    """Return whether a filesystem reads many side by side. Such ones have nothing but objects."""
    return is_ours(fs) or is_asynchronous(fs)


def _beginning(fs: AbstractFileSystem, path: str, end: int) -> bytes | Exception:
    try:
        raise_if_no_file(fs, path)
        found: bytes = fs.cat_file(path, start=0, end=end)
    except Exception as error:  # noqa: BLE001  # it stands for the bytes, as in fsspec's cat_ranges
        return error
    return found


def raise_if_no_file(fs: AbstractFileSystem, path: str) -> None:
    """Raise an error for what it would take forever to open or to read. Only a disk has such things.

    Raises:
        NotAFileError: It is a FIFO, a socket or a device.
        OSError: There is nothing.
    """
    if fs.info(path).get("type", "file") not in ("file", "directory"):
        raise errors.not_a_file(path)


def _why_no_file(fs: AbstractFileSystem, path: str) -> NotAFileError | None:
    try:
        raise_if_no_file(fs, path)
    except NotAFileError as error:
        return error
    except OSError:  # the read tells
        return None
    return None


def _as_value(content: bytes | Exception, path: str) -> bytes | OSError:
    if isinstance(content, (bytes, OSError)):
        return content
    return errors.unreadable(path, content) if isinstance(content, Exception) else bytes(content)


def parse_link(path: str, data: bytes) -> str | OSError:
    """Return the digest that a link holds, or the `LinkError` for one that holds none. Only the text decides.

    >>> parse_link("/x/link", b"sha256:" + 64 * b"a")[:10], parse_link("/x/link", b"")
    ('sha256:aaa', LinkError(22, 'the link is empty'))
    """
    text = data.decode("ascii", errors="replace")
    return text if digests.is_digest(text) else errors.broken_link(path, data)
