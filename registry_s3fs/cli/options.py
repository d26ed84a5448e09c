"""The options that all commands share, and the help that all have."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence

from registry_s3fs.cli import values
from registry_s3fs.cli.columns import Column, Style
from registry_s3fs.cli.output import FORMATS, Output, Sorting

Runner = Callable[[argparse.Namespace], int | None]
"""Carries a command out, and returns the exit status, or None for 0."""
PROGRAM = "registry-s3fs"
SECRETS = """\
Credentials are never given on the command line, where others on this machine can read them. They come from
boto3's own chain (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, an instance's role), from --config
and the REGISTRY_STORAGE_S3_* variables that override it, or by --secret-from-env from any variable."""
STATUSES = "Exit status: 0 good, 1 error, 2 wrong usage, 3 problems found, 130 interrupted."


class Commands:
    """The commands of the parser, each with the common options."""

    def __init__(
        self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
    ) -> None:
        self._subparsers = subparsers
        self._common = common

    def add(
        self,
        name: str,
        run: Runner,
        summary: str,
        text: str = "",
        *,
        words: str,
        examples: Sequence[str] = (),
        has_help_letter: bool = True,
    ) -> argparse.ArgumentParser:
        """Return the parser of a new command.

        Args:
            name: The command's name.
            run: What it does.
            summary: One line for the list of commands.
            text: What the command's own help says below that.
            words: What stands behind the command and its options.
            examples: Command lines without the program's name.
            has_help_letter: False where ``-h`` means human-readable sizes, as in du(1).
        """
        parser = self._subparsers.add_parser(
            name,
            help=summary,
            usage=f"%(prog)s [options] {words}".strip(),
            description=f"{summary[0].upper()}{summary[1:]}.\n\n{text}".strip(),
            epilog=_examples(examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=has_help_letter,
            allow_abbrev=False,
            parents=[self._common],
        )
        if not has_help_letter:
            parser.add_argument("--help", action="help", help="show this help, and exit")
        parser.set_defaults(run=run, parser=parser)
        return parser

    def group(self, name: str, summary: str, text: str) -> Commands:
        """Return the commands of a new group, such as `uploads`."""
        parser = self._subparsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.\n\n{text}",
            epilog=_examples(()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        return Commands(parser.add_subparsers(required=True, metavar="COMMAND", title="commands"), self._common)


def _examples(examples: Sequence[str]) -> str:
    lines = [f"  {PROGRAM} {each}" for each in examples]
    return "\n".join([*(["examples:", *lines, ""] if lines else []), SECRETS, "", STATUSES])


DEFAULTS: Mapping[str, object] = {
    "config": None,
    "options": [],
    "inventory": None,
    "format": None,
    "bytes": False,
    "sort": None,
    "limit": None,
    "quiet": False,
}
"""The common options where none is given."""


def common_options() -> argparse.ArgumentParser:
    """Return the parser of the options that all commands share, and that may stand before the command, too."""
    parser = argparse.ArgumentParser(
        PROGRAM,
        "%(prog)s [options] COMMAND ...",
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    group = parser.add_argument_group("which registry")
    group.add_argument("--config", metavar="FILE", help="a registry's config.yml, to take the storage parameters from")
    group.add_argument(
        "-o", "--option", dest="options", metavar="NAME=VALUE", action="append", type=values.option,
        help="a storage parameter, such as region=eu-central-1; repeatable; secrets are refused here",
    )  # fmt: skip
    group.add_argument(
        "--secret-from-env", dest="options", metavar="NAME", action="append", type=values.secret_from_env,
        help="the variable of the environment that holds the secretkey, or PARAMETER=VARIABLE; repeatable",
    )  # fmt: skip
    _add_output(parser.add_argument_group("output"))
    return parser


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format", choices=FORMATS, help="table (the default) or tree for people; json, jsonl and csv for programs"
    )
    group.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    group.add_argument("--bytes", action="store_true", help="sizes in bytes, on a terminal too")
    group.add_argument(
        "--sort", type=values.sorting, metavar="COLUMN", help="sort by a column of the JSON; COLUMN:asc or COLUMN:desc"
    )
    group.add_argument("--limit", type=values.count, metavar="N", help="only the first N rows")
    group.add_argument("-q", "--quiet", action="store_true", help="names alone, and no progress or remarks")


def add_inventory(parser: argparse.ArgumentParser) -> None:
    """Add the option that names an inventory to read in place of the registry."""
    parser.add_argument(
        "--from", dest="inventory", metavar="INVENTORY_DIR",
        help="read the tables that `inventory` wrote there, instead of listing the registry",
    )  # fmt: skip


def output(arguments: argparse.Namespace, columns: Sequence[Column], *, iec: bool = False) -> Output:
    """Return the output that the options ask for.

    Args:
        arguments: The options.
        columns: The columns that rows can be sorted by.
        iec: Sizes in IEC units wherever the output goes.
    """
    is_terminal = sys.stdout.isatty()
    style = Style(iec=iec or (is_terminal and not arguments.bytes), short_digests=is_terminal)
    if arguments.sort:
        check_column(arguments, arguments.sort, columns)
    return Output(arguments.format or "table", style, arguments.sort, arguments.limit, arguments.quiet)


def check_column(arguments: argparse.Namespace, asked: Sorting, columns: Sequence[Column]) -> None:
    """End with status 2 where there is no such column to sort by."""
    names = [column.name for column in columns]
    if asked.column not in names:
        close = difflib.get_close_matches(asked.column, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
        arguments.parser.error(f"--sort: there is no column {asked.column!r}; {hint}")
