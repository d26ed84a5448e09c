"""The collector's rules by cases, from files through an inventory. Those of 3.x were read in its source."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.model.registry_layout import Generation
from registry_s3fs.registry.garbage import collector
from registry_s3fs.registry.garbage.contents import MOST_MANIFEST_BYTES
from registry_s3fs.registry.garbage.explain import explain
from registry_s3fs.registry.garbage.from_tables import contents_of
from registry_s3fs.registry.garbage.plan import LayerLink, Plan
from registry_s3fs.registry.garbage.safe import safe_plan
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.manifests import OCI_ARTIFACT
from tests.odd_manifests import CONTENTS, ODD, OddManifest
from tests.registries import MadeRegistry, Pushed

both = pytest.mark.parametrize("generation", ["2.8", "3"])


@pytest.fixture
def made() -> MadeRegistry:
    """An empty registry in memory."""
    fs = MemoryFileSystem(skip_instance_cache=True)
    fs.store, fs.pseudo_dirs = {}, [""]
    return MadeRegistry(fs)


ODD_REFERRER = next(odd.data for odd in ODD if odd.name == "a negative size")


class Failing(MemoryFileSystem):
    """A filesystem of which no file can be read."""

    cachable = False

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: object) -> bytes:
        """Raise the error."""
        raise self.error


def plan(made: MadeRegistry, generation: Generation = "3", *, delete_untagged: bool = True) -> Plan:
    """The plan from an inventory of the registry."""
    contents = contents_of(inventory(made.fs, made.root))
    return collector.plan(contents, generation, delete_untagged=delete_untagged)


def all_of(*images: Pushed) -> set[str]:
    """The digests of images with their configs and layers."""
    return {blob.digest for image in images for blob in (image, image.config, *image.layers) if blob}


def keys_of_aborts(found: Plan, made: MadeRegistry) -> list[str]:
    """The keys at which the run would end, below the root."""
    return [abort.key.removeprefix(f"{made.root}/") for abort in found.aborts]


def layer(name: str) -> list[bytes]:
    """A layer of its own, so that the image shares nothing but its config."""
    return [name.encode()]


# Odd manifests


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_an_odd_manifest_keeps_what_the_registry_reads_in_it(made: MadeRegistry, odd: OddManifest) -> None:
    """With the registry's filesystem at hand; else what is not parsed ends the run."""
    blobs = {made.layer("app", data).digest for data in CONTENTS}
    pushed = made.manifest("app", odd.data, "v1")
    tables = inventory(made.fs, made.root)
    for generation, reading in (("2.8", odd.read_by_28), ("3", odd.read_by_3)):
        found = collector.plan(contents_of(tables, fs=made.fs), generation)
        assert bool(found.ends_at("s3")) == (reading is None)
        if reading:
            named = {digest for digests in reading for digest in digests}
            assert found.marked.keys() == named | {pushed.digest}
            assert found.swept.keys() == blobs - named
        apart = collector.plan(contents_of(tables), generation)
        assert bool(apart.ends_at("s3")) == (reading is None or odd.is_refused or OCI_ARTIFACT.encode() in odd.data)
    if odd.is_refused:
        swept = safe_plan(contents_of(tables, fs=made.fs, min_age=timedelta(0))).swept.keys()
        known = odd.read_by_28 and odd.read_by_3 and {digest for digests in odd.read_by_28 for digest in digests}
        assert swept == (blobs - known if known is not None else set())


def test_the_safe_plan_keeps_an_odd_manifest_that_may_be_a_referrer(made: MadeRegistry) -> None:
    """Its subject is not known where it is not parsed. What nobody reads is no client's."""
    odd, broken = ODD_REFERRER, next(odd.data for odd in ODD if odd.name == "no JSON")
    blob = made.layer("app", CONTENTS[1]).digest
    kept, gone = made.manifest("app", odd), made.manifest("app", broken)
    made.image("app", "v1")
    contents = contents_of(inventory(made.fs, made.root), fs=made.fs, min_age=timedelta(0))
    found = safe_plan(contents, delete_untagged=True)
    assert {kept.digest, blob} <= found.marked.keys()
    assert gone.digest in found.swept


def test_the_safe_plan_keeps_what_a_tag_means_without_a_revision(made: MadeRegistry) -> None:
    """As 2.1.0 linked manifests: among the layers. 2.8 pulls such an image, and its collector deletes it."""
    image = made.image("app", "v1")
    made.mount("app", image.digest)
    made.remove(made.revision_path("app", image.digest))
    contents = contents_of(inventory(made.fs, made.root), fs=made.fs, min_age=timedelta(0))
    assert all_of(image) <= collector.plan(contents, "2.8").swept.keys()
    for delete_untagged in (False, True):
        assert safe_plan(contents, delete_untagged=delete_untagged).swept == {}


