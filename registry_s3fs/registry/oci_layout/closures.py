"""What images consist of: manifests are read level by level, from the images named down to all that they need. Pure.

Manifests are strangers'. Each is compared with its digest before it is believed; their number, nesting and references
are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from registry_s3fs.errors import LayoutError, UnreadableManifestError
from registry_s3fs.model import digests
from registry_s3fs.registry.manifests import MAX_NESTED_IN_IMAGE, Descriptor, Manifest, parse_manifest
from registry_s3fs.registry.verified import mismatch_of

MAX_REFERENCES = 1_000_000
"""The most manifests and references of all images together: about 300 MiB."""

ReadManifests = Callable[[list[str]], Iterable[tuple[str, bytes | OSError]]]
"""What yields the path of each manifest and its bytes, or why it cannot be read, in the order of the digests."""
Missing = Callable[[str, str], Exception]
"""What makes the error for something that is missing, of what it is and of the path where it would be."""


class Needed(NamedTuple):
    """A blob that a manifest needs, and that is no manifest."""

    digest: str
    is_foreign: bool
    """Whether clients may fetch it from elsewhere."""


class Node(NamedTuple):
    """What is kept of a manifest."""

    digest: str
    size: int
    kind: str
    media_type: str
    artifact_type: str | None
    subject: str | None
    children: tuple[str, ...]
    """The manifests of an index."""
    blobs: tuple[Needed, ...]


class Closures:
    """The manifests that images lead to.

    Args:
        read: Reads manifests.
        missing: Makes the error for a manifest that is missing.

    Attributes:
        nodes: Each manifest that was read, by its digest.
    """

    def __init__(self, read: ReadManifests, missing: Missing) -> None:
        self.nodes: dict[str, Node] = {}
        self._read = read
        self._missing = missing
        self._references = 0
        self._named_by: dict[str, str] = {}

    def add(self, roots: Iterable[str]) -> None:
        """Read manifests, and all that they lead to.

        Raises:
            DigestMismatchError: A manifest has other bytes than its digest says.
            UnreadableManifestError: What is there is no manifest.
            LayoutError: Indexes are nested too deep, or there are too many references.
            OSError: A manifest cannot be read. For one that is missing, it is `missing`'s error.
        """
        new = self._new(roots)
        for _ in range(MAX_NESTED_IN_IMAGE):
            if not new:
                return
            found = [self._node(digest, path, data) for digest, (path, data) in zip(new, self._read(new), strict=True)]
            self._named_by.update((child, node.digest) for node in found for child in node.children)
            new = self._new(child for node in found for child in node.children)
        if new:
            raise LayoutError(f"{new[0]} is a manifest in an index within {MAX_NESTED_IN_IMAGE} others")

    def below(self, root: str) -> Iterator[Node]:
        """Yield the manifests that one consists of, each once, children before their index."""
        seen: set[str] = set()

        def walk(digest: str) -> Iterator[Node]:
            if digest not in seen:
                seen.add(digest)
                for child in self.nodes[digest].children:
                    yield from walk(child)
                yield self.nodes[digest]

        return walk(root)

    def blobs(self) -> dict[str, bool]:
        """Return the blobs that are no manifests, and whether each of them may be missing."""
        found: dict[str, bool] = {}
        for node in self.nodes.values():
            for digest, is_foreign in node.blobs:
                found[digest] = is_foreign and found.get(digest, True)
        return found

    def weight(self, root: str, sizes: Mapping[str, int]) -> tuple[str, int, int]:
        """Return an image's kind, the number of its manifests, and the size of all that it consists of."""
        parts = list(self.below(root))
        digests_ = {node.digest for node in parts} | {blob for node in parts for blob, _ in node.blobs}
        return self.nodes[root].kind, len(parts), sum(sizes.get(digest, 0) for digest in digests_)

    def _new(self, wanted: Iterable[str]) -> list[str]:
        return [digest for digest in dict.fromkeys(wanted) if digest not in self.nodes]

    def _node(self, digest: str, path: str, data: bytes | OSError) -> Node:
        if isinstance(data, OSError):
            raise self._unreadable(digest, path, data)
        try:
            node = _node_of(digest, len(data), compared(digest, path, data))
        except UnreadableManifestError as error:
            raise UnreadableManifestError(f"{digest}: {error}") from error
        self._references += 1 + len(node.children) + len(node.blobs)
        if self._references > MAX_REFERENCES:
            raise LayoutError(f"the images have over {MAX_REFERENCES} references; take fewer of them at once")
        self.nodes[digest] = node
        return node

    def _unreadable(self, digest: str, path: str, error: OSError) -> Exception:
        if not isinstance(error, FileNotFoundError):
            return error
        parent = self._named_by.get(digest)
        return self._missing(f"the manifest {digest} is missing" + (f", which {parent} names" if parent else ""), path)


def compared(digest: str, path: str, data: bytes) -> Manifest:
    """Return a manifest whose bytes have its digest.

    Raises:
        DigestMismatchError: They have another one.
        UnreadableManifestError: They are no manifest, or cannot be compared.
    """
    if digests.hash_of(digest) is None:
        raise UnreadableManifestError("no bytes can be compared with a digest of this algorithm")
    mismatch = mismatch_of(digest, path, data)
    if mismatch:
        raise mismatch
    return parse_manifest(data)


def _node_of(digest: str, size: int, manifest: Manifest) -> Node:
    parts = list(manifest.parts())
    return Node(
        digest,
        size,
        manifest.kind,
        manifest.media_type,
        manifest.artifact_type,
        manifest.subject.digest if manifest.subject else None,
        tuple(checked(part) for part, is_child in parts if is_child),
        tuple(dict.fromkeys(Needed(checked(part), part.is_foreign) for part, is_child in parts if not is_child)),
    )


def checked(descriptor: Descriptor) -> str:
    """Return a descriptor's digest, which bytes can be compared with.

    Raises:
        UnreadableManifestError: It is no digest, or of an algorithm that Python does not have.
    """
    digest = descriptor.digest
    if not digests.is_digest(digest) or digests.hash_of(digest) is None:
        raise UnreadableManifestError(f"it names {digest[:80]!r}, with which no bytes can be compared")
    return digest
