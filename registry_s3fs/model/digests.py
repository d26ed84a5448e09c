"""Digests of any algorithm, such as ``sha256:e3b0...``, and their parts. Pure.

A digest of sha256, sha384 or sha512 has exactly the hexadecimal digits of its hash. One of another algorithm has any
characters that the OCI image specification allows. The algorithm is one folder's name: no ``+`` or ``.``, which the
specification allows and no registry stores.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from registry_s3fs.model.integrity import Hash

_ALGORITHM = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
_ENCODED = {
    "sha256": re.compile(r"[0-9a-f]{64}").fullmatch,
    "sha384": re.compile(r"[0-9a-f]{96}").fullmatch,
    "sha512": re.compile(r"[0-9a-f]{128}").fullmatch,
}
_ENCODED_OTHERWISE = re.compile(r"[A-Za-z0-9=_-]{2,256}")


class Digest(NamedTuple):
    """The parts of a digest, as in ``algorithm:encoded``."""

    algorithm: str
    encoded: str


def split(text: str) -> Digest:
    """Return the parts of a digest of any algorithm.

    >>> split("sha256:" + 64 * "0").algorithm, split("blake3:0a1b2c").encoded
    ('sha256', '0a1b2c')
    >>> split("sha256:0a1b2c")
    Traceback (most recent call last):
    ValueError: 'sha256:0a1b2c' is no digest; sha256: and 64 hexadecimal digits make one

    Raises:
        ValueError: It is no digest, or one of an algorithm that cannot be a folder's name.
    """
    algorithm, encoded = _parts(text)
    if not join(algorithm, encoded):
        raise ValueError(f"{text[:80]!r} is no digest; sha256: and 64 hexadecimal digits make one")
    return Digest(algorithm, encoded)


def is_digest(text: str) -> bool:
    """Return whether a text is a digest that a blob can be stored under."""
    return join(*_parts(text)) is not None


def join(algorithm: str, encoded: str) -> str | None:
    """Return the digest of two parts, or None where they make none.

    >>> join("blake3", "0a1b2c"), join("sha256", "0a1b2c"), join("x/y", "0a1b2c")
    ('blake3:0a1b2c', None, None)
    """
    is_encoded = _ENCODED.get(algorithm)
    if not (is_encoded(encoded) if is_encoded else _is_other(algorithm, encoded)):
        return None
    return f"{algorithm}:{encoded}"


def _is_other(algorithm: str, encoded: str) -> bool:
    """Return whether two parts make a digest of an algorithm whose digests have no length that is known here."""
    return bool(_ALGORITHM.fullmatch(algorithm) and _ENCODED_OTHERWISE.fullmatch(encoded))


EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The digest of no bytes."""


def of(data: bytes, algorithm: str = "sha256") -> str | None:
    """Return the digest of bytes, or None for an algorithm that is not known here.

    >>> of(b"") == EMPTY, of(b"", "sha512").count("cf83"), of(b"", "blake3")
    (True, 1, None)
    """
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}" if algorithm in _ENCODED else None


def hash_of(digest: str) -> Callable[[], Hash] | None:
    """Return what begins the hash of a digest's algorithm, or None for one that is not known here."""
    algorithm = digest.partition(":")[0]
    return partial(hashlib.new, algorithm) if algorithm in _ENCODED else None


def is_algorithm(name: str) -> bool:
    """Return whether a name can be an algorithm's."""
    return _ALGORITHM.fullmatch(name) is not None


def _parts(text: str) -> tuple[str, str]:
    algorithm, _, encoded = text.partition(":")
    return algorithm, encoded