def test_a_damaged_manifest_keeps_what_its_bytes_say(made: MadeRegistry) -> None:
    """The registry compares no digests when it collects."""
    image, other = made.image("app", "v1", layer("one")), made.image("app", "v1", layer("two"))
    made.damage_blob(image.digest, other.data)
    tables = inventory(made.fs, made.root)
    swept = collector.plan(contents_of(tables, fs=made.fs), "2.8").swept
    assert swept.keys() == all_of(image) - all_of(other) - {image.digest}


def test_what_cannot_be_read_is_not_explained_by_what_it_says(made: MadeRegistry) -> None:
    """Of two generations one reads it, and the other does not."""
    (blob,) = [made.layer("app", data).digest for data in CONTENTS[1:2]]
    odd = next(odd for odd in ODD if odd.read_by_3 and not odd.read_by_28)
    made.manifest("app", odd.data, "v1")
    contents = contents_of(inventory(made.fs, made.root), fs=made.fs)
    assert explain(contents, collector.plan(contents, "3"), blob).kept
    reasons = explain(contents, collector.plan(contents, "2.8"), blob).reasons
    assert any(reason.endswith("but cannot be read") for reason in reasons)


def test_a_manifest_that_went_meanwhile_ends_the_run(made: MadeRegistry) -> None:
    """As if it were not read. A store that is not there raises."""
    pushed = made.manifest("app", next(odd.data for odd in ODD if odd.is_refused), "v1")
    tables = inventory(made.fs, made.root)
    made.lose_blob(pushed.digest)
    assert collector.plan(contents_of(tables, fs=made.fs), "3").ends_at("s3")
    with pytest.raises(ConnectionError):
        contents_of(tables, fs=Failing(ConnectionResetError(104, "reset")))


def test_a_manifest_that_may_not_be_read_ends_the_run_and_says_why(made: MadeRegistry) -> None:
    """The reason is that of the second read, not what the tables had."""
    made.manifest("app", next(odd.data for odd in ODD if odd.read_by_3 and odd.is_refused), "v1")
    contents = contents_of(inventory(made.fs, made.root), fs=Failing(PermissionError(13, "not for you")))
    abort = collector.plan(contents, "3").ends_at("s3")
    assert abort
    assert "not for you" in abort.reason


# The cases of 3.x


def test_a_tagged_index_keeps_its_images(made: MadeRegistry) -> None:
    """They are untagged themselves."""
    image = made.image("app", layers=layer("amd64"))
    made.index("app", "v1", [(image, None)])
    found = plan(made)
    assert (set(found.swept), found.manifests, found.layer_links) == (set(), [], [])


def test_an_untagged_index_goes_with_its_images(made: MadeRegistry) -> None:
    """Their revisions, blobs and layer links."""
    image = made.image("app", layers=layer("amd64"), config=b"amd64")
    index = made.index("app", None, [(image, None)])
    made.image("app", "v1", layers=layer("other"), config=b"other")
    found = plan(made)
    assert set(found.swept) == {index.digest, *all_of(image)}
    assert {each.digest for each in found.manifests} == {index.digest, image.digest}
    assert set(found.layer_links) == {LayerLink("app", each) for each in all_of(image) - {image.digest}}


def test_a_tagged_child_of_an_untagged_index_stays(made: MadeRegistry) -> None:
    """The index goes, and its other image."""
    kept = made.image("app", "v1", layers=layer("kept"), config=b"kept")
    gone = made.image("app", layers=layer("gone"), config=b"gone")
    index = made.index("app", None, [(kept, None), (gone, None)])
    assert set(plan(made).swept) == {index.digest, *all_of(gone)}


def test_a_child_in_another_repository_is_marked_by_its_digest_alone(made: MadeRegistry) -> None:
    """Its revision there stays, its config and layers go."""
    image = made.image("b", layers=layer("image"), config=b"image")
    made.image("b", "v1", layers=layer("other"), config=b"other")
    made.index("a", "v1", [(image, None)])
    made.mount("a", made.blob(b"").digest)
    found = plan(made)
    assert set(found.swept) == {*all_of(image), made.digest(b"")} - {image.digest}
    assert found.manifests == []


