"""Small but true images and artifacts: real manifests, real digests, the same bytes at every run."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry_s3fs.model import registry_layout

OCI = "application/vnd.oci.image"
MANIFEST = f"{OCI}.manifest.v1+json"


@dataclass(frozen=True)
class Blob:
    """Bytes that a registry stores once, whoever refers to them."""

    media_type: str
    data: bytes
    title: str = ""
    """The name of the file that an artifact's blob is."""

    @property
    def digest(self) -> str:
        return registry_layout.digest(self.data)

    @property
    def descriptor(self) -> dict[str, Any]:
        """How a manifest refers to it."""
        named = {"annotations": {"org.opencontainers.image.title": self.title}} if self.title else {}
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data), **named}


@dataclass(frozen=True)
class Layer:
    """A layer's blob, and the digest of its tar before compression."""

    blob: Blob
    diff_id: str


@dataclass(frozen=True)
class Image:
    """A manifest, and the config and layers that it refers to."""

    manifest: Blob
    blobs: Sequence[Blob]


def layer(files: Mapping[str, bytes], compresslevel: int = 1) -> Layer:
    """A layer that holds some files. Level 0 is for those that do not compress."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    packed = gzip.compress(raw.getvalue(), compresslevel, mtime=0)
    return Layer(Blob(f"{OCI}.layer.v1.tar+gzip", packed), registry_layout.digest(raw.getvalue()))


def noise(name: str, size: int) -> bytes:
    """Bytes that do not compress, the same for the same name."""
    return random.Random(name).randbytes(size)


def image(layers: Sequence[Layer], architecture: str = "amd64") -> Image:
    """A container image of some layers."""
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
    }
    return _manifest(_json(f"{OCI}.config.v1+json", config), [each.blob for each in layers])


def artifact(artifact_type: str, content: Blob) -> Image:
    """An OCI artifact: a file in a registry, where an image has a layer."""
    empty = Blob("application/vnd.oci.empty.v1+json", b"{}")
    return _manifest(empty, [content], artifactType=artifact_type)


def _manifest(config: Blob, layers: Sequence[Blob], **more: Any) -> Image:
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        **more,
        "config": config.descriptor,
        "layers": [each.descriptor for each in layers],
    }
    return Image(_json(MANIFEST, value), [config, *layers])


def _json(media_type: str, value: Mapping[str, Any]) -> Blob:
    return Blob(media_type, json.dumps(value, indent=2).encode())


def files(repository: str, tag: str, content: Image) -> dict[str, bytes]:
    """What the registry's storage holds once an image is pushed: path -> bytes."""
    manifest = content.manifest.digest
    found = {registry_layout.blob_path(blob.digest): blob.data for blob in (content.manifest, *content.blobs)}
    links = {registry_layout.layer_link(repository, blob.digest): blob.digest for blob in content.blobs}
    links[registry_layout.revision_link(repository, manifest)] = manifest
    links[registry_layout.tag_link(repository, tag)] = manifest
    links[registry_layout.tag_index_link(repository, tag, manifest)] = manifest
    return {**found, **{path: digest.encode() for path, digest in links.items()}}


def oci_layout(name: str, content: Image) -> dict[str, bytes]:
    """An OCI image layout, the folder that tools push from, with one image: relative path -> bytes."""
    found = {f"blobs/{blob.digest.replace(':', '/')}": blob.data for blob in (content.manifest, *content.blobs)}
    named = {**content.manifest.descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}
    found["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    found["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    return found
