"""Tables as dask dataframes, and written by the workers of a cluster.

Blobs, manifests and references are in partitions by the first byte of their digests, the same ones for all three. So
each partition of one is joined with one partition of another, and nothing is moved between workers.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from itertools import islice
from posixpath import basename, dirname
from typing import TYPE_CHECKING

import dask
import pyarrow as pa

from registry_s3fs.registry import parquet
from registry_s3fs.registry.partitions import BY_DIGEST, divisions, first_bytes, partitions
from registry_s3fs.registry.schemas import SCHEMAS

if TYPE_CHECKING:
    import pandas as pd
    from dask.dataframe import DataFrame
    from distributed import Client
    from fsspec import AbstractFileSystem

ROWS_PER_PART = 20_000
"""At most so many rows of a table without digests go into one part: some MB, which the scheduler passes on."""
_LARGE_GRAPH = {"distributed.admin.large-graph-warning-threshold": "1GB"}
"""Rows travel to workers with their task, so that they are not lost where a worker goes. The client warns at 10 MB."""


def write(
    client: Client, fs: AbstractFileSystem, directory: str, run: str, tables: dict[str, pa.Table]
) -> Sequence[str]:
    """Have the workers write tables, each part by a task, a few at a time; and return the first bytes of the parts.

    Raises:
        FileNotFoundError: The workers have written elsewhere than this process sees.
    """
    bytes_ = first_bytes(tables[name][column] for name, column in BY_DIGEST.items())
    written: list[str] = []

    def tasks() -> Iterator[tuple[str, bytes]]:
        for name, table in tables.items():
            for number, rows in enumerate(_parts(name, table, bytes_)):
                if rows.num_rows or (number == 0 and not table.num_rows):
                    written.append(parquet.part(directory, run, name, number))
                    yield written[-1], packed_rows(rows)

    _submit_a_few(client, fs, tasks())
    fs.invalidate_cache()
    there = {(name, basename(path)) for name in tables for path in parquet.files(fs, directory, name)}
    for path in written:
        if (basename(dirname(path)), basename(path)) not in there:
            raise FileNotFoundError(errno.ENOENT, "a worker of the cluster wrote it elsewhere than this machine", path)
    return bytes_


def dataframe(name: str, tables: dict[str, pa.Table]) -> DataFrame:
    """Return a table that is in memory as a dask dataframe. Its rows travel with the tasks.

    Args:
        name: The table.
        tables: It, and those that are `needed` for it.
    """
    bytes_ = first_bytes(tables[each][BY_DIGEST[each]] for each in needed(name))
    packed = list(map(packed_rows, _parts(name, tables[name], bytes_)))
    return _dataframe(_unpacked, [(each,) for each in packed], name, bytes_)


def needed(name: str) -> Sequence[str]:
    """Return the tables whose digests tell the partitions of a table."""
    return list(BY_DIGEST) if name in BY_DIGEST else []


def stored_dataframe(fs: AbstractFileSystem, directory: str, run: parquet.Run, name: str) -> DataFrame:
    """Return a table as a dask dataframe, of which workers read each partition from its file."""
    paths = parquet.files(fs, directory, name, run)
    if name not in BY_DIGEST:
        return _dataframe(_read, [(fs, [path]) for path in paths], name, ())
    there = {basename(path): path for path in paths}
    names = (basename(parquet.part(directory, run.word, name, number)) for number in range(len(run.first_bytes)))
    return _dataframe(_read, [(fs, [there[each]] if each in there else []) for each in names], name, run.first_bytes)


def _parts(name: str, table: pa.Table, bytes_: Sequence[str]) -> Iterator[pa.Table]:
    if name in BY_DIGEST and bytes_:
        return partitions(table, BY_DIGEST[name], bytes_)
    return (table.slice(first, ROWS_PER_PART) for first in range(0, max(table.num_rows, 1), ROWS_PER_PART))


def _submit_a_few(client: Client, fs: AbstractFileSystem, tasks: Iterator[tuple[str, bytes]]) -> None:
    """Run tasks, as many at a time as keep the workers at work, so that the scheduler holds few rows."""
    from distributed import as_completed

    running = as_completed(loop=client.loop, with_results=True)

    def start(most: int) -> None:
        for path, packed in islice(tasks, most):
            running.add(client.submit(_write, fs, path, packed, pure=False))

    with dask.config.set(_LARGE_GRAPH):
        start(2 * max(1, sum(client.nthreads().values())))
        for _ in running:
            start(1)


def _dataframe(
    function: object, arguments: Sequence[tuple[object, ...]], name: str, bytes_: Sequence[str]
) -> DataFrame:
    from dask.dataframe import from_map

    bounds = divisions(bytes_) or None
    columns = map(list, zip(*arguments, strict=True))
    meta = _frame(SCHEMAS[name].empty_table(), name)
    return from_map(function, *columns, name=name, meta=meta, divisions=bounds, label=name)


# What a worker does


def packed_rows(table: pa.Table) -> bytes:
    """Return rows as bytes. A slice of a table would take all rows of the table along."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _write(fs: AbstractFileSystem, path: str, packed: bytes) -> None:
    parquet.write_file(fs, path, pa.ipc.open_stream(packed).read_all())


def _read(fs: AbstractFileSystem, paths: Sequence[str], name: str) -> pd.DataFrame:
    return _frame(parquet.read_files(fs, paths, name), name)


def _unpacked(packed: bytes, name: str) -> pd.DataFrame:
    return _frame(pa.ipc.open_stream(packed).read_all(), name)


def _frame(table: pa.Table, name: str) -> pd.DataFrame:
    """Return rows as pandas has them, with Arrow's types. Of a table in partitions, the index is the digest."""
    import pandas as pd

    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame.set_index(BY_DIGEST[name]) if name in BY_DIGEST else frame
