"""Glob patterns by fsspec's rules, whose matching time a long name cannot blow up. Pure.

fsspec makes one regular expression of a pattern. With `*a*a*a*b`, `re` tries every way to share a name out between the
stars. That takes minutes for one long name.

Here a pattern is a row of elements. Several of them could share the same part of a name. Then all positions that the
elements so far can end at are followed at once, as the bits of an integer. The time grows with the pattern's length
times the name's length. Other patterns stay regular expressions, which are faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import ClassVar, Protocol


class Element(Protocol):
    """One element of a pattern."""

    @property
    def regex(self) -> str:
        """Return the same element as a regular expression."""

    def advance(self, name: str, positions: int) -> int:
        """Return where this can end in a name when it begins at one of `positions`; bit `n` is before character `n`."""


@dataclass(frozen=True)
class Literal:
    """An element that matches exactly these characters."""

    text: str

    @property
    def regex(self) -> str:
        """See `Element.regex`."""
        return re.escape(self.text)

    def advance(self, name: str, positions: int) -> int:
        """See `Element.advance`."""
        found, at = 0, name.find(self.text, _lowest(positions))
        while at >= 0:
            found |= (positions >> at & 1) << at
            at = name.find(self.text, at + 1)
        return found << len(self.text)


@dataclass(frozen=True)
class Character:
    """An element that matches one character that lies in one of the ranges, or, if negated, in none."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def __contains__(self, character: str) -> bool:
        return any(first <= character <= last for first, last in self.ranges) != self.negated

    @property
    def regex(self) -> str:
        """See `Element.regex`."""
        if not self.ranges:
            return "." if self.negated else "(?!)"
        ranges = "".join(f"{re.escape(first)}-{re.escape(last)}" for first, last in self.ranges)
        return f"[{'^' * self.negated}{ranges}]"

    def advance(self, name: str, positions: int) -> int:
        """See `Element.advance`."""
        found = 0
        for at in range(_lowest(positions), min(positions.bit_length(), len(name))):
            if positions >> at & 1 and name[at] in self:
                found |= 2 << at
        return found


@dataclass(frozen=True)
class Star:
    """An element that matches any characters of one component."""

    regex: ClassVar[str] = "[^/]*"

    def advance(self, name: str, positions: int) -> int:
        """See `Element.advance`."""
        found = 0
        while positions:
            start = _lowest(positions)
            slash = name.find("/", start)
            reached = (2 << (slash if slash >= 0 else len(name))) - (1 << start)
            found, positions = found | reached, positions & ~reached
        return found


@dataclass(frozen=True)
class Directories:
    """An element that matches any number of components, even none, each with the `/` after it."""

    regex: ClassVar[str] = "(?:.+/)?"

    def advance(self, name: str, positions: int) -> int:
        """See `Element.advance`."""
        slash = name.find("/", _lowest(positions) + 1)
        while slash >= 0:
            positions |= 2 << slash
            slash = name.find("/", slash + 1)
        return positions


@dataclass(frozen=True)
class Rest:
    """An element that matches whatever is left."""

    regex: ClassVar[str] = ".*"

    def advance(self, name: str, positions: int) -> int:
        """See `Element.advance`."""
        return (2 << len(name)) - (1 << _lowest(positions))


SLASH = Literal("/")
NO_SLASH = Character((("/", "/"),), negated=True)


class GlobPattern:
    """A pattern with `*`, `?`, `[...]`, `[!...]`, and `**` as a whole component.

    >>> GlobPattern("/a/**/*.json").matches("/a/b/c/x.json"), GlobPattern("/a/*").matches("/a/b/c")
    (True, False)

    Raises:
        ValueError: `**` is only part of a component.
    """

    def __init__(self, pattern: str) -> None:
        self._elements = list(_joined(_elements(pattern)))
        text = "".join(element.regex for element in self._elements)
        self._regex = None if _has_rival_stars(self._elements) else re.compile(text, re.DOTALL)

    def matches(self, name: str) -> bool:
        """Return whether the pattern matches the whole name."""
        return self._regex.fullmatch(name) is not None if self._regex else self.follows(name)

    def follows(self, name: str) -> bool:
        """Return the same as `matches`, for any pattern in the time that the module promises."""
        positions = 1
        for element in self._elements:
            positions = element.advance(name, positions)
            if not positions:
                return False
        return bool(positions >> len(name))


