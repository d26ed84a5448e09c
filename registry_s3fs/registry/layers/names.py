"""Names in archives become paths inside the image. Pure.

A name is bound below the image's root, as umoci (``CleanPath``), containerd and Docker bind it: a leading ``/`` counts
for nothing, and ``..`` at the root stays there. So no name leads out of the image.
"""

from __future__ import annotations

from registry_s3fs import errors
from registry_s3fs.registry.layers.entries import MAX_NAME_BYTES, MAX_PATH_BYTES


def path_inside(name: str) -> str:
    """Return the path that a name in an archive means, or an empty text for the root itself.

    >>> path_inside("./usr//bin/../lib/"), path_inside("/../../etc/passwd"), path_inside("./")
    ('usr/lib', 'etc/passwd', '')

    Raises:
        LayerError: It is too long, or has a null byte.
    """
    check_length(name)
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    path = "/".join(parts)
    if len(path) > MAX_NAME_BYTES // 4 and any(_length(part) > MAX_NAME_BYTES for part in parts):
        raise errors.bad_layer(f"a part of the name {path[:80]!r}... has over {MAX_NAME_BYTES} bytes")
    return path


def check_length(name: str) -> None:
    """Raise the error for a name or link target that no file of Linux can have.

    Raises:
        LayerError: It is too long, or has a null byte.
    """
    if len(name) > MAX_PATH_BYTES // 4 and _length(name) > MAX_PATH_BYTES:
        raise errors.bad_layer(f"the name {name[:80]!r}... has over {MAX_PATH_BYTES} bytes")
    if "\0" in name:
        raise errors.bad_layer(f"the name {name[:80]!r} has a null byte")


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
