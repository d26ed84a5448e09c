"""``oci-layout`` and ``index.json``, the two files of a layout beside its blobs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from registry_s3fs.errors import LayoutError, UnreadableDocumentError, UnreadableManifestError
from registry_s3fs.registry import documents
from registry_s3fs.registry.documents import MAX_BYTES, Json, Members
from registry_s3fs.registry.manifests import OCI_INDEX, Descriptor, parse_manifest
from registry_s3fs.registry.oci_layout.names import REF_NAME

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'
"""The content of ``oci-layout``."""


class Entry(NamedTuple):
    """An image that is written into ``index.json``."""

    name: str
    digest: str
    size: int
    media_type: str
    artifact_type: str | None = None

    def as_json(self) -> Members:
        """Return the descriptor."""
        kind: Members = {"artifactType": self.artifact_type} if self.artifact_type else {}
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
            "annotations": {REF_NAME: self.name},
            **kind,
        }


def check_layout(data: bytes, where: str) -> None:
    """Raise the `LayoutError` for an ``oci-layout`` that is none, or of a version that is not known here.

    >>> check_layout(LAYOUT, "x")
    """
    try:
        version = documents.parse(data).get("imageLayoutVersion")
    except UnreadableDocumentError as error:
        raise _unreadable(LAYOUT_FILE, where, error) from error
    if not isinstance(version, str) or not version.startswith("1."):
        raise LayoutError(f"{where}: {LAYOUT_FILE} is of version {str(version)[:40]!r}; version 1 is read")


def parse_index(data: bytes, where: str) -> Sequence[Descriptor]:
    """Return the images that ``index.json`` names.

    Raises:
        LayoutError: It is no index, or one that is too large.
    """
    try:
        index = parse_manifest(data)
    except UnreadableManifestError as error:
        raise _unreadable(INDEX_FILE, where, error) from error
    if index.kind != "index":
        raise LayoutError(f"{where}: {INDEX_FILE} is a manifest of {index.kind} where an index has to be")
    return index.children


def _unreadable(name: str, where: str, error: ValueError) -> LayoutError:
    return LayoutError(f"{where}: {name} cannot be read: {error}")


def with_entries(old: bytes | None, entries: Iterable[Entry], where: str) -> bytes:
    """Return ``index.json`` with images added. One that has the name of a new one is replaced, as skopeo does.

    >>> first = with_entries(None, [Entry("a:1", "sha256:00", 3, "x")], "")
    >>> b"sha256:00" in with_entries(first, [Entry("a:1", "sha256:11", 3, "x")], "")
    False

    Raises:
        LayoutError: The one that is there cannot be read, or the new one is larger than any that tools read.
    """
    document: Members = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    if old is not None:
        parse_index(old, where)
        document = documents.parse(old)
    added = {entry.name: entry.as_json() for entry in entries}
    document["manifests"] = [each for each in _manifests(document) if _name(each) not in added] + list(added.values())
    data = json.dumps(document, separators=(",", ":")).encode()
    if len(data) > MAX_BYTES:
        raise LayoutError(f"{where}: {INDEX_FILE} would have over {MAX_BYTES} bytes; export to several layouts")
    return data


def _manifests(document: Members) -> list[Json]:
    found = document.get("manifests")
    return found if isinstance(found, list) else []


def _name(descriptor: Json) -> Json:
    annotations = descriptor.get("annotations") if isinstance(descriptor, dict) else None
    return annotations.get(REF_NAME) if isinstance(annotations, dict) else None
