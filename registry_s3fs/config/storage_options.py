"""The storage options that the filesystem takes, for editors, type checkers and readers.

They are made from the table of parameters, or a test compares them with it.
"""

from __future__ import annotations

import html
import inspect
import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import MISSING, fields
from typing import TypedDict

from registry_s3fs.config.parameters import NAMES, DriverParameters

_Text = str | None
_Flag = bool | str | None
_Count = int | str | None


class StorageOptions(TypedDict, total=False):
    """The keyword arguments of `RegistryS3FileSystem`. Values may be strings, as from YAML or the environment."""

    accesskey: _Text
    secretkey: _Text
    sessiontoken: _Text
    region: _Text
    bucket: _Text
    encrypt: _Flag
    keyid: _Text
    secure: _Flag
    skipverify: _Flag
    v4auth: _Flag
    chunksize: _Count
    rootdirectory: _Text
    regionendpoint: _Text
    forcepathstyle: _Flag
    redirectendpoint: _Text
    multipartcopychunksize: _Count
    multipartcopymaxconcurrency: _Count
    multipartcopythresholdsize: _Count
    storageclass: _Text
    objectacl: _Text
    useragent: _Text
    usedualstack: _Flag
    accelerate: _Flag
    usefipsendpoint: _Flag
    loglevel: _Text
    anon: _Flag
    profile: _Text
    requester_pays: _Flag
    max_concurrency: _Count
    fast_path: _Flag
    verify_digests: _Flag
    config_kwargs: Mapping[str, object] | str | None
    config: str | os.PathLike[str] | None
    use_listings_cache: _Flag
    listings_expiry_time: float | str | None
    max_paths: _Count
    skip_instance_cache: bool
    encoding: _Text
    errors: _Text
    asynchronous: bool
    loop: object


BESIDE_THE_TABLE = {
    "config": ("path", None, "a registry's config.yml, to take parameters from"),
    "use_listings_cache": ("bool", False, "keep listings; off, since others write to the bucket"),
    "listings_expiry_time": ("float", None, "seconds for which a listing is kept"),
    "max_paths": ("int", None, "listings that are kept"),
    "skip_instance_cache": ("bool", False, "make a filesystem of its own, where fsspec would give one that is there"),
    "encoding": ("str", None, "of text files, where open is given none: Hugging Face's datasets give it here"),
    "errors": ("str", None, "the same: how open treats what cannot be decoded"),
    "asynchronous": ("bool", False, "taken, and without effect: zarr gives it to every filesystem"),
    "loop": ("object", None, "taken, and without effect"),
}
"""The options that are no parameters: type, default and meaning of each."""
FSSPEC_OPTIONS = BESIDE_THE_TABLE.keys() - {"config", "skip_instance_cache"}
"""The options that belong to fsspec, as far as it passes them on."""


def rows() -> dict[str, tuple[str, object, str]]:
    """Return type, default and meaning of each option."""
    found: dict[str, tuple[str, object, str]] = {}
    for row in fields(DriverParameters):
        default = {} if row.default is MISSING else row.default
        found[row.name] = str(row.type).removesuffix(" | None"), default, row.metadata["meaning"]
    return found | BESIDE_THE_TABLE


def of_parameters() -> dict[str, tuple[str, object, str]]:
    """Return type, default and meaning of each parameter, without the other options."""
    return {name: row for name, row in rows().items() if name not in BESIDE_THE_TABLE}


def signature() -> inspect.Signature:
    """Return the signature of the filesystem, with each option as a keyword."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter(name, keyword, default=default, annotation=kind)
            for name, (kind, default, _) in rows().items()
        ]
    )


def described(text: str, names: Mapping[str, tuple[str, object, str]]) -> str:
    """Return a docstring with a line for each option.

    It has no indentation of the source, which Python 3.13 takes away by itself.
    """
    lines = [f"    {name} ({kind}, {default!r}): {meaning}." for name, (kind, default, meaning) in names.items()]
    return "\n".join([inspect.cleandoc(text), "", "Options (type, default):", *lines, ""])


def plain(options: Mapping[str, object], parameters: DriverParameters) -> dict[str, object]:
    """Return options whose values have Python's own types, as JSON knows none of numpy's. Those that have them stay.

    A text of a type of its own, as a bucket of a URL is, becomes a plain `str`.
    """
    return {name: _plain(name, value, parameters) for name, value in options.items()}


def _plain(name: str, value: object, parameters: DriverParameters) -> object:
    if isinstance(value, str):
        return str(value)
    return value if name not in NAMES or _is_plain(value) else deepcopy(getattr(parameters, name))


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return type(value) in (str, int, float, bool, type(None))


def as_html(url: str, values: Mapping[str, object]) -> str:
    """Return a short HTML table for notebooks."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td></tr>" for name, value in values.items()
    )
    return f"<b>RegistryS3FileSystem</b> <code>{html.escape(url)}</code><table>{rows}</table>"


DriverParameters.__doc__ = described(DriverParameters.__doc__ or "", of_parameters())
