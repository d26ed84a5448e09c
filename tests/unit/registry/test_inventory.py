"""Inventories of registries that were made in memory or on a disk."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.tables import SCHEMAS, Tables
from tests.registries import AMD64, ARM64, MadeRegistry, Pushed

LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)


def made() -> MadeRegistry:
    MemoryFileSystem.store.clear()
    return MadeRegistry()


def rows(table: pa.Table, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in table.to_pylist()]


def codes(tables: Tables) -> list[str]:
    return list(tables.problems["code"].to_pylist())


class Reading(MemoryFileSystem):
    """Remembers which files were read."""

    cachable = False

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.read: list[str] = []

    def cat_file(self, path: str, *args: Any, **kwargs: Any) -> bytes:
        self.read.append(path)
        return super().cat_file(path, *args, **kwargs)


# What the tables say


@pytest.fixture(params=["memory", "local", "ours"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> MadeRegistry:
    if request.param == "memory":
        return made()
    if request.param == "ours":
        return MadeRegistry(request.getfixturevalue("fs"))
    return MadeRegistry(LocalFileSystem(), f"{tmp_path}/docker/registry/v2")


@pytest.mark.promise("Registry contents")
def test_an_inventory_has_everything_that_a_registry_has(registry: MadeRegistry) -> None:
    """An inventory has all repositories, tags, manifests, blobs and links, from any filesystem of fsspec."""
    image = registry.image("team/app", "1", [b"base", b"app"])
    other = registry.image("team/other", "x", [b"base", b"others"], platform=ARM64)
    index = registry.index("team/app", "multi", [(image, AMD64)])
    registry.tag("team/app", "moved", other.digest)
    registry.tag("team/app", "moved", image.digest)
    tables = inventory(registry.fs, registry.root)
    assert {name: getattr(tables, name).schema for name in SCHEMAS} == SCHEMAS
    assert rows(tables.repositories, "name", "tags", "manifests", "untagged") == [
        ("team/app", 3, 2, 0),
        ("team/other", 1, 1, 0),
    ]
    assert rows(tables.tags, "repository", "tag", "digest") == [
        ("team/app", "1", image.digest),
        ("team/app", "moved", image.digest),
        ("team/app", "multi", index.digest),
        ("team/other", "x", other.digest),
    ]
    assert rows(tables.revisions, "repository", "digest", "tagged") == [
        *sorted([("team/app", image.digest, True), ("team/app", index.digest, True)]),
        ("team/other", other.digest, True),
    ]
    history = [row for row in rows(tables.tag_history, "tag", "digest", "current", "still_there") if row[0] == "moved"]
    assert sorted(history) == sorted([("moved", other.digest, False, False), ("moved", image.digest, True, True)])
    kinds = dict(rows(tables.blobs, "digest", "kind"))
    assert kinds[index.digest] == "index"
    assert kinds[image.digest] == "manifest"
    assert [kinds[layer.digest] for layer in image.layers] == ["layer", "layer"]
    assert image.config
    assert kinds[image.config.digest] == "config"
    manifests = {row["digest"]: row for row in tables.manifests.to_pylist()}
    weight = sum(each.size for each in (image, image.config, *image.layers))
    assert manifests[image.digest]["closure_bytes"] == weight
    assert manifests[index.digest]["closure_bytes"] == weight + index.size
    assert (manifests[image.digest]["os"], manifests[image.digest]["architecture"]) == ("linux", "amd64")
    assert manifests[index.digest]["children"] == 1
    assert codes(tables) == []


def test_references_are_in_the_order_of_the_manifest() -> None:
    """Position counts from 0 within each role, the base layer first."""
    registry = made()
    image = registry.image("app", "1", [b"base", b"middle", b"top"])
    found = rows(inventory(registry.fs, registry.root).references, "role", "position", "child", "declared_size")
    assert image.config
    assert found == [
        ("config", 0, image.config.digest, image.config.size),
        *(("layer", number, layer.digest, layer.size) for number, layer in enumerate(image.layers)),
    ]


def test_bytes_are_unique_shared_and_fair() -> None:
    """Between two repositories, the base layer is shared, and each has half of it."""
    registry = made()
    base = registry.blob(100 * b"b")
    first = registry.image("a", "1", [base, b"one"])
    registry.image("b", "1", [base, b"two"], platform=ARM64)
    tables = inventory(registry.fs, registry.root)
    (weights, _) = rows(tables.repositories, "logical", "distinct", "unique", "shared", "fair")
    assert first.config
    unique = first.size + first.config.size + 3
    assert weights == (unique + 100, unique + 100, unique, 100, unique + 50)
    assert rows(tables.tags, "image_bytes", "unique_bytes")[0] == (unique + 100, unique)


def test_a_mounted_blob_is_only_a_link() -> None:
    """It keeps nothing, so that its bytes are nobody's."""
    registry = made()
    registry.image("app", "1", [b"layer"])
    blob = registry.layer("other", b"mounted")
    tables = inventory(registry.fs, registry.root)
    assert rows(tables.repositories, "name", "distinct", "link_only")[1] == ("other", 0, 1)
    assert dict(rows(tables.blobs, "digest", "marked"))[blob.digest] is False
    assert dict(rows(tables.layers, "digest", "used_by_manifest"))[blob.digest] is False


