"""The command `gc`: what the registry's own collector would delete, and what may be deleted."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.cli import values
from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.places import PROTOCOL
from registry_s3fs.cli.references import full_digest
from registry_s3fs.cli.tables import add_command, registry_of, tables_of, words_of
from registry_s3fs.model.registry_layout import GENERATIONS
from registry_s3fs.model.text import counted, printable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from registry_s3fs.cli.output import Output
    from registry_s3fs.registry.garbage.contents import Contents
    from registry_s3fs.registry.garbage.differences import Loss
    from registry_s3fs.registry.garbage.explain import Explanation
    from registry_s3fs.registry.garbage.plan import Abort, Plan

PROBLEMS = 3
CONFIG_OF = {"2.8": "/etc/docker/registry/config.yml", "3": "/etc/distribution/config.yml"}
"""Where the images of both generations have the registry's configuration."""
SWEPT = (Column("digest", "digest"), Column("size", "bytes"), Column("safe", "flag"), Column("young", "flag"))
DAY = timedelta(hours=24)
TEXT = """\
It tells what `registry garbage-collect --dry-run` would delete, whether that would end with an error and at which
link, and beside it the safe plan: one that keeps what a tag leads to, the children of a kept index, the referrers
of what is kept, and all that is newer than --min-age. What the registry's collector deletes beyond that is a warning.

It deletes nothing. The registry's own command does, while nobody pushes."""


class Plans(NamedTuple):
    """The two plans for a registry's contents."""

    contents: Contents
    registry: Plan
    safe: Plan
    losses: list[Loss]
    ends: list[Abort]
    """What would end the run of the registry's own collector: the first does, and the next once that is mended."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands, "gc", _gc, "tell what the registry's garbage-collect would delete", TEXT, examples=(
            "gc --dry-run --config config.yml",
            "gc --dry-run --delete-untagged --registry 3 --from ./inventory --json",
            "gc --dry-run --explain sha256:2c26b46b68ff --from ./inventory",
        ),
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="needed: this command only tells")
    parser.add_argument("-m", "--delete-untagged", action="store_true", help="as garbage-collect --delete-untagged")
    parser.add_argument(
        "--registry", choices=GENERATIONS, default="2.8", help="the generation whose rules hold; by default 2.8"
    )
    parser.add_argument("--explain", metavar="DIGEST", help="why this blob would be kept or deleted")
    parser.add_argument(
        "--min-age", type=values.duration, default=DAY, metavar="AGE", help="what is newer is young; by default 24h"
    )


def _gc(arguments: argparse.Namespace) -> int | None:
    words_of(arguments, 0, 0)
    if not arguments.dry_run:
        arguments.parser.error(f"this command only tells, with --dry-run; to delete, run: {_registrys_own(arguments)}")
    out = output(arguments, SWEPT)
    plans = _plans(arguments)
    if arguments.explain:
        _explain(arguments, out, plans)
        return None
    swept = list(out.chosen(_swept(plans), SWEPT))
    out.document(_document(arguments, plans, swept), swept, SWEPT, _lines(out, plans, swept))
    return PROBLEMS if plans.ends else None


def _registrys_own(arguments: argparse.Namespace) -> str:
    """Return the command by which the registry itself collects."""
    option = " --delete-untagged" if arguments.delete_untagged else ""
    return f"registry garbage-collect{option} {arguments.config or CONFIG_OF[arguments.registry]}"


def _plans(arguments: argparse.Namespace) -> Plans:
    from registry_s3fs.registry.garbage.collector import plan
    from registry_s3fs.registry.garbage.differences import losses
    from registry_s3fs.registry.garbage.from_tables import contents_of
    from registry_s3fs.registry.garbage.safe import safe_plan

    tables = tables_of(arguments)
    fs = None if arguments.inventory else registry_of(arguments).fs
    driver, exists = _driver(fs) if fs else (None, None)
    contents = contents_of(tables, min_age=arguments.min_age, exists=exists, fs=fs)
    its = plan(contents, arguments.registry, delete_untagged=arguments.delete_untagged)
    safe = safe_plan(contents, delete_untagged=arguments.delete_untagged)
    ends = [abort for abort in its.aborts if driver is None or driver in abort.drivers]
    return Plans(contents, its, safe, losses(contents, its, safe), ends)


def _driver(fs: AbstractFileSystem) -> tuple[str, Callable[[str], bool]]:
    """Return which of the registry's storage drivers is on a filesystem, and what tells whether a path exists.

    A bucket has no empty folders, so only links are asked for there.
    """
    protocols = fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)
    if PROTOCOL in protocols:
        return "s3", lambda path: path.endswith("/link") and bool(fs.exists(path))
    return "filesystem", fs.exists


def _swept(plans: Plans) -> list[Row]:
    return [
        {"digest": digest, "size": size, "safe": digest in plans.safe.swept, "young": digest in plans.contents.young}
        for digest, size in plans.registry.swept.items()
    ]


def _document(arguments: argparse.Namespace, plans: Plans, swept: list[Row]) -> Row:
    return {
        "registry": arguments.registry,
        "delete_untagged": arguments.delete_untagged,
        "marked": len(plans.registry.marked),
        "freed_bytes": plans.registry.freed_bytes,
        "blobs": swept,
        "manifests": [each._asdict() for each in plans.registry.manifests],
        "layer_links": [each._asdict() for each in plans.registry.layer_links],
        "aborts": [each._asdict() for each in plans.registry.aborts],
        "would_abort": bool(plans.ends),
        "unread_links": plans.registry.unread_links,
        "safe": {
            "freed_bytes": plans.safe.freed_bytes,
            "blobs": [{"digest": digest, "size": size} for digest, size in plans.safe.swept.items()],
            "manifests": [each._asdict() for each in plans.safe.manifests],
            "unknown": plans.safe.unknown,
        },
        "warnings": [each._asdict() for each in plans.losses],
    }


def _lines(out: Output, plans: Plans, swept: list[Row]) -> Iterator[str]:
    """Yield the registry's own lines, and what there is to say beside them."""
    its, safe = plans.registry, plans.safe
    yield from _ends(plans)
    for manifest in its.manifests:
        yield printable(f"{manifest.repository}: manifest eligible for deletion: {manifest.digest}")
    yield its.summary()
    for row in swept:
        yield printable(f"blob eligible for deletion: {row['digest']}")
    for link in its.layer_links:
        yield printable(f"{link.repository}: layer link eligible for deletion: {link.digest}")
    yield ""
    yield f"It {'would free' if plans.ends else 'frees'} {out.size(its.freed_bytes)}."
    yield (
        f"The safe plan frees {out.size(safe.freed_bytes)}: {counted(len(safe.swept), 'blob')}, "
        f"{counted(len(safe.manifests), 'manifest')}."
    )
    if safe.unknown:
        yield printable(
            f"{counted(len(safe.unknown), 'manifest')} that it keeps cannot be read, such as {safe.unknown[0]}. What "
            "they refer to is not known, so the safe plan deletes nothing."
        )
    for loss in plans.losses:
        place = f"{loss.repository or ''}{'@' if loss.repository and loss.digest else ''}{loss.digest or ''}"
        tags = f" ({', '.join(loss.affected_tags)})" if loss.affected_tags else ""
        yield printable(f"warning: {loss.code}: {place}{': ' if place else ''}{loss.detail}{tags}")
    for key in its.unread_links:
        yield printable(f"warning: the registry reads a link that no registry writes, and the plan does not: {key}")


