"""Functions that turn S3's responses, in boto3's words, into this package's types, each field checked.

A response is believed only as far as it proves itself. An `InvalidResponseError` names the operation and the field
where a field is missing that S3 always sends, or where a field has a value that S3 never sends. A field that is only
nice to have has a default. The module does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import NamedTuple, cast
from urllib.parse import unquote_plus

from registry_s3fs.errors import InvalidResponseError, invalid_response
from registry_s3fs.model.objects import STANDARD, ObjectInfo
from registry_s3fs.model.ranges import MAX_OBJECT_BYTES
from registry_s3fs.s3.documents import DOCUMENT, FOREIGN, ROOTS, TEXT
from registry_s3fs.s3.error_codes import UNSUPPORTED, from_code

Answer = Mapping[str, object]
"""The fields of a response. What S3 says in them is not known before it is looked at."""


class Asked(NamedTuple):
    """The operation that a response belongs to, and the registry path that an error names."""

    operation: str
    path: str

    def refused(self, what: str) -> InvalidResponseError:
        """Return the error for a response, where `what` says what is wrong with it."""
        return invalid_response(self.operation, what, self.path)


# Single fields


def text(answer: Answer, field: str, asked: Asked) -> str:
    """Return the text of a field, which must not be empty."""
    value = answer.get(field)
    if not isinstance(value, str) or not value:
        raise asked.refused(f"it has no {field}")
    return value


def text_if_told(answer: Answer, field: str, default: str = "") -> str:
    """Return the text of a field that is only nice to have, or `default` where there is none."""
    value = answer.get(field)
    return str(value) if value else default


def row(answer: Answer, field: str) -> Answer:
    """Return the fields below a field, as the SDK's parser makes them; there may be none."""
    return cast(Answer, answer.get(field) or {})


def rows(answer: Answer, field: str) -> Sequence[Answer]:
    """Return the rows of a field, as the SDK's parser makes them; there may be none."""
    return cast("Sequence[Answer]", answer.get(field) or ())


def count(answer: Answer, field: str, asked: Asked, most: int = MAX_OBJECT_BYTES) -> int:
    """Return the whole number of a field, which must be from 0 to `most`."""
    value = answer.get(field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise asked.refused(f"it has no {field}")
    if not 0 <= value <= most:
        raise asked.refused(f"{field} is {value}, where S3 has 0 to {most}")
    return value


def time(answer: Answer, field: str, asked: Asked) -> datetime:
    """Return the time of a field, in UTC."""
    value = answer.get(field)
    if not isinstance(value, datetime):
        raise asked.refused(f"it has no {field}")
    try:
        return utc(value)
    except ValueError:
        raise asked.refused(f"{field} is no time that there is") from None


def utc(when: datetime) -> datetime:
    """Return a time in UTC, as botocore gives some times in the local zone and some in UTC.

    >>> utc(datetime(1, 1, 1)).isoformat()
    '0001-01-01T00:00:00+00:00'

    Raises:
        ValueError: The time has an offset of a day or more.
    """
    if when.tzinfo is timezone.utc:
        return when
    try:
        return when.astimezone(timezone.utc) if when.tzinfo else when.replace(tzinfo=timezone.utc)
    except OverflowError:  # in the first or last hours that Python can count
        return when.replace(tzinfo=timezone.utc)


def is_document(answer: Answer, asked: Asked, *proofs: str) -> None:
    """Raise `InvalidResponseError` where the response is not the operation's document.

    The root of the document shows it, or one of the fields `proofs`.
    """
    is_not_foreign(answer, asked)
    if not any(field in answer for field in proofs):
        has_root(answer, asked)


def has_root(answer: Answer, asked: Asked) -> None:
    """Raise `InvalidResponseError` where the response is not the operation's document by its root."""
    is_not_foreign(answer, asked)
    root = ROOTS[asked.operation]
    if answer.get(DOCUMENT) != root:
        raise asked.refused(f"it has no {root}")


def is_list(answer: Answer, asked: Asked, *fields: str) -> None:
    """Raise `InvalidResponseError` where the response is not the operation's document, or where it tells nothing.

    S3 sends no empty document.
    """
    is_document(answer, asked, *fields)
    if not any(field in answer for field in fields):
        raise asked.refused(f"its {ROOTS[asked.operation]} is empty")


def is_of(answer: Answer, field: str, asked_for: str, asked: Asked) -> None:
    """Raise `InvalidResponseError` where a response tells that it is about something else than was requested.

    A response that does not tell passes. A gateway may have put keys below others, and XML cannot hold all keys.
    """
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
    """Raise `InvalidResponseError` where a response is something other than S3 sends, such as a proxy's page."""
    if FOREIGN in answer:
        raise asked.refused(f"it is {answer[FOREIGN]}")


def etag(answer: Answer, asked: Asked) -> str:
    """Return the ETag of what was stored, by which S3 confirms a write.

    A text beside it that is no document does not count.
    """
    if answer.get(FOREIGN) != TEXT:
        is_not_foreign(answer, asked)
    return text(answer, "ETag", asked)


def is_of_version(answer: Answer, version_id: str, asked: Asked) -> None:
    """Raise `InvalidResponseError` where a response is about another object version than was requested.

    The response passes where no object version was requested, or where it does not tell one.
    """
    told = answer.get("VersionId")
    if version_id and told and told != version_id:
        raise asked.refused(f"it is of the version {told!r}, where {version_id!r} was asked for")


def is_same(one: str, other: str) -> bool:
    """Return whether two ETags are of one object version.

    A proxy that compresses what passes makes ETags weak.

    >>> is_same('"a"', 'W/"a"'), is_same('"a"', '"b"'), is_same('"a"', "a")
    (True, False, True)
    """
    return one == other or one.removeprefix("W/").strip('"') == other.removeprefix("W/").strip('"')


def is_weak(one: str) -> bool:
    """Return whether no condition holds for an ETag (https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.2)."""
    return one.startswith("W/")


def code(error: BaseException | None) -> str:
    """Return S3's code of an error of boto3, or "" where it has none."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def status(answer: Answer) -> int:
    """Return the HTTP status of a response of boto3's, or of an error's response.

    The result is 0 where it is not told.
    """
    return cast(int, row(answer, "ResponseMetadata").get("HTTPStatusCode") or 0)


def is_unsupported(error: BaseException | None) -> bool:
    """Return whether a server says, by code or status, that it does not know an operation or a header."""
    return code(error) in UNSUPPORTED or status(getattr(error, "response", None) or {}) == 501


# Objects


def described(key: str, answer: Answer, asked: Asked) -> ObjectInfo:
    """Return the object that the response to a HeadObject describes.

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
        text_if_told(answer, "StorageClass", STANDARD),
        text_if_told(answer, "VersionId"),
        head=answer if _is_date(answer.get("ExpiresString")) else {**answer, "Expires": None},
    )


