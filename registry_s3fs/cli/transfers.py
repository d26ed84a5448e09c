"""The commands that move and delete files: `cp`, `get`, `put` and `rm`."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from registry_s3fs import errors
from registry_s3fs.cli import progress
from registry_s3fs.cli.columns import Row
from registry_s3fs.cli.files import (
    COPY_BYTES,
    FILE,
    WHERE,
    file_row,
    is_pattern,
    matches,
    pages_below,
    size_of,
)
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.places import Place, local_place, place, place_or_local
from registry_s3fs.model.info import is_directory
from registry_s3fs.model.text import counted

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

STANDARD = "-"
"""Standard input or output, in the place of a local file."""


def add(commands: Commands) -> None:
    """Add the commands."""
    parser = commands.add(
        "cp", _cp, "copy files within a bucket, or from one filesystem to another",
        "A path is one of this machine, where nothing names a bucket.", words="SRC... DST", examples=(
            "cp --config config.yml /reports/today.csv /reports/old/",
            "cp -r registrys3://my-bucket/docker file:///backup/ -o region=eu-central-1",
        ),
    )  # fmt: skip
    _add_recursive(parser, "copy directories with all that lies below them")
    parser.add_argument("sources", nargs="+", metavar="SRC", help=WHERE)
    parser.add_argument("target", metavar="DST", help="a URL or path; a directory, if it ends in / or is one")
    parser = commands.add(
        "get", _get, "copy files to this machine", "A local file is replaced whole, or stays as it was.",
        words="URL... [LOCAL]", examples=(
            "get --config config.yml /docker/registry/v2/blobs/sha256/ab/abc.../data layer.tar.gz",
            "get -r registrys3://my-bucket/docker ./backup",
        ),
    )  # fmt: skip
    _add_recursive(parser, "get directories with all that lies below them")
    parser.add_argument("words", nargs="+", metavar="URL [LOCAL]", help=f"{WHERE}; LOCAL is a file, a directory or -")
    parser = commands.add(
        "put", _put, "copy files from this machine", "A file appears whole, or not at all.",
        words="LOCAL... URL", examples=(
            "put --config config.yml today.csv /reports/",
            "tar c folder | registry-s3fs put - registrys3://my-bucket/folder.tar",
        ),
    )  # fmt: skip
    _add_recursive(parser, "put directories with all that lies below them")
    parser.add_argument("sources", nargs="+", metavar="LOCAL", help="a local file or directory; - is standard input")
    parser.add_argument("target", metavar="URL", help="a URL or path; a directory, if it ends in / or is one")
    _add_rm(commands)


def _add_rm(commands: Commands) -> None:
    parser = commands.add(
        "rm", _rm, "delete files",
        "Without --yes nothing is deleted: what would be is listed.\n"
        "Images are deleted by the registry's API and its garbage-collect, not by their files.",
        words="URL...", examples=(
            "rm --config config.yml -r /docker/registry/v2/repositories/team/app/_uploads",
            "rm --config config.yml -r --yes /docker/registry/v2/repositories/team/app/_uploads",
        ),
    )  # fmt: skip
    _add_recursive(parser, "delete directories with all that lies below them")
    parser.add_argument("--yes", action="store_true", help="delete; without it, only list what would be deleted")
    parser.add_argument("paths", nargs="+", metavar="URL", help=WHERE)


def _add_recursive(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("-r", "-R", "--recursive", action="store_true", help=text)


def _cp(arguments: argparse.Namespace) -> None:
    sources = [place_or_local(word, arguments) for word in arguments.sources]
    target = _target(place_or_local(arguments.target, arguments), len(sources))
    for source in sources:
        _check(source, arguments.recursive)
        if source.fs == target.fs:
            source.fs.copy(source.path, target.path, recursive=arguments.recursive)
        else:
            _transfer(source, target, arguments)


def _get(arguments: argparse.Namespace) -> None:
    *words, last = arguments.words if len(arguments.words) > 1 else (*arguments.words, "./")
    sources = [place(word, arguments) for word in words]
    if last == STANDARD:
        for source in sources:
            for info in matches(source):
                with source.fs.open(info["name"], "rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer, COPY_BYTES)
        return
    target = _target(local_place(last), len(sources))
    for source in sources:
        _check(source, arguments.recursive)
        _transfer(source, target, arguments)


def _put(arguments: argparse.Namespace) -> None:
    target = place(arguments.target, arguments)
    if arguments.sources == [STANDARD]:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "standard input is closed")
        with target.fs.open(target.path, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, COPY_BYTES)
        return
    target = _target(target, len(arguments.sources))
    for word in arguments.sources:
        source = local_place(word)
        _check(source, arguments.recursive)
        _transfer(source, target, arguments)


def _target(target: Place, sources: int) -> Place:
    """Return the target, which is a directory where several sources go to it."""
    return target._replace(path=target.path.rstrip("/") + "/") if sources > 1 else target


def _check(source: Place, recursive: bool) -> None:
    """Raise the error of a source that is missing, or is a directory without `recursive`."""
    (first, *_) = matches(source)
    if not recursive and is_directory(first) and not is_pattern(source):
        _refuse_directory(source.path)


def _refuse_directory(path: str) -> NoReturn:
    raise errors.is_directory(path, "a directory needs --recursive")


def _transfer(source: Place, target: Place, arguments: argparse.Namespace) -> None:
    with progress.of_transfer(arguments, os.path.basename(source.path.rstrip("/"))) as callback:
        if _is_local(source.fs):
            target.fs.put(source.path, target.path, recursive=arguments.recursive, callback=callback)
        elif _is_local(target.fs):
            source.fs.get(source.path, target.path, recursive=arguments.recursive, callback=callback)
        else:
            _copy_through(source, target, arguments.recursive)


def _is_local(fs: AbstractFileSystem) -> bool:
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


def _copy_through(source: Place, target: Place, recursive: bool) -> None:
    """Copy files through this machine, from one filesystem to another that is not local either."""
    from registry_s3fs.filesystem import path_pairs

    names = _files_named(source, recursive)
    goals = path_pairs.targets(source.fs, names, source.path, is_pattern(source), target.path, target.fs.isdir)
    for name, to in zip(names, goals, strict=True):
        target.fs.makedirs(os.path.dirname(to), exist_ok=True)
        with source.fs.open(name, "rb") as reader, target.fs.open(to, "wb") as writer:
            shutil.copyfileobj(reader, writer, COPY_BYTES)


def _files_named(source: Place, recursive: bool) -> list[str]:
    return [str(row["name"]) for row in _to_delete(source, recursive)]


def _rm(arguments: argparse.Namespace) -> None:
    found = [place(word, arguments) for word in arguments.paths]
    rows = [row for each in found for row in _to_delete(each, arguments.recursive)]
    if arguments.yes:
        for each in found:
            _delete(each, arguments.recursive)
    out = output(arguments, FILE)
    total = sum(map(size_of, rows))
    told = f"{counted(len(rows), 'file')}, {out.size(total)}"
    done = f"deleted: {told}" if arguments.yes else f"would be deleted: {told}; nothing was, without --yes"
    is_said = arguments.yes and out.is_for_people and not out.is_quiet
    out.rows([] if is_said else rows, FILE, [done], name="name", has_heading=False)


def _to_delete(found: Place, recursive: bool) -> Sequence[Row]:
    """Return the files that a path or pattern names, and with `recursive` those below directories."""
    rows: list[Row] = []
    for info in matches(found):
        if not is_directory(info):
            rows.append(file_row(info))
        elif recursive:
            below = pages_below(found._replace(path=info["name"]))
            rows += [file_row(each) for page in below for each in page]
        elif not is_pattern(found):
            _refuse_directory(found.path)
    return rows


def _delete(found: Place, recursive: bool) -> None:
    if not is_pattern(found):
        found.fs.rm(found.path, recursive=recursive)
        return
    names = [info["name"] for info in matches(found) if recursive or not is_directory(info)]
    if names:
        found.fs.rm(names, recursive=recursive)
