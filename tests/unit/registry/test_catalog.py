"""A catalog tells what a registry holds, over any filesystem; what is missing or damaged is a value or an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import (
    DigestMismatchError,
    InvalidReferenceError,
    LinkError,
    NotInRegistryError,
    PlatformError,
    UnreadableDocumentError,
    UnreadableManifestError,
)
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.model.references import fallback_tag
from registry_s3fs.registry import entries
from registry_s3fs.registry.catalog import Catalog, StoredManifest
from tests.registries import AMD64, ARM64, MadeRegistry

NOWHERE = "sha256:" + 64 * "0"


@pytest.fixture(params=["memory", "local", "ours", "chained"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> MadeRegistry:
    """An empty registry in one of the filesystems."""
    if request.param == "local":
        return MadeRegistry(LocalFileSystem(), f"{tmp_path}/docker/registry/v2")
    if request.param == "ours":
        fs: RegistryS3FileSystem = request.getfixturevalue("fs")
        return MadeRegistry(fs)
    if request.param == "chained":
        return MadeRegistry(DirFileSystem(str(tmp_path), LocalFileSystem()), "docker/registry/v2")
    return MadeRegistry()


@pytest.fixture
def catalog(made: MadeRegistry) -> Catalog:
    """The catalog of the registry."""
    return Catalog(made.fs, made.root)


@pytest.mark.promise("Registry contents")
def test_repositories_are_those_of_the_registrys_own_catalog(made: MadeRegistry, catalog: Catalog) -> None:
    """A catalog's repositories are those that the registry's own catalog has, by the rule of 2.8 or of 3.x."""
    for name in ("team/app", "team", "team/app/sub", "app-x", "app", "zebra"):
        made.image(name, "v1")
    made.layer("mounted", b"only a layer")
    made.image("only/manifests", "v1")
    made.remove_folder(f"{made.root}/repositories/only/manifests/_layers")
    made.upload("only/uploads", b"data")
    made.write(f"{made.root}/repositories/Upper/_layers/x", b"")
    made.write(f"{made.root}/repositories/notes.txt", b"")
    every = ["app", "app-x", "mounted", "only/manifests", "team", "team/app", "team/app/sub", "zebra"]
    assert catalog.repositories() == every
    assert catalog.repositories("2.8") == [name for name in every if name != "only/manifests"]
    assert catalog.repositories("3") == [name for name in every if name != "mounted"]


@pytest.mark.promise("Registry contents")
@pytest.mark.parametrize("keys", [10, 60])
def test_a_catalog_lists_no_folder_of_links(fs: RegistryS3FileSystem, keys: int) -> None:
    """A catalog of a thousand repositories takes hardly more listings than there are folders with names, however many
    tags and layers they have.
    """
    for number in range(1000):
        for tag in range(keys // 2):
            for path in (f"_manifests/tags/{tag}/current/link", f"_layers/sha256/{tag:064}/link"):
                key = f"{layout.REPOSITORIES}/team-{number % 7}/app-{number}/{path}"
                fs.bucket.plant(fs.bucket.space.key(key), layout.LINK_BYTES)
    fs.bucket.store.requests.clear()
    assert len(Catalog(fs).repositories()) == 1000
    assert fs.bucket.store.requests["ListObjectsV2"] <= 1.05 * (1000 + 7 + 1)


def test_another_generation_is_refused(catalog: Catalog) -> None:
    """It is a word of the caller, which a type checker may not have seen."""
    with pytest.raises(ValueError, match="'2.7' is no generation of the registry; give 2.8 or 3"):
        catalog.repositories("2.7")


def test_folders_that_no_repository_can_have_are_not_entered(made: MadeRegistry, catalog: Catalog) -> None:
    """However deep a stranger has nested them."""
    made.image("app", "1")
    made.write(f"{made.root}/repositories/{'a/' * 400}_layers/x", b"")
    assert catalog.repositories() == ["app"]


def test_a_folder_without_a_registry_is_an_error(made: MadeRegistry, catalog: Catalog) -> None:
    """A wrong root must not look like an empty registry; one without repositories is."""
    with pytest.raises(NotInRegistryError, match="no registry is there") as caught:
        catalog.repositories()
    assert isinstance(caught.value, FileNotFoundError)
    made.blob(b"left over")
    assert catalog.repositories() == []


def test_signatures_are_no_revisions(made: MadeRegistry, catalog: Catalog) -> None:
    """Their links lie below the manifest's."""
    manifest = made.schema1("app", "1", signature=b"signed")
    assert catalog.revisions("app") == [manifest.digest]
    assert catalog.resolve("app:1").manifest.kind == "schema1"


