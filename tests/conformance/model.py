"""What a filesystem on S3 should show and do, told by a dictionary of keys. Slow, and simple enough to believe."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

Pairs = dict[str, str]


class Model:
    """Keys below rootdirectory, each with a leading slash, and their bytes.

    Among them markers, which end in a slash, and those that no path can name, such as ``/a//b``.
    """

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}

    @property
    def files(self) -> dict[str, bytes]:
        return {key: data for key, data in self.keys.items() if nameable(key[1:].split("/"))}

    def kind(self, path: str) -> str | None:
        if path in self.files:
            return "file"
        return "directory" if path == "/" or self.below(path) else None

    def below(self, path: str) -> list[str]:
        """Keys of a directory, markers and nameless ones too."""
        return [key for key in self.keys if key.startswith(path.rstrip("/") + "/")]

    def tree(self) -> dict[str, str]:
        """Every path that exists, and its kind; a file wins."""
        parts = [key[1:].split("/") for key in self.keys]
        parents = ["/" + "/".join(each[:n]) for each in parts for n in range(1, len(each)) if nameable(each[:n])]
        return {"/": "directory", **dict.fromkeys(parents, "directory"), **dict.fromkeys(self.files, "file")}

    def ls(self, path: str) -> list[tuple[str, str]] | None:
        """Names and kinds, a file before or after the directory of its name; None where there is nothing."""
        start = path.rstrip("/") + "/"
        if not self.below(path):
            return [(path, "file")] if path in self.files else [] if path == "/" else None
        found = set()
        for key in self.below(path):
            name, slash, _ = key[len(start) :].partition("/")
            if nameable([name]):
                found.add((start + name, "directory" if slash else "file"))
        return sorted(found)

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False) -> list[str]:
        start = path.rstrip("/") + "/"
        return sorted(
            name
            for name, kind in self.tree().items()
            if (withdirs or kind == "file")
            and (name == path or (name.startswith(start) and name != "/"))
            and (maxdepth is None or name == path or name[len(start) :].count("/") < maxdepth)
        )

    def glob(self, pattern: str) -> list[str]:
        wanted = pattern[1:].split("/")
        return sorted(name for name, kind in self.tree().items() if matches(wanted, components(name), kind))

    def copies(self, source: str, target: str, *, recursive: bool) -> Pairs:
        """Which file a copy reads and which one it writes. Into a directory that exists, it keeps its name."""
        taken = self.find(source) if recursive else [source]
        return {name: self.lands(name, source, target) for name in taken}

    def markers(self, source: str, target: str) -> Pairs:
        """The markers that go along with a tree that moves; not those of directories that a file hides."""
        tree = self.tree()
        taken = [key for key in self.below(source) if key.endswith("/") and tree.get(key[:-1]) == "directory"]
        return {key: self.lands(key, source, target) for key in taken}

    def lands(self, name: str, source: str, target: str) -> str:
        kept = source.rpartition("/")[0] if self.kind(target) == "directory" else source
        return target.rstrip("/") + name[len(kept) :]


def components(path: str) -> list[str]:
    return path[1:].split("/") if path != "/" else []


def nameable(parts: Sequence[str]) -> bool:
    return not {"", ".", ".."} & set(parts)


def matches(pattern: Sequence[str], parts: Sequence[str], kind: str) -> bool:
    """fsspec's patterns: ``**`` is any number of directories, and at the end a directory and all below it."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(parts) or kind == "directory"
        return any(matches(pattern[1:], parts[n:], kind) for n in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and matches(pattern[1:], parts[1:], kind)


def overlap(pairs: Pairs) -> bool:
    """Whether a file that is read is written too, from another one."""
    return any(target in pairs and target != source for source, target in pairs.items())
