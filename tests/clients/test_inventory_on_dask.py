"""Inventories by the workers of a cluster of dask.distributed: two processes on this machine."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.cli.main import main
from registry_s3fs.registry import dask_tables
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.partitions import BY_DIGEST
from registry_s3fs.registry.tables import SCHEMAS, Tables
from tests.libraries import library
from tests.registries import AMD64, ARM64, MadeRegistry
from tests.thoroughly import thorough

distributed = library("distributed")

IMAGES = 8


@pytest.fixture(params=["local", "moto"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> MadeRegistry:
    """A registry with everything, and damage, in a local folder or in S3."""
    if request.param == "local":
        return filled(MadeRegistry(LocalFileSystem(), f"{tmp_path}/docker/registry/v2"))
    return filled(MadeRegistry(request.getfixturevalue("fs")))


def filled(made: MadeRegistry) -> MadeRegistry:
    for number in range(IMAGES):
        layers = [b"base", f"layer {number}".encode()]
        image = made.image(f"team/app-{number % 7}", f"v{number}", layers, config={"created": "2026-01-01T00:00:00Z"})
    arm = made.image("team/app-0", None, [b"arm"], platform=ARM64)
    made.index("team/app-0", "multi", [(image, AMD64), (arm, ARM64)])
    made.index("inner", None, [(made.index("outer", "deep", [(arm, ARM64)]), None)])
    made.artifact("team/app-0", None, {"report.txt": b"text"}, subject=image)
    made.tag("team/app-1", "v1", image.digest)
    lost = made.image("damaged/app", "lost", [b"lost layer"])
    made.lose_blob(lost.layers[0].digest)
    made.manifest("damaged/app", b"{", "garbled")
    made.damage_blob(made.image("damaged/app", "other", [b"other"]).digest)
    made.write(made.tag_path("damaged/app", "empty"), b"")
    made.write(made.revision_path("damaged/app", f"sha512:{128 * 'a'}"), b"no digest")
    made.upload("team/app-2", b"half")
    made.upload("team/app-3", started_at=None)
    made.write(f"{made.root}/repositories/odd.txt", b"odd")
    made.write(f"{made.root}/top.txt", b"odd")
    made.write(f"{made.root}/blobs/odd.txt", b"odd")
    made.write(f"{made.root}/elsewhere/deep/odd.txt", b"odd")
    return made


def without_times(tables: Tables) -> dict[str, pa.Table]:
    """All tables, without what tells only when the inventory was made."""
    found = {name: getattr(tables, name) for name in SCHEMAS}
    return {
        **found,
        "snapshot": found["snapshot"].drop_columns(["started", "finished"]),
        "uploads": found["uploads"].drop_columns(["age"]),
    }


def assert_same(found: Tables, expected: Tables) -> None:
    """Every table has the same rows in the same order."""
    tables = without_times(expected)
    for name, table in without_times(found).items():
        assert table.schema == tables[name].schema, name
        assert table.to_pylist() == tables[name].to_pylist(), name


def kinds_of_tasks(stream: Any) -> set[str]:
    """The names of the functions that workers have run."""
    return {task["key"].partition("-")[0] for task in stream.data}


@pytest.mark.promise("Registry contents")
def test_workers_of_dask_give_the_tables_of_one_process(client: Any, registry: MadeRegistry) -> None:
    """The workers of a dask.distributed cluster give the tables that one process gives, row for row."""
    expected = inventory(registry.fs, registry.root, configs=True)
    assert {"blob_missing", "digest_mismatch", "link_empty", "manifest_unreadable", "unknown_key"} <= set(
        expected.problems["code"].to_pylist()
    )
    with distributed.get_task_stream(client) as stream:
        found = inventory(registry.fs, registry.root, configs=True, client=client)
    assert_same(found, expected)
    assert len({task["worker"] for task in stream.data}) == 2
    assert kinds_of_tasks(stream) == {"_scan_folders", "_read_files", "_read_manifests", "_read_configs"}


@pytest.mark.promise("Registry contents")
@pytest.mark.parametrize(
    ("registry", "stage"), [("moto", "listing"), *thorough(("local", "manifests"))], indirect=["registry"]
)
def test_a_worker_that_is_killed_changes_nothing(client: Any, registry: MadeRegistry, stage: str) -> None:
    """A worker that is killed while an inventory is made changes nothing: what it had done is done again."""
    expected = inventory(registry.fs, registry.root)
    victim = next(iter(client.run(os.getpid).values()))
    results: list[int] = []

    def kill(told: str, done: int, total: int | None) -> None:
        if told == stage:
            results.append(done)
            if len(results) == 5:
                os.kill(victim, signal.SIGKILL)

    assert_same(inventory(registry.fs, registry.root, client=client, progress=kill), expected)
    assert len(results) > 10  # so it went in the middle
    client.wait_for_workers(2, timeout=60)
    assert victim not in client.run(os.getpid).values()


def test_what_an_earlier_inventory_knows_is_not_read_again(client: Any, registry: MadeRegistry) -> None:
    """Where nothing changed, no worker reads a link or a manifest; what is new is read."""
    earlier = inventory(registry.fs, registry.root, configs=True)
    with distributed.get_task_stream(client) as stream:
        again = inventory(registry.fs, registry.root, configs=True, previous=earlier, client=client)
    assert_same(again, inventory(registry.fs, registry.root, configs=True, previous=earlier))
    assert kinds_of_tasks(stream) == {"_scan_folders"}
    registry.image("team/new", "v1", [b"new"])
    found = inventory(registry.fs, registry.root, configs=True, previous=earlier, client=client)
    assert_same(found, inventory(registry.fs, registry.root, configs=True, previous=earlier))
    assert "team/new" in found.repositories["name"].to_pylist()


def test_a_registry_that_workers_do_not_see_is_an_error(client: Any) -> None:
    """Files in this process's memory, or in a folder of one machine, are not taken for an empty registry."""
    made = MadeRegistry(MemoryFileSystem(), "/only-here/docker/registry/v2")
    made.image("team/app", "v1")
    with pytest.raises(FileNotFoundError, match="a worker of the cluster does not see the registry"):
        inventory(made.fs, made.root, client=client)


