"""The tables of an inventory: what all commands compute with, in memory or from an inventory's directory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from fsspec.core import url_to_fs
from fsspec.utils import stringify_path

from registry_s3fs.registry import parquet
from registry_s3fs.registry.schemas import CODES, ORDER, SCHEMAS

if TYPE_CHECKING:
    from dask.dataframe import DataFrame
    from distributed import Client
    from fsspec import AbstractFileSystem

__all__ = ["CODES", "ORDER", "SCHEMAS", "Rows", "StoredTables", "Tables", "sorted_table", "table_of"]

_ROWS_PER_CHUNK = 1 << 16
CHARACTERS_PER_CHUNK = 1 << 28
"""At most 1 GiB of text: a column of Arrow strings ends at 2 GiB. A row, of one document, has some MB at most."""


@dataclass(eq=False)
class Tables:
    """A registry's contents: one `pyarrow.Table` each, with the columns of `SCHEMAS`, in the `ORDER` of their rows."""

    blobs: pa.Table
    manifests: pa.Table
    revisions: pa.Table
    references: pa.Table
    tags: pa.Table
    tag_history: pa.Table
    layers: pa.Table
    repositories: pa.Table
    uploads: pa.Table
    problems: pa.Table
    snapshot: pa.Table
    links: pa.Table = field(default_factory=SCHEMAS["links"].empty_table)

    def write(
        self,
        directory: str,
        fs: AbstractFileSystem | None = None,
        client: Client | None = None,
        **storage_options: object,
    ) -> None:
        """Write the tables as Parquet files. An inventory that is there is replaced once this one is whole.

        Args:
            directory: A URL of any filesystem that fsspec knows, or a path of ``fs``.
            fs: The filesystem; by default the URL's.
            client: A client of dask.distributed, whose workers write in place of this process, each file by a task of
                its own. ``blobs``, ``manifests`` and ``references`` have a file for each first byte of the digests.
            storage_options: Options of the URL's filesystem.

        Raises:
            OSError: The files cannot be written, or workers have written them where this process does not see them.
        """
        fs, directory = _place(fs, directory, storage_options)
        run = parquet.new_run()
        try:
            first_bytes = self._write_files(fs, directory, run, client)
        except BaseException:  # Ctrl-C, too
            with suppress(OSError):
                parquet.discard(fs, directory, run)
            raise
        parquet.finish(fs, directory, run, self.snapshot, first_bytes)

    def _write_files(self, fs: AbstractFileSystem, directory: str, run: str, client: Client | None) -> Sequence[str]:
        """Write all but the snapshot, and return the first bytes of the partitions."""
        tables = {name: getattr(self, name) for name in SCHEMAS if name != "snapshot"}
        if client is not None:
            from registry_s3fs.registry import dask_tables

            return dask_tables.write(client, fs, directory, run, tables)
        for name, table in tables.items():
            parquet.write_table(fs, directory, run, name, table)
        return ()

    def dask(self, name: str) -> DataFrame:
        """Return a table as a dask dataframe, with Arrow's types.

        ``blobs``, ``manifests`` and ``references`` have a partition for each first byte of the digests, and the digest
        for their index (of references the ``parent``). Their partitions are the same ones, so that a merge on the
        index moves nothing. Other tables come in the order of their rows, without an index.

        Of tables that workers have written (``write(client=...)``) and `read` has found, workers read each partition
        from its file. All other rows travel with the tasks, from the memory of this process.

        Args:
            name: The name of the table.
        """
        from registry_s3fs.registry import dask_tables

        return dask_tables.dataframe(name, {each: getattr(self, each) for each in {name, *dask_tables.needed(name)}})

    @staticmethod
    def read(directory: str, fs: AbstractFileSystem | None = None, **storage_options: object) -> Tables:
        """Return the tables of an inventory's directory. Each is read when it is first asked for.

        Raises:
            FileNotFoundError: If there is no inventory, or only one whose writing was interrupted.
        """
        return StoredTables(*_place(fs, directory, storage_options))