def test_a_subject_keeps_no_referrer_and_a_fallback_tag_does(made: MadeRegistry) -> None:
    """The referrer is untagged, and its subject is tagged."""
    image = made.image("app", "v1", layers=layer("image"))
    signature = made.artifact("app", files={"signature": b"signed"}, subject=image)
    assert set(plan(made).swept) == all_of(signature)
    assert {each.digest for each in plan(made).manifests} == {signature.digest}
    made.index("app", image.digest.replace(":", "-"), [(signature, None)])
    assert set(plan(made).swept) == set()


def test_a_repository_without_layers_ends_the_run(made: MadeRegistry) -> None:
    """On the filesystem driver."""
    made.image("app", "v1")
    made.remove_folder(f"{made.root}/repositories/app/_layers")
    found = plan(made)
    assert keys_of_aborts(found, made) == ["repositories/app/_layers"]
    assert (found.ends_at("filesystem") is None, found.ends_at("s3") is None) == (False, True)


def test_revisions_without_tags_are_neither_marked_nor_removed(made: MadeRegistry) -> None:
    """So their blobs go and their links stay; in 2.8 they end the run."""
    image = made.image("app")
    found = plan(made)
    assert (set(found.swept), found.manifests, found.aborts) == (all_of(image), [], [])
    assert keys_of_aborts(plan(made, "2.8"), made) == ["repositories/app/_manifests/tags"]
    assert plan(made, "2.8", delete_untagged=False).aborts == []


@both
@pytest.mark.parametrize("text", [b"", b"no digest", b"sha256:", b"x" * 2000])
def test_a_link_that_says_no_digest_ends_the_run(made: MadeRegistry, generation: Generation, text: bytes) -> None:
    """One of a revision; one of a layer in 3.x alone; and one of a tag with --delete-untagged."""
    image = made.image("app", "v1")
    paths = {
        "revision": made.revision_path("app", image.digest),
        "layer": made.layer_path("app", image.layers[0].digest),
        "tag": made.tag_path("app", "v1"),
    }
    made.image("app", "v2", layers=layer("other"))
    expected = {
        ("revision", False): True,
        ("revision", True): True,
        ("layer", False): generation == "3",
        ("layer", True): generation == "3",
        ("tag", False): False,
        ("tag", True): True,
    }
    for (kind, delete_untagged), ends in expected.items():
        whole = made.fs.cat_file(paths[kind])
        made.write(paths[kind], text)
        found = plan(made, generation, delete_untagged=delete_untagged)
        assert keys_of_aborts(found, made) == [paths[kind].removeprefix(f"{made.root}/")] * ends, kind
        made.write(paths[kind], whole)


def test_a_manifest_of_schema_1_ends_the_run(made: MadeRegistry) -> None:
    """2.8 reads it, and keeps its layers; its signature's link keeps nothing."""
    image = made.schema1("app", "v1", signature=b"signed")
    assert keys_of_aborts(plan(made), made) == [made.revision_path("app", image.digest).removeprefix(f"{made.root}/")]
    found = plan(made, "2.8")
    assert (found.aborts, set(found.swept)) == ([], {made.digest(b"signed")})


@both
def test_a_sha512_link_is_what_it_says(made: MadeRegistry, generation: Generation) -> None:
    """An alias of a sha256 manifest keeps that; where the manifest has no link of its own, it keeps nothing."""
    image = made.image("app", "v1")
    alias = made.write(made.revision_path("app", f"sha512:{'0' * 128}"), image.digest.encode())
    found = plan(made, generation)
    assert (found.aborts, found.swept, len(found.marked)) == ([], {}, 3)
    made.remove(made.revision_path("app", image.digest))
    contents = contents_of(inventory(made.fs, made.root), exists=made.fs.exists)
    assert set(collector.plan(contents, generation).swept) == all_of(image)
    assert made.fs.exists(alias)


@both
def test_a_registry_of_sha512_is_collected_as_any(made: MadeRegistry, generation: Generation) -> None:
    """Links and blobs alike."""
    made.algorithm = "sha512"
    old = made.image("app", "v1", layers=layer("old"), config=b"old")
    made.image("app", "v1", layers=layer("new"), config=b"new")
    found = plan(made, generation)
    assert (found.aborts, set(found.swept)) == ([], all_of(old))
    assert found.manifests[0].index_tags == ("v1",)


def test_app_x_comes_before_app(made: MadeRegistry) -> None:
    """Its link to what app keeps is removed, as app was not walked through by then."""
    image = made.image("app", "v1", layers=layer("image"))
    made.image("app-x", "v1", layers=layer("other"))
    made.mount("app-x", image.layers[0].digest)
    assert plan(made).layer_links == [LayerLink("app-x", image.layers[0].digest)]


# What else there may be


