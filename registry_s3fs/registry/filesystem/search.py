"""`walk`, `find`, `glob` and `du`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from glob import has_magic
from typing import Any, Literal

from registry_s3fs.errors import IncompleteError, NotInRegistryError
from registry_s3fs.registry.filesystem import paths
from registry_s3fs.registry.filesystem.base import OnRegistry
from registry_s3fs.registry.filesystem.infos import Info

logger = logging.getLogger(__name__)

OnError = Literal["omit", "log", "raise"] | Callable[[Exception], object]
Walked = tuple[str, Any, Any]
"""A folder, the folders in it, and the files in it: names, or infos by name."""


class Search(OnRegistry):
    """What looks at more than one folder."""

    def walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: OnError = "omit",
        detail: bool = False,
        **kwargs: object,
    ) -> Iterator[Walked]:
        """Yield each folder at and below one, the folders and the files in it. Links to folders are among the files.

        Args:
            path: The folder.
            maxdepth: How many levels are walked.
            topdown: Whether a folder comes before those in it, which the caller may then take out of the list.
            on_error: What is done where a folder cannot be listed: it is left out, without a word (``omit``) or with a
                warning (``log``), or the error is raised, or is given to a function. An image of several platforms is
                such a folder.
            detail: Whether infos by name are yielded in place of names.
            **kwargs: Given to `ls`.

        Raises:
            ValueError: `maxdepth` is below 1.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError(f"maxdepth must be at least 1, and is {maxdepth}")
        waiting: list[tuple[str, int, Walked | None]] = [(self._strip_protocol(path), 1, None)]
        while waiting:
            name, depth, walked = waiting.pop()
            if walked:
                yield walked
                continue
            listing = self._listing(name, on_error)
            if listing is None:
                continue
            inside = {_last(info, name): info for info in listing}
            found = {last: info for last, info in inside.items() if info["type"] == "directory"}
            files = {last: info for last, info in inside.items() if last not in found}
            step = (name, dict(found), files) if detail else (name, list(found), list(files))
            if topdown:
                yield step
            else:
                waiting.append((name, depth, step))
            if maxdepth is None or depth < maxdepth:
                entered = list(step[1]) if topdown else list(found)
                waiting += [(str(found[each]["name"]), depth + 1, None) for each in reversed(entered) if each in found]

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: object
    ) -> Any:
        """Return all files at and below a path, sorted: names, or infos by name.

        Above images and artifacts, one that cannot be read is left out, and a warning logged.

        Raises:
            OSError: The image or artifact that the path lies in cannot be read.
            ValueError: As `ls`, of the image or artifact that the path lies in.
        """
        is_above = paths.is_in_registry(self._strip_protocol(path))
        kwargs.setdefault("on_error", "log" if is_above else _raise_unless_missing)
        return super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=detail, **kwargs)

    def du(
        self, path: str, total: bool = True, maxdepth: int | None = None, withdirs: bool = False, **kwargs: object
    ) -> Any:
        """Return the sum of the sizes of all files at and below a path, or the size of each. Links have none."""
        found = self.find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True, **kwargs)
        sizes = {name: 0 if info["type"] == "other" else info["size"] for name, info in found.items()}
        return sum(sizes.values()) if total else sizes

    def glob(self, path: str, maxdepth: int | None = None, **kwargs: Any) -> Any:
        """Return what a pattern matches.

        Tags are matched by what follows a colon, and digests by what follows an ``@``: ``team/*:2026/*.parquet``,
        ``team/data@*``. A component without one is a repository, or the beginning of the names of several. Of the
        images and artifacts that a pattern matches, one that cannot be read is left out, and a warning logged.
        """
        name = self._strip_protocol(path)
        first = next(at for at, character in enumerate(f"{name}*") if character in "*?[")
        if not paths.is_in_registry(name[:first].rpartition("/")[0]) or not has_magic(name):
            return super().glob(path, maxdepth=maxdepth, **kwargs)
        components = name.split("/")
        end = next((at for at, each in enumerate(components) if not paths.is_in_registry(each)), len(components))
        if "**" in components[: end + 1]:
            return super().glob(path, maxdepth=maxdepth, **kwargs)
        detail = kwargs.pop("detail", False)
        found: dict[str, Info] = {}
        for each in self._matches(components[:end], components[end : end + 1]):
            rest = components[end + 1 :]
            if rest:
                found.update(self._below(each, "/".join([each, *rest]), maxdepth=maxdepth, **kwargs))
            else:
                found[each] = {"name": each, "size": 0, "type": "directory"}
        return dict(sorted(found.items())) if detail else sorted(found)

    def _below(self, top: str, pattern: str, **kwargs: Any) -> dict[str, Info]:
        try:
            found: dict[str, Info] = super().glob(pattern, detail=True, **kwargs)
        except (OSError, ValueError) as error:
            _log(top, error)
            return {}
        return found

    def _matches(self, repository: list[str], reference: list[str]) -> Iterable[str]:
        found: Iterable[str] = [""]
        for pattern in repository:
            found = [each for folder in found for each in self._repositories(folder, pattern)]
        for pattern in reference:
            found = [each for folder in found for each in self._references(folder, pattern)]
        return found

    def _repositories(self, folder: str, pattern: str) -> Iterator[str]:
        for info in self._listing(folder, _raise_unless_missing) or ():
            name = str(info["name"])
            if paths.is_in_registry(name) and fnmatchcase(name[len(folder) :].lstrip("/"), pattern):
                yield name

    def _references(self, folder: str, pattern: str) -> Iterator[str]:
        at = min(at for at in (pattern.find(":"), pattern.find("@")) if at >= 0)
        for repository in self._repositories(folder, pattern[:at]):
            list_ = self.catalog.tags if pattern[at] == ":" else self.catalog.revisions
            try:
                found = list_(repository)
            except NotInRegistryError:
                continue  # the beginning of others' names
            yield from (f"{repository}{pattern[at]}{each}" for each in found if fnmatchcase(each, pattern[at + 1 :]))

    def _listing(self, name: str, on_error: OnError) -> list[Info] | None:
        try:
            found: list[Info] = self.ls(name, detail=True)
        except (OSError, ValueError) as error:
            if on_error == "raise":
                raise
            if on_error == "log":
                _log(name, error)
            elif callable(on_error):
                on_error(error)
            return None
        return found


def _log(name: str, error: Exception) -> None:
    logger.warning("%s is left out of what is found: %s", name, error)


def _last(info: Mapping[str, object], folder: str) -> str:
    """Return the name of what is in a folder; ``""`` of a file that was listed itself."""
    name = str(info["name"])
    return "" if name == folder else name.rpartition("/")[2]


def _raise_unless_missing(error: Exception) -> None:
    if isinstance(error, IncompleteError) or not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error
