"""The command `freed`: what a deletion would free."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.cli import values
from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.references import Reference, parse_set
from registry_s3fs.cli.tables import add_command, rows, tables_of, where, words_of
from registry_s3fs.model.registry_layout import GENERATIONS
from registry_s3fs.model.text import counted, printable

if TYPE_CHECKING:
    from registry_s3fs.cli.output import Output
    from registry_s3fs.registry.tables import Tables

DELETED = (Column("repository"), Column("digest", "digest"), Column("tags"))
TEXT = """\
A REF is team/app:1.2, team/app@sha256:..., or team/app for the whole repository; * ? [ ] make it a GLOB, in the
repository and in the tag. Deleting is what the registry's API does: it deletes a manifest by its digest, and with
it all tags that mean it now. Two figures are told: what garbage-collect frees then, and what it frees with
--delete-untagged, which includes all manifests that have no tag even now. The bytes are the set's: what two
deletions free does not add up. Nothing is deleted here.

With --keep-last and --older-than only tags are chosen, and a manifest stays that another tag of its repository needs,
also as a part of its index. Tags that are made of a digest (signatures) are not counted; they go with the manifest
that they are about."""
_EPOCH = datetime.fromtimestamp(0, timezone.utc)


class Revision(NamedTuple):
    """A manifest of a repository."""

    repository: str
    digest: str


@dataclass
class Chosen:
    """What would be deleted."""

    revisions: set[Revision] = field(default_factory=set)
    tags: Mapping[Revision, list[str]] = field(default_factory=dict)
    """All tags that mean each manifest of the registry."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands, "freed", _freed, "tell what deleting images would free", TEXT, words="REF-or-GLOB...",
        meaning="what would be deleted", examples=(
            "freed --config config.yml team/app:1.2 team/app:1.3",
            "freed --from ./inventory 'team/*' --keep-last 10 --older-than 90d",
            "freed --from ./inventory 'team/app:pr-*' --json",
        ),
    )  # fmt: skip
    parser.add_argument("--keep-last", type=values.count, metavar="N", help="keep each repository's N newest tags")
    parser.add_argument("--older-than", type=values.duration, metavar="AGE", help="only tags pushed before, as 90d")
    parser.add_argument(
        "--registry", choices=GENERATIONS, default="2.8", help="whose --delete-untagged it is; by default 2.8's"
    )


def _freed(arguments: argparse.Namespace) -> None:
    words = words_of(arguments, 1)
    out = output(arguments, DELETED)
    tables = tables_of(arguments)
    chosen = choose(tables, list(map(parse_set, words)), arguments.keep_last, arguments.older_than)
    found: list[Row] = [
        {"repository": each.repository, "digest": each.digest, "tags": sorted(chosen.tags.get(each, ()))}
        for each in sorted(chosen.revisions)
    ]
    sums = _sums(tables, chosen.revisions, arguments.registry)
    shown = list(out.chosen(found, DELETED))
    document, lines = {"manifests": shown, **sums}, _lines(out, sums, shown, len(found))
    if out.is_quiet and out.is_for_people:
        shown = [{**row, "digest": f"{row['repository']}@{row['digest']}"} for row in shown]
    out.document(document, shown, DELETED, lines, "digest")


def choose(
    tables: Tables, references: Iterable[Reference], keep_last: int | None, older_than: timedelta | None
) -> Chosen:
    """Return the manifests that references name, without those that tags need which are to be kept.

    Raises:
        FileNotFoundError: A reference names nothing.
    """
    tags: list[Row] = [row for row in rows(tables.tags) if row["digest"] is not None]
    chosen = Chosen(tags=_tags_by_revision(tags))
    known = {Revision(str(row["repository"]), str(row["digest"])) for row in rows(tables.revisions)}
    known |= chosen.tags.keys()
    is_policy = keep_last is not None or older_than is not None
    candidates: list[Row] = []
    for reference in references:
        named = [row for row in tags if _matches(reference, str(row["repository"]), tag=str(row["tag"]))]
        revisions = {each for each in known if _matches(reference, each.repository, digest=each.digest)}
        if not named and not revisions:
            raise FileNotFoundError(2, "nothing matches", str(reference))
        candidates += [row for row in named if not row["digest_tag_of"]]
        chosen.revisions |= revisions | set(map(_revision, named))
    if is_policy:
        gone = _without_kept(tags, _old_tags(candidates, keep_last or 0, older_than), _children(tables))
        chosen.revisions = gone | _about(gone, tags)
    return chosen


def _about(gone: set[Revision], tags: Iterable[Row]) -> set[Revision]:
    """Return the manifests of tags that are made of the digest of one that goes, such as signatures."""
    return {_revision(row) for row in tags if Revision(str(row["repository"]), str(row["digest_tag_of"])) in gone}


