"""Each manifest of a registry read once, many at a time, with the manifests of its indexes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.errors import UnreadableManifestError
from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import Blob
from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.documents import MAX_BYTES
from registry_s3fs.registry.manifests import (
    MAX_ANNOTATION_CHARACTERS,
    MAX_NESTED,
    Manifest,
    Platform,
    is_manifest,
    parse_manifest,
)
from registry_s3fs.registry.parquet import joined
from registry_s3fs.registry.previous import Previous
from registry_s3fs.registry.progress import Progress, told
from registry_s3fs.registry.reading import File, raise_if_unreachable, read_files
from registry_s3fs.registry.schemas import NOT_READ, OTHER_DIGEST, SCHEMAS
from registry_s3fs.registry.tables import Rows

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MAX_TEXT = 2 * MAX_ANNOTATION_CHARACTERS
"""The most characters of annotations that an inventory keeps of one manifest and what it refers to. The rest is left
out: a manifest may have megabytes of them, and an inventory has all manifests in memory."""

_HASHES = frozenset(["sha256", "sha384", "sha512"])


class ManifestsRead(NamedTuple):
    """What some manifests say. Nothing in it depends on the other manifests of the registry."""

    manifests: pa.Table
    references: pa.Table
    stored: set[str]
    """The digests whose blobs are stored, by the listing."""
    gone: set[str]
    """Those of them whose blobs were listed, and are there no more."""
    children: set[str]
    """The digests of the manifests that they refer to."""
    platforms: dict[str, Platform]
    """What each of these runs on, as an index says."""


ReadManifests = Callable[[set[str], pa.Table, Progress], Iterable[ManifestsRead]]
"""What does as `read_manifests` does, with the filesystem and root that it has, in one part or several."""


def read_manifests(
    fs: AbstractFileSystem, root: str, wanted: Iterable[str], blobs: pa.Table, progress: Progress
) -> ManifestsRead:
    """Read manifests, each once.

    Args:
        fs: The filesystem.
        root: The registry's root in it.
        wanted: Their digests. Those whose blobs are not stored are left out.
        blobs: The table, of which digest and size are used.
        progress: What is told how far it is.
    """
    reading = _Reading()
    stored = _sizes(wanted, blobs)
    files: list[File] = [(Blob(digest).at(root), size) for digest, size in stored]
    found = zip(stored, (content for _, content in read_files(fs, files, MAX_BYTES)), strict=True)
    for (digest, size), content in told(progress, "manifests", found, len(stored)):
        raise_if_unreachable(content)
        reading.add(digest, size, content)
    return reading.result({digest for digest, _ in stored})


class _Reading:
    """Manifests on their way into tables."""

    def __init__(self) -> None:
        self._manifests = Rows("manifests")
        self._references = Rows("references")
        self._gone: set[str] = set()
        self._children: set[str] = set()
        self._platforms: dict[str, Platform] = {}

    def add(self, digest: str, size: int, content: bytes | OSError) -> None:
        """Add the bytes of a manifest, or why they are not read."""
        if isinstance(content, FileNotFoundError):
            self._gone.add(digest)
            return
        manifest, error = _parsed(digest, content)
        room = _Room()
        self._manifests.append(*_manifest_row(digest, size, room.of_manifest(manifest), error))
        counts: dict[str, int] = {}
        for role, named in manifest.references() if manifest else ():
            position = counts[role] = counts.get(role, -1) + 1
            kept = named._replace(annotations=room.kept(named.annotations)) if named.annotations else named
            texts = (named.media_type, kept.title, dict(kept.annotations) or None)
            self._references.append(digest, named.digest, role, position, named.size, *texts)
            if is_manifest(role, named.media_type):
                self._children.add(named.digest)
            if named.platform and role == "child":
                _add_platform(self._platforms, named.digest, named.platform)

    def result(self, stored: set[str]) -> ManifestsRead:
        """Return what was added."""
        tables = (self._manifests.table(), self._references.table())
        return ManifestsRead(*tables, stored, self._gone, self._children, self._platforms)


class _Room:
    """What is left of `MAX_TEXT` while a manifest becomes rows. Its own annotations come first."""

    def __init__(self) -> None:
        self._left = MAX_TEXT

    def of_manifest(self, manifest: Manifest | None) -> Manifest | None:
        """Return the manifest with those of its annotations that there is room for."""
        return manifest and manifest._replace(annotations=self.kept(manifest.annotations))

    def kept(self, annotations: Mapping[str, str]) -> dict[str, str]:
        """Return those annotations that there is room for."""
        kept = {}
        for name, text in annotations.items():
            if len(name) + len(text) <= self._left:
                self._left -= len(name) + len(text)
                kept[name] = text
        return kept


def _add_platform(platforms: dict[str, Platform], digest: str, platform: Platform) -> None:
    """Note what a manifest runs on. Where indexes differ, it is the same one whatever their order."""
    platforms[digest] = min(platforms.get(digest, platform), platform, key=str)


class Contents:
    """The manifests that were read, as rows of the tables ``manifests`` and ``references``.

    Args:
        read: What reads manifests.
        previous: What an earlier inventory knows.
        progress: What is told how far it is.
    """

    def __init__(self, read: ReadManifests, previous: Previous, progress: Progress) -> None:
        self.gone: set[str] = set()
        """The digests of blobs that were listed, and are there no more."""
        self._read_manifests = read
        self._previous = previous
        self._progress = progress
        self._found: list[tuple[pa.Table, pa.Table]] = []
        self._known: set[str] = set()
        self._seen: set[str] = set()
        self._platforms: dict[str, Platform] = {}

    def read(self, wanted: Iterable[str], blobs: pa.Table) -> None:
        """Read manifests that were not read yet, and those below their indexes, wherever their blobs are stored."""
        new = set(wanted) - self._seen
        for _ in range(MAX_NESTED):
            if not new:
                break
            self._seen |= new
            new = self._read(new, blobs) - self._seen

    def known(self) -> set[str]:
        """Return the digests of the manifests that the previous inventory had read."""
        return self._known

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Return the tables ``manifests`` and ``references``."""
        manifests = joined(SCHEMAS["manifests"], (manifests for manifests, _ in self._found))
        references = joined(SCHEMAS["references"], (references for _, references in self._found))
        return _with_platforms(manifests, self._platforms) if self._platforms else manifests, references

    def _read(self, wanted: set[str], blobs: pa.Table) -> set[str]:
        """Read manifests, and return the digests of the manifests that they refer to."""
        known, references = self._previous.manifests(wanted, blobs)
        self._found.append((known, references))
        self._known.update(known["digest"].to_pylist())
        children = {child for child, *kind in rows(references, "child", "role", "media_type") if is_manifest(*kind)}
        missing = wanted - self._known
        for part in self._read_manifests(wanted - self._known, blobs, self._progress):
            self._found.append((part.manifests, part.references))
            self.gone |= part.gone
            missing -= part.stored
            children |= part.children
            for digest, platform in part.platforms.items():
                _add_platform(self._platforms, digest, platform)
        self._seen -= missing
        return children


