"""Manifests: the bytes of one become a `Manifest`. Pure.

Read are Docker's schema 2 and manifest list, the OCI image manifest and image index, the OCI artifact manifest of
1.1-rc, and schema 1. As in the registry (``manifeststore.go``), ``schemaVersion`` and ``mediaType`` say which one it
is, and without a media type, ``manifests`` make an index. Names of members count whatever their case, as in Go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, cast

from registry_s3fs.errors import UnreadableManifestError
from registry_s3fs.registry import documents
from registry_s3fs.registry.documents import Duplicated, Json, Members
from registry_s3fs.registry.go_json import fold, is_base64

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA1_LAYER = "application/vnd.docker.container.image.rootfs.diff+x-gtar"

INDEXES = frozenset([DOCKER_LIST, OCI_INDEX])
IMAGES = frozenset([DOCKER_MANIFEST, OCI_MANIFEST])
MANIFEST_TYPES = INDEXES | IMAGES | {OCI_ARTIFACT, SCHEMA1, SCHEMA1_SIGNED}
IMAGE_CONFIGS = frozenset(
    ["application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"]
)
FOREIGN_LAYERS = frozenset(
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    ]
)
"""Media types of layers that clients may fetch from elsewhere, so a registry need not have them."""

TITLE = "org.opencontainers.image.title"
MODEL_PATH = "org.cncf.model.filepath"
_TITLES = (TITLE, MODEL_PATH)

_NOT_KEPT = frozenset(["urls", "data", "os.version", "os.features", "features"])
"""Members of which only the types count, as the registry reads them."""

SCHEMA1_BEGINS = "a manifest of schema 1 must begin with {, as its signature counts bytes from there"

MAX_NAME_CHARACTERS = 1024
"""The longest digest, media type or word of a platform, and the longest name of an annotation."""
MAX_ANNOTATION_CHARACTERS = 64 * 1024
MAX_ANNOTATIONS = 1000
_MAX_SIZE = 2**63 - 1
MAX_NESTED = 100
"""The most indexes within indexes that the closure of one manifest is followed through. Without a bound, closures of
thousands of indexes, each within the next one, would take the square of their number. Real ones are nested once or
twice. Unions of closures, and what a deletion frees, have no bound: each of their manifests is met once."""
MAX_NESTED_IN_IMAGE = 8
"""The most indexes within indexes of an image that is asked for by its name, exported or imported."""


class Platform(NamedTuple):
    """What an image runs on."""

    os: str
    architecture: str
    variant: str | None = None

    def __str__(self) -> str:
        return "/".join(filter(None, self))


class Descriptor(NamedTuple):
    """What a manifest says of a blob that it refers to."""

    digest: str
    """As the manifest has it. It may be one that no blob can be stored under (`model.digests.is_digest`)."""
    size: int | None
    """The declared size in bytes. None in schema 1, which has no sizes."""
    media_type: str | None = None
    annotations: Mapping[str, str] = {}
    platform: Platform | None = None
    artifact_type: str | None = None

    @property
    def title(self) -> str | None:
        """The name of the file that the blob holds, by ``org.opencontainers.image.title`` or ModelPack's path."""
        return next((self.annotations[name] for name in _TITLES if name in self.annotations), None)

    @property
    def is_foreign(self) -> bool:
        """Whether clients may fetch it from elsewhere, so that the registry need not have it."""
        return self.media_type in FOREIGN_LAYERS


class Manifest(NamedTuple):
    """What a manifest says."""

    kind: str
    """``image``, ``index``, ``artifact`` or ``schema1``."""
    media_type: str
    artifact_type: str | None = None
    """Its ``artifactType``; else the media type of a config that is no image's."""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    """The layers of an image, from the base on, or the files of an artifact."""
    children: tuple[Descriptor, ...] = ()
    """The manifests of an index."""
    subject: Descriptor | None = None
    """The manifest that this one says something about. It is no part of this one."""
    annotations: Mapping[str, str] = {}

    def references(self) -> Iterator[tuple[str, Descriptor]]:
        """Yield the role (``config``, ``layer``, ``child``, ``subject``) and the descriptor of each reference.

        They come in the order of the columns ``role`` and ``position`` of the table ``references``.
        """
        if self.config:
            yield "config", self.config
        yield from (("layer", layer) for layer in self.layers)
        yield from (("child", child) for child in self.children)
        if self.subject:
            yield "subject", self.subject

    def parts(self) -> Iterator[tuple[Descriptor, bool]]:
        """Yield what it consists of, and whether each part is a manifest. A subject is no part of it."""
        for role, part in self.references():
            if role != "subject":
                yield part, is_manifest(role, part.media_type)


