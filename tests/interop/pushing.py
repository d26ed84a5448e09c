"""Pushes to a running registry: by skopeo, and by its API where skopeo has no way."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.images import OCI, Blob, Image
from testbed import servers
from testbed.servers import Registry

INDEX = f"{OCI}.index.v1+json"
OCTETS = "application/octet-stream"


def index(*children: Image, **more: Any) -> Image:
    """An index of images, one for each architecture; `blobs` are their manifests."""
    described = [
        {**child.manifest.descriptor, "platform": {"os": "linux", "architecture": architecture}}
        for child, architecture in zip(children, ("amd64", "arm64", "s390x"), strict=False)
    ]
    value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": described, **more}
    return Image(Blob(INDEX, json.dumps(value).encode()), [child.manifest for child in children])


def push(registry: Registry, folder: Path, name: str, content: Image, *more: Image) -> None:
    """Push an image by skopeo, or an index with its images, which are `more`."""
    layout = folder / name.replace("/", "-").replace(":", "-")
    for blob in (each for image in (content, *more) for each in (image.manifest, *image.blobs)):
        file = layout / "blobs" / blob.digest.replace(":", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(blob.data)
    named = {**content.manifest.descriptor, "annotations": {"org.opencontainers.image.ref.name": "pushed"}}
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    target = registry.reference(name)
    servers.skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{layout}:pushed", target)


def put_blob(registry: Registry, repository: str, blob: Blob) -> None:
    """Push a blob by the API, in one piece."""
    url = begin(registry, repository)
    parts = urllib.parse.urlsplit(url)
    query = urllib.parse.urlencode({**dict(urllib.parse.parse_qsl(parts.query)), "digest": blob.digest})
    status, _, body = registry.request("PUT", f"{parts.path}?{query}", blob.data, Content_Type=OCTETS)
    assert status == 201, body


def put_manifest(registry: Registry, repository: str, content: Image, reference: str | None = None) -> None:
    """Push a manifest by the API, by its digest or as a tag. Its blobs are pushed before."""
    for blob in content.blobs:
        if not blob.media_type.endswith("manifest.v1+json"):
            put_blob(registry, repository, blob)
    url = f"/v2/{repository}/manifests/{reference or content.manifest.digest}"
    status, _, body = registry.request("PUT", url, content.manifest.data, Content_Type=content.manifest.media_type)
    assert status == 201, body


def begin(registry: Registry, repository: str, data: bytes = b"") -> str:
    """Begin an upload by the API, with some bytes, and leave it; gives the URL to go on with."""
    status, headers, body = registry.request("POST", f"/v2/{repository}/blobs/uploads/")
    assert status == 202, body
    if data:
        status, headers, body = registry.request("PATCH", str(headers["Location"]), data, Content_Type=OCTETS)
        assert status == 202, body
    return str(headers["Location"])


def mount(registry: Registry, repository: str, digest: str, source: str) -> None:
    """Mount a blob of another repository."""
    query = urllib.parse.urlencode({"mount": digest, "from": source})
    status, _, body = registry.request("POST", f"/v2/{repository}/blobs/uploads/?{query}")
    assert status == 201, body


def delete(registry: Registry, repository: str, digest: str) -> None:
    """Delete a manifest by its digest, and the tags that mean it."""
    status, _, body = registry.request("DELETE", f"/v2/{repository}/manifests/{digest}")
    assert status == 202, body


def tags(registry: Registry, repository: str) -> Sequence[str]:
    """The tags that the API tells."""
    status, _, body = registry.request("GET", f"/v2/{repository}/tags/list")
    return sorted(json.loads(body).get("tags") or []) if status == 200 else []
