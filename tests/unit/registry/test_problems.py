"""What an inventory calls a problem, and which tags it says are hurt."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.manifests import MAX_NESTED
from registry_s3fs.registry.tables import Tables
from tests.registries import AMD64, ARM64, OCI_INDEX, OCI_MANIFEST, MadeRegistry

NOWHERE = "sha256:" + 64 * "0"


@pytest.fixture
def registry() -> MadeRegistry:
    MemoryFileSystem.store.clear()
    return MadeRegistry()


def problems(registry: MadeRegistry, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = inventory(registry.fs, registry.root, **options).problems.to_pylist()
    return found


def only(registry: MadeRegistry, **options: Any) -> dict[str, Any]:
    (found,) = problems(registry, **options)
    return found


def brief(registry: MadeRegistry) -> list[tuple[str, str | None, list[str]]]:
    return [(row["code"], row["digest"], row["affected_tags"]) for row in problems(registry)]


@pytest.mark.promise("Registry contents")
def test_a_lost_layer_is_told_with_the_tags_that_need_it(registry: MadeRegistry) -> None:
    """A blob that is missing is a problem of each repository that needs it, with the tags that cannot be pulled."""
    image = registry.image("app", "1", [b"base", b"top"])
    registry.index("app", "multi", [(image, AMD64)])
    registry.image("app", "fine", [b"top"])
    registry.image("other", "x", [b"base"])
    base = image.layers[0].digest
    registry.lose_blob(base)
    missing = [row for row in problems(registry) if row["code"] == "blob_missing"]
    assert [(row["severity"], row["repository"], row["digest"], row["affected_tags"]) for row in missing] == [
        ("error", "app", base, ["app:1", "app:multi"]),
        ("error", "other", base, ["other:x"]),
    ]
    assert missing[0]["key"] == registry.blob_path(base)
    links = [row for row in problems(registry) if row["code"] == "layer_link_dangling"]
    assert [(row["severity"], row["key"]) for row in links] == [
        ("warning", registry.layer_path("app", base)),
        ("warning", registry.layer_path("other", base)),
    ]


def test_a_lost_manifest_leaves_its_tags_dangling(registry: MadeRegistry) -> None:
    """Both are told: the revision's blob that is missing, and the tag that means it."""
    image = registry.image("app", "1")
    registry.lose_blob(image.digest)
    assert brief(registry) == [("blob_missing", image.digest, ["app:1"]), ("tag_dangling", image.digest, ["app:1"])]


def test_a_tag_without_a_revision_dangles(registry: MadeRegistry) -> None:
    """Its manifest is stored, but the registry finds it by the repository's link alone."""
    image = registry.image("app", "1")
    registry.remove(registry.revision_path("app", image.digest))
    found = only(registry)
    assert (found["code"], found["repository"], found["tag"], found["digest"]) == (
        "tag_dangling",
        "app",
        "1",
        image.digest,
    )
    assert found["affected_tags"] == ["app:1"]


def test_a_size_that_differs_is_told(registry: MadeRegistry) -> None:
    """By the listing alone: the blob is not read."""
    image = registry.image("app", "1", [b"layer"])
    registry.damage_blob(image.layers[0].digest, b"cut")
    found = only(registry)
    assert (found["code"], found["digest"], found["affected_tags"]) == (
        "size_mismatch",
        image.layers[0].digest,
        ["app:1"],
    )
    assert "it has 3 bytes" in found["detail"]
    assert "says 5" in found["detail"]


def test_a_manifest_whose_bytes_changed_is_told(registry: MadeRegistry) -> None:
    """It is read anyway, so that its digest is computed; what it says still counts."""
    image = registry.image("app", "1")
    registry.write(registry.blob_path(image.digest), image.data + b"\n")
    found = only(registry)
    assert (found["code"], found["severity"], found["affected_tags"]) == ("digest_mismatch", "error", ["app:1"])
    assert inventory(registry.fs, registry.root).repositories["distinct"].to_pylist()[0] > image.size + 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON"),
        (b"no manifest", "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"schemaVersion": 7}', "schemaVersion 7"),
        (10_000 * b'{"a":' + b"1" + 10_000 * b"}", "nested deeper"),
        (b'{"schemaVersion": 2, "layers": [{"digest": 1}]}', "digest"),
        (5 * 1024 * 1024 * b" ", "more than a registry writes"),
    ],
    ids=["empty", "text", "list", "version", "deep", "type", "large"],
)
def test_a_manifest_that_is_none_is_told(registry: MadeRegistry, data: bytes, said: str) -> None:
    """Whatever is stored in its place, it is an entry in the table and no error."""
    image = registry.manifest("app", data, "1")
    found = only(registry)
    assert (found["code"], found["digest"], found["affected_tags"]) == ("manifest_unreadable", image.digest, ["app:1"])
    assert said in found["detail"]


