"""Blobs by their digests, of a registry or of a layout's folder, in any filesystem; and copies from one to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Protocol

from registry_s3fs import errors
from registry_s3fs.model import digests
from registry_s3fs.model.info import is_directory
from registry_s3fs.model.registry_layout import Blob
from registry_s3fs.registry.abilities import side_by_side
from registry_s3fs.registry.documents import MAX_BYTES
from registry_s3fs.registry.entries import size_in
from registry_s3fs.registry.progress import Progress
from registry_s3fs.registry.reading import read_files
from registry_s3fs.registry.verified import SMALL_BYTES, chunks, verified
from registry_s3fs.registry.writing import Writer

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

AT_ONCE = 1000
"""The number of manifests that are read in one call."""


class BlobSource(Protocol):
    """What blobs are read from."""

    fs: AbstractFileSystem

    def path(self, digest: str) -> str:
        """Return where a blob is, as errors name it."""
        ...

    def sizes(self, wanted: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those blobs that are there."""
        ...

    def chunks(self, digest: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of a blob."""
        ...

    def manifests(self, wanted: list[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """Yield the path of each manifest and its bytes, or why it is not read."""
        ...


class BlobFiles:
    """Blobs that are a file each.

    Args:
        fs: The filesystem.
        path: Returns the path of a blob.
    """

    def __init__(self, fs: AbstractFileSystem, path: Callable[[str], str]) -> None:
        self.fs = fs
        self.path = path
        self.writer = Writer(fs)

    def sizes(self, wanted: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those blobs that are there."""
        wanted = list(wanted)
        found = zip(wanted, side_by_side([self.fs], self._size, wanted), strict=True)
        return {digest: size for digest, size in found if size is not None}

    def chunks(self, digest: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of a blob."""
        return chunks(self.fs, self.path(digest), 0, size)

    def manifests(self, wanted: list[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """Yield the path of each manifest and its bytes, or why it is not read."""
        return read_files(self.fs, ((self.path(digest), None) for digest in wanted), MAX_BYTES)

    def store(self, digest: str, size: int, content: Iterable[bytes]) -> None:
        """Store a blob, whose bytes are compared with its digest as they are read."""
        if size <= SMALL_BYTES:
            self.writer.put(self.path(digest), b"".join(content))
        else:
            self.writer.publish(self.path(digest), content)

    def _size(self, digest: str) -> int | None:
        path = self.path(digest)
        try:
            info = self.fs.info(path)
        except FileNotFoundError:
            return None
        if info.get("type", "file") not in ("file", "directory"):
            raise errors.not_a_file(path)
        return None if is_directory(info) else size_in(info)


def registry_blobs(fs: AbstractFileSystem, root: str) -> BlobFiles:
    """Return the blobs of a registry."""
    return BlobFiles(fs, lambda digest: Blob(digest).at(root))


def folder_blobs(fs: AbstractFileSystem, folder: str) -> BlobFiles:
    """Return the blobs of a layout that is a folder."""
    return BlobFiles(fs, lambda digest: f"{folder}/{name_in_layout(digest)}")


def name_in_layout(digest: str) -> str:
    """Return the name of a blob's file in a layout.

    >>> name_in_layout("sha256:" + 64 * "0")[:20]
    'blobs/sha256/0000000'
    """
    return "/".join(("blobs", *digests.split(digest)))


class Copied(NamedTuple):
    """What copying blobs came to."""

    blobs: int = 0
    """The number of blobs that were written."""
    bytes: int = 0
    kept: int = 0
    """The number of blobs that were there already, with the same size."""


def copy_blobs(source: BlobSource, target: BlobFiles, wanted: Mapping[str, int], progress: Progress) -> Copied:
    """Copy blobs that are not there, each compared with its digest on the way.

    Args:
        source: Where they are.
        target: Where they go.
        wanted: Their digests and sizes.
        progress: Is told how many are done.

    Raises:
        DigestMismatchError: A blob has other bytes than its digest says. It is not written.
    """
    there = target.sizes(wanted)
    left = {digest: size for digest, size in wanted.items() if there.get(digest) != size}

    def copy(digest: str) -> None:
        target.store(digest, left[digest], verified(source.chunks(digest, left[digest]), digest, source.path(digest)))

    small = [digest for digest, size in left.items() if size <= SMALL_BYTES]
    large = [digest for digest, size in left.items() if size > SMALL_BYTES]
    done = len(wanted) - len(left)
    for _ in chain(side_by_side([source.fs, target.fs], copy, small), map(copy, large)):
        done += 1
        progress("blobs", done, len(wanted))
    target.writer.remove_leftovers_of(map(target.path, small), map(target.path, large))
    return Copied(len(left), sum(left.values()), len(wanted) - len(left))


def contents(source: BlobSource, wanted: Mapping[str, int]) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Yield digest, size and bytes of each blob in order. Small ones are read ahead."""

    def read(digest: str) -> bytes | None:
        size = wanted[digest]
        return b"".join(_verified(source, digest, size)) if size <= SMALL_BYTES else None

    for digest, data in zip(wanted, side_by_side([source.fs], read, wanted), strict=True):
        size = wanted[digest]
        yield digest, size, _verified(source, digest, size) if data is None else iter([data])


def _verified(source: BlobSource, digest: str, size: int) -> Iterator[bytes]:
    return verified(source.chunks(digest, size), digest, source.path(digest))
