"""The samples in docs/commands.md, made by running them: `python -m tests.unit.cli.commands_page` writes the page.

Each is run on the registry that `sample.py` makes, as if on a terminal. `--config config.yml` names it.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timedelta, timezone
from pathlib import Path

import fsspec

from registry_s3fs.cli.main import main
from registry_s3fs.model.registry_layout import ROOT
from tests.registries import MadeRegistry
from tests.unit.cli.sample import make_sample

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"
SAMPLE = re.compile(r"(```console\n)(.*?)(```)", re.DOTALL)
"""A sample is what is between these, with commands behind dollar signs."""
AGE = re.compile(r"\b\d{3,}d\b")
"""How old an upload is depends on when the page is made."""
PATH = re.compile(r"--config config.yml( .*)? (?=/docker)")
"""A path in the bucket that the configuration names."""
TOP = "/srv-of-the-page"
"""Where the registry is. The page has it as if it were at the root of a bucket."""
FIRST = datetime(2024, 3, 1, 9, 30, tzinfo=timezone.utc)


class Terminal(io.StringIO):
    """A terminal that keeps what it is given."""

    def isatty(self) -> bool:
        return True


class DatedRegistry(MadeRegistry):
    """A registry whose files were written one after the other, always at the same times."""

    written = 0

    def write(self, path: str, data: bytes) -> str:
        super().write(path, data)
        self.written += 1
        self.set_modified(path, FIRST + timedelta(hours=self.written))
        return path


@contextmanager
def folder_of_its_own() -> Iterator[None]:
    """In the block, the current directory is an empty one."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def page(text: str) -> str:
    """Give the page with what its commands print now."""
    fs = fsspec.filesystem("memory")
    try:
        make_sample(DatedRegistry(fs, TOP + ROOT))
        with folder_of_its_own():
            return SAMPLE.sub(lambda found: found[1] + _sample(found[2], f"memory:/{TOP}") + found[3], text)
    finally:
        fs.rm(TOP, recursive=True)


def _sample(text: str, url: str) -> str:
    commands = [line.removeprefix("$ registry-s3fs ") for line in text.splitlines() if line.startswith("$ ")]
    return "".join(f"$ registry-s3fs {command}\n{_output(command, url)}" for command in commands)


def _output(command: str, url: str) -> str:
    terminal = Terminal()
    command = re.sub("(--config )?config.yml", url, PATH.sub(rf"\1 {url}", command))
    words = shlex.split(command)
    with redirect_stdout(terminal):
        status = main(words)
    return AGE.sub("693d", terminal.getvalue().replace(TOP, "")) + (f"(status {status})\n" if status else "")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
