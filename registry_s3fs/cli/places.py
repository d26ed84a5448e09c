"""What the words of a command line name: a filesystem and a path in it, or a registry."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PROTOCOL = "registrys3"
REGISTRY_FOLDER = "/docker/registry/v2"
"""Where a registry has its files, below its rootdirectory."""
LOCAL = ("file://", "local://")
CONFIGS = (".yml", ".yaml")
"""How the name of a registry's configuration ends."""
WHICH = "give --config config.yml, -o bucket=..., or a URL such as registrys3://BUCKET or file:///srv/registry"


class Place(NamedTuple):
    """A path of a filesystem."""

    fs: AbstractFileSystem
    path: str
    word: str
    """How it was written."""


def is_url(word: str) -> bool:
    """Return whether a word is a URL, and no path or name.

    >>> is_url("memory://registry"), is_url("/docker/registry"), is_url("simplecache::registrys3://b/x")
    (True, False, True)
    """
    return "://" in word


def place(word: str, arguments: argparse.Namespace) -> Place:
    """Return the filesystem and the path of a URL, or of a path in the bucket or folder that the options name.

    A slash at the end of the word stays, as it asks for a directory.

    Raises:
        ValueError: The options name no bucket, or have a bad value.
        TypeError: An option has no known name.
    """
    fs, path = _foreign(word, arguments) if _is_foreign(word) else _ours(word, arguments)
    return Place(fs, path if path.endswith("/") or not word.endswith("/") else path + "/", word)


def _is_foreign(word: str) -> bool:
    return is_url(word) and not word.startswith(f"{PROTOCOL}://")


def _foreign(word: str, arguments: argparse.Namespace) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs

    options = {} if _names_ours(arguments) else dict(arguments.options)
    if word.startswith(LOCAL):
        options["auto_mkdir"] = True
    fs, path = url_to_fs(word, **options)
    return fs, str(path)


def _names_ours(arguments: argparse.Namespace) -> bool:
    """Return whether a command names a bucket of our own: then its options are for that.

    Another filesystem beside it has its own configuration, and need not know the words.
    """
    given = [each for value in vars(arguments).values() for each in (value if isinstance(value, list) else [value])]
    words = [each for each in given if isinstance(each, str)]
    is_named = bool(arguments.config) or "bucket" in dict(arguments.options)
    return is_named or any(word.startswith(f"{PROTOCOL}://") for word in words)


def _ours(word: str, arguments: argparse.Namespace) -> tuple[AbstractFileSystem, str]:
    folder = _local_folder(arguments.config) if arguments.config else None
    if folder is not None and not is_url(word):
        return local_place(folder).fs, f"{folder.rstrip('/')}/{word.lstrip('/')}"
    from registry_s3fs.filesystem.core import RegistryS3FileSystem

    named = RegistryS3FileSystem._get_kwargs_from_urls(word)
    configured = _configured(arguments.config, named.get("bucket")) if arguments.config and folder is None else {}
    fs = RegistryS3FileSystem(**{**configured, **dict(arguments.options), **named})
    return fs, str(fs._strip_protocol(word))


def _configured(config: str, bucket: str | None) -> dict[str, str]:
    """Return the options by which a configuration is read. The rootdirectory in it holds for its own bucket alone."""
    from registry_s3fs.config.parameters import read_config

    is_another = bucket is not None and str(bucket) != read_config(config).get("bucket")
    return {"config": config, **({"rootdirectory": ""} if is_another else {})}


def _local_folder(config: str) -> str | None:
    from registry_s3fs.config import registry_yml  # needs PyYAML, which other filesystems do without

    return registry_yml.local_folder(config)


def local_place(word: str) -> Place:
    """Return a local file or directory."""
    from fsspec.implementations.local import LocalFileSystem

    return Place(LocalFileSystem(auto_mkdir=True), word.removeprefix("file://"), word)


def place_or_local(word: str, arguments: argparse.Namespace) -> Place:
    """Return what `place` does, and a local path for a word that is no URL, where nothing names a bucket."""
    is_local = _is_local(word, arguments.config, arguments.options) and not _is_configured()
    return local_place(word) if is_local else place(word, arguments)


def _is_local(word: str, config: str | None, options: Sequence[tuple[str, str]]) -> bool:
    """Return whether a word is a path of this machine: it is no URL, and its options name no bucket."""
    return not is_url(word) and not config and "bucket" not in dict(options)


def _is_configured() -> bool:
    """Return whether fsspec's own configuration names a bucket or a registry's file."""
    from fsspec.config import conf

    return not conf.get(PROTOCOL, {}).keys().isdisjoint(("bucket", "config"))


class Registry(NamedTuple):
    """A filesystem, and the folder in which a registry has its files."""

    fs: AbstractFileSystem
    root: str


def registry(url: str | None, arguments: argparse.Namespace) -> Registry:
    """Return the registry that a URL or the options name.

    The URL names the registry's rootdirectory, or the folder ``docker/registry/v2`` in it.

    Raises:
        FileNotFoundError: There is no registry.
        ValueError: Nothing names a registry.
    """
    found, base = _named(url, arguments)
    root = _root(found.fs, base)
    if root is not None:
        return Registry(found.fs, root)
    raise FileNotFoundError(
        2, f"there is no registry; neither repositories nor blobs lie below {REGISTRY_FOLDER}", base or "/"
    )


def is_registry_in(fs: AbstractFileSystem, root: str) -> bool:
    """Return whether a folder has a registry's files."""
    return any(fs.isdir(f"{root}/{folder}") for folder in ("repositories", "blobs"))


def new_registry(url: str | None, arguments: argparse.Namespace) -> Registry:
    """Return the registry that a URL or the options name, which need not have anything yet.

    Raises:
        ValueError: Nothing names a registry.
    """
    found, base = _named(url, arguments)
    new = base if base.endswith(REGISTRY_FOLDER) else base + REGISTRY_FOLDER
    return Registry(found.fs, _root(found.fs, base) or new)


def one_side(word: str, config: str | None, options: Sequence[tuple[str, str]]) -> tuple[str, argparse.Namespace]:
    """Return what names one of two sides: its word, and the options for it alone.

    The word is a URL or a registry's configuration. A path is a local folder, where nothing names a bucket.
    """
    if not is_url(word) and word.endswith(CONFIGS):
        word, config = "/", word
    elif _is_local(word, config, options):
        word, options = f"file://{os.path.abspath(word)}", []
    return word, argparse.Namespace(config=config, options=options)


def _named(url: str | None, arguments: argparse.Namespace) -> tuple[Place, str]:
    if not url and not arguments.config and not arguments.options and not _is_configured():
        raise ValueError(f"no registry is named; {WHICH}")
    found = place(url or "/", arguments)
    return found, found.path.rstrip("/")


def _root(fs: AbstractFileSystem, base: str) -> str | None:
    for root in [base] if base.endswith(REGISTRY_FOLDER) else [base + REGISTRY_FOLDER, base]:
        if is_registry_in(fs, root):
            return root
    return None
