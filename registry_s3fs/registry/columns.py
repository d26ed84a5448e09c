"""Columns of tables as Python values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def rows(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table, as tuples of the values of some columns.

    Texts that are equal are mostly one object, so that a million digests of a hundred thousand manifests take no more
    memory than these.

    >>> list(rows(pa.table({"a": ["x", "y", "x"], "b": [1, 2, None], "c": [0, 0, 0]}), "a", "b"))
    [('x', 1), ('y', 2), ('x', None)]
    """
    return zip(*(_values(table[name]) for name in columns), strict=True)


def times(column: pa.ChunkedArray) -> Iterator[datetime | None]:
    """Yield the times of a column. pyarrow's own way to make them imports pandas, which takes a while."""
    for microseconds in column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist():
        yield None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _values(column: pa.ChunkedArray) -> Iterator[Any]:
    if pa.types.is_timestamp(column.type):
        yield from times(column)
        return
    if not pa.types.is_string(column.type):
        for chunk in column.chunks:
            yield from chunk.to_pylist()
        return
    encoded = column.dictionary_encode().unify_dictionaries()
    words = encoded.chunk(0).dictionary.to_pylist() if encoded.num_chunks else []
    words.append(None)
    for chunk in encoded.chunks:
        yield from map(words.__getitem__, pc.fill_null(chunk.indices, len(words) - 1).to_pylist())
