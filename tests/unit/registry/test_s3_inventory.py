"""S3's own inventory reports in place of a listing."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.tables import Tables
from tests.registries import MadeRegistry

CREATED = datetime(2026, 3, 4, 5, tzinfo=timezone.utc)
COLUMNS = (
    "Bucket",
    "Key",
    "VersionId",
    "IsLatest",
    "IsDeleteMarker",
    "Size",
    "LastModifiedDate",
    "ETag",
    "StorageClass",
)
IN_PARQUET = {
    "Bucket": "bucket",
    "Key": "key",
    "VersionId": "version_id",
    "IsLatest": "is_latest",
    "IsDeleteMarker": "is_delete_marker",
    "Size": "size",
    "LastModifiedDate": "last_modified_date",
    "ETag": "e_tag",
    "StorageClass": "storage_class",
}

Row = tuple[Any, ...]


def listed(files: dict[str, int], prefix: str = "") -> list[Row]:
    """What S3 says of files: the key has no leading slash."""
    return [
        ("bucket", prefix + path.lstrip("/"), "v1", True, False, size, CREATED, "0" * 32, "STANDARD")
        for path, size in files.items()
    ]


def report(folder: Path, rows: Sequence[Row], kind: str = "CSV", parts: int = 2, **changed: object) -> str:
    """Write a report as S3 lays it out, and give the path of its manifest."""
    names = [_part(folder / "data", rows[number::parts], number, kind) for number in range(parts)]
    document = {
        "sourceBucket": "bucket",
        "destinationBucket": "arn:aws:s3:::reports",
        "version": "2016-11-30",
        "creationTimestamp": str(int(CREATED.timestamp() * 1000)),
        "fileFormat": kind,
        "fileSchema": ", ".join(COLUMNS),
        "files": [{"key": f"reports/bucket/daily/data/{name}", "size": 1, "MD5checksum": ""} for name in names],
        **changed,
    }
    manifest = folder / "2026-03-04T05-00Z" / "manifest.json"
    manifest.parent.mkdir(exist_ok=True)
    manifest.write_text(json.dumps(document))
    return str(manifest)


def _part(folder: Path, rows: Sequence[Row], number: int, kind: str) -> str:
    folder.mkdir(exist_ok=True)
    if kind == "Parquet":
        columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(COLUMNS, ())
        table = pa.table({IN_PARQUET[name]: list(values) for name, values in columns.items()})
        pq.write_table(table, folder / f"{number}.parquet")
        return f"{number}.parquet"
    text = io.StringIO()
    for row in rows:
        fields = dict(zip(COLUMNS, row, strict=True))
        fields["Key"] = quote_plus(str(fields["Key"]), safe="/")
        fields["LastModifiedDate"] = fields["LastModifiedDate"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
        fields |= {name: str(fields[name]).lower() for name in ("IsLatest", "IsDeleteMarker")}
        csv.writer(text, quoting=csv.QUOTE_ALL).writerow(fields.values())
    (folder / f"{number}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    return f"{number}.csv.gz"


@pytest.fixture
def registry() -> MadeRegistry:
    MemoryFileSystem.store.clear()
    made = MadeRegistry(MemoryFileSystem(), "/docker/registry/v2")
    made.image("team/app", "1", [b"base", b"app"])
    made.image("team/other", "1", [b"base"])
    made.upload("team/app", b"data")
    made.write(f'{made.root}/odd name, "quoted"', b"stray")
    return made


def assert_same(found: Tables, expected: Tables) -> None:
    """All but times, which a report has in whole seconds here."""
    for name, columns in {
        "blobs": ["digest", "size", "kind", "marked", "repositories"],
        "manifests": ["digest", "closure_bytes"],
        "revisions": ["repository", "digest", "tagged"],
        "tags": ["repository", "tag", "digest", "image_bytes"],
        "repositories": ["name", "distinct", "fair"],
        "problems": ["code", "key"],
        "uploads": ["uuid", "data_bytes", "started_at"],
        "snapshot": ["keys", "bytes"],
    }.items():
        assert getattr(found, name).select(columns).equals(getattr(expected, name).select(columns)), name


@pytest.mark.promise("Registry contents")
@pytest.mark.parametrize("kind", ["CSV", "Parquet"])
def test_a_report_takes_the_place_of_the_listing(registry: MadeRegistry, tmp_path: Path, kind: str) -> None:
    """One of S3's own inventory reports, of CSV or Parquet, gives the tables that a listing gives."""
    expected = inventory(registry.fs, registry.root)
    path = report(tmp_path, listed(registry.files()), kind)
    found = inventory(registry.fs, registry.root, s3_inventory=path)
    assert_same(found, expected)
    assert set(found.blobs["modified"].to_pylist()) == {CREATED}
    assert set(found.blobs["storage_class"].to_pylist()) == {"STANDARD"}


