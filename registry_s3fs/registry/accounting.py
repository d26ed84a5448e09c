"""What blobs weigh for repositories and tags, and what a deletion would free. Pure, on numbers instead of digests.

The closure of a manifest is the manifest, its config, its layers and its children's closures, each blob once. A
``subject`` points back, and is in no closure. The roots are the repositories' revisions, tagged or not.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from registry_s3fs.registry.manifests import MAX_NESTED

Node = TypeVar("Node", bound=Hashable)


class Root(NamedTuple):
    """A revision: a manifest that a repository has."""

    repository: str
    manifest: int


class Graph:
    """Blobs, each a number from 0, and which blobs each manifest refers to.

    Args:
        sizes: The bytes of each blob; 0 for one that is not stored.
        references: The config, layers and children of each manifest, without its subject.
    """

    def __init__(self, sizes: Sequence[int], references: Mapping[int, Sequence[int]]) -> None:
        self.sizes = sizes
        self.nested = {
            parent: nested for parent, children in references.items() if (nested := _among(children, references))
        }
        """Of each manifest that refers to manifests, these, each once."""
        self._references = references
        self._closure_bytes: dict[int, int] = {}
        self._cut: set[int] = set()

    def direct(self, manifest: int) -> set[int]:
        """Return a manifest and what it refers to: what the collector of 2.8 marks for it."""
        return {manifest, *self._references.get(manifest, ())}

    def closure(self, manifest: int) -> set[int]:
        """Return the closure of a manifest, through `MAX_NESTED` levels of indexes.

        >>> sorted(Graph([1, 1, 1, 1], {0: [1], 1: [2, 3]}).closure(0))
        [0, 1, 2, 3]
        """
        found = self.direct(manifest)
        if manifest not in self.nested:
            return found
        level, seen = {manifest}, {manifest}
        for _ in range(MAX_NESTED):
            level = self._below(level) - seen
            if not level:
                return found
            seen |= level
            for child in level:
                found.update(self._references[child])
        if self._below(level) - seen:
            self._cut.add(manifest)
        return found

    def _below(self, manifests: Iterable[int]) -> set[int]:
        return {child for manifest in manifests for child in self.nested.get(manifest, ())}

    def cut(self) -> set[int]:
        """Return the manifests whose closures were cut, without those below others of them."""
        return self._cut.difference(child for manifest in self._cut for child in self.nested[manifest])

    def closure_of_all(self, manifests: Iterable[int]) -> set[int]:
        """Return the union of the closures of many manifests, in the time of one walk."""
        found = reached(manifests, self.nested)
        return found.union(*(self._references.get(manifest, ()) for manifest in found))

    def closure_bytes(self, manifest: int) -> int:
        """Return the bytes of a manifest's closure. They are counted once for each manifest."""
        known = self._closure_bytes.get(manifest)
        if known is None:
            known = self._closure_bytes[manifest] = self.bytes(self.closure(manifest))
        return known

    def parents(self) -> Sequence[int]:
        """Return how many manifests refer to each blob themselves."""
        return counted(self._references.values(), len(self.sizes))

    def bytes(self, blobs: Iterable[int]) -> int:
        """Return the sum of the blobs' sizes."""
        return sum(map(self.sizes.__getitem__, blobs))


def _among(children: Iterable[int], references: Mapping[int, Sequence[int]]) -> list[int]:
    return list(dict.fromkeys(child for child in children if references.get(child)))


def reached(
    starts: Iterable[Node], following: Mapping[Node, Sequence[Node]], without: Collection[Node] = frozenset()
) -> set[Node]:
    """Return the starts, all that follows them, and so on, but not through some. Each is met once.

    >>> sorted(reached([0], {0: [1], 1: [0, 2], 3: [4]}))
    [0, 1, 2]
    """
    pending = list(starts)
    seen = set(pending)
    while pending:
        new = [each for each in following.get(pending.pop(), ()) if each not in seen and each not in without]
        seen.update(new)
        pending += new
    return seen


class Weights(NamedTuple):
    """What the closures of one repository's revisions weigh, in bytes."""

    distinct: int
    """Each blob once."""
    unique: int
    """What no other repository has."""
    shared: int
    """What others have too."""
    fair: int
    """The repository's shares of all: those of all repositories add up to what is stored."""


class Usage(NamedTuple):
    """What all repositories weigh, and how many of them have each blob."""

    weights: dict[str, Weights]
    repositories: Sequence[int]


def usage(graph: Graph, revisions: Mapping[str, Collection[int]]) -> Usage:
    """Return what each repository weighs, by the manifests that it has.

    >>> graph = Graph([10, 3, 5], {0: [2], 1: [2]})
    >>> usage(graph, {"a": [0], "b": [1]}).weights["a"]
    Weights(distinct=15, unique=10, shared=5, fair=13)
    """
    names = sorted(revisions)
    members = {name: array("Q", graph.closure_of_all(revisions[name])) for name in names}
    users = counted(members.values(), len(graph.sizes))
    seen = array("Q", bytes(8 * len(graph.sizes)))
    return Usage({name: _weights(graph.sizes, members[name], users, seen) for name in names}, users)


def counted(sets: Iterable[Iterable[int]], length: int) -> array[int]:
    """Return in how many of the sets each number is."""
    counts = array("Q", bytes(8 * length))
    for numbers in sets:
        for number in numbers:
            counts[number] += 1
    return counts


class TagUsage(NamedTuple):
    """How many tags have each blob, and what each tag alone has."""

    tags: Sequence[int]
    """By the number of the blob."""
    unique_bytes: list[int]
    """By the tag, in the order in which they were given."""


