"""Keys as a tree: what lies directly in a directory, and what lies anywhere below it, as fsspec's info dicts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from registry_s3fs.bucket import Bucket
from registry_s3fs.paths import parent
from registry_s3fs.records import ObjectInfo

logger = logging.getLogger("registry_s3fs")

Info = dict[str, Any]

TOLD = ("ContentType", "ServerSideEncryption", "SSEKMSKeyId")
"""Fields of a HEAD's answer that an info has, under S3's names; beside them `metadata`."""


def directory(path: str) -> Info:
    """The info of a directory."""
    return {"name": path, "size": 0, "type": "directory"}


def file(path: str, found: ObjectInfo) -> Info:
    """The info of a file: `size` in bytes, `ETag` with its quotes, `LastModified` with its time zone."""
    return {
        "name": path,
        "size": found.size,
        "type": "file",
        "ETag": found.etag,
        "LastModified": found.last_modified,
        "StorageClass": found.storage_class,
        **({"VersionId": found.version_id} if found.version_id else {}),
        **{name: found.head[name] for name in TOLD if name in found.head},
        **({"metadata": found.head.get("Metadata", {})} if found.head else {}),
    }


def children(bucket: Bucket, path: str) -> list[Info] | None:
    """What lies directly in a directory, by name; None where no key lies below it, not even its own marker."""
    prefix = bucket.space.prefix(path)
    found: list[Info] = []
    exists = False
    for page in bucket.list(prefix, delimiter="/"):
        exists = exists or bool(page.objects or page.prefixes)
        found += [directory(below) for key in page.prefixes for below in _nameable(bucket, key)]
        for item in page.objects:
            if item.key != prefix:
                found += [file(below, item) for below in _nameable(bucket, item.key)]
    return sorted(found, key=lambda info: str(info["name"])) if exists else None


def exists_below(bucket: Bucket, path: str) -> bool:
    """Whether any key lies below a directory; its own marker counts.

    Raises:
        BucketNotFoundError: the bucket is missing.
    """
    return any(page.objects or page.prefixes for page in bucket.list(bucket.space.prefix(path), limit=1))


def descendants(bucket: Bucket, path: str, maxdepth: int | None) -> dict[str, Info]:
    """Every file and directory below a directory, to `maxdepth` levels, from one flat listing."""
    if maxdepth == 1:
        return {info["name"]: info for info in children(bucket, path) or []}
    files: dict[str, Info] = {}
    directories: dict[str, Info] = {}
    for below, item in objects(bucket, path):
        above = below if item.key.endswith("/") else parent(below)
        while above not in directories and len(above) > len(path) and above != "/":
            directories[above] = directory(above)
            above = parent(above)
        if not item.key.endswith("/"):
            files[below] = file(below, item)
    # A file of a directory's name, "a" beside "a/b", is the one that is shown.
    found = {**directories, **files}
    if maxdepth is None:
        return found
    above_depth = path.rstrip("/").count("/")
    return {name: info for name, info in found.items() if name.count("/") - above_depth <= maxdepth}


def objects(bucket: Bucket, path: str) -> Iterator[tuple[str, ObjectInfo]]:
    """Path and object of each key below a directory that a path can name, markers included, in the keys' order."""
    prefix = bucket.space.prefix(path)
    for page in bucket.list(prefix):
        for item in page.objects:
            if item.key != prefix:
                for below in _nameable(bucket, item.key):
                    yield below, item


def _nameable(bucket: Bucket, key: str) -> Iterator[str]:
    path = bucket.space.path(key)
    if path is None:
        logger.debug("not listed: key %r has a '.', '..' or empty component, so no path can name it", key)
    else:
        yield path
