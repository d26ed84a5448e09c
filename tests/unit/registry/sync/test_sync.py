"""A registry copied: what, in which order, again, and whatever ends it."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.errors import NotInRegistryError
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry import abilities, verified
from registry_s3fs.registry.sync import Synced, SyncedTag, blobs, sync
from tests.registries import AMD64, ARM64, MadeRegistry
from tests.unit.cli.sample import make_sample
from tests.unit.registry.sync.conftest import Watched, copied_part, files, pulled, watched

ORDER = (
    layout.Blob, layout.LayerLink, (layout.RevisionLink, layout.SignatureLink), layout.TagIndexLink, layout.TagLink
)  # fmt: skip


@pytest.fixture(params=["small", "large"])
def made(request: pytest.FixtureRequest, made: MadeRegistry, monkeypatch: pytest.MonkeyPatch) -> MadeRegistry:
    """All kinds of images, leftovers; its blobs copied as small ones or as large ones."""
    if request.param == "large":
        monkeypatch.setattr(blobs, "SMALL_BYTES", 5)
        monkeypatch.setattr(verified, "SMALL_BYTES", 5)
        monkeypatch.setattr(verified, "CHUNK_BYTES", 1000)
    make_sample(made)
    made.schema1("old/app", "1", signature=b"signature")
    made.write("/scheduler-state.json", b"{}")
    made.write(f"{made.root}/repositories/team/app/notes.txt", b"notes")
    return made


def test_all_blobs_and_links_are_copied(made: MadeRegistry, target: Watched) -> None:
    """Byte for byte, blobs that nothing needs, too. Uploads, scheduler state and unknown files are not."""
    done = sync(made.fs, target)
    assert files(target) == copied_part(made)
    assert done.problems == []
    assert done.unknown == 1
    sizes = [size for path, size in made.files().items() if layout.blob_digest(path)]
    assert (done.blobs, done.bytes, done.already) == (len(sizes), sum(sizes), 0)
    assert len(done.tags) + done.links + done.blobs == len(files(target))
    assert pulled(target) == pulled(made.fs)


def test_blobs_go_before_links_and_links_before_tags(made: MadeRegistry, target: Watched) -> None:
    """Blobs, layer links, revisions, what tags have meant, tags."""
    sync(made.fs, target)
    kinds = [
        next(at for at, kind in enumerate(ORDER) if isinstance(layout.parse(path), kind)) for path in target.stored
    ]
    assert kinds == sorted(kinds)
    assert set(kinds) == set(range(len(ORDER)))


def test_whenever_it_ends_the_destination_is_a_registry(made: MadeRegistry, target: Watched) -> None:
    """Ended at each write in turn, every tag that is there can be pulled; then another run copies what is missing."""
    whole = watched()
    sync(made.fs, whole)
    every = pulled(made.fs)

    class KilledError(BaseException):
        pass

    def end(path: str) -> None:
        if len(target.stored) >= most:
            raise KilledError

    target.before_store = end
    for most in range(len(whole.stored)):  # noqa: B007  # it is used by `end`
        with pytest.raises(KilledError):
            sync(made.fs, target)
        assert pulled(target).items() <= every.items()
    target.before_store = lambda path: None
    sync(made.fs, target)
    assert files(target) == files(whole)
    assert sorted(target.stored) == sorted(whole.stored)


def test_another_run_copies_nothing_and_reads_tags_alone(made: MadeRegistry, target: Watched) -> None:
    """What is there with equal size is not copied; of links, only the text of tags' own is not told by the listing."""
    first = sync(made.fs, target)
    made.fs.read.clear()
    target.stored.clear()
    done = sync(made.fs, target)
    assert (done.blobs, done.links, done.tags, done.already) == (0, 0, [], first.blobs)
    assert target.stored == []
    assert all(path.endswith("/current/link") for path in made.fs.read)


