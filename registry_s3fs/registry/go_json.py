"""JSON as Go's `encoding/json` reads it into a value of known types, which is how the registry reads manifests. Pure.

What differs from Python's `json`: names count whatever their case, of a name that comes twice each value is read over
the one before, `null` changes nothing, members that nobody asked for may be anything, and 10,000 levels are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from registry_s3fs.registry.documents import finite, refuse_constant, without_lone_surrogates

Value = Any
"""What `read` makes: texts, integers, lists, dicts by the names of a type; None where nothing was said."""

TEXT, INTEGER, BYTES, TEXTS_BY_NAME = "a text", "an integer of 64 bits", "bytes in base64", "an object of texts"
_LIST, _OBJECT = "a list", "an object"
Type = str | list["Type"] | dict[str, "Type"]
"""One of the words above; a list of one type; or a struct, whose names are in lower case."""

MAX_DEPTH = 10_000
_LEVELS = 100
"""Python's decoder takes so many levels at once. No type here has as many."""
_MAX_DIGITS = 400
"""A number of fewer characters can be a Python integer, without taking long."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""A bracket, or a string to its end. One without an end goes to the end of the text, so that it is looked at once."""
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class _Members(list[tuple[str, Any]]):
    """An object: its names and values in their order."""


class _List:
    """A list on its way. As in Go, one that is read over is shortened, and its elements are found again."""

    def __init__(self) -> None:
        self.elements: list[Value] = []
        self.length = 0


def fold(name: str) -> str:
    r"""Return a name such that names that Go takes for the same are equal.

    >>> fold("Layers") == fold("layer\u017f") == "layers"
    True
    """
    return name.lower() if name.isascii() else name.lower().replace("\u017f", "s")


def is_base64(text: str) -> bool:
    """Return whether Go reads a text as bytes."""
    return bool(_BASE64.fullmatch(text.replace("\r", "").replace("\n", "")))


def parse(data: bytes, *, floats: bool = False) -> Value:
    """Return a document, which `read` reads into types.

    Args:
        data: The document.
        floats: Whether it wants numbers that a float can be, as where all of it is read without a type first.

    Raises:
        ValueError: It is no JSON.
    """
    value: Any = None
    for piece in _pieces(data.decode(errors="replace")):
        value = (_DECODER_OF_FLOATS if floats else _DECODER).decode(piece)
    return value


def read(document: Value, into: Type) -> Value:
    """Return what Go reads from a parsed document into a type.

    >>> read(parse(b'{"A": 1, "a": null, "other": [1e999]}'), {"a": INTEGER, "b": TEXT})
    {'a': 1}

    Raises:
        ValueError: Something is of another type.
    """
    return _plain(_decoded(into, document, None, ""))


def _pieces(text: str) -> Iterator[str]:
    """Yield documents of a bounded depth that are JSON where the text is. In the last one, what is deeper is null.

    Python's decoder calls itself for each level, and ends after some hundreds. `begun` is the stack of the documents
    whose ends are still to come.
    """
    begun: list[list[str]] = [[]]
    depth = at = 0
    for token in _TOKEN.finditer(text):
        bracket = token[0]
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"Go reads no document of over {MAX_DEPTH} levels")
            if depth % _LEVELS == 0:
                begun[-1] += [text[at : token.start()], "null"]
                begun.append([])
                at = token.start()
        elif bracket in "]}":
            depth -= 1
            if depth % _LEVELS == _LEVELS - 1 and len(begun) > 1:
                yield "".join([*begun.pop(), text[at : token.end()]])
                at = token.end()
    yield "".join([*begun.pop(), text[at:]])


def _integer(text: str) -> int | float:
    return int(text) if len(text) < _MAX_DIGITS else float("inf")


def _finite_integer(text: str) -> int | float:
    finite(text)
    return _integer(text)


def _decoder(parse_int: Callable[[str], int | float], parse_float: Callable[[str], float]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_Members, parse_int=parse_int, parse_float=parse_float, parse_constant=refuse_constant
    )


_DECODER = _decoder(_integer, float)
_DECODER_OF_FLOATS = _decoder(_finite_integer, finite)


def _decoded(into: Type, value: Any, old: Value, where: str) -> Value:
    """Return the value that Go has after it reads one over an old one."""
    if value is None:
        return None if isinstance(into, list) or into in (BYTES, TEXTS_BY_NAME) else old
    if isinstance(into, list):
        return _list(into[0], value, old, where)
    if isinstance(into, dict):
        return _struct(into, value, old, where)
    if not _IS[into](value):
        raise _wrong(where, into)
    return without_lone_surrogates(value) if into == TEXT else value


def _list(of: Type, value: Any, old: _List | None, where: str) -> _List:
    if type(value) is not list:
        raise _wrong(where, _LIST)
    found = old if old and value else _List()
    for at, each in enumerate(value):
        before = found.elements[at] if at < len(found.elements) else None
        element = _decoded(of, each, before, f"{where}[{at}]")
        found.elements[at : at + 1] = [element]
    found.length = len(value)
    return found


def _struct(members: dict[str, Type], value: Any, old: dict[str, Value] | None, where: str) -> dict[str, Value]:
    if not isinstance(value, _Members):
        raise _wrong(where, _OBJECT)
    found = old or {}
    for name, each in value:
        folded = fold(name)
        if folded in members:
            found[folded] = _decoded(members[folded], each, found.get(folded), f"{where}.{folded}".lstrip("."))
    return found


def _wrong(where: str, needed: str) -> ValueError:
    return ValueError(f"{where or 'the document'} must be {needed}")


def _is_bytes(value: Any) -> bool:
    if isinstance(value, str):
        return is_base64(value)
    return type(value) is list and all(each is None or (type(each) is int and 0 <= each < 256) for each in value)


def _is_object_of_texts(value: Any) -> bool:
    return isinstance(value, _Members) and all(text is None or isinstance(text, str) for _, text in value)


_IS = {
    TEXT: lambda value: isinstance(value, str),
    INTEGER: lambda value: type(value) is int and -(2**63) <= value < 2**63,
    BYTES: _is_bytes,
    TEXTS_BY_NAME: _is_object_of_texts,
}


def _plain(value: Value) -> Value:
    """Return a value with lists in place of `_List`."""
    if isinstance(value, _List):
        return [_plain(each) for each in value.elements[: value.length]]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value
