"""A registry's own configuration as driver parameters: its ``config.yml`` and ``REGISTRY_STORAGE_S3_*`` variables.

The registry reads ``storage: s3:`` (or ``s3aws:``). A variable named after the path of a key overrides that key
(https://distribution.github.io/distribution/about/configuration/).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Container, Mapping, Sequence, Set

from registry_s3fs.config import yaml_text

DRIVERS = ("s3", "s3aws")
LOCAL_DRIVER = "filesystem"
DEFAULT_LOCAL_FOLDER = "/var/lib/registry"
"""Where the registry's driver ``filesystem`` keeps its files by default (Go: ``filesystem/driver.go``)."""
_NAME = re.compile(r"[\w.-]{1,20}")
BESIDE_THE_DRIVER = frozenset(("cache", "delete", "maintenance", "redirect", "tag"))
"""The keys of ``storage:`` that configure no driver."""


def read(
    path: str | os.PathLike[str], environ: Mapping[str, str], names: Collection[str], numbers: Container[str]
) -> dict[str, object]:
    """Return the S3 driver's parameters of a registry whose configuration file is `path`.

    `names` are the parameters that a variable may override. `numbers` are those among them that are numbers. Other
    variables are ignored, as Kubernetes sets some that look alike.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no registry configuration, or its storage is not S3.
    """
    variables = {driver: _variables(driver, environ, names) for driver in DRIVERS}
    brought = [driver for driver in DRIVERS if variables[driver] or _variable(driver) in environ]
    storage = _storage(_load(path), environ, brought)
    driver, section = _driver(storage, os.fspath(path))
    block = _overridden(section, _variable(driver), environ) or {}
    if not isinstance(block, dict):
        raise ValueError(f"{os.fspath(path)}: storage: {driver}: has no parameters below it")
    _check_single(block, os.fspath(path), driver)
    overrides = {name: _value(text, is_number=name in numbers) for name, text in variables[driver].items()}
    return {**block, **overrides}


def local_folder(path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the folder of a registry whose storage is ``filesystem``, or None where its storage is another.

    Raises:
        FileNotFoundError: There is no such configuration file.
        ValueError: The file is not YAML.
    """
    rootdirectory = environ.get(f"{_variable(LOCAL_DRIVER)}_ROOTDIRECTORY")
    is_brought = rootdirectory is not None or _variable(LOCAL_DRIVER) in environ
    storage = _storage(_load(path), environ, [LOCAL_DRIVER] if is_brought else [])
    if not isinstance(storage, dict) or _drivers(storage) != [LOCAL_DRIVER]:
        return None
    block = _overridden(storage[LOCAL_DRIVER], _variable(LOCAL_DRIVER), environ)
    found = rootdirectory or (block.get("rootdirectory") if isinstance(block, dict) else None)
    return str(found or DEFAULT_LOCAL_FOLDER)


def _variable(driver: str) -> str:
    return f"REGISTRY_STORAGE_{driver.upper()}"


def _variables(driver: str, environ: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the text of each variable for a driver's parameters, by the parameter's name."""
    named = {name: f"{_variable(driver)}_{name.upper()}" for name in names}
    return {name: environ[variable] for name, variable in named.items() if variable in environ}


def _overridden(value: object, variable: str, environ: Mapping[str, str]) -> object:
    """Return what a variable says, which replaces all that the file says there; without one, the file's value.

    Raises:
        ValueError: The variable is not YAML.
    """
    return yaml_text.load(environ[variable], variable) if variable in environ else value


def _value(text: str, *, is_number: bool) -> object:
    """Return the value of a parameter's variable, read as YAML.

    An empty text is None, which means the default. A text, a boolean, or a number where one is asked for is taken from
    YAML. For anything else, such as ``0123`` (83 to the registry), the text is returned unchanged. A parameter that
    takes a mapping reads it as YAML once more.
    """
    found = _yaml(text)
    return found if found is None or isinstance(found, (bool, str)) or (is_number and isinstance(found, int)) else text


def _yaml(text: str) -> object:
    """Return what a variable says in YAML, or the text itself where it is no YAML, as many a secret key."""
    try:
        return yaml_text.load(text, "")
    except yaml_text.UnreadableError:
        return text


def _storage(content: object, environ: Mapping[str, str], brought: Sequence[str]) -> object:
    """Return the section ``storage:`` of a configuration.

    The section may be just a driver's name. Where it has no driver, variables may bring one.
    """
    section = content.get("storage") if isinstance(content, dict) else None
    storage = _overridden(section, "REGISTRY_STORAGE", environ)
    if isinstance(storage, str):
        return {storage: {}}
    if brought and (storage is None or (isinstance(storage, dict) and not _drivers(storage))):
        return {**(storage or {}), **dict.fromkeys(brought)}
    return storage


def _drivers(storage: Mapping[str, object]) -> list[str]:
    return [name for name in storage if name not in BESIDE_THE_DRIVER]


def _driver(storage: object, path: str) -> tuple[str, object]:
    """Return the name of the one driver, and what the file says of it."""
    if not isinstance(storage, dict):
        raise ValueError(f"{path}: no registry configuration; it has no 'storage:' section")
    drivers = _drivers(storage)
    if len(drivers) != 1 or drivers[0] not in DRIVERS:
        found = ", ".join(map(_shown, drivers)) or "none"
        raise ValueError(f"{path}: storage: has {found}, but exactly one of {' and '.join(DRIVERS)} is needed")
    return drivers[0], storage[drivers[0]]


def _shown(name: object) -> str:
    """Return a driver's name as messages show it.

    What is no name is not shown, as it may be YAML with a secret in it.
    """
    return repr(name) if isinstance(name, str) and _NAME.fullmatch(name) else "what is no name"


def _load(path: str | os.PathLike[str]) -> object:
    with open(os.path.expanduser(path), encoding="utf-8") as file:
        return yaml_text.load(file, os.fspath(path))


def _check_single(block: Mapping[str, object], path: str, driver: str) -> None:
    """Raise `ValueError` where a value is nested.

    Only config_kwargs may be nested. It is refused where it is too large, or cyclic, so that looking at it would never
    end.
    """
    for name, value in block.items():
        if not isinstance(value, (Mapping, Sequence, Set)) or isinstance(value, str):
            continue
        if name != "config_kwargs":
            raise ValueError(f"{path}: storage: {driver}: {name}: takes one value, and there are several below it")
        if not yaml_text.is_small(value):
            raise ValueError(f"{path}: storage: {driver}: {name}: is too large, or contains itself")
