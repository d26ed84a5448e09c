"""From S3's answers, in boto3's words, to our records, each field checked. Pure.

An answer is believed only as far as it proves itself. A field that S3 always sends and that is missing, or a value that
S3 never sends, is an `InvalidResponseError` that names operation and field; a field that is only nice to have has a
default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from registry_s3fs.errors import InvalidResponseError, from_code, invalid_response
from registry_s3fs.paths import MAX_KEY_BYTES
from registry_s3fs.ranges import MAX_OBJECT_BYTES, MAX_PARTS
from registry_s3fs.records import ObjectInfo, Part, Upload
from registry_s3fs.s3.documents import DOCUMENT, FOREIGN, ROOTS, TEXT

Answer = Mapping[str, Any]

UNSUPPORTED = frozenset(("NotImplemented", "501", "MethodNotAllowed", "405", "UnsupportedOperation", "NotSupported"))
"""What stores say to an operation or a header that they do not know."""
MAX_EMPTY_PAGES = 30
"""So many pages of a listing may follow one another without a name and with more to come."""


class Asked(NamedTuple):
    """What an answer is to: the operation, and the registry path that an error names."""

    operation: str
    path: str

    def refused(self, what: str) -> InvalidResponseError:
        """The error for an answer of which `what` is wrong."""
        return invalid_response(self.operation, what, self.path)


class Listing(NamedTuple):
    """What a listing was asked for."""

    prefix: str
    delimiter: str = ""
    start_after: str = ""


# Single fields


def text(answer: Answer, field: str, asked: Asked) -> str:
    """A text that is not empty."""
    value = answer.get(field)
    if not isinstance(value, str) or not value:
        raise asked.refused(f"it has no {field}")
    return value


def count(answer: Answer, field: str, asked: Asked, most: int = MAX_OBJECT_BYTES) -> int:
    """A whole number from 0 to `most`."""
    value = answer.get(field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise asked.refused(f"it has no {field}")
    if not 0 <= value <= most:
        raise asked.refused(f"{field} is {value}, where S3 has 0 to {most}")
    return value


def time(answer: Answer, field: str, asked: Asked) -> datetime:
    """A time, in UTC."""
    value = answer.get(field)
    if not isinstance(value, datetime):
        raise asked.refused(f"it has no {field}")
    try:
        return utc(value)
    except ValueError:
        raise asked.refused(f"{field} is no time that there is") from None


def utc(when: datetime) -> datetime:
    """botocore gives some times in the local zone and some in UTC.

    >>> utc(datetime(1, 1, 1)).isoformat()
    '0001-01-01T00:00:00+00:00'

    Raises:
        ValueError: it has an offset of a day or more.
    """
    if when.tzinfo is timezone.utc:
        return when
    try:
        return when.astimezone(timezone.utc) if when.tzinfo else when.replace(tzinfo=timezone.utc)
    except OverflowError:  # in the first or last hours that Python can count
        return when.replace(tzinfo=timezone.utc)


def is_document(answer: Answer, asked: Asked, *proofs: str) -> None:
    """That the answer is the operation's document, which its root or one of the fields `proofs` shows."""
    is_not_foreign(answer, asked)
    if not any(field in answer for field in proofs):
        has_root(answer, asked)


def has_root(answer: Answer, asked: Asked) -> None:
    """That the answer is the operation's document, which its root alone shows."""
    is_not_foreign(answer, asked)
    root = ROOTS[asked.operation]
    if answer.get(DOCUMENT) != root:
        raise asked.refused(f"it has no {root}")


def is_list(answer: Answer, asked: Asked, *fields: str) -> None:
    """That the answer is the operation's document, and that it tells anything: S3 sends no empty one."""
    is_document(answer, asked, *fields)
    if not any(field in answer for field in fields):
        raise asked.refused(f"its {ROOTS[asked.operation]} is empty")


def is_of(answer: Answer, field: str, asked_for: str, asked: Asked) -> None:
    """That what an answer tells of what it is about, if it does, is what was asked for. (A gateway may have put keys
    below others, and XML cannot hold all keys.)"""
    told = answer.get(field)
    if not told or not asked_for.isprintable():
        return
    if not isinstance(told, str) or not any(
        one.endswith(other)
        for told_as in (told, unquote_plus(told))
        for one, other in ((told_as, asked_for), (asked_for, told_as))
    ):
        raise asked.refused(f"it is about the {field} {told!r}, where {asked_for!r} was asked for")


