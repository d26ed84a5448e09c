"""A parser of a page of ListObjectsV2 that is several times as fast as botocore's.

botocore interprets its service model for each element and parses times with dateutil, which is nine tenths of what a
page of 1,000 keys costs. `fill` stands in for that through botocore's event ``before-parse.s3.ListObjectsV2``. What it
puts into `customized_response_dict` becomes part of the response. With nothing left in the body, botocore has nothing
to parse. Everything after that, such as the decoding of url-encoded keys, remains botocore's. So does every page that
is not as expected. The module does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from datetime import datetime
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser, fromstring

from registry_s3fs.s3.documents import local_name
from registry_s3fs.threads.signal_errors import is_of_handler

Fields = dict[str, Callable[[str], object]]

_FEED_BYTES = 16384


class _UnexpectedError(Exception):
    """An exception that says that the page has something that botocore must judge."""


def fill(response_dict: MutableMapping[str, Any], customized_response_dict: dict[str, object], **event: object) -> None:
    """Take the page out of the body, or leave an unexpected body to botocore, as a handler of botocore's event."""
    page = parse(response_dict["body"]) if response_dict["status_code"] == 200 else None
    if page is not None:
        customized_response_dict.update(page)
        response_dict["body"] = b""


def parse(body: bytes) -> dict[str, object] | None:
    """Return the page as botocore's parser would give it.

    The result is None where the page is not as expected.

    >>> parse(b"<ListBucketResult><IsTruncated>true</IsTruncated><Prefix/></ListBucketResult>")
    {'IsTruncated': True, 'Prefix': ''}
    >>> parse(b"<Error><Code>SlowDown</Code></Error>")
    """
    try:
        return _page(body)
    except (ParseError, ValueError, _UnexpectedError) as error:
        if is_of_handler(error):
            raise
        return None


def decoded(page: dict[str, object]) -> dict[str, object]:
    """Return the page with its names decoded where they came url-encoded.

    They are decoded as botocore decodes them.

    >>> decoded({"EncodingType": "url", "Contents": [{"Key": "a+b%2Bc"}]})["Contents"]
    [{'Key': 'a b+c'}]
    """
    if page.get("EncodingType") == "url":
        for rows, name in (("Contents", "Key"), ("CommonPrefixes", "Prefix")):
            for row in cast("list[dict[str, str]]", page.get(rows, [])):
                if "%" in row[name] or "+" in row[name]:  # few are
                    row[name] = unquote_plus(row[name])
    return page


def _page(body: bytes) -> dict[str, object]:
    """Return the page, its objects parsed by one regular expression and what is around them by elements.

    The regular expression serves where all objects are as S3 writes them. Otherwise all is parsed by elements.
    """
    text = body.decode()
    start, end = text.find("<Contents>"), text.rfind("</Contents>") + len("</Contents>")
    objects = only_objects(text[start:end].replace("&quot;", '"')) if start >= 0 and "<!" not in text else None
    if objects is None:
        return _by_element(body)
    return {**_by_element((text[:start] + text[end:]).encode()), "Contents": objects}


def only_objects(text: str) -> list[dict[str, object]] | None:
    """Return the objects of a text that holds nothing but objects.

    The result is None where the text holds anything else.

    >>> len(only_objects(text := "<Contents><Key>a</Key><LastModified>2026-11-25T00:00:00.000Z</LastModified>"
    ...     '<ETag>"e"</ETag><Size>1</Size></Contents>')), only_objects(text + "<Contents/>"), only_objects(text + " ")
    (1, None, None)
    """
    objects, at = [], 0
    for found in _OBJECT.finditer(text):
        if found.start() != at:
            return None
        at = found.end()
        key, modified, etag, checksum, size, storage_class = found.groups()
        row = {"Key": key, "LastModified": _time(modified), "ETag": etag, "Size": int(size)}
        if storage_class:
            row["StorageClass"] = storage_class[len("<StorageClass>") : -len("</StorageClass>")]
        if checksum:
            row.update(_checksum(checksum))
        objects.append(row)
    return objects if at == len(text) and "&" not in text else None


