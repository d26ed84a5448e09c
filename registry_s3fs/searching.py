"""What lies below a path: `find`, `glob` and `du`, from one listing each."""

from __future__ import annotations

from typing import Any

from fsspec.utils import stringify_path

from registry_s3fs import listing
from registry_s3fs.base import OnBucket
from registry_s3fs.listing import Info
from registry_s3fs.records import ObjectInfo


class Searching(OnBucket):
    """fsspec's `find`, `glob` and `du`, on listings in parallel."""

    def find(
        self, path: Any, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> Any:
        """All files below a path, by name, and itself where it is a file; none where there is nothing."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._path(path)
        if maxdepth is None and not withdirs:
            found = self._files(path)
            names = sorted(found)
            return {name: listing.file(name, found[name]) for name in names} if detail else names
        infos = self._within(path, maxdepth)
        infos.update((path, itself) for itself in self._itself(path, withdirs=withdirs))
        names = sorted(name for name, info in infos.items() if withdirs or info["type"] != "directory")
        return {name: infos[name] for name in names} if detail else names

    def _files(self, path: str) -> dict[str, ObjectInfo]:
        found = listing.files(self.bucket, path)
        try:
            if path != "/":
                found[path] = self.bucket.head(self._key(path), explain=False)
        except FileNotFoundError:
            pass
        return found

    def _within(self, path: str, maxdepth: int | None) -> dict[str, Info]:
        """Files and directories at most so many levels below."""
        if maxdepth == 1:
            return {info["name"]: info for info in listing.children(self.bucket, path) or []}
        infos = listing.descendants(self.bucket, path)
        levels = path.rstrip("/").count("/") + (maxdepth or 0)
        return {name: info for name, info in infos.items() if maxdepth is None or name.count("/") <= levels}

    def _itself(self, path: str, *, withdirs: bool) -> list[Info]:
        if path == "/":
            return [listing.directory(path)] if withdirs else []
        try:
            return [self.info(path) if withdirs else self.file_info(path, explain=False)]
        except FileNotFoundError:
            return []

    def glob(self, path: Any, maxdepth: int | None = None, **kwargs: Any) -> Any:
        """Paths that match a pattern, as fsspec's."""
        self._path(path)
        return super().glob(stringify_path(path), maxdepth=maxdepth, **kwargs)

    def du(
        self, path: Any, total: bool = True, maxdepth: int | None = None, withdirs: bool = False, **kwargs: Any
    ) -> Any:
        """Bytes below a path, from one listing; with ``total=False`` of each file."""
        found = self.find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True)
        sizes = {name: info["size"] for name, info in found.items()}
        return sum(sizes.values()) if total else sizes
