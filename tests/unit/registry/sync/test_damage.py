"""What is missing, damaged or hostile at the source, what changes meanwhile, and a destination that refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.errors import DigestMismatchError, LinkError, NotInRegistryError
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry import verified
from registry_s3fs.registry.sync import blobs, sync
from tests.registries import AMD64, ARM64, OCI_MANIFEST, MadeRegistry, Pushed
from tests.unit.registry.sync.conftest import Watched, files, pulled

MIB = 1024 * 1024


@pytest.fixture
def good(made: MadeRegistry) -> Pushed:
    """An image that nothing happens to."""
    return made.image("good/app", "1", [b"base"])


Damage = Callable[[MadeRegistry], str]
"""Does damage to the image ``bad/app:1``, and gives the code that tells of it."""


def missing_layer(made: MadeRegistry) -> str:
    image = made.image("bad/app", "1", [b"base", b"bad"])
    made.lose_blob(image.layers[1].digest)
    return "blob_missing"


def missing_manifest(made: MadeRegistry) -> str:
    made.lose_blob(made.image("bad/app", "1", [b"bad"]).digest)
    return "blob_missing"


def damaged_layer(made: MadeRegistry) -> str:
    made.damage_blob(made.image("bad/app", "1", [b"base", b"bad"]).layers[1].digest)
    return "digest_mismatch"


def damaged_large_layer(made: MadeRegistry) -> str:
    made.damage_blob(made.image("bad/app", "1", [b"base", b"bad" * MIB]).layers[1].digest)
    return "digest_mismatch"


def damaged_manifest(made: MadeRegistry) -> str:
    made.damage_blob(made.image("bad/app", "1", [b"bad"]).digest)
    return "digest_mismatch"


def no_manifest(made: MadeRegistry) -> str:
    made.manifest("bad/app", b"[]", "1")
    return "manifest_unreadable"


def too_large_manifest(made: MadeRegistry) -> str:
    made.manifest("bad/app", b" " * (4 * MIB + 1), "1")
    return "manifest_unreadable"


def names_outside(made: MadeRegistry) -> str:
    descriptor = {"mediaType": "text/plain", "digest": "sha256:../../../../etc/passwd", "size": 1}
    made.manifest("bad/app", {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor, "layers": []}, "1")
    return "manifest_unreadable"


def no_revision(made: MadeRegistry) -> str:
    image = made.image("bad/app", "1", [b"bad"])
    made.remove(made.revision_path("bad/app", image.digest))
    return "tag_dangling"


def no_childs_revision(made: MadeRegistry) -> str:
    child = made.image("bad/app", None, [b"bad"])
    made.index("bad/app", "1", [(child, AMD64)])
    made.remove(made.revision_path("bad/app", child.digest))
    return "child_missing"


def missing_childs_layer(made: MadeRegistry) -> str:
    child = made.image("bad/app", None, [b"bad"])
    made.index("bad/app", "1", [(child, AMD64), (made.image("bad/app", None, [b"base"]), ARM64)])
    made.lose_blob(child.layers[0].digest)
    return "blob_missing"


def empty_link(made: MadeRegistry) -> str:
    made.image("bad/app", "1", [b"bad"])
    made.write(made.tag_path("bad/app", "1"), b"")
    return "link_empty"


def link_to_outside(made: MadeRegistry) -> str:
    made.image("bad/app", "1", [b"bad"])
    made.write(made.tag_path("bad/app", "1"), b"sha256:../../../../../../etc/passwd")
    return "link_target_differs"


def huge_link(made: MadeRegistry) -> str:
    made.image("bad/app", "1", [b"bad"])
    made.write(made.tag_path("bad/app", "1"), b"sha256:" + b"a" * (8 * MIB))
    return "link_unreadable"


DAMAGES = [
    missing_layer, missing_manifest, damaged_layer, damaged_large_layer, damaged_manifest, no_manifest,
    too_large_manifest, names_outside, no_revision, no_childs_revision, missing_childs_layer, empty_link,
    link_to_outside, huge_link,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_tag_that_is_not_whole_is_an_error_and_no_tag_is_written(
    damage: Damage, made: MadeRegistry, good: Pushed, target: Watched
) -> None:
    """The error says what is wrong, where, and how to copy the rest."""
    damage(made)
    with pytest.raises(OSError, match="digest|keep_going") as raised:
        sync(made.fs, target)
    assert raised.value.filename
    assert pulled(target) == {}
    assert not [path for path in files(target) if path.endswith("/link")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_whole_is_copied_with_keep_going(
    damage: Damage, made: MadeRegistry, good: Pushed, target: Watched
) -> None:
    """The tag that is not is reported with its code, and neither the tag nor a bad blob is stored."""
    code = damage(made)
    done = sync(made.fs, target, keep_going=True)
    assert code in {problem.code for problem in done.problems if problem.affected_tags == ("bad/app:1",)}
    assert {name for problem in done.problems for name in problem.affected_tags} == {"bad/app:1"}
    assert [str(tag) for tag in done.tags] == list(pulled(target)) == ["good/app:1"]
    assert not target.exists(f"{layout.REPOSITORIES}/bad/app/_manifests/tags")
    for path, data in files(target).items():
        digest = layout.blob_digest(path)
        assert digest is None or layout.digest(data) == digest
        assert not path.endswith("/link") or target.exists(layout.blob_path(data.decode()))


def test_the_kinds_of_errors(made: MadeRegistry, target: Watched) -> None:
    """What is missing is a FileNotFoundError, and so on."""
    for damage, kind in (
        (missing_layer, NotInRegistryError),
        (damaged_layer, DigestMismatchError),
        (empty_link, LinkError),
    ):
        damage(made)
        with pytest.raises(kind):
            sync(made.fs, target)
        made.remove_folder(layout.REPOSITORIES)
        made.remove_folder(layout.BLOBS)


def test_a_tag_that_the_destination_has_stays_there(made: MadeRegistry, target: Watched) -> None:
    """Where the source has lost a blob since; and where it moved to something that is not whole."""
    old = made.image("bad/app", "1", [b"old"])
    sync(made.fs, target)
    made.lose_blob(old.layers[0].digest)
    assert sync(made.fs, target).problems == []
    missing_layer(made)
    done = sync(made.fs, target, keep_going=True)
    assert [problem.code for problem in done.problems] == ["blob_missing"]
    assert target.cat_file(layout.tag_link("bad/app", "1")).decode() == old.digest
    assert "bad/app:1" in pulled(target)


def test_a_broken_link_that_no_tag_needs_is_a_problem_and_no_error(
    made: MadeRegistry, good: Pushed, target: Watched
) -> None:
    """It is not copied. The rest is."""
    made.write(made.layer_path("good/app", layout.digest(b"x")), b"")
    made.write(made.revision_path("good/app", layout.digest(b"y")), b"../../x")
    done = sync(made.fs, target)
    assert sorted(problem.code for problem in done.problems) == ["link_empty", "link_target_differs"]
    assert list(pulled(target)) == ["good/app:1"]


def test_nothing_outside_the_destination_is_ever_named(made: MadeRegistry, good: Pushed, target: Watched) -> None:
    """Names that no registry takes are left out and counted; so are paths of links that are none."""
    link = good.digest.encode()
    odd = (
        "repositories/../../../x/_manifests/tags/1/current/link", "repositories/A/_manifests/tags/1/current/link",
        "repositories/good/app/_manifests/tags/../current/link", "repositories/good/app/_layers/sha256/../link",
    )  # fmt: skip
    for path in odd:
        made.write(f"{made.root}/{path}", link)
    made.write(f"{made.root}/blobs/sha256/../../../../x/data", b"x")
    done = sync(made.fs, target, destination_root=f"/deep/down{layout.ROOT}")
    assert done.unknown == len(odd)
    assert all(path.startswith(f"/deep/down{layout.ROOT}/") and ".." not in path for path in files(target))
    assert list(pulled(target, f"/deep/down{layout.ROOT}")) == ["good/app:1"]


def test_what_is_no_file_on_a_disk_is_never_opened(made: MadeRegistry, good: Pushed, tmp_path: Path) -> None:
    """A FIFO in the place of a blob or a link; at the destination, it is replaced."""
    disk = LocalFileSystem()
    source, target = f"{tmp_path}/a{layout.ROOT}", f"{tmp_path}/b{layout.ROOT}"
    sync(made.fs, disk, destination_root=source)
    sync(made.fs, disk, destination_root=target)
    paths = (layout.Blob(good.layers[0].digest), layout.LayerLink("good/app", good.layers[0].digest))
    for path in paths:
        for root in (source, target):
            os.remove(path.at(root))
            os.mkfifo(path.at(root))
    with pytest.raises(NotInRegistryError, match="blob_missing"):
        sync(disk, disk, source_root=source, destination_root=f"{tmp_path}/c")
    assert sync(made.fs, disk, destination_root=target).blobs == 1
    assert all(os.path.isfile(path.at(target)) for path in paths)


def test_a_link_of_a_disk_that_leads_outside_is_not_copied(made: MadeRegistry, good: Pushed, tmp_path: Path) -> None:
    """The bytes there do not have the digest."""
    disk = LocalFileSystem()
    root = f"{tmp_path}/a{layout.ROOT}"
    sync(made.fs, disk, destination_root=root)
    path = layout.Blob(good.layers[0].digest).at(root)
    os.remove(path)
    os.symlink("/etc/passwd", path)
    done = sync(disk, disk, source_root=root, destination_root=f"{tmp_path}/b", keep_going=True)
    assert [(each.code, each.affected_tags) for each in done.problems] == [("digest_mismatch", ("good/app:1",))]
    assert not os.path.exists(layout.Blob(good.layers[0].digest).at(f"{tmp_path}/b"))


def test_what_is_pushed_while_links_are_listed_is_whole(made: MadeRegistry, good: Pushed, target: Watched) -> None:
    """The listing has the tag, and not the links to its layers and manifest: they are looked for."""

    def push(path: str) -> None:
        if path.endswith("good/app/_manifests/tags"):
            made.fs.before_ls = lambda path: None
            made.image("good/app", "2", [b"pushed meanwhile"])

    made.fs.before_ls = push
    sync(made.fs, target)
    assert list(pulled(target)) == ["good/app:1", "good/app:2"]


def test_what_is_pushed_after_links_were_listed_waits_for_another_run(
    made: MadeRegistry, good: Pushed, target: Watched
) -> None:
    """Its blobs may be copied."""

    def push(path: str) -> None:
        if path == layout.BLOBS:
            made.fs.before_ls = lambda path: None
            made.image("good/app", "1", [b"moved meanwhile"])

    made.fs.before_ls = push
    sync(made.fs, target)
    assert target.cat_file(layout.tag_link("good/app", "1")).decode() == good.digest
    sync(made.fs, target)
    assert pulled(target) == pulled(made.fs)


def test_a_tag_that_moved_or_went_with_its_blobs_is_no_problem(
    made: MadeRegistry, good: Pushed, target: Watched
) -> None:
    """It is told, and another run copies it."""
    moving = made.image("moving/app", "1", [b"before"])
    going = made.image("going/app", "1", [b"going"])

    def change(path: str) -> None:
        if path == layout.BLOBS:
            made.fs.before_ls = lambda path: None
            made.image("moving/app", "1", [b"after"])
            made.delete_tag("going/app", "1")
            for image in (moving, going):
                made.lose_blob(image.layers[0].digest)

    made.fs.before_ls = change
    done = sync(made.fs, target)
    assert (done.problems, done.changed) == ([], ["going/app:1", "moving/app:1"])
    assert list(pulled(target)) == ["good/app:1"]
    sync(made.fs, target)
    assert list(pulled(target)) == ["good/app:1", "moving/app:1"]


def test_garbage_that_is_collected_meanwhile_is_no_problem(made: MadeRegistry, good: Pushed, target: Watched) -> None:
    """A blob that was listed, and is gone when it is its turn, though nothing needs it."""
    garbage = made.blob(b"garbage")

    def collect(path: str) -> None:
        if made.fs.exists(layout.blob_path(garbage.digest)):
            made.lose_blob(garbage.digest)

    target.before_ls = collect
    done = sync(made.fs, target)
    assert done.problems == []
    assert list(pulled(target)) == ["good/app:1"]


@pytest.mark.parametrize("size", [3, 3 * MIB])
def test_a_destination_that_refuses_a_blob(made: MadeRegistry, good: Pushed, target: Watched, size: int) -> None:
    """It is an error; with keep_going, the tags that need the blob are not written, and the others are."""
    bad = made.image("bad/app", "1", [b"base", size * b"b"])

    def refuse(path: str) -> None:
        if bad.layers[1].digest[7:] in path:
            raise OSError(errno.ENOSPC, "no space left on device", path)

    target.before_store = refuse
    with pytest.raises(OSError, match="no space"):
        sync(made.fs, target, destination_root="/copy")
    assert pulled(target, "/copy") == {}
    done = sync(made.fs, target, destination_root="/copy", keep_going=True)
    (problem,) = done.problems
    assert (problem.code, problem.affected_tags) == ("not_stored", ("bad/app:1",))
    assert problem.key == layout.Blob(bad.layers[1].digest).at("/copy")
    assert list(pulled(target, "/copy")) == ["good/app:1"]
    assert not [path for path in files(target) if "partial" in path]


@pytest.mark.parametrize("kind", ["_layers", "revisions", "index", "current"])
def test_a_destination_that_refuses_a_link(made: MadeRegistry, good: Pushed, target: Watched, kind: str) -> None:
    """The repository's tags are not written, as something of them would be missing."""
    made.image("bad/app", "1", [b"base"])

    def refuse(path: str) -> None:
        if "/bad/app/" in path and kind in path:
            raise PermissionError(errno.EACCES, "refused", path)

    target.before_store = refuse
    with pytest.raises(PermissionError):
        sync(made.fs, target)
    done = sync(made.fs, target, keep_going=True)
    assert {each.code for each in done.problems} == {"not_stored"}
    assert list(pulled(target)) == ["good/app:1"]


