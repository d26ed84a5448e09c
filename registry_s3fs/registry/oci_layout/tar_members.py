"""Where the files of a layout are in a tar: its headers are read, and nothing is unpacked.

`tarfile` reads the headers, through a window that is bounded, whatever lengths they claim. A tar with a name that
leads out of it, a link, a device, a sparse file, or a file of the layout twice is refused whole.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from registry_s3fs.errors import LayoutError
from registry_s3fs.model import digests
from registry_s3fs.registry.oci_layout.index_file import INDEX_FILE, LAYOUT_FILE

MAX_HEADER_BYTES = 256 * 1024
"""The most bytes of one file's headers: long names, extended headers, maps of sparse files."""
MAX_MEMBERS = 200_000
WINDOW_BYTES = 64 * 1024
"""What is read of the tar at a time, so that small files in a row take one request."""

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_DAMAGE = (tarfile.TarError, ValueError, LookupError, OverflowError, RecursionError, EOFError)
"""What tarfile raises at headers that are none."""

ReadRange = Callable[[int, int], bytes]
"""What returns the bytes of a file from a first position up to a second one."""


class Member(NamedTuple):
    """A file in a tar."""

    offset: int
    """Where its bytes begin in the tar."""
    size: int


def layout_members(read: ReadRange, size: int, where: str) -> dict[str, Member]:
    """Return the files of a layout that a tar holds, by their names; other files are passed over.

    Args:
        read: Reads the tar.
        size: The number of its bytes.
        where: Its name, for errors.

    Raises:
        LayoutError: The tar is compressed, damaged or truncated, or has what no layout has.
    """
    _check_not_compressed(read(0, min(size, 6)), where)
    window = _Headers(read, size, where)
    scan = _Scan(size, where)
    try:
        with tarfile.open(fileobj=window, mode="r:", ignore_zeros=False) as tar:  # type: ignore[call-overload]  # it is asked to read, seek and tell
            while (member := tar.next()) is not None:
                scan.add(member)
                window.begin(tar.offset)
                tar.members.clear()  # which would keep every header in memory
    except LayoutError:
        raise
    except _DAMAGE as error:
        raise LayoutError(f"{where}: it is no tar that can be read: {str(error)[:200]}") from error
    return scan.result()


def _check_not_compressed(beginning: bytes, where: str) -> None:
    for magic, name in _COMPRESSED.items():
        if beginning.startswith(magic):
            raise LayoutError(f"{where}: the tar is compressed by {name}; decompress it first, then import the tar")


class _Headers:
    """A tar as tarfile reads its headers. It refuses to read more than these may have."""

    def __init__(self, read: ReadRange, size: int, where: str) -> None:
        self._read = read
        self._size = size
        self._where = where
        self._at = 0
        self._left = MAX_HEADER_BYTES
        self._begin = 0
        self._window = b""

    def begin(self, offset: int) -> None:
        """Begin with the next file's headers, which must lie behind those before."""
        if offset < self._at:
            raise LayoutError(f"{self._where}: it is no tar that can be read: a size in it is negative")
        self._left = MAX_HEADER_BYTES

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= self._left:
            raise LayoutError(f"{self._where}: it has a file whose headers are larger than {MAX_HEADER_BYTES} bytes")
        self._left -= count
        end = min(self._at + count, self._size)
        found = self._range(self._at, end) if end > self._at else b""
        self._at += len(found)
        return found

    def _range(self, start: int, end: int) -> bytes:
        if not self._begin <= start <= end <= self._begin + len(self._window):
            self._begin = start
            self._window = self._read(start, min(max(end, start + WINDOW_BYTES), self._size))
        return self._window[start - self._begin : end - self._begin]

    def seek(self, position: int, whence: int = 0) -> int:
        self._at = position
        return position

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Do nothing: there is nothing open."""


class _Scan:
    """The files of a layout that were found so far."""

    def __init__(self, size: int, where: str) -> None:
        self._size = size
        self._where = where
        self._count = 0
        self._found: dict[str, Member] = {}
        self._refused = ""

    def add(self, member: tarfile.TarInfo) -> None:
        """Note a file, or why the tar is refused.

        What a tar without ``index.json`` has is told as what it is: docker made such ones, with links.
        """
        self._count += 1
        if self._count > MAX_MEMBERS:
            self._refuse(f"it has over {MAX_MEMBERS} files")
        name = _inside(member.name)
        if name is None:
            self._refuse(f"it has a file {member.name[:200]!r}, which lies outside")
        elif member.isdir():
            return
        elif not member.isreg() or member.sparse is not None:
            self._refused = self._refused or f"it has {member.name[:200]!r}, which is no plain file"
        elif _is_of_layout(name):
            self._add(name, member)

    def _add(self, name: str, member: tarfile.TarInfo) -> None:
        if name in self._found:
            self._refuse(f"it has the file {name!r} twice")
        if member.size < 0 or member.offset_data + member.size > self._size:
            self._refuse(f"it ends within the file {name!r}; it was truncated")
        self._found[name] = Member(member.offset_data, member.size)

    def result(self) -> dict[str, Member]:
        """Return the files."""
        if self._refused and INDEX_FILE in self._found:
            self._refuse(self._refused)
        return self._found

    def _refuse(self, what: str) -> NoReturn:
        raise LayoutError(f"{self._where}: {what}; no layout has that, and nothing of it is read")


def _inside(name: str) -> str | None:
    """Return a name without what says nothing, or None where it leads out of the tar.

    >>> _inside("./blobs//sha256"), _inside("a/../../b"), _inside("/etc/passwd"), _inside("./")
    ('blobs/sha256', None, None, '')
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return None if name.startswith("/") or ".." in parts else "/".join(parts)


def _is_of_layout(name: str) -> bool:
    """Return whether a layout has a file of this name.

    >>> _is_of_layout("index.json"), _is_of_layout("blobs/sha256/" + 64 * "0"), _is_of_layout("manifest.json")
    (True, True, False)
    """
    if name in (INDEX_FILE, LAYOUT_FILE):
        return True
    parts = name.split("/")
    return len(parts) == 3 and parts[0] == "blobs" and digests.join(parts[1], parts[2]) is not None
