"""Calls on many paths: which paths are meant, which source goes to which target, and all calls side by side."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import chain

from fsspec.callbacks import Callback
from fsspec.implementations.local import trailing_sep

from registry_s3fs import errors
from registry_s3fs.filesystem import delete_many, path_pairs
from registry_s3fs.filesystem.base import OnBucket, Paths
from registry_s3fs.listing import directory
from registry_s3fs.model.object_headers import request_fields
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.model.paths import StrPath, parent
from registry_s3fs.threads import many_calls

logger = logging.getLogger("registry_s3fs")


class TransferProgress:
    """The progress that a callback receives from a call on many files.

    The callback counts files, and its branches count bytes. If one file was named, the callback counts its bytes, as
    users who pass a progress bar want to see it move.
    """

    def __init__(self, callback: Callback, *, is_one: bool) -> None:
        self._callback = callback
        self._is_one = is_one

    def begin(self, files: int) -> None:
        """Tell the callback how many files there are."""
        if not self._is_one:
            self._callback.set_size(files)

    def of(self, pair: path_pairs.Pair) -> AbstractContextManager[Callback]:
        """Return a context manager that gives the callback for the bytes of one file."""
        found: AbstractContextManager[Callback] = (
            nullcontext(self._callback) if self._is_one else self._callback.branched(*pair)
        )
        return found

    def done(self) -> None:
        """Tell the callback that one more file is done."""
        if not self._is_one:
            self._callback.relative_update(1)


class ManyPaths(OnBucket):
    """fsspec's `copy`, `mv` and `rm`, with its rules for names, on the thread pool."""

    def copy(
        self,
        path1: Paths,
        path2: Paths,
        recursive: bool = False,
        maxdepth: int | None = None,
        on_error: str | None = None,
        version_id: str = "",
        **headers: object,
    ) -> None:
        """Copy files within the bucket.

        Args:
            path1: A path, a pattern or a list of them.
            path2: The target, or a list of targets.
            recursive: Copy all that lies below directories.
            maxdepth: How many levels of directories to copy, by default all.
            on_error: ``"raise"``, or ``"ignore"`` for missing files, which is the default with `recursive`.
            version_id: The object version to copy, as in `cp_file`.
            **headers: Object headers to change, as in `cp_file`.

        Raises:
            BulkError: Some of several files failed. All others are copied.
        """
        if on_error not in (None, "raise", "ignore"):
            raise ValueError(f"on_error: {on_error!r} is neither 'raise' nor 'ignore'")
        ignore = on_error == "ignore" or (on_error is None and recursive)

        def copy_one(pair: path_pairs.Pair) -> None:
            try:
                self.cp_file(*pair, version_id, **headers)
            except FileNotFoundError:
                if not ignore:
                    raise

        request_fields(headers)  # checks them, before the first request
        pairs = self._pairs_within(path1, path2, recursive, maxdepth).files
        many_calls.do_all(self.pool, "copy", copy_one, pairs)

    def mv(
        self, path1: Paths, path2: Paths, recursive: bool = False, maxdepth: int | None = None, **headers: object
    ) -> None:
        """Copy files, then delete the sources once every copy is confirmed.

        A directory that is moved onto itself stays as it is. The directory markers of a tree are moved, too.

        Raises:
            BulkError: Some of several files could not be copied, and no source is deleted. Or some could not be
                deleted.
            IsADirectoryError: Only a directory was named, without `recursive`.
        """
        request_fields(headers)  # checks them, before the first request
        if recursive and self._is_itself(path1, path2):
            return
        listed: list[ObjectInfo] = []

        def below(path: str, _: int | None) -> dict[str, str]:
            return path_pairs.kinds_of(self._all_below(self._path(path), None, markers=listed))

        # Of a tree that is cut off at a depth, no directory moves as a whole, with its marker.
        source = path_pairs.as_text(path1)
        files, directories, _ = self._pairs_within(source, path2, recursive, maxdepth, None if maxdepth else below)
        if isinstance(source, str) and not files and (maxdepth or not directories):
            if recursive:
                raise errors.is_directory(str(path1), "no file of the directory lies within maxdepth")
            raise errors.is_directory(str(path1), "a directory moves with recursive=True")
        moved = [(source, target) for source, target in files if source != target]
        markers = self._moving(listed, dict(directories))
        many_calls.do_all(self.pool, "mv", lambda pair: self.cp_file(*pair, "", **headers), moved)
        root = self.bucket.space.prefix("/")  # which is a directory without a marker
        self.pool.map(lambda pair: self.bucket.copy(*pair), [pair for pair in markers if pair[1] != root])
        left = {self.bucket.space.key(source) for source, _ in moved} | {marker.key for marker, _ in markers}
        self._delete(sorted(left - {target for _, target in markers}))

    def rm(self, path: Paths, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete a file, the files of a list or pattern, or with `recursive` all that lies below a directory.

        Raises:
            FileNotFoundError: A path or pattern names nothing. (S3 is not asked about each file of a list.)
            IsADirectoryError: The path names a directory, without `recursive`.
            BulkError: Some files could not be deleted.
        """
        directory.check_depth(maxdepth)
        text = path_pairs.as_text(path)
        is_single, each_given = isinstance(text, str), path_pairs.as_list(text)
        names = [self._path(each) for each in each_given]  # all of them, before the first of many requests
        patterns = path_pairs.patterns_among(self, names)
        keys: list[str] = []
        for each, name in zip(each_given, names, strict=True):
            if name in patterns:
                keys += self._keys_matched(str(each), recursive, maxdepth)
            elif recursive:
                keys += self._keys_below(name, maxdepth)
            elif is_single:
                keys.append(self._key_of_file(name))
            else:
                keys.append(self._key(name))
        self._delete(keys)

    def _rm_files(self, paths: Iterable[StrPath]) -> None:
        """Delete files by their exact names, without a check that they exist."""
        self._delete([self._key(path) for path in paths])

    def _rm_below(self, path: StrPath) -> None:
        """Delete all that lies below the directory of this exact name, if there is anything."""
        with suppress(FileNotFoundError):
            self._delete(self._keys_below(path, None))

    def expand_path(self, path: Paths, recursive: bool = False, maxdepth: int | None = None) -> list[str]:
        """Return the paths that a path, a pattern or a list of them stands for.

        A name with ``*``, ``?`` or ``[`` is a pattern, unless a file or directory of this exact name exists.

        Raises:
            FileNotFoundError: It stands for nothing.
        """
        text = path_pairs.as_text(path)
        self._check(text)
        return list(path_pairs.expand(self, text, recursive, maxdepth).kinds)

    def _keys_matched(self, pattern: str, recursive: bool, maxdepth: int | None) -> list[str]:
        """Return the keys of files that a pattern matches. With `recursive`, add all keys below its matches."""
        found = path_pairs.kinds_of(self.glob(pattern, maxdepth=maxdepth, detail=True))
        if not found:
            raise errors.missing(str(pattern))
        files = [match for match, kind in found.items() if kind != "directory"]
        keys = [self.bucket.space.key(match) for match in files]
        if recursive and maxdepth != 1:
            directories = [match for match, kind in found.items() if kind == "directory"]
            directories += self._directories_beside(files)
            below = partial(self._keys_in, maxdepth=maxdepth - 1 if maxdepth else None)
            keys += chain(*self.pool.map(below, directories))
        return keys

    def _directories_beside(self, files: Sequence[str]) -> set[str]:
        """Return the files that have a directory of the same name beside them, which a glob does not show."""
        listed = self.pool.map(partial(directory.children, self.bucket), {parent(path) for path in files})
        return {info["name"] for infos in listed for info in infos or () if info["type"] == "directory"} & set(files)

    def _key_of_file(self, path: str) -> str:
        found = self.info(path)
        if found["type"] == "directory":
            raise errors.is_directory(found["name"], "a directory goes with recursive=True")
        return self.bucket.space.key(found["name"])

    def _keys_below(self, path: StrPath, maxdepth: int | None) -> list[str]:
        """Return all keys below a directory, and the key of a file of its name.

        Raises:
            FileNotFoundError: There is neither.
        """
        path = self._path(path)
        keys = self._keys_in(path, maxdepth)
        if maxdepth is None and path != "/" and self.isfile(path):
            keys.append(self.bucket.space.key(path))
        if not keys:
            raise errors.missing(path)
        return keys

    def _keys_in(self, path: str, maxdepth: int | None) -> list[str]:
        """Return all keys below a directory, with directory markers and keys that no path can name.

        With `maxdepth`, return the keys of files only.
        """
        space = self.bucket.space
        if path == "/" and not space.prefix("/"):
            raise ValueError("rm: '/' is the whole bucket, as rootdirectory is empty; name what to delete")
        if maxdepth is None:
            return list(directory.keys(self.bucket, path))
        return [space.key(name) for name in self.find(path, maxdepth=maxdepth)]

    def _is_itself(self, path: Paths, target: Paths) -> bool:
        """Return whether a directory is moved onto itself. By fsspec's rules it would end inside itself."""
        if not isinstance(path, (str, os.PathLike)) or not isinstance(target, (str, os.PathLike)):
            return False
        return self._path(path) == self._path(target) and self.isdir(path)

    def _moving(self, markers: Iterable[ObjectInfo], moved: Mapping[str, str]) -> list[tuple[ObjectInfo, str]]:
        """Return the directory markers that move, and the keys that they move to."""
        space = self.bucket.space
        pairs = [(item, space.prefix(moved[path])) for item in markers if (path := space.path(item.key) or "") in moved]
        return [(marker, target) for marker, target in pairs if marker.key != target]

    def _check(self, path: Paths) -> None:
        """Raise the error of a bad path or foreign bucket before the first of many requests."""
        for each in path_pairs.as_list(path):
            self._path(each)

    def _delete(self, keys: Sequence[str]) -> None:
        try:
            delete_many.delete(self.bucket, keys)
        finally:
            self.invalidate_cache()

    def _target(self, path: Paths) -> str | list[str]:
        """Return a target as a path of this bucket. Keep a trailing slash, which asks for a directory."""
        text = path_pairs.as_text(path)
        if isinstance(text, list):
            return [self._path(each) for each in text]
        return self._path(text).rstrip("/") + ("/" if trailing_sep(text) else "") or "/"

    def _pairs_within(
        self,
        source: Paths,
        target: Paths,
        recursive: bool,
        maxdepth: int | None,
        below: path_pairs.Below | None = None,
    ) -> path_pairs.Paired:
        text, to = path_pairs.as_text(source), self._target(target)
        self._check(text)
        paired = path_pairs.pair_up(self, text, to, recursive, maxdepth, self.isdir, below)
        path_pairs.check_apart(paired.files)
        return paired
