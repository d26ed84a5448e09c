"""A page of ListObjectsV2, parsed several times as fast as botocore does it. Pure.

botocore interprets its service model for each element and parses times with dateutil, which is nine tenths
of what a page of 1,000 keys costs. `fill` stands in for that through botocore's event
``before-parse.s3.ListObjectsV2``: what it puts into `customized_response_dict` becomes part of the response,
and with nothing left in the body botocore has nothing to parse. Everything after that, such as the decoding of
url-encoded keys, stays botocore's; and so does every page that is not as expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLParser, fromstring

Fields = dict[str, Callable[[str], Any]]


class _UnexpectedError(Exception):
    """The page has something that is botocore's to judge."""


def fill(response_dict: MutableMapping[str, Any], customized_response_dict: dict[str, Any], **kwargs: Any) -> None:
    """Handler of botocore's event: take the page out of the body, or leave an unexpected body to botocore."""
    page = parse(response_dict["body"]) if response_dict["status_code"] == 200 else None
    if page is not None:
        customized_response_dict.update(page)
        response_dict["body"] = b""


def parse(body: bytes) -> dict[str, Any] | None:
    """The page as botocore's parser would give it; None where it is not as expected.

    >>> parse(b"<ListBucketResult><IsTruncated>true</IsTruncated><Prefix/></ListBucketResult>")
    {'IsTruncated': True, 'Prefix': ''}
    >>> parse(b"<Error><Code>SlowDown</Code></Error>")
    """
    try:
        return _page(fromstring(body, XMLParser(encoding="utf-8")))  # noqa: S314  # as botocore does
    except (ParseError, ValueError, _UnexpectedError):
        return None


def _page(root: Element) -> dict[str, Any]:
    if _name(root.tag) != "ListBucketResult":
        raise _UnexpectedError
    lists: dict[str, list[Element]] = {"Contents": [], "CommonPrefixes": []}
    rest: list[Element] = []
    for element in root:
        lists.get(_name(element.tag), rest).append(element)
    page = _row(rest, _Tags(_OF_PAGE))
    for name, fields, needed in _LISTS:
        tags = _Tags(fields)
        rows = [_row(element, tags) for element in lists[name]]
        if any(not needed <= row.keys() for row in rows):
            raise _UnexpectedError
        if rows:
            page[name] = rows
    return page


def _row(elements: Iterable[Element], tags: _Tags) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for element in elements:
        name, convert = tags[element.tag]
        if name in row:
            raise _UnexpectedError
        if name:
            text = element.text or ""
            row[name] = convert(text) if convert else text
    return row


class _Tags(dict[str, tuple[str, Callable[[str], Any] | None]]):
    """Tag with its namespace -> name without, and conversion; ``""`` is the name of what botocore ignores."""

    def __init__(self, fields: Fields) -> None:
        super().__init__()
        self._fields = fields

    def __missing__(self, tag: str) -> tuple[str, Callable[[str], Any] | None]:
        name = _name(tag)
        convert = self._fields.get(name)
        found = self[tag] = ("", None) if convert is None else (name, None if convert is str else convert)
        return found


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _flag(text: str) -> bool:
    return text == "true"


def _time(text: str) -> datetime:
    """ISO 8601 in UTC, the one form that S3's reference names; Python 3.10 does not read the ``Z``."""
    if text[10:11] != "T" or text[-1:] != "Z":
        raise ValueError(text)
    return datetime.fromisoformat(text[:-1] + "+00:00")


def _one(text: str) -> list[str]:
    return [text]


def _left_to_botocore(text: str) -> None:
    raise _UnexpectedError


_OBJECT_NEEDS: Fields = {"Key": str, "LastModified": _time, "ETag": str, "Size": int}
_OF_OBJECT: Fields = {
    **_OBJECT_NEEDS,
    "StorageClass": str,
    "ChecksumAlgorithm": _one,
    "ChecksumType": str,
    "Owner": _left_to_botocore,
    "RestoreStatus": _left_to_botocore,
}
_OF_PREFIX: Fields = {"Prefix": str}
_LISTS = (("Contents", _OF_OBJECT, _OBJECT_NEEDS.keys()), ("CommonPrefixes", _OF_PREFIX, _OF_PREFIX.keys()))
_OF_PAGE: Fields = {
    "IsTruncated": _flag,
    **dict.fromkeys(("MaxKeys", "KeyCount"), int),
    **dict.fromkeys(("Name", "Prefix", "Delimiter", "EncodingType", "StartAfter"), str),
    **dict.fromkeys(("ContinuationToken", "NextContinuationToken"), str),
}
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
