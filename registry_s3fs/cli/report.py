"""The command `report`: a registry's contents as one page of HTML."""

from __future__ import annotations

import argparse
import posixpath
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from registry_s3fs.cli import values
from registry_s3fs.cli.columns import Column
from registry_s3fs.cli.options import Commands, add_inventory, output
from registry_s3fs.cli.tables import URL, directory_place, tables_at
from registry_s3fs.model.text import counted, printable

if TYPE_CHECKING:
    from registry_s3fs.cli.places import Place

WRITTEN = (Column("page"), Column("bytes", "bytes"), Column("repositories", "number"), Column("problems", "number"))
TEXT = """\
The page needs no other file and no network: a picture and bars of what repositories weigh, growth by push, the largest
tags, what is left over, and problems. Its tables sort and filter. With --price, it tells what all that costs:
bytes / 2^30 x the price. There is no default price. What the page has no room for is linked, if --from names an
inventory."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "report", _report, "write one page of HTML that shows what the registry holds", TEXT,
        words="[URL] OUT.html", examples=(
            "report --from ./inventory report.html",
            "report --config config.yml --price 0.023 --currency USD report.html",
            "report --from registrys3://reports/today registrys3://reports/today.html",
        ),
    )  # fmt: skip
    add_inventory(parser)
    parser.add_argument("--price", type=values.price, metavar="PRICE", help="what a GiB costs, such as 0.023")
    parser.add_argument("--currency", type=values.currency, metavar="NAME", help="of the price, such as USD")
    parser.add_argument("words", nargs="+", metavar="[URL] OUT.html", help=f"the file to write; before it {URL}")


def _report(arguments: argparse.Namespace) -> None:
    *url, target = arguments.words
    if len(url) > 1 or (url and arguments.inventory):
        arguments.parser.error("one file to write, please, and before it one registry, or --from in its place")
    if arguments.currency and arguments.price is None:
        arguments.parser.error("--currency says of which money a --price is; there is none")
    out = output(arguments, WRITTEN)
    from registry_s3fs.registry.report.page import page
    from registry_s3fs.registry.report.price import Price

    place = directory_place(target, arguments)
    tables = tables_at(url[0] if url else None, arguments)
    price = None if arguments.price is None else Price(Decimal(arguments.price), arguments.currency or "")
    inventory = directory_place(arguments.inventory, arguments) if arguments.inventory else None
    data = page(tables, price, inventory and _link(place, inventory)).encode()
    place.fs.pipe_file(place.path, data)
    repositories = tables.repositories.num_rows
    stored = out.size(tables.snapshot["bytes"][0].as_py())
    row = {"page": target, "bytes": len(data), "repositories": repositories, "problems": tables.problems.num_rows}
    out.document(row, [row], WRITTEN, [printable(f"{target}: {counted(repositories, 'repository')}, {stored}")])


def _link(page: Place, directory: Place) -> str | None:
    """Return the link from the page to a directory of the same filesystem, which no browser takes for a script."""
    if page.fs != directory.fs:
        return None
    below, to = (str(each.fs._strip_protocol(each.path)) for each in (page, directory))
    return "./" + quote(posixpath.relpath(to.rstrip("/") or "/", posixpath.dirname(below) or "/"))
