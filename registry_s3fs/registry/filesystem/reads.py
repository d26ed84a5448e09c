"""`open`, `cat`, `get` and their kin."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.utils import isfilelike

from registry_s3fs import errors
from registry_s3fs.registry.filesystem import paths
from registry_s3fs.registry.filesystem.base import OnRegistry
from registry_s3fs.registry.filesystem.layer_file import LayerFile
from registry_s3fs.registry.layers.entries import LayerEntry

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 8 * 1024 * 1024


class File(NamedTuple):
    """A file whose bytes are asked for."""

    path: str
    entry: LayerEntry
    digest: str
    """The blob that has the bytes."""
    is_blob: bool = True
    """Whether the file is the blob itself, and not in a layer."""

    def span(self, start: int | None, end: int | None) -> tuple[int, int]:
        """Return the bytes that a range means, of which negative ends count from the end of the file.

        >>> file = File("a", LayerEntry("a", "file", 10), "sha256:...")
        >>> file.span(None, None), file.span(-3, None), file.span(2, -1), file.span(5, 100), file.span(7, 3)
        ((0, 10), (7, 10), (2, 9), (5, 10), (7, 7))
        """
        size = self.entry.size
        first, stop, _ = slice(start, end).indices(size)
        return first, max(first, stop)


class _OwnReader(io.BufferedReader):
    """A file of bytes in memory that nobody else reads, with a size as fsspec's files have it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.size = len(data)


class _Wanted(NamedTuple):
    """A range that is asked for, beside others."""

    at: int
    file: File
    first: int
    stop: int


