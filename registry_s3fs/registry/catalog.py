"""What a registry holds, asked for piece by piece: repositories, tags, manifests, configs, layers, referrers.

A `Catalog` reads what it is asked for when it is asked, and keeps nothing. Over a whole registry, an inventory is
faster: it lists once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs import errors
from registry_s3fs.errors import (
    DigestMismatchError,
    FileTooLargeError,
    LinkError,
    NotAFileError,
    UnreadableManifestError,
)
from registry_s3fs.model import digests, names, references
from registry_s3fs.model.info import is_directory
from registry_s3fs.model.references import Reference, parse_reference
from registry_s3fs.model.registry_layout import (
    LINK_BYTES,
    ROOT,
    Blob,
    Generation,
    LayerLink,
    Layout,
    RevisionLink,
    TagLink,
)
from registry_s3fs.registry import documents, entries, folders, platforms, reading
from registry_s3fs.registry.documents import Members
from registry_s3fs.registry.manifests import MAX_NESTED_IN_IMAGE, Descriptor, Manifest, Platform, parse_manifest
from registry_s3fs.registry.verified import mismatch_of

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_FOLDERS: dict[Generation | None, frozenset[str]] = {
    "2.8": frozenset(["_layers"]),
    "3": frozenset(["_manifests"]),
    None: frozenset(["_layers", "_manifests"]),
}
"""The folders that make a repository, for each generation."""

_MOST_TAGS_COMPARED = 10_000
DAMAGE = (
    *(FileNotFoundError, NotAFileError, LinkError, FileTooLargeError),
    *(DigestMismatchError, UnreadableManifestError),
)
"""Errors that say what is stored, in place of why it could not be read."""


class StoredManifest(NamedTuple):
    """A manifest of a repository."""

    repository: str
    tag: str | None
    """The tag by which it was asked for."""
    digest: str
    data: bytes
    """Its bytes, which have the digest."""
    manifest: Manifest
    """What they say."""

    def __str__(self) -> str:
        return str(Reference(self.repository, self.tag, self.digest))


class Referrer(NamedTuple):
    """A manifest that says something about another one: a signature, an SBOM, an attestation."""

    digest: str
    artifact_type: str | None
    annotations: dict[str, str]
    tag: str | None
    """The tag that leads to it, or None where its own ``subject`` does."""


class Catalog:
    """A registry in any filesystem of fsspec.

    >>> import fsspec
    >>> from registry_s3fs.registry.catalog import Catalog
    >>> catalog = Catalog(fsspec.filesystem("memory"), root="/nothing/docker/registry/v2")
    >>> catalog.repositories()
    Traceback (most recent call last):
    registry_s3fs.errors.NotInRegistryError: [Errno 2] no registry is there; give the folder that has blobs and \
