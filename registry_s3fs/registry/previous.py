"""What an earlier inventory knows, so that the next one reads only what changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.entries import Entry
from registry_s3fs.registry.schemas import NOT_READ, SCHEMAS
from registry_s3fs.registry.tables import Tables

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


class LinkState(NamedTuple):
    """What a listing says of a link: where it is the same, the link is."""

    modified: int | None
    """Microseconds since 1970."""
    size: int
    etag: str | None
    """Without its quotes, which S3's own reports do not have."""


def link_state(entry: Entry) -> LinkState:
    """Return the state of a link that was listed."""
    modified = None if entry.modified is None else (entry.modified - _EPOCH) // _MICROSECOND
    return LinkState(modified, entry.size, entry.etag and entry.etag.strip('"'))


class Previous:
    """The links and manifests of an earlier inventory; nothing, where there is none."""

    def __init__(self, tables: Tables | None) -> None:
        self._tables = tables
        self._links: dict[str, tuple[LinkState, str]] = {}
        if tables is not None:
            links = tables.links.set_column(1, "modified", tables.links["modified"].cast(pa.int64()))
            columns = ("key", "modified", "size", "etag", "text")
            self._links = {key: (LinkState(*state), text) for key, *state, text in rows(links, *columns)}

    def link_text(self, entry: Entry) -> str | None:
        """Return the text of a link that did not change since: its time, size and ETag are the same."""
        known = self._links.get(entry.path)
        return known[1] if known and known[0] == link_state(entry) else None

    def has_configs(self) -> bool:
        """Return whether the configs of images were read then."""
        if self._tables is None:
            return False
        (options,) = self._tables.snapshot["options"].to_pylist()
        return json.loads(options).get("configs") is True

    def manifests(self, wanted: Iterable[str], blobs: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return the rows of manifests and references of those wanted whose blobs have the same size and time.

        A manifest that could not be read then is not among them.
        """
        if self._tables is None:
            return SCHEMAS["manifests"].empty_table(), SCHEMAS["references"].empty_table()
        known = self._tables.manifests
        known = known.filter(pc.is_in(known["digest"], value_set=pa.array(wanted, pa.string())))
        unread = pc.fill_null(pc.starts_with(known["error"], NOT_READ), False)
        manifests = _filtered(known, pc.and_(_are_same(known["digest"], self._tables.blobs, blobs), pc.invert(unread)))
        references = self._tables.references
        of_these = pc.is_in(references["parent"], value_set=manifests["digest"].combine_chunks())
        return manifests, _filtered(references, of_these)


def _filtered(table: pa.Table, mask: pa.ChunkedArray) -> pa.Table:
    """Return the rows that a mask tells; without a copy, where these are all."""
    return table if pc.all(mask, min_count=0).as_py() else table.filter(mask)


def _are_same(digests: pa.ChunkedArray, before: pa.Table, now: pa.Table) -> pa.ChunkedArray:
    """Return for each digest whether its blob has the size and time that it had before."""
    (size, modified), (size_now, modified_now) = _states(digests, before), _states(digests, now)
    return pc.fill_null(pc.and_(pc.equal(size, size_now), pc.equal(modified, modified_now)), False)


def _states(digests: pa.ChunkedArray, blobs: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    at = pc.index_in(digests, value_set=pa.concat_arrays([pa.array([], pa.string()), *blobs["digest"].chunks]))
    return blobs["size"].take(at), blobs["modified"].take(at)
