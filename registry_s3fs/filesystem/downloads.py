"""Reads of whole files and of byte ranges, one or many: `cat`, `cat_ranges`, `get` and their kin, all by one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar, cast, overload

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import isfilelike, read_block, stringify_path

from registry_s3fs.files.read_file import ReadFile
from registry_s3fs.filesystem import bulk, path_pairs
from registry_s3fs.filesystem.base import OnBucket, PathList, Paths
from registry_s3fs.filesystem.fetching import Fetching, into_file
from registry_s3fs.filesystem.read_options import WHOLE, ReadOptions
from registry_s3fs.model import blob_digests, ranges
from registry_s3fs.model.integrity import Check
from registry_s3fs.model.objects import Checksum, ObjectVersion
from registry_s3fs.model.paths import StrPath
from registry_s3fs.s3 import checksums
from registry_s3fs.threads import many_calls
from registry_s3fs.threads.signal_errors import is_of_handler
from registry_s3fs.transfer import local_target
from registry_s3fs.transfer.download import Download, Target, carry_out, carry_out_one, of_slice
from registry_s3fs.transfer.targets import IntoMemory, IntoWrite

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

T = TypeVar("T")


class Downloads(OnBucket):
    """fsspec's `cat_file`, `cat`, `cat_ranges`, `get_file` and `get`."""

    def cat_file(
        self,
        path: StrPath,
        start: int | None = None,
        end: int | None = None,
        version_id: str = "",
        verify: bool | None = None,
    ) -> bytes:
        """Return the bytes of a file, or of a slice of it.

        Args:
            path: The file's path.
            start: The first byte of the slice, as in Python. A negative number counts from the end.
            end: The end of the slice, as in Python.
            version_id: The object version to read.
            verify: Compare a whole blob with its digest, as in `open`.

        Raises:
            FileNotFoundError: There is no file.
            IsADirectoryError: The path is a directory.
        """
        path = self._path(path)
        try:
            return self._content(path, ReadOptions(start, end, version_id, verify))
        except FileNotFoundError as error:
            raise self._told_apart(path, error) from error.__cause__

    def _content(self, path: StrPath, options: ReadOptions = WHOLE) -> bytes:
        """Return the same as `cat_file`. A directory is a missing file here, which saves a request."""
        target = IntoMemory()
        carry_out_one(self.bucket, self._read(path, target, options))
        return target.data()

    @overload
    def cat(
        self,
        path: PathList,
        recursive: bool = False,
        on_error: Literal["raise", "omit"] = "raise",
        start: int | None = None,
        end: int | None = None,
        version_id: str = "",
        verify: bool | None = None,
    ) -> dict[str, bytes]: ...

    @overload
    def cat(
        self,
        path: PathList,
        recursive: bool = False,
        on_error: str = "raise",
        start: int | None = None,
        end: int | None = None,
        version_id: str = "",
        verify: bool | None = None,
    ) -> dict[str, bytes | Exception]: ...

    @overload
    def cat(
        self,
        path: Paths,
        recursive: bool = False,
        on_error: str = "raise",
        start: int | None = None,
        end: int | None = None,
        version_id: str = "",
        verify: bool | None = None,
    ) -> bytes | dict[str, bytes | Exception]: ...

    def cat(
        self,
        path: Paths,
        recursive: bool = False,
        on_error: str = "raise",
        start: int | None = None,
        end: int | None = None,
        version_id: str = "",
        verify: bool | None = None,
    ) -> bytes | dict[str, bytes] | dict[str, bytes | Exception]:
        """Return the bytes of a file, or of several files that are read side by side.

        Args:
            path: A path, a pattern or a list of them.
            recursive: Read all files below directories.
            on_error: ``"raise"``, ``"omit"``, or ``"return"`` for exceptions in place of bytes.
            start: As in `cat_file`.
            end: As in `cat_file`.
            version_id: As in `cat_file`.
            verify: As in `cat_file`.

        Returns:
            The bytes of the one file that was named. For a list, a pattern or a directory, ``{path: bytes}``.
        """
        _check_on_error(on_error, "raise", "omit", "return")
        text = path_pairs.as_text(path)
        self._check(text)
        kinds, _ = path_pairs.expand(self, text, recursive, None)
        wanted = [name for name, kind in kinds.items() if not recursive or kind != "directory"]
        if len(wanted) == 1 and not isinstance(text, list) and wanted[0] == self._path(text):
            return self.cat_file(wanted[0], start, end, version_id, verify)
        options = ReadOptions(start, end, version_id, verify)
        found = self._cat_files(wanted, options, raises=on_error == "raise", explains=on_error != "omit")
        if on_error == "omit":
            return {each: data for each, data in found.items() if not isinstance(data, Exception)}
        return found

    def _cat_files(
        self, paths: Sequence[str], options: ReadOptions = WHOLE, *, raises: bool = False, explains: bool = False
    ) -> dict[str, bytes | Exception]:
        """Return the bytes of files by their exact names, or their errors. With `raises`, raise an error instead."""
        contents = self._contents(lambda name, target: self._read(name, target, options), paths, raises, explains)
        return dict(zip(paths, contents, strict=True))

    @overload
    def cat_ranges(
        self,
        paths: PathList,
        starts: int | Iterable[int | None] | None,
        ends: int | Iterable[int | None] | None,
        max_gap: int | None = None,
        *,
        on_error: Literal["raise"],
        version_id: str = "",
    ) -> list[bytes]: ...

    @overload
    def cat_ranges(
        self,
        paths: PathList,
        starts: int | Iterable[int | None] | None,
        ends: int | Iterable[int | None] | None,
        max_gap: int | None = None,
        on_error: str = "return",
        version_id: str = "",
    ) -> list[bytes | Exception]: ...

    def cat_ranges(
        self,
        paths: PathList,
        starts: int | Iterable[int | None] | None,
        ends: int | Iterable[int | None] | None,
        max_gap: int | None = None,
        on_error: str = "return",
        version_id: str = "",
    ) -> list[bytes] | list[bytes | Exception]:
        """Return the bytes of many byte ranges, which are read side by side.

        Args:
            paths: The path of each range.
            starts: The start of each range, as in `cat_file`, or one for all.
            ends: The end of each range, as in `cat_file`, or one for all.
            max_gap: Ranges of one file at most so many bytes apart are read by one request.
            on_error: ``"raise"``, or ``"return"`` for exceptions in place of bytes.
            version_id: The object version to read.
        """
        if not isinstance(paths, list):
            raise TypeError("paths must be a list")
        _check_on_error(on_error, "raise", "return")
        starts = starts if isinstance(starts, Iterable) else [starts] * len(paths)
        ends = ends if isinstance(ends, Iterable) else [ends] * len(paths)
        requests = ranges.requests(list(zip(map(stringify_path, paths), starts, ends, strict=True)), max_gap)
        contents = self._contents(
            lambda request, target: self._read(
                request.name, target, ReadOptions(request.start, request.end, version_id)
            ),
            requests,
            on_error == "raise",
            explains=True,
        )
        results: list[bytes | Exception] = [b""] * len(paths)
        for request, data in zip(requests, contents, strict=True):
            for index, cut in request.serves.items():
                results[index] = data if isinstance(data, Exception) else data[cut]
        return results

    def read_block(
        self, fn: StrPath, offset: int, length: int | None, delimiter: bytes | None = None, version_id: str = ""
    ) -> bytes:
        """Return bytes from `offset` on, as fsspec does. With a `delimiter`, return those from one to another."""
        with self.open(fn, version_id=version_id) as file:
            size = cast(ReadFile, file).size
            end = size if length is None else min(offset + length, size)
            return bytes(read_block(file, offset, end - offset, delimiter))

    def head(self, path: StrPath, size: int = 1024, version_id: str = "") -> bytes:
        """Return the first `size` bytes."""
        return self.cat_file(path, 0, size, version_id)

    def tail(self, path: StrPath, size: int = 1024, version_id: str = "") -> bytes:
        """Return the last `size` bytes."""
        return self.cat_file(path, -size, None, version_id) if size else b""

    def get_file(
        self,
        rpath: StrPath,
        lpath: StrPath | SupportsWrite[bytes] | None = None,
        callback: Callback = DEFAULT_CALLBACK,
        outfile: SupportsWrite[bytes] | None = None,
        version_id: str = "",
        verify: bool | None = None,
    ) -> None:
        """Fetch a file to a local one, or into a file object.

        A local file appears when it is whole (see `local_target.opened`).

        Args:
            rpath: The file's path.
            lpath: The local path, or a file object.
            callback: An fsspec callback, which counts bytes.
            outfile: A file object to write to.
            version_id: The object version to fetch.
            verify: As in `open`. A blob with another digest does not appear. A file object may have received its bytes.
        """
        outfile = cast("SupportsWrite[bytes]", lpath) if outfile is None and isfilelike(lpath) else outfile
        local = cast(StrPath, lpath)
        target: Target
        if outfile is not None:
            target = IntoWrite(local_target.write_all(outfile), callback)
        else:
            try:
                target = into_file(local, callback)
            except IsADirectoryError:
                if not self.isdir(rpath):
                    raise
                path_pairs.warn_of_directory(rpath)
                return
        download = None
        try:
            download = self._read(rpath, target, ReadOptions(version_id=version_id, verify=verify))
            carry_out_one(self.bucket, download)
        except (FileNotFoundError, IsADirectoryError) as error:
            if download is not None and download.is_found:  # the local file's error, or the file object's
                raise
            better = self._told_apart(self._path(rpath), error)
            if outfile is not None or not isinstance(better, IsADirectoryError):
                raise better from error.__cause__
            path_pairs.warn_of_directory(rpath)
            os.makedirs(local, exist_ok=True)

    def get(
        self,
        rpath: Paths,
        lpath: Paths,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        version_id: str = "",
        verify: bool | None = None,
    ) -> None:
        """Fetch files to local ones.

        Args:
            rpath: A path, a pattern or a list of them.
            lpath: The local target, or a list of targets.
            recursive: Fetch all that lies below directories. Empty ones become empty local ones, but not those of a
                list with `maxdepth`, where it is not known what is empty.
            callback: An fsspec callback. It counts files, and its branches count bytes. For one named file it counts
                bytes.
            maxdepth: How many levels of directories to fetch, by default all.
            version_id: As in `get_file`.
            verify: As in `get_file`.

        Raises:
            BulkError: Some of several files failed. All others are fetched.
        """
        source, target = path_pairs.as_text(rpath), path_pairs.local_path(lpath)
        self._check(source)
        paired = path_pairs.pair_up(
            self, source, target, recursive, maxdepth, lambda path: LocalFileSystem().isdir(path), asks=False
        )
        path_pairs.check_targets([(source, os.path.abspath(to)) for source, to in paired.files])
        counted = bulk.TransferProgress(callback, is_one=path_pairs.is_one_file(source, recursive, paired))
        options = ReadOptions(version_id=version_id, verify=verify)
        makes_directories = isinstance(source, list) or isinstance(target, list)
        begin = partial(self._read, options=options)
        fetching = Fetching(self, counted, begin, makes_directories=makes_directories)
        is_cut_off = maxdepth is not None and isinstance(source, list)  # what is empty is not known
        fetching.fetch(paired.files, [] if is_cut_off else path_pairs.without_contents(paired))

    def _read(self, path: StrPath, target: Target, options: ReadOptions) -> Download:
        """Return the download of a file or of a slice of it."""
        start, end, version_id, verify = options
        name, whole = self._path(path), not start and end is None
        check = blob_digests.check(name, verify, by_default=self.parameters.verify_digests, whole=whole)
        location, version = self._location(name), ObjectVersion(version_id=version_id)
        if not whole:
            return of_slice(location, target, *ranges.bounds(start, end), version)

        def compared(stored: Checksum | None) -> Check | None:
            return check or checksums.check(name, stored)

        return Download(location, target, version=version, compared=compared)

    def _contents(
        self, begin: Callable[[T, Target], Download], wanted: Sequence[T], raises: bool, explains: bool
    ) -> list[bytes | Exception]:
        """Return the bytes of each, or its error. With `raises`, raise an error instead.

        With `explains`, the errors tell directories from missing files.
        """
        found: list[bytes | Exception] = [b""] * len(wanted)
        coming: dict[Download, tuple[int, IntoMemory]] = {}
        last = many_calls.LastWord()

        def downloads() -> Iterator[Download]:
            for index, each in enumerate(wanted):
                target = IntoMemory()
                try:
                    last.check()
                    download = begin(each, target)
                except (OSError, ValueError) as error:
                    if raises or is_of_handler(error):
                        raise
                    found[index] = error
                    continue
                if download.is_over:
                    download.end()
                    found[index] = target.data()
                else:
                    coming[download] = index, target
                    yield download

        with closing(carry_out(self.bucket, downloads(), len(wanted))) as ended:
            for download in ended:
                index, target = coming.pop(download)
                if download.error is not None and raises:
                    raise self._told_apart(download.path, download.error) from download.error.__cause__
                found[index] = download.error or target.data()
                last.note(download.error)
        missing = {at: each for at, each in enumerate(found) if explains and isinstance(each, FileNotFoundError)}
        for index, error in zip(missing, self.pool.map(self._missing, missing.values()), strict=True):
            found[index] = error
        return found

    def _missing(self, error: FileNotFoundError) -> Exception:
        return self._told_apart(str(error.filename), error)


def _check_on_error(on_error: str, *known: str) -> None:
    if on_error not in known:
        raise ValueError(f"on_error: {on_error!r} is none of {', '.join(map(repr, known))}")