repositories as root: '/nothing/docker/registry/v2'

    Args:
        fs: The filesystem.
        root: The folder that has ``blobs`` and ``repositories``.
    """

    def __init__(self, fs: AbstractFileSystem, root: str = ROOT) -> None:
        self.fs = fs
        self.root = str(fs._strip_protocol(root))
        self._layout = Layout(self.root)

    def repositories(self, generation: Generation | None = None) -> list[str]:
        """Return the names of all repositories, sorted.

        Folders that hold nothing but interrupted uploads are none.

        Args:
            generation: Whose catalog is meant. 2.8 has the repositories with ``_layers``, 3 those with ``_manifests``.
                By default they are all returned.

        Raises:
            NotInRegistryError: There is no registry at the root.
            ValueError: It is another generation.
        """
        if generation not in _FOLDERS:
            raise ValueError(f"{generation!r} is no generation of the registry; give 2.8 or 3")
        makes_one = _FOLDERS[generation]
        listed = folders.walk(self.fs, self._layout.repositories)
        found = [name for name, inside in listed if name and not makes_one.isdisjoint(inside)]
        if not found:
            self._check_root()
        return sorted(found)

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, sorted. One whose link is missing is among them, as in the registry's API.

        Raises:
            NotInRegistryError: There is no such repository.
        """
        folder = TagLink(repository, "t").at(self.root).removesuffix("/t/current/link")
        try:
            infos = self.fs.ls(folder, detail=True)
        except FileNotFoundError:
            self._check_repository(repository)
            return []
        found = [info["name"].rstrip("/").rpartition("/")[2] for info in infos if is_directory(info)]
        return sorted(filter(names.is_tag, found))

    def tag_digests(self, repository: str) -> dict[str, str | OSError]:
        """Return the digest that each tag of a repository means.

        In its place stands a `LinkError` where the tag's link is broken, or a `FileNotFoundError` where it is missing.

        Raises:
            NotInRegistryError: There is no such repository.
        """
        tags = self.tags(repository)
        links = reading.read_links(self.fs, ((TagLink(repository, tag).at(self.root), None) for tag in tags))
        return {tag: digest for tag, (_, digest) in zip(tags, links, strict=True)}

    def revisions(self, repository: str) -> list[str]:
        """Return the digests of all manifests of a repository, tagged or not, sorted. Broken links are left out.

        Raises:
            NotInRegistryError: There is no such repository.
        """
        folder = f"{self._folder(repository)}/_manifests/revisions"
        return self._linked(repository, folder, RevisionLink)

    def layers(self, repository: str) -> list[str]:
        """Return the digests of all layers and configs that a repository has links to, sorted.

        Broken links are left out. Mounted layers are among them, and those that no manifest needs any more.

        Raises:
            NotInRegistryError: There is no such repository.
        """
        return self._linked(repository, f"{self._folder(repository)}/_layers", LayerLink)

    def manifests(self, repository: str) -> Iterator[tuple[str, StoredManifest | UnreadableManifestError | OSError]]:
        """Yield the digest of each manifest of a repository, tagged or not, and the manifest.

        In its place stands a `FileNotFoundError` where its blob is missing, a `DigestMismatchError` where it is
        damaged, and an `UnreadableManifestError` where it is none.

        Raises:
            NotInRegistryError: There is no such repository.
        """
        revisions = self.revisions(repository)
        paths = [(self.blob_path(digest), None) for digest in revisions]
        contents = reading.read_files(self.fs, paths, documents.MAX_BYTES)
        for digest, (path, data) in zip(revisions, contents, strict=True):
            yield digest, data if isinstance(data, OSError) else _stored(repository, None, digest, path, data)

    def resolve(self, reference: str | Reference, platform: str | Platform | None = None) -> StoredManifest:
        """Return the manifest that a reference names, such as ``team/app:1.2`` or ``team/app@sha256:...``.

        With a platform, return the one for it where the reference names an index.

        Raises:
            InvalidReferenceError: The reference names nothing that a registry could have.
            NotInRegistryError: There is no such repository, tag or manifest, or the manifest's bytes are missing.
            LinkError: A link is broken.
            DigestMismatchError: The manifest is damaged.
            UnreadableManifestError: What is there is no manifest.
            PlatformError: The index has nothing for the platform. The error lists those that it has.
        """
        named = parse_reference(reference) if isinstance(reference, str) else reference
        digest = named.digest or self._tag_digest(named.repository, named.tag or references.DEFAULT_TAG)
        found = self._read(named.repository, named.tag, digest)
        return self.for_platform(found, platform) if platform else found

    def for_platform(self, found: StoredManifest, platform: str | Platform | None = None) -> StoredManifest:
        """Return the manifest for a platform, of an index that was resolved. Another manifest is returned as it is.

        Args:
            found: The index.
            platform: The platform. It may be left out where the index has only one.

        Raises:
            PlatformError: The index has nothing for it, or has several and none is given. The error lists them.
            OSError: As `resolve`.
            ValueError: As `resolve`.
        """
        wanted = platforms.parse_platform(platform) if isinstance(platform, str) else platform
        for _ in range(MAX_NESTED_IN_IMAGE):
            if found.manifest.kind != "index":
                return found
            child = platforms.choose(found.manifest, wanted, str(found))
            found = self._read(found.repository, found.tag, stored_digest(child, found))
        raise UnreadableManifestError(f"{found} is an index within {MAX_NESTED_IN_IMAGE} others")

    def config(self, reference: str | Reference, platform: str | Platform | None = None) -> Members:
        """Return the config of an image: its platform, its history, its environment.

        Args:
            reference: The image, or an index of images.
            platform: Which image of an index. It may be left out where there is only one.

        Raises:
            UnreadableDocumentError: The config is no JSON object, or too large.
            OSError: As `resolve`.
            ValueError: As `resolve`, or the manifest has no config.
        """
        found = self.for_platform(self.resolve(reference), platform)
        config = found.manifest.config
        if not config:
            raise UnreadableManifestError(f"{found} is a manifest of {found.manifest.kind}, which has no config")
        return documents.parse(self._read_blob(stored_digest(config, found)))

    def referrers(self, reference: str | Reference, artifact_type: str | None = None) -> list[Referrer]:
        """Return the manifests that say something about another one, sorted by digest.

        These are the manifests of the repository whose ``subject`` it is, those in the index at its fallback tag
        (``sha256-<hex>``), and those at tags that are made of its digest, as cosign's are (``sha256-<hex>.sig``).
        Manifests of the repository that are missing or damaged are left out: what they refer to is not known. The
        one referred to need not exist where the reference has a digest.

        Args:
            reference: The manifest that they refer to.
            artifact_type: Only those of this type.

        Raises:
            NotInRegistryError: There is no such repository or tag.
        """
        named = parse_reference(reference) if isinstance(reference, str) else reference
        digest = named.digest or self._tag_digest(named.repository, named.tag or references.DEFAULT_TAG)
        found = {each.digest: each for each in self._at_tags(named.repository, digest)}
        for stored in self._readable(named.repository):
            subject = stored.manifest.subject
            if subject and subject.digest == digest:
                found[stored.digest] = _referrer(stored, None)
        return [found[each] for each in sorted(found) if artifact_type in (None, found[each].artifact_type)]

    def blob_path(self, digest: str) -> str:
        """Return the path of a blob's bytes in the filesystem.

        Raises:
            ValueError: It is no digest.
        """
        return Blob(digest).at(self.root)

    def _at_tags(self, repository: str, digest: str) -> Iterator[Referrer]:
        """Yield the referrers of a digest that tags made of it lead to."""
        for tag in self.tags(repository):
            if references.digest_of_tag(tag) != digest:
                continue
            try:
                stored = self.resolve(Reference(repository, tag, None))
            except DAMAGE:
                continue
            if stored.manifest.kind == "index" and tag == references.fallback_tag(digest):
                for child in stored.manifest.children:
                    yield Referrer(child.digest, child.artifact_type, dict(child.annotations), tag)
            else:
                yield _referrer(stored, tag)

    def _readable(self, repository: str) -> Iterator[StoredManifest]:
        for _, stored in self.manifests(repository):
            if isinstance(stored, StoredManifest):
                yield stored
            elif not isinstance(stored, DAMAGE):
                raise stored

    def _tag_digest(self, repository: str, tag: str) -> str:
        path = TagLink(repository, tag).at(self.root)
        [(_, digest)] = reading.read_links(self.fs, [(path, None)])
        if isinstance(digest, FileNotFoundError):
            raise errors.not_in_registry(f"{repository} has no tag {tag!r}{self._similar_tags(repository, tag)}", path)
        if isinstance(digest, OSError):
            raise digest
        return digest

    def _similar_tags(self, repository: str, tag: str) -> str:
        similar = difflib.get_close_matches(tag, self.tags(repository)[:_MOST_TAGS_COMPARED], cutoff=0.5)
        return f"; similar tags: {', '.join(similar)}" if similar else ""

    def _read(self, repository: str, tag: str | None, digest: str) -> StoredManifest:
        """Read a manifest and the link by which the repository has it, side by side."""
        link = RevisionLink(repository, digest).at(self.root)
        wanted = [(link, None), (self.blob_path(digest), None)]
        (_, linked), (path, data) = reading.read_files(self.fs, wanted, documents.MAX_BYTES)
        if isinstance(linked, FileNotFoundError):
            self._check_repository(repository)
            what = f"tag {tag!r} means {digest}, which" if tag else digest
            raise errors.not_in_registry(f"{repository}: {what} is no manifest of this repository", link)
        target = linked if isinstance(linked, OSError) else reading.parse_link(link, linked)
        if isinstance(target, OSError):
            raise target
        if target != digest:  # an alias, whose text decides
            digest, path = target, self.blob_path(target)
            [(_, data)] = reading.read_files(self.fs, [(path, None)], documents.MAX_BYTES)
        if isinstance(data, FileNotFoundError):
            raise errors.not_in_registry(f"{repository}: the bytes of the manifest {digest} are missing", path)
        if isinstance(data, OSError):
            raise data
        return _raised(_stored(repository, tag, digest, path, data))

    def _read_blob(self, digest: str) -> bytes:
        path = self.blob_path(digest)
        [(_, data)] = reading.read_files(self.fs, [(path, None)], documents.MAX_BYTES)
        if isinstance(data, FileNotFoundError):
            raise errors.not_in_registry(f"the blob {digest} is missing", path)
        if isinstance(data, OSError):
            raise data
        mismatch = mismatch_of(digest, path, data)
        if mismatch:
            raise mismatch
        return data

    def _linked(self, repository: str, folder: str, kind: type[RevisionLink] | type[LayerLink]) -> list[str]:
        """Return the digests of the links below a folder. Their texts decide; most can be told without a read."""
        told, odd, is_empty = set(), [], True
        for each in chain.from_iterable(entries.listed(self.fs, folder)):
            is_empty = False
            file = self._layout.parse(each.path)
            if not isinstance(file, kind) or not each.is_file:
                continue
            if each.size == LINK_BYTES and file.digest.startswith("sha256:"):
                told.add(file.digest)
            else:
                odd.append((each.path, each.size))
        if is_empty:
            self._check_repository(repository)
        told.update(digest for _, digest in reading.read_links(self.fs, odd) if isinstance(digest, str))
        return sorted(told)

    def _folder(self, repository: str) -> str:
        return RevisionLink(repository, digests.EMPTY).at(self.root).partition("/_manifests/")[0]

    def _check_repository(self, repository: str) -> None:
        folder = self._folder(repository)
        if not any(self.fs.exists(f"{folder}/{name}") for name in sorted(_FOLDERS[None])):
            raise errors.not_in_registry(f"the registry has no repository {repository!r}", folder)

    def _check_root(self) -> None:
        if not self.fs.exists(self.root):
            text = "no registry is there; give the folder that has blobs and repositories as root"
            raise errors.not_in_registry(text, self.root)


def _stored(
    repository: str, tag: str | None, digest: str, path: str, data: bytes
) -> StoredManifest | UnreadableManifestError | DigestMismatchError:
    mismatch = mismatch_of(digest, path, data)
    if mismatch:
        return mismatch
    try:
        return StoredManifest(repository, tag, digest, data, parse_manifest(data))
    except UnreadableManifestError as error:
        return error


def _raised(stored: StoredManifest | UnreadableManifestError | DigestMismatchError) -> StoredManifest:
    if isinstance(stored, StoredManifest):
        return stored
    raise stored


def stored_digest(descriptor: Descriptor, parent: StoredManifest) -> str:
    """Return the digest of what a manifest names, which may be any text.

    Raises:
        UnreadableManifestError: No blob can have it.
    """
    if not digests.is_digest(descriptor.digest):
        raise UnreadableManifestError(
            f"{parent} names {descriptor.digest[:80]!r}, which no blob can have as its digest"
        )
    return descriptor.digest


def _referrer(stored: StoredManifest, tag: str | None) -> Referrer:
    return Referrer(stored.digest, stored.manifest.artifact_type, dict(stored.manifest.annotations), tag)