def _lowest(positions: int) -> int:
    return (positions & -positions).bit_length() - 1


def _has_rival_stars(elements: list[Element]) -> bool:
    """Return whether two elements of open length could share the same part of a name, so that `re` would try all ways.

    A star ends at the latest before the next `/`. So stars of different components never meet.
    """
    if sum(isinstance(element, Directories) for element in elements) > 1:
        return True
    if any(isinstance(element, Character) and "/" in element for element in elements):
        return True
    stars = "".join("*" if isinstance(each, Star) else "/" if _ends_component(each) else "" for each in elements)
    return "**" in stars


def _ends_component(element: Element) -> bool:
    return isinstance(element, Directories) or (isinstance(element, Literal) and "/" in element.text)


def _elements(pattern: str) -> Iterator[Element]:
    *folders, last = pattern.split("/")
    for folder in folders:
        if folder == "**":
            yield Directories()
        else:
            yield from _component(folder, pattern)
            yield SLASH
    if last == "**":
        yield Rest()
    else:
        yield from _component(last, pattern)


def _component(text: str, pattern: str) -> Iterator[Element]:
    if "**" in text:
        raise ValueError(f"{pattern!r}: '**' can only be an entire path component")
    if text == "*":
        yield NO_SLASH  # a component is never empty
    at = 0
    while at < len(text):
        bracket = _bracket(text, at) if text[at] == "[" else None
        if bracket:
            yield _character(bracket)
            at += len(bracket) + 2
        else:
            yield Star() if text[at] == "*" else NO_SLASH if text[at] == "?" else Literal(text[at])
            at += 1


def _bracket(text: str, start: int) -> str | None:
    """Return the text in the brackets that begin at `start`, or None where they do not end.

    A `]` that comes first ends nothing.
    """
    first = start + (2 if text.startswith("[!", start) else 1)
    end = text.find("]", first + 1)
    return text[start + 1 : end] if end >= 0 else None


def _character(inside: str) -> Character:
    """Return the element that brackets mean, by the rules of Python's `glob.translate`, which fsspec has copied.

    Where the removal of ranges that hold nothing leaves a `!` at the beginning, it negates. The hyphen behind it then
    stands for itself.

    >>> "b" in _character("a-c"), "b" in _character("!a-c"), "b" in _character("c-a")
    (True, False, False)
    """
    chunks = _chunks(inside)
    negated = chunks[0].startswith("!")
    chunks[0] = chunks[0].removeprefix("!")
    pairs = [(left[-1], right[0]) if left else ("-", "-") for left, right in pairwise(chunks)]
    return Character((*pairs, *((each, each) for each in "".join(chunks))), negated)


def _chunks(inside: str) -> list[str]:
    """Return the text between the hyphens that make ranges, without the ranges that hold nothing."""
    chunks, start = [], 0
    hyphen = inside.find("-", 2 if inside.startswith("!") else 1)
    while hyphen >= 0:
        chunks.append(inside[start:hyphen])
        start, hyphen = hyphen + 1, inside.find("-", hyphen + 3)
    chunks.append(inside[start:])
    if not chunks[-1]:
        chunks[-2:] = [chunks[-2] + "-"]
    for index in range(len(chunks) - 1, 0, -1):
        left, right = chunks[index - 1 : index + 1]
        if left[-1] > right[0]:
            chunks[index - 1 : index + 1] = [left[:-1] + right[1:]]
    return chunks


def _joined(elements: Iterator[Element]) -> Iterator[Element]:
    """Yield the elements, with adjacent literals joined into one."""
    for is_literal, run in groupby(elements, lambda each: isinstance(each, Literal)):
        if is_literal:
            yield Literal("".join(each.text for each in run if isinstance(each, Literal)))
        else:
            yield from run
