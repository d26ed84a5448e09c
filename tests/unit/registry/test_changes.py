"""What is pushed or deleted while a registry is listed and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.registry import changes
from registry_s3fs.registry.entries import Entry
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.tables import Tables
from tests.registries import AMD64, MadeRegistry

LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Meanwhile(MemoryFileSystem):
    """Something happens when a folder has been listed, or when a file is about to be read."""

    cachable = False

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.after_listing: dict[str, Callable[[], object]] = {}
        self.before_reading: dict[str, Callable[[], object]] = {}
        self.looked_at: list[str] = []

    def iter_find(self, path: str) -> Iterator[list[dict[str, Any]]]:
        for folder in ("blobs", "repositories"):
            infos = self.find(f"{path}/{folder}", detail=True)
            yield [{**info, "LastModified": self.store[name].created} for name, info in infos.items()]
            self.after_listing.pop(folder, lambda: None)()

    def cat_file(self, path: str, *args: Any, **kwargs: Any) -> bytes:
        self.before_reading.pop(path, lambda: None)()
        return super().cat_file(path, *args, **kwargs)

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        self.looked_at.append(path)
        found: dict[str, Any] = super().info(path, **kwargs)
        return found


@pytest.fixture
def registry() -> MadeRegistry:
    MemoryFileSystem.store.clear()
    return MadeRegistry(Meanwhile(), "/srv/docker/registry/v2")


def taken(registry: MadeRegistry) -> Tables:
    """Take an inventory in which everything happened that was to happen."""
    tables = inventory(registry.fs, registry.root)
    assert (registry.fs.after_listing, registry.fs.before_reading) == ({}, {})
    return tables


def assert_as_if_it_was_quiet(registry: MadeRegistry, tables: Tables) -> None:
    """All tables are those of an inventory that is taken afterwards, with nothing going on, and nothing is wrong."""
    quiet = taken(registry)
    assert tables.problems.to_pylist() == quiet.problems.to_pylist() == []
    for name in ("blobs", "manifests", "revisions", "references", "repositories"):
        left, right = getattr(tables, name), getattr(quiet, name)
        assert left.equals(right), (name, left.to_pylist(), right.to_pylist())
    assert tables.tags.select(["repository", "tag", "digest"]).equals(
        quiet.tags.select(["repository", "tag", "digest"])
    )


@pytest.mark.promise("Registry contents")
def test_an_image_that_is_pushed_meanwhile_is_whole(registry: MadeRegistry) -> None:
    """A push whose blobs come after they were listed, and its links before, is there with all of its blobs."""
    registry.image("app", "1")
    registry.fs.after_listing["blobs"] = lambda: registry.image("app", "2", [b"new"])
    assert_as_if_it_was_quiet(registry, taken(registry))


def test_an_index_that_is_pushed_meanwhile_is_whole(registry: MadeRegistry) -> None:
    """And its images, and their layers."""

    def push() -> None:
        registry.index("app", "multi", [(registry.image("app", None, [b"x"]), AMD64)])

    registry.fs.after_listing["blobs"] = push
    tables = taken(registry)
    assert tables.manifests.num_rows == 2
    assert_as_if_it_was_quiet(registry, tables)


@pytest.mark.promise("Registry contents")
def test_an_image_that_is_deleted_and_collected_meanwhile_is_left_out(registry: MadeRegistry) -> None:
    """What was listed and is gone when it is read is left out, and is no problem."""
    registry.image("app", "1")
    image = registry.image("app", "2", [b"gone"])

    def delete() -> None:
        registry.delete_manifest("app", image.digest)
        assert image.config
        for blob in (image, image.config, *image.layers):
            registry.lose_blob(blob.digest)
            if blob is not image:
                registry.remove(registry.layer_path("app", blob.digest))

    registry.fs.before_reading[registry.blob_path(image.digest)] = delete
    tables = taken(registry)
    assert tables.problems.to_pylist() == []
    assert tables.tags["tag"].to_pylist() == ["1"]
    assert image.digest not in tables.revisions["digest"].to_pylist()
    assert image.digest not in tables.blobs["digest"].to_pylist()


def test_a_tag_that_is_deleted_meanwhile_is_left_out(registry: MadeRegistry) -> None:
    """Its link was listed, and is gone when it is read."""
    registry.image("app", "1")
    registry.image("app", "2")
    registry.fs.after_listing["repositories"] = lambda: registry.delete_tag("app", "2")
    tables = taken(registry)
    assert tables.tags["tag"].to_pylist() == ["1"]
    assert tables.problems.to_pylist() == []


def test_a_tag_that_moves_meanwhile_means_what_it_means_then(registry: MadeRegistry) -> None:
    """Its new manifest has no link in the listing, but has one now."""
    registry.image("app", "1")
    registry.fs.after_listing["repositories"] = lambda: registry.image("app", "1", [b"new"])
    assert_as_if_it_was_quiet_but_for_old_links(registry, taken(registry))


def assert_as_if_it_was_quiet_but_for_old_links(registry: MadeRegistry, tables: Tables) -> None:
    quiet = taken(registry)
    assert tables.problems.to_pylist() == []
    for name in ("manifests", "revisions", "references"):
        assert getattr(tables, name).equals(getattr(quiet, name)), name
    assert tables.tags["digest"].equals(quiet.tags["digest"])


def test_a_tag_whose_manifest_is_deleted_after_it_was_read_is_left_out(registry: MadeRegistry) -> None:
    """The tag is looked at once more, since its manifest is missing."""
    image = registry.image("app", "1")
    registry.image("other", "1", [b"kept"])

    def delete() -> None:
        registry.delete_manifest("app", image.digest)
        registry.lose_blob(image.digest)

    registry.fs.before_reading[registry.blob_path(image.digest)] = delete
    tables = taken(registry)
    assert tables.tags["repository"].to_pylist() == ["other"]
    assert [code for code in tables.problems["code"].to_pylist() if code != "layer_link_dangling"] == []


def test_what_is_missing_and_stays_so_is_a_problem(registry: MadeRegistry) -> None:
    """A second look changes nothing where nothing changed."""
    image = registry.image("app", "1")
    registry.lose_blob(image.layers[0].digest)
    tables = taken(registry)
    assert "blob_missing" in tables.problems["code"].to_pylist()
    assert registry.blob_path(image.layers[0].digest) in registry.fs.looked_at


def test_old_links_to_layers_are_not_looked_at(registry: MadeRegistry) -> None:
    """A collector leaves them behind, by the hundred thousand; only of recent ones the blob may be about to come."""
    layer = registry.layer("app", b"collected")
    registry.set_modified(registry.layer_path("app", layer.digest), LONG_AGO)
    registry.lose_blob(layer.digest)
    tables = taken(registry)
    assert tables.problems["code"].to_pylist() == ["layer_link_dangling"]
    assert registry.fs.looked_at == []


def test_many_missing_blobs_are_listed(registry: MadeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one would take longer than the listing of their folder."""
    monkeypatch.setattr(changes, "MANY", 3)
    image = registry.image("app", "1", [b"%d" % number for number in range(9)])
    for layer in image.layers[1:]:
        registry.lose_blob(layer.digest)
    paths = {registry.blob_path(layer.digest) for layer in image.layers}
    found = changes.look_at(registry.fs, paths, registry.root)
    assert list(found) == [registry.blob_path(image.layers[0].digest)]
    assert registry.fs.looked_at == []


