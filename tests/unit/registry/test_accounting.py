"""What blobs weigh, and what a deletion frees: compared with a recount that is plain and slow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.registry.accounting import Deletions, Graph, Root, tag_usage, usage
from registry_s3fs.registry.manifests import MAX_NESTED

MANIFESTS = range(12)
BLOBS = 30


@st.composite
def registries(draw: st.DrawFn) -> tuple[list[int], dict[int, list[int]], list[Root], list[Root]]:
    """Sizes, references (of a manifest only to later ones, or to blobs), revisions, and those that have a tag."""
    sizes = draw(st.lists(st.integers(0, 1000), min_size=BLOBS, max_size=BLOBS))
    references = {
        manifest: draw(st.lists(st.integers(manifest + 1, BLOBS - 1), max_size=6))
        for manifest in MANIFESTS
        if draw(st.booleans())
    }
    root = st.builds(Root, st.sampled_from(["app", "app-x", "b/c"]), st.sampled_from(MANIFESTS))
    revisions = draw(st.lists(root, max_size=12, unique=True))
    tagged = [root for root in revisions if draw(st.booleans())]
    return sizes, references, revisions, tagged


def closure(references: Mapping[int, Sequence[int]], manifest: int) -> set[int]:
    return {manifest}.union(*(closure(references, child) for child in references.get(manifest, ())))


def union(references: Mapping[int, Sequence[int]], roots: Sequence[Root]) -> set[int]:
    return set().union(*(closure(references, root.manifest) for root in roots))


@given(registries())
def test_a_closure_has_everything_below_a_manifest(
    registry: tuple[list[int], dict[int, list[int]], object, object],
) -> None:
    """Children's children too, each blob once."""
    sizes, references, *_ = registry
    graph = Graph(sizes, references)
    for manifest in MANIFESTS:
        assert graph.closure(manifest) == closure(references, manifest)
    assert graph.closure_of_all(MANIFESTS) == set(MANIFESTS).union(*(closure(references, each) for each in MANIFESTS))


@pytest.mark.promise("Registry contents")
@given(registries())
def test_the_fair_shares_of_all_repositories_add_up_to_what_is_stored(
    registry: tuple[list[int], dict[int, list[int]], list[Root], object],
) -> None:
    """The `fair` bytes of all repositories add up, to the byte, to the blobs that any manifest keeps."""
    sizes, references, revisions, _ = registry
    by_name: dict[str, list[int]] = {"empty": []}
    for root in revisions:
        by_name.setdefault(root.repository, []).append(root.manifest)
    found = usage(Graph(sizes, references), by_name)
    kept = union(references, revisions)
    assert sum(weights.fair for weights in found.weights.values()) == sum(sizes[blob] for blob in kept)
    members = {name: union(references, [Root(name, each) for each in having]) for name, having in by_name.items()}
    for name, weights in found.weights.items():
        others = set().union(*(blobs for other, blobs in members.items() if other != name))
        assert weights.distinct == sum(sizes[blob] for blob in members[name])
        assert weights.unique == sum(sizes[blob] for blob in members[name] - others)
        assert weights.shared == weights.distinct - weights.unique
    for blob in range(BLOBS):
        assert found.repositories[blob] == sum(blob in blobs for blobs in members.values())


def test_bytes_that_do_not_divide_go_to_the_first_repositories_by_name() -> None:
    """Three repositories share 11 bytes as 4, 4 and 3."""
    found = usage(Graph([11], {}), {"c": [0], "a": [0], "b": [0]})
    assert [found.weights[name].fair for name in "abc"] == [4, 4, 3]


def direct(references: Mapping[int, Sequence[int]], roots: Sequence[Root]) -> set[int]:
    """What a collector marks that does not look into an index's children."""
    return {blob for root in roots for blob in [root.manifest, *references.get(root.manifest, ())]}


def through_revisions(
    references: Mapping[int, Sequence[int]], roots: Sequence[Root], revisions: Sequence[Root]
) -> set[int]:
    """What a collector marks that looks into children which are revisions of the same repository."""
    found: set[Root] = set()
    waiting = list(roots)
    while waiting:
        root = waiting.pop()
        if root not in found:
            found.add(root)
            children = (Root(root.repository, each) for each in references.get(root.manifest, ()))
            waiting += [each for each in children if each in revisions and each.manifest in references]
    return direct(references, sorted(found))


