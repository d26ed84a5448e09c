"""The layers of an image, applied one after the other as the OCI image-spec says (layer.md), become one tree. Pure.

Where the specification is silent, the tree is umoci's. A folder's entry in an upper layer replaces its owner, mode and
time, and leaves what is in it. Any other entry replaces whatever was there. An entry below a symbolic link lies where
that leads inside the image. Folders without an entry belong to root, with mode 0755.
"""

from __future__ import annotations

from collections.abc import Iterable

from registry_s3fs import errors
from registry_s3fs.registry.layers.entries import MAX_ENTRIES, MAX_TEXT_BYTES, LayerEntry
from registry_s3fs.registry.layers.names import check_length

WHITEOUT = ".wh."
"""``.wh.NAME`` hides NAME of lower layers."""
AUFS = ".wh..wh."
"""Other names that begin so are of AUFS, and are never shown."""
OPAQUE = ".wh..wh..opq"
"""It hides all that lower layers have in its folder, wherever it stands in its own layer."""
_MAX_STEPS = 4096
"""The most names that are gone through to find where a folder is."""


def merge(layers: Iterable[Iterable[LayerEntry]]) -> list[LayerEntry]:
    """Return the entries of an image, sorted by their paths. Folders have entries though no layer has.

    A hard link to a file has size, mode, owner, time and bytes of its target, as it was when the link was made. A hard
    link to another link or a device becomes one itself. One to nothing has no blob.

    >>> base = [LayerEntry("etc/passwd", "file"), LayerEntry("tmp/x", "file")]
    >>> [entry.path for entry in merge([base, [LayerEntry("etc/.wh.passwd", "file")]])]
    ['etc', 'tmp', 'tmp/x']

    Args:
        layers: The entries of each layer, the base first.

    Raises:
        LayerError: There are more entries than an image may have, or links that go in circles.
    """
    root = _Root()
    for layer in layers:
        root.apply(layer)
    return root.entries()


def is_marker(path: str) -> bool:
    """Return whether a path of a layer is a whiteout, or below one, and so is no file of the image.

    >>> is_marker("etc/.wh.passwd"), is_marker(".wh..wh.plnk/1"), is_marker("etc/a.wh.b")
    (True, True, False)
    """
    return WHITEOUT in path and any(part.startswith(WHITEOUT) for part in path.split("/"))


class _Root:
    """The tree as it is after some layers. No path in it leads through a symbolic link."""

    def __init__(self) -> None:
        self._entries: dict[str, LayerEntry] = {}
        self._folders: dict[str, set[str]] = {"": set()}
        """The names in each folder."""
        self._touched: set[str] = set()
        """What this layer has put there, and the folders that this is in: no whiteout of this layer hides it."""
        self._text = 0

    def entries(self) -> list[LayerEntry]:
        return [self._entries[path] for path in sorted(self._entries)]

    def apply(self, layer: Iterable[LayerEntry]) -> None:
        self._touched = {""}
        for entry in layer:
            if is_marker(entry.path):
                self._apply_marker(entry.path)
            else:
                self._apply_entry(entry)

    def _apply_marker(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        if is_marker(folder) or (name.startswith(AUFS) and name != OPAQUE):
            return
        folder = self._real_folder(folder)
        if name == OPAQUE:
            self._hide([_join(folder, child) for child in self._folders.get(folder, ())])
        elif name[len(WHITEOUT) :] not in ("", ".", ".."):
            self._hide([_join(folder, name[len(WHITEOUT) :])])

    def _apply_entry(self, entry: LayerEntry) -> None:
        folder, _, name = entry.path.rpartition("/")
        real = self._real_folder(folder)
        path = entry.path if real == folder else _join(real, name)
        if entry.kind == "hardlink":
            entry = self._linked(entry)
            if entry.link_target == path and entry.kind == "hardlink":  # to itself
                return
        self._make_folders(real)
        self._put(entry if entry.path == path else entry._replace(path=path))

    def _linked(self, link: LayerEntry) -> LayerEntry:
        """Return a hard link with what is its target's. Its own owner, mode and time count for nothing."""
        folder, _, name = (link.link_target or "").rpartition("/")
        path = _join(self._real_folder(folder), name)
        target = self._entries.get(path)
        if target is None or target.kind == "directory":
            return link._replace(link_target=path)
        if target.kind in ("file", "hardlink"):
            return target._replace(path=link.path, kind="hardlink", link_target=path)
        return target._replace(path=link.path)

    def _put(self, entry: LayerEntry) -> None:
        path = entry.path
        old = self._entries.get(path)
        if old is not None and not (old.kind == "directory" and entry.kind == "directory"):
            self._remove(path)
            old = None
        if old is None:
            self._count(path)
        self._entries[path] = entry
        folder, _, name = path.rpartition("/")
        self._folders[folder].add(name)
        if entry.kind == "directory":
            self._folders.setdefault(path, set())
        while path not in self._touched:
            self._touched.add(path)
            path = path.rpartition("/")[0]

    def _count(self, path: str) -> None:
        self._text += len(path)
        if len(self._entries) >= MAX_ENTRIES or self._text > MAX_TEXT_BYTES:
            what = f"{MAX_ENTRIES} entries, or paths of over {MAX_TEXT_BYTES} characters"
            raise errors.bad_layer(f"with this layer, the image has over {what}")

    def _make_folders(self, folder: str) -> None:
        missing = []
        while folder not in self._folders:
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        for path in reversed(missing):
            self._put(LayerEntry(path, "directory"))

    def _hide(self, paths: list[str]) -> None:
        """Remove what lower layers have at some paths and below."""
        while paths:
            path = paths.pop()
            if path not in self._touched:
                self._remove(path)
            else:
                paths += [_join(path, name) for name in self._folders.get(path, ())]

    def _remove(self, path: str) -> None:
        """Remove what is at a path and below."""
        folder, _, name = path.rpartition("/")
        self._folders.get(folder, set()).discard(name)
        paths = [path]
        while paths:
            path = paths.pop()
            if self._entries.pop(path, None) is not None:
                self._text -= len(path)
            paths += [f"{path}/{name}" for name in self._folders.pop(path, ())]

    def _real_folder(self, folder: str) -> str:
        """Return where a folder is, links resolved inside the image. What is missing is taken for a folder."""
        if folder in self._folders:
            return folder
        real = ""
        names = folder.split("/")[::-1]
        steps = 0
        while names:
            steps += 1
            if steps > _MAX_STEPS:
                raise errors.bad_layer(f"the links on the way to {folder[:80]!r} go in circles")
            real = self._step(real, names)
        check_length(real)
        return real

    def _step(self, folder: str, names: list[str]) -> str:
        """Take the last of the names, and return the folder that it leads to. A link's target adds its names."""
        name = names.pop()
        if name in ("", "."):
            return folder
        if name == "..":
            return folder.rpartition("/")[0]
        path = _join(folder, name)
        entry = self._entries.get(path)
        if entry is None or entry.kind != "symlink":
            return path
        target = entry.link_target or ""
        names += target.split("/")[::-1]
        return "" if target.startswith("/") else folder


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
