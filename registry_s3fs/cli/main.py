"""The command ``registry-s3fs``, which looks into a registry's storage from the shell."""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from registry_s3fs.cli import (
    completion,
    contents,
    disk_usage,
    files,
    freed,
    garbage,
    health,
    images,
    inventory,
    oci_layout,
    report,
    sync,
    transfers,
    uploads,
)
from registry_s3fs.cli.options import DEFAULTS, PROGRAM, SECRETS, STATUSES, Commands, common_options
from registry_s3fs.model.text import printable
from registry_s3fs.redaction import redact

GOOD, ERROR, USAGE, PROBLEMS, INTERRUPTED = 0, 1, 2, 3, 130
GROUPS = (
    contents,
    images,
    freed,
    garbage,
    health,
    uploads,
    inventory,
    report,
    sync,
    oci_layout,
    files,
    disk_usage,
    transfers,
    completion,
)
"""The modules whose commands there are, in the order in which the help lists them."""
EXTRAS = {
    **dict.fromkeys(
        ("pyarrow", "pandas", "rich"), "pip install 'registry-s3fs[registry]' brings what a registry's tables need"
    ),
    **dict.fromkeys(
        ("jinja2", "markupsafe", "squarify"), "pip install 'registry-s3fs[report]' brings what the report needs"
    ),
    "shtab": "pip install 'registry-s3fs[completion]' brings it",
}
"""What to do where a library is missing."""
TEXT = """\
Look into a Docker/OCI registry's storage, and at files in S3.

A place is a URL of any fsspec filesystem, such as registrys3://BUCKET/docker/registry/v2, file:///srv/registry
or memory://registry; or a path in the bucket that --config or -o names. `registry-s3fs COMMAND --help` has each
command's options with examples.

  registry-s3fs repos --config config.yml --sort fair
  registry-s3fs inventory --config config.yml ./inventory
  registry-s3fs freed --from ./inventory 'team/*' --keep-last 10 --older-than 90d
  registry-s3fs gc --dry-run --config config.yml"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return the exit status.

    The status is 0 if all is good, 1 with a message on standard error, 2 for wrong usage, 3 if problems were found, and
    130 if interrupted. SIGTERM and SIGHUP act as Ctrl-C does: what is half done is cleaned up.
    """
    if sys.stderr is None:  # closed, as by the shell's 2>&-
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # for as long as the process lives
    if sys.stdout is None:  # before anything is done of which nobody would read
        return _failed("standard output is closed", ERROR)
    _write_any_character()
    try:
        arguments = _parsed(argv)
        with _interrupted_by_signals(), _warnings_told():
            status = arguments.run(arguments)
            sys.stdout.flush()
    except SystemExit as end:  # argparse's, after the help or a message
        return end.code if isinstance(end.code, int) else GOOD
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _give_up_output()
        return ERROR
    except ImportError as error:
        return _failed("; ".join(filter(None, (str(error), EXTRAS.get(error.name or "")))), ERROR)
    except (OSError, ValueError, TypeError) as error:
        return _failed(str(error) or type(error).__name__, ERROR)
    except Exception as error:  # noqa: BLE001  # of any filesystem's library; a traceback could show its secrets
        return _failed(f"{type(error).__name__}: {error}", ERROR)
    return GOOD if status is None else int(status)


def _write_any_character() -> None:
    """Have characters that the terminal's encoding lacks written as escapes, not raised as errors."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _failed(text: str, status: int) -> int:
    """Say what went wrong, in a line that no name of the bucket can forge or break."""
    with suppress(OSError):
        print(f"{PROGRAM}: {printable(redact(text))}", file=sys.stderr)
    return status


def _give_up_output() -> None:
    """Have what is still to be written go nowhere, as nobody reads it: the interpreter writes it when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _Line(logging.Formatter):
    """Writes a record as one line that no name in it can forge."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return f"{PROGRAM}: {record.levelname.lower()}: {printable(redact(record.getMessage()))}"


@contextmanager
def _warnings_told() -> Iterator[None]:
    """Run the body; in it, what the package warns of is told on standard error, and with `loglevel` what it does."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    logger = logging.getLogger("registry_s3fs")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Run the body; in it, SIGTERM and SIGHUP raise `KeyboardInterrupt`, once.

    Further signals (timeout(1) sends two) are ignored until the process, which cleans up, has ended. A signal that was
    ignored from the start, as under nohup(1), stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():  # no other may set handlers
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def interrupt(number: int, frame: object) -> None:
        for each in taken:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            if signal.getsignal(number) is interrupt:
                signal.signal(number, signal.SIG_DFL)


class _Version(argparse.Action):
    """Shows the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *parsed: object) -> None:
        import registry_s3fs

        print(registry_s3fs.__version__)
        parser.exit()


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, of which the common ones may stand before the command or behind it."""
    common = common_options()
    given, rest = common.parse_known_args(argv, argparse.Namespace(**DEFAULTS))
    arguments, more = _parser(common).parse_known_args(rest, given)
    words = getattr(arguments, "words", None) or getattr(arguments, "paths", None)
    if more and (words is None or any(word.startswith("-") for word in more)):
        arguments.parser.error(f"unknown arguments: {' '.join(more)}")
    if words:
        words += more  # argparse takes no words that stand apart, with an option between
    return arguments


def _parser(common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROGRAM,
        description=TEXT,
        epilog=f"{SECRETS}\n\n{STATUSES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version, and exit")
    parser.set_defaults(whole=parser)
    commands = Commands(parser.add_subparsers(required=True, metavar="COMMAND", title="commands"), common)
    for group in GROUPS:
        group.add(commands)
    return parser
