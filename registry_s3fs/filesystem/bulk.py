"""Calls on many paths: which paths are meant, which source goes to which target, and all calls side by side."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from glob import has_magic
from itertools import chain
from typing import Any, NamedTuple

from fsspec.callbacks import Callback
from fsspec.implementations.local import make_path_posix, trailing_sep
from fsspec.spec import AbstractFileSystem
from fsspec.utils import other_paths, stringify_path

from registry_s3fs import errors
from registry_s3fs.filesystem import delete_many
from registry_s3fs.filesystem.base import OnBucket, Paths
from registry_s3fs.listing import directory
from registry_s3fs.model.object_headers import request_fields
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.model.paths import StrPath, parent
from registry_s3fs.threads import many_calls

logger = logging.getLogger("registry_s3fs")

Pair = tuple[str, str]


class Paired(NamedTuple):
    """Sources and the targets that they go to."""

    files: list[Pair]
    directories: list[Pair]
    is_pattern: bool = False
    """True if a pattern was given."""


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

    def of(self, pair: Pair) -> AbstractContextManager[Callback]:
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

        def copy_one(pair: Pair) -> None:
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
        files, directories, _ = self._pairs_within(path1, path2, recursive, maxdepth)
        if not files and not directories:
            raise errors.is_directory(str(path1), "a directory moves with recursive=True")
        moved = [(source, target) for source, target in files if source != target]
        markers = self._markers(dict(directories))
        many_calls.do_all(self.pool, "mv", lambda pair: self.cp_file(*pair, "", **headers), moved)
        self.pool.map(lambda pair: self.bucket.copy(*pair), markers)
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
        text = as_text(path)
        is_single, each_given = isinstance(text, str), as_list(text)
        names = [self._path(each) for each in each_given]  # all of them, before the first of many requests
        patterns = _patterns_among(self, names)
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
        text = as_text(path)
        self._check(text)
        return list(expand(self, text, recursive, maxdepth).kinds)

    def _keys_matched(self, pattern: str, recursive: bool, maxdepth: int | None) -> list[str]:
        """Return the keys of files that a pattern matches. With `recursive`, add all keys below its matches."""
        found = _kinds(self.glob(pattern, maxdepth=maxdepth, detail=True))
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

    def _markers(self, moved: Mapping[str, str]) -> list[tuple[ObjectInfo, str]]:
        """Return the directory markers that move, and the keys that they move to."""
        space = self.bucket.space
        trees = [path for path in moved if path == "/" or parent(path) not in moved]
        found = [item for path in trees for page in self.bucket.list(space.prefix(path)) for item in page.objects]
        pairs = [
            (item, space.prefix(moved[path]))
            for item in found
            if item.key.endswith("/") and (path := space.path(item.key) or "") in moved
        ]
        return [(marker, target) for marker, target in pairs if marker.key != target]

    def _check(self, path: Paths) -> None:
        """Raise the error of a bad path or foreign bucket before the first of many requests."""
        for each in as_list(path):
            self._path(each)

    def _delete(self, keys: Sequence[str]) -> None:
        try:
            delete_many.delete(self.bucket, keys)
        finally:
            self.invalidate_cache()

    def _target(self, path: Paths) -> str | list[str]:
        """Return a target as a path of this bucket. Keep a trailing slash, which asks for a directory."""
        text = as_text(path)
        if isinstance(text, list):
            return [self._path(each) for each in text]
        return self._path(text).rstrip("/") + ("/" if trailing_sep(text) else "") or "/"

    def _pairs_within(self, source: Paths, target: Paths, recursive: bool, maxdepth: int | None) -> Paired:
        text, to = as_text(source), self._target(target)
        self._check(text)
        paired = pair_up(self, text, to, recursive, maxdepth, self.isdir)
        check_apart(paired.files)
        return paired


class Expanded(NamedTuple):
    """What a path, a pattern or a list of them stands for."""

    kinds: dict[str, str]
    """The kind of each path: ``"file"``, ``"directory"`` or ``""`` (not asked). They are sorted by path."""
    patterns: frozenset[str]
    """The names that were taken as patterns."""


def expand(fs: AbstractFileSystem, path: str | list[str], recursive: bool, maxdepth: int | None) -> Expanded:
    """Return what a path, a pattern or a list of them stands for, in our filesystem or a local one.

    Raises:
        FileNotFoundError: It stands for nothing.
        ValueError: `maxdepth` is below 1.
    """
    directory.check_depth(maxdepth)
    each_given = as_list(path)
    names = [fs._strip_protocol(each) for each in each_given]
    patterns = _patterns_among(fs, names)
    found: dict[str, str] = {}
    for each, name in zip(each_given, names, strict=True):
        if name in patterns:
            found.update(_matches(fs, str(each), recursive, maxdepth))
        elif recursive:
            found.update(_below(fs, name, maxdepth))
        else:
            found[name] = ""
    if not found:
        raise errors.missing(str(path))
    return Expanded(dict(sorted(found.items())), patterns)


def _patterns_among(fs: AbstractFileSystem, names: Iterable[str]) -> frozenset[str]:
    """Return the names that are patterns: ones with ``*``, ``?`` or ``[``, unless a path of this exact name exists."""
    asked = list(dict.fromkeys(name for name in names if has_magic(name)))
    exist = fs.pool.map(fs.exists, asked) if isinstance(fs, ManyPaths) else map(fs.exists, asked)
    return frozenset(name for name, exists in zip(asked, exist, strict=True) if not exists)


def _matches(fs: AbstractFileSystem, pattern: str, recursive: bool, maxdepth: int | None) -> dict[str, str]:
    """Return what a pattern matches. With `recursive`, add what lies below its matches."""
    matches = _kinds(fs.glob(pattern, maxdepth=maxdepth, detail=True))
    found = dict(matches)
    if recursive and maxdepth != 1:
        for match in [match for match, kind in matches.items() if kind == "directory"]:
            found.update(_below(fs, match, maxdepth - 1 if maxdepth else None))
    return found


def _below(fs: AbstractFileSystem, path: str, maxdepth: int | None) -> dict[str, str]:
    return _kinds(fs.find(path, maxdepth=maxdepth, withdirs=True, detail=True))


def as_list(path: Paths) -> list[StrPath]:
    """Return one path, or the paths of a sequence, as a list."""
    return [path] if isinstance(path, (str, os.PathLike)) else list(path)


def _kinds(infos: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the kind of each path; the infos of other filesystems may have any keys and values."""
    return {name: info.get("type", "file") for name, info in infos.items()}


def as_text(path: Paths) -> str | list[str]:
    """Return a path of any kind, or each path of an iterable, as text, which fsspec's rules for names are about."""
    text = stringify_path(path)
    return text if isinstance(text, str) else [stringify_path(each) for each in text]


def local_path(path: Paths) -> str | list[str]:
    """Return the same as `as_text` for local paths, with slashes."""
    text = as_text(path)
    return str(make_path_posix(text)) if isinstance(text, str) else text


def pair_up(
    fs: AbstractFileSystem,
    source: str | list[str],
    target: str | list[str],
    recursive: bool,
    maxdepth: int | None,
    is_dir: Callable[[str], bool],
) -> Paired:
    """Return what `source` stands for in `fs`, and the target of each path, by fsspec's rules.

    The rules are at https://filesystem-spec.readthedocs.io/en/latest/copying.html. Two sequences are paired as they
    stand.
    """
    if isinstance(target, list):
        return Paired(list(zip(map(fs._strip_protocol, as_list(source)), target, strict=True)), [])
    kinds, patterns = expand(fs, source, recursive, maxdepth)
    if isinstance(source, str) and (not recursive or maxdepth is not None):
        kinds = {name: kind for name, kind in kinds.items() if not _is_directory(fs, name, kind)}
        if not kinds:
            if not patterns:
                warn_of_directory(source)
            return Paired([], [])
    paired = Paired([], [], bool(patterns))
    for (name, kind), to in zip(
        kinds.items(), _targets(list(kinds), source, bool(patterns), target, is_dir), strict=True
    ):
        (paired.directories if kind == "directory" else paired.files).append((name, to))
    return paired


def warn_of_directory(path: object) -> None:
    """Log a warning that a directory was named where only files are handled."""
    logger.warning("%s is a directory; nothing is done without recursive=True", path)


def is_one_file(source: str | list[str], recursive: bool, paired: Paired) -> bool:
    """Return whether one file was named, and is all there is to do."""
    return isinstance(source, str) and not paired.is_pattern and not recursive and len(paired.files) == 1


def check_apart(pairs: Sequence[Pair]) -> None:
    """Raise `OSError` where pairs would disturb each other side by side, before the first one begins.

    A file may not be read and also be written from another one. Two files may not go to one target.

    >>> check_apart([("/a/x", "/b/x"), ("/a/y", "/a/y")])
    >>> check_apart([("/a", "/a/b"), ("/a/b", "/a/b/b")])
    Traceback (most recent call last):
    OSError: [Errno 22] it would be overwritten from '/a' while it is itself copied or moved: '/a/b'

    Raises:
        OSError: (EINVAL) Such a pair. `filename` is the path that would be written.
    """
    sources = {source for source, _ in pairs}
    for source, target in pairs:
        if target != source and target in sources:
            text = f"it would be overwritten from {source!r} while it is itself copied or moved"
            raise OSError(errno.EINVAL, text, target)
    check_targets(pairs)


def check_targets(pairs: Sequence[Pair]) -> None:
    """Raise `OSError` where two sources go to one target, before the first one begins.

    >>> check_targets([("/a/x", "/x"), ("/b/x", "/x")])
    Traceback (most recent call last):
    OSError: [Errno 22] both '/a/x' and '/b/x' would go there: '/x'

    Raises:
        OSError: (EINVAL) Two such sources. `filename` is the target.
    """
    written: dict[str, str] = {}
    for source, target in pairs:
        if written.setdefault(target, source) != source:
            raise OSError(errno.EINVAL, f"both {written[target]!r} and {source!r} would go there", target)


def _is_directory(fs: AbstractFileSystem, name: str, kind: str) -> bool:
    return kind == "directory" or (not kind and bool(fs.isdir(name)))


def _targets(
    sources: Sequence[str], source: str | list[str], is_pattern: bool, target: str, is_dir: Callable[[str], bool]
) -> list[str]:
    """Return the target of each path that `source` was expanded to."""
    if not isinstance(source, str):
        return list(other_paths(sources, target, exists=False, flatten=True))
    into_directory = not trailing_sep(source) and (trailing_sep(target) or is_dir(target))
    inside = len(sources) == 1 if is_pattern else into_directory
    return list(other_paths(sources, target, exists=inside, flatten=False))
