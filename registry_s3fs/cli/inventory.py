"""The command `inventory`: a registry's contents as Parquet files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from registry_s3fs.cli import clusters, progress
from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.places import registry
from registry_s3fs.cli.tables import URL, directory_place, rows, stored_tables
from registry_s3fs.model.text import counted, printable

if TYPE_CHECKING:
    from registry_s3fs.cli.output import Output

WRITTEN = (Column("table"), Column("rows", "number"))
TABLES = (
    *("blobs", "manifests", "revisions", "references", "tags", "tag_history", "layers", "repositories"),
    *("uploads", "problems", "snapshot"),
)
TEXT = """\
The registry is listed once, flat, and each tag's link and each manifest is read once; no layer is read. Each table is
a folder of Parquet files below OUT, for pandas, duckdb, dask, or the other commands' --from. What is there is
replaced once the new inventory is whole."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "inventory", _inventory, "write the registry's contents as tables, in Parquet", TEXT,
        words="[URL] OUT", examples=(
            "inventory --config config.yml ./inventory",
            "inventory --config config.yml --previous ./inventory ./inventory",
            "inventory registrys3://my-bucket registrys3://reports/today --configs",
            "inventory --config config.yml --dask tcp://scheduler:8786 registrys3://reports/today",
        ),
    )  # fmt: skip
    parser.add_argument(
        "--previous", metavar="DIR", help="an earlier inventory: what has not changed is not read again"
    )
    parser.add_argument(
        "--s3-inventory", metavar="MANIFEST", help="the manifest.json of S3's own report, for the listing"
    )
    parser.add_argument("--configs", action="store_true", help="read the images' configs, too: `created`, platforms")
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="a scheduler of dask.distributed, whose workers list and read the registry"
    )
    parser.add_argument("words", nargs="+", metavar="[URL] OUT", help=f"the directory to write to; before it {URL}")


def _inventory(arguments: argparse.Namespace) -> None:
    if len(arguments.words) > 2:
        arguments.parser.error("one directory to write to, please, and before it the registry's URL")
    out = output(arguments, WRITTEN)
    *url, target = arguments.words
    found = registry(url[0] if url else None, arguments)
    previous = stored_tables(arguments.previous, arguments) if arguments.previous else None
    from registry_s3fs.registry.inventory import inventory
    from registry_s3fs.registry.s3_inventory import Report

    place = directory_place(target, arguments)  # before hours of listing
    listing = directory_place(arguments.s3_inventory, arguments) if arguments.s3_inventory else None
    with clusters.client(arguments.dask) as client, progress.of_steps(arguments) as told:
        tables = inventory(
            found.fs,
            root=found.root,
            previous=previous,
            s3_inventory=Report(listing.path, listing.fs) if listing else None,
            configs=arguments.configs,
            client=client,
            progress=told,
        )
        tables.write(place.path, place.fs, client)
    written: list[Row] = [{"table": name, "rows": getattr(tables, name).num_rows} for name in TABLES]
    (snapshot,) = rows(tables.snapshot)
    document = {**snapshot, "directory": target, "tables": {row["table"]: row["rows"] for row in written}}
    out.document(document, written, WRITTEN, _lines(out, snapshot, written, target))


def _lines(out: Output, snapshot: Row, written: list[Row], target: str) -> Iterator[str]:
    counts = {str(row["table"]): int(str(row["rows"])) for row in written}
    size = out.size(int(str(snapshot["bytes"])))
    yield printable(f"{target}: {counted(int(str(snapshot['keys'])), 'key')}, {size}")
    told = {
        "repositories": "repository",
        **{f"{noun}s": noun for noun in ("tag", "manifest", "blob", "upload", "problem")},
    }
    yield ", ".join(counted(counts[name], noun) for name, noun in told.items())
