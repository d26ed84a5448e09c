"""The columns of an inventory that are computed of the others: what is used, by how many, and what it weighs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.model.references import digest_of_tag
from registry_s3fs.registry.accounting import Usage, tag_usage, usage
from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.numbered import Registry
from registry_s3fs.registry.tables import Tables, table_of


class Weighed(NamedTuple):
    """The tables with all of their columns, and the numbers that they were computed on."""

    tables: Tables
    registry: Registry


def weigh(found: Tables, young_after: datetime) -> Weighed:
    """Return the tables with the columns that are computed of the others; ``repositories`` is made anew.

    Args:
        found: Tables whose computed columns are null.
        young_after: A blob that was written later is ``young``.
    """
    registry = Registry(
        found.blobs,
        found.references,
        found.revisions,
        found.tags,
        {name: getattr(found, name)["digest"] for name in ("manifests", "layers", "tag_history")},
    )
    used = usage(registry.graph, registry.revisions)
    numbers = registry.digests.column("tags").to_pylist()
    tagged = tag_usage(registry.graph, numbers)
    tags = _with(
        found.tags,
        image_bytes=[None if each is None else registry.graph.closure_bytes(each) for each in numbers],
        unique_bytes=[
            own if each is not None else None for each, own in zip(numbers, tagged.unique_bytes, strict=True)
        ],
        digest_tag_of=[digest_of_tag(tag) for (tag,) in rows(found.tags, "tag")],
    )
    revisions = _revisions(found.revisions, registry)
    layers = _layers(found.layers, registry)
    return Weighed(
        replace(
            found,
            blobs=_blobs(found, registry, used, tagged.tags, young_after),
            manifests=_manifests(found.manifests, registry),
            revisions=revisions,
            tags=tags,
            tag_history=_tag_history(found.tag_history, registry),
            layers=layers,
            repositories=_repositories(replace(found, tags=tags, revisions=revisions, layers=layers), used),
        ),
        registry,
    )


def _with(table: pa.Table, **columns: Iterable[object]) -> pa.Table:
    """Return a table with the values of some of its columns replaced."""
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        field = table.schema.field(at)
        is_arrow = isinstance(values, (pa.Array, pa.ChunkedArray))
        table = table.set_column(at, field, values if is_arrow else pa.array(values, field.type))
    return table


def _blobs(found: Tables, registry: Registry, used: Usage, tagged: Sequence[int], young_after: datetime) -> pa.Table:
    stored = registry.digests.stored
    users = pa.array(used.repositories[:stored], pa.int64())
    modified = found.blobs["modified"]
    return _with(
        found.blobs,
        kind=_kinds(found, registry),
        manifests=registry.graph.parents()[:stored],
        repositories=users,
        tags=tagged[:stored],
        marked=pc.greater(users, 0),
        young=pc.fill_null(pc.greater(modified, pa.scalar(young_after, modified.type)), False),
    )


def _kinds(found: Tables, registry: Registry) -> pa.Array:
    manifests = registry.digests.column("manifests")
    parents, children = (registry.digests.column(name) for name in ("parent", "child"))
    is_layer = pc.equal(found.references["role"], "layer")
    artifacts = pc.unique(manifests.filter(pc.equal(found.manifests["kind"], "artifact")))
    is_file = pc.and_(is_layer, pc.is_in(parents, value_set=artifacts))
    kinds = {
        "artifact_file": children.filter(is_file),
        "layer": children.filter(pc.and_(is_layer, pc.invert(is_file))),
        "config": children.filter(pc.equal(found.references["role"], "config")),
        "manifest": manifests,
        "index": manifests.filter(pc.equal(found.manifests["kind"], "index")),
    }
    ranks = bytearray(len(registry.digests))
    for rank, numbers in enumerate(kinds.values(), 1):
        for number in pc.unique(numbers).to_pylist():
            ranks[number] = rank
    names = pa.array(["unknown", *kinds])
    return names.take(pa.array(ranks[: registry.digests.stored], pa.int8()))


def _manifests(manifests: pa.Table, registry: Registry) -> pa.Table:
    numbers = registry.digests.column("manifests").to_pylist()
    return _with(manifests, closure_bytes=list(map(registry.graph.closure_bytes, numbers)))


def _revisions(revisions: pa.Table, registry: Registry) -> pa.Table:
    tagged = {(repository, number) for repository, tags in registry.tags.items() for number in tags.values()}
    numbers = registry.digests.column("revisions").to_pylist()
    pairs = zip(rows(revisions, "repository"), numbers, strict=True)
    return _with(revisions, tagged=[(repository, number) in tagged for (repository,), number in pairs])


def _tag_history(history: pa.Table, registry: Registry) -> pa.Table:
    having = {
        repository: set(filter(registry.is_stored, numbers)) for repository, numbers in registry.revisions.items()
    }
    current, still_there = [], []
    numbers = registry.digests.column("tag_history").to_pylist()
    for (repository, tag), number in zip(rows(history, "repository", "tag"), numbers, strict=True):
        now = registry.tags.get(repository, {}).get(tag)
        current.append(number is not None and number == now)
        still_there.append(number in having.get(repository, ()))
    return _with(history, current=current, still_there=still_there)


def _layers(layers: pa.Table, registry: Registry) -> pa.Table:
    """Return the layers with whether a manifest of their repository has them. Rows are sorted by repository."""
    used: list[bool] = []
    name, members = None, set[int]()
    numbers = registry.digests.column("layers").to_pylist()
    for (repository,), number in zip(rows(layers, "repository"), numbers, strict=True):
        if repository != name:
            name, members = repository, registry.graph.closure_of_all(registry.revisions.get(repository, ()))
        used.append(number in members)
    return _with(layers, used_by_manifest=used)


def _repositories(tables: Tables, used: Usage) -> pa.Table:
    tags = Counter(name for (name,) in rows(tables.tags, "repository"))
    logical: Counter[str] = Counter()
    for name, image_bytes in rows(tables.tags, "repository", "image_bytes"):
        logical[name] += image_bytes or 0
    manifests = Counter(name for (name,) in rows(tables.revisions, "repository"))
    untagged = Counter(name for name, tagged in rows(tables.revisions, "repository", "tagged") if not tagged)
    link_only = Counter(name for name, is_used in rows(tables.layers, "repository", "used_by_manifest") if not is_used)
    pushes = _pushes(tables)
    layers = {name for (name,) in rows(tables.layers, "repository")}
    history = {name for (name,) in rows(tables.tag_history, "repository")}
    names = {*tags, *manifests, *layers, *history}
    nothing = (0, 0, 0, 0)
    return table_of("repositories", [
        (name, tags[name], manifests[name], logical[name], *used.weights.get(name, nothing), untagged[name],
         link_only[name], *pushes.get(name, (None, None)))
        for name in names
    ])  # fmt: skip


def _pushes(tables: Tables) -> dict[str, tuple[datetime, datetime]]:
    """Return the first and the last time that anything of each repository was pushed."""
    times: defaultdict[str, list[datetime]] = defaultdict(list)
    for table, column in (
        (tables.revisions, "linked_at"),
        (tables.tags, "pushed_at"),
        (tables.tag_history, "tagged_at"),
    ):
        found = table.group_by("repository").aggregate([(column, "min"), (column, "max")])
        for name, first, last in rows(found, "repository", f"{column}_min", f"{column}_max"):
            times[name] += [time for time in (first, last) if time is not None]
    return {name: (min(each), max(each)) for name, each in times.items() if each}