def parse_manifest(data: bytes) -> Manifest:
    """Return what a manifest says.

    >>> config = {"mediaType": DOCKER_MANIFEST, "digest": "sha256:" + 64 * "0", "size": 2}
    >>> import json
    >>> parse_manifest(json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config}).encode()).kind
    'artifact'
    >>> parse_manifest(b'{"schemaVersion": 3}')
    Traceback (most recent call last):
    registry_s3fs.errors.UnreadableManifestError: schemaVersion 3 with media type '' is no manifest's

    Raises:
        UnreadableManifestError: It is no manifest, or a member that is read comes twice, or has a value of another type
            than a version of the registry reads.
            An `UnreadableDocumentError` is its cause where it is too large, too deep or no JSON.
    """
    try:
        document = _Fields(documents.parse(data), "")
    except ValueError as error:
        raise UnreadableManifestError(str(error)) from error
    version = document.integer("schemaversion")
    media_type = document.text("mediatype") or ""
    if media_type == OCI_ARTIFACT:  # it has no schemaVersion
        return _artifact_manifest(document)
    if version == 1:
        if data[:1] != b"{":
            raise UnreadableManifestError(SCHEMA1_BEGINS)
        return _schema1(document, media_type)
    is_index = media_type in INDEXES or (not media_type and document.has("manifests"))
    if version != 2 or not (is_index or media_type in ("", DOCKER_MANIFEST, OCI_MANIFEST)):
        raise UnreadableManifestError(f"schemaVersion {version} with media type {media_type!r} is no manifest's")
    if media_type not in (DOCKER_MANIFEST, DOCKER_LIST):
        _check_not_both(document, is_index=is_index)
    return _index(document, media_type or OCI_INDEX) if is_index else _image(document, media_type or OCI_MANIFEST)


def is_manifest(role: str, media_type: str | None) -> bool:
    """Return whether a reference is to a manifest. Caches of builds are indexes of layers."""
    return role == "child" and (not media_type or media_type in MANIFEST_TYPES)


def _check_not_both(document: _Fields, *, is_index: bool) -> None:
    """Raise the error for an OCI manifest that is index and image at once (CVE-2021-41190), as 2.8 and 3.x do."""
    others = ("config", "layers") if is_index else ("manifests",)
    if any(document.has(name) for name in others):
        raise UnreadableManifestError("the manifest is an index and an image at once, which no client agrees on")


def _index(document: _Fields, media_type: str) -> Manifest:
    return Manifest(
        kind="index",
        media_type=media_type,
        artifact_type=document.text("artifacttype") or None,
        children=document.descriptors("manifests"),
        subject=document.descriptor("subject"),
        annotations=document.annotations(),
    )


def _image(document: _Fields, media_type: str) -> Manifest:
    config = document.descriptor("config")
    artifact_type = document.text("artifacttype") or None
    if not artifact_type and config and config.media_type and config.media_type not in IMAGE_CONFIGS:
        artifact_type = config.media_type
    return Manifest(
        kind="artifact" if artifact_type else "image",
        media_type=media_type,
        artifact_type=artifact_type,
        config=config,
        layers=document.descriptors("layers"),
        subject=document.descriptor("subject"),
        annotations=document.annotations(),
    )


def _artifact_manifest(document: _Fields) -> Manifest:
    return Manifest(
        kind="artifact",
        media_type=OCI_ARTIFACT,
        artifact_type=document.text("artifacttype") or None,
        layers=document.descriptors("blobs"),
        subject=document.descriptor("subject"),
        annotations=document.annotations(),
    )


def _schema1(document: _Fields, media_type: str) -> Manifest:
    """Return what a manifest of schema 1 says. Its layers begin with the topmost, and some come more than once."""
    for name in ("name", "tag", "architecture"):
        document.text(name)
    for layer in document.objects("history"):
        layer.check_text("v1compatibility")
    sums = [layer.digest("blobsum") for layer in document.objects("fslayers")]
    layers = [Descriptor(blob, None, SCHEMA1_LAYER) for blob in reversed(sums)]
    return Manifest(kind="schema1", media_type=media_type or SCHEMA1, layers=tuple(layers))