def test_tags_mean_digests_or_errors(made: MadeRegistry, catalog: Catalog) -> None:
    """A tag that was moved means the last manifest, and a deleted one is gone."""
    old, new = made.image("app", "1", [b"old"]), made.image("app", "1", [b"new"])
    made.image("app", "deleted")
    made.delete_tag("app", "deleted")
    made.write(made.tag_path("app", "broken"), b"")
    made.write(made.tag_index_path("app", "dangling", old.digest), old.digest.encode())
    assert catalog.tags("app") == ["1", "broken", "dangling"]
    found = catalog.tag_digests("app")
    assert found.pop("1") == new.digest
    assert list(map(type, found.values())) == [LinkError, FileNotFoundError]
    assert set(catalog.revisions("app")) >= {old.digest, new.digest}


def test_a_repository_without_tags_has_none(made: MadeRegistry, catalog: Catalog) -> None:
    """One that does not exist is an error."""
    layer = made.layer("mounted", b"layer")
    assert (catalog.tags("mounted"), catalog.tag_digests("mounted"), catalog.revisions("mounted")) == ([], {}, [])
    assert catalog.layers("mounted") == [layer.digest]
    made.upload("uploads")
    for name in ("other", "mounted/x", "uploads"):
        for ask in (catalog.tags, catalog.revisions, catalog.layers, lambda name: list(catalog.manifests(name))):
            with pytest.raises(NotInRegistryError, match=f"the registry has no repository '{name}'"):
                ask(name)
    with pytest.raises(ValueError, match="is no name of a repository"):
        catalog.tags("../mounted")


def test_links_tell_by_their_text_what_a_repository_has(made: MadeRegistry, catalog: Catalog) -> None:
    """Not by their path; broken ones are left out, and digests of any algorithm are in."""
    image = made.image("app", "1")
    other = made.layer("other", b"other")
    made.write(made.layer_path("app", NOWHERE), b"")
    made.write(made.layer_path("app", "sha512:" + 128 * "1"), other.digest.encode())
    assert image.config
    assert catalog.layers("app") == sorted([image.config.digest, image.layers[0].digest, other.digest])
    made.write(made.revision_path("app", "sha512:" + 128 * "1"), ("sha512:" + 128 * "1").encode())
    made.write(made.revision_path("app", NOWHERE), b"x")
    assert catalog.revisions("app") == [image.digest, "sha512:" + 128 * "1"]


@pytest.mark.promise("Registry contents")
def test_a_reference_is_resolved_to_its_manifest(made: MadeRegistry, catalog: Catalog) -> None:
    """`Catalog.resolve` takes a tag or a digest, and returns the manifest's bytes and what they say."""
    image = made.image("team/app", "1.2")
    found = catalog.resolve("team/app:1.2")
    assert (found.repository, found.tag, found.digest, found.data) == ("team/app", "1.2", image.digest, image.data)
    assert [layer.digest for layer in found.manifest.layers] == [layer.digest for layer in image.layers]
    assert str(found) == f"team/app:1.2@{image.digest}"
    by_digest = catalog.resolve(f"team/app@{image.digest}")
    assert by_digest == found._replace(tag=None)
    assert catalog.resolve(f"team/app:other@{image.digest}").digest == image.digest
    made.tag("team/app", "latest", image.digest)
    assert catalog.resolve("team/app").digest == image.digest


def test_manifests_of_any_algorithm_are_resolved(made: MadeRegistry, catalog: Catalog) -> None:
    """sha512's are compared with their bytes, too."""
    strong = MadeRegistry(made.fs, made.root, algorithm="sha512")
    image = strong.image("app", "1")
    assert catalog.resolve("app:1").digest == image.digest
    strong.damage_blob(image.digest)
    with pytest.raises(DigestMismatchError):
        catalog.resolve("app:1")


def test_an_alias_leads_to_what_its_text_says(made: MadeRegistry, catalog: Catalog) -> None:
    """As in the registry."""
    image = made.image("app", "1")
    alias = "sha512:" + 128 * "1"
    made.write(made.revision_path("app", alias), image.digest.encode())
    assert catalog.resolve(f"app@{alias}").digest == image.digest