def test_nothing_is_listed(registry: MadeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report saves that, or is of no use."""
    path = report(tmp_path, listed(registry.files()))

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("it was listed")

    for name in ("ls", "find", "walk"):
        monkeypatch.setattr(MemoryFileSystem, name, refuse)
    assert inventory(registry.fs, registry.root, s3_inventory=path).tags.num_rows == 2


def test_former_versions_and_other_keys_do_not_count(registry: MadeRegistry, tmp_path: Path) -> None:
    """In a bucket with versions a report has all of them; and it is of the whole bucket."""
    rows = listed(registry.files())
    _, key, *others = rows[0]
    old = [("bucket", key, "v0", False, *others[2:])]
    deleted = [("bucket", f"{key}.gone", "v2", True, True, None, CREATED, "", "")]
    elsewhere = listed({"/logs/1": 7, "/docker/registry/v2-old/x": 7})
    expected = inventory(registry.fs, registry.root)
    for kind in ("CSV", "Parquet"):
        path = report(tmp_path, [*rows, *old, *deleted, *elsewhere], kind)
        assert_same(inventory(registry.fs, registry.root, s3_inventory=path), expected)


def test_a_report_is_old_but_what_is_read_is_new(registry: MadeRegistry, tmp_path: Path) -> None:
    """What was deleted since is left out, without a problem."""
    image = registry.image("team/app", "2", [b"deleted"])
    path = report(tmp_path, listed(registry.files()))
    registry.delete_manifest("team/app", image.digest)
    registry.lose_blob(image.digest)
    found = inventory(registry.fs, registry.root, s3_inventory=path)
    assert found.tags["tag"].to_pylist() == ["1", "1"]
    assert image.digest not in found.revisions["digest"].to_pylist()
    assert set(found.problems["code"].to_pylist()) == {"unknown_key"}


def test_keys_lie_below_the_rootdirectory(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Of our own filesystem, whose paths do not have it."""
    made = MadeRegistry(fs)
    made.image("app", "1")
    prefix = fs.bucket.space.prefix("/")
    path = report(tmp_path, [*listed(made.files(), prefix), *listed({"elsewhere/docker/registry/v2/x": 1})])
    found = inventory(fs, s3_inventory=path)
    assert_same(found, inventory(fs))
    assert found.problems.num_rows == 0


def test_a_later_listing_knows_the_links_of_a_report(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """A report has ETags without the quotes of listings; they are the same."""
    made = MadeRegistry(fs)
    made.image("app", "1")
    first = inventory(fs)
    rows = [
        ("bucket", fs.bucket.space.prefix("/") + name.lstrip("/"), "v", True, False, info["size"], info["LastModified"],
         info["ETag"].strip('"'), "STANDARD")
        for name, info in fs.find("/", detail=True).items()
    ]  # fmt: skip
    second = inventory(fs, s3_inventory=report(tmp_path, rows, "Parquet"), previous=first)
    assert second.links.equals(first.links)


@pytest.mark.parametrize("layout", ["beside", "data"])
def test_a_report_that_was_copied_is_found(registry: MadeRegistry, tmp_path: Path, layout: str) -> None:
    """Its files may lie beside the manifest, or in a folder `data` there."""
    path = Path(report(tmp_path, listed(registry.files())))
    target = path.parent if layout == "beside" else path.parent / "data"
    target.mkdir(exist_ok=True)
    for file in (tmp_path / "data").iterdir():
        file.rename(target / file.name)
    assert inventory(registry.fs, registry.root, s3_inventory=str(path)).tags.num_rows == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fileFormat": "ORC"}, "ORC; have reports of CSV or Parquet made"),
        ({"fileSchema": "Bucket, Key"}, "lacks the columns"),
        ({"files": None}, "no inventory report"),
        ({"creationTimestamp": "today"}, "no inventory report"),
    ],
)
def test_what_is_no_report_is_told(
    registry: MadeRegistry, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    """The error names the file and what is wrong."""
    path = report(tmp_path, listed(registry.files()), **changed)
    with pytest.raises(ValueError, match=said) as error:
        inventory(registry.fs, registry.root, s3_inventory=path)
    assert "manifest.json" in str(error.value)


def test_rows_that_do_not_fit_the_columns_are_told(registry: MadeRegistry, tmp_path: Path) -> None:
    """And never read as others."""
    path = report(tmp_path, [])
    (tmp_path / "data" / "0.csv.gz").write_bytes(gzip.compress(b'"bucket","key"\n'))
    with pytest.raises(ValueError, match="a row has 2"):
        inventory(registry.fs, root=registry.root, s3_inventory=path)


def test_a_missing_data_file_is_told(registry: MadeRegistry, tmp_path: Path) -> None:
    """A part of a registry is none."""
    path = report(tmp_path, listed(registry.files()))
    (tmp_path / "data" / "1.csv.gz").unlink()
    with pytest.raises(FileNotFoundError, match="names a data file that is not beside it"):
        inventory(registry.fs, registry.root, s3_inventory=path)
