"""What the files of a registry's storage mean: digests, repositories and tags as paths, and back. Pure.

The tree is distribution's (``registry/storage/paths.go``). Manifests and layers alike are blobs, stored once under
their digest, whatever their media type. A repository has only links. Each link has 71 bytes, a digest without a
newline.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

ROOT = "/docker/registry/v2"
BLOBS = f"{ROOT}/blobs"
REPOSITORIES = f"{ROOT}/repositories"

TAG_LINKS = f"{REPOSITORIES}/**/_manifests/tags/*/current/link"
"""A glob of the links that say which manifest each tag of each repository means."""

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_BLOB = re.compile(rf"{BLOBS}/sha256/([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})/data")
_TAG_LINK = re.compile(rf"{REPOSITORIES}/(.+)/_manifests/tags/([^/]+)/current/link")


class Tag(NamedTuple):
    """A tag of a repository."""

    repository: str
    name: str


def digest(data: bytes) -> str:
    """Return the digest that names a blob.

    >>> digest(b"")
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob_path(blob: str) -> str:
    """Return the path of a blob's bytes.

    >>> blob_path(digest(b""))[:45]
    '/docker/registry/v2/blobs/sha256/e3/e3b0c4429'
    >>> blob_path("sha256:../../x")
    Traceback (most recent call last):
    ValueError: 'sha256:../../x' is no digest; sha256: and 64 hexadecimal digits make one
    """
    word = _hex(blob)
    return f"{BLOBS}/sha256/{word[:2]}/{word}/data"


def blob_digest(path: str) -> str | None:
    """Return the digest of the blob that a path holds, or None for any other path.

    >>> blob_digest(blob_path(digest(b""))) == digest(b""), blob_digest("/docker/registry/v2/blobs/sha256/ab/x/data")
    (True, None)
    """
    found = _BLOB.fullmatch(path)
    return f"sha256:{found[2]}" if found else None


def layer_link(repository: str, blob: str) -> str:
    """Return the path of the link by which a repository has a layer or config."""
    return f"{REPOSITORIES}/{repository}/_layers/sha256/{_hex(blob)}/link"


def revision_link(repository: str, manifest: str) -> str:
    """Return the path of the link by which a repository has a manifest."""
    return f"{REPOSITORIES}/{repository}/_manifests/revisions/sha256/{_hex(manifest)}/link"


def tag_link(repository: str, tag: str) -> str:
    """Return the path of the link that says which manifest a tag means.

    >>> tag_link("team/app", "v1")
    '/docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link'
    """
    return f"{REPOSITORIES}/{repository}/_manifests/tags/{tag}/current/link"


def tag_index_link(repository: str, tag: str, manifest: str) -> str:
    """Return the path of the link that keeps a manifest which the tag means or has meant."""
    return f"{REPOSITORIES}/{repository}/_manifests/tags/{tag}/index/sha256/{_hex(manifest)}/link"


def tag_of(path: str) -> Tag | None:
    """Return the tag whose `tag_link` a path is, or None for any other path.

    >>> tag_of(tag_link("team/app", "v1")), tag_of("/docker/registry/v2/repositories")
    (Tag(repository='team/app', name='v1'), None)
    """
    found = _TAG_LINK.fullmatch(path)
    return Tag(found[1], found[2]) if found else None


def _hex(blob: str) -> str:
    found = _DIGEST.fullmatch(blob)
    if not found:
        raise ValueError(f"{blob!r} is no digest; sha256: and 64 hexadecimal digits make one")
    return found[1]
