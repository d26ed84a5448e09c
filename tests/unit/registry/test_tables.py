"""The tables of an inventory and their Parquet files."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.registry import parquet
from registry_s3fs.registry import tables as tables_module
from registry_s3fs.registry.schemas import ORDER, SCHEMAS
from registry_s3fs.registry.tables import Rows, Tables, table_of

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
COLUMNS = """
blobs: digest size modified storage_class kind manifests repositories tags marked young
manifests: digest size media_type artifact_type kind config_digest subject os architecture variant children layers \
annotations closure_bytes created error
revisions: repository digest linked_at tagged
references: parent child role position declared_size media_type title annotations
tags: repository tag digest pushed_at image_bytes unique_bytes digest_tag_of
tag_history: repository tag digest tagged_at current still_there
layers: repository digest linked_at used_by_manifest
repositories: name tags manifests logical distinct unique shared fair untagged link_only first_push last_push
uploads: repository uuid started_at upload_id initiated parts part_bytes data_bytes hashstates age state
problems: severity code repository tag digest key detail affected_tags
snapshot: started finished root keys bytes requests options
links: key modified size etag text
"""


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def tables(revisions: int = 2) -> Tables:
    filled = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    filled["revisions"] = table_of("revisions", [("app", digest(n), NOW, True) for n in range(revisions)])
    filled["references"] = table_of(
        "references", [(digest(1), digest(2), "layer", 0, 5, "text/plain", "a.txt", {"title": "a.txt"})]
    )
    filled["problems"] = table_of(
        "problems", [("error", "link_empty", "app", None, None, "/k", "", ["app:1", "app:2"])]
    )
    filled["snapshot"] = table_of("snapshot", [(NOW, NOW, "/root", 3, 213, None, "{}")])
    return Tables(**filled)


def test_the_tables_have_the_columns_that_are_promised() -> None:
    """Their names and order are those of docs/registry.md, times are UTC to the microsecond, counts 64-bit integers."""
    promised = {line.split(":")[0]: line.split(":")[1].split() for line in COLUMNS.strip().splitlines()}
    assert {name: schema.names for name, schema in SCHEMAS.items()} == promised
    times = {f.type for schema in SCHEMAS.values() for f in schema if pa.types.is_timestamp(f.type)}
    assert times == {pa.timestamp("us", tz="UTC")}
    numbers = {f.type for schema in SCHEMAS.values() for f in schema if pa.types.is_integer(f.type)}
    assert numbers == {pa.int64()}


def test_rows_come_in_the_order_of_their_table() -> None:
    """Whatever the order in which they were found."""
    for name, columns in ORDER.items():
        assert set(columns) <= set(SCHEMAS[name].names)
    found = table_of(
        "revisions", [("b", digest(1), NOW, True), ("a", digest(9), NOW, None), ("b", digest(0), NOW, True)]
    )
    assert [(row["repository"], row["digest"]) for row in found.to_pylist()] == [
        ("a", digest(9)),
        ("b", digest(0)),
        ("b", digest(1)),
    ]


def test_much_text_is_built_in_several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of Arrow strings holds 2 GiB, which annotations of 65,536 manifests can exceed."""
    monkeypatch.setattr(tables_module, "CHARACTERS_PER_CHUNK", 1000)
    annotated, named = Rows("references"), Rows("problems")
    for number in range(100):
        annotated.append(digest(number), digest(0), "layer", 0, 5, None, "title", {"name": 99 * "x"})
        named.append("error", "blob_missing", "app", None, digest(number), "/key", "text", 20 * [f"app:{number}"])
    for rows in (annotated, named):
        assert rows.table().num_rows == 100
        assert 20 <= rows.table().column(0).num_chunks <= 50
    assert annotated.table()["parent"].to_pylist() == [digest(number) for number in range(100)]