def test_times_are_those_of_the_links() -> None:
    """A tag was pushed when its link was written, a repository when any of its links was."""
    registry = made()
    image = registry.image("app", "1")
    registry.set_modified(registry.tag_path("app", "1"), LONG_AGO)
    registry.set_modified(registry.revision_path("app", image.digest), LONG_AGO - timedelta(days=1))
    registry.set_modified(registry.blob_path(image.digest), LONG_AGO)
    tables = inventory(registry.fs, registry.root)
    assert tables.tags["pushed_at"].to_pylist() == [LONG_AGO]
    assert tables.repositories["first_push"].to_pylist() == [LONG_AGO - timedelta(days=1)]
    assert tables.repositories["last_push"].to_pylist()[0] > LONG_AGO
    young = dict(rows(tables.blobs, "digest", "young"))
    assert young[image.digest] is False
    assert young[image.layers[0].digest] is True
    later = inventory(registry.fs, registry.root, min_age=timedelta(0))
    assert not any(later.blobs["young"].to_pylist())


def test_digest_tags_are_told() -> None:
    """A tag that cosign or a client without referrers made says which manifest it is about."""
    registry = made()
    image = registry.image("app", "1")
    registry.artifact("app", image.digest.replace(":", "-") + ".sig", {"sig": b"s"}, subject=image)
    tables = inventory(registry.fs, registry.root)
    assert sorted(tables.tags["digest_tag_of"].to_pylist(), key=str) == [None, image.digest]
    (subject,) = (row for row in tables.references.to_pylist() if row["role"] == "subject")
    assert subject["child"] == image.digest
    assert {"artifact_file"} <= set(tables.blobs["kind"].to_pylist())
    assert codes(tables) == []


def test_configs_are_read_where_they_are_asked_for() -> None:
    """Then manifests say when their image was created, and what it runs on."""
    registry = made()
    config = {"created": "2026-02-03T04:05:06.123456789+01:00", "os": "linux", "architecture": "arm", "variant": "v7"}
    registry.image("app", "1", config=config)
    (row,) = inventory(registry.fs, registry.root).manifests.to_pylist()
    assert (row["created"], row["os"]) == (None, None)
    (row,) = inventory(registry.fs, registry.root, configs=True).manifests.to_pylist()
    assert row["created"] == datetime(2026, 2, 3, 3, 5, 6, 123456, tzinfo=timezone.utc)
    assert (row["os"], row["architecture"], row["variant"]) == ("linux", "arm", "v7")


def test_the_snapshot_counts_keys_and_bytes() -> None:
    """They are those of a plain listing."""
    registry = made()
    registry.image("app", "1")
    registry.upload("app", b"12345")
    files = registry.files()
    tables = inventory(registry.fs, registry.root + "/")
    (snapshot,) = tables.snapshot.to_pylist()
    assert (snapshot["keys"], snapshot["bytes"]) == (len(files), sum(files.values()))
    assert snapshot["root"] == registry.root
    assert snapshot["started"] <= snapshot["finished"]
    assert json.loads(snapshot["options"])["configs"] is False
    ((started, data, hashstates, state),) = rows(tables.uploads, "started_at", "data_bytes", "hashstates", "state")
    assert (started, data, hashstates, state) == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), 5, 1, "open")


