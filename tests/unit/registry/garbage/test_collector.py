"""What the registry's own collector marks and deletes, case by case, as its source says."""

from __future__ import annotations

from typing import get_args

import pytest

from registry_s3fs.model.registry_layout import Generation
from registry_s3fs.registry.garbage import collector
from registry_s3fs.registry.garbage.plan import Abort, Plan
from tests.unit.registry.garbage.building import ROOT, Building, broken_link, digest

both = pytest.mark.parametrize("generation", get_args(Generation))


@pytest.fixture
def made() -> Building:
    """A registry with nothing in it."""
    return Building()


def plan(made: Building, generation: Generation, *, delete_untagged: bool = False) -> Plan:
    """The plan for what was made."""
    return collector.plan(made.contents, generation, delete_untagged=delete_untagged)


def swept(made: Building, found: Plan) -> set[str]:
    """The names of the blobs that are deleted."""
    return made.named(found.swept)


def removed(made: Building, found: Plan) -> set[tuple[str, str]]:
    """Repository and name of the manifests that are removed."""
    return {(each.repository, made.names[each.digest]) for each in found.manifests}


def links(made: Building, found: Plan) -> list[tuple[str, str]]:
    """Repository and name of the layer links that are removed, in the order of the run."""
    return [(each.repository, made.names[each.digest]) for each in found.layer_links]


def summary(found: Plan) -> tuple[int, int, int]:
    """The numbers of the registry's own summary."""
    return len(found.marked), len(found.swept), len(found.manifests)


@both
def test_revisions_keep_what_they_refer_to_whether_tagged_or_not(made: Building, generation: Generation) -> None:
    """Manifest, config and layers stay; a blob that only a layer link names, and one that nothing names, go."""
    made.image("old", "base", "a")
    made.image("new", "base", "b")
    app = made.push("app", "old", "new", tag="v1")
    app.layers[made.blob("mounted")] = digest("mounted")
    made.blob("nobody's")
    found = plan(made, generation)
    assert swept(made, found) == {"mounted", "nobody's"}
    assert summary(found) == (7, 2, 0)
    assert found.freed_bytes == 200
    assert found.summary() == "7 blobs marked, 2 blobs and 0 manifests eligible for deletion"
    assert found.ends_at() is None


@both
def test_a_missing_blob_is_marked_and_its_revision_is_skipped(made: Building, generation: Generation) -> None:
    """A layer that is not there counts as marked. A revision whose manifest is not there keeps nothing."""
    made.image("whole", "gone")
    made.image("lost", "kept by nothing")
    made.push("app", "whole", "lost", tag="v1")
    for name in ("gone", "lost"):
        del made.contents.blobs[digest(name)]
    found = plan(made, generation)
    assert digest("gone") in found.marked
    assert swept(made, found) == {"lost-config", "kept by nothing"}


@both
def test_an_untagged_image_goes_with_delete_untagged(made: Building, generation: Generation) -> None:
    """Its revision, the entries in the history of tags, and its blobs; not what a tagged image has, too."""
    made.image("old", "base", "a")
    made.image("new", "base", "b")
    made.push("app", "old", "new", tag="v1")
    made.push("app", "old", "new", tag="v2")
    assert swept(made, plan(made, generation)) == set()
    found = plan(made, generation, delete_untagged=True)
    assert swept(made, found) == {"old", "old-config", "a"}
    assert removed(made, found) == {("app", "old")}
    assert found.manifests[0].index_tags == ("v1", "v2")


@both
def test_a_tag_counts_in_its_own_repository_alone(made: Building, generation: Generation) -> None:
    """The same image untagged elsewhere loses its revision there, and keeps its blobs through the tagged one."""
    made.image("image", "layer")
    made.push("app", "image", tag="v1")
    made.image("other")
    made.push("copy", "other", tag="v1")
    made.push("copy", "image")
    found = plan(made, generation, delete_untagged=True)
    assert swept(made, found) == set()
    assert removed(made, found) == ({("copy", "image")} if generation == "2.8" else set())


