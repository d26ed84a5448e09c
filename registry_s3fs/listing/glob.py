"""The matches of a pattern, from listings of only those prefixes that can hold some."""

from __future__ import annotations

from collections.abc import Iterable
from glob import has_magic
from itertools import chain, takewhile
from operator import itemgetter

from registry_s3fs.listing import directory
from registry_s3fs.model.glob_pattern import GlobPattern
from registry_s3fs.model.info import Info
from registry_s3fs.model.objects import Page
from registry_s3fs.model.paths import parent
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.threads.pool import Pool

NOTHING = Page([], [], last=True)


class Pattern:
    """An absolute path with ``*``, ``?``, ``[...]`` and ``**``, by fsspec's rules.

    >>> pattern = Pattern("/a/*/c/**", only_directories=False)
    >>> pattern.base, pattern.parts
    ('/a', ['*', 'c', '**'])

    Raises:
        ValueError: ``**`` is only part of a component.
    """

    def __init__(self, path: str, *, only_directories: bool) -> None:
        components = path[1:].split("/")
        literal = next(index for index, each in enumerate(components) if has_magic(each))
        self.base = "/" + "/".join(components[:literal])
        self.parts = components[literal:]
        self._glob = GlobPattern(path + "/" * only_directories)
        self._slash = "/" if only_directories or self.parts[-1] == "**" else ""
        self.tells_directories_apart = bool(self._slash)
        literal_end = list(takewhile(lambda each: not has_magic(each), reversed(self.parts)))
        self._end = "".join("/" + each for each in reversed(literal_end)) + "/" * only_directories
        self._above = self._end.rstrip("/") + "/" if literal_end else ""

    def matches(self, info: Info) -> bool:
        """Return whether the pattern matches this file or directory."""
        return self.means(info["name"], is_directory=info["type"] == "directory")

    def means(self, path: str, *, is_directory: bool) -> bool:
        """Return whether the pattern matches this path."""
        name = path + self._slash if is_directory else path
        return name.endswith(self._end) and self._glob.matches(name)

    def may_mean_above(self, path: str) -> bool:
        """Return False where the pattern can match none of the directories above a path, without a check of each."""
        return self._above in path


class Search:
    """The search for the matches of one pattern in one bucket."""

    def __init__(self, bucket: Bucket, threads: Pool, pattern: Pattern) -> None:
        self._bucket = bucket
        self._threads = threads
        self._pattern = pattern

    def matches(self) -> dict[str, Info]:
        """Return the files and directories that match, by name. A file wins over a directory of its name."""
        found = self._from(self._pattern.base, self._pattern.parts)
        infos = {info["name"]: info for info in sorted(found, key=itemgetter("type"))}
        return {name: infos[name] for name in sorted(infos) if self._pattern.matches(infos[name])}

    def _below(self, path: str, parts: list[str]) -> list[Info]:
        """Return what may match below a directory. `parts` are the last components of the pattern."""
        part, *rest = parts
        if part == "**":
            return self._flat(path, directory.pages(self._bucket, self._bucket.space.prefix(path)))
        if not has_magic(part):
            below = path.rstrip("/") + "/" + part
            return self._from(below, rest) if rest else self._named(below)
        if not rest:
            return directory.children(self._bucket, path) or []
        return self._level(path, part, rest)

    def _from(self, path: str, parts: list[str]) -> list[Info]:
        """Return the same as `_below`, for a directory that no listing has shown. It may be a file, too."""
        found = self._below(path, parts)
        return [*found, *self._named(path)] if set(parts) == {"**"} and path != "/" and found else found

    def _level(self, path: str, part: str, rest: list[str]) -> list[Info]:
        """Return what may match below the children that match.

        List each of these children by itself, or all of them at once where that takes fewer requests.
        """
        pages = directory.pages(self._bucket, self._bucket.space.prefix(path))
        first = next(pages, NOTHING)
        if first.last:
            return self._flat(path, [first])
        infos = directory.children(self._bucket, path) or []
        child = GlobPattern(part)
        wanted = [info for info in infos if child.matches(info["name"].rpartition("/")[2])]
        directories = [info["name"] for info in wanted if info["type"] == "directory"]
        if len(infos) / self._count_children(path, first) < len(directories):
            return self._flat(path, chain([first], pages))
        below = self._threads.map(lambda child: self._below(child, rest), directories)
        return [*(info for info in wanted if info["type"] == "file"), *chain(*below)]

    def _count_children(self, path: str, page: Page) -> int:
        """Return how many children of a directory have keys on a page."""
        at = len(self._bucket.space.prefix(path))
        return len({item.key[at:].partition("/")[0] for item in page.objects})

    def _named(self, path: str) -> list[Info]:
        """Return the file or directory that a pattern ends with by its name. The info is a listing's, not a HEAD's."""
        key, prefix = self._bucket.space.key(path), self._bucket.space.prefix(path)
        found = [item for page in self._bucket.list(key, limit=1) for item in page.objects]
        if found and found[0].key == key:
            return [directory.file(path, found[0])]
        below = found and (found[0].key.startswith(prefix) or directory.exists_below(self._bucket, path))
        return [directory.directory(path)] if below else []

    def _flat(self, path: str, pages: Iterable[Page]) -> list[Info]:
        """Return what matches of a directory and of all that lies below it. Make infos only for the matches."""
        means, tells_apart = self._pattern.means, self._pattern.tells_directories_apart
        files: dict[str, Info] = {}
        others: set[str] = set()
        directories = {path} if path == "/" else set()
        for page in pages:
            if page.objects:
                directories.add(path)  # its own marker, which is not named, counts
            for below, item in directory.named(self._bucket, path, [page]):
                if below is None or item.key[-1] == "/":
                    above = below = directory.directory_above(self._bucket, item.key)
                else:
                    above = parent(below)
                    if means(below, is_directory=False):
                        files[below] = directory.file(below, item)
                    elif tells_apart:
                        others.add(below)
                while above not in directories and self._pattern.may_mean_above(below + "/"):
                    directories.add(above)
                    above = parent(above)
        only = directories - files.keys() - others
        return [*files.values(), *(directory.directory(name) for name in only if means(name, is_directory=True))]