@both
def test_manifests_that_the_registry_cannot_read_end_the_run(made: MadeRegistry, generation: Generation) -> None:
    """No JSON, another media type, and more bytes than it reads."""
    odd = [
        made.manifest("app", b"{", "a"),
        made.manifest("app", {"schemaVersion": 2, "mediaType": "application/vnd.oci.artifact.manifest.v1+json"}, "b"),
        made.image("app", "c", note="x" * MOST_MANIFEST_BYTES),
    ]
    found = plan(made, generation)
    expected = sorted(made.revision_path("app", each.digest).removeprefix(f"{made.root}/") for each in odd)
    assert keys_of_aborts(found, made) == expected


@both
def test_a_manifest_with_other_bytes_than_its_digests_is_read(made: MadeRegistry, generation: Generation) -> None:
    """The registry compares no digest, so that the manifest keeps what its bytes say."""
    image = made.image("app", "v1", layers=layer("image"))
    other = made.image("app", "v2", layers=layer("other"))
    made.damage_blob(image.digest, other.data)
    found = plan(made, generation)
    assert (found.aborts, set(found.swept)) == ([], all_of(image) - {image.digest})


@both
def test_odd_keys_are_what_the_collector_takes_them_for(made: MadeRegistry, generation: Generation) -> None:
    """Folders without a name of a repository, blobs without a digest, links at other paths."""
    image = made.image("app", "v1")
    repositories, blobs = f"{made.root}/repositories", f"{made.root}/blobs"
    for path in (
        f"{repositories}/App/_layers/x/link",
        f"{repositories}/App/_manifests/x/link",
        f"{blobs}/sha256/ab/x/data",
        f"{blobs}/blake3/ab/abcd/data",
        f"{blobs}/sha256/notes",
    ):
        made.write(path, b"odd")
    odd = made.write(f"{repositories}/app/_manifests/revisions/sha256/link", image.digest.encode())
    foreign = made.write(made.revision_path("app", "blake3:abcd"), b"blake3:abcd")
    area = {"2.8": "_layers", "3": "_manifests"}[generation]
    found = plan(made, generation)
    assert sorted(keys_of_aborts(found, made)) == sorted(
        [
            f"repositories/App/{area}",
            foreign.removeprefix(f"{made.root}/"),
            "blobs/blake3/ab/abcd/data",
            "blobs/sha256/ab/x/data",
        ]
    )
    assert found.unread_links == [odd]


@both
def test_a_folder_counts_by_any_key_in_it(made: MadeRegistry, generation: Generation) -> None:
    """A broken link, or one that the registry does not write, makes a folder of layers or tags as a good one does."""
    image = made.image("app", "v1")
    folder = f"{made.root}/repositories/app"
    for key in (made.layer_path("app", image.digest), f"{folder}/_layers/notes"):
        made.remove_folder(f"{folder}/_layers")
        made.write(key, b"")
        found = plan(made, generation)
        assert set(found.swept) == set()
        assert f"{folder}/_layers" not in [abort.key for abort in found.aborts]
    for key in (made.tag_index_path("app", "v1", image.digest), f"{folder}/_manifests/tags/notes"):
        made.remove_folder(f"{folder}/_manifests/tags")
        made.write(key, b"")
        found = plan(made, generation)
        assert [each.digest for each in found.manifests] == [image.digest]
        assert f"{folder}/_manifests/tags" not in [abort.key for abort in found.aborts]


def test_an_empty_folder_counts_where_there_are_such(made: MadeRegistry) -> None:
    """A local registry whose last tag was deleted has a folder of tags, and 2.8 goes on."""
    image = made.image("app")
    contents = contents_of(inventory(made.fs, made.root), exists=lambda path: path.endswith("app/_manifests/tags"))
    found = collector.plan(contents, "2.8", delete_untagged=True)
    assert ([each.digest for each in found.manifests], found.aborts) == ([image.digest], [])


def test_what_is_young_is_so_by_the_time_of_the_inventory(made: MadeRegistry) -> None:
    """Blobs and revisions that are newer than the least age."""
    image = made.image("app")
    loose = made.blob(b"loose")
    made.image("app", "v1", layers=layer("other"))
    old = datetime.now(timezone.utc) - timedelta(hours=2)
    for path in list(made.files()):
        made.set_modified(path, old)
    tables = inventory(made.fs, made.root)
    for hours, gone in ((3, set()), (1, {*all_of(image), loose.digest})):
        contents = contents_of(tables, min_age=timedelta(hours=hours))
        assert set(safe_plan(contents, delete_untagged=True).swept) == gone