@both
def test_a_subject_is_never_followed(made: Building, generation: Generation) -> None:
    """A tagged referrer keeps no subject, and a tagged subject no referrer."""
    made.image("image", "layer")
    made.image("signature", "signed", subject="image")
    made.push("app", "signature", tag="sig")
    made.push("app", "image")
    assert swept(made, plan(made, generation, delete_untagged=True)) == {"image", "image-config", "layer"}
    made.push("app", "image", tag="sig")
    found = plan(made, generation, delete_untagged=True)
    assert swept(made, found) == {"signature", "signature-config", "signed"}


@both
def test_a_fallback_tag_keeps_the_referrer(made: Building, generation: Generation) -> None:
    """It tags an index that lists the signature: 3.x keeps it whole, 2.8 keeps its manifest's blob alone."""
    made.image("image", "layer")
    made.image("signature", "signed", subject="image")
    made.index("referrers", "signature")
    made.push("app", "image", tag="v1")
    made.push("app", "signature")
    made.push("app", "referrers", tag=f"sha256-{digest('image')[7:]}")
    found = plan(made, generation, delete_untagged=True)
    if generation == "3":
        assert swept(made, found) == set()
        assert removed(made, found) == set()
    else:
        assert swept(made, found) == {"signature-config", "signed"}
        assert removed(made, found) == {("app", "signature")}


def test_2_8_breaks_a_tagged_index(made: Building) -> None:
    """With --delete-untagged its children keep their manifests' blobs, and lose link, config and layers."""
    made.image("amd64", "a")
    made.image("arm64", "b")
    made.index("index", "amd64", "arm64")
    made.push("app", "amd64", "arm64")
    made.push("app", "index", tag="v1")
    assert swept(made, plan(made, "2.8")) == set()
    found = plan(made, "2.8", delete_untagged=True)
    assert swept(made, found) == {"amd64-config", "a", "arm64-config", "b"}
    assert removed(made, found) == {("app", "amd64"), ("app", "arm64")}
    assert made.named(found.marked) == {"index", "amd64", "arm64"}


def test_2_8_does_not_look_into_the_children_of_an_index(made: Building) -> None:
    """One without a revision of its own keeps its manifest's blob and loses the rest, whatever the options."""
    made.image("image", "layer")
    made.index("index", "image")
    made.push("app", "index", tag="v1")
    assert swept(made, plan(made, "2.8")) == {"image-config", "layer"}


def test_3_keeps_a_tagged_index_whole(made: Building) -> None:
    """Its children are in the repository, so that they are looked into, at any depth."""
    made.image("amd64", "a")
    made.image("arm64", "b")
    made.index("inner", "arm64")
    made.index("index", "amd64", "inner")
    made.push("app", "amd64", "arm64", "inner")
    made.push("app", "index", tag="v1")
    found = plan(made, "3", delete_untagged=True)
    assert swept(made, found) == set()
    assert removed(made, found) == set()


def test_3_deletes_an_untagged_index_and_its_images(made: Building) -> None:
    """None of them is tagged or in a tagged one."""
    made.image("amd64", "a")
    made.index("index", "amd64")
    made.image("other")
    made.push("app", "amd64", "index")
    made.push("app", "other", tag="v1")
    found = plan(made, "3", delete_untagged=True)
    assert swept(made, found) == {"index", "amd64", "amd64-config", "a"}
    assert removed(made, found) == {("app", "index"), ("app", "amd64")}


@both
def test_a_tagged_child_of_an_untagged_index_stays(made: Building, generation: Generation) -> None:
    """The index goes, and its other image."""
    made.image("amd64", "a")
    made.image("arm64", "b")
    made.index("index", "amd64", "arm64")
    made.push("app", "arm64", "index")
    made.push("app", "amd64", tag="v1")
    found = plan(made, generation, delete_untagged=True)
    assert swept(made, found) == {"index", "arm64", "arm64-config", "b"}
    assert removed(made, found) == {("app", "index"), ("app", "arm64")}


def test_3_marks_a_child_in_another_repository_by_its_digest_alone(made: Building) -> None:
    """So its revision there stays though it is untagged, and its config and layers go."""
    made.image("image", "layer")
    made.index("index", "image")
    made.push("a", "index", tag="v1")
    made.image("other")
    made.push("b", "other", tag="v1")
    made.push("b", "image")
    found = plan(made, "3", delete_untagged=True)
    assert swept(made, found) == {"image-config", "layer"}
    assert removed(made, found) == set()
    assert swept(made, plan(made, "3")) == set()  # without the option, it is a root