def test_what_is_missing_says_what_and_where(made: MadeRegistry, catalog: Catalog) -> None:
    """A repository, a tag, a manifest of this repository, its bytes: each is told apart."""
    image = made.image("app", "release-1.2")
    gone = made.image("app", "gone", [b"gone"])
    made.lose_blob(gone.digest)
    made.tag("app", "unlinked", NOWHERE)
    made.layer("other", b"x")
    messages = {
        "nothing:1": "the registry has no repository 'nothing'",
        "app:zzz": "app has no tag 'zzz'",
        "app:release-1.3": "app has no tag 'release-1.3'; similar tags: release-1.2",
        "app:unlinked": f"tag 'unlinked' means {NOWHERE}, which is no manifest of this repository",
        f"other@{image.digest}": f"other: {image.digest} is no manifest of this repository",
        f"nothing@{image.digest}": "the registry has no repository 'nothing'",
        "app:gone": f"the bytes of the manifest {gone.digest} are missing",
    }
    for reference, message in messages.items():
        with pytest.raises(NotInRegistryError) as caught:
            catalog.resolve(reference)
        assert message in str(caught.value)
        assert made.root in str(caught.value.filename)
        assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(InvalidReferenceError):
        catalog.resolve("app:../../x")


def test_what_is_damaged_is_told(made: MadeRegistry, catalog: Catalog) -> None:
    """A link, a manifest's bytes, a manifest that is none: each is a typed error, and a built-in one."""
    image = made.image("app", "1")
    made.damage_blob(image.digest)
    with pytest.raises(DigestMismatchError, match="have the digest sha256:"):
        catalog.resolve("app:1")
    made.manifest("app", b"<html>", "html")
    with pytest.raises(UnreadableManifestError, match="no JSON"):
        catalog.resolve("app:html")
    broken = made.image("app", "2", [b"2"])
    made.write(made.revision_path("app", broken.digest), b"")
    with pytest.raises(LinkError, match="the link is empty"):
        catalog.resolve("app:2")
    made.write(made.tag_path("app", "3"), b"nonsense")
    with pytest.raises(LinkError, match="no digest but b'nonsense'"):
        catalog.resolve("app:3")


def test_manifests_of_a_repository_are_values_or_errors(made: MadeRegistry, catalog: Catalog) -> None:
    """Tagged or not; one that is damaged keeps none of the others back."""
    good = made.image("app", "1")
    missing, damaged = made.image("app", None, [b"2"]), made.image("app", None, [b"3"])
    made.lose_blob(missing.digest)
    made.damage_blob(damaged.digest)
    html = made.manifest("app", b"<html>")
    found = dict(catalog.manifests("app"))
    assert list(found) == sorted(found)
    assert {digest: type(value) for digest, value in found.items()} == {
        good.digest: StoredManifest,
        missing.digest: FileNotFoundError,
        damaged.digest: DigestMismatchError,
        html.digest: UnreadableManifestError,
    }
    stored = found[good.digest]
    assert isinstance(stored, StoredManifest)
    assert stored == catalog.resolve("app:1")._replace(tag=None)


def test_an_index_gives_the_manifest_of_a_platform(made: MadeRegistry, catalog: Catalog) -> None:
    """Also one within another index; the error lists the platforms."""
    amd, arm = made.image("app", None, [b"amd"]), made.image("app", None, [b"arm"], platform=ARM64)
    index = made.index("app", "multi", [(amd, AMD64), (arm, ARM64)])
    outer = made.index("app", "outer", [(index, None)])
    assert catalog.resolve("app:multi").digest == index.digest
    for platform, child in {"linux/amd64": amd, "linux/arm64": arm, "linux/arm64/v8": arm}.items():
        assert catalog.resolve("app:multi", platform).digest == child.digest
    assert catalog.resolve(f"app@{amd.digest}", "linux/arm64").digest == amd.digest
    with pytest.raises(PlatformError, match="several platforms; give one of them; its platforms: linux/amd64, linux/a"):
        catalog.config("app:multi")
    with pytest.raises(
        PlatformError, match="has nothing for windows/amd64; its platforms: linux/amd64, linux/arm64/v8"
    ):
        catalog.resolve("app:multi", "windows/amd64")
    assert catalog.config("app:multi", "linux/arm64")["architecture"] == "arm64"
    assert catalog.resolve(f"app@{outer.digest}").manifest.children[0].digest == index.digest


