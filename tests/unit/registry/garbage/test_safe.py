"""The safe plan, what the registry's own one deletes beyond it, and why a digest is kept or deleted."""

from __future__ import annotations

import pytest

from registry_s3fs.model.registry_layout import Generation
from registry_s3fs.registry.garbage import collector, differences
from registry_s3fs.registry.garbage.differences import Loss
from registry_s3fs.registry.garbage.explain import Explanation, Step, explain
from registry_s3fs.registry.garbage.safe import safe_plan
from tests.unit.registry.garbage.building import Building, digest


@pytest.fixture
def made() -> Building:
    """A registry with nothing in it."""
    return Building()


def swept(made: Building, *, delete_untagged: bool = True) -> set[str]:
    """The names of the blobs that the safe plan deletes."""
    return made.named(safe_plan(made.contents, delete_untagged=delete_untagged).swept)


def removed(made: Building) -> set[tuple[str, str]]:
    """Repository and name of the manifests that the safe plan removes."""
    manifests = safe_plan(made.contents, delete_untagged=True).manifests
    return {(each.repository, made.names[each.digest]) for each in manifests}


def losses(made: Building, generation: Generation, *, delete_untagged: bool = True) -> list[Loss]:
    """What the registry's own collector deletes beyond the safe plan."""
    plan = collector.plan(made.contents, generation, delete_untagged=delete_untagged)
    return differences.losses(made.contents, plan, safe_plan(made.contents, delete_untagged=delete_untagged))


def why(made: Building, name: str, generation: Generation, *, delete_untagged: bool = True) -> Explanation:
    """Why a plan of the registry's own collector keeps a blob, or deletes it."""
    plan = collector.plan(made.contents, generation, delete_untagged=delete_untagged)
    return explain(made.contents, plan, digest(name))


# The safe plan


def test_every_revision_is_kept_without_delete_untagged(made: Building) -> None:
    """With the images of indexes, wherever they are, and in repositories that a generation does not see."""
    made.image("image", "layer")
    made.index("index", "image")
    made.push("app", "index")
    made.contents.repositories["app"].has_layers = False
    made.blob("nobody's")
    assert swept(made, delete_untagged=False) == {"nobody's"}


def test_untagged_images_go_and_indexes_stay_whole(made: Building) -> None:
    """The images of a tagged index are no untagged ones, at any depth."""
    made.image("amd64", "a")
    made.image("old", "b")
    made.index("inner", "amd64")
    made.index("index", "inner")
    made.push("app", "amd64", "inner", "old")
    made.push("app", "index", tag="v1")
    assert swept(made) == {"old", "old-config", "b"}
    assert removed(made) == {("app", "old")}


@pytest.mark.parametrize("delete_untagged", [False, True])
def test_nothing_goes_where_a_kept_manifest_cannot_be_read(made: Building, delete_untagged: bool) -> None:
    """It may refer to any blob: the registry itself may well read what this package cannot."""
    made.image("odd", "layer")
    made.image("untagged", "other")
    made.push("app", "odd", tag="v1")
    made.push("app", "untagged")
    made.blob("nobody's")
    made.contents.unreadable[digest("untagged")] = "it is not JSON"
    assert bool(swept(made, delete_untagged=delete_untagged)) == delete_untagged  # with it, that one is not kept
    made.contents.unreadable[digest("odd")] = "annotations must be an object of texts"
    plan = safe_plan(made.contents, delete_untagged=delete_untagged)
    assert (plan.swept, plan.manifests) == ({}, [])
    assert digest("odd") in plan.unknown


def test_referrers_stay_with_their_subject(made: Building) -> None:
    """A signature of an image, a signature of that, and one of an index's image; not one of what goes."""
    made.image("amd64")
    made.index("index", "amd64")
    made.image("signature", subject="index")
    made.image("countersigned", subject="signature")
    made.image("sbom", subject="amd64")
    made.image("old")
    made.image("orphan", subject="old")
    made.push("app", "amd64", "signature", "countersigned", "sbom", "old", "orphan")
    made.push("app", "index", tag="v1")
    assert removed(made) == {("app", "old"), ("app", "orphan")}
    assert swept(made) == {"old", "old-config", "orphan", "orphan-config"}


