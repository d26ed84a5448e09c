"""The commands `uploads list` and `uploads abort`: pushes that were begun and never completed."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from registry_s3fs.cli import values
from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.tables import add_inventory_words, add_words, registry_of, rows, stored_tables, words_of
from registry_s3fs.model.text import counted

if TYPE_CHECKING:
    from registry_s3fs.cli.output import Output
    from registry_s3fs.registry.uploads import Upload

UPLOADS = (
    *(Column("repository"), Column("uuid", title="upload"), Column("state"), Column("age", "age")),
    *(Column("parts", "number"), Column("part_bytes", "bytes"), Column("data_bytes", "bytes")),
    *(Column("hashstates", "number", shown=False), Column("started_at", "time", shown=False)),
    *(Column("initiated", "time", shown=False), Column("upload_id", shown=False)),
)
TEXT = """\
What was uploaded of a push that was interrupted stays, and is paid for: files below a repository's _uploads folder,
and parts of S3's pending uploads, which no listing of files shows.

  open       can be gone on with           no_data    was begun, and nothing is there
  cancelled  only some files are left      no_folder  only S3's parts are left
  blob       the copy of a whole upload into its place; other: S3's pending upload of another key"""


def add(commands: Commands) -> None:
    """Add the commands."""
    group = commands.group("uploads", "list and abort uploads that were never completed", TEXT)
    parser = group.add(
        "list", _list, "list uploads that were never completed", TEXT, words="[URL]", examples=(
            "uploads list --config config.yml --sort part_bytes",
            "uploads list --from ./inventory --json",
        ),
    )  # fmt: skip
    add_inventory_words(parser)
    parser = group.add(
        "abort", _abort, "abort uploads that show no sign of life for long",
        "Without --yes nothing is aborted: what would be is listed. An upload whose newest file or part is not that\n"
        "old stays, and each is looked at once more before it goes.", words="[URL] --older-than AGE", examples=(
            "uploads abort --config config.yml --older-than 7d",
            "uploads abort --config config.yml --older-than 7d --yes",
        ),
    )  # fmt: skip
    add_words(parser)
    parser.add_argument("--older-than", type=values.duration, required=True, metavar="AGE", help="such as 7d")
    parser.add_argument("--yes", action="store_true", help="abort; without it, only list what would be aborted")


def _list(arguments: argparse.Namespace) -> None:
    words_of(arguments, 0, 0)
    out = output(arguments, UPLOADS)
    if arguments.inventory:
        found = rows(stored_tables(arguments.inventory, arguments).uploads)
    else:
        from registry_s3fs.registry import uploads

        registry = registry_of(arguments)
        found = _rows(uploads.read(registry.fs, registry.root))
    out.rows(_named(found, out), UPLOADS, [_total(found, out.size(_bytes(found)))], name="uuid")


def _abort(arguments: argparse.Namespace) -> None:
    from registry_s3fs.registry import uploads

    words_of(arguments, 0, 0)
    out = output(arguments, UPLOADS)
    registry = registry_of(arguments)
    gone = uploads.abort(
        registry.fs,
        uploads.read(registry.fs, registry.root),
        arguments.older_than,
        root=registry.root,
        dry_run=not arguments.yes,
    )
    found = _rows(gone)
    told = _total(found, out.size(_bytes(found)))
    done = f"aborted: {told}" if arguments.yes else f"would be aborted: {told}; nothing was, without --yes"
    out.rows(_named(found, out), UPLOADS, [done], name="uuid")


def _rows(found: Iterable[Upload]) -> list[Row]:
    return [upload._asdict() for upload in found]


def _bytes(found: Iterable[Row]) -> int:
    return sum(int(str(row[name])) for row in found for name in ("part_bytes", "data_bytes") if row[name])


def _total(found: list[Row], size: str) -> str:
    return f"{counted(len(found), 'upload')}, {size}"


def _named(found: list[Row], out: Output) -> list[Row]:
    """Return rows that people can name, though nothing but S3's id tells which upload it is."""
    return [{**row, "uuid": row["uuid"] or row["upload_id"]} for row in found] if out.is_for_people else found
