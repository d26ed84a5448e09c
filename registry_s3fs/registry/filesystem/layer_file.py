"""A file in a layer, open for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from registry_s3fs.registry.layers.entries import LayerEntry

if TYPE_CHECKING:
    from registry_s3fs.registry.filesystem.base import OnRegistry

BLOCK_BYTES = 1024 * 1024


class LayerFile(AbstractBufferedFile):
    """A file in a layer. It is read in blocks, ahead of what is asked for.

    Args:
        fs: The filesystem.
        path: The path by which it was opened.
        entry: The file.
        size: Not used. Copies of open files and fsspec's block caches give it, and the entry has it.
        **kwargs: As fsspec has them: `block_size`, `cache_type`, `cache_options`.
    """

    DEFAULT_BLOCK_SIZE = BLOCK_BYTES

    def __init__(self, fs: OnRegistry, path: str, entry: LayerEntry, size: int | None = None, **kwargs: Any) -> None:
        self._entry = entry
        super().__init__(fs, path, "rb", size=entry.size, **kwargs)

    def _fetch_range(self, start: int, end: int) -> bytes:
        found: bytes = self.fs.contents.layers.read(self._entry, start, end)
        return found
