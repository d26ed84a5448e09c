"""What ``info`` and ``ls`` tell of an entry, as fsspec's local filesystem tells it of a local file. Pure."""

from __future__ import annotations

import hashlib
import stat

from registry_s3fs.registry.layers.entries import LayerEntry
from registry_s3fs.registry.manifests import Descriptor

Info = dict[str, object]
"""What fsspec calls an info."""

_TYPES = {"file": "file", "hardlink": "file", "directory": "directory"}
_TYPE_BITS = {
    "file": stat.S_IFREG,
    "hardlink": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "character_device": stat.S_IFCHR,
    "block_device": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
}


def folder(name: str, **more: object) -> Info:
    """Return the info of a folder of the registry: repositories, a repository, an image or artifact."""
    return {"name": name, "size": 0, "type": "directory", **more}


def of_entry(name: str, entry: LayerEntry, blob: Descriptor | None = None, link: LayerEntry | None = None) -> Info:
    """Return the info of an entry.

    Args:
        name: The path by which it is asked for.
        entry: The entry.
        blob: What a manifest says of the blob that is this very file.
        link: The link that led to the entry, or the entry itself where that is a link that leads nowhere.
    """
    found: Info = {
        "name": name,
        "size": entry.size,
        "type": _TYPES.get(entry.kind, "other"),
        "kind": entry.kind,
        "mode": _TYPE_BITS[entry.kind] | entry.mode,
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime": entry.mtime,
        "islink": link is not None,
    }
    if link is not None:
        found["destination"] = link.link_target
    if entry.device is not None:
        found["device"] = entry.device
    if blob is not None:
        found |= {"digest": blob.digest, "media_type": blob.media_type, "annotations": dict(blob.annotations)}
    elif entry.blob is not None:
        found |= {"layer": entry.blob, "offset": entry.offset}
    return found


def listed(name: str, entry: LayerEntry, target_size: int, blob: Descriptor | None = None) -> Info:
    """Return what a listing tells of an entry. Links are not followed, so their type is ``other``.

    Args:
        name: Its path.
        entry: The entry.
        target_size: The size of the file that a link leads to.
        blob: What a manifest says of the blob that is this very file.
    """
    if entry.kind != "symlink":
        return of_entry(name, entry, blob)
    return {**of_entry(name, entry, None, entry), "size": target_size}


def unique_key(info: Info) -> str:
    """Return a text that changes when the content of a file changes: its digest, or where it is in its layer."""
    if "digest" in info:
        return str(info["digest"])
    where = (info.get("layer"), info.get("offset"), info["size"], info["mtime"], info.get("destination"), info["name"])
    return hashlib.sha256(repr(where).encode()).hexdigest()