def test_3_does_not_look_again_into_what_is_marked(made: Building) -> None:
    """An image that another repository's index has marked by its digest is not looked into as an index's child here."""
    made.image("image", "layer")
    made.index("foreign", "image")
    made.index("own", "image")
    made.push("a", "foreign", tag="v1")
    made.push("b", "own", tag="v1")
    made.push("b", "image")
    assert swept(made, plan(made, "3", delete_untagged=True)) == {"image-config", "layer"}
    made.contents.repositories["c"] = made.contents.repositories.pop("a")
    made.contents.repositories["c"].name = "c"
    assert swept(made, plan(made, "3", delete_untagged=True)) == set()


def test_3_looks_into_a_root_that_is_marked_already(made: Building) -> None:
    """A tagged image is a root in its repository, whatever marked its digest before."""
    made.image("image", "layer")
    made.index("foreign", "image")
    made.push("a", "foreign", tag="v1")
    made.push("b", "image", tag="v1")
    assert swept(made, plan(made, "3", delete_untagged=True)) == set()


# Folders that are not there


def test_2_8_knows_repositories_by_their_layers(made: Building) -> None:
    """One that has manifests and no _layers keeps nothing alive."""
    made.image("image", "layer")
    app = made.push("app", "image", tag="v1")
    app.layers, app.has_layers = {}, False
    found = plan(made, "2.8")
    assert swept(made, found) == {"image", "image-config", "layer"}
    assert found.ends_at() is None


def test_3_ends_at_a_repository_without_layers(made: Building) -> None:
    """The walk of the filesystem driver does; that of S3's driver finds nothing there and goes on."""
    made.image("image", "layer")
    app = made.push("app", "image", tag="v1")
    app.layers, app.has_layers = {}, False
    found = plan(made, "3")
    assert swept(made, found) == set()
    end = found.ends_at()
    assert end is not None
    assert (end.repository, end.key) == ("app", f"{ROOT}/repositories/app/_layers")
    assert found.ends_at("filesystem") == end
    assert found.ends_at("s3") is None


def test_3_knows_repositories_by_their_manifests(made: Building) -> None:
    """One that has _layers alone is left as it is, and its blobs go."""
    only = made.contents.repository("only")
    only.layers, only.has_layers = {made.blob("layer"): digest("layer")}, True
    found = plan(made, "3")
    assert swept(made, found) == {"layer"}
    assert links(made, found) == []


def test_untagged_manifests_without_a_folder_of_tags(made: Building) -> None:
    """With --delete-untagged, 2.8 ends there, and 3.x neither marks nor removes them, so that their blobs go."""
    made.image("image", "layer")
    made.image("other")
    made.push("app", "image", "other")
    assert plan(made, "2.8").ends_at() is None
    found = plan(made, "2.8", delete_untagged=True)
    assert [abort.key for abort in found.aborts] == [f"{ROOT}/repositories/app/_manifests/tags"]
    found = plan(made, "3", delete_untagged=True)
    assert swept(made, found) == {"image", "image-config", "layer", "other", "other-config"}
    assert removed(made, found) == set()
    assert found.ends_at() is None


# Layer links of 3.x


def test_3_removes_layer_links_to_what_is_unmarked_so_far(made: Building) -> None:
    """Those of a mounted blob, though the repository that it came from, later in the walk, keeps the blob."""
    made.image("image", "layer")
    made.push("source", "image", tag="v1")
    made.image("other", "base")
    target = made.push("app", "other", tag="v1")
    target.layers[digest("layer")] = digest("layer")
    gone = target.layers[made.blob("gone")] = digest("gone")
    del made.contents.blobs[gone]
    found = plan(made, "3")
    assert swept(made, found) == set()
    assert links(made, found) == [("app", "layer")]  # not the one whose blob is gone
    assert links(made, plan(made, "2.8")) == []


