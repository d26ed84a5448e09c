"""Parsers of parameter values, one for each kind of value. Pure.

``parse(name, value)`` returns the typed value or raises `ValueError`.
"""

from __future__ import annotations

import codecs
import copy
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import SupportsIndex, cast
from urllib.parse import SplitResult, urlsplit

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def boolean(name: str, value: object) -> bool:
    """Return the boolean of what Go's ``strconv.ParseBool`` takes, or of a boolean itself.

    >>> boolean("encrypt", "T"), boolean("encrypt", "0"), boolean("encrypt", False)
    (True, False, False)
    >>> boolean("encrypt", "yes")
    Traceback (most recent call last):
    ValueError: encrypt: 'yes' is no boolean; give true or false
    """
    if str(value) not in (*_TRUE, *_FALSE):
        raise ValueError(f"{name}: {value!r} is no boolean; give true or false")
    return str(value) in _TRUE


def integer(least: int, most: int | None, *, unit: str = "") -> Callable[[str, object], int]:
    """Return a parser of whole numbers from `least` to `most`; a string must hold decimal digits.

    >>> integer(1, 9)("n", "7")
    7
    >>> integer(1, 9, unit="bytes")("n", "10MB")
    Traceback (most recent call last):
    ValueError: n: '10MB' is no whole number; give 1 to 9 bytes
    """
    bounds = f"give {least} to {most}" if most is not None else f"give {least} or more"
    bounds += f" {unit}" if unit else ""

    def parse(name: str, value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value):
            value = int(value)
        if not isinstance(value, SupportsIndex) or isinstance(value, bool):
            raise ValueError(f"{name}: {value!r} is no whole number; {bounds}")
        number = operator.index(value)  # numpy has numbers of its own
        if number < least or (most is not None and number > most):
            raise ValueError(f"{name}: {number} is out of bounds; {bounds}")
        return number

    return parse


