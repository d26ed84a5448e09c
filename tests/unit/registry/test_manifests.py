"""Manifests of every kind are read as the registry reads them; whatever else is a typed error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.errors import UnreadableDocumentError, UnreadableManifestError
from registry_s3fs.registry import manifests
from registry_s3fs.registry.manifests import Descriptor, Manifest, Platform, parse_manifest
from tests.registries import AMD64, ARM64, DOCKER_LAYER, MadeRegistry, Pushed

DIGEST = "sha256:" + 64 * "a"


def parse(**members: object) -> Manifest:
    """Parse a manifest of these members, of schema 2 if they do not say otherwise."""
    return parse_manifest(json.dumps({"schemaVersion": 2, **members}).encode())


def described(pushed: Pushed, **more: object) -> Descriptor:
    """Give the descriptor that is expected of a blob."""
    return Descriptor(pushed.digest, pushed.size, pushed.media_type)._replace(**more)


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_has_its_config_and_layers(docker: bool) -> None:
    """Docker's schema 2 and OCI's manifest alike."""
    pushed = MadeRegistry().image("app", layers=[b"one", b"two"], docker=docker)
    manifest = parse_manifest(pushed.data)
    assert (manifest.kind, manifest.media_type, manifest.artifact_type) == ("image", pushed.media_type, None)
    assert pushed.config
    assert manifest.config == described(pushed.config)
    assert manifest.layers == tuple(map(described, pushed.layers))
    assert (manifest.children, manifest.subject, manifest.annotations) == ((), None, {})


@pytest.mark.parametrize("docker", [False, True])
def test_an_index_has_children_with_platforms(docker: bool) -> None:
    """Docker's list and OCI's index alike; a child need not have a platform."""
    made = MadeRegistry()
    images = [made.image("app", layers=[bytes([n])], docker=docker) for n in range(3)]
    pushed = made.index("app", None, zip(images, [AMD64, ARM64, None], strict=True), docker=docker)
    manifest = parse_manifest(pushed.data)
    platforms = [Platform("linux", "amd64"), Platform("linux", "arm64", "v8"), None]
    assert (manifest.kind, manifest.media_type) == ("index", pushed.media_type)
    assert manifest.children == tuple(
        described(image, platform=platform) for image, platform in zip(images, platforms, strict=True)
    )
    assert list(map(str, platforms[:2])) == ["linux/amd64", "linux/arm64/v8"]


def test_an_artifact_has_a_type_files_and_a_subject() -> None:
    """By `artifactType`; the files have titles."""
    made = MadeRegistry()
    subject = made.image("app")
    pushed = made.artifact("app", None, {"a.json": b"{}", "b/c": b"c"}, subject=subject, annotations={"x": "y"})
    manifest = parse_manifest(pushed.data)
    assert (manifest.kind, manifest.artifact_type) == ("artifact", "application/vnd.example+type")
    assert manifest.subject == described(subject)
    assert [layer.title for layer in manifest.layers] == ["a.json", "b/c"]
    assert manifest.annotations == {"x": "y"}
    roles = [role for role, _ in manifest.references()]
    assert roles == ["config", "layer", "layer", "subject"]


def test_a_config_that_is_no_images_makes_an_artifact() -> None:
    """Its media type is the artifact's type, as with helm's charts; an index may have a type and stays one."""
    pushed = MadeRegistry().image("app", config_media_type="application/vnd.cncf.helm.config.v1+json")
    manifest = parse_manifest(pushed.data)
    assert (manifest.kind, manifest.artifact_type) == ("artifact", "application/vnd.cncf.helm.config.v1+json")
    index = parse(manifests=[], artifactType="application/x")
    assert (index.kind, index.artifact_type) == ("index", "application/x")


def test_the_artifact_manifest_of_a_former_draft_is_an_artifact() -> None:
    """It has blobs, and no schema version."""
    blob = {"digest": DIGEST, "size": 1, "mediaType": "text/plain"}
    document = {"mediaType": manifests.OCI_ARTIFACT, "artifactType": "a/b", "blobs": [blob], "subject": blob}
    found = parse_manifest(json.dumps(document).encode())
    described = Descriptor(DIGEST, 1, "text/plain")
    assert found == Manifest("artifact", manifests.OCI_ARTIFACT, "a/b", layers=(described,), subject=described)


def test_schema_1_is_recognised() -> None:
    """Its layers begin with the topmost in the bytes, and with the base in the value; no sizes are known."""
    pushed = MadeRegistry().schema1("app", layers=[b"base", b"top"])
    manifest = parse_manifest(pushed.data)
    assert (manifest.kind, manifest.media_type) == ("schema1", manifests.SCHEMA1)
    assert [(layer.digest, layer.size) for layer in manifest.layers] == [(each.digest, None) for each in pushed.layers]


def test_without_a_media_type_the_members_tell() -> None:
    """As in the registry: `manifests` make an index, all else an OCI manifest."""
    assert parse(manifests=[]).media_type == manifests.OCI_INDEX
    assert parse(layers=[], config={"digest": DIGEST}).media_type == manifests.OCI_MANIFEST


def test_names_of_members_count_in_any_case() -> None:
    """Go's decoder takes them so, and what it marks must not look like garbage."""
    found = parse_manifest(json.dumps({"SchemaVersion": 2, "LAYERS": [{"Digest": DIGEST, "SIZE": 3}]}).encode())
    assert found.layers == (Descriptor(DIGEST, 3),)


def test_null_is_absence() -> None:
    """As in Go."""
    assert parse(layers=None, config=None, annotations=None, subject=None) == Manifest("image", manifests.OCI_MANIFEST)