def test_an_empty_registry_has_empty_tables() -> None:
    """As a new one, of which not even a folder is there."""
    tables = inventory(MemoryFileSystem(), "/nowhere/docker/registry/v2")
    assert [name for name in SCHEMAS if getattr(tables, name).num_rows] == ["snapshot"]


# Only what is needed is read


@pytest.mark.promise("Registry contents")
def test_only_tags_and_manifests_are_read() -> None:
    """Tags and manifests alone are read, each once; the paths of other links say what they hold."""
    registry = made()
    image = registry.image("app", "1")
    registry.image("other", "1")
    registry.tag("app", "2", image.digest)
    fs = Reading()
    inventory(fs, registry.root)
    tags = [registry.tag_path("app", "1"), registry.tag_path("app", "2"), registry.tag_path("other", "1")]
    assert sorted(fs.read) == sorted([*tags, registry.blob_path(image.digest)])


@pytest.mark.promise("Registry contents")
def test_a_second_inventory_reads_only_what_changed() -> None:
    """With an earlier inventory, only changed tags and new manifests are read, and nothing where nothing changed."""
    registry = made()
    old = registry.image("app", "1", [b"old"])
    registry.index("app", "multi", [(old, AMD64)])
    registry.upload("app")
    first = inventory(registry.fs, registry.root, configs=True)
    fs = Reading()
    second = inventory(fs, registry.root, previous=first, configs=True)
    assert fs.read == []
    assert_equal(second, first)
    new = registry.image("app", "1", [b"new"])
    third = inventory(fs, registry.root, previous=second)
    assert sorted(fs.read) == sorted([registry.tag_path("app", "1"), registry.blob_path(new.digest)])
    assert_equal(third, inventory(registry.fs, registry.root))


def test_the_previous_inventory_may_be_a_directory(tmp_path: Path) -> None:
    """Its URL or path is given."""
    registry = made()
    registry.image("app", "1")
    first = inventory(registry.fs, registry.root)
    first.write(str(tmp_path))
    fs = Reading()
    assert_equal(inventory(fs, registry.root, previous=str(tmp_path)), first)
    assert fs.read == []


def test_an_inventory_can_lie_in_the_same_store(fs: RegistryS3FileSystem) -> None:
    """Beside the registry, through our own filesystem; a second one replaces it."""
    registry = MadeRegistry(fs)
    registry.image("app", "1")
    for _ in range(2):
        tables = inventory(fs)
        tables.write("/reports/now", fs)
        assert_equal(Tables.read("/reports/now", fs), tables)
    assert len(fs.find("/reports")) == len(SCHEMAS)


