"""Which names the registry takes for repositories and tags (``reference/regexp.go``). Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
MAX_NAME_CHARACTERS = 255
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@lru_cache(maxsize=65536)
def repository(name: str) -> str | None:
    """Return the name of a repository, the same object each time, or None where the registry refuses it."""
    return name if len(name) <= MAX_NAME_CHARACTERS and _NAME.fullmatch(name) else None


def is_repository(name: str) -> bool:
    """Return whether the registry takes this as the name of a repository.

    >>> is_repository("team/app"), is_repository("team/App"), is_repository("team//app"), is_repository("../app")
    (True, False, False, False)
    """
    return repository(name) is not None


@lru_cache(maxsize=65536)
def is_tag(name: str) -> bool:
    """Return whether the registry takes this as the name of a tag.

    >>> is_tag("v1.2_rc-3"), is_tag("-v1"), is_tag("a/b"), is_tag("")
    (True, False, False, False)
    """
    return _TAG.fullmatch(name) is not None
