"""fsspec's cache of listings, one for all filesystems of a process that have the same parameters.

fsspec makes a filesystem for each thread. So each thread would have its own cache, and would not see what another one
wrote.
"""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakValueDictionary

from fsspec.dircache import DirCache

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.model.info import Info
from registry_s3fs.threads import fork

_guard = fork.Guard()
_caches: WeakValueDictionary[tuple[DriverParameters, float | None, int | None], DirCache] = WeakValueDictionary()


def shared(parameters: DriverParameters, cache: DirCache) -> DirCache:
    """Return the cache of all filesystems with these parameters, which may be this new one."""
    key = parameters, cache.listings_expiry_time, cache.max_paths
    with _guard.lock:
        found: DirCache = _caches.setdefault(key, cache)
    return found


def forget(parameters: DriverParameters, path: str) -> None:
    """Drop the listings that a change at a path makes untrue, from the caches of all filesystems with these parameters.

    These are the listings of the path, of what lies below it, and of its parents.
    """
    if not _caches:
        return
    with _guard.lock:
        caches = [cache for key, cache in list(_caches.items()) if key[0] == parameters]
    below = path.rstrip("/") + "/"
    for cache in caches:
        note_change(cache)
        for cached in list(cache):
            if cached.startswith(below) or f"{path}/".startswith(cached.rstrip("/") + "/"):
                with suppress(KeyError):  # another thread was quicker
                    del cache[cached]


def last_change(cache: DirCache) -> object:
    """Return an object that is another one once something has changed that a cache may hold."""
    return getattr(cache, "last_change", None)


def note_change(cache: DirCache) -> None:
    """Note that something changed. The cached listings of it are dropped afterwards."""
    cache.last_change = object()


def keep(cache: DirCache, path: str, infos: list[Info], before: object) -> None:
    """Keep a listing, unless something changed since it was requested. It may not show that change.

    `before` is the `last_change` at the time of the request.
    """
    cache[path] = infos
    if last_change(cache) is not before:  # after it was put in, so that a change either shows here or takes it out
        with suppress(KeyError):
            del cache[path]