@pytest.mark.promise("Registry contents")
@given(registries(), st.data())
def test_what_a_deletion_frees_is_what_a_recount_says(
    registry: tuple[list[int], dict[int, list[int]], list[Root], list[Root]], data: st.DataObject
) -> None:
    """What a deletion would free is the difference of two collections, without and with `--delete-untagged`."""
    sizes, references, revisions, tagged = registry
    deleted = data.draw(st.lists(st.sampled_from([*revisions, Root("none", 0)]), unique=True))
    kept = [root for root in revisions if root not in deleted]
    before = direct(references, revisions)
    for generation in ("2.8", "3"):
        deletions = Deletions(Graph(sizes, references), revisions, tagged, generation)
        freed = deletions.freed(deleted)
        assert freed.blobs == before - direct(references, kept)
        assert freed.bytes == sum(sizes[blob] for blob in freed.blobs)
        freed = deletions.freed_with_untagged(deleted)
        roots = [root for root in kept if root in tagged]
        is_old = generation == "2.8"
        marked = direct(references, roots) if is_old else through_revisions(references, roots, kept)
        assert freed.blobs == before - marked
        assert freed.bytes == sum(sizes[blob] for blob in freed.blobs)


def test_a_manifest_that_another_repository_has_stays() -> None:
    """Deleting it in one repository frees nothing, in both everything."""
    deletions = Deletions(Graph([5, 7], {0: [1]}), roots := [Root("a", 0), Root("b", 0)], roots)
    assert deletions.freed([Root("a", 0)]).bytes == 0
    assert deletions.freed(roots).bytes == 12


def test_references_in_a_circle_end() -> None:
    """No digests make one, but a blob that was altered can."""
    graph = Graph([1, 1], {0: [1], 1: [0]})
    assert graph.closure(0) == graph.closure_of_all([1]) == {0, 1}


class CountedReferences(dict[int, "CountedList"]):
    """References that count how many of them are looked at."""

    steps = 0

    def __init__(self, references: Mapping[int, Sequence[int]]) -> None:
        super().__init__({manifest: CountedList(self, named) for manifest, named in references.items()})


class CountedList(list[int]):
    def __init__(self, owner: CountedReferences, values: Sequence[int]) -> None:
        super().__init__(values)
        self._owner = owner

    def __iter__(self) -> Iterator[int]:
        self._owner.steps += len(self)
        return super().__iter__()


def steps(depth: int) -> int:
    """How many references are looked at where each of so many indexes has the next one and a layer, and a tag."""
    references = CountedReferences({each: [each + 1, depth + each + 1] for each in range(depth)})
    graph = Graph([1] * (2 * depth + 1), references)
    manifests = range(depth)
    roots = [Root("app", each) for each in manifests]
    usage(graph, {"app": list(manifests)})
    tag_usage(graph, list(manifests))
    for each in manifests:
        graph.closure_bytes(each)
    deletions = Deletions(graph, roots, roots[:1])
    assert deletions.freed([Root("app", 0)]).blobs == {0, depth + 1}
    assert len(deletions.freed(roots).blobs) == 2 * depth + 1
    return references.steps


def test_the_work_grows_with_the_number_of_nested_indexes_and_not_with_its_square() -> None:
    """Four times as many indexes, each within another one, take four times as many steps."""
    assert steps(4000) < 4.5 * steps(1000)


def test_a_ladder_of_indexes_is_followed_once() -> None:
    """Where each of two indexes has both of the next two, the ways double with each level, and the indexes do not."""
    references = CountedReferences({each: [each // 2 * 2 + 2, each // 2 * 2 + 3] for each in range(180)})
    assert len(Graph([1] * 182, references).closure(0)) == 181
    assert references.steps < 4 * 180


def test_a_closure_ends_where_indexes_are_nested_too_deep() -> None:
    """The outermost of them is told; what a deletion frees is counted to the end."""
    deep = MAX_NESTED + 50
    graph = Graph([1] * (deep + 1), {each: [each + 1] for each in range(deep)})
    assert graph.closure(deep - MAX_NESTED) == set(range(deep - MAX_NESTED, deep + 1))
    assert graph.cut() == set()
    for each in range(deep):
        graph.closure_bytes(each)
    assert graph.cut() == {0}
    assert graph.closure_bytes(0) == MAX_NESTED + 2
    roots = [Root("app", each) for each in range(deep)]
    assert len(Deletions(graph, roots, []).freed(roots).blobs) == deep + 1


def test_tags_of_one_manifest_are_counted_with_one_walk() -> None:
    """None of its bytes is any tag's alone."""
    references = CountedReferences({0: [2], 1: [3]})
    found = tag_usage(Graph([10, 10, 3, 5], references), [*[0] * 1000, 1, None])
    assert list(found.tags) == [1000, 1, 1000, 1]
    assert found.unique_bytes == [*[0] * 1000, 15, 0]
    assert references.steps < 20
