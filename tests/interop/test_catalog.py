"""The catalog beside the real docker-registry's API, on S3 and on a local folder; tests' own registries beside both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from demo import images
from demo.images import Image, noise
from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import NotInRegistryError
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry.catalog import Catalog
from testbed import servers
from testbed.servers import Registry, Server
from tests.interop import pushing
from tests.registries import MadeRegistry

ACCEPTED = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
BASE = images.layer({"base": noise("base", 1000)})


def image(name: str, architecture: str = "amd64") -> Image:
    """An image on a base that all have."""
    return images.image([BASE, images.layer({name: noise(name, 100)})], architecture)


FIRST, SECOND, THIRD, HELLO, GONE = (image(name) for name in ("first", "second", "third", "hello", "gone"))
AMD64, ARM64 = image("amd64"), image("arm64", "arm64")
MULTI = pushing.index(AMD64, ARM64)
SUBJECT = {**FIRST.manifest.descriptor}
SIGNATURE = pushing.index(subject=SUBJECT, artifactType="application/vnd.example.signature")


@dataclass(frozen=True)
class Place:
    """A running registry, and our view of what it stores."""

    registry: Registry
    fs: AbstractFileSystem
    root: str

    @property
    def catalog(self) -> Catalog:
        """What it holds."""
        return Catalog(self.fs, self.root)


@pytest.fixture(scope="module", params=["moto_server", "radosgw_server", "folder"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """docker-registry, to which images were pushed by its API."""
    try:
        servers.program("docker-registry")
    except servers.NotInstalledError as missing:
        pytest.skip(str(missing))
    if request.param == "folder":
        folder = tmp_path_factory.mktemp("registry")
        with servers.docker_registry_in(folder) as registry:
            fill(registry)
            yield Place(registry, LocalFileSystem(), f"{folder}{layout.ROOT}")
        return
    server: Server = request.getfixturevalue(request.param)
    server.create_bucket("catalog")
    with servers.docker_registry(server, "catalog", rootdirectory="/prefix") as registry:
        fill(registry)
        fs = RegistryS3FileSystem(**server.options("catalog", rootdirectory="/prefix"))
        yield Place(registry, fs, layout.ROOT)


def fill(registry: Registry) -> None:
    """Push, re-tag, mount and delete by the API, and leave an upload behind."""
    pushed = {"team/app": [("v1", FIRST), ("v1", SECOND), ("v2", THIRD), ("v2-alias", THIRD)], "gone": [("1", GONE)]}
    for repository, tags in {**pushed, "hello": [("1.0", HELLO)], "team/app/sub": [("a", HELLO)]}.items():
        for tag, content in tags:
            pushing.put_manifest(registry, repository, content, tag)
    for content in (AMD64, ARM64):
        pushing.put_manifest(registry, "multi/arch", content)
    pushing.put_manifest(registry, "multi/arch", MULTI, "latest")
    pushing.put_manifest(registry, "team/app", SIGNATURE)
    pushing.mount(registry, "mounted", BASE.blob.digest, "team/app")
    pushing.delete(registry, "gone", GONE.manifest.digest)
    pushing.delete(registry, "team/app", THIRD.manifest.digest)
    pushing.begin(registry, "uploads/only", b"the beginning")


def made_alike(fs: AbstractFileSystem | None = None) -> MadeRegistry:
    """The same, as the tests' own registry makes it, without the upload."""
    made = MadeRegistry(fs)

    def put(repository: str, content: Image, tag: str | None = None) -> None:
        for blob in content.blobs:
            if not blob.media_type.endswith("manifest.v1+json"):
                made.layer(repository, blob.data)
        made.manifest(repository, content.manifest.data, tag)

    for tag, content in (("v1", FIRST), ("v1", SECOND), ("v2", THIRD), ("v2-alias", THIRD)):
        put("team/app", content, tag)
    put("gone", GONE, "1")
    put("hello", HELLO, "1.0")
    put("team/app/sub", HELLO, "a")
    put("multi/arch", AMD64)
    put("multi/arch", ARM64)
    put("multi/arch", MULTI, "latest")
    put("team/app", SIGNATURE)
    made.mount("mounted", BASE.blob.digest)
    made.delete_manifest("gone", GONE.manifest.digest)
    made.delete_manifest("team/app", THIRD.manifest.digest)
    return made