def test_a_tag_moves_with_the_source(made: MadeRegistry, target: Watched) -> None:
    """Its link has the same size and another text. What is deleted at the source stays at the destination."""
    sync(made.fs, target)
    before = files(target)
    was = made.fs.cat_file(made.tag_path("team/app", "v1")).decode()
    new = made.image("team/app", "v1", [b"new layer"])
    made.delete_tag("team/app", "v2")
    done = sync(made.fs, target)
    assert done.tags == [SyncedTag("team/app", "v1", new.digest, was)]
    assert target.cat_file(layout.tag_link("team/app", "v1")).decode() == new.digest
    assert before.keys() <= files(target).keys()
    assert target.exists(layout.tag_link("team/app", "v2"))


def test_a_blob_or_link_of_another_size_is_copied_again(made: MadeRegistry, target: Watched) -> None:
    """As a tool without care leaves them where it is killed."""
    sync(made.fs, target)
    whole = files(target)
    for path in whole:
        target.pipe_file(path, whole[path][:-1])
    sync(made.fs, target)
    assert files(target) == whole


def test_a_dry_run_writes_nothing_and_tells_what_would_be_copied(made: MadeRegistry, target: Watched) -> None:
    """The same figures as the run itself."""
    told = sync(made.fs, target, dry_run=True)
    assert files(target) == {}
    done = sync(made.fs, target)
    assert (told.dry_run, done.dry_run) == (True, False)
    for name in ("repositories", "blobs", "bytes", "links", "tags", "already", "left_out", "unknown", "problems"):
        assert getattr(told, name) == getattr(done, name), name


def test_include_copies_exactly_what_the_chosen_repositories_need(made: MadeRegistry, target: Watched) -> None:
    """The blobs in the closures of their revisions, and their own links."""
    other = made.image("team/app", None, [b"untagged"])
    done = sync(made.fs, target, include="^team/app$")
    closures = {
        digest for digests in pulled(made.fs).items() if digests[0].startswith("team/app:") for digest in digests[1]
    }
    closures |= {other.digest, other.layers[0].digest, other.config.digest if other.config else ""}
    found = files(target)
    assert {layout.blob_digest(path) for path in found} - {None} == closures
    links = {path for path in copied_part(made) if "/repositories/team/app/" in path}
    assert found.keys() - {layout.blob_path(digest) for digest in closures} == links
    assert done.repositories == 1
    assert sync(made.fs, target, include=re.compile("team")).repositories == 2


def test_an_expression_that_chooses_nothing_is_an_error(made: MadeRegistry, target: Watched) -> None:
    """As a misspelt one would copy nothing for years. So is one that is none, and a source that is no registry."""
    with pytest.raises(NotInRegistryError, match="'taem'"):
        sync(made.fs, target, include="taem")
    with pytest.raises(ValueError, match="no regular expression"):
        sync(made.fs, target, include="(")
    with pytest.raises(NotInRegistryError, match="no registry"):
        sync(watched(), target)


def test_a_local_folder_gets_whole_files(made: MadeRegistry, tmp_path: Path) -> None:
    """Written beside their places and moved there; what a killed run was writing is cleared away by the next."""
    root = f"{tmp_path}{layout.ROOT}"
    digest = layout.digest(b"base" * 50_000)
    leftovers = [
        f"{path.at(root)}.partial-0123abcd" for path in (layout.Blob(digest), layout.TagLink("team/app", "v1"))
    ]
    for path in leftovers:
        Path(path).parent.mkdir(parents=True)
        Path(path).write_bytes(b"ba")
    keep = Path(root) / "blobs/mine.partial-0123abcd"
    keep.write_bytes(b"")
    disk = LocalFileSystem()
    sync(made.fs, disk, destination_root=root)
    found = {path.removeprefix(str(tmp_path)): Path(path).read_bytes() for path in disk.find(tmp_path)}
    assert found.pop(f"{layout.ROOT}/blobs/mine.partial-0123abcd") == b""
    assert found == copied_part(made)
    back = watched()
    sync(disk, back, source_root=root)
    assert files(back) == copied_part(made)