def _by_element(body: bytes) -> dict[str, object]:
    rows: dict[str, list[dict[str, object]]] = {"Contents": [], "CommonPrefixes": []}
    tags = {"Contents": _Tags(_OF_OBJECT), "CommonPrefixes": _Tags(_OF_PREFIX)}
    rest: list[Element] = []
    for element in _children(body):
        name = local_name(element.tag)
        if name in rows:
            rows[name].append(_row(element, tags[name]))
        else:
            rest.append(element)
    for name, needed in (("Contents", OBJECT_NEEDS.keys()), ("CommonPrefixes", _OF_PREFIX.keys())):
        if any(not needed <= row.keys() for row in rows[name]):
            raise _UnexpectedError
    return {**_row(rest, _Tags(_OF_PAGE)), **{name: found for name, found in rows.items() if found}}


def _children(body: bytes) -> Iterator[Element]:
    """Yield the elements below the root, and release each before the next ones are made.

    Thousands of elements at a time would keep Python's garbage collector busy for half as long again as parsing takes.
    """
    builder = TreeBuilder()
    above = builder.start("above", {})
    parser = XMLParser(target=builder, encoding="utf-8")  # noqa: S314  # as botocore does
    for at in range(0, len(body), _FEED_BYTES):
        parser.feed(body[at : at + _FEED_BYTES])
        for root in above:
            complete = root[:-1]
            del root[:-1]
            yield from complete
    parser.close()
    if [local_name(root.tag) for root in above] != ["ListBucketResult"]:
        raise _UnexpectedError
    yield from above[0]


def _row(elements: Iterable[Element], tags: _Tags) -> dict[str, object]:
    row: dict[str, object] = {}
    for element in elements:
        name, convert = tags[element.tag]
        if name in row:
            raise _UnexpectedError
        if name:
            text = element.text or ""
            row[name] = convert(text) if convert else text
    return row


class _Tags(dict[str, tuple[str, Callable[[str], object] | None]]):
    """A mapping from a tag with its namespace to the name without it, and to the conversion of its text.

    The name is ``""`` for a tag that botocore ignores.
    """

    def __init__(self, fields: Fields) -> None:
        super().__init__()
        self._fields = fields

    def __missing__(self, tag: str) -> tuple[str, Callable[[str], object] | None]:
        name = local_name(tag)
        convert = self._fields.get(name)
        found = self[tag] = ("", None) if convert is None else (name, None if convert is str else convert)
        return found


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _time(text: str) -> datetime:
    """Return the time that a text in ISO 8601 and UTC gives.

    That is the one form that S3's reference names. Python 3.10 does not read the ``Z``.
    """
    if text[10:11] != "T" or text[-1:] != "Z":
        raise ValueError(text)
    return datetime.fromisoformat(text[:-1] + "+00:00")


def _one(text: str) -> list[str]:
    return [text]


def _left_to_botocore(text: str) -> None:
    raise _UnexpectedError


OBJECT_NEEDS: Fields = {"Key": str, "LastModified": _time, "ETag": str, "Size": int}
_OF_OBJECT: Fields = {
    **OBJECT_NEEDS,
    "StorageClass": str,
    "ChecksumAlgorithm": _one,
    "ChecksumType": str,
    "Owner": _left_to_botocore,
    "RestoreStatus": _left_to_botocore,
}
_OF_PREFIX: Fields = {"Prefix": str}
_OF_PAGE: Fields = {
    "IsTruncated": _flag,
    **dict.fromkeys(("MaxKeys", "KeyCount"), int),
    **dict.fromkeys(("Name", "Prefix", "Delimiter", "EncodingType", "StartAfter"), str),
    **dict.fromkeys(("ContinuationToken", "NextContinuationToken"), str),
}
"""S3's reference names these fields.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""
PAGE_FIELDS = (*_OF_PAGE, "Contents", "CommonPrefixes")
"""The fields of a page, each of which shows that it is one."""


def _element(name: str, text: str = r"[^<\x00-\x1f\ufffe\uffff]*") -> str:
    return f"<{name}>({text})</{name}>"


def _if_there(*names: str) -> str:
    """Return a pattern of optional elements with their tags."""
    each = (_element(name).replace("(", "(?:") for name in names)
    return "(" + "".join(f"(?:{element})?" for element in each) + ")"


_OBJECT = re.compile(
    "<Contents>" + _element("Key") + _element("LastModified") + _element("ETag")
    + _if_there("ChecksumAlgorithm", "ChecksumType") + _element("Size", "[0-9]+") + _if_there("StorageClass")
    + "</Contents>"
)  # fmt: skip


@lru_cache(64)  # there are few
def _checksum(elements: str) -> dict[str, object]:
    return _row(fromstring(f"<all>{elements}</all>"), _Tags(_OF_OBJECT))  # noqa: S314  # as in `_children`
