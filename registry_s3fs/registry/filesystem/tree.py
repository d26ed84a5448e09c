"""The entries of an image or artifact as a tree: folders, what is in them, and what links lead to. Pure.

Links are resolved as a process would whose root is the image: an absolute one begins at its top, and ``..`` at the top
stays there. So nothing outside the image can be named.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping

from registry_s3fs import errors
from registry_s3fs.registry.layers.entries import MAX_ENTRIES, MAX_TEXT_BYTES, LayerEntry

MAX_LINKS = 40
"""The most links on the way to a file, as in Linux."""
_MAX_STEPS = 10_000
"""The most components on the way to a file, with those of all links."""


class Tree:
    """Entries by path.

    >>> file = LayerEntry("a/b", "file", 1, 0o644, 0, 0, 0.0, None, None, "sha256:...", 0)
    >>> tree = Tree([file])
    >>> tree.names(""), tree.entry("a").kind, tree.follow("a/../a/./b").path
    (['a'], 'directory', 'a/b')

    Args:
        entries: The entries, of which a later one of the same path replaces an earlier one. An entry below one that is
            no folder cannot be reached.
        name: What errors call the image or artifact.
        roots: Folders at the top that links do not lead out of: each is the root of its own image.

    Raises:
        LayerError: There are more than fit, with the folders that only paths tell of.
    """

    def __init__(self, entries: Iterable[LayerEntry], name: str = "", roots: frozenset[str] = frozenset()) -> None:
        self._name = name
        self._roots = roots
        self._entries: dict[str, LayerEntry] = {"": LayerEntry("", "directory")}
        self._names: dict[str, list[str]] = {}
        self._text = 0
        for entry in entries:
            self._add(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def _add(self, entry: LayerEntry) -> None:
        path = entry.path
        is_new = path not in self._entries
        self._entries[path] = entry
        while is_new and path:
            self._count(path)
            above, _, name = path.rpartition("/")
            self._names.setdefault(above, []).append(name)
            is_new = above not in self._entries
            if is_new:
                self._entries[above] = LayerEntry(above, "directory")
            path = above

    def _count(self, path: str) -> None:
        self._text += len(path)
        if len(self._entries) > MAX_ENTRIES + len(self._roots) + 1 or self._text > MAX_TEXT_BYTES:
            what = f"{MAX_ENTRIES} entries, or paths of over {MAX_TEXT_BYTES} characters"
            raise errors.bad_layer(f"its archives have over {what}, with the folders that they are in")

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, in the order in which they came. The path has no links in it."""
        return list(self._names.get(path, ()))

    def entry(self, path: str) -> LayerEntry:
        """Return the entry at a path that has no links in it, which must exist."""
        return self._entries[path]

    def follow(self, path: str, *, last: bool = True) -> LayerEntry:
        """Return what a path leads to. Links on the way are followed.

        Args:
            path: Any path.
            last: Whether a link at its end is followed, too.

        Raises:
            FileNotFoundError: It leads nowhere.
            NotADirectoryError: It leads through a file.
            OSError: (ELOOP) It leads through too many links, or in a circle.
        """
        waiting = path.split("/")[::-1]
        at, links = "", 0
        for _ in range(_MAX_STEPS):
            if not waiting:
                return self._entries[at]
            name = waiting.pop()
            if name == "..":
                at = at if at in self._roots else at.rpartition("/")[0]
            elif name not in ("", "."):
                entry = self._child(at, name, path)
                if entry.kind == "symlink" and (waiting or last):
                    links += 1
                    if links > MAX_LINKS:
                        break
                    target = entry.link_target or ""
                    at = self._root_of(at) if target.startswith("/") else at
                    waiting += target.split("/")[::-1]
                else:
                    at = entry.path
        raise OSError(errno.ELOOP, f"it leads through more than {MAX_LINKS} links", self._full(path))

    def _root_of(self, path: str) -> str:
        top = path.partition("/")[0]
        return top if top in self._roots else ""

    def _child(self, folder: str, name: str, asked: str) -> LayerEntry:
        if self._entries[folder].kind != "directory":
            raise errors.not_directory(self._full(asked))
        found = self._entries.get(f"{folder}/{name}" if folder else name)
        if found is None:
            raise errors.missing(self._full(asked))
        return found

    def _full(self, path: str) -> str:
        return f"{self._name}/{path}" if path else self._name


def children(tree: Tree, path: str) -> Mapping[str, LayerEntry]:
    """Return the entries in a folder by name; links in it are not followed.

    Raises:
        OSError: As `Tree.follow`, or it is no folder.
    """
    at = tree.follow(path).path
    return {name: tree.entry(f"{at}/{name}" if at else name) for name in tree.names(at)}
