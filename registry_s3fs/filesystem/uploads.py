"""Files that are stored whole, one or many: `pipe`, `put` and their kin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.filesystem import bulk, path_pairs
from registry_s3fs.filesystem.base import OnBucket, Paths
from registry_s3fs.filesystem.path_pairs import Pair
from registry_s3fs.model.buffers import bytes_of
from registry_s3fs.model.object_headers import object_headers
from registry_s3fs.model.objects import Body, ObjectHeaders
from registry_s3fs.model.paths import StrPath
from registry_s3fs.threads import many_calls, pool
from registry_s3fs.threads.signal_errors import is_of_handler
from registry_s3fs.transfer import local_source, small_uploads, upload
from registry_s3fs.transfer.multipart import OpenBody
from registry_s3fs.transfer.small_uploads import SMALL_BYTES, SmallUpload

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HOW = ("mode", "block_size")
"""The keyword arguments that tell how a file is written. Others are object headers."""


class _GrownError(OSError):
    """An error for a file that is no longer small when its turn comes."""


class _File(NamedTuple):
    """One of the files that a call stores."""

    path: StrPath
    size: int | None
    """The number of bytes. None where the file is to be read to its end."""
    open_body: OpenBody
    """It opens all bytes of a small file."""
    store: Callable[..., None]
    """It stores the file by itself. `side_by_side` tells how many files share the memory."""


class Uploads(OnBucket):
    """fsspec's `pipe_file`, `pipe`, `put_file` and `put`.

    Keyword arguments that pass through are Any in the private methods, as those of `_upload` are among them.
    """

    def pipe_file(self, path: StrPath, value: ReadableBuffer, mode: str = "overwrite", **kwargs: object) -> None:
        """Store bytes as a file.

        Args:
            path: The file's path.
            value: The bytes.
            mode: ``"overwrite"``, or ``"create"`` for a file that must not exist.
            **kwargs: The object headers: `content_type`, `metadata` and S3's own names (``CacheControl=``, ...). And
                `block_size`, which replaces `chunksize` for this file.

        Raises:
            FileExistsError: With ``mode="create"``, the file exists. This is checked atomically.
        """
        self._pipe_one(path, bytes_of(value), mode=mode, **kwargs)

    def _pipe_one(self, path: StrPath, view: memoryview, **how: Any) -> None:
        self._upload(path, partial(upload.chunks_of, view), **how)

    def pipe(
        self, path: StrPath | Mapping[Any, ReadableBuffer], value: ReadableBuffer | None = None, **kwargs: object
    ) -> None:
        """Store bytes at a path, or each of ``{path: bytes}``, side by side. Raise `BulkError` as `put` does."""
        given = path if isinstance(path, Mapping) else {path: cast("ReadableBuffer", value)}
        keys = {each: self._key(each) for each in given}  # all of them, before the first request
        if len(set(keys.values())) < len(keys):
            path_pairs.check_targets([(str(each), self._path(each)) for each in keys])

        def file_of(path: StrPath, value: ReadableBuffer) -> _File:
            view = bytes_of(value)
            return _File(path, len(view), lambda: nullcontext(view), partial(self._pipe_one, path, view, **kwargs))

        failed = self._errors_of([file_of(*pair) for pair in given.items()], kwargs)
        many_calls.raise_failed("pipe", failed, len(given))

    def _how(
        self, mode: str = "overwrite", block_size: int | str | None = None, **headers: object
    ) -> tuple[int, ObjectHeaders]:
        """Return the size of chunks and the object headers.

        Raises:
            ValueError: The value of an argument cannot be. There is no such mode, for one.
            TypeError: There is no such argument.
        """
        if mode not in ("overwrite", "create"):
            raise ValueError(f"mode: {mode!r} is neither 'overwrite' nor 'create'")
        return self._chunk_bytes(block_size), object_headers(headers)

    def _errors_of(
        self, files: Sequence[_File], how: Mapping[str, Any], done: Callable[[], object] = lambda: None
    ) -> dict[str, Exception]:
        """Store each of several files. Return the errors of those that failed.

        Small files are stored by this thread, where their sizes are known and they need not be new. Meanwhile, other
        files of one request are stored by the pool, so that their digests are computed side by side. Larger files
        follow, a few at a time, with their parts side by side.
        """
        _, headers = self._how(**how)  # checks it, before the first request
        if len(files) == 1:
            return many_calls.errors_of(self.pool, lambda file: file.store(), files, done=done)
        small: list[_File] = []
        middling: list[_File] = []
        large: list[_File] = []
        most_small = -1 if self._intrans or not how.keys().isdisjoint(HOW) else SMALL_BYTES
        for file in files:
            if file.size is not None and file.size <= most_small:
                small.append(file)
            else:
                (large if (file.size or 0) > self.parameters.chunksize else middling).append(file)
        failed: dict[str, Exception] = {}

        def store_small() -> None:
            if small:
                failed.update(self._store_small(small, headers, done))

        others = many_calls.errors_of(self.pool, lambda file: file.store(), middling, done=done, meanwhile=store_small)
        grown = [file for file in small if isinstance(failed.get(str(file.path)), _GrownError)]
        for file in grown:
            del failed[str(file.path)]
        failed |= others | many_calls.errors_of(self.pool, lambda file: file.store(), grown, done=done)
        sharing = min(len(large), pool.COORDINATORS)
        return failed | many_calls.errors_of(
            pool.coordinators(), lambda file: file.store(side_by_side=sharing), large, done=done
        )

    def _store_small(
        self, files: Sequence[_File], headers: ObjectHeaders, done: Callable[[], object]
    ) -> dict[str, Exception]:
        """Store small files by this thread. Return the errors of those that failed."""
        failed: dict[str, Exception] = {}

        def uploads() -> Iterator[SmallUpload]:
            for file in files:
                try:
                    key = self._key(file.path)
                except ValueError as error:
                    if is_of_handler(error):
                        raise
                    failed[str(file.path)] = error
                else:
                    yield SmallUpload(key, str(file.path), file.open_body)

        try:
            with closing(small_uploads.store(self.bucket, uploads(), len(files), headers)) as stored:
                for name, error in stored:
                    if error is None:
                        done()
                    else:
                        failed[name] = error
        finally:
            self.invalidate_cache()
        return failed

    def put_file(
        self,
        lpath: StrPath,
        rpath: StrPath,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **kwargs: object,
    ) -> None:
        """Store a local file, its parts side by side. For a local directory, store nothing.

        A file that is not regular, or whose size is given as 0, is read to its end.

        Raises:
            OSError: The local file changed meanwhile, and is not stored.
        """
        self._put_one(lpath, rpath, callback, mode=mode, **kwargs)

    def _put_one(self, lpath: StrPath, rpath: StrPath, callback: Callback, **how: Any) -> None:
        rpath = self._path(rpath)
        if os.path.isdir(lpath):
            path_pairs.warn_of_directory(lpath)
        else:
            counted = _CountedLater(callback)  # what a transaction holds is not yet with the server
            with local_source.opened(lpath, counted if self._intrans else callback) as source:
                self._upload(rpath, source.chunks, source.check_unchanged, published=counted.tell, **how)

    def put(
        self,
        lpath: Paths,
        rpath: Paths,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: object,
    ) -> None:
        """Store local files.

        FIFOs, sockets and devices are read if they are named. They are left out if they are found in a directory.

        Args:
            lpath: A local path, a pattern or a list of them.
            rpath: The target, or a list of targets.
            recursive: Store all that lies below directories.
            callback: An fsspec callback. It counts files, and its branches count bytes. For one named file it counts
                bytes. Bytes count when the server has them.
            maxdepth: How many levels of directories to store, by default all.
            **kwargs: As in `put_file`.

        Raises:
            BulkError: Some of several files failed, and are named by their targets. All others are stored.
        """
        source, target = path_pairs.local_path(lpath), self._target(rpath)
        paired = path_pairs.pair_up(LocalFileSystem(), source, target, recursive, maxdepth, self.isdir)
        named = [LocalFileSystem._strip_protocol(each) for each in path_pairs.as_list(source)]
        path_pairs.check_targets(paired.files)
        files = local_source.without_special_files(paired.files, named)
        progress = bulk.TransferProgress(callback, is_one=path_pairs.is_one_file(source, recursive, paired))
        progress.begin(len(files))

        def put_one(pair: Pair, **more: Any) -> None:
            with progress.of(pair) as child:
                self._put_one(*pair, child, **{**kwargs, **more})

        @contextmanager
        def open_body(pair: Pair) -> Iterator[Body]:
            if (local_source.size_of(pair[0]) or 0) > SMALL_BYTES:
                raise _GrownError
            with progress.of(pair) as child, local_source.whole(pair[0], SMALL_BYTES, child) as body:
                yield body

        def file_of(pair: Pair) -> _File:
            return _File(pair[1], local_source.size_of(pair[0]), partial(open_body, pair), partial(put_one, pair))

        failed = self._errors_of([file_of(pair) for pair in files], kwargs, progress.done)
        many_calls.raise_failed("put", failed, len(files))

    def _upload(
        self,
        path: StrPath,
        chunks: Callable[[int], Iterator[upload.Chunk]],
        check: Callable[[], None] = lambda: None,
        *,
        mode: str = "overwrite",
        side_by_side: int = 1,
        published: Callable[[], None] = lambda: None,
        block_size: int | str | None = None,
        **kwargs: object,
    ) -> None:
        chunk_bytes, headers = self._how(mode, block_size, **kwargs)
        if self._intrans:  # it appears at the transaction's end, with the files that were opened
            with self.open(path, "xb" if mode == "create" else "wb", chunk_bytes, **kwargs) as file:
                file.published = published
                for chunk in chunks(chunk_bytes):
                    with chunk.body() as data:
                        file.write(data)
                check()
            return
        upload.upload(
            self._location(path), chunks(chunk_bytes),
            exclusive=mode == "create", before_publishing=check, headers=headers, side_by_side=side_by_side,
        )  # fmt: skip
        self.invalidate_cache(path)


class _CountedLater(Callback):
    """A counter of bytes that a callback is not told of yet."""

    def __init__(self, callback: Callback) -> None:
        super().__init__()
        self._callback = callback
        self._bytes = 0

    def set_size(self, size: int | None) -> None:
        """Do the same as fsspec's callback."""
        self._callback.set_size(size)

    def relative_update(self, inc: int = 1) -> None:
        """Count bytes, as fsspec's callback does."""
        self._bytes += inc

    def tell(self) -> None:
        """Tell the callback the count of all bytes."""
        self._callback.relative_update(self._bytes)
