"""The digest that a registry blob's path names, which the blob is compared with. Pure."""

from __future__ import annotations

from collections.abc import Callable

from registry_s3fs import errors
from registry_s3fs.model import digests, registry_layout
from registry_s3fs.model.integrity import Check, Expected, Hash


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
    begin = digests.hash_of(digest) if digest else None
    if verify and not (begin and whole):
        no_blob = "it is no blob of a registry, whose path has its sha256, sha384 or sha512 digest"
        raise ValueError(f"verify: {path}: {'a part of a blob has no digest' if begin else no_blob}; leave verify out")
    return Check(_expected(path, digest, begin)) if digest and begin and whole else None


def _expected(path: str, digest: str, begin: Callable[[], Hash]) -> Expected:
    """Return what is known of the bytes of the blob at a path.

    >>> import hashlib
    >>> expected = _expected("/a", registry_layout.digest(b"abc"), hashlib.sha256)
    >>> expected.value == hashlib.sha256(b"abc").digest()
    True
    """
    algorithm, encoded = digests.split(digest)

    def mismatch(value: bytes, size: int) -> OSError:
        return errors.digest_mismatch(path, size, f"{algorithm}:{value.hex()}")

    return Expected(begin, bytes.fromhex(encoded), mismatch)