def test_3_walks_in_the_order_of_keys(made: Building) -> None:
    """app-x comes before app, so what app marks is unmarked when the links of app-x are looked at."""
    made.image("image", "layer")
    made.push("app", "image", tag="v1")
    made.image("other")
    neighbour = made.push("app-x", "other", tag="v1")
    neighbour.layers[digest("layer")] = digest("layer")
    assert links(made, plan(made, "3")) == [("app-x", "layer")]
    neighbour.name = "app/x"
    made.contents.repositories["app/x"] = made.contents.repositories.pop("app-x")
    assert links(made, plan(made, "3")) == []


# What ends the run


@both
def test_an_empty_link_of_a_revision_ends_the_run(made: Building, generation: Generation) -> None:
    """It is named, and its repository."""
    made.image("image")
    app = made.push("app", "image", tag="v1")
    link = broken_link("app", "_manifests/revisions", "x")
    app.broken_revisions.append(link)
    assert plan(made, generation).aborts == [Abort("app", link.key, "it is empty")]


def test_an_empty_layer_link_ends_the_run_of_3(made: Building) -> None:
    """2.8 does not read it."""
    made.image("image")
    app = made.push("app", "image", tag="v1")
    link = broken_link("app", "_layers", "x")
    app.broken_layers.append(link)
    assert plan(made, "3").aborts == [Abort("app", link.key, "it is empty")]
    assert plan(made, "2.8").aborts == []


@both
def test_an_empty_link_of_a_tag_ends_the_run_with_delete_untagged(made: Building, generation: Generation) -> None:
    """Otherwise no tag is read; nor is it where the repository has no manifest."""
    made.image("image")
    app = made.push("app", "image", tag="v1")
    app.broken_tags.append(link := broken_link("app", "_manifests/tags", "x"))
    assert plan(made, generation).aborts == []
    assert plan(made, generation, delete_untagged=True).aborts == [Abort("app", link.key, "it is empty")]
    app.revisions.clear()
    assert plan(made, generation, delete_untagged=True).aborts == []


@both
def test_a_manifest_that_cannot_be_read_ends_the_run(made: Building, generation: Generation) -> None:
    """Where it is a root; an untagged one that is removed is not read."""
    made.image("image")
    made.push("app", "image", tag="v1")
    made.image("other")
    made.push("app", "other", tag="v1")
    made.contents.unreadable[digest("image")] = "no JSON"
    (abort,) = plan(made, generation).aborts
    assert (abort.repository, abort.reason) == ("app", "the manifest cannot be read: no JSON")
    assert abort.key == f"{ROOT}/repositories/app/_manifests/revisions/sha256/{digest('image')[7:]}/link"
    assert plan(made, generation, delete_untagged=True).aborts == []


def test_schema_1_ends_the_run_of_3(made: Building) -> None:
    """2.8 reads it, and keeps its layers."""
    made.image("image", "layer")
    made.push("app", "image", tag="v1")
    made.contents.schema1.add(digest("image"))
    assert swept(made, plan(made, "2.8")) == set()
    assert plan(made, "2.8").aborts == []
    (abort,) = plan(made, "3").aborts
    assert abort.reason == "the manifest cannot be read: it is of schema 1, which 3.x does not know"


def test_the_first_of_several_ends_the_run(made: Building) -> None:
    """In the order of the walk, which differs between the generations."""
    for repository in ("app", "app-x"):
        made.image("image")
        app = made.push(repository, "image", tag="v1")
        app.broken_revisions.append(broken_link(repository, "_manifests/revisions", "x"))
    assert [abort.repository for abort in plan(made, "2.8").aborts] == ["app", "app-x"]
    assert [abort.repository for abort in plan(made, "3").aborts] == ["app-x", "app"]


@both
def test_a_folder_with_no_name_of_a_repository_ends_the_run(made: Building, generation: Generation) -> None:
    """2.8 meets it by its _layers, 3.x by its _manifests."""
    made.image("image")
    made.push("app", "image", tag="v1")
    area = {"2.8": "_layers", "3": "_manifests"}[generation]
    for name, ends in (("App", True), ("app/Sub", True), ("app--x", False), ("Host.io/app", False)):
        made.contents.odd_keys = [f"{ROOT}/repositories/{name}/{area}/sha256/x/link"]
        expected = [f"{ROOT}/repositories/{name}/{area}"] if ends else []
        assert [abort.key for abort in plan(made, generation).aborts] == expected


