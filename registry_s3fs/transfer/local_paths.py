"""What a local path leads to: through symbolic links, to the kernel's own files, or to an open descriptor."""

from __future__ import annotations

import errno
import os

from registry_s3fs.model.paths import StrPath

MAX_LINKS = 40
"""The most symbolic links that are followed one after the other, as in Linux (path_resolution(7))."""


def absolute(lpath: StrPath) -> str:
    """Return a path from the root, which stays right when the current directory changes later.

    The current directory may be gone. That does not matter for a path that is already absolute.
    """
    path = os.fsdecode(lpath)
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


def followed(lpath: StrPath) -> str:
    """Return the absolute path that is left when symbolic links are followed; the file itself may be missing.

    /proc shows open files as links (``/proc/self/fd/1``, which ``/dev/stdout`` leads to). These are not followed. The
    text that they show may name no file, or another file by now.

    Raises:
        OSError: The links lead to each other (ELOOP).
    """
    path = absolute(lpath)
    for _ in range(MAX_LINKS):
        folder, name = os.path.split(path.rstrip("/" + os.sep))
        path = os.path.join(os.path.realpath(folder), name)
        if _is_in_kernel(path) or not os.path.islink(path):
            return path
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(lpath))


def is_made_by_kernel(path: str) -> bool:
    """Return whether a followed path is a file that the kernel makes up as it is read, whatever its size says.

    >>> [is_made_by_kernel(path) for path in ("/proc/cpuinfo", "/sys/power/state", "/proc/7/fd/1", "/process/x")]
    [True, True, False, False]
    """
    return path.startswith(("/proc/", "/sys/")) and not is_descriptor(path)


def is_descriptor(path: str) -> bool:
    """Return whether a followed path names an open file of a process.

    >>> [is_descriptor(path) for path in ("/proc/7/fd/1", "/proc/7/task/8/fd/1", "/dev/fd/1", "/tmp/fd/1")]
    [True, True, True, False]
    """
    folder = os.path.dirname(path)
    return folder == "/dev/fd" or (folder.startswith("/proc/") and os.path.basename(folder) == "fd")


def own_descriptor(path: str) -> int | None:
    """Return the number of this process's descriptor that a followed path names; None where it names none."""
    folder, name = os.path.split(path)
    ours = folder in map(os.path.realpath, ("/dev/fd", "/proc/self/fd"))
    return int(name) if ours and name.isdecimal() else None


def _is_in_kernel(path: str) -> bool:
    return is_made_by_kernel(path) or is_descriptor(path)
