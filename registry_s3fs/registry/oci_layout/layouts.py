"""Layouts that are read: a folder, or a tar in which files are ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from registry_s3fs import errors
from registry_s3fs.errors import LayoutError
from registry_s3fs.model.info import is_directory
from registry_s3fs.registry.documents import MAX_BYTES
from registry_s3fs.registry.entries import size_in
from registry_s3fs.registry.oci_layout.blobs import BlobFiles, BlobSource, folder_blobs, name_in_layout
from registry_s3fs.registry.oci_layout.index_file import INDEX_FILE, LAYOUT_FILE, check_layout
from registry_s3fs.registry.oci_layout.tar_members import Member, layout_members
from registry_s3fs.registry.reading import raise_if_no_file, read_files
from registry_s3fs.registry.verified import chunks

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class Layout(Protocol):
    """A layout that is read."""

    @property
    def blobs(self) -> BlobSource:
        """Return its blobs."""
        ...

    def index(self) -> bytes:
        """Return ``index.json``."""
        ...


def open_layout(fs: AbstractFileSystem, path: str) -> Layout:
    """Return the layout at a path: a folder, or a tar.

    Raises:
        FileNotFoundError: Nothing is there.
        LayoutError: It is no layout, or a tar that cannot be read.
        NotAFileError: It is a FIFO, a socket or a device.
    """
    raise_if_no_file(fs, path)
    info = fs.info(path)
    return FolderLayout(fs, path.rstrip("/")) if is_directory(info) else TarLayout(fs, path, size_in(info))


class FolderLayout:
    """A layout that is a folder."""

    def __init__(self, fs: AbstractFileSystem, folder: str) -> None:
        self._folder = folder
        self.blobs: BlobFiles = folder_blobs(fs, folder)
        self._files = dict(_documents(fs, folder))
        self.index()  # whose absence tells the most
        check_layout(self._file(LAYOUT_FILE), folder)

    def index(self) -> bytes:
        """Return ``index.json``."""
        return self._file(INDEX_FILE)

    def _file(self, name: str) -> bytes:
        data = self._files[name]
        if isinstance(data, FileNotFoundError):
            raise LayoutError(_problem(self._folder, name))
        if isinstance(data, OSError):
            raise data
        return data


def _documents(fs: AbstractFileSystem, folder: str) -> Iterator[tuple[str, bytes | OSError]]:
    """Yield the names of the two files beside the blobs, and what they hold."""
    names = (INDEX_FILE, LAYOUT_FILE)
    found = read_files(fs, ((f"{folder}/{name}", None) for name in names), MAX_BYTES)
    for name, (_, data) in zip(names, found, strict=True):
        yield name, data


def _problem(where: str, name: str) -> str:
    """Return what it means that a layout lacks one of its two files."""
    if name == INDEX_FILE:
        return (
            f"{where}: there is no index.json at its top, so it is no OCI image layout; of an archive that docker "
            "saved before version 25, skopeo makes one: skopeo copy docker-archive:FILE oci:FOLDER:REPOSITORY:TAG"
        )
    return f"{where}: there is no file oci-layout, which every OCI image layout has"


class TarLayout:
    """A layout that is a tar."""

    def __init__(self, fs: AbstractFileSystem, path: str, size: int) -> None:
        members = layout_members(lambda start, end: fs.cat_file(path, start=start, end=end), size, path)
        for name in (INDEX_FILE, LAYOUT_FILE):
            if name not in members:
                raise LayoutError(_problem(path, name))
        self.blobs: TarBlobs = TarBlobs(fs, path, members)
        check_layout(self._file(LAYOUT_FILE), path)

    def index(self) -> bytes:
        """Return ``index.json``."""
        return self._file(INDEX_FILE)

    def _file(self, name: str) -> bytes:
        data = self.blobs.document(name)
        if isinstance(data, OSError):
            raise data
        return data


class TarBlobs:
    """The blobs of a layout that is a tar."""

    def __init__(self, fs: AbstractFileSystem, tar: str, members: dict[str, Member]) -> None:
        self.fs = fs
        self._tar = tar
        self._members = members

    def path(self, digest: str) -> str:
        """Return the tar, and which file in it."""
        return f"{self._tar}: {name_in_layout(digest)}"

    def sizes(self, wanted: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those blobs that are there."""
        found = ((digest, self._members.get(name_in_layout(digest))) for digest in wanted)
        return {digest: member.size for digest, member in found if member}

    def chunks(self, digest: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of a blob."""
        return chunks(self.fs, self._tar, self._members[name_in_layout(digest)].offset, size)

    def manifests(self, wanted: list[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """Yield the path of each manifest and its bytes, or why it is not read."""
        for digest in wanted:
            yield self.path(digest), self.document(name_in_layout(digest))

    def document(self, name: str) -> bytes | OSError:
        """Return the bytes of a file that is JSON, or why it is not read."""
        member, path = self._members.get(name), f"{self._tar}: {name}"
        if member is None:
            return errors.missing(path)
        if member.size > MAX_BYTES:
            return errors.file_too_large(path, MAX_BYTES)
        return b"".join(chunks(self.fs, self._tar, member.offset, member.size))
