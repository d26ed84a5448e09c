"""The manifest of an index that is for a platform. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from registry_s3fs.errors import PlatformError
from registry_s3fs.registry.manifests import INDEXES, Descriptor, Manifest, Platform

_ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64", "x86-64": "amd64", "i386": "386", "armhf": "arm"}
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
_NONE = Platform("unknown", "unknown")
"""The platform of what is no image: buildkit's attestations."""


def parse_platform(text: str) -> Platform:
    """Return the platform that a text such as ``linux/arm64/v8`` names.

    >>> parse_platform("linux/aarch64"), str(parse_platform("Linux/arm/v7"))
    (Platform(os='linux', architecture='arm64', variant=None), 'linux/arm/v7')
    >>> parse_platform("arm64")
    Traceback (most recent call last):
    registry_s3fs.errors.PlatformError: 'arm64' is no platform; give OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such \
as linux/arm64

    Raises:
        PlatformError: It names none.
    """
    parts = text.lower().split("/")
    if len(parts) not in (2, 3) or not all(parts):
        text = f"{text[:80]!r} is no platform; give OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm64"
        raise PlatformError(text)
    os, architecture, *variant = parts
    return Platform(os, _ARCHITECTURES.get(architecture, architecture), variant[0] if variant else None)


def choose(index: Manifest, platform: Platform | None, name: str) -> Descriptor:
    """Return the child of an index that is for a platform: the first one, as docker does.

    Without a platform, return the only child that is an image for any. Without a variant, any is good. An only index
    among the children that is for no platform is returned where no other child is for the one that is wanted.

    Args:
        index: The index.
        platform: The platform.
        name: What the error calls the index.

    Raises:
        PlatformError: There is none, or several and no platform is given. The error lists them.
    """
    offered = [child for child in index.children if child.platform and child.platform != _NONE]
    if platform is None:
        candidates = offered or list(index.children)
        if len(candidates) == 1:
            return candidates[0]
        raise _error(f"{name} is an index of several platforms; give one of them", offered)
    for child in offered:
        if child.platform and _is_for(child.platform, platform):
            return child
    nested = [child for child in index.children if child.media_type in INDEXES and child.platform in (None, _NONE)]
    if len(nested) == 1:
        return nested[0]
    raise _error(f"{name} has nothing for {platform}", offered)


def _is_for(offered: Platform, wanted: Platform) -> bool:
    architecture = _ARCHITECTURES.get(offered.architecture, offered.architecture)
    if (offered.os, architecture) != (wanted.os, wanted.architecture):
        return False
    default = _DEFAULT_VARIANTS.get(architecture)
    return wanted.variant is None or (offered.variant or default) == wanted.variant


def _error(what: str, offered: Iterable[Descriptor]) -> PlatformError:
    named = dict.fromkeys(str(child.platform) for child in offered)
    platforms = tuple(name if name.isprintable() else repr(name) for name in named)  # strangers named them
    error = PlatformError(f"{what}; its platforms: {', '.join(platforms[:50]) or 'none'}")
    error.platforms = platforms
    return error
