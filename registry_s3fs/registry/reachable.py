"""What can be reached from digests by references. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def reachable(starts: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """Return the starts, all that follows them, and so on; circles end.

    >>> children = {"a": ["b", "c"], "b": ["a", "d"], "x": ["y"]}
    >>> sorted(reachable(["a"], lambda each: children.get(each, ())))
    ['a', 'b', 'c', 'd']
    """
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += following(each)
    return found