def test_repositories_and_tags_are_those_of_the_api(place: Place) -> None:
    """The mounted layer and the emptied repository count, an upload alone does not."""
    told = place.registry.get("/v2/_catalog")["repositories"]
    assert place.catalog.repositories("2.8") == told
    assert told == ["gone", "hello", "mounted", "multi/arch", "team/app", "team/app/sub"]
    for repository in told:
        assert place.catalog.tags(repository) == pushing.tags(place.registry, repository)
    assert place.catalog.tags("team/app") == ["v1"]


def test_every_reference_is_resolved_as_the_api_does(place: Place) -> None:
    """By tag and by digest, byte for byte; what was deleted is missing in both."""
    for repository in place.catalog.repositories():
        names = [*(f":{tag}" for tag in place.catalog.tags(repository))]
        for name in [*names, *(f"@{digest}" for digest in place.catalog.revisions(repository))]:
            url = f"/v2/{repository}/manifests/{name[1:]}"
            status, headers, body = place.registry.request("GET", url, Accept=ACCEPTED)
            found = place.catalog.resolve(repository + name)
            assert (status, found.digest, found.data) == (200, headers["Docker-Content-Digest"], body)
    assert place.catalog.revisions("gone") == []
    for repository, content in {"gone": GONE, "team/app": THIRD, "hello": FIRST}.items():
        url = f"/v2/{repository}/manifests/{content.manifest.digest}"
        assert place.registry.request("GET", url, Accept=ACCEPTED)[0] == 404
        with pytest.raises(NotInRegistryError):
            place.catalog.resolve(f"{repository}@{content.manifest.digest}")


def test_layers_configs_children_and_referrers(place: Place) -> None:
    """A repository has the blobs that its API gives; an index its platforms; a subject its referrer."""
    for repository in place.catalog.repositories():
        for digest in place.catalog.layers(repository):
            assert place.registry.request("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200
    assert place.catalog.layers("mounted") == [BASE.blob.digest]
    assert place.catalog.resolve("multi/arch", "linux/arm64").digest == ARM64.manifest.digest
    assert place.catalog.config("multi/arch", "linux/arm64")["architecture"] == "arm64"
    (referrer,) = place.catalog.referrers(f"team/app@{FIRST.manifest.digest}")
    assert (referrer.digest, referrer.artifact_type) == (SIGNATURE.manifest.digest, "application/vnd.example.signature")


def test_every_file_that_the_registry_wrote_is_known(place: Place) -> None:
    """And its value has its path. Those of the upload are there, too."""
    parse = layout.Layout(place.root).parse
    files = {path: parse(path) for path in place.fs.find(place.root)}
    assert not [path for path, file in files.items() if isinstance(file, layout.Unknown)]
    assert [path for path, file in files.items() if file.at(place.root) != path] == []
    kinds = {type(file) for file in files.values()}
    assert {layout.UploadStartedAt, layout.UploadHashState, layout.TagIndexLink} <= kinds


def test_the_tests_own_registries_have_the_same_files(place: Place) -> None:
    """Path for path and byte for byte, but for the upload; so what is tested with them holds for real ones."""
    made = made_alike()
    expected = made.fs.cat(made.fs.find(made.root))
    stored = place.fs.cat([path for path in place.fs.find(place.root) if "/_uploads/" not in path])
    assert below(stored, place.root) == below(expected, made.root)


def below(files: dict[str, bytes], root: str) -> dict[str, bytes]:
    """Give the contents of files by their paths below a root."""
    return {path.removeprefix(root): data for path, data in files.items()}