def test_a_child_that_the_repository_has_no_link_to_is_told(made: MadeRegistry, catalog: Catalog) -> None:
    """The garbage collector leaves such indexes behind; no client can pull them."""
    child = made.image("app", None)
    made.index("app", "multi", [(child, AMD64)])
    made.delete_manifest("app", child.digest)
    with pytest.raises(NotInRegistryError, match=f"means {child.digest}, which is no manifest of this repository"):
        catalog.resolve("app:multi", "linux/amd64")


def test_what_is_named_by_no_digest_is_told(made: MadeRegistry, catalog: Catalog) -> None:
    """A stranger's text is no path."""
    bad = {"digest": "sha256:../../../x", "size": 1, "platform": {"os": "li\nnux", "architecture": "amd64"}}
    made.manifest("app", {"schemaVersion": 2, "manifests": [bad]}, "index")
    made.manifest("app", {"schemaVersion": 2, "config": bad, "layers": [bad]}, "image")
    for reference in ("app:index", "app:image"):
        with pytest.raises(UnreadableManifestError, match="names 'sha256:../../../x', which no blob can have"):
            catalog.config(reference)
    with pytest.raises(PlatformError, match=r"its platforms: 'li\\nnux/amd64'"):
        catalog.resolve("app:index", "linux/amd64")
    assert [each.digest for each in catalog.resolve("app:image").manifest.layers] == [bad["digest"]]


def test_an_index_in_itself_ends(made: MadeRegistry, catalog: Catalog) -> None:
    """It cannot be made, as its digest would be in it; a chain of too many can."""
    inner = made.image("app", None)
    for _ in range(20):
        inner = made.index("app", "deep", [(inner, AMD64)])
    with pytest.raises(UnreadableManifestError, match="an index within 8 others"):
        catalog.resolve("app:deep", "linux/amd64")


def test_configs_are_documents(made: MadeRegistry, catalog: Catalog) -> None:
    """Bounded as manifests are, and compared with their digests."""
    made.image("app", "1", config={"os": "linux", "history": [{"created_by": "RUN x"}]})
    assert catalog.config("app:1") == {"os": "linux", "history": [{"created_by": "RUN x"}]}
    made.image("app", "deep", config=10_000 * b"[")
    with pytest.raises(UnreadableDocumentError):
        catalog.config("app:deep")
    lost = made.image("app", "lost", config=b'{"lost": 1}')
    assert lost.config
    made.damage_blob(lost.config.digest)
    with pytest.raises(DigestMismatchError):
        catalog.config("app:lost")
    made.lose_blob(lost.config.digest)
    with pytest.raises(NotInRegistryError, match=f"the blob {lost.config.digest} is missing"):
        catalog.config("app:lost")
    made.schema1("app", "old")
    with pytest.raises(UnreadableManifestError, match="a manifest of schema1, which has no config"):
        catalog.config("app:old")


def test_referrers_are_found_by_subject_and_by_tag(made: MadeRegistry, catalog: Catalog) -> None:
    """By `subject`, in the index at the fallback tag, and at cosign's tags; each once, and none of another manifest."""
    image, other = made.image("app", "1"), made.image("app", "2", [b"2"])
    sbom = made.artifact("app", None, {"sbom.json": b"{}"}, subject=image, artifact_type="application/sbom")
    made.artifact("app", None, {"other.json": b"{}"}, subject=other)
    listed = made.artifact("app", None, {"listed.json": b"[]"}, artifact_type="application/listed")
    signature = made.image("app", fallback_tag(image.digest) + ".sig", [b"signature"])
    made.manifest(
        "app",
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                listed.descriptor(artifactType="application/listed", annotations={"a": "b"}),
                sbom.descriptor(artifactType="application/sbom"),
            ],
        },
        fallback_tag(image.digest),
    )
    damaged = made.artifact("app", None, {"damaged": b"x"}, subject=image)
    made.damage_blob(damaged.digest)
    made.tag("app", fallback_tag(image.digest) + ".att", damaged.digest)
    found = {each.digest: each for each in catalog.referrers("app:1")}
    assert set(found) == {sbom.digest, listed.digest, signature.digest}
    assert found[sbom.digest].tag is None
    assert found[listed.digest] == (listed.digest, "application/listed", {"a": "b"}, fallback_tag(image.digest))
    assert found[signature.digest].tag == fallback_tag(image.digest) + ".sig"
    assert [each.digest for each in catalog.referrers("app:1", "application/sbom")] == [sbom.digest]
    assert catalog.referrers(f"app@{NOWHERE}") == []
    made.delete_manifest("app", image.digest)
    assert {each.digest for each in catalog.referrers(f"app@{image.digest}")} == set(found)


