"""Which files a path, a pattern or a list of them stands for, and which target each of them goes to: fsspec's rules.

They are at https://filesystem-spec.readthedocs.io/en/latest/copying.html, and hold for our files and local ones.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from glob import has_magic
from typing import NamedTuple

from fsspec.implementations.local import make_path_posix, trailing_sep
from fsspec.spec import AbstractFileSystem
from fsspec.utils import other_paths, stringify_path

from registry_s3fs import errors
from registry_s3fs.filesystem.base import OnBucket, Paths
from registry_s3fs.listing import directory
from registry_s3fs.model.paths import StrPath, parent

logger = logging.getLogger("registry_s3fs")

Pair = tuple[str, str]
Below = Callable[[str, int | None], dict[str, str]]
"""Gives the kind of each path at and below a directory, at most so many levels deep."""


class Paired(NamedTuple):
    """Sources and the targets that they go to."""

    files: list[Pair]
    directories: list[Pair]
    is_pattern: bool = False
    """True if a pattern was given."""


class Expanded(NamedTuple):
    """What a path, a pattern or a list of them stands for."""

    kinds: dict[str, str]
    """The kind of each path: ``"file"``, ``"directory"`` or ``""`` (not asked). They are sorted by path."""
    patterns: frozenset[str]
    """The names that were taken as patterns."""


def expand(
    fs: AbstractFileSystem,
    path: str | list[str],
    recursive: bool,
    maxdepth: int | None,
    below: Below | None = None,
) -> Expanded:
    """Return what a path, a pattern or a list of them stands for, in our filesystem or a local one.

    Args:
        fs: The filesystem.
        path: The path, pattern or list.
        recursive: Whether what lies below directories belongs to it.
        maxdepth: How many levels below, by default all.
        below: Lists what lies at and below a directory, by default by the filesystem's `find`.

    Raises:
        FileNotFoundError: It stands for nothing.
        ValueError: `maxdepth` is below 1.
    """
    directory.check_depth(maxdepth)
    below = below or partial(_below, fs)
    each_given = as_list(path)
    names = [fs._strip_protocol(each) for each in each_given]
    patterns = patterns_among(fs, names)
    found: dict[str, str] = {}
    for each, name in zip(each_given, names, strict=True):
        if name in patterns:
            found.update(_matches(fs, str(each), recursive, maxdepth, below))
        elif recursive:
            found.update(below(name, maxdepth))
        else:
            found[name] = ""
    if not found:
        raise errors.missing(str(path))
    return Expanded(dict(sorted(found.items())), patterns)


def patterns_among(fs: AbstractFileSystem, names: Iterable[str]) -> frozenset[str]:
    """Return the names that are patterns: ones with ``*``, ``?`` or ``[``, unless a path of this exact name exists."""
    asked = list(dict.fromkeys(name for name in names if has_magic(name)))
    exist = fs.pool.map(fs.exists, asked) if isinstance(fs, OnBucket) else map(fs.exists, asked)
    return frozenset(name for name, exists in zip(asked, exist, strict=True) if not exists)


def _matches(
    fs: AbstractFileSystem, pattern: str, recursive: bool, maxdepth: int | None, below: Below
) -> dict[str, str]:
    """Return what a pattern matches. With `recursive`, add what lies below its matches."""
    matches = kinds_of(fs.glob(pattern, maxdepth=maxdepth, detail=True))
    found = dict(matches)
    if recursive and maxdepth != 1:
        for match in [match for match, kind in matches.items() if kind == "directory"]:
            found.update(below(match, maxdepth - 1 if maxdepth else None))
    return found


def _below(fs: AbstractFileSystem, path: str, maxdepth: int | None) -> dict[str, str]:
    return kinds_of(fs.find(path, maxdepth=maxdepth, withdirs=True, detail=True))


def as_list(path: Paths) -> list[StrPath]:
    """Return one path, or the paths of a sequence, as a list."""
    return [path] if isinstance(path, (str, os.PathLike)) else list(path)


def kinds_of(infos: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Return the kind of each path; the infos of other filesystems may have any keys and values."""
    return {name: str(info.get("type", "file")) for name, info in infos.items()}


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
    below: Below | None = None,
    *,
    asks: bool = True,
) -> Paired:
    """Return what `source` stands for in `fs`, and the target of each path, by fsspec's rules.

    Two sequences are paired as they stand. A directory is left out if it is the only source and `recursive` is False,
    and at the depth where `maxdepth` cuts a tree off. With `asks=False` it is not found out whether a name is that of a
    directory.
    """
    if isinstance(target, list):
        return Paired(list(zip(map(fs._strip_protocol, as_list(source)), target, strict=True)), [])
    kinds, patterns = expand(fs, source, recursive, maxdepth, below)
    if isinstance(source, str) and (not recursive or maxdepth is not None):
        kinds = {name: kind or (_kind(fs, name) if asks else "") for name, kind in kinds.items()}
        above = _directories_above(fs, source, kinds, maxdepth) if recursive and not patterns else set()
        kinds = {name: kind for name, kind in kinds.items() if kind != "directory" or name in above}
        if not kinds:
            if not patterns:
                warn_of_directory(source)
            return Paired([], [])
    paired = Paired([], [], bool(patterns))
    goals = targets(fs, list(kinds), source, bool(patterns), target, is_dir)
    for (name, kind), to in zip(kinds.items(), goals, strict=True):
        (paired.directories if kind == "directory" else paired.files).append((name, to))
    return paired


