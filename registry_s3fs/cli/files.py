"""The commands that look at files: `ls`, `find`, `cat` and `stat`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from stat import S_IFDIR, S_IFMT, S_IFREG, filemode
from typing import Any

from registry_s3fs import errors
from registry_s3fs.cli import values
from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.places import Place, place
from registry_s3fs.model.info import is_directory, modified

Info = Mapping[str, Any]
"""What a filesystem says of a file; each has its own keys and values, so they are Any."""
COPY_BYTES = 1024 * 1024
FILE = (
    *(Column("size", "bytes"), Column("modified", "time"), Column("name")),
    *(Column("type", shown=False), Column("storage_class", shown=False), Column("etag", shown=False)),
)
STAT = (
    *(Column("name"), Column("type"), Column("size", "bytes"), Column("modified", "time"), Column("etag")),
    *(Column("storage_class"), Column("content_type"), Column("encryption"), Column("key_id"), Column("metadata")),
    *(Column("mode"), Column("destination"), Column("digest"), Column("media_type")),
)
WHERE = "a URL, or a path in the bucket that --config or -o names; * ? [ ] make a pattern"


def add(commands: Commands) -> None:
    """Add the commands."""
    parser = commands.add(
        "ls", _ls, "list what lies in a directory", words="URL...", examples=(
            "ls registrys3://my-bucket/docker/registry/v2/repositories -o region=eu-central-1",
            "ls --config config.yml --sort size --limit 10 '/docker/registry/v2/repositories/team/*'",
        ), has_help_letter=False,
    )  # fmt: skip
    _add_human(parser)
    parser.add_argument("-l", action="store_true", help="taken, and without effect: sizes and times are always shown")
    parser.add_argument("paths", nargs="+", metavar="URL", help=WHERE)
    _add_find(commands)
    parser = commands.add(
        "cat", _cat, "write files to standard output", words="URL...", examples=(
            "cat --config config.yml /docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link",
        ),
    )  # fmt: skip
    parser.add_argument("paths", nargs="+", metavar="URL", help=WHERE)
    parser = commands.add("stat", _stat, "show all that is known of a file or directory", words="URL...")
    parser.add_argument("paths", nargs="+", metavar="URL", help=WHERE)


def _add_human(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-h", dest="human", action="store_true", help="sizes in KiB, MiB, GiB wherever they go")


def _add_find(commands: Commands) -> None:
    parser = commands.add(
        "find", _find, "list all files below a directory",
        "The files come in the order of their keys, as they are listed, or sorted with --sort.",
        words="URL...", examples=(
            "find --config config.yml --name link /docker/registry/v2/repositories",
            "find --config config.yml -l --larger-than 1G --older-than 90d /docker/registry/v2/blobs",
        ),
    )  # fmt: skip
    parser.add_argument("--name", metavar="PATTERN", help="only those whose last part matches, such as '*.json'")
    parser.add_argument("--type", choices=("f", "d"), default="f", help="files (the default) or directories")
    parser.add_argument("--max-depth", "--maxdepth", type=int, metavar="N", help="at most N levels below")
    parser.add_argument("--larger-than", type=values.size, metavar="SIZE", help="only files above it, such as 100M")
    parser.add_argument("--older-than", type=values.duration, metavar="AGE", help="only files changed before, as 90d")
    parser.add_argument("--newer-than", type=values.duration, metavar="AGE", help="only files changed since, as 12h")
    parser.add_argument("-l", "--long", action="store_true", help="with sizes and times")
    parser.add_argument(
        "-0", "--print0", action="store_true", help="names alone, each ended by a zero byte, for xargs -0"
    )
    parser.add_argument("paths", nargs="+", metavar="URL", help=WHERE)


def _ls(arguments: argparse.Namespace) -> None:
    rows = [row for word in arguments.paths for row in _listed(place(word, arguments))]
    out = output(arguments, FILE, iec=arguments.human)
    if out.is_for_people:
        rows = [_as_directory(row) if row["type"] == "directory" else row for row in rows]
    out.rows(rows, FILE, name="name", has_heading=False)


def _as_directory(row: Row) -> Row:
    """Return the row of a directory for people: a slash shows it, and it has no size."""
    return {**row, "name": f"{row['name']}/", "size": None}


def _listed(found: Place) -> list[Row]:
    infos = matches(found) if is_pattern(found) else found.fs.ls(found.path, detail=True)
    return sorted(map(file_row, infos), key=lambda row: str(row["name"]))


def is_pattern(found: Place) -> bool:
    """Return whether a path has wildcards, and there is no file or directory of that very name."""
    return any(each in found.path for each in "*?[") and not found.fs.exists(found.path)


def matches(found: Place) -> list[Info]:
    """Return the infos of what a path or pattern names.

    Raises:
        FileNotFoundError: It names nothing.
    """
    if not is_pattern(found):
        return [_info(found)]
    infos = found.fs.glob(found.path, detail=True)
    if not infos:
        raise errors.missing(found.path)
    return [infos[name] for name in sorted(infos)]


def _info(found: Place) -> Info:
    """Return the info of a path. Of a link to nothing, fsspec's local filesystem tells in listings alone."""
    is_link = getattr(found.fs, "islink", None)
    try:
        told: Info = found.fs.info(found.path)
    except FileNotFoundError:
        if is_link is None or not is_link(found.path):
            raise
        beside: list[Info] = found.fs.ls(found.path.rpartition("/")[0], detail=True)
        return next(info for info in beside if info["name"] == found.path)
    return told


