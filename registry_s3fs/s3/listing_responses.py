"""Functions that turn S3's listings, in boto3's words, into this package's types, and test that a listing ends.

Listings are responses with many rows that follow one another. `responses` does the same for other responses. The module
does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

from registry_s3fs.model.objects import STANDARD, ObjectInfo, Part, Upload
from registry_s3fs.model.ranges import MAX_KEY_BYTES, MAX_OBJECT_BYTES, MAX_PARTS
from registry_s3fs.s3.list_xml import PAGE_FIELDS
from registry_s3fs.s3.responses import Answer, Asked, count, is_list, is_of, rows, text, text_if_told, time, utc
from registry_s3fs.threads.signal_errors import is_of_handler

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef

MAX_EMPTY_PAGES = 30
"""A listing may have this many pages in a row without a name and with more to come."""


class Listing(NamedTuple):
    """The prefix, the delimiter and the first key that a listing was requested with."""

    prefix: str
    delimiter: str = ""
    start_after: str = ""


def listed(found: Answer, asked: Asked) -> ObjectInfo:
    """Return an object of a listing."""
    return ObjectInfo(
        text(found, "Key", asked),
        count(found, "Size", asked),
        text(found, "ETag", asked),
        time(found, "LastModified", asked),
        text_if_told(found, "StorageClass", STANDARD),
        text_if_told(found, "VersionId"),
        bool(found.get("IsLatest", True)),
    )


def page(answer: Answer, listing: Listing, asked: Asked) -> tuple[list[ObjectInfo], list[str]]:
    """Return the objects and common prefixes of a page of ListObjectsV2.

    All names begin with the prefix that was requested. Keys that S3 would have folded into a common prefix are folded
    here.
    """
    is_list(answer, asked, *PAGE_FIELDS)
    contents = rows(answer, "Contents")
    objects = _quickly(contents, listing.prefix)
    if objects is None:
        check_within(contents, "Key", listing.prefix, asked)
        objects = [listed(found, asked) for found in contents]
    if len({item.key for item in objects}) < len(objects):
        raise asked.refused("it names a key twice")
    prefixes = rows(answer, "CommonPrefixes")
    if not contents and not prefixes:
        _is_truly_empty(answer, listing, asked)
    check_within(prefixes, "Prefix", listing.prefix, asked)
    names: dict[str, None] = dict.fromkeys(str(found["Prefix"]) for found in prefixes)
    if not listing.delimiter:
        return objects, list(names)
    at, delimiter = len(listing.prefix), listing.delimiter
    for name in names:
        if len(name) > MAX_KEY_BYTES:  # some stores have longer keys, but a walk of directories must end
            raise asked.refused(f"it names {name[:80]!r}..., which is longer than any key")
        if not name.endswith(delimiter) or len(name) <= at:
            raise asked.refused(f"it has the common prefix {name!r} for the prefix {listing.prefix!r}")
    folded = [item.key for item in objects if delimiter in item.key[at:]]
    if folded:
        objects = [item for item in objects if delimiter not in item.key[at:]]
        names.update((key[: key.index(delimiter, at) + len(delimiter)], None) for key in folded)
        return objects, sorted(names)
    return objects, list(names)


def first_key(answer: Answer) -> str | None:
    """Return the first key of a page as the server sent it, whether or not it is folded into a common prefix."""
    found = rows(answer, "Contents")
    return str(found[0].get("Key")) if found else None


def _is_truly_empty(answer: Answer, listing: Listing, asked: Asked) -> None:
    """Raise `InvalidResponseError` where a page without names tells of another listing.

    A page without names proves nothing by itself.
    """
    is_of(answer, "Prefix", listing.prefix, asked)
    if answer.get("KeyCount"):
        raise asked.refused(f"KeyCount is {answer['KeyCount']}, and it has no names")


def _quickly(contents: Iterable[Answer], prefix: str) -> list[ObjectInfo] | None:
    """Return the objects of a page where all are as S3 has them and begin with the prefix.

    The result is None where one is not.
    """
    found = []
    try:
        for row in cast("Iterable[ObjectTypeDef]", contents):
            key, size, tag, modified = row["Key"], row["Size"], row["ETag"], row["LastModified"]
            if not (key and tag and 0 <= size <= MAX_OBJECT_BYTES and key.startswith(prefix)):
                return None
            if modified.tzinfo is not timezone.utc:
                modified = utc(modified)
            found.append(ObjectInfo(key, size, tag, modified, row.get("StorageClass") or STANDARD))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if is_of_handler(error):
            raise
        return None
    return found


def check_within(rows: Iterable[Answer], field: str, prefix: str, asked: Asked) -> None:
    """Raise `InvalidResponseError` where a name of a listing lies outside the prefix that was requested."""
    for row in rows:
        name = row.get(field)
        if not isinstance(name, str) or not name:
            raise asked.refused(f"it has no {field}")
        if not name.startswith(prefix):
            raise asked.refused(f"it names {name!r}, which does not begin with the prefix {prefix!r}")


NEEDED = {"Size": "size", "ETag": "etag", "LastModified": "last_modified"}
"""The keys are the fields that a listing has for each object, the values are the attributes of `ObjectInfo`."""


def incomplete(answer: Answer, listing: Listing) -> list[str]:
    """Return the keys of a page for which a store does not tell all that S3 does.

    Only keys below the page's prefix are returned.
    """
    return [
        key
        for row in rows(answer, "Contents")
        if isinstance(key := row.get("Key"), str) and key.startswith(listing.prefix)
        if any(row.get(field) in (None, "") for field in NEEDED)
    ]


def completed(answer: Answer, known: Mapping[str, ObjectInfo | None]) -> Answer:
    """Return a page with what HEADs told of its incomplete objects.

    Objects that are no longer there (None) are left out.
    """
    contents = []
    for row in rows(answer, "Contents"):
        key = text_if_told(row, "Key")
        if key not in known:
            contents.append(row)
        elif (found := known[key]) is not None:
            contents.append({**row, **{field: getattr(found, name) for field, name in NEEDED.items()}})
    return {**answer, "Contents": contents}


Name = TypeVar("Name", str, int, tuple[str, str])
"""What the rows of a listing are told apart by: keys, numbers of parts, or keys with the id of an upload or version."""


class Paging(Generic[Name]):
    """A test that a listing of many pages goes on and ends.

    >>> paging = Paging(Asked("ListParts", "/a"))
    >>> paging.following({"IsTruncated": True, "NextPartNumberMarker": 3}, "1", "NextPartNumberMarker")
    [3]
    >>> paging.following({"IsTruncated": False}, "4", "NextPartNumberMarker")
    []
    """

    def __init__(self, asked: Asked, *, always_tells: bool = False) -> None:
        """Begin a listing of which no page has come.

        `always_tells` says whether the server is S3 itself, which tells with each page whether another one follows.
        """
        self._asked = asked
        self._always_tells = always_tells
        self._markers: set[tuple[object, ...]] = set()
        self._firsts: set[object] = set()
        self._empty = 0
        self._furthest: Name | None = None
        """It is the last name so far, in the order of names."""
        self._page_before: Sequence[Name] = ()
        self._out_of_order: set[int] = set()
        """It holds the hashes of names that came behind a later one, since not all stores list in order."""

    def check_new(self, names: Sequence[Name]) -> None:
        """Raise `InvalidResponseError` where a page has a name that an earlier one had."""
        before, self._page_before = self._page_before, names
        if not names:
            return
        if self._furthest is None or min(names) > self._furthest:
            self._furthest = max(names)
            return
        again = [name for name in names if name == self._furthest or hash(name) in self._out_of_order]
        if again or not set(before).isdisjoint(names):
            raise self._asked.refused(f"it names {(again or names)[0]!r}, as a page before, so the listing never ends")
        self._out_of_order.update(map(hash, names))
        self._furthest = max(self._furthest, *names)

    def following(self, answer: Answer, first: object, *fields: str) -> list[object]:
        """Return the markers of the next page, or an empty list after the last page.

        The markers are taken from `fields`, of which the first must be there. `first` is what the page begins with. It
        is None where the page is empty, or names nothing new.

        Raises:
            InvalidResponseError: The listing stands still.
        """
        markers = [answer.get(field) for field in fields]
        if self._always_tells and not isinstance(answer.get("IsTruncated"), bool):
            raise self._asked.refused("it has no IsTruncated")
        if not answer.get("IsTruncated", fields == ("NextContinuationToken",) and bool(markers[0])):
            return []
        if markers[0] in (None, ""):
            raise self._asked.refused(f"it says that more follows, and has no {fields[0]}")
        if tuple(markers) in self._markers:
            raise self._asked.refused(f"{fields[0]} is one that was used before, so the listing never ends")
        if first is not None and first in self._firsts:
            raise self._asked.refused(f"it begins with {first!r}, as a page before, so the listing never ends")
        self._empty = self._empty + 1 if first is None else 0
        if self._empty > MAX_EMPTY_PAGES:
            raise self._asked.refused(f"{self._empty} pages in a row are empty, and each says that more follows")
        self._markers.add(tuple(markers))
        self._firsts.add(first)
        return markers


def parts(answer: Answer, key: str, upload_id: str, asked: Asked) -> list[Part]:
    """Return the parts of a page of ListParts."""
    is_list(answer, asked, "UploadId", "Parts", "Bucket", "Key", "IsTruncated")
    is_of(answer, "Key", key, asked)
    if (answer.get("UploadId") or upload_id) != upload_id:
        raise asked.refused(f"it is about the upload {answer['UploadId']!r}, where {upload_id!r} was asked for")
    return [
        Part(
            count(row, "PartNumber", asked, MAX_PARTS),
            text(row, "ETag", asked),
            count(row, "Size", asked),
            _time_if_told(row.get("LastModified")),
        )
        for row in rows(answer, "Parts")
    ]


def uploads(answer: Answer, prefix: str, asked: Asked) -> list[Upload]:
    """Return the uploads of a page of ListMultipartUploads."""
    is_list(answer, asked, "IsTruncated", "Bucket", "Prefix", "MaxUploads", "Uploads")
    found = rows(answer, "Uploads")
    check_within(found, "Key", prefix, asked)
    return [
        Upload(text(row, "Key", asked), text(row, "UploadId", asked), _time_if_told(row.get("Initiated")))
        for row in found
    ]


def _time_if_told(value: object) -> datetime | None:
    try:
        return utc(value) if isinstance(value, datetime) else None
    except ValueError:
        return None


def versions(answer: Answer, prefix: str, asked: Asked) -> list[ObjectInfo]:
    """Return the objects of a page of ListObjectVersions, without its delete markers."""
    is_list(answer, asked, "IsTruncated", "Name", "Prefix", "MaxKeys", "Versions", "DeleteMarkers")
    check_within(rows_of_versions(answer), "Key", prefix, asked)
    return [listed(row, asked) for row in rows(answer, "Versions")]


def rows_of_versions(answer: Answer) -> list[Answer]:
    """Return all rows of a page of ListObjectVersions, delete markers too."""
    return [*rows(answer, "Versions"), *rows(answer, "DeleteMarkers")]
