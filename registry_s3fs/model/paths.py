"""Registry paths, URLs and S3 keys, and what makes each of them valid. Pure.

A registry path is absolute and ``/``-separated: ``/docker/registry/v2/blobs``. Its key is ``(rootdirectory.rstrip("/")
+ path).lstrip("/")``, as in the Go driver (``driver.s3Path``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import SupportsIndex

from registry_s3fs.errors import ForeignBucketError, InvalidPathError
from registry_s3fs.model.ranges import MAX_KEY_BYTES

StrPath = str | os.PathLike[str]
"""A path as callers give it, in the bucket or on this machine: a text, or an object that has one."""

PROTOCOL = "registrys3"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class UrlBucket(str):
    """The bucket of a URL, as a storage option that is compared with the bucket that the caller gives.

    fsspec leaves it out where both are the same. Otherwise it complains of two values for one keyword.

    >>> UrlBucket("demo") != "other"
    Traceback (most recent call last):
    registry_s3fs.errors.ForeignBucketError: the URL names bucket 'demo', and bucket= is 'other'; give one of them
    """

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return str(self) == other

    def __ne__(self, other: object) -> bool:
        if other is None or other == "":  # fsspec would take this, or complain of two values
            raise ForeignBucketError(f"the URL names bucket {str(self)!r}, and bucket= is {other!r}; leave bucket= out")
        if isinstance(other, str) and str(self) != str(other):
            text = f"the URL names bucket {str(self)!r}, and bucket= is {str(other)!r}; give one of them"
            raise ForeignBucketError(text)
        return str(self) != other


class RegistryPath(str):
    """A normalised path that remembers the bucket that its URL named (``""``: none).

    fsspec strips URLs at the class, where no instance can compare buckets. The instance that is handed the result still
    can.
    """

    bucket: str

    def __new__(cls, path: str, bucket: str = "") -> RegistryPath:
        """Make a path that remembers its bucket."""
        self = super().__new__(cls, path)
        self.bucket = bucket
        return self

    def __add__(self, other: str) -> str:
        """Add as `str` does, but without a second ``/`` after the root.

        fsspec's `DirFileSystem` adds a ``/`` to any directory, and the root ends in one.
        """
        return other if self == "/" and other.startswith("/") else str(self) + other

    def rstrip(self, chars: str | None = None, /) -> RegistryPath:
        """Strip as `str` does, but keep the bucket and the root.

        fsspec strips paths twice, and must not lose the bucket.
        """
        return RegistryPath(super().rstrip(chars) or "/", self.bucket)

    def replace(self, old: str, new: str, /, count: SupportsIndex = -1) -> RegistryPath:
        """Replace as `str` does, but keep the bucket.

        fsspec fills the ``*`` of a write mask this way, and must not lose the bucket.

        Raises:
            InvalidPathError: The result is a path that `parse` would refuse.
        """
        return _valid(super().replace(old, new, count), self.bucket)


class ListedName(str):
    """A path of ``glob(detail=True)``; ``registrys3://`` put before it gives the whole URL, with the bucket.

    ``registrys3:///a`` would do. But Hugging Face's datasets pass URLs through `pathlib`, which turns three slashes
    into two. Then ``a`` would be the bucket.

    >>> "registrys3://" + ListedName("/a", "demo"), "see " + ListedName("/a", "demo"), ListedName("/a", "demo") + "/b"
    ('registrys3://demo/a', 'see /a', '/a/b')
    """

    __slots__ = ("bucket",)
    bucket: str

    def __new__(cls, path: str, bucket: str = "") -> ListedName:
        """Make a path that remembers its bucket."""
        self = super().__new__(cls, path)
        self.bucket = bucket
        return self

    def __radd__(self, before: str) -> str:
        return "".join((before, self.bucket if before == f"{PROTOCOL}://" else "", self))


def parse(url: str) -> RegistryPath:
    """Return a URL or path as a valid registry path.

    >>> parse("registrys3://demo/docker/registry/"), parse("registrys3://demo/docker").bucket
    ('/docker/registry', 'demo')
    >>> parse("registrys3:///docker"), parse("docker"), parse("registrys3://demo"), parse("")
    ('/docker', '/docker', '/', '/')
    >>> parse("/year=2026/a b+c%20?#[1].csv")
    '/year=2026/a b+c%20?#[1].csv'
    >>> parse("/a/../b")
    Traceback (most recent call last):
    registry_s3fs.errors.InvalidPathError: '/a/../b': a component may not be '..'
    >>> parse("/a//b")
    Traceback (most recent call last):
    registry_s3fs.errors.InvalidPathError: '/a//b': a component may not be ''

    Raises:
        InvalidPathError: A component is ``.``, ``..`` or (in the middle) empty, no key can hold the path, or the URL
            has another scheme.
        TypeError: It is no text.
    """
    if isinstance(url, RegistryPath):
        return url
    if not isinstance(url, str):
        raise TypeError(f"a path is a str or an os.PathLike, not {type(url).__name__}")
    bucket, path = split_url(url)
    scheme = _SCHEME.match(path)
    if scheme is not None:  # what follows may hold a password
        text = f"a URL of {scheme[0]} is none of this filesystem's, which begin with {PROTOCOL}://BUCKET/"
        raise InvalidPathError(text)
    return _valid(path, bucket)


def _valid(path: str, bucket: str) -> RegistryPath:
    path = "/" + path.strip("/")
    problem = _problem(path)
    if problem:
        raise InvalidPathError(f"{path!r}: {problem}")
    return RegistryPath(path, bucket)


def split_url(url: str) -> tuple[str, str]:
    """Return the bucket (``""`` where none is named) and the path of a URL, neither of them checked.

    >>> split_url("registrys3://demo/docker"), split_url("registrys3:///docker"), split_url("/docker")
    (('demo', '/docker'), ('', '/docker'), ('', '/docker'))
    """
    for mark in (f"{PROTOCOL}://", f"{PROTOCOL}::"):
        if url.startswith(mark):
            bucket, slash, path = url[len(mark) :].partition("/")
            return bucket, slash + path
    return "", url


def check_bucket(path: RegistryPath, bucket: str) -> None:
    """Raise `ForeignBucketError` where the path came from a URL that named another bucket."""
    if path.bucket and path.bucket != bucket:
        raise ForeignBucketError(
            f"{PROTOCOL}://{path.bucket}{path} names bucket {path.bucket!r}, but this filesystem is on "
            f"bucket {bucket!r}; open that URL with a filesystem of its own"
        )


def check_fields(fields: Iterable[str]) -> None:
    """Raise `ValueError` where a caller's own request fields would name another object than the path does.

    >>> check_fields(["VersionId", "Key"])
    Traceback (most recent call last):
    ValueError: Key: is no field to give; the path says which object is meant
    """
    for field in fields:
        if field in ("Bucket", "Key", "CopySource"):
            raise ValueError(f"{field}: is no field to give; the path says which object is meant")


def parent(path: str) -> str:
    """Return the path one level up; for the root, return the root.

    >>> parent("/a/b"), parent("/a"), parent("/")
    ('/a', '/', '/')
    """
    return path.rsplit("/", 1)[0] or "/"


def _problem(path: str) -> str:
    """Return why no request may carry this absolute path, or "" where one may.

    HTTP clients resolve dots and drop empty components.
    """
    for component in path[1:].split("/") if path != "/" else ():
        if component in ("", ".", ".."):
            return f"a component may not be {component!r}"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "it has characters that UTF-8 cannot encode"
    return ""


class KeySpace:
    """The keys under one ``rootdirectory``, and the registry paths that they stand for.

    >>> space = KeySpace("/reg/")
    >>> space.key("/docker/x"), space.prefix("/docker"), space.prefix("/")
    ('reg/docker/x', 'reg/docker/', 'reg/')
    >>> space.path("reg/docker/x"), space.path("registry2/x"), space.path("reg/a//b"), space.path("reg//")
    ('/docker/x', None, None, None)
    """

    def __init__(self, rootdirectory: str) -> None:
        self._root = rootdirectory.strip("/")
        self._below = self.prefix("/")

    def key(self, path: str) -> str:
        """Return the key of a file.

        Raises:
            InvalidPathError: The key would be longer than S3 allows.
        """
        key = (self._root + path).lstrip("/")
        if len(key.encode()) > MAX_KEY_BYTES:
            raise InvalidPathError(f"{path[:80]!r}...: its key has over {MAX_KEY_BYTES} bytes, S3's limit")
        return key

    def prefix(self, path: str) -> str:
        """Return what the keys below a directory begin with, or ``""`` for the whole bucket."""
        return (self._root + path.rstrip("/") + "/").lstrip("/")

    def path(self, key: str) -> str | None:
        """Return the path of a key, without a directory marker's trailing slash, or None where no path can name it."""
        if not key.startswith(self._below):
            return None
        path = "/" + key[len(self._below) :].removesuffix("/")
        if path == "/" and key != self._below:  # of an empty component
            return None
        suspicious = "//" in path or "/." in path or path[-1] == "/"  # of all keys of large listings, few are
        return None if suspicious and _problem(path) else path
