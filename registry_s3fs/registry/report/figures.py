"""The sums that the page begins with: where the stored bytes are, and which of them are left over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.documents import parse
from registry_s3fs.registry.tables import Tables


class Snapshot(NamedTuple):
    """What was listed, and when."""

    finished: datetime | None
    root: str
    keys: int
    bytes: int
    options: Mapping[str, object]

    def count(self, name: str) -> int:
        """Return a number of the options; 0 where it is none."""
        found = self.options.get(name)
        return found if isinstance(found, int) else 0


class Part(NamedTuple):
    """A part of what is stored. All parts together are the bytes of the listing."""

    name: str
    bytes: int
    meaning: str
    css: str


class Leftover(NamedTuple):
    """What nothing needs any more, or seems so."""

    name: str
    number: int
    bytes: int
    remedy: str


def snapshot_of(tables: Tables) -> Snapshot:
    """Return what the tables say of the inventory itself."""
    finished, root, keys, size, options = next(
        rows(tables.snapshot, "finished", "root", "keys", "bytes", "options"), (None, "", 0, 0, None)
    )
    return Snapshot(finished, root or "", keys or 0, size or 0, _options(options))


def _options(text: str | None) -> Mapping[str, object]:
    try:
        return parse((text or "{}").encode())
    except ValueError:
        return {}


def total(table: pa.Table, column: str) -> int:
    """Return the sum of a column."""
    found: int | None = pc.sum(table[column]).as_py()
    return found or 0


def parts(tables: Tables) -> list[Part]:
    """Return where the bytes of the listing are: they add up to it."""
    snapshot = snapshot_of(tables)
    found = [
        Part("Repositories", total(tables.repositories, "fair"), "blobs that manifests need, shared fairly", "fair"),
        Part("Unused blobs", total(_unused(tables), "size"), "blobs that no repository's manifests need", "unused"),
        Part("Links", snapshot.count("link_bytes"), "small files that hold a digest", "links"),
        Part("Uploads", snapshot.count("upload_bytes"), "files of uploads that were never completed", "uploads"),
        Part("Unknown files", snapshot.count("unknown_bytes"), "files that no registry writes", "unknown"),
    ]
    rest = snapshot.bytes - sum(part.bytes for part in found)
    return [*found, Part("Other", rest, "what the inventory does not tell apart", "other")] if rest > 0 else found


def leftovers(tables: Tables) -> list[Leftover]:
    """Return what is left over, each byte in one row."""
    unused = _unused(tables)
    is_young = pc.fill_null(unused["young"], False)
    old, young = unused.filter(pc.invert(is_young)), unused.filter(is_young)
    dangling = _with_code(tables, "layer_link_dangling")
    uploads = tables.uploads.filter(pc.is_valid(tables.uploads["uuid"]))
    snapshot = snapshot_of(tables)
    collect = "the registry's garbage-collect"
    abort = "registry-s3fs uploads abort"
    return [
        Leftover("Unused blobs", old.num_rows, total(old, "size"), collect),
        Leftover("Unused blobs that are new", young.num_rows, total(young, "size"), "wait: a push may go on"),
        Leftover("Files of uploads", uploads.num_rows, snapshot.count("upload_bytes"), abort),
        Leftover(
            "Parts of pending uploads", total(tables.uploads, "parts"), total(tables.uploads, "part_bytes"), abort
        ),
        Leftover("Links to blobs that are gone", dangling.num_rows, _link_bytes(dangling), "none; they keep nothing"),
        Leftover(
            "Files that no registry writes",
            _with_code(tables, "unknown_key").num_rows,
            snapshot.count("unknown_bytes"),
            "registry-s3fs rm, if nobody needs them",
        ),
    ]


def untagged_bytes(tables: Tables) -> int:
    """Return the bytes of the blobs that only manifests without a tag need."""
    blobs = tables.blobs
    is_untagged = pc.and_(pc.fill_null(blobs["marked"], False), pc.equal(pc.fill_null(blobs["tags"], 0), 0))
    return total(blobs.filter(is_untagged), "size")


def unused_blobs(tables: Tables) -> pa.Table:
    """Return the blobs that no repository's manifests need, the largest first."""
    return _unused(tables).sort_by([("size", "descending"), ("digest", "ascending")])


def _unused(tables: Tables) -> pa.Table:
    return tables.blobs.filter(pc.invert(pc.fill_null(tables.blobs["marked"], False)))


def _with_code(tables: Tables, code: str) -> pa.Table:
    return tables.problems.filter(pc.equal(tables.problems["code"], code))


def _link_bytes(links: pa.Table) -> int:
    """Return the bytes of links, each of which holds its digest."""
    found: int | None = pc.sum(pc.utf8_length(links["digest"])).as_py()
    return found or 0
