"""The code of README.md and of the pages of the site, run as a reader would run it.

- A block of `python` is run, and all of a page in one namespace. A block of `text` below it is what it prints.
- A block whose first line is `# not run: REASON` is only compiled. Doctests are left to the page's own test.
- A block of `console` has commands behind dollar signs, and what they print; numbers and digests may differ.
- In a block of `sh`, the lines of registry-s3fs are run and must be understood. All other lines are left out.

Where a page names a store, moto's server takes its place. `python -m tests.documents.pages` writes what the commands of
the tutorial print into it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import boto3
import fsspec
import yaml

from demo import registry
from registry_s3fs.cli.main import USAGE, main
from testbed import servers
from testbed.servers import Server
from tests.unit.cli.commands_page import Terminal

HERE = Path(__file__).parents[2]
TUTORIAL = HERE / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"# not run: \w.*\n")
BUCKET, REGISTRY = "my-bucket", "my-registry"
"""What pages call a bucket with files, and the one that config.yml names."""
NAMED = re.compile(r"(?:\bbucket=\"|registrys3://)([a-z-]+)")
"""The buckets that a page speaks of."""
INSTEAD = {"/etc/docker/registry/config.yml": "config.yml", '"/backup/': '"backup/'}
"""What a page names, and what is in the current folder in its place."""


class Block(NamedTuple):
    """One block of code: its language, its text, and what the page says that it prints, if it says so."""

    language: str
    text: str
    printed: str | None


def blocks(text: str) -> list[Block]:
    """Give the blocks of a page that do something."""
    found = [(match[1], match[2], match.span()) for match in FENCE.finditer(text)]
    made = []
    for (language, code, (_, end)), after in zip(found, [*found, None][1:], strict=True):
        below = after is not None and after[0] == "text" and not text[end : after[2][0]].strip()
        if language in ("python", "console", "sh"):
            made.append(Block(language, code, after[1] if after and below else None))
    return made


def prepare(server: Server, text: str, environment: dict[str, str]) -> None:
    """Fill the buckets that a page speaks of, and write config.yml into the current folder."""
    for bucket in {BUCKET, REGISTRY, *NAMED.findall(text)}:
        server.create_bucket(bucket)
    environment.update(AWS_ACCESS_KEY_ID=servers.ACCESS_KEY, AWS_SECRET_ACCESS_KEY=servers.SECRET_KEY)
    fs = fsspec.filesystem("registrys3", **server.options(BUCKET))
    fs.pipe({"/data.parquet": registry.parquet(registry.builds()), "/reports/old.csv": b"a,b\n"})
    storage = {"s3": server.options(REGISTRY)}
    Path("config.yml").write_text(yaml.safe_dump({"version": 0.1, "storage": storage}))
    if "config" in text:
        registry.fill(fsspec.filesystem("registrys3", **server.options(REGISTRY)))


def here(code: str, server: Server) -> str:
    """Give a page's code with moto's server in the place of the stores that the page names."""
    host = server.endpoint.removeprefix("http://")
    for named, instead in {**INSTEAD, "localhost:5000": host, "localhost:9000": host}.items():
        code = code.replace(named, instead)
    return code


def run(code: str, names: dict[str, object]) -> str:
    """Run a block of Python, and give what it prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "page", "exec"), names)  # of our own page
    return output.getvalue()


def commands(block: Block) -> list[list[str]]:
    """Give the words of each command of registry-s3fs in a block."""
    lines = [line.removeprefix("$ ") for line in block.text.replace("\\\n", "").splitlines()]
    split = [shlex.split(line, comments=True) for line in lines if line.startswith("registry-s3fs ")]
    return [words[1:] for words in split]


def output(words: list[str]) -> str:
    """Give what a command prints on a terminal; what a page redirects goes into the file.

    Raises:
        ValueError: The command is not understood.
    """
    terminal, (words, _, file) = Terminal(), _redirected(words)
    with contextlib.redirect_stdout(terminal):
        status = main(words)
    if status == USAGE:
        raise ValueError(words)
    if file:
        Path(file).write_text(terminal.getvalue())
    return terminal.getvalue()


def _redirected(words: list[str]) -> tuple[list[str], str, str]:
    return (words[:-2], ">", words[-1]) if words[-2:-1] == [">"] else (words, "", "")


def console(block: Block, server: Server) -> str:
    """Give a block of `console` as its commands print it now."""
    lines = [line for line in block.text.splitlines() if line.startswith("$ ")]
    printed = [output(words) for words in commands(block._replace(text=here(block.text, server)))]
    return "".join(f"{line}\n{text}" for line, text in zip(lines, printed, strict=True))


def masked(text: str) -> str:
    """Give a text without what differs with time and with the versions of libraries."""
    text = re.sub(r"sha256:[0-9a-f]+", "DIGEST", text)
    return re.sub(r"[-\s]+", " ", re.sub(r"\d[\d.,:]*( [KMGT]?i?B\b|[smhdw]\b)?", "N", text))


@contextlib.contextmanager
def _folder_and_server() -> Iterator[Server]:
    before = Path.cwd()
    with servers.moto() as server, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield server
        finally:
            os.chdir(before)


def write_tutorial() -> None:
    """Write what the tutorial's commands print into it."""
    names: dict[str, object] = {}
    text = TUTORIAL.read_text(encoding="utf-8")
    with _folder_and_server() as server:
        prepare(server, text, os.environ)  # type: ignore[arg-type]  # a mapping of text to text, too
        boto3.DEFAULT_SESSION = None
        for block in blocks(text):
            if block.language == "python":
                run(here(block.text, server), names)
            elif block.language == "console":
                text = text.replace(block.text, console(block, server))
    TUTORIAL.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_tutorial()
