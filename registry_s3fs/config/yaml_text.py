"""YAML as values: no key twice, no values without an end, and errors without the text, which may hold a secret."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Set
from typing import TextIO

import yaml

MOST_VALUES = 1000
"""The most values that a nested value may hold."""


class UnreadableError(ValueError):
    """An error for text that is no YAML. Its message tells the place in the text."""


def load(text: str | TextIO, what: str) -> object:
    """Return what a text or a file says in YAML. `what` is the name of it for messages.

    Raises:
        UnreadableError: It is no YAML, or has a key twice in a mapping, or is nested too deeply.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # it is a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        # PyYAML raises the last three for a value that its tag or form does not fit, such as 2024-13-45 or !!bool x
        place = _place(error)
    raise UnreadableError(f"{what}: not YAML: {place}")


def is_small(value: object) -> bool:
    """Return whether a value has at most 1,000 others in it. One that contains itself has more."""
    left, found = [value], 0
    while left and found <= MOST_VALUES:
        each = left.pop()
        found += 1
        if isinstance(each, Mapping):
            left += each.values()
        elif isinstance(each, (Sequence, Set)) and not isinstance(each, str):
            left += each
    return found <= MOST_VALUES


def _place(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "its values are nested too deeply"
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else type(error).__name__
    return f"{place}: {error.problem}" if isinstance(error, _TwiceError) else place


class _TwiceError(yaml.constructor.ConstructorError):
    """An error raised where a mapping has a key twice, which the registry's parser refuses, too."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with an error for a key that is there twice.

    PyYAML itself would take the last of the two values without a word.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        """Return the mapping of a node; raise `_TwiceError` where a key is there twice."""
        names = [each.value for each, _ in node.value if isinstance(each, yaml.ScalarNode) and each.value != "<<"]
        for name in names:
            if names.count(name) > 1:
                raise _TwiceError(None, None, f"the key {name!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)
