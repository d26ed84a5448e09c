"""Inventory, plan and findings beside the real docker-registry: on Ceph's radosgw, and on a local folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from demo import images
from demo.images import Image, noise
from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.cli.main import main
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry import uploads
from registry_s3fs.registry.accounting import Deletions, Root
from registry_s3fs.registry.garbage import collector
from registry_s3fs.registry.garbage.contents import Contents
from registry_s3fs.registry.garbage.differences import losses
from registry_s3fs.registry.garbage.from_tables import contents_of
from registry_s3fs.registry.garbage.plan import Plan
from registry_s3fs.registry.garbage.safe import safe_plan
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.numbered import Registry as Numbered
from registry_s3fs.registry.tables import Tables
from registry_s3fs.registry.uploads import OPEN
from registry_s3fs.registry.verify import verify
from testbed import servers
from testbed.servers import Registry, Server
from tests.interop import pushing
from tests.odd_manifests import CONTENTS, ODD
from tests.registries import MadeRegistry

BASE = images.layer({"base": noise("base", 200_000)})


def image(name: str, architecture: str = "amd64") -> Image:
    """An image on a base that all have."""
    return images.image([BASE, images.layer({name: noise(name, 5_000)})], architecture)


FIRST, SECOND, HELLO, GONE = (image(name) for name in ("first", "second", "hello", "gone"))
AMD64, ARM64 = image("amd64"), image("arm64", "arm64")
MULTI = pushing.index(AMD64, ARM64)
OLD_CHILD = image("old child")
OLD = pushing.index(OLD_CHILD)
SIGNATURE = images.artifact("application/vnd.example.signature", images.Blob("text/plain", b"signed"))
REFERRERS = pushing.index(SIGNATURE)
FALLBACK = f"sha256-{FIRST.manifest.digest[7:]}"
NOBODYS = images.Blob("application/octet-stream", noise("nobody's", 30_000))


@dataclass(frozen=True)
class Place:
    """A registry, where it stores, and two ways to look there past our code."""

    registry: Registry
    fs: AbstractFileSystem
    root: str
    put: Callable[[str, bytes], object]
    """Stores bytes at a path below the root."""
    sizes: Callable[[], dict[str, int]]
    """All files below the root, by their paths below it."""
    folder: Path
    """For files of the tests."""
    words: list[str]
    """How a command names it."""

    def tables(self) -> Tables:
        """An inventory."""
        return inventory(self.fs, self.root)

    def contents(self) -> Contents:
        """What a collector looks at."""
        return contents_of(self.tables(), exists=self.fs.exists, fs=self.fs)

    @property
    def driver(self) -> str:
        """The registry's name of its storage driver."""
        return "filesystem" if isinstance(self.fs, LocalFileSystem) else "s3"


