"""Tables as Parquet files in a directory of any fsspec filesystem.

Each table has a folder, and in it one file or more: ``blobs/part-00000-5f0c81d2.parquet``. The word at the end is the
same for all files of an inventory. The file of the snapshot says it and is written last, so that a directory has the
former inventory, whole, until the new one is.

Arrow is handed no Python file, and no Python bytes. Its threads would hold them a moment longer than a call takes.
Where the interpreter ends in that moment, it ends such a thread as it waits for the GIL, and C++ aborts the process.
"""

from __future__ import annotations

import errno
import json
import posixpath
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from registry_s3fs.registry import reading
from registry_s3fs.registry.schemas import SCHEMAS

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

ROWS_PER_FILE = 500_000
"""At most so many rows go into one file: some 50 MB of references."""

SNAPSHOT = "snapshot/part-00000.parquet"

_RUN = b"registry_s3fs.run"
_FIRST_BYTES = b"registry_s3fs.first_bytes"
_FILES_READ_AT_ONCE = 64


class Run(NamedTuple):
    """What the files of one inventory are called."""

    word: str
    """The word in their names; an empty one if they have none."""
    first_bytes: tuple[str, ...]
    """Of tables in partitions, the first byte of the digests in each file, by its number; empty without partitions."""


def new_run() -> str:
    """Return a word that the files of one inventory have in their names."""
    return uuid.uuid4().hex[:8]


def part(directory: str, run: str, name: str, number: int) -> str:
    """Return the path of one of the files of a table."""
    return f"{directory}/{name}/part-{number:05d}-{run}.parquet"


def write_file(fs: AbstractFileSystem, path: str, table: pa.Table) -> None:
    """Write one file. Those of different paths can be written by different processes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    fs.makedirs(posixpath.dirname(path), exist_ok=True)
    fs.pipe_file(path, sink.getvalue().to_pybytes())


def write_table(fs: AbstractFileSystem, directory: str, run: str, name: str, table: pa.Table) -> None:
    """Write a whole table, in files of at most `ROWS_PER_FILE` rows."""
    for number, first in enumerate(range(0, max(table.num_rows, 1), ROWS_PER_FILE)):
        write_file(fs, part(directory, run, name, number), table.slice(first, ROWS_PER_FILE))


def finish(
    fs: AbstractFileSystem, directory: str, run: str, snapshot: pa.Table, first_bytes: Sequence[str] = ()
) -> None:
    """Write the snapshot, from when on the directory has this inventory, and remove the files of former ones."""
    told = {_RUN: run.encode(), _FIRST_BYTES: json.dumps(first_bytes).encode()}
    write_file(fs, f"{directory}/{SNAPSHOT}", snapshot.replace_schema_metadata(told))
    _remove(fs, [path for path in _all_files(fs, directory) if not path.endswith(f"-{run}.parquet")])


def discard(fs: AbstractFileSystem, directory: str, run: str) -> None:
    """Remove the files of an inventory whose writing has failed."""
    _remove(fs, [path for path in _all_files(fs, directory) if path.endswith(f"-{run}.parquet")])


def _all_files(fs: AbstractFileSystem, directory: str) -> list[str]:
    return [path for name in SCHEMAS if name != "snapshot" for path in files(fs, directory, name)]


def _remove(fs: AbstractFileSystem, paths: list[str]) -> None:
    if paths:
        fs.rm(paths)


def read_run(fs: AbstractFileSystem, directory: str) -> Run:
    """Return what the files of the inventory in a directory are called.

    Raises:
        FileNotFoundError: If there is no inventory, or only one whose writing was interrupted.
    """
    if not fs.exists(f"{directory}/{SNAPSHOT}"):
        raise FileNotFoundError(
            errno.ENOENT, "no whole inventory is here; `registry-s3fs inventory` writes one", directory
        )
    metadata: dict[bytes, bytes] = open_parquet(fs, f"{directory}/{SNAPSHOT}").schema_arrow.metadata or {}
    return Run(metadata.get(_RUN, b"").decode(), tuple(json.loads(metadata.get(_FIRST_BYTES, b"[]"))))


def read_table(fs: AbstractFileSystem, directory: str, name: str, run: Run | None = None) -> pa.Table:
    """Return a table of the inventory in a directory.

    Raises:
        FileNotFoundError: If there is no inventory, or only one whose writing was interrupted.
    """
    schema = SCHEMAS[name]
    if name == "snapshot":
        return open_parquet(fs, f"{directory}/{SNAPSHOT}").read().replace_schema_metadata().cast(schema)
    return read_files(fs, files(fs, directory, name, run or read_run(fs, directory)), name)


def read_files(fs: AbstractFileSystem, paths: Sequence[str], name: str) -> pa.Table:
    """Return a table of the rows of some of its files."""
    return joined(SCHEMAS[name], [opened.read() for opened in _opened(fs, paths)])


def joined(schema: pa.Schema, tables: Iterable[pa.Table]) -> pa.Table:
    """Return one table of the rows of several, without a copy."""
    empty = pa.Table.from_batches([], schema)  # Schema.empty_table would import pandas
    return pa.concat_tables([empty, *(table.cast(schema) for table in tables)])


def open_parquet(fs: AbstractFileSystem, path: str) -> pq.ParquetFile:
    """Return a Parquet file that is in memory, and Arrow's."""
    return _in_memory(fs.cat_file(path))


def _opened(fs: AbstractFileSystem, paths: Sequence[str]) -> Iterator[pq.ParquetFile]:
    """Yield Parquet files, read many at a time."""
    for first in range(0, len(paths), _FILES_READ_AT_ONCE):
        for content in reading.cat(fs, list(paths[first : first + _FILES_READ_AT_ONCE])).values():
            if isinstance(content, Exception):
                raise content
            yield _in_memory(content)


def _in_memory(content: bytes) -> pq.ParquetFile:
    copy = pa.allocate_buffer(len(content))
    memoryview(copy).cast("B")[:] = content
    return pq.ParquetFile(pa.BufferReader(copy))


def files(fs: AbstractFileSystem, directory: str, name: str, run: Run | None = None) -> list[str]:
    """Return the paths of a table's files, those of one inventory or of all."""
    ending = f"{run.word if run else ''}.parquet"
    try:
        return sorted(path for path in fs.ls(f"{directory}/{name}", detail=False) if path.endswith(ending))
    except FileNotFoundError:
        return []
