"""Digests as numbers, so that what a million references keep is counted on integers."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.registry.accounting import Graph
from registry_s3fs.registry.columns import rows

NUMBER = pa.int32()


class Digests:
    """All digests of a registry, each a number. Those of stored blobs come first, in the order of their table.

    >>> digests = Digests(pa.chunked_array([["a", "b"]]), {"named": pa.chunked_array([["c", None, "b"]])})
    >>> digests.column("named").to_pylist(), digests.stored, digests.digest(2)
    ([2, None, 1], 2, 'c')

    Args:
        stored: The digests of the table ``blobs``.
        named: Columns of digests, which may be stored or not, by any name.
    """

    def __init__(self, stored: pa.ChunkedArray, named: Mapping[str, pa.ChunkedArray]) -> None:
        self.stored = len(stored)
        known = _array(stored.chunks)
        every = pa.chunked_array([chunk for column in named.values() for chunk in column.chunks], pa.string())
        numbers = pc.index_in(every, value_set=known, skip_nulls=True)
        missing = _array(pc.unique(every.filter(pc.and_(pc.is_null(numbers), pc.is_valid(every)))))
        if len(missing):
            later = pc.add(pc.index_in(every, value_set=missing, skip_nulls=True), pa.scalar(self.stored, NUMBER))
            numbers = pc.coalesce(numbers, later)
        self._digests = pa.concat_arrays([known, missing])
        self._columns = dict(zip(named, _parts(numbers, map(len, named.values())), strict=True))

    def __len__(self) -> int:
        return len(self._digests)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return the numbers of one of the columns; a null stays one."""
        return self._columns[name]

    def numbers(self, column: pa.ChunkedArray) -> list[int | None]:
        """Return the number of each digest of any column; None for a null, and for a digest that is not known."""
        found: list[int | None] = pc.index_in(column, value_set=self._digests, skip_nulls=True).to_pylist()
        return found

    def digest(self, number: int) -> str:
        """Return the digest of a number."""
        return str(self._digests[number])


def _array(chunks: pa.Array | list[pa.Array]) -> pa.Array:
    return pa.concat_arrays([pa.array([], pa.string()), *(chunks if isinstance(chunks, list) else [chunks])])


def _parts(column: pa.ChunkedArray, lengths: Iterator[int]) -> Iterator[pa.ChunkedArray]:
    start = 0
    for length in lengths:
        yield column.slice(start, length)
        start += length


class Registry:
    """What refers to what, on numbers.

    Args:
        blobs: The table, of which digest and size are used.
        references: The table. A ``subject`` is no part of a closure.
        revisions: The table, of which repository and digest are used.
        tags: The table, of which repository, tag and digest are used.
        others: Columns of further digests that need a number, by any name.
    """

    def __init__(
        self,
        blobs: pa.Table,
        references: pa.Table,
        revisions: pa.Table,
        tags: pa.Table,
        others: Mapping[str, pa.ChunkedArray] | None = None,
    ) -> None:
        named = {"parent": references["parent"], "child": references["child"]}
        named |= {"revisions": revisions["digest"], "tags": tags["digest"], **(others or {})}
        self.digests = Digests(blobs["digest"], named)
        self.graph = Graph(self._sizes(blobs), self._references(references))
        self.revisions = self._revisions(revisions)
        """The numbers of each repository's manifests."""
        self.tags = self._tags(tags)
        """Each repository's tags, with the numbers of what they point to."""

    def is_stored(self, number: int) -> bool:
        """Return whether the blob of a number is there."""
        return number < self.digests.stored

    def missing(self, column: str) -> pa.ChunkedArray:
        """Return for each digest of a column whether it is one, and no blob of it is stored."""
        numbers = self.digests.column(column)
        return pc.fill_null(pc.greater_equal(numbers, pa.scalar(self.digests.stored, NUMBER)), False)

    def _sizes(self, blobs: pa.Table) -> array[int]:
        sizes = array("q", blobs["size"].to_pylist())
        sizes.extend([0] * (len(self.digests) - len(sizes)))
        return sizes

    def _references(self, references: pa.Table) -> dict[int, array[int]]:
        counted = pc.not_equal(references["role"], "subject")
        parents, children = (self.digests.column(name).filter(counted) for name in ("parent", "child"))
        named = array("I", children.to_pylist())
        found: dict[int, array[int]] = {}
        start = 0
        runs = pc.run_end_encode(pa.concat_arrays([pa.array([], NUMBER), *parents.chunks]))
        for parent, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            found[parent] = found.get(parent, array("I")) + named[start:end]
            start = end
        return {parent: array("I", dict.fromkeys(each)) for parent, each in found.items()}

    def _revisions(self, revisions: pa.Table) -> dict[str, list[int]]:
        found: defaultdict[str, list[int]] = defaultdict(list)
        numbers = _values(self.digests.column("revisions"))
        for (repository,), number in zip(rows(revisions, "repository"), numbers, strict=True):
            found[repository].append(number)
        return dict(found)

    def _tags(self, tags: pa.Table) -> dict[str, dict[str, int | None]]:
        found: defaultdict[str, dict[str, int | None]] = defaultdict(dict)
        numbers = _values(self.digests.column("tags"))
        for (repository, tag), number in zip(rows(tags, "repository", "tag"), numbers, strict=True):
            found[repository][tag] = number
        return dict(found)


def _values(column: pa.ChunkedArray) -> Iterator[int]:
    for chunk in column.chunks:
        yield from chunk.to_pylist()
