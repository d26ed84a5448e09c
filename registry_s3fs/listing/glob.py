"""The matches of a pattern, from listings of only those prefixes that can hold some."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from glob import has_magic
from itertools import chain, starmap, takewhile
from operator import itemgetter

from registry_s3fs.listing import directory, next_pages
from registry_s3fs.listing.tree import MOST_AT_ONCE, NOTHING, Subtree, Tree, depth
from registry_s3fs.model.glob_pattern import GlobPattern
from registry_s3fs.model.info import Info
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.listing_responses import Listing


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
        self.within = self._end.rstrip("/") + "/" if literal_end else ""
        """What every path holds below a directory that matches."""

    def matches(self, info: Info) -> bool:
        """Return whether the pattern matches this file or directory."""
        return self.means(info["name"], is_directory=info["type"] == "directory")

    def means(self, path: str, *, is_directory: bool) -> bool:
        """Return whether the pattern matches this path."""
        name = path + self._slash if is_directory else path
        return name.endswith(self._end) and self._glob.matches(name)


class Search:
    """The search for the matches of one pattern in one bucket."""

    def __init__(self, bucket: Bucket, pattern: Pattern) -> None:
        self._bucket = bucket
        self._pattern = pattern
        self._children = [GlobPattern(part) for part in pattern.parts]
        ends_in_children = has_magic(pattern.parts[-1]) and pattern.parts[-1] != "**"
        deepest = depth(pattern.base) + len(pattern.parts) - 1
        self._tree = Tree(bucket, pattern.base, self._following, deepest if ends_in_children else None, MOST_AT_ONCE)
        self._found: list[Info] = []
        self._large: list[str] = []
        """The directories below which everything is to be listed."""
        self._names: list[str] = []
        """The paths of which is to be asked whether they exist."""
        self._perhaps_files: list[str] = []
        """The directories that match, as would a file of the same name that no listing has shown."""

    def matches(self) -> dict[str, Info]:
        """Return the files and directories that match, by name. A file wins over a directory of its name."""
        self._search(self._pattern.base)
        listings = {path: Listing(self._bucket.space.prefix(path)) for path in self._large}
        begun = next_pages.begun_in_turn(self._bucket, listings)
        found = [*self._found, *chain.from_iterable(starmap(self._all_below, begun))]
        directories = {info["name"] for info in found} - {"/"}
        names = [*self._names, *(path for path in self._perhaps_files if path in directories)]
        found += chain.from_iterable(self._bucket.pool.map(self._named, names))
        infos = {info["name"]: info for info in sorted(found, key=itemgetter("type"))}
        return {name: infos[name] for name in sorted(infos) if self._pattern.matches(infos[name])}

    def _search(self, path: str) -> None:
        """Collect what may match at or below a path."""
        rest = self._pattern.parts[self._at(path) :]
        if not rest:
            self._names.append(path)
        elif rest[0] == "**":
            self._search_all(path)
        else:
            self._search_children(path, is_last=len(rest) == 1)

    def _search_all(self, path: str) -> None:
        self._large.append(path)
        at = self._at(path)
        was_listed = at and has_magic(self._pattern.parts[at - 1])
        if not was_listed and set(self._pattern.parts[at:]) == {"**"}:
            self._perhaps_files.append(path)

    def _search_children(self, path: str, *, is_last: bool) -> None:
        found = self._tree.look(path)
        if isinstance(found, Subtree):
            self._found += self._flat(path, found.objects)
            return
        matching = self._matching(path, found or [])
        self._found += matching if is_last else [info for info in matching if info["type"] == "file"]
        if is_last:
            return
        literal, following = self._literal(path)
        for info in matching:
            if info["type"] == "directory":
                subtree = None if following else self._tree.whole(info["name"])
                if subtree is None:
                    self._search(info["name"] + literal)
                else:
                    self._found += self._flat(info["name"], subtree.objects)

    def _at(self, path: str) -> int:
        """Return the number of the pattern's part that the children of a directory have to match."""
        return depth(path) - depth(self._pattern.base)

    def _matching(self, path: str, infos: list[Info]) -> list[Info]:
        """Return those children of a directory that match their part of the pattern."""
        part = self._children[self._at(path)]
        return [info for info in infos if part.matches(info["name"].rpartition("/")[2])]

    def _following(self, path: str, infos: list[Info]) -> list[str]:
        """Return the directories that the search may look at below a directory."""
        directories = [info["name"] for info in self._matching(path, infos) if info["type"] == "directory"]
        literal, following = self._literal(path)
        return [name + literal if following else name for name in directories]

    def _literal(self, path: str) -> tuple[str, bool]:
        """Return the literal parts of the pattern that follow a child of a directory.

        Return also whether what lies there is to be looked at: neither a name is asked for there, nor everything.
        """
        rest = self._pattern.parts[self._at(path) + 1 :]
        literal = list(takewhile(lambda each: not has_magic(each), rest))
        following = rest[len(literal) :]
        return "".join(f"/{part}" for part in literal), bool(following) and following[0] != "**"

    def _all_below(self, path: str, begun: directory.Begun) -> list[Info]:
        """Return what matches of a directory and of all that lies below it."""
        pages = directory.pages(self._bucket, self._bucket.space.prefix(path), begun=begun)
        return self._flat(path, (item for page in pages for item in page.objects))

    def _named(self, path: str) -> list[Info]:
        """Return the file or directory that a pattern ends with by its name. The info is a listing's, not a HEAD's."""
        key, prefix = self._bucket.space.key(path), self._bucket.space.prefix(path)
        if not self._bucket.key_order.is_by_bytes:
            return self._named_in_any_order(path, key, prefix)
        found = [item for page in self._bucket.list(key, limit=1) for item in page.objects]
        if found and found[0].key == key:
            return [directory.file(path, found[0])]
        below = found and (found[0].key.startswith(prefix) or directory.exists_below(self._bucket, path))
        return [directory.directory(path)] if below else []

    def _named_in_any_order(self, path: str, key: str, prefix: str) -> list[Info]:
        """Return the same where the key need not be the first that begins like it. Among many, a HEAD finds it."""
        page = next(self._bucket.list(key, "/"), NOTHING)
        if found := next((item for item in page.objects if item.key == key), None):
            return [directory.file(path, found)]
        if not page.last:  # many names begin like it
            with suppress(FileNotFoundError):
                return [directory.file(path, self._bucket.head(key))]
        is_directory = prefix in page.prefixes or (not page.last and directory.exists_below(self._bucket, path))
        return [directory.directory(path)] if is_directory else []

    def _flat(self, path: str, listed: Iterable[ObjectInfo]) -> list[Info]:
        """Return what matches of a directory and of all that lies below it. Make infos only for the matches."""
        means, tells_apart = self._pattern.means, self._pattern.tells_directories_apart
        files: dict[str, Info] = {}
        others: set[str] = set()
        directories = {path} if path == "/" and means(path, is_directory=True) else set()  # it is there without a key
        for name, item in directory.entries(self._bucket, path, listed, self._pattern.within):
            if item is None:
                if means(name, is_directory=True):
                    directories.add(name)
            elif means(name, is_directory=False):
                files[name] = directory.file(name, item)
            elif tells_apart:
                others.add(name)
        only = directories - files.keys() - others
        return [*files.values(), *map(directory.directory, only)]
