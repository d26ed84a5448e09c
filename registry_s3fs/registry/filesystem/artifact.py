"""The files of an artifact: which path each blob of a manifest has, and which blobs are packed folders. Pure.

Titles come from strangers. One that could name a place outside the artifact, or that two blobs share, refuses the whole
artifact, since nobody can tell which of its files are as they were meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from registry_s3fs import errors
from registry_s3fs.errors import UnreadableDocumentError
from registry_s3fs.registry import documents
from registry_s3fs.registry.documents import Json
from registry_s3fs.registry.layers.entries import MAX_NAME_BYTES, MAX_PATH_BYTES, LayerEntry
from registry_s3fs.registry.manifests import Descriptor, Manifest

MAX_DEPTH = 255

UNPACK = "io.deis.oras.content.unpack"
"""The annotation by which ORAS marks a folder that it packed."""
_PACKED_FOLDER = "application/vnd.oci.image.layer.v1.tar+gzip"
"""The media type of folders packed by the ``oras`` Python package, which sets no annotation."""
_PACKED_NAMES = (".gz", ".tgz")
_MODELPACK = re.compile(r"application/vnd\.(cncf|cnai)\.model\..*\.tar(\+[a-z]+)?")
_KITOPS = re.compile(r"application/vnd\.kitops\.modelkit\..*\.tar(\+[a-z]+)?")
"""The media types of what KitOps packs. Its blobs have no titles: the paths in the archives tell all."""
_THE_FOLDER_ITSELF = (".", "./")
"""The title that ``oras push REF .`` gives to the current folder."""
_CREATED = "org.opencontainers.image.created"
_FILE_METADATA = "org.cncf.model.file.metadata+json"
"""The annotation in which ModelPack keeps mode, owner and time of a file."""
_MAX_METADATA_BYTES = 64 * 1024
_DRIVE = re.compile(r"[A-Za-z]:/")


class ArtifactFile(NamedTuple):
    """A file or packed folder of an artifact."""

    path: str
    """Its path in the artifact; of a packed folder ``""`` where the paths in the archive tell all."""
    blob: Descriptor
    is_packed: bool
    """Whether the blob is an archive that is shown as a folder."""


def files(manifest: Manifest, name: str) -> list[ArtifactFile]:
    """Return the files of an artifact: its blobs by their titles. A blob without one is named by its digest.

    Args:
        manifest: The manifest.
        name: What errors call the artifact.

    Raises:
        RefusedNameError: A title is absolute, leads upwards, cannot be a file's, or is another blob's, too.
    """
    found = list(_named(manifest, name))
    taken: dict[str, Descriptor] = {}
    for file in found:
        if file.path and taken.setdefault(file.path, file.blob) is not file.blob:
            raise _refused(name, file.blob, "it is another blob's, too")
    packed = {file.path for file in found if file.is_packed}
    for file in found:
        above = next((folder for folder in _above(file.path) if folder in taken), None)
        if above is not None and above not in packed:
            raise _refused(name, file.blob, f"it lies below {above!r}, which is a file")
    return found


def _named(manifest: Manifest, name: str) -> Iterator[ArtifactFile]:
    seen = set()
    for blob in manifest.layers:
        if blob.title is not None:
            is_packed = _is_packed(blob)
            is_whole = is_packed and blob.title in _THE_FOLDER_ITSELF
            yield ArtifactFile("" if is_whole else _checked(blob, name), blob, is_packed)
        elif _KITOPS.fullmatch(blob.media_type or ""):
            yield ArtifactFile("", blob, is_packed=True)
        elif blob.digest not in seen:
            seen.add(blob.digest)
            yield ArtifactFile(blob.digest, blob, is_packed=False)
    if manifest.config and manifest.config.title is not None:
        yield ArtifactFile(_checked(manifest.config, name), manifest.config, is_packed=False)


def _is_packed(blob: Descriptor) -> bool:
    if blob.annotations.get(UNPACK) == "true":
        return True
    media_type, title = blob.media_type or "", blob.title or ""
    if media_type == _PACKED_FOLDER:
        return not title.endswith(_PACKED_NAMES)
    return _MODELPACK.fullmatch(media_type) is not None


def _checked(blob: Descriptor, name: str) -> str:
    """Return the path that a title means, without ``.`` and empty components."""
    title = blob.title or ""
    components = [each for each in title.split("/") if each not in ("", ".")]
    if title.startswith("/") or _DRIVE.match(title):
        raise _refused(name, blob, "it is absolute")
    if ".." in components:
        raise _refused(name, blob, "it leads upwards")
    if not components:
        raise _refused(name, blob, "it names no file")
    if "\\" in title or "\0" in title:
        raise _refused(name, blob, "it has a backslash or a zero byte")
    is_too_long = len(title.encode()) > MAX_PATH_BYTES or len(components) > MAX_DEPTH
    if is_too_long or any(len(each.encode()) > MAX_NAME_BYTES for each in components):
        raise _refused(name, blob, "it is longer or deeper than any file's")
    return "/".join(components)


def _refused(name: str, blob: Descriptor, why: str) -> errors.RefusedNameError:
    title = blob.title or ""
    return errors.refused_name(name, f"the blob {blob.digest[:80]} has the title {title[:80]!r}", why)


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in.

    >>> list(_above("a/b/c"))
    ['a', 'a/b']
    """
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def path_in_folder(title: str, entry: str) -> str | None:
    """Return the path that an entry of a packed folder has in the artifact, or None for a folder above its title.

    ORAS's archives repeat the whole title, the Python package's its last component, ModelPack's the path from the
    folder of the model. In others the paths begin below the folder.

    >>> path_in_folder("a/b", "a/b/x"), path_in_folder("a/b", "b/x"), path_in_folder("a/b", "x")
    ('a/b/x', 'a/b/x', 'a/b/x')
    >>> path_in_folder("a/b", "a"), path_in_folder("a/b", "a/b")
    (None, 'a/b')
    """
    if not title or entry == title or entry.startswith(f"{title}/"):
        return entry
    if title.startswith(f"{entry}/"):
        return None
    above, slash, last = title.rpartition("/")
    if entry == last or entry.startswith(f"{last}/"):
        return above + slash + entry
    return f"{title}/{entry}"


def raw_entry(file: ArtifactFile, size: int, manifest: Manifest) -> LayerEntry:
    """Return the entry of a file that is its blob, with what ModelPack's annotation tells of it.

    The time is otherwise that at which the artifact was created, by its annotation, and 0 where nothing tells it.
    """
    told = _metadata(file.blob)
    mode = told.get("mode")
    mtime = _seconds(told.get("mtime"))
    return LayerEntry(
        file.path,
        "file",
        size,
        mode & 0o7777 if isinstance(mode, int) else 0o644,
        _number(told.get("uid")),
        _number(told.get("gid")),
        _seconds(manifest.annotations.get(_CREATED)) or 0.0 if mtime is None else mtime,
        blob=file.blob.digest,
        offset=0,
    )


def _metadata(blob: Descriptor) -> dict[str, Json]:
    try:
        return documents.parse(blob.annotations.get(_FILE_METADATA, "{}").encode(), _MAX_METADATA_BYTES)
    except UnreadableDocumentError:
        return {}


def _number(value: Json) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**32 else 0


def _seconds(value: Json) -> float | None:
    """Return the seconds since 1970 of a time as RFC 3339 writes it, or None where it is none."""
    found = documents.time(value)
    return found.timestamp() if found else None
