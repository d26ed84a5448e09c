"""Registries made for tests, in any filesystem of fsspec: what pushes, mounts, deletions and accidents leave there.

The files are those that the Go registry writes (2.8.2 on S3): nothing is kept here beside the filesystem. Names and
digests are taken as they are given, so that odd ones can be made, too.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.model.registry_layout import ROOT

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
AMD64 = {"os": "linux", "architecture": "amd64"}
ARM64 = {"os": "linux", "architecture": "arm64", "variant": "v8"}

_numbers = itertools.count()


@dataclass(frozen=True)
class Pushed:
    """A blob that was pushed: its bytes, and what a manifest says of it."""

    digest: str
    data: bytes
    media_type: str
    config: Pushed | None = None
    layers: tuple[Pushed, ...] = ()

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def descriptor(self, **more: object) -> dict[str, object]:
        """What a manifest says of it; `more` are further members."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **more}


class MadeRegistry:
    """A registry in a filesystem. All methods that take a repository write into it.

    Args:
        fs: The filesystem; by default one in memory, below a folder of its own.
        root: Where the registry is in it.
        algorithm: The hash of all digests.
    """

    def __init__(
        self, fs: AbstractFileSystem | None = None, root: str | None = None, algorithm: str = "sha256"
    ) -> None:
        self.fs = fs or MemoryFileSystem()
        self.root = root or (ROOT if fs else f"/registry-{next(_numbers)}{ROOT}")
        self.algorithm = algorithm

    # Paths

    def digest(self, data: bytes) -> str:
        """Give the digest of bytes."""
        return f"{self.algorithm}:{hashlib.new(self.algorithm, data).hexdigest()}"

    def blob_path(self, digest: str) -> str:
        """Give the path of a blob."""
        algorithm, _, encoded = digest.partition(":")
        return f"{self.root}/blobs/{algorithm}/{encoded[:2]}/{encoded}/data"

    def layer_path(self, repository: str, digest: str) -> str:
        """Give the path of a layer's link."""
        return f"{self._repository(repository)}/_layers/{digest.replace(':', '/')}/link"

    def revision_path(self, repository: str, digest: str) -> str:
        """Give the path of a revision's link."""
        return f"{self._repository(repository)}/_manifests/revisions/{digest.replace(':', '/')}/link"

    def tag_path(self, repository: str, tag: str) -> str:
        """Give the path of the link of what a tag means now."""
        return f"{self._repository(repository)}/_manifests/tags/{tag}/current/link"

    def tag_index_path(self, repository: str, tag: str, digest: str) -> str:
        """Give the path of the link of what a tag means or has meant."""
        return f"{self._repository(repository)}/_manifests/tags/{tag}/index/{digest.replace(':', '/')}/link"

    def _repository(self, name: str) -> str:
        return f"{self.root}/repositories/{name}"

    # Files

    def write(self, path: str, data: bytes) -> str:
        """Write a file, whatever it is, and give its path."""
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(path, data)
        return path

    def remove(self, path: str) -> None:
        """Remove a file."""
        self.fs.rm_file(path)

    def remove_folder(self, path: str) -> None:
        """Remove a folder, if it is there."""
        if self.fs.exists(path):
            self.fs.rm(path, recursive=True)

    def set_modified(self, path: str, when: datetime) -> None:
        """Change the time at which a file was written, where the filesystem is one in memory."""
        assert isinstance(self.fs, MemoryFileSystem)
        file = self.fs.store[path]
        file.created = file.modified = when

    # Pushes

    def blob(self, data: bytes, media_type: str = OCI_LAYER) -> Pushed:
        """Store a blob, which no repository has yet."""
        pushed = Pushed(self.digest(data), data, media_type)
        self.write(self.blob_path(pushed.digest), data)
        return pushed

    def layer(self, repository: str, data: bytes, media_type: str = OCI_LAYER) -> Pushed:
        """Push a layer or config."""
        pushed = self.blob(data, media_type)
        self.mount(repository, pushed.digest)
        return pushed

    def mount(self, repository: str, digest: str) -> None:
        """Link a blob from a repository, as a mount does."""
        self.write(self.layer_path(repository, digest), digest.encode())

    def manifest(self, repository: str, document: Mapping[str, object] | bytes, tag: str | None = None) -> Pushed:
        """Push a manifest: any document, or any bytes."""
        data = document if isinstance(document, bytes) else json.dumps(document, indent=3).encode()
        media_type = "" if isinstance(document, bytes) else str(document.get("mediaType", ""))
        pushed = self.blob(data, media_type)
        self.write(self.revision_path(repository, pushed.digest), pushed.digest.encode())
        if tag is not None:
            self.tag(repository, tag, pushed.digest)
        return pushed

    def image(
        self,
        repository: str,
        tag: str | None = None,
        layers: Sequence[bytes | Pushed] = (b"layer",),
        *,
        config: Mapping[str, object] | bytes | Pushed | None = None,
        docker: bool = False,
        config_media_type: str | None = None,
        layer_media_type: str | None = None,
        platform: Mapping[str, str] = AMD64,
        **more: object,
    ) -> Pushed:
        """Push an image. `more` are further members of the manifest, such as `annotations`, `subject`."""
        kind = layer_media_type or (DOCKER_LAYER if docker else OCI_LAYER)
        pushed = [self._layer(repository, layer, kind) for layer in layers]
        if config is None:
            config = {**platform, "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in pushed]}}
        if not isinstance(config, (bytes, Pushed)):
            config = json.dumps(config).encode()
        config_kind = config_media_type or (DOCKER_CONFIG if docker else OCI_CONFIG)
        made = self._layer(repository, config, config_kind)
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": made.descriptor(),
            "layers": [layer.descriptor() for layer in pushed],
            **more,
        }
        manifest = self.manifest(repository, document, tag)
        return Pushed(manifest.digest, manifest.data, manifest.media_type, made, tuple(pushed))

    def _layer(self, repository: str, layer: bytes | Pushed, media_type: str) -> Pushed:
        if isinstance(layer, Pushed):
            self.mount(repository, layer.digest)
            return layer
        return self.layer(repository, layer, media_type)

    def index(
        self,
        repository: str,
        tag: str | None = None,
        children: Iterable[tuple[Pushed, Mapping[str, object] | None]] = (),
        *,
        docker: bool = False,
        **more: object,
    ) -> Pushed:
        """Push an index of manifests, each with its platform. `more` are further members of the index."""
        descriptors = [
            child.descriptor(platform=dict(platform)) if platform else child.descriptor()
            for child, platform in children
        ]
        media_type = DOCKER_LIST if docker else OCI_INDEX
        return self.manifest(
            repository, {"schemaVersion": 2, "mediaType": media_type, "manifests": descriptors, **more}, tag
        )

    def artifact(
        self,
        repository: str,
        tag: str | None = None,
        files: Mapping[str, bytes] = {},
        *,
        artifact_type: str = "application/vnd.example+type",
        subject: Pushed | None = None,
        **more: object,
    ) -> Pushed:
        """Push an artifact whose files have titles, with an empty config."""
        config = self.layer(repository, b"{}", OCI_EMPTY)
        pushed = [self.layer(repository, data, "application/octet-stream") for data in files.values()]
        document: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": config.descriptor(),
            "layers": [
                file.descriptor(annotations={"org.opencontainers.image.title": title})
                for title, file in zip(files, pushed, strict=True)
            ],
            **({"subject": subject.descriptor()} if subject else {}),
            **more,
        }
        manifest = self.manifest(repository, document, tag)
        return Pushed(manifest.digest, manifest.data, manifest.media_type, config, tuple(pushed))

    def schema1(
        self, repository: str, tag: str | None = None, layers: Sequence[bytes] = (b"layer",), signature: bytes = b""
    ) -> Pushed:
        """Push a manifest of schema 1, with a link to its signature where one is given."""
        pushed = tuple(self.layer(repository, layer, DOCKER_LAYER) for layer in layers)
        document = {
            "schemaVersion": 1,
            "name": repository,
            "tag": tag or "latest",
            "architecture": "amd64",
            "fsLayers": [{"blobSum": layer.digest} for layer in reversed(pushed)],
            "history": [{"v1Compatibility": "{}"} for _ in pushed],
        }
        manifest = self.manifest(repository, document, tag)
        if signature:
            signed = self.blob(signature)
            folder = self.revision_path(repository, manifest.digest).removesuffix("/link")
            self.write(f"{folder}/signatures/{signed.digest.replace(':', '/')}/link", signed.digest.encode())
        return Pushed(manifest.digest, manifest.data, manifest.media_type, None, pushed)

    # Tags and deletions

    def tag(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag mean a manifest. What it meant before stays below its `index`."""
        self.write(self.tag_index_path(repository, tag, digest), digest.encode())
        self.write(self.tag_path(repository, tag), digest.encode())

    def delete_tag(self, repository: str, tag: str) -> None:
        """Delete a tag, and its history with it, as the registry does."""
        self.remove_folder(f"{self._repository(repository)}/_manifests/tags/{tag}")

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest by its digest, as the API does: its link, and the tags that mean it now."""
        self.remove_folder(self.revision_path(repository, digest).removesuffix("/link"))
        tags = f"{self._repository(repository)}/_manifests/tags"
        for name in self.fs.ls(tags, detail=False) if self.fs.exists(tags) else ():
            tag = name.rpartition("/")[2]
            if self.fs.cat_file(self.tag_path(repository, tag)) == digest.encode():
                self.delete_tag(repository, tag)

    # What is left over, and damage

    def upload(
        self,
        repository: str,
        data: bytes | None = None,
        *,
        name: str | None = None,
        started_at: datetime | None = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        hashstates: Iterable[int] = (0,),
    ) -> str:
        """Leave an upload that was interrupted, and give its UUID. Without `started_at`, it was cancelled."""
        name = name or str(uuid.UUID(int=next(_numbers), version=4))
        folder = f"{self._repository(repository)}/_uploads/{name}"
        if started_at:
            self.write(f"{folder}/startedat", started_at.strftime("%Y-%m-%dT%H:%M:%SZ").encode())
        for offset in hashstates:
            self.write(f"{folder}/hashstates/{self.algorithm}/{offset}", b"sha\x03" + 104 * b"\0")
        if data is not None:
            self.write(f"{folder}/data", data)
        return name

    def lose_blob(self, digest: str) -> None:
        """Remove a blob that links still point at."""
        self.remove(self.blob_path(digest))

    def damage_blob(self, digest: str, data: bytes | None = None) -> None:
        """Change the bytes of a blob; by default one byte of the same length."""
        path = self.blob_path(digest)
        old = self.fs.cat_file(path)
        self.write(path, data if data is not None else bytes([old[0] ^ 1]) + old[1:])

    def files(self) -> dict[str, int]:
        """Give the size of every file below the root's place, `scheduler-state.json` included."""
        top = self.root.removesuffix(ROOT) or "/"
        found: dict[str, dict[str, Any]] = self.fs.find(top, detail=True)
        return {name: int(info["size"]) for name, info in found.items()}
