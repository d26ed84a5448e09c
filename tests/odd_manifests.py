"""Manifests that the registry's collector reads in its own way, and what each generation takes from them."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from registry_s3fs.registry.garbage.contents import Reading
from registry_s3fs.registry.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST

CONTENTS = [b"blob %d" % number for number in range(4)]
"""What the blobs hold that the manifests refer to. They do not refer to the last one."""
CONFIG, BLOB, OTHER = (f"sha256:{hashlib.sha256(data).hexdigest()}" for data in CONTENTS[:3])
IMAGE, NO_CONFIG, NO_LAYER = Reading((CONFIG, BLOB)), Reading(("", BLOB)), Reading((CONFIG, ""))
INDEX, LAYER, SAME_AND_NONE = Reading(children=(BLOB,)), Reading((BLOB,)), Reading((BLOB, ""))
ENDS = None


class OddManifest(NamedTuple):
    """A manifest, and what it refers to for each generation. None is what ends the run."""

    name: str
    data: bytes
    read_by_28: Reading | None
    read_by_3: Reading | None
    is_refused: bool = True
    """Whether `parse_manifest` refuses it."""


def _image(
    more: str = "", media_type: str = OCI_MANIFEST, config: str = f'{{"digest": "{CONFIG}"}}', layer: str = ""
) -> bytes:
    layers = f'[{{"digest": "{BLOB}"{layer}}}]'
    return f'{{"schemaVersion": 2, "mediaType": "{media_type}", "config": {config}, "layers": {layers}{more}}}'.encode()


def _index(more: str = "", media_type: str = OCI_INDEX, child: str = "") -> bytes:
    text = f'{{"schemaVersion": 2, "mediaType": "{media_type}", "manifests": [{{"digest": "{BLOB}"{child}}}]{more}}}'
    return text.encode()


def _schema1(more: str = "") -> bytes:
    return f'{{"schemaVersion": 1, "name": "app", "fsLayers": [{{"blobSum": "{BLOB}"}}]{more}}}'.encode()


def _without_type(data: bytes) -> bytes:
    for media_type in (OCI_MANIFEST, OCI_INDEX):
        data = data.replace(f'"mediaType": "{media_type}", '.encode(), b"")
    return data


ALIKE = [
    ("null in annotations", _image(', "annotations": {"a": null}'), IMAGE),
    ("null in a layer's annotations", _image(layer=', "annotations": {"a": null}'), IMAGE),
    ("no config", _image(config="null"), NO_CONFIG),
    ("layers by another letter", _image().replace(b"layers", "layer\u017f".encode()), IMAGE),
    ("an image that is no index", _without_type(_image(', "manifests": null')), IMAGE),
]
"""What `parse_manifest` takes, too."""

REFUSED = [
    ("an empty config", _image(config="{}"), NO_CONFIG),
    ("a layer without a digest", _image().replace(BLOB.encode(), b""), NO_LAYER),
    ("a layer that is null", _image().replace(b'{"digest": "%s"}' % BLOB.encode(), b"null"), NO_LAYER),
    ("a long number", _image(f', "other": {"9" * 5000}'), IMAGE),
    ("a number beyond all", _image(', "other": [1e999, -1e999]'), IMAGE),
    ("2,000 levels", _image(f', "other": {"[" * 2000 + "]" * 2000}'), IMAGE),
    ("10,001 levels", _image(f', "other": {"[" * 10_000 + "]" * 10_000}'), ENDS),
    ("a negative size", _image(layer=', "size": -5'), IMAGE),
    ("a size of 64 bits and more", _image(layer=f', "size": {2**63}'), ENDS),
    ("a size that is no integer", _image(layer=', "size": 5.0'), ENDS),
    ("a long media type", _image(layer=f', "mediaType": "{"x" * 2000}"'), IMAGE),
    ("a subject that is none", _image(', "subject": "x"'), IMAGE),
    ("a type that is none", _image(', "artifactType": 1'), IMAGE),
    ("data in numbers", _image(layer=', "data": [97]'), IMAGE),
    ("annotations that are none", _image(', "annotations": {"a": 1}'), ENDS),
    ("the same of schema 2", _image(', "annotations": {"a": 1}', DOCKER_MANIFEST), IMAGE),
    ("the same of a list", _index(', "annotations": {"a": 1}', DOCKER_LIST), INDEX),
    ("URLs that are none", _image(layer=', "urls": "http://x"'), ENDS),
    ("features that are none", _index(child=', "platform": {"os.features": "x"}'), ENDS),
    ("a list's features that are none", _index("", DOCKER_LIST, ', "platform": {"features": 1}'), ENDS),
    ("layers twice", _image(f', "Layers": [{{"size": 1}}, {{"digest": "{OTHER}"}}]'), Reading((CONFIG, BLOB, OTHER))),
    ("an image with manifests", _image(f', "manifests": [{{"digest": "{OTHER}"}}]'), IMAGE),
    ("an index with layers", _index(f', "layers": [{{"digest": "{OTHER}"}}]'), INDEX),
    ("an index by its manifests", _without_type(_index(', "layers": [{}]')), INDEX),
    ("an image with manifests that are none", _without_type(_image(', "manifests": "x"')), ENDS),
    ("an index of nothing", _without_type(_image(', "manifests": []')), Reading()),
    ("another version", _image().replace(b"2,", b"3,", 1), ENDS),
    ("no whole version", _image().replace(b"2,", b"2.0,", 1), ENDS),
    ("schema 1 with a number beyond all", _schema1(', "other": 1e999'), ENDS),
    ("schema 1 with a tag that is none", _schema1(', "tag": 1'), ENDS),
    ("schema 1 with a history that is none", _schema1(', "history": [{"v1Compatibility": {}}]'), ENDS),
    ("an annotation twice, and first none", _image(', "annotations": {"a": 1, "a": "x"}'), ENDS),
    ("schema 1 behind a line end", b"\n" + _schema1(), ENDS),
    ("no JSON", _image()[:-1], ENDS),
]
"""What `parse_manifest` refuses, and both generations read alike."""

ODD = [
    *(OddManifest(name, data, reading, reading, is_refused=False) for name, data, reading in ALIKE),
    *(OddManifest(name, data, reading, reading) for name, data, reading in REFUSED),
    OddManifest("a layer's type that is none", _image(layer=', "artifactType": 1'), IMAGE, ENDS),
    OddManifest("data that is no base64", _image(layer=', "data": "YQ"'), IMAGE, ENDS),
    OddManifest("an index's annotations that are none", _index(', "annotations": {"a": 1}'), INDEX, ENDS),
    OddManifest("a processor's features that are none", _index(child=', "platform": {"features": "x"}'), ENDS, INDEX),
    OddManifest("schema 1 with an empty layer", _schema1(', "fsLayers": [{}, {"blobSum": null}]'), SAME_AND_NONE, ENDS),
    OddManifest("schema 1 as an artifact", _schema1(f', "mediaType": "{OCI_ARTIFACT}"'), LAYER, ENDS, is_refused=False),
]