def test_a_previous_inventory_that_is_none_is_told_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before a registry is listed for a minute."""
    monkeypatch.setattr(MemoryFileSystem, "ls", None)
    with pytest.raises(FileNotFoundError, match="no whole inventory"):
        inventory(MemoryFileSystem(), "/docker/registry/v2", previous=str(tmp_path))


def test_a_blob_that_was_written_anew_is_read_again() -> None:
    """As a damaged manifest that was pushed once more."""
    registry = made()
    image = registry.image("app", "1")
    registry.damage_blob(image.digest)
    first = inventory(registry.fs, registry.root)
    assert codes(first) == ["digest_mismatch"]
    registry.write(registry.blob_path(image.digest), image.data)
    assert codes(inventory(registry.fs, registry.root, previous=first)) == []


def test_configs_are_read_later_if_they_were_not_before() -> None:
    """An inventory without configs is no reason not to read them in the next."""
    registry = made()
    registry.image("app", "1", config={"created": "2026-02-03T04:05:06Z"})
    first = inventory(registry.fs, registry.root)
    second = inventory(registry.fs, registry.root, previous=first, configs=True)
    assert second.manifests["created"].to_pylist() == [datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc)]


def assert_equal(found: Tables, expected: Tables) -> None:
    """All rows are the same, but those of the snapshot and the age of uploads."""
    for name in set(SCHEMAS) - {"snapshot"}:
        left, right = getattr(found, name), getattr(expected, name)
        if name == "uploads":
            left, right = left.drop_columns("age"), right.drop_columns("age")
        assert left.equals(right), name


# The bytes add up


class Pushes:
    """Pushes, deletions and accidents in the order in which they are drawn."""

    def __init__(self, data: st.DataObject) -> None:
        self.registry = made()
        self.draw = data.draw
        self.images: list[tuple[str, Pushed]] = []

    def run(self) -> None:
        steps = [self.image, self.index, self.artifact, self.mount, self.delete, self.retag, self.lose, self.damage]
        steps += [self.upload, self.stray, self.broken_link, self.schema1]
        for step in self.draw(st.lists(st.sampled_from(steps), max_size=14)):
            step()

    def name(self) -> str:
        return self.draw(st.sampled_from(["app", "app-x", "app/sub", "team/z"]))

    def tag(self) -> str | None:
        return self.draw(st.sampled_from([None, "1", "latest"]))

    def layers(self) -> list[bytes]:
        sizes = self.draw(st.lists(st.integers(0, 40), min_size=1, max_size=4))
        return [size * b"x" for size in sizes]

    def image(self) -> None:
        name = self.name()
        self.images.append((name, self.registry.image(name, self.tag(), self.layers())))

    def index(self) -> None:
        chosen = self.draw(st.lists(st.sampled_from(self.images), max_size=3)) if self.images else []
        name = self.name()
        self.images.append((name, self.registry.index(name, self.tag(), [(image, AMD64) for _, image in chosen])))

    def artifact(self) -> None:
        if self.images:
            name, subject = self.draw(st.sampled_from(self.images))
            self.images.append((name, self.registry.artifact(name, None, {"f": b"file"}, subject=subject)))

    def schema1(self) -> None:
        name = self.name()
        self.images.append((name, self.registry.schema1(name, self.tag(), self.layers(), b"signature")))

    def mount(self) -> None:
        if self.images:
            self.registry.mount(self.name(), self.draw(st.sampled_from(self.images))[1].digest)

    def delete(self) -> None:
        if self.images:
            name, image = self.draw(st.sampled_from(self.images))
            if self.registry.fs.exists(self.registry.revision_path(name, image.digest)):
                self.registry.delete_manifest(name, image.digest)

    def retag(self) -> None:
        if self.images:
            name, image = self.draw(st.sampled_from(self.images))
            self.registry.tag(name, "latest", image.digest)

    def _some_blob(self) -> str | None:
        found = [path for path in self.registry.files() if "/blobs/" in path and path.endswith("/data")]
        return self.draw(st.sampled_from(found)) if found else None

    def lose(self) -> None:
        if path := self._some_blob():
            self.registry.remove(path)

    def damage(self) -> None:
        if path := self._some_blob():
            self.registry.write(path, self.draw(st.binary(max_size=90)))

    def upload(self) -> None:
        self.registry.upload(self.name(), self.draw(st.none() | st.binary(max_size=50)))

    def stray(self) -> None:
        name = self.draw(st.sampled_from(["notes", "blobs/sha256/zz/x", "repositories/App/_layers/x/link"]))
        self.registry.write(f"{self.registry.root}/{name}", b"12345")

    def broken_link(self) -> None:
        links = [path for path in self.registry.files() if path.endswith("/link")]
        if links:
            self.registry.write(
                self.draw(st.sampled_from(links)), self.draw(st.sampled_from([b"", b"x", 71 * b"y", 2000 * b"z"]))
            )


@pytest.mark.promise("Registry contents")
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_the_bytes_of_an_inventory_add_up_to_the_listing(data: st.DataObject) -> None:
    """Fair shares, unmarked blobs, links, uploads and unknown keys have all bytes of a listing, whatever is broken."""
    pushes = Pushes(data)
    pushes.run()
    files = pushes.registry.files()
    tables = inventory(pushes.registry.fs, pushes.registry.root)
    unknown = {key for code, key in rows(tables.problems, "code", "key") if code == "unknown_key"}
    links = {path for path in files if path.endswith("/link")} - unknown
    uploads = {path for path in files if "/_uploads/" in path} - unknown
    unmarked = sum(size for size, marked in rows(tables.blobs, "size", "marked") if not marked)
    others = sum(files[path] for path in unknown | links | uploads)
    assert sum(tables.repositories["fair"].to_pylist()) + unmarked + others == sum(files.values())
    (snapshot,) = tables.snapshot.to_pylist()
    assert (snapshot["keys"], snapshot["bytes"]) == (len(files), sum(files.values()))
    again = inventory(pushes.registry.fs, pushes.registry.root, previous=tables)
    assert_equal(again, tables)
