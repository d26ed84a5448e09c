"""What the tables of contents of eStargz and zstd:chunked say: entries, and the chunks of their files. Pure.

Both are JSON with the same fields (stargz-snapshotter's ``estargz.TOCEntry``, and containers/storage's
``FileMetadata``). A table from which not every byte of every file can be had and compared is refused: then the layer
is read as any other.
"""

from __future__ import annotations

import base64
import binascii
import re
import tarfile
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import NamedTuple

from registry_s3fs import errors
from registry_s3fs.model import digests
from registry_s3fs.registry import documents
from registry_s3fs.registry.documents import Json, Members
from registry_s3fs.registry.layers.contents import TableChunk
from registry_s3fs.registry.layers.entries import Kind, LayerEntry
from registry_s3fs.registry.layers.names import check_length, path_inside
from registry_s3fs.registry.layers.tar_index import Bounds

STARGZ_DIGEST = "containerd.io/snapshot/stargz/toc.digest"
"""The annotation of a layer's descriptor that has the digest of eStargz's table."""
_CHUNKED = ("io.github.containers.zstd-chunked.", "io.containers.zstd-chunked.")
"""What the annotations of zstd:chunked begin with, of newer and of older releases."""

FOOTER_BYTES = 51
MAX_TABLE_BYTES = 32 * 1024 * 1024
_MAX_VALUES = 2_000_000
MAX_CHUNK_BYTES = 64 * 1024 * 1024
"""A chunk is decompressed and compared as a whole."""
_MAX_SIZE = 2**63 - 1
_MAX_OVERHEAD_BYTES = 64 * 1024
"""What a member or frame takes at most beyond twice what is needed of it, whatever lies between it and the next."""

_FOOTER = re.compile(
    rb"\x1f\x8b\x08\x04.{6}\x1a\x00SG\x16\x00([0-9a-f]{16})STARGZ\x01\x00\x00\xff\xff\x00{8}", re.DOTALL
)
_POSITION = re.compile(r"([0-9]{1,19}):([0-9]{1,19}):([0-9]{1,19}):1")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(?:Z|([+-])(\d\d):(\d\d))")
_KINDS: dict[str, Kind] = {
    "reg": "file",
    "dir": "directory",
    "symlink": "symlink",
    "hardlink": "hardlink",
    "char": "character_device",
    "block": "block_device",
    "fifo": "fifo",
}


class Position(NamedTuple):
    """Where a table is in the blob."""

    start: int
    end: int
    size: int
    """Its size, uncompressed; of eStargz the most that it may have."""


class Table(NamedTuple):
    """What a table says."""

    entries: list[LayerEntry]
    chunks: tuple[TableChunk, ...]


def stargz_position(footer: bytes, blob_size: int) -> Position | None:
    """Return where the table of an eStargz layer is, or None where the blob's last bytes are no footer of one."""
    found = _FOOTER.fullmatch(footer)
    start = int(found[1], 16) if found else blob_size
    return Position(start, blob_size - FOOTER_BYTES, MAX_TABLE_BYTES) if start < blob_size - FOOTER_BYTES else None


def chunked_position(annotations: Mapping[str, str], blob_size: int) -> tuple[Position, str] | None:
    """Return where the table of a zstd:chunked layer is, and its digest, or None where annotations do not tell.

    >>> prefix = "io.github.containers.zstd-chunked.manifest-"
    >>> chunked_position({f"{prefix}position": "100:20:300:1", f"{prefix}checksum": "sha256:..."}, 200)
    (Position(start=100, end=120, size=300), 'sha256:...')
    """
    for prefix in _CHUNKED:
        found = _POSITION.fullmatch(annotations.get(f"{prefix}manifest-position", ""))
        start, length, size = (int(found[at]) for at in (1, 2, 3)) if found else (0, 0, 0)
        if 0 < length <= min(MAX_TABLE_BYTES, blob_size - start) and size <= MAX_TABLE_BYTES:
            return Position(start, start + length, size), annotations.get(f"{prefix}manifest-checksum", "")
    return None


def stargz_document(archive: bytes) -> bytes:
    """Return the JSON in the archive that an eStargz layer ends with.

    Raises:
        LayerError: It is not there.
    """
    block = archive[: tarfile.BLOCKSIZE]
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        info = tarfile.TarInfo()
    document = archive[tarfile.BLOCKSIZE : tarfile.BLOCKSIZE + max(0, info.size)]
    if info.name != "stargz.index.json" or len(document) != info.size:
        raise errors.bad_layer("its footer leads to no table of contents")
    return document


def parse_table(document: bytes, blob: str, end: int) -> Table:
    """Return what a table of contents says.

    Args:
        document: Its JSON.
        blob: The layer's digest.
        end: Where the layer's files end in the blob.

    Raises:
        LayerError: It says something that cannot be, or leaves something out.
        UnreadableDocumentError: It is no JSON, or is too large.
    """
    members = documents.parse(document, MAX_TABLE_BYTES, _MAX_VALUES)
    rows = members.get("entries")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _bad("entries")
    return _Parser(blob, end).table([_Row(row) for row in rows if isinstance(row, dict)])


