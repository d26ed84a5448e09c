"""What the registry's own collector reads in a manifest, which is more than `parse_manifest` takes, and less. Pure.

It follows ``manifestStore.Get`` of distribution 2.8.2 and 3.0.0 and the types that it reads into: those of
``manifest/``, ``blobs.go`` and image-spec's ``descriptor.go``. Only what is odd needs it: of an image or an index
that `parse_manifest` takes, both generations read the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from registry_s3fs.model.registry_layout import GENERATIONS, Generation
from registry_s3fs.registry import go_json
from registry_s3fs.registry.garbage.contents import Reading
from registry_s3fs.registry.go_json import BYTES, INTEGER, TEXT, TEXTS_BY_NAME, Type, Value
from registry_s3fs.registry.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEXES,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1_BEGINS,
)

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
_ANNOTATIONS: _Struct = {"annotations": TEXTS_BY_NAME}
_SCHEMA1: _Struct = {
    **_VERSIONED, "name": TEXT, "tag": TEXT, "architecture": TEXT, "fslayers": [{"blobsum": TEXT}],
    "history": [{"v1compatibility": TEXT}],
}  # fmt: skip


def read(data: bytes) -> dict[Generation, Reading | str]:
    """Return what each generation of the collector takes from a manifest, or why it ends there.

    >>> data = b'{"schemaVersion": 2, "config": {}, "layers": [{"digest": "sha256:a", "size": -5}]}'
    >>> read(data)["2.8"]
    Reading(files=('', 'sha256:a'), children=())
    """
    try:
        document = go_json.parse(data)
    except ValueError as error:
        return dict.fromkeys(GENERATIONS, str(error))
    return {generation: _read_by(generation, document, data) for generation in GENERATIONS}


def _read_by(generation: Generation, document: Value, data: bytes) -> Reading | str:
    try:
        return _read(generation, document, data)
    except ValueError as error:
        return str(error)


def _read(generation: Generation, document: Value, data: bytes) -> Reading:
    versioned = go_json.read(document, _VERSIONED) or {}
    version, media_type = versioned.get("schemaversion") or 0, versioned.get("mediatype") or ""
    if version == 1 and generation == "2.8":
        return _schema1(data)
    if version != 2:
        raise ValueError(f"the registry knows no manifests of schemaVersion {version}")
    if media_type == DOCKER_MANIFEST:
        return _image(document, generation, {})
    if media_type == OCI_MANIFEST:
        return _image(document, generation, _ANNOTATIONS)
    if media_type in INDEXES:
        return _index(document, generation, media_type) or Reading()
    if media_type:
        raise ValueError(f"the registry knows no manifests of the media type {media_type[:100]}")
    # It is read as an index first, and what cannot be read as one ends the collector with a panic.
    return _index(document, generation, OCI_INDEX) or _image(document, generation, _ANNOTATIONS)


def _index(document: Value, generation: Generation, media_type: str) -> Reading | None:
    """Read an index, or return None for one without a list of manifests. 2.8 reads both kinds alike."""
    is_list = generation == "2.8" or media_type == DOCKER_LIST
    descriptor = _DESCRIPTORS[generation]
    if is_list:
        descriptor = {**descriptor, "platform": {**_PLATFORM, "features": [TEXT]}}
    more = {} if is_list else _ANNOTATIONS
    manifests = (go_json.read(document, {**_VERSIONED, **more, "manifests": [descriptor]}) or {}).get("manifests")
    return None if manifests is None else Reading(children=_digests(manifests))


def _image(document: Value, generation: Generation, more: _Struct) -> Reading:
    descriptor = _DESCRIPTORS[generation]
    found = go_json.read(document, {**_VERSIONED, **more, "config": descriptor, "layers": [descriptor]}) or {}
    return Reading(_digests([found.get("config"), *(found.get("layers") or ())]))


def _schema1(data: bytes) -> Reading:
    """Read schema 1: as values of any type first, for its signature, which counts its bytes from the first one on."""
    if data[:1] != b"{":
        raise ValueError(SCHEMA1_BEGINS)
    found = go_json.read(go_json.parse(data, floats=True), _SCHEMA1) or {}
    return Reading(_digests(found.get("fslayers") or (), "blobsum"))


def _digests(structs: Iterable[dict[str, Value] | None], name: str = "digest") -> tuple[str, ...]:
    return tuple(dict.fromkeys((each or {}).get(name) or "" for each in structs))