def _ends(plans: Plans) -> Iterator[str]:
    """Yield what would end the run of the registry's own collector."""
    for number, abort in enumerate(plans.ends):
        beginning = "Then it would" if number else "It would"
        yield printable(f"{beginning} end with an error: {abort.key}: {abort.reason}")
    if plans.ends:
        yield "Nothing is deleted by then." if plans.ends[0].phase == "mark" else "Manifests are removed by then."
        yield "Once all of that is mended, it would do this:"
        yield ""
    for abort in plans.registry.aborts:
        if abort not in plans.ends:
            drivers = " or ".join(abort.drivers)
            yield printable(f"warning: on the {drivers} driver it would end with an error: {abort.key}: {abort.reason}")


def _explain(arguments: argparse.Namespace, out: Output, plans: Plans) -> None:
    from registry_s3fs.registry.garbage.explain import explain

    found = explain(plans.contents, plans.registry, _known_digest(arguments, plans))
    steps: list[Row] = [step._asdict() for step in found.chain]
    columns = (Column("digest", "digest"), Column("role"), Column("tags"))
    document = {**vars(found), "chain": steps, "safe_plan_keeps": found.digest not in plans.safe.swept}
    out.document(document, steps, columns, _explained(found, plans))


def _known_digest(arguments: argparse.Namespace, plans: Plans) -> str:
    """Return the digest of which the beginning may be given; one that is not known can be explained, too."""
    try:
        return full_digest([*plans.contents.blobs, *plans.registry.marked], arguments.explain)
    except FileNotFoundError:
        return str(arguments.explain)


def _explained(found: Explanation, plans: Plans) -> Iterator[str]:
    what = "kept" if found.kept else "deleted" if found.exists else "not there"
    yield printable(f"{found.digest}: {what}{f', by {found.repository}' if found.repository else ''}")
    for depth, step in enumerate(found.chain):
        tags = f" ({', '.join(step.tags)})" if step.tags else ""
        yield printable(f"{'  ' * (depth + 1)}{step.role}: {step.digest}{tags}")
    for reason in found.reasons:
        yield printable(f"  {reason}")
    if not found.kept and found.exists and found.digest not in plans.safe.swept:
        yield "  the safe plan keeps it"
