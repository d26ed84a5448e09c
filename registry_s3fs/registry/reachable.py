"""What can be reached from digests by references. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def reachable(starts: Iterable[Node], following: Callable[[Node], Iterable[Node]]) -> set[Node]:
    """Return the starts, all that follows them, and so on; circles end.

    >>> children = {"a": ["b", "c"], "b": ["a", "d"], "x": ["y"]}
    >>> sorted(reachable(["a"], lambda each: children.get(each, ())))
    ['a', 'b', 'c', 'd']
    """
    found: set[Node] = set()
    waiting = list(starts)
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += following(each)
    return found
