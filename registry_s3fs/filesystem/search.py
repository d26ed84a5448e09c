"""Searches below a path: `find`, `walk`, `glob` and `du`, with as few listings as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from glob import has_magic
from operator import itemgetter
from typing import Literal, overload

from fsspec.utils import stringify_path

from registry_s3fs.filesystem.base import OnBucket
from registry_s3fs.listing import directory
from registry_s3fs.listing.glob import Pattern, Search
from registry_s3fs.listing.tree import Tree, tree_down_to, within
from registry_s3fs.model.info import Info
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.model.paths import ListedName, StrPath
from registry_s3fs.threads.signal_errors import is_of_handler

OnError = str | Callable[[OSError], object]
Walked = tuple[str, list[str], list[str]] | tuple[str, dict[str, Info], dict[str, Info]]
"""A directory of a walk, with the directories and the files in it."""


class Searching(OnBucket):
    """fsspec's `find`, `walk`, `glob` and `du`, with listings in parallel."""

    @overload
    def find(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: Literal[False] = False,
        prefix: str = "",
        refresh: bool = False,
    ) -> list[str]: ...

    @overload
    def find(
        self,
        path: StrPath,
        maxdepth: int | None,
        withdirs: bool,
        detail: Literal[True],
        prefix: str = "",
        refresh: bool = False,
    ) -> dict[str, Info]: ...

    @overload
    def find(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        withdirs: bool = False,
        *,
        detail: Literal[True],
        prefix: str = "",
        refresh: bool = False,
    ) -> dict[str, Info]: ...

    @overload
    def find(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        refresh: bool = False,
    ) -> list[str] | dict[str, Info]: ...

    def find(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        prefix: str = "",
        refresh: bool = False,
    ) -> list[str] | dict[str, Info]:
        """Return all files below a path, by name. Where the path is a file, return it, too.

        S3 is always asked, with `refresh` or without. Where there is nothing, the result is empty.

        Args:
            path: The path.
            maxdepth: How many levels below the path to search, by default all.
            withdirs: Return directories, too.
            detail: Return infos by name in place of names.
            prefix: Only names that begin with it below the path. Without `maxdepth` and `withdirs`, only these are
                listed.
            refresh: Has no effect.
        """
        directory.check_depth(maxdepth)
        path = self._path(path)
        if maxdepth is None and not withdirs:
            # Names and infos alone are kept: Python's garbage collector looks at each `ObjectInfo`, but not at these.
            if not detail:
                return sorted(name for name, _ in self._files(path, prefix))
            infos = {name: directory.file(name, item) for name, item in self._files(path, prefix)}
            return {name: infos[name] for name in sorted(infos)}
        infos = self._all_below(path, maxdepth, withdirs=withdirs)
        if prefix:
            begin = f"{path.rstrip('/')}/{prefix}"
            infos = {name: info for name, info in infos.items() if name.startswith(begin)}
        names = sorted(name for name, info in infos.items() if withdirs or info["type"] != "directory")
        return {name: infos[name] for name in names} if detail else names

    def iter_find(self, path: StrPath) -> Iterator[list[Info]]:
        """Yield the infos of all files below a path, as a list for each page of the listing, as the pages arrive.

        The infos are in the order of keys. Where the path is a file, its info comes last. A listing of a million files
        needs no memory for all of their names. (Of stores other than AWS, which may list in another order, eight bytes
        are kept for each.)
        """
        path = self._path(path)
        for page in directory.pages(self.bucket, self.bucket.space.prefix(path)):
            infos = [directory.file(name, item) for name, item in directory.files_on(self.bucket, [page])]
            if infos:
                yield infos
        itself = self._itself(path, withdirs=False)
        if itself:
            yield itself

    def _files(self, path: str, prefix: str) -> Iterator[tuple[str, ObjectInfo]]:
        yield from directory.files(self.bucket, path, prefix)
        try:
            if path != "/" and not prefix:
                yield path, self.bucket.head(self._key(path), explain=False)
        except FileNotFoundError:
            pass

    def _all_below(
        self, path: str, maxdepth: int | None, *, withdirs: bool = True, markers: list[ObjectInfo] | None = None
    ) -> dict[str, Info]:
        """Return the files and directories at a path and at most `maxdepth` levels below it.

        Without `maxdepth`, a list of `markers` gets the directory markers.
        """
        if maxdepth is None:
            infos = directory.descendants(self.bucket, path, markers)
        else:
            listed = sorted(within(self.bucket, path, maxdepth), key=itemgetter("type"))  # a file stays
            infos = {info["name"]: info for info in listed}
        infos.update((path, itself) for itself in self._itself(path, withdirs=withdirs))
        return infos

    def _itself(self, path: str, *, withdirs: bool) -> list[Info]:
        if path == "/":
            return [directory.directory(path)] if withdirs else []
        try:
            return [self.info(path) if withdirs else self.file_info(path, explain=False)]
        except FileNotFoundError:
            return []

    @overload
    def glob(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        *,
        detail: Literal[False] = False,
        withdirs: bool = True,
        refresh: bool = False,
    ) -> list[str]: ...

    @overload
    def glob(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        *,
        detail: Literal[True],
        withdirs: bool = True,
        refresh: bool = False,
    ) -> dict[str, Info]: ...

    @overload
    def glob(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        *,
        detail: bool = False,
        withdirs: bool = True,
        refresh: bool = False,
    ) -> list[str] | dict[str, Info]: ...

    def glob(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        *,
        detail: bool = False,
        withdirs: bool = True,
        refresh: bool = False,
    ) -> list[str] | dict[str, Info]:
        """Return the paths that match a pattern, as fsspec does. Only what can match is listed.

        `maxdepth` is how many levels the first `**` may stand for.
        """
        directory.check_depth(maxdepth)
        found = self._matches(stringify_path(path), maxdepth)
        if not withdirs:
            found = {name: info for name, info in found.items() if info["type"] != "directory"}
        if not detail:
            return list(map(str, found))
        return {ListedName(name, self.parameters.bucket): info for name, info in found.items()}

    def _matches(self, given: str, maxdepth: int | None) -> dict[str, Info]:
        path = self._path(given)
        if not has_magic(path):
            return self._named(path)
        pattern = Pattern(path, only_directories=given.endswith("/"))
        if maxdepth is None or "**" not in pattern.parts:
            return Search(self.bucket, pattern).matches()
        levels = pattern.parts.index("**") + maxdepth
        infos = self.find(pattern.base, maxdepth=levels, withdirs=True, detail=True)
        return {name: info for name, info in infos.items() if pattern.matches(info)}

    def _named(self, path: str) -> dict[str, Info]:
        """Return the match of a pattern without special characters: the one path, if it exists."""
        try:
            return {path: self.info(path)}
        except FileNotFoundError:
            return {}

    @overload
    def walk(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: OnError = "omit",
        detail: Literal[False] = False,
        refresh: bool = False,
    ) -> Iterator[tuple[str, list[str], list[str]]]: ...

    @overload
    def walk(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: OnError = "omit",
        *,
        detail: Literal[True],
        refresh: bool = False,
    ) -> Iterator[tuple[str, dict[str, Info], dict[str, Info]]]: ...

    @overload
    def walk(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: OnError = "omit",
        detail: bool = False,
        refresh: bool = False,
    ) -> Iterator[Walked]: ...

    def walk(
        self,
        path: StrPath,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: OnError = "omit",
        detail: bool = False,
        refresh: bool = False,
    ) -> Iterator[Walked]:
        """Return an iterator over directories, as fsspec's and `os.walk`. Directories that follow are listed ahead."""
        directory.check_depth(maxdepth)
        path = self._path(path)
        if refresh:
            self.invalidate_cache(path)
        return self._walk(tree_down_to(self.bucket, path, maxdepth), path, maxdepth, topdown, on_error, detail)

    def _walk(
        self, tree: Tree, path: str, maxdepth: int | None, topdown: bool, on_error: OnError, detail: bool
    ) -> Iterator[Walked]:
        try:
            infos = tree.children(path) if path not in self.dircache else None
            infos = infos or self.ls(path)
        except OSError as error:
            if on_error == "raise" or is_of_handler(error):
                raise
            if callable(on_error):
                on_error(error)
            return
        paths = {_last(info): info["name"] for info in infos if info["type"] == "directory"}
        dirs = {_last(info): info for info in infos if info["type"] == "directory"}
        files = {"" if info["name"] == path else _last(info): info for info in infos if info["type"] != "directory"}
        walked: Walked = (path, dirs, files) if detail else (path, list(dirs), list(files))
        if topdown:
            yield walked
            if len(walked[1]) < len(paths):  # the caller has taken some
                tree.expect(path, [paths[name] for name in walked[1]])
        if maxdepth != 1:
            for name in walked[1]:
                deeper = maxdepth - 1 if maxdepth else None
                yield from self._walk(tree, paths[name], deeper, topdown, on_error, detail)
        if not topdown:
            yield walked

    @overload
    def du(
        self,
        path: StrPath,
        total: Literal[True] = True,
        maxdepth: int | None = None,
        withdirs: bool = False,
        refresh: bool = False,
    ) -> int: ...

    @overload
    def du(
        self,
        path: StrPath,
        total: Literal[False],
        maxdepth: int | None = None,
        withdirs: bool = False,
        refresh: bool = False,
    ) -> dict[str, int]: ...

    @overload
    def du(
        self, path: StrPath, total: bool, maxdepth: int | None = None, withdirs: bool = False, refresh: bool = False
    ) -> int | dict[str, int]: ...

    def du(
        self,
        path: StrPath,
        total: bool = True,
        maxdepth: int | None = None,
        withdirs: bool = False,
        refresh: bool = False,
    ) -> int | dict[str, int]:
        """Return the number of bytes below a path, from one listing. With ``total=False``, return that of each file."""
        found = self.find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True)
        sizes = {name: info["size"] for name, info in found.items()}
        return sum(sizes.values()) if total else sizes


def _last(info: Info) -> str:
    return info["name"].rpartition("/")[2]