def _bad(what: str) -> errors.LayerError:
    return errors.bad_layer(f"its table of contents cannot be used: {what[:200]!r}")


class _Row:
    """A row of the table, each field read as the type that it must have."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def text(self, name: str) -> str:
        value = self._members.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _bad(name)
        return value

    def number(self, name: str, default: int = 0) -> int:
        value = self._members.get(name)
        if value is None:
            return default
        if type(value) is not int or not 0 <= value <= _MAX_SIZE:
            raise _bad(name)
        return value

    def xattrs(self) -> tuple[tuple[str, bytes], ...]:
        found = self._members.get("xattrs") or {}
        if not isinstance(found, dict):
            raise _bad("xattrs")
        return tuple((name, _bytes(value)) for name, value in found.items())


class _Parser:
    """Goes through the rows. A file's further chunks follow its own row."""

    def __init__(self, blob: str, end: int) -> None:
        self._blob = blob
        self._end = end
        self._bounds = Bounds()
        self._chunks: list[TableChunk] = []
        self._start = 0
        self._open: LayerEntry | None = None
        """The file that the last row was of."""
        self._open_digest = ""

    def table(self, rows: list[_Row]) -> Table:
        entries = []
        for row in rows:
            if row.text("type") == "chunk":
                self._add_chunk(row)
                continue
            self._close()
            entry = self._entry(row)
            if entry.kind == "file":
                self._open = entry
                self._open_digest = row.text("digest")
                if entry.size:
                    self._add_chunk(row)
            if entry.path or entry.kind != "directory":
                entries.append(entry)
        self._close()
        return Table(entries, self._with_ends())

    def _entry(self, row: _Row) -> LayerEntry:
        kind = _KINDS.get(row.text("type"))
        path = path_inside(row.text("name"))
        if kind is None or not (path or kind == "directory"):
            raise _bad(row.text("type") or "type")
        target = row.text("linkName")
        check_length(target)
        is_file = kind == "file"
        entry = LayerEntry(
            path,
            kind,
            row.number("size") if is_file else 0,
            row.number("mode") & 0o7777,
            row.number("uid"),
            row.number("gid"),
            _seconds(row.text("modtime")),
            path_inside(target) if kind == "hardlink" else target if kind == "symlink" else None,
            (row.number("devMajor"), row.number("devMinor")) if kind.endswith("_device") else None,
            self._blob if is_file else None,
            self._start if is_file else None,
            has_table=True,
            xattrs=row.xattrs(),
        )
        self._bounds.add(entry)
        return entry

    def _add_chunk(self, row: _Row) -> None:
        """Add a chunk of the open file: it must begin where the last one ended."""
        file = self._open
        done = self._start - (file.offset or 0) if file else 0
        if file is None or row.number("chunkOffset") != done or path_inside(row.text("name")) != file.path:
            raise _bad("chunkOffset")
        size = row.number("chunkSize") or file.size - done
        is_whole = size == file.size
        digest = row.text("chunkDigest") or (self._open_digest if is_whole else "")
        begin, inner, is_zeros = row.number("offset"), row.number("innerOffset"), row.text("chunkType") == "zeros"
        if not 0 < size <= file.size - done or (size + inner > MAX_CHUNK_BYTES and not is_zeros):
            raise _bad("chunkSize")
        if is_zeros:
            begin, inner, digest = 0, 0, ""
        elif begin >= self._end or not (digest.startswith("sha256:") and digests.is_digest(digest)):
            raise _bad("chunkDigest")
        self._chunks.append(TableChunk(self._start, size, begin, 0, inner, digest))
        self._start += size

    def _close(self) -> None:
        """Refuse a file whose chunks are not all of it."""
        if self._open and self._start - (self._open.offset or 0) != self._open.size:
            raise _bad("size")
        self._open = None

    def _with_ends(self) -> tuple[TableChunk, ...]:
        """Return the chunks with where they end at the latest: where the next one begins. Zeros are not stored.

        A table may leave out most of the blob. So what is read for a chunk has a bound of its own, too.
        """
        begins = [*sorted({chunk.begin for chunk in self._chunks if chunk.digest}), self._end]
        following = dict(pairwise(begins))
        return tuple(_with_end(chunk, following[chunk.begin]) if chunk.digest else chunk for chunk in self._chunks)


def _with_end(chunk: TableChunk, following: int) -> TableChunk:
    most = 2 * (chunk.inner + chunk.size) + _MAX_OVERHEAD_BYTES
    return chunk._replace(end=min(following, chunk.begin + most))


def _seconds(text: str) -> float:
    """Return the seconds since 1970 of a time such as ``2026-11-24T07:57:54.5Z``. No time is 0."""
    found = _TIME.fullmatch(text)
    if not found:
        if text:
            raise _bad("modtime")
        return 0.0
    try:
        moment = datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc)
    except ValueError:
        raise _bad("modtime") from None
    east = timedelta(hours=int(found[4] or 0), minutes=int(found[5] or 0)).total_seconds()
    whole = moment.timestamp() - (-east if found[3] == "-" else east)
    return whole + float(found[2] or 0)


def _bytes(value: Json) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise _bad("xattrs") from None
