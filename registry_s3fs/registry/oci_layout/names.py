"""The names of images in a layout: which repository and tag ``org.opencontainers.image.ref.name`` means. Pure.

Tools write it as they like. skopeo and podman have any text (``team/app:1.2``), oras and umoci only a tag, docker and
containerd a tag there and the full name in an annotation of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from registry_s3fs.errors import InvalidReferenceError, LayoutError
from registry_s3fs.model import names
from registry_s3fs.model.references import parse_reference

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
    r"(?::[0-9]+)?"
)


class ImageName(NamedTuple):
    """The name of an image in a layout."""

    repository: str | None
    """None where the name is a tag alone."""
    tag: str | None
    digest: str | None = None


def image_name(annotations: Mapping[str, str]) -> ImageName | None:
    """Return the name that the annotations of an image give it, or None where they give none.

    >>> image_name({REF_NAME: "1.2", CONTAINERD_NAME: "docker.io/library/alpine:1.2"})
    ImageName(repository='library/alpine', tag='1.2', digest=None)

    Raises:
        LayoutError: The name is one that no registry takes.
    """
    texts = [annotations[key] for key in (REF_NAME, CONTAINERD_NAME) if annotations.get(key)]
    found, refused = [], []
    for text in texts:
        try:
            found.append(parse_name(text))
        except LayoutError as error:
            refused.append(error)
    if refused and not found:
        raise refused[0]
    return next((name for name in found if name.repository), found[0] if found else None)


def parse_name(text: str) -> ImageName:
    """Return what a name means. The host of a registry that stands before it is left out.

    >>> parse_name("team/app:1.2"), parse_name("1.2")
    (ImageName(repository='team/app', tag='1.2', digest=None), ImageName(repository=None, tag='1.2', digest=None))
    >>> parse_name("localhost:5000/team/app").tag
    'latest'
    >>> parse_name("../x:1")
    Traceback (most recent call last):
    registry_s3fs.errors.LayoutError: the layout names an image '../x:1', which no registry takes as a name; give \
another one (--as REPOSITORY:TAG)

    Raises:
        LayoutError: It is a name that no registry takes.
    """
    host, slash, rest = text.partition("/")
    has_host = bool(slash) and _is_host(host)
    if not slash and ":" not in text and "@" not in text and names.is_tag(text):
        return ImageName(None, text)
    try:
        return ImageName(*parse_reference(rest if has_host else text))
    except InvalidReferenceError:
        raise LayoutError(
            f"the layout names an image {text[:200]!r}, which no registry takes as a name; give another one "
            "(--as REPOSITORY:TAG)"
        ) from None


def _is_host(text: str) -> bool:
    """Return whether the first part of a name is a registry's host, by docker's rule.

    >>> _is_host("quay.io"), _is_host("registry:5000"), _is_host("localhost"), _is_host("team"), _is_host("..")
    (True, True, True, False, False)
    """
    return (text == "localhost" or "." in text or ":" in text) and _HOST.fullmatch(text) is not None


def ref_name(repository: str, tag: str | None, digest: str) -> str:
    """Return the name of an image that is written into a layout. `parse_name` of it has the same repository and tag.

    >>> ref_name("team/app", "1.2", "sha256:abc"), ref_name("team/app", None, "sha256:abc")
    ('team/app:1.2', 'team/app@sha256:abc')
    """
    return f"{repository}:{tag}" if tag else f"{repository}@{digest}"
