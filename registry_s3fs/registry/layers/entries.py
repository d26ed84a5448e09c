"""What a layer says of one file, folder, link or device. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

MAX_ENTRIES = 1_000_000
"""The most entries of a layer, and of an image with the folders that no layer has an entry for."""
MAX_PATH_BYTES = 4096
"""The longest path or link target: ``PATH_MAX`` of Linux."""
MAX_NAME_BYTES = 255
"""The longest name of a file or folder: ``NAME_MAX`` of Linux."""
MAX_TEXT_BYTES = 256 * 1024 * 1024
"""The most bytes of all paths, link targets and attributes of a layer, and of all paths of an image."""

Kind = Literal["file", "directory", "symlink", "hardlink", "character_device", "block_device", "fifo"]


class LayerEntry(NamedTuple):
    """A file, folder, link or device of a layer, or of the merged layers of an image."""

    path: str
    """Relative to the root of the image, normalised, with ``/`` between its parts. Bytes that are no UTF-8 are lone
    surrogates, as in Python's names of local files."""
    kind: Kind
    size: int = 0
    """The number of bytes of a file. It is 0 for all else."""
    mode: int = 0o755
    """The permissions, with the bits of setuid, setgid and sticky."""
    uid: int = 0
    gid: int = 0
    mtime: float = 0.0
    """The time of the last change, in seconds since 1970 in UTC."""
    link_target: str | None = None
    """The target of a symbolic link as it is written, or the path of a hard link's target in the image."""
    device: tuple[int, int] | None = None
    """The major and minor number of a device."""
    blob: str | None = None
    """The digest of the blob that has the bytes. Of a hard link, merging gives it: the bytes are its target's."""
    offset: int | None = None
    """Where the bytes begin in the uncompressed layer, or among the chunks of its table of contents."""
    has_table: bool = False
    """Whether the offset counts in the chunks of the layer's own table of contents."""
    sparse: tuple[tuple[int, int], ...] | None = None
    """The offset and length of each run of bytes in a sparse file. The runs are stored one behind the other, and all
    else of the file is zeros."""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    """The names and values of the extended attributes."""