def test_workers_may_be_threads() -> None:
    """Then they see the files in the memory of this process, too."""
    made = filled(MadeRegistry(MemoryFileSystem(), "/threads/docker/registry/v2"))
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster, set_as_default=False) as threads,
    ):
        assert_same(inventory(made.fs, made.root, client=threads), inventory(made.fs, made.root))


@pytest.mark.parametrize("registry", ["local"], indirect=True)
def test_the_files_of_s3s_own_report_are_read_side_by_side(client: Any, registry: MadeRegistry, tmp_path: Path) -> None:
    """Each by a task of its own, wherever the files of one upload or blobs of one byte stand."""
    files = sorted(registry.files().items())
    columns = ("key", "size", "last_modified_date")
    parts: list[dict[str, list[Any]]] = [{name: [] for name in columns} for _ in range(3)]
    for number, (path, size) in enumerate(files):
        row = (path.lstrip("/"), size, datetime(2026, 1, 1, tzinfo=timezone.utc))
        for name, value in zip(columns, row, strict=True):
            parts[number % 3][name].append(value)
    folder = tmp_path / "report"
    folder.mkdir()
    for number, part in enumerate(parts):
        pq.write_table(pa.table(part), folder / f"{number}.parquet")
    manifest = {
        "creationTimestamp": "1798761600000", "fileFormat": "Parquet", "fileSchema": "",
        "files": [{"key": f"data/{number}.parquet"} for number in range(3)],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    report = str(folder / "manifest.json")
    with distributed.get_task_stream(client) as stream:
        found = inventory(registry.fs, registry.root, s3_inventory=report, client=client)
    assert_same(found, inventory(registry.fs, registry.root, s3_inventory=report))
    assert kinds_of_tasks(stream) == {"_scan_report", "_read_files", "_read_manifests"}
    assert found.snapshot["keys"].to_pylist() == [len(files)]


def test_an_empty_registry_is_no_error(client: Any, tmp_path: Path) -> None:
    """It has no rows."""
    (tmp_path / "docker/registry/v2/repositories").mkdir(parents=True)
    found = inventory(LocalFileSystem(), f"{tmp_path}/docker/registry/v2", client=client)
    assert found.blobs.num_rows == found.repositories.num_rows == 0


@pytest.mark.parametrize("registry", ["local"], indirect=True)
def test_the_command_takes_the_address_of_a_scheduler(
    client: Any, registry: MadeRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`inventory OUT --dask ADDRESS`; the Parquet files are read by dask, pandas and the other commands."""
    place = f"file://{tmp_path}"
    with distributed.get_task_stream(client) as stream:
        assert main(["inventory", place, f"{tmp_path}/out", "--dask", client.scheduler.address]) == 0
    assert stream.data
    assert_same(Tables.read(f"{tmp_path}/out"), inventory(registry.fs, registry.root))
    assert kinds_of_tasks(stream) >= {"_scan_folders", "_read_manifests", "_write"}


def place_of(registry: MadeRegistry, tmp_path: Path) -> tuple[str, Any]:
    """Where the workers can write: the bucket, or a folder beside the registry's."""
    return (
        ("/reports/monday", registry.fs) if isinstance(registry.fs, RegistryS3FileSystem) else (f"{tmp_path}/out", None)
    )


def arrow(frame: Any, name: str) -> pa.Table:
    """The rows of a dask dataframe, with the columns of the table."""
    found = frame.compute()
    if name in BY_DIGEST:
        found = found.reset_index()
    return pa.Table.from_pandas(found, schema=SCHEMAS[name], preserve_index=False)


@pytest.mark.promise("Registry contents")
def test_workers_write_partitions_by_the_first_byte_of_digests(
    client: Any, registry: MadeRegistry, tmp_path: Path
) -> None:
    """Workers of a cluster write Parquet in partitions by the first byte of digests; read back, all rows are equal."""
    place, fs = place_of(registry, tmp_path)
    expected = inventory(registry.fs, registry.root)
    with distributed.get_task_stream(client) as stream:
        expected.write(place, fs, client=client)
    assert kinds_of_tasks(stream) == {"_write"}
    assert len({task["worker"] for task in stream.data}) == 2
    found = Tables.read(place, fs)
    assert_same(found, expected)
    fs = fs or LocalFileSystem()
    for name, column in BY_DIGEST.items():
        paths = fs.ls(f"{place}/{name}", detail=False)
        parts = [pq.read_table(pa.BufferReader(fs.cat_file(path)))[column].to_pylist() for path in paths]
        assert [len({digest[:9] for digest in part}) for part in parts] == [1] * len(parts)
        assert len({part[0][:9] for part in parts}) == len(parts) > 5
    expected.write(place, fs)  # by this process alone: the partitions are replaced
    assert_same(Tables.read(place, fs), expected)
    assert fs.ls(f"{place}/blobs", detail=False) != paths
    assert len(fs.ls(f"{place}/blobs", detail=False)) == 1


@pytest.mark.promise("Registry contents")
@pytest.mark.parametrize(
    ("registry", "written"),
    [
        ("moto", "by workers"),
        *thorough(("local", "by workers"), *product(["local", "moto"], ["by one process", "not at all"])),
    ],
    indirect=["registry"],
)
def test_tables_are_dask_dataframes(client: Any, registry: MadeRegistry, tmp_path: Path, written: str) -> None:
    """Each table is a dask dataframe with the same rows; manifests and references are joined without a shuffle."""
    tables = expected = inventory(registry.fs, registry.root, client=client)
    if written != "not at all":
        place, fs = place_of(registry, tmp_path)
        expected.write(place, fs, client=client if written == "by workers" else None)
        tables = Tables.read(place, fs)
    frames = {name: tables.dask(name) for name in SCHEMAS}
    with client.as_current():
        for name, frame in frames.items():
            assert arrow(frame, name).equals(getattr(expected, name)), name
        manifests, references = frames["manifests"], frames["references"]
        merged = manifests.merge(references, left_index=True, right_index=True, suffixes=("", "_of"))
        assert manifests.divisions == references.divisions == frames["blobs"].divisions == merged.divisions
        assert manifests.known_divisions
        assert manifests.npartitions > 5
        rows = merged.compute()
    assert sorted(zip(rows.index, rows["child"], strict=True)) == sorted(
        zip(expected.references["parent"].to_pylist(), expected.references["child"].to_pylist(), strict=True)
    )
    graph = merged.optimize().dask
    assert len(graph) == manifests.npartitions  # a task each, that has all of its partition
    assert not any("shuffle" in str(key) or "p2p" in str(key) for key in graph)


@pytest.mark.parametrize("registry", ["local"], indirect=True)
def test_files_of_the_partitions_are_read_by_dask_itself(client: Any, registry: MadeRegistry, tmp_path: Path) -> None:
    """`dask.dataframe.read_parquet` finds the divisions in the files, and merges without a shuffle, too."""
    expected = inventory(registry.fs, registry.root)
    expected.write(f"{tmp_path}/out", client=client)
    read_parquet = library("dask.dataframe").read_parquet
    with client.as_current():
        blobs = read_parquet(f"{tmp_path}/out/blobs")
        assert blobs["size"].sum().compute() == sum(expected.blobs["size"].to_pylist())
        manifests, references = (
            read_parquet(f"{tmp_path}/out/{name}", index=BY_DIGEST[name], columns=columns, calculate_divisions=True)
            for name, columns in (("manifests", ["kind"]), ("references", ["child", "role"]))
        )
        assert manifests.known_divisions
        merged = manifests.merge(references, left_index=True, right_index=True)
        assert not any("shuffle" in str(key) or "p2p" in str(key) for key in merged.optimize().dask)
        assert len(merged.compute()) == expected.references.num_rows


@pytest.mark.thorough
@pytest.mark.promise("Registry contents")
def test_a_worker_that_is_killed_while_tables_are_written_changes_nothing(
    client: Any, registry: MadeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is killed while tables are written or read changes nothing, either."""
    place, fs = place_of(registry, tmp_path)
    expected = inventory(registry.fs, registry.root)
    victims = iter(client.run(os.getpid).values())
    monkeypatch.setattr(dask_tables, "packed_rows", killing(next(victims), dask_tables.packed_rows))
    expected.write(place, fs, client=client)
    assert_same(Tables.read(place, fs), expected)
    client.wait_for_workers(2, timeout=60)
    with client.as_current():
        future = client.compute(Tables.read(place, fs).dask("references"))
        os.kill(next(victims), signal.SIGKILL)
        assert len(future.result()) == expected.references.num_rows
    client.wait_for_workers(2, timeout=60)


def killing(victim: int, packed: Any) -> Any:
    """A function that does as another one, and kills a process at its tenth call."""
    calls = []

    def called(table: pa.Table) -> Any:
        calls.append(table)
        if len(calls) == 10:
            os.kill(victim, signal.SIGKILL)
        return packed(table)

    return called


def test_files_that_workers_wrote_elsewhere_are_an_error(client: Any, registry: MadeRegistry) -> None:
    """As in the memory of each, or on a disk of its machine. The inventory that was there stays."""
    tables = inventory(registry.fs, registry.root)
    fs = MemoryFileSystem()
    tables.write("/elsewhere", fs)
    with pytest.raises(FileNotFoundError, match="a worker of the cluster wrote it elsewhere"):
        tables.write("/elsewhere", fs, client=client)
    assert_same(Tables.read("/elsewhere", fs), tables)


def test_odd_files_of_s3_are_each_listed_once(client: Any, fs: RegistryS3FileSystem) -> None:
    """Keys beside folders of the same name, and markers of directories, are counted as one listing counts them."""
    made = filled(MadeRegistry(fs))
    for name in ("blobs", "repositories", "repositories/team", "repositories/team/app-0", "blobs/sha256"):
        fs.pipe_file(f"{made.root}/{name}", b"a file")
    fs.makedirs(f"{made.root}/repositories/empty", exist_ok=True)
    found = inventory(fs, made.root, client=client)
    assert_same(found, inventory(fs, made.root))


@pytest.mark.parametrize(
    ("address", "message"), [("nonsense", "missing port number"), ("http://127.0.0.1:8786", "unknown address scheme")]
)
def test_an_address_that_is_none_is_told_at_once(
    address: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 1 and what is wrong with it."""
    (tmp_path / "repositories").mkdir()
    assert main(["inventory", f"file://{tmp_path}", f"{tmp_path}/out", "--dask", address]) == 1
    assert message in capsys.readouterr().err