@both
def test_a_blob_with_no_digest_in_its_path_ends_the_run(made: Building, generation: Generation) -> None:
    """When blobs are listed, after manifests were removed. Files of other names are passed over."""
    keys = [f"{ROOT}/blobs/sha256/ab/{name}" for name in ("x/data", f"{'ab' * 32}/link", "notes.txt")]
    made.contents.odd_keys = [*keys, f"{ROOT}/blobs/sha256/{'ab' * 32}/data"]
    foreign = made.contents.blobs["blake3:abcd"] = 100
    assert foreign
    aborts = plan(made, generation).aborts
    assert [abort.key for abort in aborts] == [f"{ROOT}/blobs/blake3/ab/abcd/data", keys[0]]
    assert {abort.phase for abort in aborts} == {"sweep"}


# Links that say another digest than their path's


@both
def test_an_alias_keeps_what_its_text_says(made: Building, generation: Generation) -> None:
    """A sha512 link to a sha256 manifest is that manifest's revision once more, and no manifest by itself."""
    made.image("image", "layer")
    app = made.push("app", "image", tag="v1")
    app.revisions[f"sha512:{'0' * 128}"] = digest("image")
    found = plan(made, generation)
    assert swept(made, found) == set()
    assert summary(found) == (3, 0, 0)


@both
def test_an_alias_of_a_digest_that_has_no_link_is_skipped(made: Building, generation: Generation) -> None:
    """The registry looks for the link of the digest that the text says. 2.8 looks among the layers, too."""
    made.image("image", "layer")
    app = made.push("app", "image", tag="v1")
    app.revisions = {f"sha512:{'0' * 128}": digest("image")}
    assert swept(made, plan(made, generation)) == {"image", "image-config", "layer"}
    app.layers[digest("image")] = digest("image")
    assert swept(made, plan(made, "2.8")) == set()
    assert swept(made, plan(made, "3")) == {"image", "image-config", "layer"}


@both
def test_a_blob_of_another_algorithm_is_kept_and_deleted_as_any(made: Building, generation: Generation) -> None:
    """By its digest, whichever it is."""
    kept, lost = (f"sha512:{each * 128}" for each in "ab")
    made.contents.blobs |= {kept: 100, lost: 100}
    made.contents.files[kept] = []
    app = made.push("app")
    app.revisions[kept] = kept
    assert set(plan(made, generation).swept) == {lost}


@both
def test_links_at_odd_paths_are_told(made: Building, generation: Generation) -> None:
    """The registry reads every link in these folders, and the inventory only those at paths that it knows."""
    revision, layer, upload = (
        f"{ROOT}/repositories/app/{place}/link" for place in ("_manifests/revisions/x", "_layers/x", "_uploads/x")
    )
    made.contents.odd_keys = [layer, revision, upload]
    assert plan(made, generation).unread_links == ([revision] if generation == "2.8" else [layer, revision])


def test_a_file_that_begins_with_an_underscore_hides_repositories_from_2_8(made: Building) -> None:
    """The walk through its directory ends there, so that what comes after it by name keeps nothing alive."""
    for repository in ("0/app", "team/0", "team/app", "team/app/sub", "z"):
        made.image(repository)
        made.push(repository, repository, tag="v1")
    for place, hidden in (
        ("team/_SUCCESS", {"team/app", "team/app/sub"}),
        ("_notes", {"team/0", "team/app", "team/app/sub", "z"}),
        ("team/app/_a", {"team/app", "team/app/sub"}),
        ("team/app/_z", {"team/app/sub"}),
        ("team/app/_uploads/_a", set()),
        ("team/notes", set()),
    ):
        made.contents.odd_keys = [f"{ROOT}/repositories/{place}"]
        found = plan(made, "2.8")
        assert set(found.unseen) == hidden
        assert swept(made, found) == {blob for name in hidden for blob in (name, f"{name}-config")}
        assert plan(made, "3").unseen == []