def test_other_algorithms_and_aliases_are_copied(target: Watched) -> None:
    """Blobs of sha512 are compared; of one that Python lacks, they are counted. An alias says another path's digest."""
    made = MadeRegistry(watched(), layout.ROOT, "sha512")
    image = made.image("team/app", "v1")
    known = made.digest(b"layer")
    odd = "blake9:0123abcd"
    made.write(made.blob_path(odd), b"unknown")
    made.write(made.layer_path("team/app", "sha256:" + 64 * "a"), known.encode())
    done = sync(made.fs, target)
    assert (done.unverified, done.problems) == (1, [])
    assert files(target) == copied_part(made)
    assert target.cat_file(layout.tag_link("team/app", "v1")).decode() == image.digest
    assert sync(made.fs, target).links == 0


def test_what_the_collector_has_left_is_not_copied(made: MadeRegistry, target: Watched) -> None:
    """Links to layers and former meanings of tags whose blobs are gone, and tags without a meaning: no problems."""
    gone = made.image("team/app", "v9", [b"gone"])
    now = made.image("team/app", "v9", [b"here"])
    made.remove_folder(made.revision_path("team/app", gone.digest).removesuffix("/link"))
    for digest in (gone.digest, gone.layers[0].digest):
        made.lose_blob(digest)
    made.write(made.tag_index_path("team/app", "deleted", now.digest), now.digest.encode())
    done = sync(made.fs, target)
    assert (done.problems, done.left_out) == ([], 2)
    assert target.exists(layout.tag_link("team/app", "v9"))
    assert not target.exists(layout.layer_link("team/app", gone.layers[0].digest))
    assert not target.exists(layout.tag_index_link("team/app", "v9", gone.digest))
    assert not target.exists(f"{layout.REPOSITORIES}/team/app/_manifests/tags/deleted")


@pytest.mark.parametrize(("source", "destination"), [("", ""), ("", "/below"), ("/below", "")])
def test_a_registry_is_not_copied_into_itself(made: MadeRegistry, source: str, destination: str) -> None:
    """Nor is one that lies in the other, also where a link of the filesystem hides it."""
    with pytest.raises(ValueError, match="one registry"):
        sync(made.fs, made.fs, source_root=layout.ROOT + source, destination_root=layout.ROOT + destination)


def test_a_folder_under_another_name_is_the_same(made: MadeRegistry, tmp_path: Path) -> None:
    """A symbolic link leads to it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    sync(made.fs, LocalFileSystem(), destination_root=f"{tmp_path}/a/x")
    with pytest.raises(ValueError, match="one registry"):
        sync(
            LocalFileSystem(), LocalFileSystem(auto_mkdir=True),
            source_root=f"{tmp_path}/a/x", destination_root=f"{tmp_path}/b/x/y",
        )  # fmt: skip


def test_two_runs_to_one_folder_do_each_other_no_harm(made: MadeRegistry, tmp_path: Path) -> None:
    """Side by side, each writes all, or finds it written."""
    first, second = f"{tmp_path}/a", f"{tmp_path}/b{layout.ROOT}"
    sync(made.fs, LocalFileSystem(), destination_root=first)

    def run(_: int) -> Synced:
        return sync(LocalFileSystem(), LocalFileSystem(), source_root=first, destination_root=second)

    with ThreadPoolExecutor(2) as threads:
        assert [done.problems for done in threads.map(run, range(2))] == [[], []]
    found = {path: Path(path).read_bytes() for path in LocalFileSystem().find(f"{tmp_path}/b")}
    assert {path.removeprefix(f"{tmp_path}/b"): data for path, data in found.items()} == copied_part(made)


def test_what_another_run_has_cleared_away_is_stored(made: MadeRegistry, target: Watched) -> None:
    """It had stored the same file before."""

    def interfere(path: str) -> None:
        partial = next(each for each in target.store if each.startswith(f"{path}.partial-"))
        data = target.store[partial].getvalue()
        target.pipe_file(path, data)
        target.rm_file(partial)
        raise FileNotFoundError(partial)

    target.before_store = interfere
    sync(made.fs, target)
    assert files(target) == copied_part(made)


def test_a_filesystem_that_is_not_known_is_used_by_one_thread(
    made: MadeRegistry, target: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of FTP, two calls at a time would get each other's answers."""
    monkeypatch.setattr(abilities, "threads_may_share", lambda fs: False)
    threads: set[int] = set()
    target.before_store = lambda path: threads.add(threading.get_ident())
    sync(made.fs, target)
    assert threads == {threading.get_ident()}
    assert files(target) == copied_part(made)


