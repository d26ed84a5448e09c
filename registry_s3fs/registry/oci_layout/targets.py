"""Layouts that are written: a folder, to which images are added, or a tar, which is written once."""

from __future__ import annotations

import errno
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.errors import LayoutError
from registry_s3fs.model import digests
from registry_s3fs.registry import folders
from registry_s3fs.registry.documents import MAX_BYTES
from registry_s3fs.registry.oci_layout.blobs import (
    BlobSource,
    Copied,
    contents,
    copy_blobs,
    folder_blobs,
    name_in_layout,
)
from registry_s3fs.registry.oci_layout.index_file import (
    INDEX_FILE,
    LAYOUT,
    LAYOUT_FILE,
    Entry,
    check_layout,
    with_entries,
)
from registry_s3fs.registry.progress import Progress
from registry_s3fs.registry.reading import read_files
from registry_s3fs.registry.writing import Writer, place_of_leftover

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]  # mypy takes it for a module everywhere

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

TAR = ".tar"
"""How the name of a layout ends that is a tar."""
_COMPRESSED = (".tgz", *(f"{TAR}.{kind}" for kind in ("gz", "bz2", "xz", "zst")))


def check_target(fs: AbstractFileSystem, path: str) -> None:
    """Raise the error for a place that no layout can be written to, or that images cannot be added to.

    Raises:
        FileExistsError: There is a tar, a file, or a folder with something else.
        LayoutError: There is a layout that cannot be read, or the name is that of a compressed tar.
    """
    if not fs.exists(path):
        if path.endswith(_COMPRESSED):
            raise LayoutError(f"{path}: a tar is written without compression; name it by an ending {TAR}, or a folder")
        return
    if path.endswith(TAR):
        what = "the name is a folder's" if fs.isdir(path) else "the tar exists"
        text = f"{what}, and nothing is added to a tar; name another one, remove it, or name a folder without {TAR}"
        raise FileExistsError(errno.EEXIST, text, path)
    if not fs.isdir(path):
        raise FileExistsError(errno.EEXIST, f"it is a file; name a folder, or a tar by a name that ends in {TAR}", path)
    _old_index(fs, path)


def _old_index(fs: AbstractFileSystem, folder: str) -> bytes | None:
    """Return the ``index.json`` that is in a folder, or None where the layout is new or was interrupted."""
    names = [str(info["name"]).rstrip("/").rpartition("/")[2] for info in folders.infos(fs, folder)]
    if all(map(place_of_leftover, names)):
        return None
    if LAYOUT_FILE not in names:
        text = (
            "the folder has other files than those of an OCI image layout; name an empty one, or one that is to be made"
        )
        raise FileExistsError(errno.EEXIST, text, folder)
    check_layout(_document(fs, f"{folder}/{LAYOUT_FILE}"), folder)
    return _document(fs, f"{folder}/{INDEX_FILE}") if INDEX_FILE in names else None


def _document(fs: AbstractFileSystem, path: str) -> bytes:
    [(_, data)] = read_files(fs, [(path, None)], MAX_BYTES)
    if isinstance(data, OSError):
        raise data
    return data


def write_folder(
    fs: AbstractFileSystem,
    folder: str,
    entries: Sequence[Entry],
    source: BlobSource,
    sizes: Mapping[str, int],
    progress: Progress,
) -> Copied:
    """Write a layout as a folder, or add images to the one that is there. ``index.json`` is written last, whole."""
    with_entries(_old_index(fs, folder), entries, folder)  # an error is known before anything is written
    if not fs.exists(f"{folder}/{LAYOUT_FILE}"):
        Writer(fs).put(f"{folder}/{LAYOUT_FILE}", LAYOUT)
    copied = copy_blobs(source, folder_blobs(fs, folder), sizes, progress)
    writer = Writer(fs, are_alike=False)
    with _alone(fs, folder):  # another export may have added images meanwhile
        writer.put(f"{folder}/{INDEX_FILE}", with_entries(_old_index(fs, folder), entries, folder))
        writer.remove_leftovers_of([f"{folder}/{LAYOUT_FILE}", f"{folder}/{INDEX_FILE}"])
    return copied


@contextmanager
def _alone(fs: AbstractFileSystem, folder: str) -> Iterator[None]:
    """Run the body while no other process of this machine does, with the same folder of a disk."""
    if fcntl is None or not isinstance(fs, LocalFileSystem):
        yield
        return
    opened = os.open(fs._strip_protocol(folder), os.O_RDONLY)
    try:
        with suppress(OSError):  # a network's disk may have no locks
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def write_tar(
    fs: AbstractFileSystem,
    path: str,
    entries: Sequence[Entry],
    source: BlobSource,
    sizes: Mapping[str, int],
    progress: Progress,
) -> Copied:
    """Write a layout as a tar, in one pass. It is there once it is whole.

    The same images make the same bytes: blobs are in the order of their digests, without times and owners.
    """
    index = with_entries(None, entries, path)
    ordered = {digest: sizes[digest] for digest in sorted(sizes)}
    writer = Writer(fs, are_alike=False)
    writer.publish(path, _tar(source, ordered, index, progress))
    writer.remove_leftovers_of([], [path])
    return Copied(len(ordered), sum(ordered.values()), 0)


def _tar(source: BlobSource, blobs: Mapping[str, int], index: bytes, progress: Progress) -> Iterator[bytes]:
    """Yield the bytes of the tar: headers by tarfile, contents as they are read."""
    yield from _member(LAYOUT_FILE, len(LAYOUT), [LAYOUT])
    for folder in _folders(blobs):
        member = tarfile.TarInfo(folder)
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        yield member.tobuf(tarfile.PAX_FORMAT)
    for done, (digest, size, content) in enumerate(contents(source, blobs), 1):
        yield from _member(name_in_layout(digest), size, content)
        progress("blobs", done, len(blobs))
    yield from _member(INDEX_FILE, len(index), [index])
    yield bytes(2 * tarfile.BLOCKSIZE)  # which is the end of a tar


def _folders(blobs: Mapping[str, int]) -> list[str]:
    return ["blobs", *(f"blobs/{algorithm}" for algorithm in sorted({digests.split(each).algorithm for each in blobs}))]


def _member(name: str, size: int, content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a file of the tar. Its content must be of the size that the header has told already."""
    member = tarfile.TarInfo(name)
    member.size = size
    yield member.tobuf(tarfile.PAX_FORMAT)
    count = 0
    for data in content:
        count += len(data)
        yield data
    if count != size:
        raise OSError(errno.EIO, f"it has {count} bytes now, and had {size} before", name)
    yield bytes(-size % tarfile.BLOCKSIZE)
