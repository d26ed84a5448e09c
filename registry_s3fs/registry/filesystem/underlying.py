"""The filesystem that a registry is in, and where in it, as fsspec's chained URLs and callers give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fsspec.core import url_to_fs

from registry_s3fs import errors
from registry_s3fs.model.registry_layout import ROOT

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def open_underlying(
    fo: str | None, protocol: str | None, options: Mapping[str, object] | None, fs: AbstractFileSystem | None
) -> tuple[AbstractFileSystem, str]:
    """Return the filesystem, and the folder in it below which the registry is.

    Args:
        fo: The folder, as a path in the filesystem or a URL.
        protocol: The filesystem's protocol, where `fo` is a path.
        options: The filesystem's options.
        fs: The filesystem itself, in place of both.

    Raises:
        ValueError: It is not said which filesystem is meant, or twice.
    """
    if fs is not None:
        if protocol or options:
            raise ValueError("give the filesystem as fs, or by target_protocol and target_options, not both")
        return fs, str(fs._strip_protocol(fo)) if fo else ""
    if not fo and not protocol:
        text = "give the registry: chain its URL, as in registryfile://team/data:1/x::registrys3://bucket, or give fs"
        raise ValueError(text)
    found, path = url_to_fs(
        fo or f"{protocol}://", **{**({"protocol": protocol} if protocol else {}), **(options or {})}
    )
    return found, str(path) if fo else ""


def find_root(fs: AbstractFileSystem, folder: str) -> str:
    """Return the folder that has ``blobs`` and ``repositories``: the folder given, or ``docker/registry/v2`` below it.

    Raises:
        NotInRegistryError: Neither is one.
    """
    if f"/{folder}".rstrip("/").endswith(ROOT):
        return folder.rstrip("/")
    top = folder.rstrip("/") or str(fs.root_marker).rstrip("/")
    within = f"{top}/" if top or fs.root_marker else ""
    for found, shown_by in ((within + ROOT[1:], within + ROOT[1:]), (top or within, f"{within}repositories")):
        if fs.isdir(shown_by):
            return found
    text = "it is no registry; give the folder that has docker/registry/v2 below it, or blobs and repositories"
    raise errors.not_in_registry(text, folder)
