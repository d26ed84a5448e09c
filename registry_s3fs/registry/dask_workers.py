"""Processes on other machines list and read a registry, each its share: those of a cluster of dask.distributed.

Folders are listed side by side. What a worker lists of blobs stays with it: manifests whose digests begin with the same
byte are read there, so that a manifest meets its blob, and its references, without a move. Each task depends on nothing
but its arguments, so dask runs it again, elsewhere, where a worker goes.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from distributed import as_completed

from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import Blob
from registry_s3fs.registry.configs import ImageConfig, read_configs
from registry_s3fs.registry.contents import ManifestsRead, read_manifests
from registry_s3fs.registry.entries import Entry, listed
from registry_s3fs.registry.prefixes import byte_folder, folders_below
from registry_s3fs.registry.progress import Progress, silent
from registry_s3fs.registry.reading import File, read_files
from registry_s3fs.registry.s3_inventory import Report
from registry_s3fs.registry.scan import Scan, scan_pages

if TYPE_CHECKING:
    from distributed import Client, Future
    from fsspec import AbstractFileSystem

T = TypeVar("T")

FILES_PER_TASK = 1000
"""So many links are read by one task: enough for all of a worker's connections."""
MAX_TASKS = 1000
"""At most so many tasks list the folders of repositories: dask's scheduler takes about a millisecond for each."""


class DaskWorkers:
    """The workers of a cluster, as `workers.Workers`.

    Args:
        client: The client of the cluster.
        fs: The filesystem. Its options travel to the workers, those that are secret too.
        root: The registry's root in it.
    """

    def __init__(self, client: Client, fs: AbstractFileSystem, root: str) -> None:
        self._client = client
        self._fs = fs
        self._root = root
        self._listed: dict[str, Future] = {}
        """What is known of each folder of blobs whose digests begin with the same byte, and stays with a worker."""

    def scan(self, report: Report | None, progress: Progress) -> Scan:
        """Return what a listing of the registry tells, or a report in its place."""
        if report is not None:
            return self._scanned(_scan_report, [(report, key) for key in report.files], Scan(self._root), progress)
        found = folders_below(self._fs, self._root)
        folders = [[folder] for folder in found.bytes] + _shares(found.others, MAX_TASKS)
        met = scan_pages(self._root, [found.files], progress)
        return self._scanned(_scan_folders, [(each,) for each in folders], met, progress, found.bytes)

    def files(self, files: list[File], max_bytes: int) -> Iterator[tuple[str, bytes | OSError]]:
        """Yield what `reading.read_files` yields, in the same order."""
        batches = (files[first : first + FILES_PER_TASK] for first in range(0, len(files), FILES_PER_TASK))
        futures = self._started(_read_files, [(batch, max_bytes) for batch in batches])
        while futures:
            yield from futures.pop(0).result()

    def manifests(self, wanted: set[str], blobs: pa.Table, progress: Progress) -> Iterator[ManifestsRead]:
        """Yield what `contents.read_manifests` returns, in a part for each first byte of the digests.

        The first time, they are read where their blobs were listed. Later, few are: those of blobs that were looked
        at once more.
        """
        listed_there, self._listed = self._listed, {}
        done = 0
        by_folder = self._by_folder(wanted)
        known = _among(blobs, wanted)
        tasks = [(each, listed_there.get(folder) or _among(known, each)) for folder, each in by_folder.items()]
        for part in self._run(_read_manifests, tasks):
            done += len(part.stored)
            progress("manifests", done, known.num_rows)
            yield part

    def configs(self, sizes: list[tuple[str, int]], progress: Progress) -> dict[str, ImageConfig]:
        """Return what `configs.read_configs` returns."""
        size_of = dict(sizes)
        tasks = [([(digest, size_of[digest]) for digest in each],) for each in self._by_folder(size_of).values()]
        found: dict[str, ImageConfig] = {}
        for part in self._run(_read_configs, tasks):
            found.update(part)
            progress("configs", len(found), len(sizes))
        return found

    def _by_folder(self, named: Iterable[str]) -> dict[str, list[str]]:
        """Return digests by the folder that their blobs are in. What is no digest has no blob."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for digest in sorted(filter(digests.is_digest, named)):
            found[byte_folder(Blob(digest).at(self._root))].append(digest)
        return dict(found)

    def _scanned(
        self,
        function: Callable[..., Scan],
        tasks: Sequence[tuple[object, ...]],
        scan: Scan,
        progress: Progress,
        kept: Sequence[str] = (),
    ) -> Scan:
        """Return a scan with what tasks have found. The results of the first tasks stay with the workers, too."""
        futures = self._started(function, tasks)
        self._listed = dict(zip(kept, futures, strict=False))
        for part in self._results(function, futures):
            scan.update(part)
            progress("listing", scan.sums.keys, None)
        return scan

    def _run(self, function: Callable[..., T], tasks: Sequence[tuple[object, ...]]) -> Iterator[T]:
        """Run tasks, and yield what they return, in the order in which they end."""
        return self._results(function, self._started(function, tasks))

    def _started(self, function: Callable[..., T], tasks: Sequence[tuple[object, ...]]) -> list[Future]:
        """Start a task for each tuple of arguments, which come after the filesystem and the root."""
        arguments = zip(*((self._fs, self._root, *task) for task in tasks), strict=True)
        # A task is no pure function of its arguments: it looks at a registry, and that changes.
        return list(self._client.map(function, *map(list, arguments), pure=False)) if tasks else []

    def _results(self, function: Callable[..., T], futures: Sequence[Future]) -> Iterator[T]:
        for _, result in as_completed(futures, loop=self._client.loop, with_results=True):
            yield result


def _shares(items: list[str], most: int) -> list[list[str]]:
    """Return items in at most so many shares of neighbours.

    >>> _shares(["a", "b", "c"], 2)
    [['a', 'b'], ['c']]
    """
    length = -(-len(items) // most)
    return [items[first : first + length] for first in range(0, len(items), length or 1)]


def _among(blobs: pa.Table, wanted: Iterable[str]) -> pa.Table:
    return blobs.filter(pc.is_in(blobs["digest"], value_set=pa.array(wanted, pa.string())))


# What a worker does


def _scan_folders(fs: AbstractFileSystem, root: str, folders: list[str]) -> Scan:
    pages = (page for folder in folders for page in _below(fs, folder))
    scan = scan_pages(root, pages, silent)
    if not scan.sums.keys and not fs.exists(root):
        raise FileNotFoundError(errno.ENOENT, "a worker of the cluster does not see the registry, which is here", root)
    return scan


def _below(fs: AbstractFileSystem, folder: str) -> Iterator[list[Entry]]:
    """Yield the files below a folder, without one of its own name that stands beside it in S3."""
    return ([each for each in page if each.path != folder] for page in listed(fs, folder))


def _scan_report(fs: AbstractFileSystem, root: str, report: Report, key: str) -> Scan:
    return scan_pages(root, report.entries_of(key, fs, root), silent)


def _read_files(
    fs: AbstractFileSystem, root: str, files: list[File], max_bytes: int
) -> list[tuple[str, bytes | OSError]]:
    return list(read_files(fs, files, max_bytes))


def _read_manifests(fs: AbstractFileSystem, root: str, wanted: list[str], stored: Scan | pa.Table) -> ManifestsRead:
    blobs = stored.blobs.table() if isinstance(stored, Scan) else stored
    return read_manifests(fs, root, wanted, blobs, silent)


def _read_configs(fs: AbstractFileSystem, root: str, sizes: list[tuple[str, int]]) -> dict[str, ImageConfig]:
    return read_configs(fs, root, sizes, silent)