def test_a_fallback_tag_is_a_tag(made: Building) -> None:
    """What it lists stays, though the subject is untagged and goes."""
    made.image("image")
    made.image("signature", subject="image")
    made.index("referrers", "signature")
    made.push("app", "image", "signature")
    made.push("app", "referrers", tag=f"sha256-{digest('image')[7:]}")
    assert swept(made) == {"image", "image-config"}


def test_what_is_new_is_kept(made: Building) -> None:
    """A blob that no manifest refers to yet, and a manifest without a tag, with its layers."""
    made.image("image", "layer")
    made.push("app", "image")
    made.blob("pushed just now")
    assert swept(made) == {"image", "image-config", "layer", "pushed just now"}
    made.contents.young = frozenset({digest("pushed just now")})
    made.contents.young_revisions = frozenset({("app", digest("image"))})
    assert swept(made) == set()
    assert removed(made) == set()


# The difference


def test_an_index_that_2_8_breaks_is_told_with_its_tags(made: Building) -> None:
    """Once for the index, not for each of its images; with tags that lead to it by another index."""
    for name in ("amd64", "arm64"):
        made.image(name, f"{name}-layer")
    made.index("index", "amd64", "arm64")
    made.index("outer", "index")
    made.push("app", "amd64", "arm64")
    made.push("app", "index", tag="v1")
    made.push("app", "outer", tag="all")
    assert losses(made, "2.8", delete_untagged=False) == []
    (loss,) = losses(made, "2.8")
    assert (loss.code, loss.repository, loss.digest) == ("index_broken_by_gc", "app", digest("index"))
    assert loss.affected_tags == ("app:all", "app:v1")
    assert loss.detail == f"2 of its 2 images would be lost or broken, the first is {digest('amd64')}"
    assert losses(made, "3") == []


def test_tags_are_found_through_an_index_that_the_repository_has_no_link_to(made: Building) -> None:
    """What lies below is the repository's own again, and is told by itself."""
    made.image("image", "layer")
    made.index("inner", "image")
    made.index("unlinked", "inner")
    made.index("outer", "unlinked")
    made.push("app", "inner")
    made.push("app", "outer", tag="v1")
    made.index("foreign", "inner")
    made.push("a", "foreign", tag="v1")  # it marks the inner index by its digest, so that app does not look into it
    tags = {tag for loss in losses(made, "3") for tag in loss.affected_tags}
    assert {"app:v1", "a:v1"} <= tags


def test_a_referrer_that_is_deleted_is_told_with_its_subjects_tags(made: Building) -> None:
    """Both generations delete it though its subject is tagged."""
    made.image("image")
    made.image("signature", subject="image")
    made.push("app", "signature")
    made.push("app", "image", tag="v1")
    for generation in ("2.8", "3"):
        (loss,) = losses(made, generation)
        assert (loss.code, loss.digest) == ("referrer_deleted_by_gc", digest("signature"))
        assert loss.affected_tags == ("app:v1",)


def test_a_repository_that_2_8_does_not_see_is_told(made: Building) -> None:
    """Once, with all of its tags."""
    made.image("image")
    app = made.push("app", "image", tag="v1")
    app.layers, app.has_layers = {}, False
    (loss,) = losses(made, "2.8", delete_untagged=False)
    assert (loss.code, loss.repository, loss.affected_tags) == ("repository_unseen_by_gc", "app", ("app:v1",))
    assert losses(made, "3", delete_untagged=False) == []


def test_a_manifest_that_3_breaks_is_told(made: Building) -> None:
    """Its revision stays, being marked by its digest in another repository, and its layers go."""
    made.image("image", "layer")
    made.index("index", "image")
    made.push("a", "index", tag="v1")
    made.image("other")
    made.push("b", "other", tag="v1")
    made.push("b", "image")
    made.contents.young_revisions = frozenset({("b", digest("image"))})
    found = losses(made, "3")
    assert [(loss.code, loss.repository, loss.affected_tags) for loss in found] == [
        ("index_broken_by_gc", "a", ("a:v1",)),
        ("manifest_broken_by_gc", "b", ()),
    ]


def test_new_blobs_that_would_be_deleted_are_told(made: Building) -> None:
    """Whatever their age, the registry's own collector deletes what no manifest refers to."""
    made.image("old")
    made.image("new")
    made.push("app", "old", tag="v1")
    made.push("app", "new")
    made.blob("pushed just now")
    made.contents.young = frozenset({digest("pushed just now"), digest("new"), digest("new-config")})
    made.contents.young_revisions = frozenset({("app", digest("new"))})
    manifest, loss = losses(made, "3")
    assert (manifest.code, manifest.digest) == ("manifest_deleted_by_gc", digest("new"))  # its blobs are not told again
    assert (loss.code, loss.digest) == ("young_blobs_deleted_by_gc", digest("pushed just now"))
    assert loss.detail.startswith("1 blobs of 100 bytes are new")