class StoredTables(Tables):
    """The tables of an inventory's directory, each read when it is first asked for."""

    def __init__(self, fs: AbstractFileSystem, directory: str) -> None:
        self._fs = fs
        self._directory = directory
        self._run = parquet.read_run(fs, directory)

    def dask(self, name: str) -> DataFrame:
        """Return a table as a dask dataframe, as `Tables.dask` does."""
        if not self._run.first_bytes or name == "snapshot":
            return super().dask(name)
        from registry_s3fs.registry import dask_tables

        return dask_tables.stored_dataframe(self._fs, self._directory, self._run, name)

    def __getattr__(self, name: str) -> pa.Table:
        if name not in SCHEMAS:
            raise AttributeError(name)
        table = parquet.read_table(self._fs, self._directory, name, run=self._run)
        setattr(self, name, table)
        return table


class Rows:
    """Rows of a table on their way: columns are built in chunks, so that few rows at a time are Python objects."""

    def __init__(self, name: str) -> None:
        self._schema = SCHEMAS[name]
        self._chunks: list[pa.RecordBatch] = []
        self._rows: list[tuple[object, ...]] = []
        self._is_wide = any(pa.types.is_nested(field.type) for field in self._schema)
        """Whether a row can have more text than a few names, which are short."""
        self._characters = 0

    def append(self, *values: object) -> None:
        """Add a row, its values in the order of the schema's columns. Columns that no row has a value for are null."""
        self._rows.append(values)
        if self._is_wide:
            self._characters += sum(map(_characters, values))
        if len(self._rows) == _ROWS_PER_CHUNK or self._characters > CHARACTERS_PER_CHUNK:
            self._flush()

    def extend(self, others: Rows) -> None:
        """Add the rows of another one, of the same table."""
        if self._rows:
            self._flush()
        self._chunks += others.table().to_batches()

    def __getstate__(self) -> dict[str, object]:
        """Return what travels to another process: columns alone, as they are smaller than rows."""
        if self._rows:
            self._flush()
        return self.__dict__

    def table(self) -> pa.Table:
        """Return the rows so far as a table, in the order in which they were added."""
        if self._rows:
            self._flush()
        return pa.Table.from_batches(self._chunks, schema=self._schema)

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [_array(column, field.type) for column, field in zip(columns, self._schema, strict=False)]
        arrays += [pa.nulls(len(self._rows), field.type) for field in list(self._schema)[len(arrays) :]]
        self._chunks.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows = []
        self._characters = 0


def _characters(value: object) -> int:
    """Return how many characters a value of a row has.

    >>> _characters("ab"), _characters(["ab", "c"]), _characters({"a": "bc"}), _characters(7)
    (2, 3, 3, 0)
    """
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + len(text) for name, text in value.items())
    return sum(map(len, value)) if isinstance(value, list) else 0


def _array(values: tuple[object, ...], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:  # a name that is no Unicode, which Python reads as lone surrogates
        return pa.array([_escaped(value) for value in values], kind)


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_escaped(name): _escaped(text) for name, text in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def table_of(name: str, rows: Iterable[Iterable[object]]) -> pa.Table:
    """Return a table of rows, sorted as `ORDER` says.

    >>> rows = [("b", "sha256:02", None, True), ("a", "sha256:01", None, False)]
    >>> table_of("revisions", rows)["repository"].to_pylist()
    ['a', 'b']
    """
    built = Rows(name)
    for row in rows:
        built.append(*row)
    return sorted_table(name, built.table())


def sorted_table(name: str, table: pa.Table) -> pa.Table:
    """Return a table with its rows in the `ORDER` of its kind; the same table, where they are."""
    if _is_sorted([table[column] for column in ORDER[name]]):
        return table
    return table.sort_by([(column, "ascending") for column in ORDER[name]])


def _is_sorted(columns: list[pa.ChunkedArray]) -> bool:
    """Return whether each row is after the one before it, or equal. A null in these columns makes it a no."""
    count = len(columns[0])
    ordered = pa.chunked_array([pa.nulls(max(count - 1, 0), pa.bool_()).fill_null(True)])
    for column in reversed(columns):
        before, after = column.slice(0, max(count - 1, 0)), column.slice(1)
        ordered = pc.or_kleene(pc.less(before, after), pc.and_kleene(pc.equal(before, after), ordered))
    return bool(pc.all(ordered, skip_nulls=False, min_count=0).as_py())


def _place(
    fs: AbstractFileSystem | None, directory: str, storage_options: dict[str, object]
) -> tuple[AbstractFileSystem, str]:
    if fs is None:
        fs, directory = url_to_fs(stringify_path(directory), **storage_options)
    return fs, directory.rstrip("/")