@pytest.fixture(scope="module", params=["radosgw", "folder"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """docker-registry, to which all kinds of images were pushed."""
    for name in ("docker-registry", "skopeo"):
        try:
            servers.program(name)
        except servers.NotInstalledError as missing:
            pytest.skip(str(missing))
    folder, scratch = tmp_path_factory.mktemp("registry"), tmp_path_factory.mktemp("scratch")
    if request.param == "folder":
        root = folder / layout.ROOT.lstrip("/")
        with servers.docker_registry_in(folder) as registry:
            fill(registry, tmp_path_factory.mktemp("layouts"))
            disk = LocalFileSystem()
            yield Place(registry, disk, str(root), on_disk(root), lambda: listed(root), scratch, [f"file://{folder}"])
        return
    server: Server = request.getfixturevalue("radosgw_server")
    server.create_bucket("garbage")
    with servers.docker_registry(server, "garbage", rootdirectory="/prefix") as registry:
        fill(registry, tmp_path_factory.mktemp("layouts"))
        fs = RegistryS3FileSystem(**server.options("garbage", rootdirectory="/prefix"))
        words = ["--config", str(registry.config)]
        yield Place(registry, fs, layout.ROOT, in_bucket(server), lambda: listed_in_bucket(server), scratch, words)


PREFIX = f"prefix{layout.ROOT}/"


def on_disk(root: Path) -> Callable[[str, bytes], object]:
    """Stores bytes in a folder."""
    return lambda path, data: (root / path).write_bytes(data)


def in_bucket(server: Server) -> Callable[[str, bytes], object]:
    """Stores bytes by plain boto3."""
    return lambda path, data: server.client().put_object(Bucket="garbage", Key=PREFIX + path, Body=data)


def listed(root: Path) -> dict[str, int]:
    """What lies in a folder."""
    return {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*") if path.is_file()}


def listed_in_bucket(server: Server) -> dict[str, int]:
    """What lies in the bucket, by plain boto3."""
    pages = server.client().get_paginator("list_objects_v2").paginate(Bucket="garbage", Prefix=PREFIX)
    return {each["Key"].removeprefix(PREFIX): each["Size"] for page in pages for each in page.get("Contents", [])}


def fill(registry: Registry, folder: Path) -> None:
    """Push, re-tag, mount, delete by the API, and leave things behind."""
    for name, content in {"team/app:v1": FIRST, "team/app:kept": FIRST, "hello:1.0": HELLO, "gone:1": GONE}.items():
        pushing.push(registry, folder, name, content)
    pushing.push(registry, folder, "team/app:v1", SECOND)
    pushing.push(registry, folder, "team/app:old", image("untagged"))
    pushing.push(registry, folder, "team/app:old", SECOND)
    pushing.push(registry, folder, "multi/arch:latest", MULTI, AMD64, ARM64)
    pushing.delete(registry, "gone", GONE.manifest.digest)
    pushing.put_manifest(registry, "team/app", SIGNATURE)
    pushing.put_manifest(registry, "team/app", REFERRERS, FALLBACK)
    pushing.put_blob(registry, "team/app", NOBODYS)
    pushing.mount(registry, "mounted", BASE.blob.digest, "team/app")
    pushing.begin(registry, "team/app", noise("interrupted", 20_000))
    pushing.begin(registry, "only/uploads")


@dataclass(frozen=True)
class Said:
    """What the registry's own collector says; nothing where it ends with an error."""

    blobs: set[str] = field(default_factory=set)
    manifests: list[str] = field(default_factory=list)
    summary: str = ""
    ended: bool = True


def said(registry: Registry, *options: str) -> Said:
    """Run it."""
    done = registry.garbage_collect(*options)
    if done.returncode:
        return Said()
    blobs = set(re.findall(r"^blob eligible for deletion: (\S+)$", done.stdout, re.MULTILINE))
    manifests = re.findall(r"^manifest eligible for deletion: (\S+)$", done.stdout, re.MULTILINE)
    summary = re.search(r"^\d+ blobs marked, .*$", done.stdout, re.MULTILINE)
    return Said(blobs, sorted(manifests), summary[0] if summary else "", ended=False)


def planned(plan: Plan, driver: str) -> Said:
    """The same of a plan."""
    if plan.ends_at(driver):
        return Said()
    return Said(set(plan.swept), sorted(each.digest for each in plan.manifests), plan.summary(), ended=False)


def check_plans(place: Place) -> None:
    """Compare the plans of 2.8 with what the registry's own collector says."""
    contents = place.contents()
    for delete_untagged in (False, True):
        plan = collector.plan(contents, "2.8", delete_untagged=delete_untagged)
        options = ("--dry-run", *(["--delete-untagged"] if delete_untagged else []))
        assert planned(plan, place.driver) == said(place.registry, *options)


def test_repositories_and_tags_are_those_of_the_api(place: Place) -> None:
    """Repositories by the rule of 2.8, which knows them by their layers."""
    contents = place.contents()
    names = {name for name, repository in contents.repositories.items() if repository.has_layers}
    assert sorted(names) == sorted(place.registry.get("/v2/_catalog")["repositories"])
    assert {"mounted", "gone"} <= names
    for name in names:
        assert sorted(contents.repositories[name].tags) == pushing.tags(place.registry, name)


def test_the_plan_names_what_the_registrys_own_collector_names(place: Place) -> None:
    """Blob for blob, manifest for manifest, with and without --delete-untagged; and the summary is the same."""
    check_plans(place)
    contents = place.contents()
    assert NOBODYS.digest in collector.plan(contents, "2.8").swept
    broken = losses(contents, collector.plan(contents, "2.8", delete_untagged=True), safe_plan(contents))
    assert {(loss.code, loss.affected_tags) for loss in broken if loss.digest == MULTI.manifest.digest} == {
        ("index_broken_by_gc", ("multi/arch:latest",))
    }


@pytest.mark.parametrize("options", [[], ["--delete-untagged"]])
def test_the_command_names_what_the_registrys_own_collector_names(
    place: Place, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On the registry's own configuration, or by a URL; and of an inventory that was written before."""
    its = said(place.registry, "--dry-run", *options)
    inventory_of = str(place.folder / "inventory")
    assert main(["inventory", *place.words, inventory_of]) == 0
    for words in (place.words, ["--from", inventory_of]):
        capsys.readouterr()
        assert main(["gc", "--dry-run", "--registry", "2.8", *options, *words]) == 0
        lines = capsys.readouterr().out
        assert set(re.findall(r"^blob eligible for deletion: (\S+)$", lines, re.MULTILINE)) == its.blobs
        assert sorted(re.findall(r": manifest eligible for deletion: (\S+)$", lines, re.MULTILINE)) == its.manifests
        assert its.summary in lines


def test_the_interrupted_upload_is_found(place: Place) -> None:
    """With its bytes, as a pending upload of S3 or a file; a young one is never aborted."""
    found = {upload.repository: upload for upload in uploads.read(place.fs, place.root)}
    assert found.keys() == {"team/app", "only/uploads"}
    interrupted = found["team/app"]
    assert (interrupted.state, interrupted.hashstates) == (OPEN, 2)
    assert interrupted.started_at
    assert interrupted.part_bytes == 20_000 if place.driver == "s3" else interrupted.data_bytes == 20_000
    assert found["only/uploads"].state == OPEN
    assert uploads.abort(place.fs, found.values(), timedelta(hours=1), root=place.root, dry_run=False) == []
    assert len(uploads.read(place.fs, place.root)) == 2


def test_a_blob_whose_bytes_are_altered_is_named(place: Place) -> None:
    """With its tags, in every repository; and it is good again once the bytes are."""
    blob = SECOND.blobs[-1]
    path = layout.Blob(blob.digest).at("")
    tables = place.tables()
    assert verify(place.fs, tables).findings == []
    place.put(path, blob.data[:-1] + bytes([blob.data[-1] ^ 1]))
    (finding,) = verify(place.fs, tables).findings
    assert (finding.code, finding.digest) == ("digest_mismatch", blob.digest)
    assert finding.affected_tags == finding.push == ("team/app:old", "team/app:v1")
    assert finding.remove == (f"{place.root}/{path}",)
    place.put(path, blob.data)
    assert verify(place.fs, tables).findings == []


def test_what_ends_the_run_ends_it(place: Place) -> None:
    """An empty link of a revision; one of a tag, which is read with --delete-untagged alone."""
    tag = layout.TagLink("team/app", "kept").at("")
    revision = layout.RevisionLink("hello", HELLO.manifest.digest).at("")
    for path, text, ends in (
        (tag, FIRST.manifest.digest, (False, True)),
        (revision, HELLO.manifest.digest, (True, True)),
    ):
        place.put(path, b"")
        contents = place.contents()
        for delete_untagged, expected in zip((False, True), ends, strict=True):
            plan = collector.plan(contents, "2.8", delete_untagged=delete_untagged)
            options = ("--dry-run", *(["--delete-untagged"] if delete_untagged else []))
            assert said(place.registry, *options).ended == expected
            end = plan.ends_at(place.driver)
            assert (end is not None) == expected
            assert end is None or end.key == f"{place.root}/{path}"
        place.put(path, text.encode())
    check_plans(place)


def test_untagged_manifests_without_tags_end_the_run_on_s3(place: Place, tmp_path: Path) -> None:
    """On a local folder, an empty folder of tags is left when the last tag goes, and the run goes on."""
    pushing.push(place.registry, tmp_path, "multi/old:1", OLD, OLD_CHILD)
    pushing.delete(place.registry, "multi/old", OLD.manifest.digest)
    check_plans(place)
    plan = collector.plan(place.contents(), "2.8", delete_untagged=True)
    assert bool(plan.ends_at(place.driver)) == (place.driver == "s3")
    pushing.delete(place.registry, "multi/old", OLD_CHILD.manifest.digest)
    check_plans(place)


def test_odd_manifests_are_read_as_the_registry_reads_them(tmp_path: Path) -> None:
    """Each by itself in a registry: the same blobs, the same summary, or the same end."""
    try:
        servers.program("docker-registry")
    except servers.NotInstalledError as missing:
        pytest.skip(str(missing))
    told, expected = {}, {}
    with servers.docker_registry_in(tmp_path) as registry:
        for odd in ODD:
            made = MadeRegistry(LocalFileSystem(auto_mkdir=True), str(tmp_path / layout.ROOT.lstrip("/")))
            for data in CONTENTS:
                made.layer("app", data)
            made.manifest("app", odd.data, "v1")
            contents = contents_of(inventory(made.fs, made.root), exists=made.fs.exists, fs=made.fs)
            expected[odd.name] = said(registry, "--dry-run")
            told[odd.name] = planned(collector.plan(contents, "2.8"), "filesystem")
            shutil.rmtree(made.root)
    assert told == expected
    assert {name for name, each in expected.items() if each.ended} == {odd.name for odd in ODD if not odd.read_by_28}


def test_real_deletions_free_what_was_said(place: Place) -> None:
    """First one image's, by API and collector; then what no tag means, by --delete-untagged."""
    tables = place.tables()
    numbered = Numbered(tables.blobs, tables.references, tables.revisions, tables.tags)
    (number,) = numbered.digests.numbers(pa.chunked_array([[SECOND.manifest.digest]]))
    assert number is not None
    revisions = [Root(name, each) for name, manifests in numbered.revisions.items() for each in manifests]
    tagged = [Root(name, each) for name, tags in numbered.tags.items() for each in tags.values() if each is not None]
    deletions = Deletions(numbered.graph, revisions, tagged)
    unused = sum(collector.plan(place.contents(), "2.8").swept.values())
    before = place.sizes()
    pushing.delete(place.registry, "team/app", SECOND.manifest.digest)
    assert not said(place.registry).ended
    after = place.sizes()
    assert blob_bytes(before) - blob_bytes(after) == deletions.freed([Root("team/app", number)]).bytes + unused
    plan = collector.plan(place.contents(), "2.8", delete_untagged=True)
    assert plan.manifests
    assert not said(place.registry, "--delete-untagged").ended
    rest = place.sizes()
    assert blob_bytes(after) - blob_bytes(rest) == plan.freed_bytes
    gone = {f"repositories/{each.repository}/_manifests/revisions" for each in plan.manifests}
    assert {path for path in after.keys() - rest.keys() if path.startswith("blobs/")} == {
        layout.Blob(digest).at("") for digest in plan.swept
    }
    assert gone == {"/".join(path.split("/")[:-3]) for path in after.keys() - rest.keys() if "/revisions/" in path}


def test_old_uploads_are_aborted(place: Place) -> None:
    """The registry knows none of them any more, no key and no part is left, and it takes new pushes."""
    found = uploads.read(place.fs, place.root)
    assert len(found) == 2
    gone = uploads.abort(place.fs, found, timedelta(seconds=-1), root=place.root, dry_run=False)
    assert sorted(upload.repository or "" for upload in gone) == ["only/uploads", "team/app"]
    assert uploads.read(place.fs, place.root) == []
    assert not [path for path in place.sizes() if "/_uploads/" in path]
    if isinstance(place.fs, RegistryS3FileSystem):
        assert place.fs.list_multipart_uploads() == []
    for upload in gone:
        url = f"/v2/{upload.repository}/blobs/uploads/{upload.uuid}"
        assert place.registry.request("GET", url)[0] == 404
    pushing.put_blob(place.registry, "only/uploads", NOBODYS)


def blob_bytes(sizes: dict[str, int]) -> int:
    """The bytes of all blobs."""
    return sum(size for path, size in sizes.items() if path.startswith("blobs/"))
