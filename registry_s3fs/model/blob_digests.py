"""The digest that a registry blob's path names, which the blob is compared with. Pure."""

from __future__ import annotations

import errno
import hashlib

from registry_s3fs.errors import DigestMismatchError
from registry_s3fs.model import registry_layout
from registry_s3fs.model.integrity import Check, Expected


def check(path: str, verify: bool | None, *, by_default: bool, whole: bool = True) -> Check | None:
    """Return the check for the bytes read from a path, or None where nothing is to be checked.

    The check raises `DigestMismatchError`. `verify` is what the caller asked for. `by_default` (``verify_digests``)
    stands in for it where it is None. `whole` tells whether all bytes are to be read.

    Raises:
        ValueError: The check was asked for, but the path is no blob, or only a byte range is read.
    """
    if not (by_default if verify is None else verify):
        return None
    digest = registry_layout.blob_digest(path)
    if verify and not (digest and whole):
        what = "a part of a blob has no digest" if digest else "it is no blob of a registry, whose path has its digest"
        raise ValueError(f"verify: {path}: {what}; leave verify out")
    return Check(_expected(path, digest)) if digest and whole else None


def _expected(path: str, digest: str) -> Expected:
    """Return what is known of the bytes of the blob at a path.

    >>> expected = _expected("/a", registry_layout.digest(b"abc"))
    >>> expected.value == hashlib.sha256(b"abc").digest()
    True
    """

    def mismatch(value: bytes, size: int) -> OSError:
        found = f"sha256:{value.hex()}"
        text = f"the {size} bytes read have the digest {found}; the blob is damaged, or was on its way: read it again"
        return DigestMismatchError(errno.EIO, text, path)

    return Expected(hashlib.sha256, bytes.fromhex(digest.partition(":")[2]), mismatch)
