"""The catalog over s3fs, on the same bucket as ours."""

from __future__ import annotations

from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.registry import Catalog
from testbed.servers import Server
from tests.libraries import library
from tests.registries import MadeRegistry

s3fs = library("s3fs")


def test_s3fs_shows_the_same_registry(fs: RegistryS3FileSystem, options: dict[str, Any], moto_server: Server) -> None:
    """Repositories, tags, layers, manifests and referrers; what is missing is the same error."""
    made = MadeRegistry(fs)
    image = made.image("team/app", "1")
    made.image("team/app/sub", "2", [b"2"])
    made.artifact("team/app", None, {"sbom": b"{}"}, subject=image)
    made.upload("uploads/only")
    theirs = s3fs.S3FileSystem(
        key=options["accesskey"],
        secret=options["secretkey"],
        client_kwargs={"endpoint_url": moto_server.endpoint, "region_name": options["region"]},
        skip_instance_cache=True,
    )
    ours, through_s3fs = Catalog(fs), Catalog(theirs, f"s3://{options['bucket']}/registry/docker/registry/v2")
    assert through_s3fs.repositories() == ours.repositories() == ["team/app", "team/app/sub"]
    for name in ours.repositories():
        assert through_s3fs.tag_digests(name) == ours.tag_digests(name)
        assert through_s3fs.layers(name) == ours.layers(name)
        assert dict(through_s3fs.manifests(name)) == dict(ours.manifests(name))
    assert through_s3fs.resolve("team/app:1") == ours.resolve("team/app:1")
    assert through_s3fs.config("team/app:1") == ours.config("team/app:1")
    assert through_s3fs.referrers("team/app:1") == ours.referrers("team/app:1") != []
    with pytest.raises(FileNotFoundError, match="has no tag 'x'"):
        through_s3fs.resolve("team/app:x")