class Reads(OnRegistry):
    """What reads files."""

    def _open(
        self, path: str, mode: str = "rb", block_size: int | None = None, cache_options: Any = None, **kwargs: Any
    ) -> Any:
        name = self._strip_protocol(path)
        if mode != "rb":
            raise errors.read_only(name)
        file = self._file(name)
        if not file.is_blob:
            how = {"block_size": block_size or "default", "cache_options": cache_options, **kwargs}
            return LayerFile(self, name, file.entry, **how)
        with _blob_of(file):
            how = {"block_size": block_size, "cache_options": cache_options, **kwargs}
            opened = self.fs.open(self.catalog.blob_path(file.digest), "rb", **how)
        size = getattr(opened, "size", None)
        if size is not None and size != file.entry.size:
            opened.close()
            raise errors.other_size(name, size, file.entry.size)
        if isinstance(opened, io.BytesIO):  # fsspec's memory has one file for all who open it, and they can write to it
            return _OwnReader(opened.getvalue())
        return opened

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Return the bytes of a file, or a range of them. Negative ends count from the end of the file.

        Raises:
            FileNotFoundError: There is none, or its blob is missing.
            IsADirectoryError: It is a folder.
            DigestMismatchError: The blob has not the size that the manifest says.
            OSError: It cannot be read.
        """
        file = self._file(self._strip_protocol(path))
        return self._bytes(file, *file.span(start, end))

    def cat_ranges(
        self,
        paths: list[str],
        starts: int | Sequence[int | None] | None,
        ends: int | Sequence[int | None] | None,
        max_gap: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[bytes | Exception]:
        """Return ranges of files, as `cat_file` does. The underlying filesystem reads those of blobs side by side.

        Args:
            paths: The files.
            starts: Where each range begins, or all do.
            ends: Where each range ends, or all do.
            max_gap: Not used.
            on_error: Whether an error stands in the place of what cannot be read (``return``), or is raised.
            **kwargs: Not used.
        """
        each_start = [starts] * len(paths) if starts is None or isinstance(starts, int) else starts
        each_end = [ends] * len(paths) if ends is None or isinstance(ends, int) else ends
        found: list[bytes | Exception] = [b""] * len(paths)
        wanted: list[_Wanted] = []
        for at, (path, start, end) in enumerate(zip(paths, each_start, each_end, strict=True)):
            try:
                file = self._file(self._strip_protocol(path))
                wanted.append(_Wanted(at, file, *file.span(start, end)))
            except (OSError, ValueError) as error:
                found[at] = error
        for at, data in self._read_many(wanted):
            found[at] = data
        if on_error == "raise":
            for each in found:
                if isinstance(each, Exception):
                    raise each
        return found

    def cat(self, path: str | list[str], recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:
        """Return the bytes of a file, or those of all that a list, a pattern or a folder means, by path.

        Args:
            path: The path, list or pattern.
            recursive: Whether what lies below folders belongs to it.
            on_error: Whether an error is raised, stands in place of the bytes (``return``), or is left out (``omit``).
            **kwargs: Not used.
        """
        names = self.expand_path(path, recursive=recursive)
        if isinstance(path, str) and not recursive and names == [self._strip_protocol(path)]:
            return self.cat_file(names[0])
        files = [name for name in names if not (recursive and self.isdir(name))]
        contents = self.cat_ranges(files, None, None, on_error="raise" if on_error == "raise" else "return")
        found = dict(zip(files, contents, strict=True))
        return {name: each for name, each in found.items() if on_error != "omit" or not isinstance(each, Exception)}

    def expand_path(
        self, path: str | list[str], recursive: bool = False, maxdepth: int | None = None, **kwargs: Any
    ) -> list[str]:
        """Return what a path, a pattern or a list means.

        Below folders, links that lead to no file and devices are left out, as nothing can be read there.
        """
        found: list[str] = super().expand_path(path, recursive=recursive, maxdepth=maxdepth, **kwargs)
        if not recursive:
            return found
        given = {self._strip_protocol(each) for each in ([path] if isinstance(path, str) else path)}
        return [name for name in found if name in given or self._can_be_read(name)]

    def get_file(
        self, rpath: str, lpath: Any, callback: Callback = DEFAULT_CALLBACK, outfile: Any = None, **kwargs: Any
    ) -> None:
        """Copy a file to a local file, or to a file that is open for writing. Of a folder, an empty one is made.

        Raises:
            OSError: As `cat_file`.
        """
        name = self._strip_protocol(rpath)
        target = lpath if outfile is None else outfile
        if isfilelike(target):
            self._write_to(target, name, callback)
            return
        local = Path(os.fspath(target))
        if self.isdir(name):
            local.mkdir(parents=True, exist_ok=True)
            return
        file = self._file(name)
        local.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_blob:
            with local.open("wb") as opened:
                self._write_to(opened, name, callback)
            return
        with _blob_of(file):
            self.fs.get_file(self.catalog.blob_path(file.digest), str(local), callback=callback)
        size = local.stat().st_size
        if size != file.entry.size:
            raise errors.other_size(name, size, file.entry.size)

    def _bytes(self, file: File, first: int, stop: int) -> bytes:
        if not file.is_blob:
            return self.contents.layers.read(file.entry, first, stop)
        blob = self.catalog.blob_path(file.digest)
        with _blob_of(file):
            data = (
                self.fs.cat_file(blob)
                if stop - first == file.entry.size
                else self.fs.cat_file(blob, start=first, end=stop)
            )
        return _whole(file, data, first, stop)

    def _read_many(self, wanted: Sequence[_Wanted]) -> Iterator[tuple[int, bytes | Exception]]:
        blobs = [each for each in wanted if each.file.is_blob]
        if blobs:
            paths = [self.catalog.blob_path(each.file.digest) for each in blobs]
            ranges = [each.first for each in blobs], [each.stop for each in blobs]
            read = self.fs.cat_ranges(paths, *ranges, on_error="return")
            for each, data in zip(blobs, read, strict=True):
                yield each.at, _as_value(each.file, data, each.first, each.stop)
        for each in wanted:
            if not each.file.is_blob:
                try:
                    yield each.at, self._bytes(each.file, each.first, each.stop)
                except (OSError, ValueError) as error:
                    yield each.at, error

    def _write_to(self, target: Any, name: str, callback: Callback) -> None:
        with self.open(name, "rb") as source:
            callback.set_size(getattr(source, "size", None))
            while chunk := source.read(_CHUNK_BYTES):
                callback.relative_update(target.write(chunk))

    def _file(self, name: str) -> File:
        place = paths.parse(name)
        if place.reference is None or not place.inside:
            self.info(name)
            raise errors.is_directory(name)
        files = self.contents.files(place.reference, place.inside)
        entry = files.tree.follow(place.inside)
        if entry.kind == "directory":
            raise errors.is_directory(name)
        if entry.blob is None:
            raise errors.missing(name) if entry.kind == "hardlink" else errors.no_bytes(name, entry.kind)
        return File(name, entry, entry.blob, entry.path in files.raw)

    def _can_be_read(self, name: str) -> bool:
        place = paths.parse(name)
        if place.reference is None or not place.inside:
            return True
        tree = self.contents.files(place.reference).tree
        entry = tree.follow(place.inside, last=False)
        try:
            is_good = entry.kind == "directory" or tree.follow(place.inside).blob is not None
        except OSError:
            is_good = False
        if not is_good:
            logger.info("%s is left out: a %s that leads to no file", name, entry.kind)
        return is_good


def _whole(file: File, data: bytes, first: int, stop: int) -> bytes:
    if len(data) != stop - first:
        raise errors.other_size(file.path, first + len(data), file.entry.size)
    return data


def _as_value(file: File, data: bytes | Exception, first: int, stop: int) -> bytes | Exception:
    try:
        with _blob_of(file):
            if isinstance(data, Exception):
                raise data
            return _whole(file, bytes(data), first, stop)
    except Exception as error:  # noqa: BLE001  # it stands for the bytes, as in fsspec's cat_ranges
        return error


@contextmanager
def _blob_of(file: File) -> Iterator[None]:
    """Run the body, which reads a file's blob; tell of a missing one by the path of the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise errors.blob_missing(file.digest, file.path) from error
