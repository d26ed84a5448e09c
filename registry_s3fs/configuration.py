"""A registry's own configuration as driver parameters: its ``config.yml`` and ``REGISTRY_STORAGE_S3_*`` variables.

The registry reads ``storage: s3:`` (or ``s3aws:``) and lets variables named after the path of a
key override it (https://distribution.github.io/distribution/about/configuration/).
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from typing import Any

import yaml

DRIVERS = ("s3", "s3aws")
BESIDE_THE_DRIVER = frozenset(("cache", "delete", "maintenance", "redirect", "tag"))
"""Keys of ``storage:`` that configure no driver."""


def read(
    path: str | os.PathLike[str], environ: Mapping[str, str], names: Iterable[str], numbers: Container[str]
) -> dict[str, Any]:
    """The S3 driver's parameters of a registry whose configuration file is `path`.

    `names` are those that a variable may override, `numbers` the ones among them that are numbers. Other
    variables are ignored: Kubernetes makes some that look alike.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no registry configuration, or its storage is not S3.
    """
    driver, block = _driver_block(_storage(_load(path), environ), os.fspath(path))
    overrides = {
        name: _value(environ[variable], is_number=name in numbers)
        for name in names
        if (variable := f"REGISTRY_STORAGE_{driver.upper()}_{name.upper()}") in environ
    }
    return {**block, **overrides}


def _value(text: str, *, is_number: bool) -> Any:
    """A variable's value: booleans and numbers as in YAML, nothing as None (the default), all else as text.

    The registry reads text as YAML too, so that ``0123`` is 83 there.
    """
    found = _yaml(text)
    return found if found is None or isinstance(found, bool) or (is_number and isinstance(found, int)) else text


def _yaml(text: str) -> Any:
    """What a variable says in YAML, or the text itself where it is none, as many a secret key."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _storage(content: Any, environ: Mapping[str, str]) -> Any:
    """The section ``storage:``, which ``REGISTRY_STORAGE`` replaces; just a driver's name will do."""
    storage = content.get("storage") if isinstance(content, dict) else None
    if storage is not None and "REGISTRY_STORAGE" in environ:
        storage = _yaml(environ["REGISTRY_STORAGE"])
    return {storage: {}} if isinstance(storage, str) else storage


def _load(path: str | os.PathLike[str]) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{os.fspath(path)}: not a YAML file: {_place(error)}") from None


def _place(error: Exception) -> str:
    """Where the file is wrong, without its text, which may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else type(error).__name__


def _driver_block(storage: Any, path: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(storage, dict):
        raise ValueError(f"{path}: no registry configuration; it has no 'storage:' section")
    drivers = [name for name in storage if name not in BESIDE_THE_DRIVER]
    if len(drivers) != 1 or drivers[0] not in DRIVERS:
        found = ", ".join(map(repr, drivers)) or "none"
        raise ValueError(f"{path}: storage: has {found}, but exactly one of {' and '.join(DRIVERS)} is needed")
    block = storage[drivers[0]] or {}
    if not isinstance(block, dict):
        raise ValueError(f"{path}: storage: {drivers[0]}: has no parameters below it")
    return drivers[0], block
