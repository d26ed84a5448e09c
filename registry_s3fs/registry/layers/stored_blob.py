"""A layer's blob in the registry's storage."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, cast

from registry_s3fs import errors
from registry_s3fs.model import digests
from registry_s3fs.model.registry_layout import Blob
from registry_s3fs.registry.verified import verified

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PIECE_BYTES = 1024 * 1024


class StoredBlob:
    """A layer's blob.

    Args:
        fs: The filesystem.
        root: The registry's root.
        digest: The blob's digest.

    Raises:
        ValueError: It is no digest.
    """

    def __init__(self, fs: AbstractFileSystem, root: str, digest: str) -> None:
        self.digest = digest
        self.path = Blob(digest).at(root)
        self._fs = fs

    @cached_property
    def size(self) -> int:
        """The blob's size.

        Raises:
            FileNotFoundError: The blob is missing.
        """
        return int(self._fs.info(self.path)["size"])

    def check_size(self, declared_size: int | None) -> None:
        """Compare the blob's size with what a manifest says, if it does.

        Raises:
            FileNotFoundError: The blob is missing.
            DigestMismatchError: It has another size.
        """
        if declared_size is not None and declared_size != self.size:
            raise errors.other_size(self.path, self.size, declared_size)

    def range(self, start: int, end: int) -> bytes:
        """Return the bytes from one offset up to another.

        Raises:
            LayerError: The blob ends before.
        """
        data: bytes = self._fs.cat_file(self.path, start=start, end=end) if start < end else b""
        if len(data) != end - start:
            raise errors.bad_layer(f"of its blob, {len(data)} bytes were read where {end - start} are needed")
        return data

    def pieces(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield the bytes from an offset to the end."""
        with self.open() as file:
            file.seek(start)
            while piece := file.read(PIECE_BYTES):
                yield piece

    def verified(self) -> Generator[bytes, None, None]:
        """Yield all bytes, the last of them when all are known to have the digest.

        Raises:
            DigestMismatchError: They have another one.
            LayerError: The digest is of an algorithm that is not known here.
        """
        if not digests.hash_of(self.digest):
            algorithm = digests.split(self.digest).algorithm
            raise errors.bad_layer(f"a layer cannot be verified by {algorithm}, but by sha256, sha384 and sha512")
        with closing(self.pieces()) as pieces:
            yield from verified(pieces, self.digest, self.path)

    def open(self) -> BinaryIO:
        """Return a file of the blob, open for reading."""
        return cast("BinaryIO", self._fs.open(self.path, "rb"))