def is_not_foreign(answer: Answer, asked: Asked) -> None:
    """That an answer holds nothing in place of what S3 sends, such as a proxy's page."""
    if FOREIGN in answer:
        raise asked.refused(f"it is {answer[FOREIGN]}")


def etag(answer: Answer, asked: Asked) -> str:
    """The ETag of what was stored, by which S3 confirms a write. Words beside it that are no document do not count."""
    if answer.get(FOREIGN) != TEXT:
        is_not_foreign(answer, asked)
    return text(answer, "ETag", asked)


def is_of_version(answer: Answer, version_id: str, asked: Asked) -> None:
    """That an answer is about the version that was asked for, if one was and it tells."""
    told = answer.get("VersionId")
    if version_id and told and told != version_id:
        raise asked.refused(f"it is of the version {told!r}, where {version_id!r} was asked for")


def is_same(one: str, other: str) -> bool:
    """Whether two ETags are of one version; a proxy that compresses what passes makes them weak.

    >>> is_same('"a"', 'W/"a"'), is_same('"a"', '"b"'), is_same('"a"', "a")
    (True, False, True)
    """
    return one == other or one.removeprefix("W/").strip('"') == other.removeprefix("W/").strip('"')


def is_weak(one: str) -> bool:
    """Whether no condition holds for an ETag (https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.2)."""
    return one.startswith("W/")


