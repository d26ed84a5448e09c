"""What the bucket holds: the objects that are read, written, copied, deleted and listed. Pure."""

from __future__ import annotations

from functools import cache

from benchmarks import data
from benchmarks.data import KIB, MIB
from registry_s3fs.model import registry_layout

LARGE_BYTES = 48 * MIB
"""Of the blob that is streamed."""
BLOCK_BYTES = MIB
"""Of the ranges in which it is fetched, so that the requests are many."""
READ_BYTES = 64 * KIB
READS = 40
"""Random reads of it, one after the other."""
WRITTEN_BYTES = 80 * MIB
CHUNK_BYTES = 5 * MIB
"""Parts of what is written and copied: the least that S3 allows."""
SMALL_BYTES = 16 * KIB
SMALL = 100
"""Small blobs: read, and written, side by side."""
FLAT = 20_000
"""Keys of one folder, and as many to delete: 20 pages, 20 requests."""
TREE = 20_000
"""Keys of a registry."""
REPOSITORIES = 100

WRITTEN = f"/{data.WRITTEN}/large"
DEFAULT_HEADERS = "/plain"
"""The same bytes as the blob's, and S3 keeps a checksum of them."""
COPY_SOURCE = f"/{data.COPY_SOURCE}"
FOLDER = f"/{data.FLAT}"
REGISTRY = f"/{data.TREE}"


@cache
def large() -> bytes:
    """The blob that is streamed."""
    return data.content(0, LARGE_BYTES)


@cache
def written() -> bytes:
    """What is written as a stream, and copied."""
    return data.content(0, WRITTEN_BYTES)


@cache
def before() -> bytes:
    """What a target holds before it is written: other bytes, and fewer."""
    return data.content(1, MIB)


@cache
def large_path() -> str:
    """Where the streamed blob is: its digest is in its path."""
    return registry_layout.blob_path(registry_layout.digest(large()))


@cache
def small_blobs() -> dict[str, bytes]:
    """Path and content of the small blobs that are read."""
    values = [data.content(number * SMALL_BYTES, SMALL_BYTES) for number in range(SMALL)]
    return {registry_layout.blob_path(registry_layout.digest(value)): value for value in values}


@cache
def small_files() -> dict[str, bytes]:
    """Path and content of the small files that are written."""
    return {
        f"/{key}": data.content(number * SMALL_BYTES, SMALL_BYTES)
        for number, key in enumerate(data.flat_keys(f"{data.WRITTEN}/small", SMALL))
    }


def small_before(path: str) -> bytes:
    """What such a file holds before."""
    return path.encode()


def doomed() -> list[str]:
    """The files that are deleted."""
    return [f"/{key}" for key in data.flat_keys(data.DOOMED, FLAT)]


def listed() -> list[tuple[str, int]]:
    """What `ls` must give: paths and sizes."""
    return [(f"/{key}", 0) for key in data.flat_keys(data.FLAT, FLAT)]


def found() -> list[tuple[str, int]]:
    """What `find` must give: paths and sizes."""
    return [(f"{REGISTRY}/{key}", 0) for key in data.registry_keys(TREE // 10, REPOSITORIES)]
