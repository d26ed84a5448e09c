"""The commands `check` and `verify`: what is wrong with a registry."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from registry_s3fs.cli import progress, values
from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.references import blobs_of, resolve
from registry_s3fs.cli.tables import add_command, registry_of, rows, tables_of, words_of
from registry_s3fs.model.text import counted

if TYPE_CHECKING:
    from registry_s3fs.cli.output import Output
    from registry_s3fs.registry.tables import Tables
    from registry_s3fs.registry.verify import Verification

GOOD, PROBLEMS = 0, 3
SEVERITIES = ("error", "warning")
PROBLEM = (
    *(Column("severity"), Column("code"), Column("repository"), Column("tag"), Column("digest", "digest")),
    *(Column("detail"), Column("affected_tags"), Column("key")),
)
FINDING = (
    *(Column("code"), Column("digest", "digest"), Column("detail")),
    *(Column("affected_tags"), Column("remove"), Column("push", title="push again")),
)


def add(commands: Commands) -> None:
    """Add the commands."""
    parser = add_command(
        commands, "check", _check, "check links, manifests and sizes; no layer is read",
        "The status is 3 where there are problems. An error hurts a tag or ends the registry's collector; a warning\n"
        "is of leftovers, and of what may come.\n\n"
        "Each tag's link and each manifest is read once. Other links of the usual size (71 bytes) are not read, but\n"
        "believed to name the digest of their folder: one that names another digest is not found.",
        examples=("check --config config.yml", "check --from ./inventory --severity error -q"),
    )  # fmt: skip
    parser.add_argument(
        "--severity", choices=SEVERITIES, default="warning", help="only problems at least so severe; by default all"
    )
    parser = add_command(
        commands, "verify", _verify, "compare blobs with their digests",
        "Each finding has the tags that it hurts, the keys to remove, and what to push again: a registry stores no\n"
        "blob that it seems to have already. The status is 3 where there are findings.",
        words="[REF]", meaning="only this image's blobs", examples=(
            "verify --config config.yml --resume verified.txt",
            "verify --config config.yml team/app:1.2",
            "verify --config config.yml --from ./inventory --sample 1%",
        ),
    )  # fmt: skip
    parser.add_argument("--resume", metavar="FILE", help="note what was compared, and go on where a former run ended")
    parser.add_argument(
        "--sample", type=values.share, default=1.0, metavar="SHARE", help="only this share of the blobs, such as 1%%"
    )


def _check(arguments: argparse.Namespace) -> int:
    words_of(arguments, 0, 0)
    out = output(arguments, PROBLEM)
    told = SEVERITIES[: SEVERITIES.index(arguments.severity) + 1]
    found = [row for row in rows(tables_of(arguments).problems) if row["severity"] in told]
    counts = Counter(str(row["code"]) for row in found)
    notes = [", ".join(f"{code}: {count}" for code, count in sorted(counts.items())) or "no problems"]
    if out.is_quiet:
        found = [{**row, "key": row["key"] or row["digest"] or f"{row['repository']}:{row['tag']}"} for row in found]
    known = [column for column in PROBLEM if any(row.get(column.name) for row in found)]
    out.rows(found, known if out.is_for_people else PROBLEM, notes, name="code" if out.format == "tree" else "key")
    return PROBLEMS if found else GOOD


def _verify(arguments: argparse.Namespace) -> int:
    reference = next(iter(words_of(arguments, 0, 1)), None)
    out = output(arguments, FINDING)
    registry = registry_of(arguments)
    tables = tables_of(arguments)
    digests = None if reference is None else _blobs_of(tables, reference)
    from registry_s3fs.registry.verify import verify

    total = len(digests) if digests is not None else tables.blobs.num_rows
    compared = Counter[str]()

    def told(blobs: int, size: int) -> None:
        compared["blobs"] += blobs
        tell("blobs", compared["blobs"], total)

    with progress.of_steps(arguments) as tell:
        result = verify(
            registry.fs, tables, digests=digests, resume=arguments.resume, sample=arguments.sample, progress=told
        )
    found: list[Row] = [vars(finding) for finding in result.findings]
    out.rows(found, FINDING, _notes_on(result, out, arguments.sample), name="digest")
    return PROBLEMS if found else GOOD


def _blobs_of(tables: Tables, reference: str) -> set[str]:
    digest = resolve(tables, reference).digest
    return blobs_of(tables, str(digest))


def _notes_on(result: Verification, out: Output, sample: float) -> Sequence[str]:
    blobs = counted(result.blobs, "blob")
    notes = [f"{blobs} compared ({out.size(result.bytes)}), {len(result.findings) or 'none'} damaged or missing"]
    notes += [f"a sample of {100 * sample:g}%: the bytes of other blobs were not read"] if sample < 1 else []
    notes += [f"compared by a former run: {counted(result.resumed, 'blob')}"] if result.resumed else []
    notes += [f"deleted meanwhile, and needed by nothing: {counted(len(result.gone), 'blob')}"] if result.gone else []
    notes += [f"digest of an unknown algorithm: {counted(len(result.unknown), 'blob')}"] if result.unknown else []
    return notes
