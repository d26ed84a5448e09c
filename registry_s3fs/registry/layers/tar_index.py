"""A tar archive, read once from its beginning to its end, becomes entries. Bodies of files are skipped.

As with container runtimes, PAX's global headers count for nothing (containerd and Docker skip them), and bodies
belong to regular files alone. What cannot be read is an error and never an end: a wrong checksum, an unknown type, a
body that is cut short.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from registry_s3fs import errors
from registry_s3fs.registry.layers import tar_headers
from registry_s3fs.registry.layers.archives import Archive
from registry_s3fs.registry.layers.entries import MAX_ENTRIES, MAX_TEXT_BYTES, Kind, LayerEntry
from registry_s3fs.registry.layers.names import check_length, path_inside
from registry_s3fs.registry.layers.tar_headers import BLOCK_BYTES, Pax, Runs

_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.LNKTYPE: "hardlink",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "character_device",
    tarfile.BLKTYPE: "block_device",
    tarfile.DIRTYPE: "directory",
    tarfile.FIFOTYPE: "fifo",
}
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_ZEROS = bytes(BLOCK_BYTES)


def entries(archive: Archive, blob: str) -> Iterator[LayerEntry]:
    """Yield the entries of an archive in their order, those of names that come more than once included.

    The root folder is no entry.

    Args:
        archive: The archive.
        blob: The layer's digest.

    Raises:
        LayerError: It is no archive, is cut short, or is beyond the bounds.
    """
    reader = _Reader(archive, blob)
    while (found := reader.next()) is not None:
        if found.path:
            yield found
        elif found.kind != "directory":
            raise errors.bad_layer(f"the archive has a {found.kind} in place of the root folder")


class Bounds:
    """What is left of the entries and texts that a layer may have."""

    def __init__(self) -> None:
        self._entries = MAX_ENTRIES
        self._text = MAX_TEXT_BYTES

    def add(self, entry: LayerEntry) -> None:
        """Count an entry.

        Raises:
            LayerError: It is one too many.
        """
        self._entries -= 1 + len(entry.sparse or ()) + len(entry.xattrs)
        self._text -= len(entry.path) + len(entry.link_target or "")
        self._text -= sum(len(name) + len(value) for name, value in entry.xattrs)
        if self._entries < 0:
            raise errors.bad_layer(f"the layer has over {MAX_ENTRIES} entries")
        if self._text < 0:
            raise errors.bad_layer(f"the layer's names have over {MAX_TEXT_BYTES} bytes")


class _Reader:
    """Goes from one header to the next."""

    def __init__(self, archive: Archive, blob: str) -> None:
        self._archive = archive
        self._blob = blob
        self._bounds = Bounds()
        self._times: dict[float, float] = {}
        self._modes: dict[int, int] = {}

    def next(self) -> LayerEntry | None:
        """Return the next entry, or None at the end."""
        pax: Pax = {}
        long_name = long_link = None
        while block := self._header():
            info = tar_headers.parse_block(block)
            if info.type in _PAX:
                pax = tar_headers.parse_pax(self._special(info, "PAX header"))
            elif info.type == tarfile.XGLTYPE:
                self._skip(info.size)
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                long_name = self._special(info, "name")
            elif info.type == tarfile.GNUTYPE_LONGLINK:
                long_link = self._special(info, "link target")
            else:
                info.name = _text(long_name) if long_name else info.name
                info.linkname = _text(long_link) if long_link else info.linkname
                return self._entry(info, block, pax)
        if pax or long_name or long_link:
            raise errors.bad_layer("the archive ends behind the first part of a header")
        return None

    def _header(self) -> bytes | None:
        """Return the next header block, or None at the end: two blocks of zeros, or the end of all bytes, as in Go."""
        block = self._archive.read(BLOCK_BYTES)
        if block == _ZEROS:
            if self._archive.read(BLOCK_BYTES).strip(b"\0"):
                raise errors.bad_layer("the archive goes on behind a block of zeros")
            return None
        if not block:
            return None
        return self._whole(block, BLOCK_BYTES)

    def _entry(self, info: tarfile.TarInfo, block: bytes, pax: Pax) -> LayerEntry:
        tar_headers.apply_pax(info, pax)
        kind = _KINDS.get(info.type)
        if kind is None:
            raise errors.bad_layer(f"the archive has {info.name[:80]!r} of an unknown type, {info.type!r}")
        if info.type == tarfile.AREGTYPE and info.name.endswith("/"):  # before POSIX had a type for folders
            kind = "directory"
        runs, size, offset = self._body(info, block, pax) if kind == "file" else (None, 0, None)
        entry = LayerEntry(
            path_inside(info.name),
            kind,
            size,
            self._modes.setdefault(info.mode & 0o7777, info.mode & 0o7777),
            info.uid,
            info.gid,
            self._times.setdefault(float(info.mtime), float(info.mtime)),
            _target(kind, info.linkname),
            (info.devmajor, info.devminor) if kind in ("character_device", "block_device") else None,
            self._blob if kind == "file" else None,
            offset,
            sparse=runs,
            xattrs=tar_headers.xattrs(pax),
        )
        self._bounds.add(entry)
        return entry

    def _body(self, info: tarfile.TarInfo, block: bytes, pax: Pax) -> tuple[Runs | None, int, int]:
        """Skip a file's bytes, and return its runs where it is sparse, its size, and where the bytes begin."""
        begin = self._archive.position
        runs: Runs | None
        if info.type == tarfile.GNUTYPE_SPARSE:
            runs, size = tar_headers.old_runs(block, self._block)
            begin = self._archive.position
        else:
            runs = tar_headers.pax_runs(pax, self._block)
            size = info.size if runs is None else tar_headers.real_size(pax) or 0
        offset = self._archive.position
        stored = info.size - (offset - begin)
        if runs is not None:
            tar_headers.check_runs(runs, stored, size)
        self._skip(stored)
        return runs, size, offset

    def _special(self, info: tarfile.TarInfo, what: str) -> bytes:
        tar_headers.check_special(info.size, what)
        data = self._whole(self._archive.read(info.size), info.size)
        self._skip_exactly(-info.size % BLOCK_BYTES)
        return data

    def _skip(self, size: int) -> None:
        """Skip a body up to the next header. The zeros behind the last body may be missing."""
        self._skip_exactly(size)
        self._archive.skip(-size % BLOCK_BYTES)

    def _skip_exactly(self, size: int) -> None:
        self._check_whole(self._archive.skip(size), size)

    def _block(self) -> bytes:
        return self._whole(self._archive.read(BLOCK_BYTES), BLOCK_BYTES)

    def _whole(self, data: bytes, size: int) -> bytes:
        self._check_whole(len(data), size)
        return data

    def _check_whole(self, found: int, needed: int) -> None:
        if found != needed:
            raise errors.bad_layer(f"the archive ends in the middle, at byte {self._archive.position}")


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _target(kind: Kind, name: str) -> str | None:
    if kind == "hardlink":
        return path_inside(name)
    if kind != "symlink":
        return None
    check_length(name)
    return name
