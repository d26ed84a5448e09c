"""Files that are stored whole, one or many: `pipe`, `put` and their kin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from fsspec.callbacks import DEFAULT_CALLBACK, Callback
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.filesystem import bulk, path_pairs
from registry_s3fs.filesystem.base import OnBucket, Paths
from registry_s3fs.filesystem.path_pairs import Pair
from registry_s3fs.model.object_headers import object_headers
from registry_s3fs.model.objects import ObjectHeaders
from registry_s3fs.model.paths import StrPath
from registry_s3fs.s3.small_puts import SMALL_BYTES, Put
from registry_s3fs.threads import many_calls, pool
from registry_s3fs.transfer import local_source, upload

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

T = TypeVar("T")
Sent = TypeVar("Sent", bound=tuple[object, object])
HOW = ("mode", "block_size")
"""The keyword arguments that tell how a file is written. Others are object headers."""


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
        self._pipe_one((path, value), mode=mode, **kwargs)

    def _pipe_one(self, pair: tuple[StrPath, ReadableBuffer], /, **how: Any) -> None:
        path, value = pair
        view = memoryview(value).cast("B")
        self._upload(path, lambda chunk_bytes: upload.chunks_of(view, chunk_bytes), **how)

    def pipe(
        self, path: StrPath | Mapping[Any, ReadableBuffer], value: ReadableBuffer | None = None, **kwargs: object
    ) -> None:
        """Store bytes at a path, or each of ``{path: bytes}``, side by side. Raise `BulkError` as `put` does."""
        given = path if isinstance(path, Mapping) else {path: cast("ReadableBuffer", value)}
        pairs: list[tuple[StrPath, ReadableBuffer]] = list(given.items())
        keys = {each: self._key(each) for each, _ in pairs}  # all of them, before the first request
        if len(set(keys.values())) < len(keys):
            path_pairs.check_targets([(str(each), self._path(each)) for each in keys])
        count, failed = len(pairs), {}
        headers = object_headers({name: value for name, value in kwargs.items() if name not in HOW})
        if count > 1 and not self._intrans and kwargs.keys().isdisjoint(HOW):
            small, pairs = _divided(pairs, lambda pair: _size_of(pair[1]), SMALL_BYTES)
            failed = self._pipe_small(small, keys, headers)
        failed |= self._errors_of(partial(self._pipe_one, **kwargs), pairs, lambda pair: _size_of(pair[1]))
        many_calls.raise_failed("pipe", failed, count)

    def _errors_of(
        self,
        store: Callable[..., None],
        pairs: Sequence[Sent],
        size_of: Callable[[Sent], int],
        *,
        named: int = 0,
        done: Callable[[], object] = lambda: None,
    ) -> dict[str, Exception]:
        """Store each of several files. Return the errors of those that failed.

        A file that takes one request is stored by one thread. Larger files are stored a few at a time, with their parts
        side by side.
        """
        small, large = _divided(pairs, size_of, self.parameters.chunksize) if len(pairs) > 1 else (pairs, [])
        failed = many_calls.errors_of(self.pool, store, small, named=named, done=done)
        some = partial(store, side_by_side=min(len(large), pool.COORDINATORS))
        return failed | many_calls.errors_of(pool.coordinators(), some, large, named=named, done=done)

    def _pipe_small(
        self, pairs: Sequence[tuple[StrPath, ReadableBuffer]], keys: Mapping[StrPath, str], headers: ObjectHeaders
    ) -> dict[str, Exception]:
        """Store small files by one thread. Return the errors of those that failed."""
        failed: dict[str, Exception] = {}
        last = many_calls.LastWord()

        def puts() -> Iterator[Put]:
            for path, value in pairs:
                try:
                    last.check()
                    yield Put(keys[path], memoryview(value).cast("B"), headers, str(path))
                except (OSError, ValueError) as error:
                    failed[str(path)] = error

        with closing(self.bucket.put_many(puts())) as ended:
            for put in ended:
                if put.error is not None:
                    failed[put.name] = put.error
                    last.note(put.error)
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

        def size_of(pair: Pair) -> int:
            return local_source.size_of(pair[0])

        failed = self._errors_of(put_one, files, size_of, named=1, done=progress.done)
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
        if mode not in ("overwrite", "create"):
            raise ValueError(f"mode: {mode!r} is neither 'overwrite' nor 'create'")
        chunk_bytes = self._chunk_bytes(block_size)
        headers = object_headers(kwargs)
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


def _size_of(value: ReadableBuffer) -> int:
    return memoryview(value).nbytes


def _divided(items: Sequence[T], size_of: Callable[[T], int], most_bytes: int) -> tuple[list[T], list[T]]:
    """Return the items up to a size, and the items above it."""
    parts: tuple[list[T], list[T]] = [], []
    for item in items:
        parts[size_of(item) > most_bytes].append(item)
    return parts
