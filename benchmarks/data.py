"""What the objects of a benchmark hold and how they are named. Pure; both sides of a measurement know it.

Nothing of `registry_s3fs` is imported: an earlier commit of it, whose modules have other names, is measured alike.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

KIB = 1024
MIB = 1024 * KIB

ROOT = "registry-s3fs-benchmark"
"""The prefix of every key, so that any bucket will do."""
LARGE = f"{ROOT}/large"
COPY_SOURCE = f"{ROOT}/copy-source"
WRITTEN = f"{ROOT}/written"
SMALL = f"{ROOT}/small"
FLAT = f"{ROOT}/flat"
TREE = f"{ROOT}/tree"
WALKED = f"{ROOT}/walked"
DOOMED = f"{ROOT}/doomed"
TWO = f"{ROOT}/two"
MANY = f"{ROOT}/many"
MIXED = f"{ROOT}/mixed"
FOLDERS = (TWO, MANY, MIXED)
"""They have files by `files`."""
MISSING = f"{ROOT}/missing"
ANY = f"{SMALL}/000000"
"""An object that is always there."""

REGISTRY = "docker/registry/v2"
REPOSITORIES = f"{REGISTRY}/repositories"
"""Where a registry keeps its repositories, below its root directory."""

FILE_STEP = 4099
"""Each file of a folder begins so many bytes later in the large content than the one before it."""

TILE_BYTES = 17 * MIB
"""Contents repeat after this much: a prime number of MiB, so that a part or piece in a wrong place is seen."""


@cache
def tile() -> bytes:
    """The random bytes that every large content repeats."""
    return random.Random(1).randbytes(TILE_BYTES)


def content(start: int, size: int) -> bytes:
    """The `size` bytes from `start` of any large object.

    >>> content(TILE_BYTES - 1, 2) == tile()[-1:] + tile()[:1]
    True
    """
    offset = start % TILE_BYTES
    found = tile()[offset : offset + size]
    return found if len(found) == size else found + content(start + len(found), size - len(found))


def blocks(size: int) -> Iterator[memoryview]:
    """The first `size` bytes of a large content in blocks of 1 MiB, without a copy."""
    view = memoryview(tile())
    for start in range(0, size, MIB):
        offset = start % TILE_BYTES
        yield view[offset : offset + min(MIB, size - start)]


def matches(pieces: Iterable[Any], size: int) -> bool:
    """Whether pieces, joined, are the first `size` bytes of a large content.

    >>> matches([content(0, 5), content(5, 7)], 12), matches([content(0, 5)], 12), matches([content(1, 12)], 12)
    (True, False, False)
    """
    position = 0
    for piece in pieces:
        if bytes(piece) != content(position, len(piece)):
            return False
        position += len(piece)
    return position == size


def small(count: int, size: int) -> dict[str, bytes]:
    """Keys and contents of small objects, all different as long as they fit into the tile."""
    return {key: content(number * size, size) for number, key in enumerate(flat_keys(SMALL, count))}


def files(folder: str, sizes: Sequence[int]) -> dict[str, int]:
    """Keys and sizes of files in a folder; each holds `file_content`."""
    return dict(zip(flat_keys(folder, len(sizes)), sizes, strict=True))


def file_content(key: str, size: int) -> bytes:
    """What the file of a key by `flat_keys` holds; neighbours differ.

    >>> file_content("folder/000001", 3) == content(FILE_STEP, 3)
    True
    """
    return content(int(key.rpartition("/")[2]) * FILE_STEP, size)


def mixed_sizes(count: int, largest: int) -> list[int]:
    """Sizes of mixed files, in no order.

    Half of them are from 1 to 64 KiB. Of the others, twice as many are half as large.

    >>> sorted(mixed_sizes(14, MIB))[-7:] == [MIB // 4] * 4 + [MIB // 2] * 2 + [MIB]
    True
    """
    large = [largest >> (number + 1).bit_length() - 1 for number in range(count // 2)]
    found = large + [KIB << number % 7 for number in range(count - len(large))]
    random.Random(3).shuffle(found)
    return found


def flat_keys(folder: str, count: int) -> list[str]:
    """Keys of one folder, in order.

    >>> flat_keys("folder", 2)
    ['folder/000000', 'folder/000001']
    """
    return [f"{folder}/{number:06}" for number in range(count)]


def starts(count: int, size: int, total: int) -> list[int]:
    """Where random reads of `size` bytes begin; the same for everyone."""
    return random.Random(2).sample(range(total - size), count)


def registry_keys(images: int, repositories: int) -> Iterator[str]:
    """The keys of a registry, ten an image: five blobs, and links to manifest, tag (two) and layers (two).

    >>> len(set(registry_keys(6, 2)))
    60
    """
    for number in range(images):
        at = number % repositories
        yield from _image_keys(f"team-{at % 20:02}/app-{at:04}", f"v{number // repositories}", _blobs(number))


def _blobs(number: int) -> list[str]:
    return [hashlib.sha256(f"{number}/{part}".encode()).hexdigest() for part in range(5)]


def _image_keys(repository: str, tag: str, blobs: Sequence[str]) -> Iterator[str]:
    at, (manifest, *layers) = f"{REPOSITORIES}/{repository}", blobs
    yield from (f"{REGISTRY}/blobs/sha256/{blob[:2]}/{blob}/data" for blob in blobs)
    yield f"{at}/_manifests/revisions/sha256/{manifest}/link"
    yield f"{at}/_manifests/tags/{tag}/current/link"
    yield f"{at}/_manifests/tags/{tag}/index/sha256/{manifest}/link"
    yield from (f"{at}/_layers/sha256/{layer}/link" for layer in layers[:2])


def walked_directories(repositories: int) -> int:
    """How many directories are seen three levels below `REPOSITORIES`: teams, repositories, two in each.

    >>> walked_directories(60)
    200
    """
    return min(20, repositories) + 3 * repositories