class _Fields:
    """The members of a JSON object, each read as the type that it must have. `null` is the same as absence."""

    def __init__(self, members: Members, where: str) -> None:
        self._members = {fold(name): value for name, value in members.items() if value is not None}
        self._where = where
        self._duplicates: frozenset[str] = frozenset()
        if len(self._members) != len(members) or isinstance(members, Duplicated):
            self._duplicates = _duplicates(members)

    def _get(self, name: str, absent: Json = None) -> Json:
        """Return a member, which must not come twice: clients differ in which value they take."""
        if name in self._duplicates:
            raise UnreadableManifestError(f"{self._where}{name} comes more than once, and must come once")
        return self._members.get(name, absent)

    def has(self, name: str) -> bool:
        return self._get(name) is not None

    def text(self, name: str) -> str | None:
        """Return a short text, such as a media type."""
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > MAX_NAME_CHARACTERS:
            raise self.refused(name, f"a text of at most {MAX_NAME_CHARACTERS} characters")
        return value

    def digest(self, name: str) -> str:
        """Return a short text that must be there."""
        value = self.text(name)
        if not value:
            raise self.refused(name, "a text that is not empty")
        return value

    def check_text(self, name: str) -> None:
        """Raise the error for what is no text, however long, and is not kept."""
        if not isinstance(self._get(name, ""), str):
            raise self.refused(name, "a text")

    def integer(self, name: str) -> int | None:
        """Return a number that is not negative."""
        value = self._get(name)
        if value is None:
            return None
        if type(value) is not int or not 0 <= value <= _MAX_SIZE:
            raise self.refused(name, "a whole number from 0 to 2^63 - 1")
        return value

    def object(self, name: str) -> _Fields | None:
        value = self._get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.refused(name, "an object")
        return _Fields(value, f"{self._where}{name}.")

    def objects(self, name: str) -> list[_Fields]:
        value = self._get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.refused(name, "a list of objects")
        return [_Fields(cast("Members", each), f"{self._where}{name}[{at}].") for at, each in enumerate(value)]

    def check_texts(self, *names: str) -> None:
        """Raise the error for what is no list of texts, and is not kept."""
        for name in names:
            value = self._get(name, [])
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise self.refused(name, "a list of texts")

    def check_base64(self, name: str) -> None:
        """Raise the error for what is no base64, and is not kept."""
        value = self._get(name, "")
        if not isinstance(value, str) or not is_base64(value):
            raise self.refused(name, "a text of base64")

    def descriptor(self, name: str) -> Descriptor | None:
        found = self.object(name)
        return found.as_descriptor() if found else None

    def descriptors(self, name: str) -> tuple[Descriptor, ...]:
        return tuple(each.as_descriptor() for each in self.objects(name))

    def as_descriptor(self) -> Descriptor:
        digest = self.digest("digest")
        platform = self.object("platform")
        if self._duplicates or self._members.keys() & _NOT_KEPT:
            self.check_texts("urls")
            self.check_base64("data")
        return Descriptor(
            digest,
            self.integer("size"),
            self.text("mediatype"),
            self.annotations(),
            platform.as_platform() if platform else None,
            self.text("artifacttype"),
        )

    def as_platform(self) -> Platform:
        if self._duplicates or self._members.keys() & _NOT_KEPT:
            self.text("os.version")
            self.check_texts("os.features", "features")
        return Platform(self.text("os") or "", self.text("architecture") or "", self.text("variant") or None)

    def annotations(self) -> Mapping[str, str]:
        """Return the annotations, the first `MAX_ANNOTATIONS` of them. Texts that are too long are cut."""
        value = self._get("annotations")
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(text is None or isinstance(text, str) for _, text in _pairs(value)):
            raise self.refused("annotations", "an object of texts")
        items = list(cast("dict[str, str | None]", value).items())[:MAX_ANNOTATIONS]
        return {name[:MAX_NAME_CHARACTERS]: (text or "")[:MAX_ANNOTATION_CHARACTERS] for name, text in items}

    def refused(self, name: str, needed: str) -> UnreadableManifestError:
        found: Json = self._members.get(name)
        shown = repr(found)[:80] if not isinstance(found, (dict, list)) else f"a {type(found).__name__}"
        return UnreadableManifestError(f"{self._where}{name} must be {needed}, and is {shown}")


def _pairs(members: Members) -> Iterable[tuple[str, Json]]:
    """Return all members, also those that others of the same name hide."""
    return members.pairs if isinstance(members, Duplicated) else members.items()


def _duplicates(members: Members) -> frozenset[str]:
    """Return the names that come more than once, by exact name or in another case."""
    names = Counter(fold(name) for name, _ in _pairs(members))
    return frozenset(name for name, count in names.items() if count > 1)