def tops(found: Place) -> list[Place]:
    """Return a path, or the matches of a pattern."""
    return [found._replace(path=info["name"]) for info in matches(found)] if is_pattern(found) else [found]


def pages_below(found: Place, max_depth: int | None = None, *, with_directories: bool = False) -> Iterator[list[Info]]:
    """Yield the infos of all files below a path, as they are listed. Where the path is a file, it is the only one.

    Raises:
        FileNotFoundError: The path names nothing.
    """
    any_yet = False
    for page in _pages(found, max_depth, with_directories):
        any_yet = any_yet or bool(page)
        yield page
    if not any_yet and not found.fs.exists(found.path):
        raise errors.missing(found.path)


def _pages(found: Place, max_depth: int | None, with_directories: bool) -> Iterator[list[Info]]:
    if max_depth is None and not with_directories and hasattr(found.fs, "iter_find"):
        yield from found.fs.iter_find(found.path)
    else:
        infos = found.fs.find(found.path, maxdepth=max_depth, withdirs=with_directories, detail=True)
        yield [infos[name] for name in sorted(infos)]


def size_of(info: Info) -> int:
    """Return a file's size in bytes, 0 where its filesystem does not know it."""
    return info.get("size") or 0


def file_row(info: Info) -> Row:
    """Return what a listing tells of a file or directory, by the columns' names."""
    is_file = not is_directory(info)
    return {
        "name": str(info["name"]),
        "type": info.get("type", "file"),
        "size": info.get("size") if is_file else None,
        "modified": modified(info) if is_file else None,
        "storage_class": info.get("StorageClass"),
        "etag": info.get("ETag"),
    }


def _find(arguments: argparse.Namespace) -> None:
    rows = _found(arguments)
    out = output(arguments, FILE)
    if arguments.print0:
        for row in out.chosen(rows, FILE):
            sys.stdout.buffer.write(os.fsencode(str(row["name"])) + b"\0")
    elif arguments.long or not out.is_for_people or out.format == "tree":
        out.rows(rows, FILE, name="name", has_heading=False)
    else:
        out.names(out.chosen(rows, FILE), "name")


def _found(arguments: argparse.Namespace) -> Iterator[Row]:
    wants_directories = arguments.type == "d"
    for word in arguments.paths:
        for top in tops(place(word, arguments)):
            for page in pages_below(top, arguments.max_depth, with_directories=wants_directories):
                yield from map(file_row, (info for info in page if _is_wanted(info, arguments)))


def _is_wanted(info: Info, arguments: argparse.Namespace) -> bool:
    if is_directory(info) != (arguments.type == "d"):
        return False
    name = str(info["name"]).rstrip("/").rpartition("/")[2]
    if arguments.name and not fnmatchcase(name, arguments.name):
        return False
    if arguments.larger_than is not None and size_of(info) <= arguments.larger_than:
        return False
    return _has_age(info, arguments.older_than, arguments.newer_than)


def _has_age(info: Info, older_than: timedelta | None, newer_than: timedelta | None) -> bool:
    if older_than is None and newer_than is None:
        return True
    time = modified(info)
    if not time:
        return False
    age = datetime.now(timezone.utc) - time
    return (older_than is None or age > older_than) and (newer_than is None or age < newer_than)


def _cat(arguments: argparse.Namespace) -> None:
    for word in arguments.paths:
        found = place(word, arguments)
        for info in matches(found):
            with found.fs.open(info["name"], "rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer, COPY_BYTES)


def _stat(arguments: argparse.Namespace) -> None:
    rows = []
    for word in arguments.paths:
        found = place(word, arguments)
        rows += [_stat_row(_info(top)) for top in tops(found)]
    out = output(arguments, STAT)
    if out.format != "table" or out.is_quiet:
        out.rows(rows, STAT)
        return
    for row in rows:
        known = [column for column in STAT if row.get(column.name) not in (None, "", {})]
        out.lines(f"{column.name + ':':14} {out.cell(row[column.name], column)}" for column in known)


def _stat_row(info: Info) -> Row:
    row = dict(file_row(info))
    row.update(content_type=info.get("ContentType"), metadata=info.get("metadata"))
    row.update(encryption=info.get("ServerSideEncryption"), key_id=info.get("SSEKMSKeyId"))
    row.update({name: info.get(name) for name in ("destination", "digest", "media_type")})
    row.update(mode=_mode(info))
    return row


def _mode(info: Info) -> object:
    """Return the mode as `ls -l` writes it, or as the filesystem tells it where that is none of a file."""
    mode = info.get("mode")
    if not isinstance(mode, int) or not 0 <= mode < 2**16:
        return mode
    bits = S_IFDIR if is_directory(info) else S_IFREG
    return filemode(mode if S_IFMT(mode) else mode | bits)  # archives tell permissions alone