def code(error: BaseException | None) -> str:
    """S3's code of an error of boto3, if it has one."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def status(answer: Answer) -> int:
    """The HTTP status of an answer of boto3's, or of an error's; 0 where it is not told."""
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def is_unsupported(error: BaseException | None) -> bool:
    """Whether a server says that it does not know an operation or a header, by code or status."""
    return code(error) in UNSUPPORTED or status(getattr(error, "response", None) or {}) == 501


# Objects


def described(key: str, answer: Answer, asked: Asked) -> ObjectInfo:
    """The object of a HeadObject.

    >>> described("a", {"ETag": '"e"', "LastModified": datetime(2026, 1, 1)}, Asked("HeadObject", "/a"))
    Traceback (most recent call last):
    registry_s3fs.errors.InvalidResponseError: [Errno 71] the answer to HeadObject is none of S3's: it has no \
ContentLength; a proxy, gateway or cache may have given it: '/a'
    """
    is_not_foreign(answer, asked)
    return ObjectInfo(
        key,
        count(answer, "ContentLength", asked),
        text(answer, "ETag", asked),
        time(answer, "LastModified", asked),
        answer.get("StorageClass") or "STANDARD",
        answer.get("VersionId") or "",
        head=answer if _is_date(answer.get("ExpiresString")) else {**answer, "Expires": None},
    )


def _is_date(text: Any) -> bool:
    """Whether an Expires header, if there is one, holds a time; ``0`` is what many tools write."""
    try:
        return text is None or bool(parsedate_to_datetime(text))
    except (ValueError, TypeError):
        return False


def listed(found: Answer, asked: Asked) -> ObjectInfo:
    """An object of a listing."""
    return ObjectInfo(
        text(found, "Key", asked),
        count(found, "Size", asked),
        text(found, "ETag", asked),
        time(found, "LastModified", asked),
        found.get("StorageClass") or "STANDARD",
        found.get("VersionId") or "",
        found.get("IsLatest", True),
    )


# Listings

_LISTS = (
    *("IsTruncated", "Name", "Prefix", "KeyCount", "MaxKeys", "Contents", "CommonPrefixes"),
    *("Delimiter", "EncodingType", "StartAfter", "ContinuationToken", "NextContinuationToken"),
)


def page(answer: Answer, listing: Listing, asked: Asked) -> tuple[list[ObjectInfo], list[str]]:
    """Objects and common prefixes of a page of ListObjectsV2.

    All begin with the prefix asked for. Keys that S3 would have folded into a common prefix are folded here.
    """
    is_list(answer, asked, *_LISTS)
    contents = answer.get("Contents") or ()
    objects = _quickly(contents, listing.prefix)
    if objects is None:
        check_within(contents, "Key", listing.prefix, asked)
        objects = [listed(found, asked) for found in contents]
    if len({item.key for item in objects}) < len(objects):
        raise asked.refused("it names a key twice")
    prefixes = answer.get("CommonPrefixes") or ()
    if not contents and not prefixes:
        _is_truly_empty(answer, listing, asked)
    check_within(prefixes, "Prefix", listing.prefix, asked)
    names: dict[str, None] = dict.fromkeys(found["Prefix"] for found in prefixes)
    if not listing.delimiter:
        return objects, list(names)
    at, delimiter = len(listing.prefix), listing.delimiter
    for name in names:
        if not name.endswith(delimiter) or len(name) <= at:
            raise asked.refused(f"it has the common prefix {name!r} for the prefix {listing.prefix!r}")
    folded = [item.key for item in objects if delimiter in item.key[at:]]
    if folded:
        objects = [item for item in objects if delimiter not in item.key[at:]]
        names.update((key[: key.index(delimiter, at) + len(delimiter)], None) for key in folded)
        return objects, sorted(names)
    return objects, list(names)


def _is_truly_empty(answer: Answer, listing: Listing, asked: Asked) -> None:
    """That a page without names, which proves nothing, does not tell of another listing."""
    is_of(answer, "Prefix", listing.prefix, asked)
    if answer.get("KeyCount"):
        raise asked.refused(f"KeyCount is {answer['KeyCount']}, and it has no names")


def _quickly(contents: Iterable[Answer], prefix: str) -> list[ObjectInfo] | None:
    """The objects of a page where all are as S3 has them and begin with the prefix; None where one is not."""
    found = []
    try:
        for row in contents:
            key, size, tag, modified = row["Key"], row["Size"], row["ETag"], row["LastModified"]
            if not (key and tag and 0 <= size <= MAX_OBJECT_BYTES and key.startswith(prefix)):
                return None
            if len(key) > MAX_KEY_BYTES:
                return None
            if modified.tzinfo is not timezone.utc:
                modified = utc(modified)
            found.append(ObjectInfo(key, size, tag, modified, row.get("StorageClass") or "STANDARD"))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    return found


def check_within(rows: Iterable[Answer], field: str, prefix: str, asked: Asked) -> None:
    """That no name of a listing lies outside the prefix asked for."""
    for row in rows:
        name = row.get(field)
        if not isinstance(name, str) or not name:
            raise asked.refused(f"it has no {field}")
        if len(name) > MAX_KEY_BYTES:
            raise asked.refused(f"it names {name[:80]!r}..., which is longer than any key")
        if not name.startswith(prefix):
            raise asked.refused(f"it names {name!r}, which does not begin with the prefix {prefix!r}")


NEEDED = {"Size": "size", "ETag": "etag", "LastModified": "last_modified"}
"""What a listing tells of each object -> the same in `ObjectInfo`."""


def incomplete(answer: Answer, listing: Listing) -> list[str]:
    """The keys of a page below its prefix of which a store does not tell all that S3 does."""
    return [
        row["Key"]
        for row in answer.get("Contents") or ()
        if isinstance(row.get("Key"), str) and row["Key"].startswith(listing.prefix)
        if any(row.get(field) in (None, "") for field in NEEDED)
    ]


def completed(answer: Answer, known: Mapping[str, ObjectInfo | None]) -> Answer:
    """A page with what HEADs told of its incomplete objects; those that are no more (None) are left out."""
    contents = []
    for row in answer.get("Contents") or ():
        if row["Key"] not in known:
            contents.append(row)
        elif (found := known[row["Key"]]) is not None:
            contents.append({**row, **{field: getattr(found, name) for field, name in NEEDED.items()}})
    return {**answer, "Contents": contents}


class Paging:
    """That a listing of many pages goes on and ends.

    >>> paging = Paging(Asked("ListParts", "/a"))
    >>> paging.following({"IsTruncated": True, "NextPartNumberMarker": 3}, "1", "NextPartNumberMarker")
    [3]
    >>> paging.following({"IsTruncated": False}, "4", "NextPartNumberMarker")
    []
    """

    def __init__(self, asked: Asked, *, always_tells: bool = False) -> None:
        """`always_tells`: whether the server is S3 itself, which tells of each page whether another one follows."""
        self._asked = asked
        self._always_tells = always_tells
        self._markers: set[tuple[Any, ...]] = set()
        self._firsts: set[Any] = set()
        self._empty = 0
        self._furthest: Any = None
        """The last name so far, in the order of names."""
        self._page_before: Sequence[Any] = ()
        self._out_of_order: set[int] = set()
        """Hashes of names that came behind a later one: not all stores list in order."""

    def check_new(self, names: Sequence[Any]) -> None:
        """Raise `InvalidResponseError` where a page has a name that an earlier one had."""
        before, self._page_before = self._page_before, names
        if not names:
            return
        if self._furthest is None or names[0] > self._furthest:
            self._furthest = max(names)
            return
        again = [name for name in names if name == self._furthest or hash(name) in self._out_of_order]
        if again or not set(before).isdisjoint(names):
            raise self._asked.refused(f"it names {(again or names)[0]!r}, as a page before, so the listing never ends")
        self._out_of_order.update(map(hash, names))
        self._furthest = max(self._furthest, *names)

    def following(self, answer: Answer, first: Any, *fields: str) -> list[Any]:
        """Where the next page begins, by the markers in `fields`, of which the first must be there; nothing after the
        last page. `first` is what the page begins with, None where it is empty.

        Raises:
            InvalidResponseError: the listing stands still.
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


