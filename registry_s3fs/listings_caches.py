"""fsspec's cache of listings, one for all filesystems of a process that have the same parameters.

fsspec keeps filesystems by thread, so that each thread would have a cache of its own, and not see what another wrote.
"""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakValueDictionary

from fsspec.dircache import DirCache

from registry_s3fs.parameters import DriverParameters
from registry_s3fs.threads import fork

_lock = threading.RLock()
_caches: WeakValueDictionary[tuple[Any, ...], DirCache] = WeakValueDictionary()


def shared(parameters: DriverParameters, cache: DirCache) -> DirCache:
    """Return the cache of all filesystems with these parameters, which may be this new one."""
    key = parameters, cache.listings_expiry_time, cache.max_paths
    with _lock:
        found: DirCache = _caches.setdefault(key, cache)
    return found


def changes(cache: DirCache) -> int:
    """Return how often something changed that a cache may hold: a listing that was asked for before is not kept."""
    return getattr(cache, "changes", 0)


def note_change(cache: DirCache) -> None:
    """Note that something changed."""
    cache.changes = changes(cache) + 1


@fork.in_child
def _begin_anew() -> None:
    """Another thread may have held the lock."""
    global _lock
    _lock = threading.RLock()