def _parsed(digest: str, content: bytes | OSError) -> tuple[Manifest | None, str | None]:
    if isinstance(content, OSError):
        return None, f"{NOT_READ}{content}"
    manifest, problem = _said(content)
    algorithm = digests.split(digest).algorithm
    if algorithm in _HASHES and (real := hashlib.new(algorithm, content).hexdigest()) != digest.partition(":")[2]:
        return manifest, f"{OTHER_DIGEST}{algorithm}:{real}" + (f"; {problem}" if problem else "")
    return manifest, problem


def _said(content: bytes) -> tuple[Manifest | None, str | None]:
    try:
        return parse_manifest(content), None
    except UnreadableManifestError as error:
        return None, str(error)


def _manifest_row(digest: str, size: int, manifest: Manifest | None, error: str | None) -> tuple[object, ...]:
    if manifest is None:
        return (digest, size, *(None,) * 13, error)
    return (
        digest,
        size,
        manifest.media_type,
        manifest.artifact_type,
        manifest.kind,
        manifest.config.digest if manifest.config else None,
        manifest.subject.digest if manifest.subject else None,
        *(None, None, None),  # what it runs on, which its index says, or its config
        len(manifest.children),
        len(manifest.layers),
        dict(manifest.annotations) or None,
        None,
        None,
        error,
    )


def _sizes(wanted: Iterable[str], blobs: pa.Table) -> list[tuple[str, int]]:
    """Return those of the digests that are stored, with the sizes of their blobs."""
    found = blobs.filter(pc.is_in(blobs["digest"], value_set=pa.array(sorted(wanted), pa.string())))
    return list(rows(found, "digest", "size"))


def _with_platforms(manifests: pa.Table, platforms: dict[str, Platform]) -> pa.Table:
    """Return the manifests with what each runs on, where the manifest's row does not say it."""
    for name in ("os", "architecture", "variant"):
        values = [
            value if value is not None or digest not in platforms else getattr(platforms[digest], name)
            for digest, value in rows(manifests, "digest", name)
        ]
        at = manifests.schema.get_field_index(name)
        manifests = manifests.set_column(at, manifests.schema.field(at), pa.array(values, pa.string()))
    return manifests
