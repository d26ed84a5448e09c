"""Who lists and reads a registry: this process, or others for it.

The rules are elsewhere. What is here decides only which share of the registry is listed or read at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from registry_s3fs.registry.configs import ImageConfig, read_configs
from registry_s3fs.registry.contents import ManifestsRead, read_manifests
from registry_s3fs.registry.entries import listed
from registry_s3fs.registry.progress import Progress
from registry_s3fs.registry.reading import File, read_files
from registry_s3fs.registry.s3_inventory import Report
from registry_s3fs.registry.scan import Scan, scan_pages

if TYPE_CHECKING:
    import pyarrow as pa
    from fsspec import AbstractFileSystem


class Workers(Protocol):
    """Who lists and reads a registry."""

    def scan(self, report: Report | None, progress: Progress) -> Scan:
        """Return what a listing of the registry tells, or a report in its place."""

    def files(self, files: list[File], max_bytes: int) -> Iterator[tuple[str, bytes | OSError]]:
        """Yield what `reading.read_files` yields."""

    def manifests(self, wanted: set[str], blobs: pa.Table, progress: Progress) -> Iterable[ManifestsRead]:
        """Yield what `contents.read_manifests` returns, in one part or several."""

    def configs(self, sizes: list[tuple[str, int]], progress: Progress) -> dict[str, ImageConfig]:
        """Return what `configs.read_configs` returns."""


class ThisProcess:
    """This process does all of it.

    Args:
        fs: The filesystem.
        root: The registry's root in it.
    """

    def __init__(self, fs: AbstractFileSystem, root: str) -> None:
        self._fs = fs
        self._root = root

    def scan(self, report: Report | None, progress: Progress) -> Scan:
        """Return what a listing of the registry tells, or a report in its place."""
        pages = listed(self._fs, self._root) if report is None else report.entries(self._fs, self._root)
        return scan_pages(self._root, pages, progress)

    def files(self, files: list[File], max_bytes: int) -> Iterator[tuple[str, bytes | OSError]]:
        """Yield what `reading.read_files` yields."""
        return read_files(self._fs, files, max_bytes)

    def manifests(self, wanted: set[str], blobs: pa.Table, progress: Progress) -> Iterable[ManifestsRead]:
        """Yield what `contents.read_manifests` returns, in one part."""
        yield read_manifests(self._fs, self._root, wanted, blobs, progress)

    def configs(self, sizes: list[tuple[str, int]], progress: Progress) -> dict[str, ImageConfig]:
        """Return what `configs.read_configs` returns."""
        return read_configs(self._fs, self._root, sizes, progress)
