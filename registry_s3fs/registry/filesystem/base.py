"""What all parts of `RegistryFileSystem` share: the options, the registry, and the paths."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from registry_s3fs.registry.catalog import Catalog
from registry_s3fs.registry.filesystem import paths
from registry_s3fs.registry.filesystem.contents import Contents
from registry_s3fs.registry.filesystem.read_only import ReadOnlyFileSystem
from registry_s3fs.registry.filesystem.underlying import find_root, open_underlying
from registry_s3fs.registry.filesystem.views import VIEWS, View
from registry_s3fs.registry.layers.store import Layers
from registry_s3fs.threads.fork import Guard

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_POSITIONAL = ("fo", "target_protocol", "target_options", "fs", "root", "view", "platform", "cache")


class OnRegistry(ReadOnlyFileSystem):
    """A filesystem on a registry in another filesystem. `RegistryFileSystem` documents the options."""

    protocol = paths.PROTOCOL
    root_marker = ""

    def __init__(
        self,
        fo: str | None = None,
        target_protocol: str | None = None,
        target_options: Mapping[str, object] | None = None,
        fs: AbstractFileSystem | None = None,
        root: str | None = None,
        view: View = "auto",
        platform: str | None = None,
        cache: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if view not in VIEWS:
            raise ValueError(f"{view!r} is no view; give one of {', '.join(VIEWS)}")
        self.view = view
        self.platform = platform
        self.fs, self._folder = open_underlying(fo, target_protocol, target_options, fs)
        self._root = root
        self._cache = cache
        self._contents: Contents | None = None
        self._guard = Guard()

    @property
    def catalog(self) -> Catalog:
        """The registry's contents, which tell of its digests, too.

        Raises:
            NotInRegistryError: There is no registry.
        """
        return self.contents.catalog

    @property
    def contents(self) -> Contents:
        """The images and artifacts of the registry, and what is known of them.

        Raises:
            NotInRegistryError: There is no registry.
        """
        with self._guard.lock:
            if self._contents is None:
                root = self._root or find_root(self.fs, self._folder)
                layers = Layers(self.fs, root, self._cache)
                self._contents = Contents(Catalog(self.fs, root), layers, self.view, self.platform)
            return self._contents

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Return the same dict as fsspec does. Without passwords, it has none of the underlying filesystem either."""
        found: dict[str, Any] = super().to_dict(include_password=include_password)
        if include_password:
            return found
        below = self.fs.to_dict(include_password=False)
        named = zip(_POSITIONAL, found.pop("args", ()), strict=False)
        found = {**found, "args": [], **dict(named)}
        if found.get("fs") is not None:
            found["fs"] = below
        if found.get("target_options"):
            found["target_options"] = {
                name: below[name] for name in found["target_options"] if name in below and name != "protocol"
            }
        return found

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        found = super()._strip_protocol(path)
        return found if isinstance(found, list) else found.strip("/")

    @classmethod
    def _parent(cls, path: str) -> str:
        return paths.parent(cls._strip_protocol(path))

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget what tags meant, so that the next call looks again. The underlying filesystem forgets, too."""
        if self._contents is not None:
            self._contents.forget()
        self.fs.invalidate_cache()
