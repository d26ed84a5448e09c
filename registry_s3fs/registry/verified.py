"""Files read a chunk at a time, in any filesystem of fsspec, and compared with their digests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from registry_s3fs import errors
from registry_s3fs.errors import DigestMismatchError
from registry_s3fs.model import digests

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CHUNK_BYTES = 8 * 1024 * 1024
"""At most this much of a file is in memory."""
SMALL_BYTES = 4 * 1024 * 1024
"""A file up to this size is read by one call."""


def chunks(fs: AbstractFileSystem, path: str, start: int, size: int) -> Iterator[bytes]:
    """Yield the bytes of a file from a position on, `size` of them or fewer where the file ends before."""
    if size <= SMALL_BYTES:
        yield fs.cat_file(path, start=start, end=start + size) if size else b""
        return
    with fs.open(path, "rb") as file:
        file.seek(start)
        while size > 0 and (data := file.read(min(size, CHUNK_BYTES))):
            size -= len(data)
            yield data


def mismatch_of(digest: str, path: str, data: bytes) -> DigestMismatchError | None:
    """Return the error for bytes that have another digest, or None; also where its algorithm is not known here."""
    found = digests.of(data, digests.split(digest).algorithm)
    return errors.digest_mismatch(path, len(data), found) if found and found != digest else None


def verified(content: Iterable[bytes], digest: str, path: str) -> Iterator[bytes]:
    """Yield content whose last chunk is held back until all of it is known to have the digest.

    Raises:
        DigestMismatchError: It has another one.
        ValueError: The digest is of an algorithm that is not known here (`digests.hash_of`).
    """
    begin = digests.hash_of(digest)
    if begin is None:
        raise ValueError(f"{digest}: no bytes can be compared with a digest of this algorithm")
    running, size, last = begin(), 0, None
    for data in content:
        if last is not None:
            yield last
        running.update(data)
        size, last = size + len(data), data
    algorithm, encoded = digests.split(digest)
    if running.digest() != bytes.fromhex(encoded):
        raise errors.digest_mismatch(path, size, f"{algorithm}:{running.digest().hex()}")
    if last is not None:
        yield last