def test_progress_is_told(made: MadeRegistry, target: Watched) -> None:
    """Each stage by its name, with figures that grow."""
    told: list[tuple[str, int, int | None]] = []
    done = sync(made.fs, target, progress=lambda *each: told.append(each))
    stages = [stage for stage, _, _ in told]
    assert {"listing links", "listing blobs", "listing the destination", "manifests", "blobs", "links", "tags"} <= {
        *stages
    }
    assert [each for each in told if each[0] == "blobs"][-1] == ("blobs", done.blobs, done.blobs)


def test_indexes_are_copied_with_their_images(target: Watched, made: MadeRegistry) -> None:
    """And foreign layers that are not stored are nobody's problem."""
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    windows = made.image("win/app", None, [b"windows"], layer_media_type=foreign)
    linux = made.image("win/app", None, [b"linux"])
    index = made.index("win/app", "1", [(windows, AMD64), (linux, ARM64)])
    made.lose_blob(windows.layers[0].digest)
    done = sync(made.fs, target, include="win/app")
    assert (done.problems, done.blobs) == ([], 6)
    assert target.cat_file(layout.tag_link("win/app", "1")).decode() == index.digest


def test_within_one_bucket_the_server_copies(options: dict[str, Any], fs: Any) -> None:
    """Also from one rootdirectory to another. No blob is read here, unless it is to be verified."""
    made = MadeRegistry(fs, layout.ROOT)
    image = made.image("team/app", "v1", [b"layer", b"other"])
    new = type(fs)(**{**options, "rootdirectory": "/new"})
    done = sync(fs, new)
    assert (done.in_place, done.unverified, done.blobs) == (True, 4, 4)
    assert {path: new.cat_file(path) for path in new.find("/")} == copied_part(made)
    made.damage_blob(image.layers[0].digest)
    other = type(fs)(**{**options, "rootdirectory": "/other"})
    done = sync(fs, other, verify=True, keep_going=True)
    assert [(each.code, each.digest) for each in done.problems] == [("digest_mismatch", image.layers[0].digest)]
    assert (done.blobs, done.unverified, done.tags) == (3, 0, [])
    third = type(fs)(**{**options, "rootdirectory": "/third", "verify_digests": True})
    with pytest.raises(OSError, match="digest"):
        sync(type(fs)(**{**options, "verify_digests": True}), third)
    with pytest.raises(ValueError, match="one registry"):
        sync(fs, type(fs)(**{**options, "rootdirectory": "/registry/docker"}), destination_root="/registry/v2/x")


def test_to_our_filesystem_and_from_it(made: MadeRegistry, fs: Any, target: Watched) -> None:
    """From memory to a bucket, and back."""
    done = sync(made.fs, fs)
    assert not done.in_place
    assert {path: fs.cat_file(path) for path in fs.find("/")} == copied_part(made)
    sync(fs, target)
    assert files(target) == copied_part(made)


def test_uploads_are_never_copied(target: Watched, made: MadeRegistry) -> None:
    """Repositories that have nothing else do not appear."""
    made.upload("only/uploads", b"data", started_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    sync(made.fs, target)
    assert not [path for path in files(target) if "_uploads" in path or "only" in path]