def test_new_manifests_that_would_be_deleted_are_told(made: Building) -> None:
    """A manifest that was pushed by its digest, and gets its tag next."""
    made.image("old")
    made.image("new")
    made.push("app", "old", tag="v1")
    made.push("app", "new")
    made.contents.young_revisions = frozenset({("app", digest("new"))})
    (loss,) = losses(made, "3")
    assert (loss.code, loss.digest) == ("manifest_deleted_by_gc", digest("new"))


# Why


def test_the_chain_from_a_root_is_told(made: Building) -> None:
    """With each manifest's tags."""
    made.image("amd64", "layer")
    made.index("index", "amd64")
    made.push("app", "amd64")
    made.push("app", "index", tag="v1")
    found = why(made, "layer", "3")
    assert (found.kept, found.exists, found.repository, found.reasons) == (True, True, "app", [])
    assert found.chain == [
        Step(digest("index"), "root", ("v1",)),
        Step(digest("amd64"), "child"),
        Step(digest("layer"), "file"),
    ]


def test_a_chain_begins_in_the_repository_that_marked_the_digest(made: Building) -> None:
    """A manifest that another repository marked before is a root there."""
    made.image("image", "layer")
    made.index("foreign", "image")
    made.push("a", "foreign", tag="v1")
    made.push("b", "image", tag="v1")
    found = why(made, "layer", "3")
    assert found.repository == "b"
    assert found.chain == [Step(digest("image"), "root", ("v1",)), Step(digest("layer"), "file")]


def test_why_a_digest_is_deleted_is_told(made: Building) -> None:
    """Each thing that could have kept it, and why it does not."""
    made.image("image", "layer")
    made.index("index", "image")
    made.image("new")
    made.push("app", "image", "index", "new", tag="v1")
    found = why(made, "layer", "2.8")
    assert (found.kept, found.chain) == (False, [])
    assert found.reasons == [
        "app has it among its layers, which keeps nothing",
        f"{digest('image')} refers to it as a config or layer, but is itself not kept",
    ]
    assert why(made, "image", "2.8").reasons == [
        "app has it as a manifest that no tag means now: it is removed from there",
        f"{digest('index')} refers to it as an image of its index, but is itself not kept",
    ]


def test_what_is_marked_by_its_digest_alone_keeps_nothing(made: Building) -> None:
    """The reason says so."""
    made.image("image", "layer")
    made.index("index", "image")
    made.push("app", "index", tag="v1")
    (reason,) = why(made, "layer", "2.8").reasons
    assert reason.startswith(f"{digest('image')} refers to it as a config or layer, but was marked by its digest alone")


def test_links_and_subjects_that_keep_nothing_are_told(made: Building) -> None:
    """History of tags, a missing blob, a referrer, a repository that is not seen, no folder of tags, and nothing."""
    made.image("image")
    made.image("signature", subject="image")
    app = made.push("app", "signature", tag="v1")
    app.tag_index[digest("image")] = ["v1", "v2"]
    del made.contents.blobs[digest("image")]
    assert why(made, "image", "3").reasons == [
        "no blob has this digest",
        "app had it under the tags v1, v2: no link keeps that",
        f"{digest('signature')} points to it as its subject, which keeps nothing",
    ]
    made.push("other", made.names[made.image("unseen")]).has_layers = False
    assert "having no folder _layers" in why(made, "unseen", "2.8").reasons[0]
    assert "no folder of tags" in why(made, "unseen", "3").reasons[0]
    made.blob("nobody's")
    assert why(made, "nobody's", "3").reasons == ["no manifest refers to it"]


def test_a_young_blob_is_kept_for_its_age(made: Building) -> None:
    """By the safe plan alone."""
    made.blob("pushed just now")
    made.contents.young = frozenset({digest("pushed just now")})
    found = explain(made.contents, safe_plan(made.contents), digest("pushed just now"))
    assert (found.kept, found.repository, found.reasons) == (True, None, ["it is too new to be called garbage"])