def _plain(name: str, value: object) -> str:
    """Return text that may stand in a header or URL.

    An error does not show the value, as it may be a secret.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{name}: takes text, not {type(value).__name__}")
    word = str(value)
    if word != word.strip() or not word.isprintable():
        raise ValueError(f"{name}: has white space at an end, or characters that do not print; take them out")
    return word


def text() -> Callable[[str, object], str]:
    """Return a parser of text without control characters and without white space at its ends."""
    return _plain


def ascii_text(name: str, value: object) -> str:
    """Return text that a header can hold."""
    word = _plain(name, value)
    if not word.isascii():
        raise ValueError(f"{name}: {word!r} has characters beyond ASCII, which no header can hold")
    return word


def matching(pattern: str, what: str) -> Callable[[str, object], str]:
    """Return a parser of text that a regular expression matches as a whole."""

    def parse(name: str, value: object) -> str:
        word = _plain(name, value)
        if not re.fullmatch(pattern, word):
            raise ValueError(f"{name}: {word!r} is not {what}")
        return word

    return parse


def choice(words: Sequence[str], normal: Callable[[object], str] = str) -> Callable[[str, object], str]:
    """Return a parser of one of a few words, which `normal` is applied to first.

    >>> choice(("NONE", "STANDARD"), upper)("storageclass", "standard")
    'STANDARD'
    """

    def parse(name: str, value: object) -> str:
        word = normal(value)
        if word not in words or not isinstance(value, (str, bool)):
            raise ValueError(f"{name}: {value!r} is none of {', '.join(word or repr(word) for word in words)}")
        return word

    return parse


def upper(value: object) -> str:
    """Return a word in upper case, as the Go driver takes storage classes."""
    return str(value).upper()


def log_level(value: object) -> str:
    """Return a word in lower case, and "off" for false.

    YAML reads a bare ``off`` as false, and so does the Go driver.
    """
    return "off" if value is False else str(value).lower()


def bucket(name: str, value: object) -> str:
    """Return a bucket's name.

    The rules are S3's, but upper case and underscores are allowed, as other and older stores have them.
    """
    word = _plain(name, value)
    if word and not (re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", word) and ".." not in word):
        raise ValueError(f"{name}: {word!r} is no bucket name; letters, digits, '.', '-' and '_' make one")
    if len(word) in (1, 2):
        raise ValueError(f"{name}: {word!r} is too short for a bucket name")
    return word


def rootdirectory(name: str, value: object) -> str:
    """Return a prefix of keys; refuse the empty components that the Go driver would write."""
    word = _plain(name, value)
    inner = word.strip("/")
    if inner and any(component in ("", ".", "..") for component in inner.split("/")):
        raise ValueError(f"{name}: {word!r} has an empty, '.' or '..' component")
    return word


def endpoint(*, host_only: bool) -> Callable[[str, object], str]:
    """Return a parser of endpoints: ``[scheme://]host[:port]``.

    With `host_only`, an endpoint must have a scheme and may not have a path.

    >>> endpoint(host_only=False)("regionendpoint", "localhost:9000")
    'localhost:9000'
    >>> endpoint(host_only=True)("redirectendpoint", "cdn.example.com")
    Traceback (most recent call last):
    ValueError: redirectendpoint: 'cdn.example.com' has no http:// or https://
    """

    def parse(name: str, value: object) -> str:
        word = _plain(name, value).rstrip("/")
        if not word:
            return word
        if "@" in word:  # not shown: it may hold a password
            raise ValueError(f"{name}: an endpoint holds no user name or password; use accesskey and secretkey")
        if host_only and "://" not in word:
            raise ValueError(f"{name}: {word!r} has no http:// or https://")
        url = _url(name, word)
        if url.scheme not in ("http", "https"):
            raise ValueError(f"{name}: {word!r} begins with neither http:// nor https://")
        if not re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+", url.netloc.removesuffix(f":{url.port}")):
            raise ValueError(f"{name}: {word!r} names no host")
        if url.query or url.fragment or "?" in word or "#" in word or (host_only and url.path):
            raise ValueError(f"{name}: {word!r} has more than scheme and host")
        return word

    return parse


def _url(name: str, word: str) -> SplitResult:
    try:
        url = urlsplit(word if "://" in word else f"https://{word}")
        _ = url.port  # raises where it is no number
    except ValueError as error:
        raise ValueError(f"{name}: {word!r} is no endpoint: {error}") from None
    return url


def mapping(name: str, value: object) -> dict[str, object]:
    """Return a mapping with names as keys, copied so that the caller's later changes do not matter.

    It may be text, in JSON or YAML, as INI files and environment variables have it.

    >>> mapping("config_kwargs", '{"read_timeout": 7}'), mapping("config_kwargs", "{read_timeout: 7}")
    ({'read_timeout': 7}, {'read_timeout': 7})
    """
    found = _of_yaml(name, value) if isinstance(value, str) else value
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise ValueError(f"{name}: takes a mapping of names to values, also as text in JSON or YAML")
    return copy.deepcopy(dict(found))


def _of_yaml(name: str, text: str) -> object:
    from registry_s3fs.config import yaml_text  # needs PyYAML, which most instances do without

    found = yaml_text.load(text, name)
    if not yaml_text.is_small(found):
        raise ValueError(f"{name}: is too large, or contains itself")
    return found


def listings_cache(options: Mapping[str, object]) -> dict[str, float | None]:
    """Return fsspec's options of its cache of listings, typed; the cache is off by default.

    >>> listings_cache({"use_listings_cache": "true", "listings_expiry_time": "2.5", "bucket": "demo"})
    {'use_listings_cache': True, 'listings_expiry_time': 2.5}
    """
    found: dict[str, float | None] = {
        "use_listings_cache": boolean("use_listings_cache", options.get("use_listings_cache", False))
    }
    if options.get("listings_expiry_time") is not None:
        found["listings_expiry_time"] = _seconds("listings_expiry_time", options["listings_expiry_time"])
    if options.get("max_paths") is not None:
        found["max_paths"] = integer(1, None)("max_paths", options["max_paths"])
    return found


def _seconds(name: str, value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        raise ValueError(f"{name}: {value!r} is no number; give seconds")
    return seconds


def text_options(options: Mapping[str, object]) -> dict[str, str]:
    """Return the filesystem's options for text files, which `open` uses where it is given none.

    >>> text_options({"encoding": "latin-1", "errors": None, "bucket": "demo"})
    {'encoding': 'latin-1'}
    >>> text_options({"encoding": "latin-99"})
    Traceback (most recent call last):
    ValueError: encoding: unknown encoding: latin-99
    """
    known = {"encoding": codecs.lookup, "errors": codecs.lookup_error}
    found = {name: cast(str, options[name]) for name in known if options.get(name) is not None}
    for name, value in found.items():
        try:
            known[name](value)
        except (LookupError, TypeError) as error:
            raise ValueError(f"{name}: {error}") from None
    return found