# Writes


def copied(answer: Answer, result: str, asked: Asked) -> str:
    """The ETag of a copy, which alone confirms it; `result` is the field that it is in."""
    has_root(answer, asked)
    told = answer.get(result)
    if not isinstance(told, Mapping):
        raise asked.refused(f"it has no {result}")
    return text(told, "ETag", asked)


def not_deleted(
    answer: Answer, keys: Sequence[str], asked: Asked, path_of: Callable[[str], str]
) -> dict[str, Exception]:
    """The keys that a DeleteObjects in quiet mode did not delete, and why; `path_of` names a key in an error."""
    is_document(answer, asked, "Deleted", "Errors")
    wanted = set(keys)
    failed: dict[str, Exception] = {}
    for row in answer.get("Errors") or ():
        key = row.get("Key")
        if key not in wanted:
            raise asked.refused(f"it tells of {key!r}, which was not to be deleted")
        failed[key] = from_code(str(row.get("Code") or ""), str(row.get("Message") or ""), path_of(key))
    deleted = {row.get("Key") for row in answer.get("Deleted") or ()}
    if deleted:  # it is not quiet, so it must name all
        for key in wanted - deleted - failed.keys():
            failed[key] = invalid_response(asked.operation, "it tells nothing of the key", path_of(key))
    return failed


def completed_etag(answer: Answer, key: str, asked: Asked) -> str:
    """The ETag of a CompleteMultipartUpload, by which it is confirmed; "" of stores that tell none, as Ceph's. Some
    tell another one than their HEADs."""
    has_root(answer, asked)
    is_of(answer, "Key", key, asked)
    return str(answer.get("ETag") or "")


# Multipart uploads and tags


def parts(answer: Answer, key: str, upload_id: str, asked: Asked) -> list[Part]:
    """The parts of a page of ListParts."""
    is_list(answer, asked, "UploadId", "Parts", "Bucket", "Key", "IsTruncated")
    is_of(answer, "Key", key, asked)
    if answer.get("UploadId", upload_id) != upload_id:
        raise asked.refused(f"it is about the upload {answer['UploadId']!r}, where {upload_id!r} was asked for")
    return [
        Part(count(row, "PartNumber", asked, MAX_PARTS), text(row, "ETag", asked), count(row, "Size", asked))
        for row in answer.get("Parts") or ()
    ]


def uploads(answer: Answer, prefix: str, asked: Asked) -> list[Upload]:
    """The uploads of a page of ListMultipartUploads."""
    is_list(answer, asked, "IsTruncated", "Bucket", "Prefix", "MaxUploads", "Uploads")
    rows = answer.get("Uploads") or ()
    check_within(rows, "Key", prefix, asked)
    return [
        Upload(
            row["Key"],
            text(row, "UploadId", asked),
            _time_if_told(row.get("Initiated")),
        )
        for row in rows
    ]


def _time_if_told(value: Any) -> datetime | None:
    try:
        return utc(value) if isinstance(value, datetime) else None
    except ValueError:
        return None


def versions(answer: Answer, prefix: str, asked: Asked) -> list[ObjectInfo]:
    """The objects of a page of ListObjectVersions; delete markers are none."""
    is_list(answer, asked, "IsTruncated", "Name", "Prefix", "MaxKeys", "Versions", "DeleteMarkers")
    check_within(rows_of_versions(answer), "Key", prefix, asked)
    return [listed(row, asked) for row in answer.get("Versions") or ()]


def rows_of_versions(answer: Answer) -> list[Answer]:
    """All that a page of ListObjectVersions names, delete markers too."""
    return [*(answer.get("Versions") or ()), *(answer.get("DeleteMarkers") or ())]


def tags(answer: Answer, asked: Asked) -> dict[str, str]:
    """The tags of an object."""
    is_document(answer, asked, "TagSet")
    if "TagSet" not in answer:
        raise asked.refused("it has no TagSet")
    return {text(row, "Key", asked): str(row.get("Value") or "") for row in answer.get("TagSet") or ()}
