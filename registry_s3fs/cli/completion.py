"""The command `completion`: the script by which a shell completes the command's words. shtab makes it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from registry_s3fs.cli.options import PROGRAM, Commands

TEXT = f"""\
Bash takes it from a file of that name, for the next shells:

  {PROGRAM} completion bash > ~/.local/share/bash-completion/completions/{PROGRAM}

Zsh takes it from a file `_{PROGRAM}` in any folder of its $fpath, fish from ~/.config/fish/completions/{PROGRAM}.fish.
It needs the extra `completion`."""
FILES = frozenset(("FILE", "DIR", "SRC", "DST", "LOCAL", "OUT", "OUT.html", "INVENTORY_DIR"))
"""What the help calls that which may be a local file or folder."""


def add(commands: Commands) -> None:
    """Add the command."""
    examples = ("completion bash",)
    summary = "print the script by which a shell completes commands and options"
    parser = commands.add("completion", run, summary, TEXT, words="SHELL", examples=examples)
    shells = "bash, zsh, fish, tcsh, or another that the installed shtab knows"
    parser.add_argument("shell", choices=_Shells(), metavar="SHELL", help=shells)


class _Shells:
    """The shells that the installed shtab knows, which is imported where they are asked for."""

    def __iter__(self) -> Iterator[str]:
        import shtab

        return iter(shtab.SUPPORTED_SHELLS)


def run(arguments: argparse.Namespace) -> None:
    """Print the script."""
    import shtab

    for parser in _parsers(arguments.whole):
        for action in parser._actions:
            if not FILES.isdisjoint(re.findall(r"[\w.]+", str(action.metavar))):
                setattr(action, "complete", shtab.FILE)  # noqa: B010  # argparse's class has no such attribute
    print(shtab.complete(arguments.whole, arguments.shell))


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Give a parser, and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _parsers(each)