def _directories_above(fs: AbstractFileSystem, source: str, kinds: Mapping[str, str], maxdepth: int | None) -> set[str]:
    """Return the directories of a tree that lie above the depth where it is cut off."""
    top = str(fs._strip_protocol(source)).rstrip("/")
    return {
        name
        for name, kind in kinds.items()
        if kind == "directory" and (maxdepth is None or name[len(top) :].rstrip("/").count("/") < maxdepth)
    }


def without_contents(paired: Paired) -> list[Pair]:
    """Return the directories in which nothing else was found, and to whose targets no file goes.

    >>> without_contents(Paired([("/a/b/f", "b/f")], [("/a", "."), ("/a/b", "b"), ("/a/e", "e")]))
    [('/a/e', 'e')]
    """
    taken = {to for _, to in paired.files}
    holding = {parent(name) for name, _ in (*paired.files, *paired.directories) if name != "/"}
    return [pair for pair in paired.directories if pair[0] not in holding and pair[1] not in taken]


def targets(
    fs: AbstractFileSystem,
    found: Sequence[str],
    source: str | list[str],
    is_pattern: bool,
    target: str,
    is_dir: Callable[[str], bool],
) -> list[str]:
    """Return the target of each path that `source` was found to stand for in `fs`.

    What lies below a directory keeps its path from there, however much or little of it was found.
    """
    if not isinstance(source, str):
        return list(other_paths(found, target, exists=False, flatten=True))
    if is_pattern:
        return list(other_paths(found, target, exists=len(found) == 1, flatten=False))
    top = str(fs._strip_protocol(source)).rstrip("/")
    into_directory = not trailing_sep(source) and (trailing_sep(target) or is_dir(target))
    before = top.rpartition("/")[0] if into_directory else top
    return [_below_target(target, name[len(before) :].strip("/")) for name in found]


def _below_target(target: str, name: str) -> str:
    """Return the path of a name below a target, or the target itself where there is no name.

    >>> _below_target("/t/", "a/b"), _below_target("/", "a"), _below_target("", "a"), _below_target("/t/", "")
    ('/t/a/b', '/a', 'a', '/t')
    """
    above = target.rstrip("/")
    if not name:
        return above or target[:1]
    return f"{above}/{name}" if target else name


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


def _kind(fs: AbstractFileSystem, name: str) -> str:
    return "directory" if fs.isdir(name) else "file"
