"""The command `du`: bytes below directories, also as a file that ncdu shows."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from operator import itemgetter
from typing import NamedTuple, TextIO

from registry_s3fs.cli import progress
from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.files import Info, pages_below, size_of, tops
from registry_s3fs.cli.options import PROGRAM, Commands, output
from registry_s3fs.cli.places import Place, place
from registry_s3fs.model.info import modified

DU = (Column("size", "bytes"), Column("name"), Column("files", "number", shown=False))
NCDU_VERSION = (1, 2)
"""The version of ncdu's format (https://dev.yorhel.nl/ncdu/jsonfmt)."""


class Usage(NamedTuple):
    """What lies below a directory, or the size of a file."""

    size: int
    files: int


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "du", _du, "sum up the bytes below a directory",
        "Without --max-depth, one line for each URL. Directories come before the one that holds them, as in du(1).",
        words="URL...", examples=(
            "du -h --max-depth 2 --config config.yml /docker/registry/v2",
            "du --ncdu registry.json registrys3://my-bucket/docker/registry/v2 && ncdu -f registry.json",
        ), has_help_letter=False,
    )  # fmt: skip
    parser.add_argument("-h", dest="human", action="store_true", help="sizes in KiB, MiB, GiB wherever they go")
    parser.add_argument("-d", "--max-depth", type=int, metavar="N", help="a line for each directory down to N levels")
    parser.add_argument("-s", action="store_const", const=0, dest="max_depth", help="the same as --max-depth 0")
    parser.add_argument("--ncdu", metavar="FILE", help="write what ncdu -f FILE shows; - is standard output")
    parser.add_argument("paths", nargs="+", metavar="URL", help="a URL, a path of the bucket, or a pattern")


def _du(arguments: argparse.Namespace) -> None:
    found = [top for word in arguments.paths for top in tops(place(word, arguments))]
    if arguments.ncdu:
        with progress.of_steps(arguments) as told:
            _export(found, arguments.ncdu, told)
        return
    rows: list[Row] = []
    with progress.of_steps(arguments) as told:
        for top in found:
            rows += _rows(top, max(arguments.max_depth or 0, 0), told)
    output(arguments, DU, iec=arguments.human).rows(rows, DU, name="name", has_heading=False)


def _rows(top: Place, max_depth: int, told: progress.Told) -> list[Row]:
    usages = usage_below(top.path, _infos(top, told), max_depth)
    return [{"name": name, **usages[name]._asdict()} for name in sorted(usages, key=_children_first)]


def _infos(top: Place, told: progress.Told) -> Iterator[Info]:
    count = 0
    for page in pages_below(top):
        yield from page
        count += len(page)
        told(f"listing {top.path}", count, None)


def _children_first(name: str) -> list[str]:
    """Return a key that sorts directories as du(1) shows them: a directory after all that it holds."""
    return [*name.rstrip("/").split("/"), "\U0010ffff"]


def usage_below(path: str, infos: Iterable[Info], max_depth: int) -> dict[str, Usage]:
    """Return what a directory and each directory down to `max_depth` levels below it holds.

    >>> usage_below("/a", [{"name": "/a/b/c", "size": 2}, {"name": "/a/d", "size": 3}], 1)
    {'/a': Usage(size=5, files=2), '/a/b': Usage(size=2, files=1)}
    """
    top = path.rstrip("/") or "/"
    found = {top: Usage(0, 0)}
    for info in infos:
        below = info["name"][len(top.rstrip("/")) :].strip("/").split("/")
        for count in range(min(max_depth, len(below) - 1) + 1):
            name = "/".join([top.rstrip("/"), *below[:count]]) or "/"
            had = found.get(name, Usage(0, 0))
            found[name] = Usage(had.size + size_of(info), had.files + 1)
    return found


def _export(found: list[Place], file: str, told: progress.Told) -> None:
    with nullcontext(sys.stdout) if file == "-" else open(file, "w", encoding="utf-8") as stream:
        _write_ncdu(stream, found, told)


def _write_ncdu(stream: TextIO, found: list[Place], told: progress.Told) -> None:
    """Write directories in ncdu's format. Several become one, as it knows only one."""
    about = {"progname": PROGRAM, "timestamp": int(time.time())}
    stream.write(f"[{NCDU_VERSION[0]},{NCDU_VERSION[1]},{json.dumps(about)},\n")
    trees = [",\n".join([_directory(top.path.rstrip("/") or "/"), *_entries(top, told)]) + "]" for top in found]
    stream.write(trees[0] if len(trees) == 1 else ",\n".join([_directory("/"), *trees]) + "]")
    stream.write("]\n")


def _directory(name: str) -> str:
    return f"[{json.dumps({'name': name})}"


def _entries(top: Place, told: progress.Told) -> list[str]:
    infos = sorted(_infos(top, told), key=itemgetter("name"))
    return list(ncdu_lines(top.path, infos))


def ncdu_lines(path: str, infos: Iterable[Info]) -> Iterator[str]:
    """Yield what lies below a directory, in the order of names, as ncdu has it: a directory is a list.

    >>> print(*ncdu_lines("/a", [{"name": "/a/b/c", "size": 2}, {"name": "/a/d", "size": 3}]), sep=",")
    [{"name": "b"},{"name": "c", "asize": 2, "dsize": 2}],{"name": "d", "asize": 3, "dsize": 3}
    """
    start = len(path.rstrip("/")) + 1
    opened: list[str] = []
    last = ""
    for info in infos:
        *directories, name = (info["name"][start:] or info["name"].rpartition("/")[2]).split("/")
        common = _common(opened, directories)
        if last:
            yield last + "]" * (len(opened) - common)
        for each in directories[common:]:
            yield _directory(each)
        opened, last = directories, json.dumps(_ncdu_file(name, info))
    if last:
        yield last + "]" * len(opened)


def _ncdu_file(name: str, info: Info) -> dict[str, object]:
    found: dict[str, object] = {"name": name, "asize": size_of(info), "dsize": size_of(info)}
    when = modified(info)
    return {**found, "mtime": int(when.timestamp())} if when else found


def _common(one: list[str], other: list[str]) -> int:
    """Return how many parts of two paths are the same, from the beginning."""
    count = 0
    for count, (mine, its) in enumerate(zip(one, other, strict=False), 1):
        if mine != its:
            return count - 1
    return count
