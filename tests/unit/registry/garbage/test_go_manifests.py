"""What a generation of the registry reads in an odd manifest. docker-registry's own are in ``tests/interop``."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from registry_s3fs.errors import UnreadableManifestError
from registry_s3fs.model.registry_layout import GENERATIONS, Generation
from registry_s3fs.registry.garbage.contents import Reading
from registry_s3fs.registry.garbage.from_tables import READABLE
from registry_s3fs.registry.garbage.go_manifests import read
from registry_s3fs.registry.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    IMAGES,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
    parse_manifest,
)
from tests.odd_manifests import BLOB, ODD, OddManifest


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_each_generation_reads_it_by_its_own_types(odd: OddManifest) -> None:
    """What one has a type for, the other may pass over."""
    for generation, expected in (("2.8", odd.read_by_28), ("3", odd.read_by_3)):
        assert read_or_none(odd.data, generation) == expected


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd.is_refused], ids=lambda odd: odd.name)
def test_it_is_refused_where_it_could_mislead(odd: OddManifest) -> None:
    """Everything but a collector has a typed error instead of a guess."""
    with pytest.raises(UnreadableManifestError):
        parse_manifest(odd.data)


def read_or_none(data: bytes, generation: Generation) -> Reading | None:
    """What is read, or None for what ends the run."""
    found = read(data)[generation]
    return found if isinstance(found, Reading) else None


NAMES = [
    *("schemaVersion", "mediaType", "config", "layers", "Layers", "manifests", "annotations", "subject", "name", "tag"),
    *("fsLayers", "history", "architecture", "artifactType", "other"),
]
DESCRIBING = [
    "digest",
    "Digest",
    "size",
    "mediaType",
    "urls",
    "annotations",
    "platform",
    "data",
    "artifactType",
    "other",
]
scalars = st.sampled_from(
    ["null", "1", "-1", "1.0", "1e999", "true", '""', '"YQ=="', '"x"', "[]", '["x"]', "{}", '{"a": null}']
)
platforms = st.lists(
    st.tuples(st.sampled_from(["os", "architecture", "variant", "os.version", "os.features", "features"]), scalars)
)


def an_object(members: list[tuple[str, str]]) -> str:
    """A JSON object of these members, of which some may come twice."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members) + "}"


def described() -> st.SearchStrategy[str]:
    """A descriptor, mostly a good one with something odd in it."""
    good = [("digest", f'"{BLOB}"'), ("size", "5"), ("mediaType", '"application/octet-stream"')]
    more = st.tuples(st.sampled_from(DESCRIBING), scalars) | st.tuples(st.just("platform"), platforms.map(an_object))
    return st.lists(more, max_size=2).map(lambda odd: an_object([*good, *odd])) | scalars


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A manifest, mostly a good one with something odd in it."""
    media_type = draw(st.sampled_from(["", DOCKER_MANIFEST, OCI_MANIFEST, DOCKER_LIST, OCI_INDEX]))
    descriptors = st.lists(described(), max_size=2).map(lambda each: f"[{', '.join(each)}]")
    lists = {"layers": descriptors, "manifests": descriptors, "config": described(), "subject": described()}
    found = [("schemaVersion", draw(st.sampled_from(["2", "2", "1"]))), ("mediaType", json.dumps(media_type))]
    wanted = ["manifests"] if media_type in (DOCKER_LIST, OCI_INDEX) else ["config", "layers"]
    for name in [*wanted, *draw(st.lists(st.sampled_from(NAMES), max_size=2))]:
        found.append((name, draw(lists.get(name, scalars))))
    return an_object(found).encode()


@given(documents())
def test_what_is_parsed_is_read_alike_by_both(data: bytes) -> None:
    """So that only what is not parsed needs to be read once more. No config is an empty digest, as in Go."""
    try:
        manifest = parse_manifest(data)
    except UnreadableManifestError:
        assume(False)
    if manifest.kind == "schema1":
        assert (read(data)["2.8"], read_or_none(data, "3")) == (reading(manifest), None)
    elif manifest.media_type in READABLE:
        assert list(read(data).values()) == [reading(manifest)] * 2


@given(documents(), st.sampled_from(GENERATIONS))
def test_any_document_is_read_or_the_error(data: bytes, generation: Generation) -> None:
    """No other exception comes, and digests can be written as UTF-8."""
    found = read_or_none(data, generation)
    assert found is None or all(digest.encode() is not None for digests in found for digest in digests)


def reading(manifest: Manifest) -> Reading:
    """What a collector takes from a manifest."""
    files = [each.digest for each in manifest.layers]
    if manifest.kind == "schema1":
        return Reading(once(reversed(files)))
    if manifest.media_type in IMAGES:
        files.insert(0, manifest.config.digest if manifest.config else "")
    return Reading(once(files), once(each.digest for each in manifest.children))


def once(digests: Iterable[str]) -> tuple[str, ...]:
    """Each of some digests where it comes first."""
    return tuple(dict.fromkeys(digests))