def test_rows_beyond_one_chunk_are_all_there() -> None:
    """A table is built in chunks of 65,536 rows."""
    rows = Rows("links")
    for number in range(70_000):
        rows.append(f"/{number}", None, number, None, None)
    table = rows.table()
    assert table["size"].to_pylist() == list(range(70_000))
    assert table["size"].num_chunks == 2


def test_a_name_that_is_no_unicode_is_escaped() -> None:
    """A local file's name can be any bytes, which Python reads as lone surrogates; Arrow takes none."""
    table = table_of("revisions", [("caf\udce9", digest(1), NOW, True), ("b", digest(2), NOW, True)])
    assert table["repository"].to_pylist() == ["b", "caf\\udce9"]


@pytest.fixture(params=["memory", "local"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "out")
    MemoryFileSystem.store.clear()
    return "memory://out"


@pytest.mark.promise("Registry contents")
def test_tables_read_are_the_tables_written(place: str) -> None:
    """An inventory read from its directory equals the one written there, in memory or on a disk."""
    tables().write(place)
    found = Tables.read(place)
    for name in SCHEMAS:
        assert getattr(found, name).equals(getattr(tables(), name)), name
        assert getattr(found, name).schema.equals(SCHEMAS[name])


def test_a_second_inventory_replaces_the_first(place: str) -> None:
    """Also where it has fewer files, and nothing else is touched."""
    tables(7).write(place)
    tables(3).write(place + "/")
    assert Tables.read(place).revisions.num_rows == 3


def test_tables_larger_than_one_file_are_in_several(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows are read in the order in which they were written."""
    monkeypatch.setattr(parquet, "ROWS_PER_FILE", 3)
    tables(8).write(place)
    assert Tables.read(place).revisions.equals(tables(8).revisions)


def test_an_inventory_that_was_interrupted_is_none(tmp_path: Path) -> None:
    """The error says that it is not whole, and how an inventory is made."""
    parquet.write_table(_local(), str(tmp_path), "run", "blobs", SCHEMAS["blobs"].empty_table())
    with pytest.raises(FileNotFoundError, match="no whole inventory.*registry-s3fs inventory"):
        Tables.read(str(tmp_path))


def test_an_inventory_stays_whole_while_the_next_is_written(tmp_path: Path) -> None:
    """Until the next one's snapshot is there, the former one is read, and none of the new files."""
    tables(7).write(str(tmp_path))
    parquet.write_table(_local(), str(tmp_path), "other", "revisions", tables(2).revisions)
    assert Tables.read(str(tmp_path)).revisions.num_rows == 7


def test_files_that_others_wrote_are_read(tmp_path: Path) -> None:
    """As by a tool that merged the parts of a table, under its own names."""
    for name in SCHEMAS:
        (tmp_path / name).mkdir()
        pq.write_table(getattr(tables(4), name), tmp_path / name / "part-00000.parquet")
    assert Tables.read(str(tmp_path)).revisions.num_rows == 4


def test_arrow_gets_no_python_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of Arrow's that still held one at the interpreter's end would abort the process."""
    sinks = []
    write_table = pq.write_table
    monkeypatch.setattr(
        pq, "write_table", lambda table, where, **kw: (sinks.append(where), write_table(table, where, **kw))
    )
    tables().write("memory://threads")
    assert sinks
    assert all(type(sink) is pa.BufferOutputStream for sink in sinks)
    opened = []
    monkeypatch.setattr(MemoryFileSystem, "open", lambda fs, path, *args, **kwargs: opened.append(path))
    for name in SCHEMAS:
        assert getattr(Tables.read("memory://threads"), name).schema == SCHEMAS[name]
    assert not opened


def test_a_table_that_does_not_exist_is_an_error_of_its_name(tmp_path: Path) -> None:
    """So are misspelt ones."""
    tables().write(str(tmp_path))
    with pytest.raises(AttributeError, match="revision"):
        _ = Tables.read(str(tmp_path)).revision


def _local() -> object:
    import fsspec

    return fsspec.filesystem("file")