def test_a_filesystem_that_fails_is_not_an_empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A denied request is an error, whatever was asked."""
    made = MadeRegistry()
    made.image("app", "1")

    def denied(*args: object, **kwargs: object) -> object:
        raise PermissionError(13, "access denied")

    for name in ("ls", "walk", "find", "cat_file", "info"):
        monkeypatch.setattr(MemoryFileSystem, name, denied)
    catalog = Catalog(made.fs, made.root)
    asked = (catalog.repositories, lambda: catalog.tags("app"), lambda: catalog.layers("app"))
    for ask in (*asked, lambda: catalog.resolve("app:1"), lambda: catalog.referrers("app:1")):
        with pytest.raises(PermissionError):
            ask()


def test_one_file_that_is_denied_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither missing nor damaged: what it says is not known, so nothing is told without it."""
    made = MadeRegistry()
    image, other = made.image("app", "1"), made.image("app", "2", [b"other"])
    made.image("team/app", "1")
    denied: list[str] = []
    for name in ("cat_file", "ls"):
        kept = getattr(MemoryFileSystem, name)

        def ask(self: MemoryFileSystem, path: str, *args: Any, kept: Any = kept, **kwargs: Any) -> Any:
            if path in denied:
                raise PermissionError(13, "access denied", path)
            return kept(self, path, *args, **kwargs)

        monkeypatch.setattr(MemoryFileSystem, name, ask)
    catalog = Catalog(made.fs, made.root)
    assert image.config
    for path, asked in {
        made.blob_path(other.digest): [lambda: catalog.referrers("app:1"), lambda: catalog.resolve("app:2")],
        made.blob_path(image.config.digest): [lambda: catalog.config("app:1")],
        made.revision_path("app", image.digest): [lambda: catalog.resolve("app:1")],
        f"{made.root}/repositories/team": [catalog.repositories],
        f"{made.root}/repositories/app/_layers/sha256": [lambda: catalog.layers("app")],
        f"{made.root}/repositories/app/_manifests/revisions/sha256": [lambda: catalog.revisions("app")],
        f"{made.root}/blobs/sha256": [lambda: list(entries.listed(made.fs, made.root))],
    }.items():
        denied[:] = [path]
        for ask_for in asked:
            with pytest.raises(PermissionError, match="access denied"):
                ask_for()
    denied.clear()
    assert catalog.repositories() == ["app", "team/app"]


def test_a_folder_that_goes_while_it_is_listed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository may be deleted meanwhile."""
    made = MadeRegistry()
    made.image("app", "1")
    made.image("gone", "1")
    kept = MemoryFileSystem.ls

    def ls(self: MemoryFileSystem, path: str, *args: Any, **kwargs: Any) -> Any:
        if path.endswith("/gone"):
            raise FileNotFoundError(path)
        return kept(self, path, *args, **kwargs)

    monkeypatch.setattr(MemoryFileSystem, "ls", ls)
    assert Catalog(made.fs, made.root).repositories() == ["app"]


def test_configs_with_any_names_stay_json(made: MadeRegistry, catalog: Catalog) -> None:
    """What was read can be written again."""
    made.image("app", "1", config=b'{"a": "\\ud800", "b": [1.5, null, true]}')
    assert (
        json.dumps(catalog.config("app:1"), ensure_ascii=False).encode()
        == '{"a": "�", "b": [1.5, null, true]}'.encode()
    )


def test_the_catalog_needs_no_pyarrow() -> None:
    """It is `registry_s3fs.registry.Catalog`, for whoever has not installed what the tables need."""
    program = """
import sys
sys.modules.update({"pyarrow": None, "pandas": None, "boto3": None})
import fsspec, registry_s3fs.registry
catalog = registry_s3fs.registry.Catalog(fsspec.filesystem("memory"), root="/x")
assert not hasattr(registry_s3fs.registry, "Other")
try:
    catalog.resolve("app:1")
except FileNotFoundError:
    print("missing")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("missing\n", "")
