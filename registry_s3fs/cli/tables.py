"""Which registry's tables a command works on: an inventory's, or those of a registry that is listed now."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from registry_s3fs.cli import progress
from registry_s3fs.cli.columns import Row
from registry_s3fs.cli.options import Commands, Runner, add_inventory
from registry_s3fs.cli.places import Place, Registry, is_url, local_place, place, registry

if TYPE_CHECKING:
    import pyarrow as pa

    from registry_s3fs.registry.tables import Tables

ROWS_AT_ONCE = 8192
URL = "a URL of the registry's storage, where neither --config nor -o names it"


def add_command(
    commands: Commands,
    name: str,
    run: Runner,
    summary: str,
    text: str = "",
    *,
    words: str = "",
    meaning: str = "",
    examples: Sequence[str] = (),
) -> argparse.ArgumentParser:
    """Return the parser of a new command on a registry's contents. Its URL may stand anywhere among its words."""
    parser = commands.add(name, run, summary, text, words=f"[URL] {words}", examples=examples)
    add_inventory_words(parser, words, meaning)
    return parser


def add_inventory_words(parser: argparse.ArgumentParser, words: str = "", meaning: str = "") -> None:
    """Add the words of a command that can read an inventory in the registry's place."""
    add_inventory(parser)
    add_words(parser, words, meaning)


def add_words(parser: argparse.ArgumentParser, words: str = "", meaning: str = "") -> None:
    """Add the words of a command on a registry's contents, among which the registry's URL may be."""
    text = f"{meaning}; and {URL}" if meaning else URL
    parser.add_argument("words", nargs="*", metavar=f"[URL] {words}".strip(), help=text)


def words_of(arguments: argparse.Namespace, least: int = 0, most: int | None = None) -> list[str]:
    """Return a command's words without the registry's URL. End with status 2 where there are too few or too many."""
    words = [word for word in arguments.words if not is_url(word)]
    urls = len(arguments.words) - len(words)
    if urls > 1 or len(words) < least or (most is not None and len(words) > most):
        arguments.parser.error("one registry, please" if urls > 1 else _count_problem(len(words), least, most))
    return words


def _count_problem(count: int, least: int, most: int | None) -> str:
    return f"{count} names are given; the command takes {least if least == most else f'{least} or more'}"


def is_registry_named(arguments: argparse.Namespace) -> bool:
    """Return whether a URL or the options name a registry, with an inventory or without."""
    return bool(arguments.config or arguments.options or any(map(is_url, arguments.words)))


def registry_of(arguments: argparse.Namespace) -> Registry:
    """Return the registry that a URL among a command's words, or the options name."""
    return registry(_url_of(arguments), arguments)


def _url_of(arguments: argparse.Namespace) -> str | None:
    return next(filter(is_url, arguments.words), None)


def tables_of(arguments: argparse.Namespace) -> Tables:
    """Return the tables of an inventory, if one is named, else those of the registry as it is now."""
    return tables_at(_url_of(arguments), arguments)


def tables_at(url: str | None, arguments: argparse.Namespace) -> Tables:
    """Return the same, where it is known which word is the registry's URL."""
    if arguments.inventory:
        return stored_tables(arguments.inventory, arguments)
    from registry_s3fs.registry.inventory import inventory

    found = registry(url, arguments)
    with progress.of_steps(arguments) as told:
        return inventory(found.fs, root=found.root, progress=told)


def stored_tables(directory: str, arguments: argparse.Namespace) -> Tables:
    """Return the tables of an inventory's directory, each of which is read when it is asked for."""
    from registry_s3fs.registry.tables import Tables

    found = directory_place(directory, arguments)
    return Tables.read(found.path, found.fs)


def directory_place(word: str, arguments: argparse.Namespace) -> Place:
    """Return the place of an inventory: a URL, or a local directory."""
    return place(word, arguments) if is_url(word) else local_place(word)


def rows(table: pa.Table) -> list[Row]:
    """Return the rows of a table; maps are dicts."""
    names = table.schema.names
    return [dict(zip(names, row, strict=True)) for row in zip(*(_values(table[name]) for name in names), strict=True)]


def iter_rows(table: pa.Table) -> Iterator[Row]:
    """Yield the rows of a table, of which few at a time are Python objects."""
    for first in range(0, table.num_rows, ROWS_AT_ONCE):
        yield from rows(table.slice(first, ROWS_AT_ONCE))


def _values(column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa

    from registry_s3fs.registry.columns import times

    if pa.types.is_timestamp(column.type):
        return list(times(column))
    values: list[Any] = column.to_pylist()
    return [dict(each or ()) for each in values] if pa.types.is_map(column.type) else values


def where(table: pa.Table, **values: object) -> pa.Table:
    """Return the rows of a table whose columns have these values."""
    import pyarrow.compute as pc

    for name, value in values.items():
        table = table.filter(pc.equal(table[name], value))
    return table


def among(table: pa.Table, values: Collection[str], column: str = "digest") -> pa.Table:
    """Return the rows of a table whose column has one of these values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.is_in(table[column], value_set=pa.array(sorted(values), pa.string())))


def matching(names: Iterable[str], pattern: str | None) -> list[str]:
    """Return the names that a pattern matches, by default all; ``*`` stands for slashes, too.

    >>> matching(["team/app", "team/sub/worker", "math"], "team/*")
    ['team/app', 'team/sub/worker']
    """
    return [name for name in names if pattern is None or fnmatchcase(name, pattern)]
