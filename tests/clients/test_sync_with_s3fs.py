"""`sync` from and to another package's filesystem, which is asynchronous and knows nothing of registries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry.sync import sync
from testbed.servers import Server
from tests.libraries import library
from tests.registries import MadeRegistry

MIB = 1024 * 1024
s3fs = library("s3fs")


@pytest.fixture
def other(moto_server: Server, options: dict[str, Any]) -> Any:
    """s3fs on the bucket of `fs`."""
    return s3fs.S3FileSystem(
        key=options["accesskey"],
        secret=options["secretkey"],
        endpoint_url=moto_server.endpoint,
        skip_instance_cache=True,
    )


def test_a_registry_goes_to_s3fs_and_back(other: Any, options: dict[str, Any], fs: Any, tmp_path: Path) -> None:
    """Small and large blobs, from a disk; within its bucket by the server; and out of it to our own filesystem."""
    root, below, bucket = f"{tmp_path}{layout.ROOT}", layout.ROOT[1:], options["bucket"]
    made = MadeRegistry(LocalFileSystem(auto_mkdir=True), root)
    image = made.image("team/app", "v1", [b"small", 7 * MIB * b"large"])
    bad = made.image("team/bad", "v1", [6 * MIB * b"bad"])
    made.damage_blob(bad.layers[0].digest)
    done = sync(made.fs, other, source_root=root, destination_root=f"{bucket}/there/{below}", keep_going=True)
    assert [(each.code, each.affected_tags) for each in done.problems] == [("digest_mismatch", ("team/bad:v1",))]
    there = {
        path.removeprefix(f"{bucket}/there"): info["size"] for path, info in other.find(bucket, detail=True).items()
    }
    assert not [path for path in there if "partial" in path or bad.layers[0].digest[7:] + "/data" in path]
    assert there[layout.Blob(image.layers[1].digest).at()] == 7 * MIB * 5
    more = sync(
        other, other, source_root=f"{bucket}/there/{below}", destination_root=f"{bucket}/copy/{below}", keep_going=True
    )
    assert more.in_place
    done = sync(other, fs, source_root=f"{bucket}/copy/{below}", include="^team/app$")
    assert [str(tag) for tag in done.tags] == ["team/app:v1"]
    assert fs.cat_file(layout.blob_path(image.layers[1].digest)) == image.layers[1].data
    assert sync(other, fs, source_root=f"{bucket}/there/{below}", include="^team/app$").blobs == 0