def tag_usage(graph: Graph, tags: Sequence[int | None]) -> TagUsage:
    """Return what tags have of their own, by the manifests that they point to; None for a tag that points to none.

    >>> tag_usage(Graph([10, 3, 5], {0: [2], 1: [2]}), [0, 1, None]).unique_bytes
    [10, 3, 0]
    """
    counts = array("Q", bytes(8 * len(graph.sizes)))
    last = array("Q", bytes(8 * len(graph.sizes)))
    for manifest, times in Counter(manifest for manifest in tags if manifest is not None).items():
        for blob in graph.closure(manifest):
            counts[blob] += times
            last[blob] = manifest
    unique: Counter[int] = Counter()
    for blob, count in enumerate(counts):
        if count == 1:
            unique[last[blob]] += graph.sizes[blob]
    return TagUsage(counts, [0 if manifest is None else unique[manifest] for manifest in tags])


def _weights(sizes: Sequence[int], members: Iterable[int], users: Sequence[int], seen: array[int]) -> Weights:
    """Return the weights of a repository, and note in `seen` how many repositories have had their share of each blob.

    The shares of a blob are whole bytes, and what does not divide goes to the first repositories, a byte each.
    """
    distinct = unique = fair = 0
    for blob in members:
        size = sizes[blob]
        distinct += size
        if users[blob] == 1:
            unique += size
            fair += size
        else:
            share, rest = divmod(size, users[blob])
            fair += share + (seen[blob] < rest)
            seen[blob] += 1
    return Weights(distinct, unique, distinct - unique, fair)


class Freed(NamedTuple):
    """What a deletion would free: the numbers of the blobs, and their bytes."""

    blobs: frozenset[int]
    bytes: int


class Deletions:
    """What deleting manifests by API, and then collecting, would free. It is made once, and asked for many sets.

    Args:
        graph: The blobs and references.
        revisions: Every revision of every repository: the collector's roots.
        tagged: Those of them that a tag points to now: the roots with ``--delete-untagged``.
        registry: The generation whose collector runs. With ``--delete-untagged``, that of ``2.8`` does not descend
            into the children of an index, and so removes the layers of those that no tag points to. That of ``3``
            descends into those that are revisions of the same repository.
    """

    def __init__(
        self, graph: Graph, revisions: Collection[Root], tagged: Collection[Root], registry: str = "2.8"
    ) -> None:
        self._graph = graph
        every = frozenset(revisions)
        self._all = _Roots(graph, every, {})
        nested = {} if registry.startswith("2") else _nested(graph, every)
        self._tagged = _Roots(graph, every.intersection(tagged), nested)
        kept = zip(self._all.holders, self._tagged.holders, strict=True)
        self._only_untagged = frozenset(
            blob for blob, (by_all, by_tagged) in enumerate(kept) if by_all and not by_tagged
        )
        self._only_untagged_bytes = graph.bytes(self._only_untagged)

    def freed(self, deleted: Iterable[Root]) -> Freed:
        """Return what goes when these manifests are deleted by API, and the collector has run.

        Every revision that stays is a root, a child of an index as well. So a child that is deleted keeps its manifest
        through an index that stays, and loses its layers. It is a set's: the bytes of two deletions do not add up.
        Revisions that do not exist free nothing.
        """
        blobs = self._all.freed(frozenset(deleted))
        return Freed(blobs, self._graph.bytes(blobs))

    def freed_with_untagged(self, deleted: Iterable[Root]) -> Freed:
        """Return what goes when these manifests are deleted by API, and ``--delete-untagged`` has run.

        That includes what the collector removes of manifests that have no tag even now: for no deletions at all, the
        result is what ``--delete-untagged`` would free by itself.
        """
        blobs = self._tagged.freed(frozenset(deleted))
        return Freed(blobs | self._only_untagged, self._graph.bytes(blobs) + self._only_untagged_bytes)


def _nested(graph: Graph, revisions: frozenset[Root]) -> dict[Root, list[Root]]:
    """Return which revisions of its repository each index lists."""
    return {
        root: [child for each in graph.nested[root.manifest] if (child := Root(root.repository, each)) in revisions]
        for root in revisions
        if root.manifest in graph.nested
    }


class _Roots:
    """What some revisions keep: manifests, and blobs by them. To ask what goes without some takes one walk below these.

    Args:
        graph: The blobs and references.
        roots: The revisions.
        nested: Which revisions a revision keeps.
    """

    def __init__(self, graph: Graph, roots: frozenset[Root], nested: Mapping[Root, Sequence[Root]]) -> None:
        self._graph = graph
        self._roots = roots
        self._nested = nested
        self._kept = reached(roots, nested)
        self._parents = self._counted_parents(self._kept)
        self.holders = counted((graph.direct(root.manifest) for root in self._kept), len(graph.sizes))
        """How many of the revisions that are kept keep each blob."""

    def freed(self, deleted: frozenset[Root]) -> frozenset[int]:
        """Return the blobs that nothing keeps without these revisions."""
        below = reached(self._kept & deleted, self._nested)
        inner = self._counted_parents(below)
        roots_or_children = (each for each in below if each in self._roots or self._parents[each] > inner[each])
        staying = reached((each for each in roots_or_children if each not in deleted), self._nested, deleted)
        lost = Counter(blob for each in below - staying for blob in self._graph.direct(each.manifest))
        return frozenset(blob for blob, count in lost.items() if count == self.holders[blob])

    def _counted_parents(self, revisions: Iterable[Root]) -> Counter[Root]:
        return Counter(child for revision in revisions for child in self._nested.get(revision, ()))