def test_large_files_are_never_read(registry: MadeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest of 100 MB and a link of a gigabyte are told by their sizes alone."""
    image = registry.image("app", "1")
    registry.write(registry.blob_path(image.digest), 5 * 1024 * 1024 * b"x")
    registry.write(registry.tag_path("app", "1"), 2000 * b"x")

    def refuse(*_: object, **__: object) -> bytes:
        pytest.fail("it was read")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", refuse)
    assert sorted(row["code"] for row in problems(registry)) == ["link_target_differs", "manifest_unreadable"]


def test_configs_that_are_none_are_told(registry: MadeRegistry) -> None:
    """As a warning, where configs are read at all; the image can still be pulled."""
    image = registry.image("app", "1", config=b"no config")
    assert problems(registry) == []
    found = only(registry, configs=True)
    assert image.config
    assert (found["code"], found["severity"], found["digest"]) == ("manifest_unreadable", "warning", image.digest)
    assert found["key"] == registry.blob_path(image.config.digest)


def test_schema_1_is_told(registry: MadeRegistry) -> None:
    """It ends the collector of 3.x. Its layers are kept all the same."""
    image = registry.schema1("app", "1", [b"a", b"b"], signature=b"signature")
    assert brief(registry) == [("schema1", image.digest, ["app:1"])]
    tables = inventory(registry.fs, registry.root)
    assert tables.manifests["layers"].to_pylist() == [2]
    assert sum(tables.blobs["marked"].to_pylist()) == 3  # all but the signature


# Links


@pytest.mark.parametrize("which", ["revision", "layer", "tag", "index"])
@pytest.mark.parametrize(
    ("text", "code"),
    [(b"", "link_empty"), (b"x", "link_target_differs"), (71 * b"x" + b"\n", "link_target_differs")],
    ids=["empty", "garbled", "longer"],
)
def test_a_broken_link_is_told(registry: MadeRegistry, which: str, text: bytes, code: str) -> None:
    """With its key. One of a tag's history does no harm."""
    image = registry.image("app", "1")
    digest = image.layers[0].digest if which == "layer" else image.digest
    path = {
        "revision": registry.revision_path("app", digest),
        "layer": registry.layer_path("app", digest),
        "tag": registry.tag_path("app", "1"),
        "index": registry.tag_index_path("app", "1", digest),
    }[which]
    registry.write(path, text)
    (found,) = (row for row in problems(registry) if row["code"].startswith("link_"))
    assert (found["code"], found["key"], found["repository"]) == (code, path, "app")
    assert found["severity"] == ("warning" if which == "index" else "error")
    assert found["affected_tags"] == ([] if which == "index" else ["app:1"])


@pytest.mark.parametrize("text", [b"", b"x", 71 * b"x" + b"\n"], ids=["empty", "garbled", "longer"])
def test_a_broken_link_makes_no_revision(registry: MadeRegistry, text: bytes) -> None:
    """Though a tag means its manifest: the registry does not give that, and its collector does not keep it."""
    image = registry.image("app", "1")
    registry.write(registry.revision_path("app", image.digest), text)
    tables = inventory(registry.fs, root=registry.root)
    assert tables.revisions.num_rows == 0
    assert not any(tables.blobs["marked"].to_pylist())
    assert "tag_dangling" in tables.problems["code"].to_pylist()


def test_a_link_to_another_digest_counts_by_its_text(registry: MadeRegistry) -> None:
    """As in the registry: the path only says where it is."""
    image = registry.image("app", "1")
    other = registry.image("app", "2", [b"other"])
    registry.write(registry.tag_path("app", "1"), other.digest.encode())
    path = registry.revision_path("app", NOWHERE)
    registry.write(path, image.digest.encode() + b"")
    tables = inventory(registry.fs, registry.root)
    assert sorted(tables.revisions["digest"].to_pylist()) == sorted([image.digest, other.digest, NOWHERE])
    registry.write(path, image.digest.replace("sha256:", "sha512:").encode() + 64 * b"0")
    tables = inventory(registry.fs, registry.root)
    assert NOWHERE not in tables.revisions["digest"].to_pylist()


def test_links_of_other_algorithms_are_read() -> None:
    """They have another size; an alias says the canonical digest."""
    MemoryFileSystem.store.clear()
    registry = MadeRegistry(algorithm="sha512")
    image = registry.image("app", "1")
    tables = inventory(registry.fs, registry.root)
    assert tables.revisions["digest"].to_pylist() == [image.digest]
    assert tables.problems.num_rows == 0
    again = inventory(registry.fs, registry.root, previous=tables)
    assert again.revisions.equals(tables.revisions)
    canonical = MadeRegistry(registry.fs, registry.root)
    plain = canonical.image("other", "1")
    alias = registry.revision_path("other", registry.digest(plain.data))
    registry.write(alias, plain.digest.encode())
    tables = inventory(registry.fs, registry.root)
    assert {row["digest"] for row in tables.revisions.to_pylist() if row["repository"] == "other"} == {plain.digest}
    assert tables.revisions.num_rows == 2
    assert tables.problems.num_rows == 0


# Indexes and referrers


def test_an_index_of_another_repositorys_image_is_told(registry: MadeRegistry) -> None:
    """The image is stored, but cannot be pulled from the repository of the index."""
    image = registry.image("other", "x")
    registry.index("app", "multi", [(image, AMD64)])
    assert brief(registry) == [("child_missing", image.digest, ["app:multi"])]
    registry.image("app", None)
    assert brief(registry) == []
    registry.remove(registry.revision_path("app", image.digest))
    registry.lose_blob(image.digest)
    found = [(row["code"], row["repository"], row["affected_tags"]) for row in problems(registry)]
    assert [each for each in found if each[0] != "layer_link_dangling"] == [
        ("blob_missing", "other", ["other:x"]),
        ("child_missing", "app", ["app:multi"]),
        ("tag_dangling", "other", ["other:x"]),
    ]


def test_what_the_collector_of_2_8_breaks_is_told(registry: MadeRegistry) -> None:
    """After `--delete-untagged` the images of an index keep their blobs, and lose their links and layers."""
    image = registry.image("app", None, [b"layer"])
    arm = registry.image("app", "arm", [b"other"], platform=ARM64)
    index = registry.index("app", "multi", [(image, AMD64), (arm, ARM64)])
    registry.delete_manifest("app", image.digest)
    assert image.config
    for blob in (image.config, *image.layers):
        registry.lose_blob(blob.digest)
    found = [row for row in problems(registry) if row["code"] == "index_broken_by_gc"]
    assert [(row["digest"], row["affected_tags"]) for row in found] == [(index.digest, ["app:multi"])]
    assert image.digest in found[0]["detail"]


def test_a_cache_of_layers_is_no_broken_index(registry: MadeRegistry) -> None:
    """BuildKit stores its cache as an index whose entries are layers."""
    layer = registry.layer("app", b"cached")
    registry.index("app", "cache", [(layer, None)])
    assert problems(registry) == []
    assert inventory(registry.fs, registry.root).manifests.num_rows == 1


def test_what_refers_to_nothing_is_told(registry: MadeRegistry) -> None:
    """A signature whose image was deleted, by its subject or by its tag."""
    image = registry.image("app", "1")
    signature = registry.artifact("app", None, {"s": b"s"}, subject=image)
    cosign = registry.image("app", image.digest.replace(":", "-") + ".sig", [b"cosign"])
    assert problems(registry) == []
    registry.delete_manifest("app", image.digest)
    found = [(row["code"], row["digest"]) for row in problems(registry)]
    assert sorted(found) == sorted([("orphan_referrer", signature.digest), ("orphan_referrer", cosign.digest)])


# Strangers


def test_a_reference_to_no_digest_is_a_missing_blob(registry: MadeRegistry) -> None:
    """A manifest may say anything: a path, markup, a digest of an unknown algorithm."""
    digests = ["../../../etc/passwd", "<script>alert(1)</script>", "sha256:short", "blake3:" + 64 * "a"]
    layers = [{"mediaType": "x", "digest": digest, "size": 1} for digest in digests]
    registry.manifest("app", {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": layers}, "1")
    found = problems(registry)
    assert sorted(row["digest"] for row in found) == sorted(digests)
    assert {row["code"] for row in found} == {"blob_missing"}
    assert [row["key"] for row in found if row["digest"] == digests[0]] == [None]


def test_indexes_nested_too_deep_are_told_once(registry: MadeRegistry) -> None:
    """The outermost one is a warning: what is more than 100 levels below it does not count in its sizes."""
    inner = registry.image("app", None, [b"layer"])
    for _ in range(MAX_NESTED + 3):
        inner = registry.index("app", None, [(inner, None)])
    registry.tag("app", "deep", inner.digest)
    found = only(registry)
    assert (found["severity"], found["code"], found["digest"]) == ("warning", "manifest_unreadable", inner.digest)
    assert found["affected_tags"] == ["app:deep"]
    assert "more than 100 deep" in found["detail"]
    repositories = inventory(registry.fs, registry.root).repositories.to_pylist()
    assert repositories[0]["distinct"] > repositories[0]["logical"]


def test_an_index_of_itself_ends(registry: MadeRegistry) -> None:
    """No honest digest allows it, but the bytes of a blob can be changed."""
    children = [{"mediaType": OCI_INDEX, "digest": NOWHERE, "size": 1}]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
    registry.write(registry.blob_path(NOWHERE), json.dumps(document).encode())
    registry.write(registry.revision_path("app", NOWHERE), NOWHERE.encode())
    codes = {row["code"] for row in problems(registry)}
    assert codes == {"digest_mismatch", "size_mismatch"}


def test_keys_that_no_registry_writes_are_told(registry: MadeRegistry) -> None:
    """A repository in upper case, a tag like a path, a file beside."""
    image = registry.image("app", "1")
    strays = [
        f"{registry.root}/notes",
        f"{registry.root}/repositories/App/_layers/sha256/{64 * '0'}/link",
        f"{registry.root}/repositories/app/_manifests/tags/a/b/current/link",
        f"{registry.root}/blobs/sha256/00/{64 * '1'}/data",
        registry.blob_path(image.digest) + ".bak",
    ]
    for path in strays:
        registry.write(path, b"123")
    found = problems(registry)
    assert sorted(row["key"] for row in found) == sorted(strays)
    assert {(row["code"], row["severity"]) for row in found} == {("unknown_key", "warning")}
    assert inventory(registry.fs, registry.root).repositories["name"].to_pylist() == ["app"]


def test_annotations_of_any_text_are_kept(registry: MadeRegistry) -> None:
    """Markup, control characters and lone surrogates are text."""
    odd = {"<b>": "\x00\x1b[31m", "surrogate": "\ud800", "": "long" * 20_000}
    image = registry.image("app", "1", annotations=odd)
    tables = inventory(registry.fs, registry.root)
    found = dict(tables.manifests["annotations"].to_pylist()[0])
    assert found["<b>"] == "\x00\x1b[31m"
    assert len(found[""]) < 80_000
    assert image.digest == tables.manifests["digest"][0].as_py()


def test_problems_are_sorted(registry: MadeRegistry) -> None:
    """So that two inventories can be compared."""
    for name in ("b", "a"):
        image = registry.image(name, "1", [b"x"])
        registry.image(name, "2", [b"y"])
    registry.lose_blob(image.layers[0].digest)
    table: pa.Table = inventory(registry.fs, registry.root).problems
    keys = [(row["code"], row["repository"]) for row in table.to_pylist()]
    assert keys == sorted(keys)


def test_no_problem_of_a_whole_registry(registry: MadeRegistry) -> None:
    """Uploads, mounts, untagged manifests, artifacts and nested indexes are none."""
    image = registry.image("app", None)
    inner = registry.index("app", None, [(image, AMD64)])
    registry.index("app", "outer", [(inner, None)])
    registry.artifact("app", "data", {"a.txt": b"a"})
    registry.mount("other", image.layers[0].digest)
    registry.upload("app", b"data")
    tables: Tables = inventory(registry.fs, registry.root)
    assert tables.problems.to_pylist() == []
    outer = next(row for row in tables.tags.to_pylist() if row["tag"] == "outer")
    manifests = {row["digest"]: row["closure_bytes"] for row in tables.manifests.to_pylist()}
    assert (
        outer["image_bytes"]
        == manifests[image.digest]
        + inner.size
        + tables.blobs.filter(pa.compute.equal(tables.blobs["digest"], outer["digest"]))["size"][0].as_py()
    )
