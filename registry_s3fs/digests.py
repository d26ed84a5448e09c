"""The bytes of a registry's blob, compared with the digest that its path names. Pure."""

from __future__ import annotations

import errno
import hashlib

from registry_s3fs import layout
from registry_s3fs.errors import DigestMismatch


class Check:
    """Takes a blob's bytes as they are read in order, from the first to the last.

    >>> check = Check(layout.blob_path(layout.digest(b"abc")), layout.digest(b"abc"))
    >>> check.take(0, b"ab", 3), check.take(2, b"c", 3)
    (None, None)
    >>> check.take(0, b"abd", 3)
    Traceback (most recent call last):
    registry_s3fs.errors.DigestMismatch: ...
    """

    def __init__(self, path: str, digest: str) -> None:
        self._path = path
        self._digest = digest
        self._hash = hashlib.sha256()
        self._reached: int | None = 0

    def take(self, start: int, data: bytes, size: int) -> None:
        """Bytes that were read at `start`, of `size` in all. A read from the first byte begins anew; one that
        leaves a gap ends the check.

        Raises:
            DigestMismatch: these were the last bytes, and all of them together have another digest.
        """
        if start == 0:
            self._hash, self._reached = hashlib.sha256(), 0
        if start != self._reached:
            self._reached = None
            return
        self._hash.update(data)
        self._reached = start + len(data)
        if self._reached == size:
            self._compare(size)

    def _compare(self, size: int) -> None:
        found = f"sha256:{self._hash.hexdigest()}"
        if found != self._digest:
            text = (
                f"the {size} bytes read have the digest {found}; the blob is damaged, or was on its way: read it again"
            )
            raise DigestMismatch(errno.EIO, text, self._path)


def check(path: str, verify: bool | None, *, by_default: bool, whole: bool = True) -> Check | None:
    """What should check the bytes read from a path; None where nothing should.

    `verify` is what the caller asked for, if anything, and `by_default` (``verify_digests``) stands in for it;
    `whole` tells whether all bytes are to be read.

    Raises:
        ValueError: asked for, and the path is no blob, or only a part is read.
    """
    if not (by_default if verify is None else verify):
        return None
    digest = layout.blob_digest(path)
    if verify and not (digest and whole):
        what = "a part of a blob has no digest" if digest else "it is no blob of a registry, whose path has its digest"
        raise ValueError(f"verify: {path}: {what}; leave verify out")
    return Check(path, digest) if digest and whole else None
