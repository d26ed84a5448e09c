"""What the registry's own collector reads in a manifest, which is more than `parse_manifest` takes, and less. Pure.

It follows ``manifestStore.Get`` of distribution 2.8.2 and 3.0.0 and the types that it reads into: those of
``manifest/``, ``blobs.go`` and image-spec's ``descriptor.go``. Only what is odd needs it: of a manifest that
`parse_manifest` takes, both generations read the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from registry_s3fs.errors import UnreadableManifestError
from registry_s3fs.model.registry_layout import Generation
from registry_s3fs.registry.garbage.contents import Reading
from registry_s3fs.registry.go_json import BYTES, INTEGER, TEXT, TEXTS_BY_NAME, Type, decode
from registry_s3fs.registry.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

_Struct = dict[str, Type]
_VERSIONED: _Struct = {"schemaversion": INTEGER, "mediatype": TEXT}
_PLATFORM: _Struct = {
    "architecture": TEXT, "os": TEXT, "os.version": TEXT, "os.features": [TEXT], "variant": TEXT,
}  # fmt: skip
_DESCRIPTOR: _Struct = {
    "mediatype": TEXT, "size": INTEGER, "digest": TEXT, "urls": [TEXT], "annotations": TEXTS_BY_NAME,
    "platform": _PLATFORM,
}  # fmt: skip
_DESCRIPTORS: dict[Generation, _Struct] = {
    "2.8": _DESCRIPTOR,
    "3": {**_DESCRIPTOR, "data": BYTES, "artifacttype": TEXT},
}
_SCHEMA1: _Struct = {
    **_VERSIONED, "name": TEXT, "tag": TEXT, "architecture": TEXT, "fslayers": [{"blobsum": TEXT}],
    "history": [{"v1compatibility": TEXT}],
}  # fmt: skip


def read(data: bytes, generation: Generation) -> Reading:
    """Return what a manifest refers to, as the collector reads it.

    >>> data = b'{"schemaVersion": 2, "config": {}, "layers": [{"digest": "sha256:a", "size": -5}]}'
    >>> read(data, "2.8")
    Reading(files=('', 'sha256:a'), children=())

    Raises:
        UnreadableManifestError: The collector ends at it.
    """
    try:
        return _read(data, generation)
    except ValueError as error:
        raise UnreadableManifestError(f"the registry cannot read it: {error}") from None


def _read(data: bytes, generation: Generation) -> Reading:
    versioned = decode(data, _VERSIONED) or {}
    version, media_type = versioned.get("schemaversion") or 0, versioned.get("mediatype") or ""
    if version == 1 and generation == "2.8":
        return _schema1(data)
    if version != 2:
        raise ValueError(f"it has no manifests of schemaVersion {version}")
    if media_type == DOCKER_MANIFEST:
        return _image(data, generation, {})
    if media_type == OCI_MANIFEST:
        return _image(data, generation, {"annotations": TEXTS_BY_NAME})
    if media_type in (DOCKER_LIST, OCI_INDEX):
        return _index(data, generation, media_type) or Reading()
    if media_type:
        raise ValueError(f"it has no manifests of the media type {media_type[:100]}")
    # It is read as an index first, and what cannot be read as one ends the collector with a panic.
    return _index(data, generation, OCI_INDEX) or _image(data, generation, {"annotations": TEXTS_BY_NAME})


def _index(data: bytes, generation: Generation, media_type: str) -> Reading | None:
    """Read an index, or return None for one without a list of manifests. 2.8 reads both kinds alike."""
    is_list = generation == "2.8" or media_type == DOCKER_LIST
    descriptor = _DESCRIPTORS[generation]
    if is_list:
        descriptor = {**descriptor, "platform": {**_PLATFORM, "features": [TEXT]}}
    more: _Struct = {} if is_list else {"annotations": TEXTS_BY_NAME}
    manifests = (decode(data, {**_VERSIONED, **more, "manifests": [descriptor]}) or {}).get("manifests")
    return None if manifests is None else Reading(children=_digests(manifests))


def _image(data: bytes, generation: Generation, more: _Struct) -> Reading:
    descriptor = _DESCRIPTORS[generation]
    found = decode(data, {**_VERSIONED, **more, "config": descriptor, "layers": [descriptor]}) or {}
    return Reading(_digests([found.get("config"), *(found.get("layers") or ())]))


def _schema1(data: bytes) -> Reading:
    """Read schema 1, which is read as values of any type first, for its signature."""
    found = decode(data, _SCHEMA1, floats=True) or {}
    return Reading(_digests(found.get("fslayers") or (), "blobsum"))


def _digests(structs: Iterable[dict[str, Any] | None], name: str = "digest") -> tuple[str, ...]:
    return tuple((each or {}).get(name) or "" for each in structs)
