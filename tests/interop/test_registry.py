"""What the real docker-registry wrote, seen through the filesystem: the same repositories, tags and bytes."""

from __future__ import annotations

import fsspec

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model import registry_layout
from tests.interop.conftest import PUSHED, Running


def test_the_same_repositories_and_tags_are_listed(pushed: Running) -> None:
    """As the registry's own API tells them."""
    found: dict[str, list[str]] = {}
    for path in pushed.fs.glob(registry_layout.TAG_LINKS):
        repository, name = registry_layout.tag_of(path) or ("", "")
        found.setdefault(repository, []).append(name)
    catalog = pushed.registry.get("/v2/_catalog")["repositories"]
    assert sorted(found) == sorted(catalog) == ["hello", "team/app", "team/sub/big"]
    for repository, tags in found.items():
        assert sorted(tags) == sorted(pushed.registry.get(f"/v2/{repository}/tags/list")["tags"])


def test_tags_lead_to_the_manifests_that_were_pushed(pushed: Running) -> None:
    """Digest for digest, with every blob that they refer to."""
    for name, image in PUSHED.items():
        assert pushed.fs.cat(registry_layout.tag_link(*name.split(":"))).decode() == image.manifest.digest
        blobs = {registry_layout.blob_path(blob.digest): blob.data for blob in (image.manifest, *image.blobs)}
        assert pushed.fs.cat(list(blobs)) == blobs


def test_every_blob_holds_the_bytes_that_its_path_names(pushed: Running) -> None:
    """The digest in each path is that of the bytes, also of those uploaded and copied in parts."""
    blobs = pushed.fs.find(registry_layout.BLOBS)
    assert len(blobs) == len({blob.digest for image in PUSHED.values() for blob in (image.manifest, *image.blobs)})
    for path, data in pushed.fs.cat(blobs).items():
        assert registry_layout.digest(data) == registry_layout.blob_digest(path)


def test_a_url_reads_byte_for_byte_what_the_registry_stored(pushed: Running) -> None:
    """fsspec.open on a blob of several parts, against what plain boto3 reads."""
    layer = max(PUSHED["team/sub/big:latest"].blobs, key=lambda blob: len(blob.data))
    path = registry_layout.blob_path(layer.digest)
    options = {name: value for name, value in pushed.options.items() if name != "bucket"}
    with fsspec.open(f"registrys3://registry{path}", **options) as file:
        assert file.read() == layer.data
    stored = pushed.server.client().get_object(Bucket="registry", Key=f"some/prefix{path}")
    assert stored["Body"].read() == layer.data


def test_the_registrys_own_configuration_opens_its_storage(pushed: Running) -> None:
    """config= takes the config.yml that the registry runs on."""
    fs = fsspec.filesystem("registrys3", config=str(pushed.registry.config))
    assert isinstance(fs, RegistryS3FileSystem)
    assert fs.ls(registry_layout.REPOSITORIES, detail=False) == [
        "/docker/registry/v2/repositories/hello",
        "/docker/registry/v2/repositories/team",
    ]