def _is_date(text: object) -> bool:
    """Return whether an Expires header, if there is one, holds a time.

    Many tools write ``0``.
    """
    try:
        return text is None or bool(parsedate_to_datetime(cast(str, text)))
    except (ValueError, TypeError):
        return False


# Writes


def copied(answer: Answer, result: str, asked: Asked) -> str:
    """Return the ETag of a copy, which alone confirms it.

    `result` is the field that the ETag is in.
    """
    has_root(answer, asked)
    told = answer.get(result)
    if not isinstance(told, Mapping):
        raise asked.refused(f"it has no {result}")
    return text(told, "ETag", asked)


def not_deleted(
    answer: Answer, keys: Sequence[str], asked: Asked, path_of: Callable[[str], str]
) -> dict[str, Exception]:
    """Return the keys that a DeleteObjects in quiet mode did not delete, each with its error.

    `path_of` returns the path by which an error names a key.
    """
    is_document(answer, asked, "Deleted", "Errors")
    wanted = set(keys)
    failed: dict[str, Exception] = {}
    for each in rows(answer, "Errors"):
        key = each.get("Key")
        if not isinstance(key, str) or key not in wanted:
            raise asked.refused(f"it tells of {key!r}, which was not to be deleted")
        failed[key] = from_code(text_if_told(each, "Code"), text_if_told(each, "Message"), path_of(key))
    deleted = {each.get("Key") for each in rows(answer, "Deleted")}
    if deleted:  # it is not quiet, so it must name all
        for key in wanted - deleted - failed.keys():
            failed[key] = invalid_response(asked.operation, "it tells nothing of the key", path_of(key))
    return failed


def completed_etag(answer: Answer, key: str, asked: Asked) -> str:
    """Return the ETag of a CompleteMultipartUpload, by which it is confirmed.

    The result is "" for stores that tell none, such as Ceph. Some stores tell another ETag than their HEADs do.
    """
    has_root(answer, asked)
    is_of(answer, "Key", key, asked)
    return text_if_told(answer, "ETag")


def tags(answer: Answer, asked: Asked) -> dict[str, str]:
    """Return the tags of an object."""
    is_document(answer, asked, "TagSet")
    if "TagSet" not in answer:
        raise asked.refused("it has no TagSet")
    return {text(each, "Key", asked): text_if_told(each, "Value") for each in rows(answer, "TagSet")}
