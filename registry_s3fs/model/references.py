"""References to what is in a registry, such as ``team/app:1.2``, and tags that are made of a digest. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from registry_s3fs.errors import InvalidReferenceError
from registry_s3fs.model import digests, names

DEFAULT_TAG = "latest"
_DIGEST_TAG = re.compile(r"(sha256|sha384|sha512)-([0-9a-f]+)(?:\.[A-Za-z0-9_.-]+)?")


class Reference(NamedTuple):
    """A tag or a digest in a repository. Where both are given, the digest decides."""

    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}@{self.digest}" if self.digest else f"{self.repository}{tag}"


def parse_reference(text: str) -> Reference:
    """Return what a reference names. Without tag and digest it means the tag ``latest``, as in docker.

    >>> parse_reference("team/app:1.2"), parse_reference("team/app").tag
    (Reference(repository='team/app', tag='1.2', digest=None), 'latest')
    >>> str(parse_reference("team/app:1.2@sha256:" + 64 * "0"))[:24]
    'team/app:1.2@sha256:0000'
    >>> parse_reference("localhost:5000/team/app")
    Traceback (most recent call last):
    registry_s3fs.errors.InvalidReferenceError: 'localhost:5000/team/app': 'localhost:5000/team/app' is no name of a \
repository; give REPOSITORY:TAG or REPOSITORY@DIGEST, in lower case and without the registry's host

    Raises:
        InvalidReferenceError: It is none.
    """
    rest, at, digest = text.partition("@")
    repository, colon, tag = rest.rpartition(":") if ":" in rest.rpartition("/")[2] else (rest, "", "")
    if at and not digests.is_digest(digest):
        problem = f"{digest[:80]!r} is no digest"
    elif colon and not names.is_tag(tag):
        problem = f"{tag[:80]!r} is no tag"
    elif not names.is_repository(repository):
        problem = f"{repository[:80]!r} is no name of a repository"
    else:
        return Reference(repository, tag or (None if at else DEFAULT_TAG), digest or None)
    raise InvalidReferenceError(
        f"{text[:200]!r}: {problem}; give REPOSITORY:TAG or REPOSITORY@DIGEST, in lower case and without the "
        "registry's host"
    )


def fallback_tag(digest: str) -> str:
    """Return the tag under which clients keep the referrers of a manifest, where a registry has no API for them.

    >>> fallback_tag("sha256:" + 64 * "0")[:12]
    'sha256-00000'
    """
    return digest.replace(":", "-", 1)[:128]


def digest_of_tag(tag: str) -> str | None:
    """Return the digest that a tag is made of: a fallback tag, or one of cosign's, which have an ending.

    >>> digest_of_tag("sha256-" + 64 * "0" + ".sig") == "sha256:" + 64 * "0", digest_of_tag("sha256-abc")
    (True, None)
    """
    found = _DIGEST_TAG.fullmatch(tag)
    return digests.join(found[1], found[2]) if found else None
