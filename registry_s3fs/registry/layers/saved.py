"""Entries and what is known of a layer, as bytes for the cache and back. Pure.

Nothing that comes back is believed without its checksum. JSON is the form, because a folder that others may write to
must not hold programs, as pickles are.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from registry_s3fs.registry.layers.contents import CHECKSUM_BYTES, Begin, Layer, TableChunk, checksum
from registry_s3fs.registry.layers.entries import LayerEntry

VERSION = "1"
"""Stands in the keys. It changes with the form."""
_ROWS_AT_ONCE = 10_000


def seal(data: bytes) -> bytes:
    """Return bytes with their checksum in front."""
    return checksum(data) + data


def unseal(data: bytes | None) -> bytes | None:
    """Return sealed bytes, or None where they are not what was sealed."""
    if data is None:
        return None
    content = data[CHECKSUM_BYTES:]
    return content if checksum(content) == data[:CHECKSUM_BYTES] else None


def layer_as_bytes(layer: Layer) -> bytes:
    """Return what is known of a layer as bytes."""
    return json.dumps({**layer._asdict(), "checksums": layer.checksums.hex()}).encode()


def layer_of_bytes(data: bytes) -> Layer:
    """Return what `layer_as_bytes` made bytes of."""
    saved = json.loads(data)
    saved["checksums"] = bytes.fromhex(saved["checksums"])
    saved["begins"] = tuple(map(Begin._make, saved["begins"]))
    saved["table"] = saved["table"] and tuple(map(TableChunk._make, saved["table"]))
    return Layer(**saved)


def entries_as_bytes(entries: Iterable[LayerEntry]) -> bytes:
    """Return entries as compressed bytes. Memory for others is taken for `_ROWS_AT_ONCE` at a time."""
    compressor = zlib.compressobj(level=1)
    rows = map(_row, entries)
    parts = []
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        parts.append(compressor.compress(json.dumps(batch, separators=(",", ":")).encode() + b"\n"))
    return b"".join([*parts, compressor.flush()])


def entries_of_bytes(data: bytes) -> list[LayerEntry]:
    """Return the entries that `entries_as_bytes` made bytes of."""
    same: dict[object, Any] = {}
    return [_entry(row, same) for line in _lines(data) for row in json.loads(line)]


def _row(entry: LayerEntry) -> list[Any]:
    xattrs = [[name, base64.b64encode(value).decode()] for name, value in entry.xattrs]
    return [*entry[:-1], xattrs] if xattrs else list(entry[:-1])


def _entry(row: list[Any], same: dict[object, Any]) -> LayerEntry:
    """Return the entry of a row. What many entries have is kept once: `same` has it by itself, and times by a pair."""
    path, kind, size, mode, uid, gid, mtime, target, device, blob, offset, has_table, sparse, *xattrs = row
    return LayerEntry(
        path,
        same.setdefault(kind, kind),
        size,
        same.setdefault(mode, mode),
        uid,
        gid,
        same.setdefault(("time", mtime), mtime),
        target,
        device and tuple(device),
        same.setdefault(blob, blob),
        offset,
        has_table,
        sparse and tuple((at, length) for at, length in sparse),
        tuple((name, base64.b64decode(value)) for name, value in xattrs[0]) if xattrs else (),
    )


def _lines(data: bytes) -> Iterator[bytes]:
    inflate = zlib.decompressobj()
    line = b""
    while data or inflate.unconsumed_tail:
        line += inflate.decompress(data, 1024 * 1024)
        data = inflate.unconsumed_tail
        *lines, line = line.split(b"\n")
        yield from lines