def test_a_member_that_comes_twice_is_refused_where_it_is_read() -> None:
    """The last value holds elsewhere, and in annotations, as everywhere in JSON."""
    twice = '{"schemaVersion": 2, "other": 1, "other": 2, "annotations": {"a": "x", "a": "y"}, "layers": []%s}'
    assert parse_manifest((twice % "").encode()).annotations == {"a": "y"}
    for surrogate in ("", ', "x": "\\ud800"'):
        with pytest.raises(UnreadableManifestError, match="layers comes more than once"):
            parse_manifest((twice % f', "layers": []{surrogate}').encode())
    with pytest.raises(UnreadableManifestError, match="annotations must be an object of texts"):
        parse_manifest(twice.replace('"x"', "1").replace("%s", "").encode())


def test_an_annotation_that_is_null_is_empty() -> None:
    """As in Go."""
    assert parse(annotations={"a": None, "b": "x"}).annotations == {"a": "", "b": "x"}


def test_a_layer_from_elsewhere_is_foreign() -> None:
    """The registry need not have it."""
    foreign = Descriptor(DIGEST, 1, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    assert foreign.is_foreign
    assert not foreign._replace(media_type=DOCKER_LAYER).is_foreign


def test_long_texts_of_annotations_are_cut() -> None:
    """Somebody else's text takes no more than its bound; a name that is too long in another place is an error."""
    found = parse(annotations={2000 * "n": 100_000 * "v", **{str(n): "" for n in range(1500)}})
    assert len(found.annotations) == manifests.MAX_ANNOTATIONS
    assert found.annotations[1024 * "n"] == 65536 * "v"


BAD: dict[str, dict[str, object]] = {
    "schemaVersion 3 with media type '' is no": {"schemaVersion": 3},
    "schemaVersion None with": {"schemaVersion": None},
    "schemaversion must be a whole number": {"schemaVersion": "2"},
    "media type 'text/html' is no": {"mediaType": "text/html"},
    "mediatype must be a text of at most": {"mediaType": 5},
    "mediatype must be a text of at most 1024": {"mediaType": 2000 * "a"},
    "layers must be a list of objects, and is a dict": {"layers": {}},
    "layers must be a list of objects, and is a list": {"layers": [1]},
    r"layers\[1\].digest must be a text that is not empty, and is None": {"layers": [{"digest": DIGEST}, {}]},
    r"layers\[0\].size must be a whole number from 0": {"layers": [{"digest": DIGEST, "size": -1}]},
    r"layers\[0\].size must be .*, and is 9223372036854775808": {"layers": [{"digest": DIGEST, "size": 2**63}]},
    r"layers\[0\].size must be .*, and is True": {"layers": [{"digest": DIGEST, "size": True}]},
    "config must be an object": {"config": "x"},
    "config.digest must be": {"config": {}},
    "annotations must be an object of texts": {"annotations": {"a": 1}},
    r"layers\[0\].urls must be a list of texts": {"layers": [{"digest": DIGEST, "urls": "http://x"}]},
    r"layers\[0\].urls must be a list": {"layers": [{"digest": DIGEST, "urls": [1]}]},
    r"config.data must be a text of base64, and is 'YQ'": {"config": {"digest": DIGEST, "data": "YQ"}},
    "config.platform.os.version must be a text": {"config": {"digest": DIGEST, "platform": {"os.version": 1}}},
    "config.platform.features must be a list": {"config": {"digest": DIGEST, "platform": {"features": "x"}}},
    "^layers comes more than once, and must come once": {"layers": [], "Layers": []},
    "^config.digest comes more than once": {"config": {"digest": DIGEST, "DIGEST": None}},
    r"^tag must be a text": {"schemaVersion": 1, "tag": 1},
    r"fslayers\[0\].blobsum must be a text that is not empty": {"schemaVersion": 1, "fsLayers": [{"blobSum": ""}]},
    r"history\[0\].v1compatibility must be a text": {"schemaVersion": 1, "history": [{"v1Compatibility": 1}]},
    r"manifests\[0\].platform.os must be": {"manifests": [{"digest": DIGEST, "platform": {"os": []}}]},
    "is an index and an image at once": {"manifests": [], "layers": []},
    "an index and an image at once": {"mediaType": manifests.OCI_MANIFEST, "layers": [], "manifests": []},
}


@pytest.mark.parametrize("message", BAD)
def test_what_the_registry_could_not_read_is_an_error_that_says_where(message: str) -> None:
    """The message names the member and what it should be."""
    with pytest.raises(UnreadableManifestError, match=message) as caught:
        parse(**BAD[message])
    assert isinstance(caught.value, ValueError)


def test_what_is_no_document_is_the_error_too() -> None:
    """Its cause says that the JSON is at fault."""
    for data in (b"", b"<html>", 10_000 * b'{"layers":', 100 * 1024 * 1024 * b" "):
        with pytest.raises(UnreadableManifestError) as caught:
            parse_manifest(data)
        assert isinstance(caught.value.__cause__, UnreadableDocumentError)


names = st.sampled_from(
    [
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "manifests",
        "blobs",
        "fsLayers",
        "subject",
        "digest",
        "size",
        "platform",
        "os",
        "annotations",
        "blobSum",
    ]
)
texts = st.sampled_from([manifests.OCI_INDEX, manifests.OCI_ARTIFACT, manifests.DOCKER_MANIFEST, DIGEST, "\ud800"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(names, values), st.sampled_from([1, 2]))
def test_any_document_is_a_manifest_or_the_error(document: dict[str, object], version: int) -> None:
    """No other exception comes, and whatever is read can be written as UTF-8."""
    try:
        manifest = parse_manifest(json.dumps({"schemaVersion": version, **document}).encode())
    except UnreadableManifestError:
        return
    repr(list(manifest.references())).encode()