def _tags_by_revision(tags: Iterable[Row]) -> dict[Revision, list[str]]:
    found: defaultdict[Revision, list[str]] = defaultdict(list)
    for row in tags:
        found[_revision(row)].append(str(row["tag"]))
    return dict(found)


def _revision(row: Row) -> Revision:
    return Revision(str(row["repository"]), str(row["digest"]))


def _matches(reference: Reference, repository: str, *, tag: str = "", digest: str = "") -> bool:
    if not fnmatchcase(repository, reference.repository):
        return False
    if reference.digest:
        return bool(digest) and digest.startswith(reference.digest)
    return fnmatchcase(tag, reference.tag) and bool(tag) if reference.tag else True


def _old_tags(tags: Iterable[Row], keep_last: int, older_than: timedelta | None) -> list[Row]:
    """Return the tags of each repository that are neither among its newest nor newer than an age."""
    by_repository: defaultdict[object, dict[object, Row]] = defaultdict(dict)
    for row in tags:
        by_repository[row["repository"]][row["tag"]] = row
    old = [
        row
        for named in by_repository.values()
        for row in sorted(named.values(), key=lambda row: (_pushed(row), str(row["tag"])), reverse=True)[keep_last:]
    ]
    limit = datetime.now(timezone.utc) - older_than if older_than is not None else None
    return [row for row in old if limit is None or _pushed(row) < limit]


def _pushed(row: Row) -> datetime:
    """Return when a tag was pushed. One of which nothing is known counts as new."""
    when = row["pushed_at"]
    return when if isinstance(when, datetime) else datetime.now(timezone.utc)


def _children(tables: Tables) -> dict[str, list[str]]:
    """Return the manifests that each index lists."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows(where(tables.references, role="child")):
        found[str(row["parent"])].append(str(row["child"]))
    return dict(found)


def _without_kept(tags: Iterable[Row], old: Iterable[Row], children: Mapping[str, Sequence[str]]) -> set[Revision]:
    """Return the manifests of old tags that no other tag of their repository needs: means, or lists in its index."""
    gone = {(row["repository"], row["tag"]) for row in old}
    kept = {_revision(row) for row in tags if (row["repository"], row["tag"]) not in gone}
    from registry_s3fs.registry.reachable import reachable

    needed = reachable(kept, lambda each: [Revision(each.repository, child) for child in children.get(each.digest, ())])
    return {_revision(row) for row in old} - needed


def _sums(tables: Tables, deleted: Iterable[Revision], registry: str) -> dict[str, int]:
    from registry_s3fs.registry.accounting import Deletions, Root
    from registry_s3fs.registry.numbered import Registry

    known = Registry(tables.blobs, tables.references, tables.revisions, tables.tags)
    roots = [Root(name, number) for name, numbers in known.revisions.items() for number in numbers]
    tagged = [Root(name, number) for name, tags in known.tags.items() for number in tags.values() if number is not None]
    deletions = Deletions(known.graph, roots, tagged, registry)
    chosen = list(deleted)
    import pyarrow as pa

    numbers = known.digests.numbers(pa.chunked_array([[each.digest for each in chosen]], pa.string()))
    gone = [Root(each.repository, number) for each, number in zip(chosen, numbers, strict=True) if number is not None]
    freed, untagged = deletions.freed(gone), deletions.freed_with_untagged(gone)
    alone = deletions.freed_with_untagged(())
    return {
        "freed_blobs": len(freed.blobs),
        "freed_bytes": freed.bytes,
        "freed_blobs_delete_untagged": len(untagged.blobs),
        "freed_bytes_delete_untagged": untagged.bytes,
        "freed_bytes_delete_untagged_alone": alone.bytes,
    }


def _lines(out: Output, sums: Mapping[str, int], shown: list[Row], count: int) -> Iterator[str]:
    for row in shown:
        tags = ", ".join(map(str, row["tags"])) if isinstance(row["tags"], list) else ""
        yield printable(f"{row['repository']}@{row['digest']}{f'  {tags}' if tags else '  (no tag)'}")
    yield ""
    yield (
        f"Deleting {counted(count, 'manifest')} by the registry's API, and collecting, frees "
        f"{out.size(sums['freed_bytes'])} in {counted(sums['freed_blobs'], 'blob')}."
    )
    yield (
        f"With --delete-untagged, {out.size(sums['freed_bytes_delete_untagged'])} in "
        f"{counted(sums['freed_blobs_delete_untagged'], 'blob')}; "
        f"of which {out.size(sums['freed_bytes_delete_untagged_alone'])} would go without this deletion, too."
    )
