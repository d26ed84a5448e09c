"""The configs of images: when each was created, and what it runs on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.model.registry_layout import Blob
from registry_s3fs.registry import documents
from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.manifests import MAX_NAME_CHARACTERS
from registry_s3fs.registry.progress import Progress, told
from registry_s3fs.registry.reading import raise_if_unreachable, read_files
from registry_s3fs.registry.schemas import CONFIG, NOT_READ

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class ImageConfig(NamedTuple):
    """What a config says of its image, or what is wrong with it."""

    created: datetime | None = None
    os: str | None = None
    architecture: str | None = None
    variant: str | None = None
    error: str | None = None


def read_configs(
    fs: AbstractFileSystem, root: str, sizes: Collection[tuple[str, int]], progress: Progress
) -> dict[str, ImageConfig]:
    """Return what configs say, by their digests.

    Args:
        fs: The filesystem.
        root: The registry's root in it.
        sizes: The configs' digests, and the sizes of their blobs.
        progress: What is told how far it is.
    """
    contents = read_files(fs, [(Blob(digest).at(root), size) for digest, size in sizes], documents.MAX_BYTES)
    found: dict[str, ImageConfig] = {}
    read = zip(sizes, (content for _, content in contents), strict=True)
    for (digest, _), content in told(progress, "configs", read, len(sizes)):
        raise_if_unreachable(content)
        found[digest] = parsed(content)
    return found


ReadConfigs = Callable[[list[tuple[str, int]], Progress], dict[str, ImageConfig]]
"""What does as `read_configs` does, with the filesystem and root that it has."""


def with_configs(
    read: ReadConfigs, manifests: pa.Table, blobs: pa.Table, known: Collection[str], progress: Progress
) -> pa.Table:
    """Return the manifests with what the configs of images say.

    Args:
        read: What reads configs.
        manifests: The table.
        blobs: The table, of which digest and size are used.
        known: The digests of manifests whose rows have it already.
        progress: What is told how far it is.
    """
    images = list(rows(manifests, "digest", "kind", "config_digest"))
    wanted = {config for digest, kind, config in images if kind == "image" and config and digest not in known}
    stored = blobs.filter(pc.is_in(blobs["digest"], value_set=pa.array(sorted(wanted), pa.string())))
    found = read(list(rows(stored, "digest", "size")), progress)
    said = [None if digest in known else found.get(config) for digest, _, config in images]
    for name in ImageConfig._fields:
        values = list(_filled(manifests[name].to_pylist(), said, name))
        at = manifests.schema.get_field_index(name)
        manifests = manifests.set_column(
            at, manifests.schema.field(at), pa.array(values, manifests.schema.field(at).type)
        )
    return manifests


def _filled(values: list[object], said: list[ImageConfig | None], name: str) -> Iterator[object]:
    """Yield the values of a column with what the configs say. A manifest's own error comes before its config's."""
    for value, config in zip(values, said, strict=True):
        new = getattr(config, name) if config else None
        yield value if new is None or (name == "error" and value is not None) else new


def parsed(content: bytes | OSError) -> ImageConfig:
    """Return what a config says.

    >>> parsed(b'{"created": "2026-11-24T07:57:54.123456789Z", "os": "linux"}').created
    datetime.datetime(2026, 11, 24, 7, 57, 54, 123456, tzinfo=datetime.timezone.utc)
    >>> parsed(b"[]").error
    'config: the document is no JSON object'
    """
    if isinstance(content, OSError):
        return ImageConfig(error=f"{CONFIG}{NOT_READ}{content}")
    try:
        document = documents.parse(content)
    except ValueError as error:
        return ImageConfig(error=f"{CONFIG}{error}")
    names = [_name(document.get(name)) for name in ("os", "architecture", "variant")]
    return ImageConfig(documents.time(document.get("created")), *names)


def _name(value: documents.Json) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARACTERS else None
