"""The command `sync`: a registry copied to another place."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from registry_s3fs.cli import progress, values
from registry_s3fs.cli.columns import Column, Row, short
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.places import new_registry, one_side, registry
from registry_s3fs.model.text import counted, printable
from registry_s3fs.redaction import redact

if TYPE_CHECKING:
    from registry_s3fs.cli.output import Output
    from registry_s3fs.registry.sync import Synced

GOOD, PROBLEMS = 0, 3
SIDES = ("source", "destination")
TAG = (
    *(Column("name", title="tag"), Column("change"), Column("digest", "digest")),
    Column("former", "digest", title="before"),
)
TEXT = """\
Blobs go first, then links, and tags last, so whenever it ends, by kill -9 too, the destination is a registry whose
tags can be pulled; the same command again copies what is missing. What the destination has in the same size is not
copied. Blobs are compared with their digests on their way, and bad ones are never stored; only what the server itself
copies, within one bucket, is not read (unless -o verify_digests=true). Nothing is deleted at the destination, and
uploads that were interrupted are not copied. No garbage collection may run at the destination meanwhile: blobs
come before the links to them. The status is 3 where something could not be copied.

SRC and DST are URLs, a registry's config.yml, or folders; with --config or -o bucket=..., a path is one in that bucket.
Options that only one of the two is to have begin with --source- or --destination-."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "sync", _sync, "copy a registry to another place, or what has changed since", TEXT, words="SRC DST", examples=(
            "sync /etc/docker/registry/config.yml /backup/registry",
            "sync registrys3://old-bucket registrys3://new-bucket -o region=eu-central-1 --dry-run",
            "sync old.yml registrys3://new-bucket --destination-secret-from-env NEW_SECRET \\\n"
            "    --destination-option accesskey=AKIA... --destination-option region=eu-west-1 --include '^team/'",
        ),
    )  # fmt: skip
    parser.add_argument(
        "--include", metavar="RE", type=_regular_expression,
        help="only repositories in whose names this regular expression is found, with the blobs that they need",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="write nothing; tell what would be copied")
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="copy what is whole; without it, a tag that cannot be pulled is an error",
    )
    for side, word in zip(SIDES, ("SRC", "DST"), strict=True):
        _add_side(parser.add_argument_group(f"only for {word}"), side)
    parser.add_argument("words", nargs="+", metavar="SRC DST", help="a URL, a config.yml, or a folder")


def _add_side(group: argparse._ArgumentGroup, side: str) -> None:
    group.add_argument(f"--{side}-config", metavar="FILE", help="a registry's config.yml")
    group.add_argument(
        f"--{side}-option", dest=f"{side}_options", metavar="NAME=VALUE", action="append", default=[],
        type=values.option, help="a storage parameter; repeatable",
    )  # fmt: skip
    group.add_argument(
        f"--{side}-secret-from-env", dest=f"{side}_options", metavar="NAME", action="append", default=[],
        type=values.secret_from_env, help="the variable that holds the secretkey, or PARAMETER=VARIABLE; repeatable",
    )  # fmt: skip


def _regular_expression(text: str) -> str:
    from registry_s3fs.registry.sync.source import chosen_by

    try:
        chosen_by(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _sync(arguments: argparse.Namespace) -> int:
    if len(arguments.words) != 2:
        arguments.parser.error("two registries, please: the one to copy, and where to copy it to")
    out = output(arguments, TAG)
    source_word, destination_word = arguments.words
    source = registry(*_side(arguments, "source", source_word))
    destination = new_registry(*_side(arguments, "destination", destination_word))
    from registry_s3fs.registry.sync import sync

    with progress.of_steps(arguments) as told:
        done = sync(
            source.fs,
            destination.fs,
            source_root=source.root,
            destination_root=destination.root,
            include=arguments.include,
            dry_run=arguments.dry_run,
            keep_going=arguments.keep_going,
            progress=told,
        )
    rows = _rows(done)
    document = _document(arguments, done, list(out.chosen(rows, TAG)))
    out.document(document, rows, TAG, _lines(out, done, rows))
    return PROBLEMS if done.problems else GOOD


def _side(arguments: argparse.Namespace, side: str, word: str) -> tuple[str, argparse.Namespace]:
    """Return the word for one of the two registries, and the options for it alone."""
    config = getattr(arguments, f"{side}_config") or arguments.config
    options = [*arguments.options, *getattr(arguments, f"{side}_options")]
    return one_side(word, config, options)


def _rows(done: Synced) -> list[Row]:
    return [
        {
            "name": str(tag),
            "change": "moved" if tag.former else "new",
            "digest": tag.digest,
            "former": tag.former,
        }
        for tag in done.tags
    ]


def _document(arguments: argparse.Namespace, done: Synced, rows: list[Row]) -> Row:
    source, destination = map(redact, arguments.words)
    problems = [problem._asdict() for problem in done.problems]
    return {"source": source, "destination": destination, **vars(done), "tags": rows, "problems": problems}


def _lines(out: Output, done: Synced, rows: list[Row]) -> Iterator[str]:
    """Yield what people read: of a dry run the tags, then the sums, and what was not copied."""
    for row in out.chosen(rows, TAG) if done.dry_run else ():
        yield printable(f"{row['change']}: {row['name']} {short(str(row['digest']))}")
    verb = "would be copied" if done.dry_run else "copied"
    tags, blobs = counted(len(done.tags), "tag"), counted(done.blobs, "blob")
    where = counted(done.repositories, "repository")
    yield f"{verb}: {blobs} ({out.size(done.bytes)}), {counted(done.links, 'link')}, {tags} of {where}"
    yield f"there already: {counted(done.already, 'blob')}"
    if done.blobs and done.in_place:
        yield "the server copies blobs itself, and they are not read here"
    if done.left_out:
        yield f"left out: {counted(done.left_out, 'link')} to blobs that are not stored or not chosen"
    if done.unknown:
        yield f"left out: {counted(done.unknown, 'file')} that no registry writes"
    for name in done.changed:
        yield printable(f"changed meanwhile, and left for another run: {name}")
    for problem in done.problems:
        tags = f" ({', '.join(problem.affected_tags)})" if problem.affected_tags else ""
        yield printable(f"problem: {problem.code}: {problem.detail}{tags}: {problem.key}")