def test_a_store_that_cannot_be_reached_ends_it(made: MadeRegistry, good: Pushed, target: Watched) -> None:
    """With keep_going, too: each further write would only wait."""

    def unreachable(path: str) -> None:
        raise ConnectionError("nobody is there")

    target.before_store = unreachable
    with pytest.raises(ConnectionError):
        sync(made.fs, target, keep_going=True)


def test_a_bad_blob_that_no_tag_needs_is_a_problem(
    made: MadeRegistry, good: Pushed, target: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never stored, not in part either."""
    monkeypatch.setattr(blobs, "SMALL_BYTES", 100)
    monkeypatch.setattr(verified, "SMALL_BYTES", 100)
    monkeypatch.setattr(verified, "CHUNK_BYTES", 64)
    digests = [made.blob(data).digest for data in (b"small", 50 * b"large")]
    for digest in digests:
        made.damage_blob(digest)
    done = sync(made.fs, target, keep_going=True)
    assert sorted(str(each.digest) for each in done.problems) == sorted(digests)
    assert {(each.code, each.affected_tags) for each in done.problems} == {("digest_mismatch", ())}
    assert list(pulled(target)) == ["good/app:1"]
    assert not [path for path in files(target) if any(digest[7:] in path for digest in digests)]
    assert sync(made.fs, target, keep_going=True, verify=False).blobs == 2
