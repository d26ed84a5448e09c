"""The commands that tell what there is and what it weighs: `repos`, `tags` and `layers`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.image_sources import catalog_of
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.references import full_digest, known_digests, layers_used_by, parse, tags_using
from registry_s3fs.cli.tables import add_command, among, iter_rows, matching, rows, tables_of, where, words_of
from registry_s3fs.model.text import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from registry_s3fs.cli.output import Output
    from registry_s3fs.registry.tables import Tables

REPOSITORIES = (
    *(Column("name"), Column("tags", "number"), Column("manifests", "number"), Column("untagged", "number")),
    *(Column("link_only", "number", shown=False), Column("logical", "bytes"), Column("distinct", "bytes")),
    *(Column("unique", "bytes"), Column("shared", "bytes"), Column("fair", "bytes")),
    *(Column("first_push", "time", shown=False), Column("last_push", "time")),
)
TAGS = (
    *(
        Column("repository", shown=False),
        Column("tag"),
        Column("digest", "digest"),
        Column("pushed_at", "time", "pushed"),
    ),
    *(Column("image_bytes", "bytes", "image"), Column("unique_bytes", "bytes", "unique")),
    Column("digest_tag_of", "digest", "about"),
)
LAYERS = (
    *(Column("repository"), Column("digest", "digest"), Column("size", "bytes"), Column("linked_at", "time", "linked")),
    *(Column("used_by_manifest", "flag", "used"), Column("repositories", "number", "in repositories")),
    Column("used_by", title="by", shown=False),
)
WEIGHTS = """\
  logical   the sum over its tags
  distinct  each blob of its manifests once
  unique    what no other repository has
  shared    what others have, too: distinct - unique
  fair      its shares of all blobs; the one column that adds up"""


def add(commands: Commands) -> None:
    """Add the commands."""
    add_command(
        commands, "repos", _repos, "list repositories, with what each weighs", WEIGHTS, words="[GLOB]",
        meaning="only the repositories that match; * stands for slashes, too", examples=(
            "repos --config config.yml --sort fair --limit 20",
            "repos --from ./inventory 'team/*' --json",
            "repos -q file:///var/lib/registry",
        ),
    )  # fmt: skip
    add_command(
        commands, "tags", _tags, "list a repository's tags, with what each weighs",
        "The image's bytes are those of all that the tag leads to. The unique ones are what no other tag of any\n"
        "repository leads to. `freed` tells what deleting tags would free.",
        words="REPO", meaning="the repository", examples=(
            "tags --config config.yml team/app --sort pushed_at",
            "tags --from ./inventory team/app --sort unique_bytes --limit 10",
        ),
    )  # fmt: skip
    parser = add_command(
        commands, "layers", _layers, "list the layers that repositories have, and who uses them",
        "A link that no manifest uses keeps nothing: a mount or a push that went no further left it.",
        words="[REPO]", meaning="only this repository's", examples=(
            "layers --from ./inventory team/app --sort size --limit 10",
            "layers --from ./inventory --used-by sha256:2c26b46b68ff",
        ),
    )  # fmt: skip
    parser.add_argument(
        "--used-by", metavar="DIGEST",
        help="of a manifest: only the layers that it uses; of a layer: only itself, with the tags that use it",
    )  # fmt: skip


def _repos(arguments: argparse.Namespace) -> None:
    pattern = next(iter(words_of(arguments, 0, 1)), None)
    out = output(arguments, REPOSITORIES)
    if _wants_names(arguments, out):
        _check_any(names := matching(catalog_of(arguments).repositories(), pattern), pattern)
        out.names(out.chosen([{"name": name} for name in names], REPOSITORIES), "name")
        return
    tables = tables_of(arguments)
    found = rows(tables.repositories)
    names = matching((str(row["name"]) for row in found), pattern)
    _check_any(names, pattern)
    found = [row for row in found if row["name"] in set(names)] if pattern else found
    out.rows(found, REPOSITORIES, _notes_on(found, tables, out))


def _wants_names(arguments: argparse.Namespace, out: Output) -> bool:
    """Return whether names alone are shown, which a catalog tells without a look at manifests and blobs."""
    return out.is_quiet and out.format == "table" and not out.sorting and not arguments.inventory


def _check_any(names: Sequence[str], pattern: str | None) -> None:
    if pattern and not names:
        raise FileNotFoundError(2, "no repository matches", pattern)


def _notes_on(found: Sequence[Row], tables: Tables, out: Output) -> list[str]:
    if not out.is_for_people or out.is_quiet:
        return []
    stored = tables.snapshot["bytes"][0].as_py()
    fair = sum(int(str(row["fair"])) for row in found)
    have = f"{counted(len(found), 'repository')} {'has' if len(found) == 1 else 'have'}"
    return [f"{have} {out.size(fair)} (fair) of {out.size(stored)} that are stored"]


def _tags(arguments: argparse.Namespace) -> None:
    (repository,) = words_of(arguments, 1, 1)
    out = output(arguments, TAGS)
    if _wants_names(arguments, out):
        names = catalog_of(arguments).tags(repository)
        out.names(out.chosen([{"tag": name} for name in names], TAGS), "tag")
        return
    tables = tables_of(arguments)
    found = rows(where(tables.tags, repository=repository))
    if not found:
        check_repository(tables, repository)
    shown = [column for column in TAGS if column.name != "digest_tag_of" or any(row[column.name] for row in found)]
    out.rows(found, shown if out.is_for_people else TAGS, name="tag")


def check_repository(tables: Tables, name: str) -> None:
    """Raise `FileNotFoundError` where there is no such repository."""
    if not where(tables.repositories, name=name).num_rows:
        raise FileNotFoundError(2, "there is no such repository", name)


def _layers(arguments: argparse.Namespace) -> None:
    repository = next(iter(words_of(arguments, 0, 1)), None)
    out = output(arguments, LAYERS)
    tables = tables_of(arguments)
    if repository is not None:
        check_repository(tables, repository)
    table = tables.layers if repository is None else where(tables.layers, repository=repository)
    columns: Sequence[Column] = LAYERS
    used_by: dict[str, Sequence[str]] = {}
    if arguments.used_by:
        digest = full_digest(known_digests(tables), arguments.used_by)
        members = layers_used_by(tables, digest)
        if not members:
            members, used_by = {digest}, {digest: tags_using(tables, digest)}
            columns = tuple(column._replace(shown=True) for column in LAYERS)
        table = among(table, members)
    found = iter_rows(_with_blobs(table, tables.blobs))
    out.rows((_with_users(row, used_by) for row in found), columns, name="digest")


def _with_blobs(layers: pa.Table, blobs: pa.Table) -> pa.Table:
    """Return layers with what the table of blobs tells of each."""
    import pyarrow.compute as pc

    at = pc.index_in(layers["digest"], value_set=blobs["digest"].combine_chunks())
    for name in ("size", "repositories"):
        layers = layers.append_column(name, blobs[name].take(at))
    return layers


def _with_users(row: Row, used_by: Mapping[str, Sequence[str]]) -> Row:
    return {**row, "used_by": _of_repository(used_by.get(str(row["digest"]), ()), str(row["repository"]))}


def _of_repository(references: Sequence[str], name: str) -> list[str]:
    return [each for each in references if parse(each).repository == name]
