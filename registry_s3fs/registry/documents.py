"""JSON from strangers: manifests and configs, read within bounds of size, depth and number of values. Pure.

Go's decoder reads what the registry stores, so bytes that are no UTF-8 and lone surrogates become U+FFFD as there, and
`NaN` is refused.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from math import isinf

from registry_s3fs.errors import UnreadableDocumentError

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A value of a JSON document."""
Members = dict[str, Json]
"""A JSON object."""


class Duplicated(Members):
    """A JSON object that has a name twice, or more often. It has the last value."""

    def __init__(self, pairs: list[tuple[str, Json]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs
        """All of its members."""


MAX_BYTES = 4 * 1024 * 1024
"""The size up to which the registry takes manifests (``maxManifestBodySize``), and clients take configs."""
MAX_DEPTH = 100
MAX_VALUES = 100_000
"""A bound of the memory: a value takes up to about 100 bytes beyond its text."""
MAX_DIGITS = 40

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_STRINGS = re.compile(rb'"[^"]*"')
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has over {MAX_DIGITS} digits")
    return int(digits)


def finite(text: str) -> float:
    """Return a number, or raise a `ValueError` for one that no float is near."""
    value = float(text)
    if isinf(value):
        raise ValueError(f"{text[:MAX_DIGITS]} is beyond all numbers")
    return value


def refuse_constant(name: str) -> Json:
    """Raise the error for a constant that Python has, and JSON has not."""
    raise ValueError(f"{name} is no value of JSON")


def _members(pairs: list[tuple[str, Json]]) -> Members:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Duplicated(pairs)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=finite, parse_constant=refuse_constant
)


def parse(data: bytes, max_bytes: int = MAX_BYTES, max_values: int = MAX_VALUES) -> Members:
    r"""Return a document, which must be a JSON object.

    >>> parse(b'{"name": "caf\xc3\xa9", "odd": "\\ud800"}')
    {'name': 'café', 'odd': '�'}
    >>> parse(10_000 * b"[")
    Traceback (most recent call last):
    registry_s3fs.errors.UnreadableDocumentError: the document is nested deeper than 100 levels

    Raises:
        UnreadableDocumentError: It is too large or too deep, has too many values, or is no JSON object.
    """
    if len(data) > max_bytes:
        raise UnreadableDocumentError(f"the document has {len(data)} bytes; at most {max_bytes} are read")
    _check_structure(data, max_values)
    text = data.decode(errors="replace")
    try:
        value: Json = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableDocumentError(f"the document is no JSON: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise UnreadableDocumentError("the document is no JSON object")
    if "\\ud" in text or "\\uD" in text:
        value = _clean_members(value)
    return value


def _check_structure(data: bytes, max_values: int) -> None:
    """Raise the error for a document that is too deep or has too many values, before memory is taken for it."""
    opened = data.count(b"[") + data.count(b"{")
    if opened <= MAX_DEPTH and data.count(b",") < max_values - MAX_DEPTH:
        return  # whatever is in its strings
    escaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    strings = escaped.count(b'"') // 2
    bare = _STRINGS.sub(b"", escaped) if strings <= 2 * max_values else b""  # each is a value, or the name of one
    values = max(strings // 2, bare.count(b",") + bare.count(b"[") + bare.count(b"{"))
    if values > max_values:
        raise UnreadableDocumentError(f"the document has over {max_values} values")
    if _depth(bare.translate(None, _ALL_BUT_BRACKETS)) > MAX_DEPTH:
        raise UnreadableDocumentError(f"the document is nested deeper than {MAX_DEPTH} levels")


def _depth(brackets: bytes) -> int:
    """Return how many brackets are open at most.

    >>> _depth(b"{[][{}]}")
    3
    """
    now = deepest = 0
    for bracket in brackets:
        now += 1 if bracket in b"[{" else -1
        deepest = max(deepest, now)
    return deepest


def without_lone_surrogates(text: str) -> str:
    """Return a text with U+FFFD for each lone surrogate, as in Go."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def _clean(value: Json) -> Json:
    """Return a value whose texts have no lone surrogates, which nothing could write."""
    if isinstance(value, str):
        return without_lone_surrogates(value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return _clean_members(value) if isinstance(value, dict) else value


def _clean_members(members: Members) -> Members:
    if isinstance(members, Duplicated):
        return Duplicated([(without_lone_surrogates(name), _clean(value)) for name, value in members.pairs])
    return {without_lone_surrogates(name): _clean(value) for name, value in members.items()}


def time(value: Json) -> datetime | None:
    """Return the time that a text of RFC 3339 says, or None for any other value. Nanoseconds are cut.

    >>> time("2026-11-24T07:57:54.123456789Z"), time("yesterday")
    (datetime.datetime(2026, 11, 24, 7, 57, 54, 123456, tzinfo=datetime.timezone.utc), None)
    """
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return None
    fraction = (found[2] or ".0")[:7].ljust(7, "0")
    try:
        time = datetime.fromisoformat(found[1] + fraction + found[3].replace("Z", "+00:00"))
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
