"""What manifests need: read at the source, or where the destination alone has them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from registry_s3fs.errors import UnreadableManifestError
from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import Blob
from registry_s3fs.registry.documents import MAX_BYTES
from registry_s3fs.registry.manifests import MAX_NESTED, parse_manifest
from registry_s3fs.registry.progress import Progress, told
from registry_s3fs.registry.reading import raise_if_unreachable, read_files
from registry_s3fs.registry.sync.places import Place
from registry_s3fs.registry.verified import mismatch_of


class Fault(NamedTuple):
    """Why a manifest or blob cannot be had."""

    code: str
    detail: str


class Closures:
    """The closures of manifests, each of which is read once.

    Args:
        source: The registry that is copied.
        destination: Where it is copied to.
        blobs: The sizes of the source's blobs.
        there: The sizes of the destination's blobs.
    """

    def __init__(self, source: Place, destination: Place, blobs: Mapping[str, int], there: Mapping[str, int]) -> None:
        self._source = source
        self._destination = destination
        self._blobs = blobs
        self._there = there
        self._needs: dict[str, tuple[str, ...]] = {}
        """What each manifest names, without subjects, and without foreign layers that are not stored."""
        self._unreadable: dict[str, Fault] = {}
        """Why a manifest's closure is not known."""
        self.failed: dict[str, Fault] = {}
        """Why a blob was not copied."""

    def read(self, manifests: Iterable[str], progress: Progress) -> None:
        """Read manifests, and those of their indexes."""
        new = set(manifests) - self._needs.keys()
        for _ in range(MAX_NESTED):
            if not new:
                return
            new = self._read(new, progress) - self._needs.keys() - self._unreadable.keys()
        too_deep = Fault("manifest_unreadable", f"it is an index within over {MAX_NESTED} others")
        self._unreadable.update(dict.fromkeys(new, too_deep))

    def of(self, manifest: str) -> Iterator[str]:
        """Yield the digests of a manifest's closure, each once, and the manifest's first."""
        waiting, seen = [manifest], {manifest}
        while waiting:
            digest = waiting.pop()
            yield digest
            new = [each for each in self._needs.get(digest, ()) if each not in seen]
            seen.update(new)
            waiting += new

    def lacking(self, manifest: str) -> dict[str, Fault]:
        """Return what keeps a manifest from being whole at the destination, by digest."""
        found = ((digest, self._fault(digest)) for digest in self.of(manifest))
        return {digest: fault for digest, fault in found if fault}

    def is_manifest(self, digest: str) -> bool:
        """Return whether a digest is one of the manifests that were read."""
        return digest in self._needs

    def _fault(self, digest: str) -> Fault | None:
        fault = self.failed.get(digest) or self._unreadable.get(digest)
        if fault:
            return fault
        if digest in self._blobs or digest in self._there:
            return None
        return Fault("blob_missing", f"the blob {digest} is needed, and not stored at the source")

    def _read(self, wanted: set[str], progress: Progress) -> set[str]:
        """Read manifests, and return those that they name."""
        found: set[str] = set()
        for place, sizes in ((self._source, self._blobs), (self._destination, self._there)):
            here = sorted(digest for digest in wanted if digest in sizes)
            wanted = wanted.difference(here)
            files = ((Blob(digest).at(place.root), sizes[digest]) for digest in here)
            read = zip(here, read_files(place.fs, files, MAX_BYTES), strict=True)
            for digest, (path, content) in told(progress, "manifests", read, len(here)):
                raise_if_unreachable(content)
                found |= self._add(digest, path, content)
        return found

    def _add(self, digest: str, path: str, content: bytes | OSError) -> set[str]:
        if isinstance(content, OSError):
            is_gone = isinstance(content, FileNotFoundError)
            self._unreadable[digest] = Fault("blob_missing" if is_gone else "manifest_unreadable", str(content))
            return set()
        mismatch = mismatch_of(digest, path, content)
        if mismatch:
            self._unreadable[digest] = Fault("digest_mismatch", mismatch.strerror or str(mismatch))
            return set()
        try:
            needs, children = self._named(content)
        except UnreadableManifestError as error:
            self._unreadable[digest] = Fault("manifest_unreadable", f"the manifest {digest}: {error}")
            return set()
        self._needs[digest] = needs
        return children

    def _named(self, content: bytes) -> tuple[tuple[str, ...], set[str]]:
        """Return what a manifest needs, and which of that are manifests."""
        needs: dict[str, None] = {}
        children: set[str] = set()
        for named, is_child in parse_manifest(content).parts():
            if named.is_foreign and named.digest not in self._blobs:
                continue
            if not digests.is_digest(named.digest):
                raise UnreadableManifestError(f"it names {named.digest[:80]!r}, under which no blob can be stored")
            digest = sys.intern(named.digest)
            needs[digest] = None
            if is_child:
                children.add(digest)
        return tuple(needs), children
