"""The command ``registry-s3fs``, which looks into a registry's bucket from the shell."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import registry_s3fs
from registry_s3fs.filesystem.core import RegistryS3FileSystem


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return the exit status.

    The status is 0, or 1 with a message on standard error, or 130 if interrupted. SIGTERM and SIGHUP act as Ctrl-C
    does: what is half done is cleaned up.
    """
    arguments = _parser().parse_args(argv)
    try:
        with _interrupted_by_signals():
            arguments.run(_filesystem(arguments), arguments)
    except KeyboardInterrupt:
        print("registry-s3fs: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except (OSError, ValueError, TypeError) as error:
        print(f"registry-s3fs: {error}", file=sys.stderr)
        return 1
    return 0


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "registry-s3fs",
        description="Look into a registry's S3 storage. URLs: registrys3://BUCKET/docker/registry/v2/...",
    )
    parser.add_argument("--version", action="version", version=registry_s3fs.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, meaning in (
        ("ls", _ls, "what lies in a directory"),
        ("find", _find, "all files below a directory"),
        ("du", _du, "bytes below a directory"),
        ("cat", _cat, "a file's bytes, to standard output"),
    ):
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.add_argument(
            "url", help="registrys3://BUCKET/PATH; without BUCKET it comes from an option or the config"
        )
        command.add_argument("--config", help="a registry's config.yml, to take the parameters from")
        command.add_argument(
            "-o", dest="options", metavar="NAME=VALUE", action="append", default=[], type=_option,
            help="a driver parameter, such as region=eu-central-1; repeatable",
        )  # fmt: skip
        command.set_defaults(run=run)
    return parser


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _filesystem(arguments: argparse.Namespace) -> RegistryS3FileSystem:
    options = {**RegistryS3FileSystem._get_kwargs_from_urls(arguments.url), **dict(arguments.options)}
    if arguments.config:
        options["config"] = arguments.config
    return RegistryS3FileSystem(**options)


def _ls(fs: RegistryS3FileSystem, arguments: argparse.Namespace) -> None:
    for info in fs.ls(arguments.url):
        when = info["LastModified"].strftime("%Y-%m-%d %H:%M:%S") if "LastModified" in info else ""
        size = info["size"] if info["type"] == "file" else "-"
        print(f"{size:>14}  {when:19}  {info['name']}{'/' if info['type'] == 'directory' else ''}")


def _find(fs: RegistryS3FileSystem, arguments: argparse.Namespace) -> None:
    for name in fs.find(arguments.url):
        print(name)


def _du(fs: RegistryS3FileSystem, arguments: argparse.Namespace) -> None:
    sizes = fs.du(arguments.url, total=False)
    print(f"{sum(sizes.values())} bytes in {len(sizes)} files")


def _cat(fs: RegistryS3FileSystem, arguments: argparse.Namespace) -> None:
    with fs.open(arguments.url, "rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer, 1024 * 1024)