@pytest.mark.parametrize(
    ("listed", "now", "is_changed"),
    [
        ({"modified": LONG_AGO.replace(microsecond=500)}, {"modified": LONG_AGO}, False),
        ({"etag": '"abc"'}, {"etag": "abc"}, False),
        ({"modified": LONG_AGO.replace(microsecond=500)}, {"modified": LONG_AGO.replace(microsecond=501)}, True),
        ({"modified": LONG_AGO}, {"modified": LONG_AGO.replace(second=1)}, True),
        ({"etag": '"abc"'}, {"etag": '"abd"'}, True),
        ({"size": 71}, {"size": 0}, True),
    ],
)
def test_a_link_is_the_same_however_a_store_tells_it(
    listed: dict[str, Any], now: dict[str, Any], is_changed: bool
) -> None:
    """A listing may have fractions of seconds, which HEAD has not, and a report no quotes."""
    plain = Entry("/link", 71, LONG_AGO, None, None)
    assert changes._changed(plain._replace(**listed), plain._replace(**now)) is is_changed


def test_a_store_that_cannot_be_reached_is_an_error(registry: MadeRegistry) -> None:
    """An inventory without what was not read would call the layers of half a registry unused."""
    image = registry.image("app", "1")

    def fail() -> None:
        raise ConnectionResetError("the store is gone")

    registry.fs.before_reading[registry.blob_path(image.digest)] = fail
    with pytest.raises(ConnectionResetError):
        taken(registry)


def test_a_file_that_must_not_be_read_is_a_problem(registry: MadeRegistry) -> None:
    """As where a key of its own encrypts it; and it is tried again next time."""
    image = registry.image("app", "1")

    def refuse() -> None:
        raise PermissionError("denied")

    registry.fs.before_reading[registry.blob_path(image.digest)] = refuse
    tables = taken(registry)
    (problem,) = tables.problems.to_pylist()
    assert (problem["code"], problem["detail"]) == ("manifest_unreadable", "not read: denied")
    assert inventory(registry.fs, registry.root, previous=tables).problems.num_rows == 0
