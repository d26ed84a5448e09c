"""From S3's answers, in boto3's words, to our records, each field checked. Pure.

An answer is believed only as far as it proves itself. A field that S3 always sends and that is missing, or a value that
S3 never sends, is an `InvalidResponseError` that names operation and field; a field that is only nice to have has a
default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from registry_s3fs.errors import InvalidResponseError, from_code, invalid_response
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.model.ranges import MAX_OBJECT_BYTES
from registry_s3fs.s3.documents import DOCUMENT, FOREIGN, ROOTS, TEXT

Answer = Mapping[str, Any]

UNSUPPORTED = frozenset(("NotImplemented", "501", "MethodNotAllowed", "405", "UnsupportedOperation", "NotSupported"))
"""What stores say to an operation or a header that they do not know."""


class Asked(NamedTuple):
    """What an answer is to: the operation, and the registry path that an error names."""

    operation: str
    path: str

    def refused(self, what: str) -> InvalidResponseError:
        """The error for an answer of which `what` is wrong."""
        return invalid_response(self.operation, what, self.path)


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


def tags(answer: Answer, asked: Asked) -> dict[str, str]:
    """The tags of an object."""
    is_document(answer, asked, "TagSet")
    if "TagSet" not in answer:
        raise asked.refused("it has no TagSet")
    return {text(row, "Key", asked): str(row.get("Value") or "") for row in answer.get("TagSet") or ()}
