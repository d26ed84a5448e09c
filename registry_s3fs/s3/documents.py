"""Functions that tell which XML document a response of S3 holds.

They look at the document before botocore's parser, which takes any document. The module does no I/O. No stubs describe
what botocore hands to a handler of its events, so its dictionaries hold Any.

An HTML page, an empty body and another operation's document all parse to a result without fields. Some true responses
parse to that, too, such as that of DeleteObjects in quiet mode. The document's root tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, Protocol
from xml.etree.ElementTree import Element, ParseError, fromstring

from registry_s3fs.model.ranges import MIB

ROOTS = {
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult",
    "DeleteObjects": "DeleteResult",
    "CopyObject": "CopyObjectResult",
    "UploadPartCopy": "CopyPartResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "GetObjectTagging": "Tagging",
}
"""The keys are operations, the values are the roots of the documents that their successes have.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
"""
FOREIGN_ROOTS = frozenset(("", "html", "ListAllMyBucketsResult", *ROOTS.values()))
"""A response with one of these roots in place of its own is foreign.

The fields of a response with any other root are looked at, since some stores have names of their own (rclone's
``InitiateMultipartUpload``, moto's ``ListPartsResponse``).
"""
WITHOUT_DOCUMENT = ("PutObject", "UploadPart", "DeleteObject", "AbortMultipartUpload", "PutObjectTagging")
"""The success of these operations has no body."""

SINGLE = frozenset(
    (
        *("Key", "ETag", "Size", "LastModified", "StorageClass", "VersionId", "IsLatest", "UploadId", "PartNumber"),
        *("Initiated", "IsTruncated", "NextContinuationToken", "NextPartNumberMarker", "NextKeyMarker"),
        *("NextUploadIdMarker", "NextVersionIdMarker", "Prefix", "Value", "Bucket", "Location", "Code", "Message"),
    )
)
"""These elements are read. Each holds a text alone, and stands once below the element that it is in."""

MAX_ERROR_BYTES = MIB
"""The body of an error is no longer than this."""
MAX_DOCUMENT_BYTES = 16 * MIB
"""The document of a listing is no longer than this.

1,000 keys of 1,024 bytes each, percent-encoded, and as many fields as S3 knows, take a fifth of it.
"""

DOCUMENT = "Document"
"""This field of a response holds the root of its document, which is the operation's."""
FOREIGN = "ForeignDocument"
"""This field of a response says what it holds in place of S3's document, or where S3 sends none."""

_BEFORE_ROOT = rb"(?:<\?(?:(?!\?>).)*\?>|<!--(?:(?!-->).)*-->|<!(?!--)[^>]*>|\s)*"
_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?" + _BEFORE_ROOT + rb"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)", re.DOTALL)
_LOOKED_AT_BYTES = 4096
"""The root is looked for in this many bytes.

A root comes after a declaration at most. CompleteMultipartUpload and CopyObject may put white space before it.
"""


TEXT = "a text"

SUCCESSES = {
    "GetObject": (200, 206),
    "DeleteObject": (200, 204),
    "AbortMultipartUpload": (200, 204),
    "PutObjectTagging": (200, 204),
}
"""The keys are operations, the values are the statuses of a success, where these are not 200 alone."""
OPERATIONS = (*ROOTS, *WITHOUT_DOCUMENT, "GetObject", "HeadObject")
"""The responses to these operations are looked at."""


def root(body: bytes) -> str:
    r"""Return the name of a document's root without its namespace.

    The result is "" where the bytes begin no document.

    >>> root(b'<?xml version="1.0"?>\n  <s3:DeleteResult/>'), root(b"<!DOCTYPE html><html>"), root(b"yes"), root(b" ")
    ('DeleteResult', 'html', '', '')
    """
    found = _ROOT.match(body.lstrip()[:_LOOKED_AT_BYTES])
    return found[1].decode() if found else ""


class Operation(Protocol):
    """botocore's model of an operation."""

    name: str


def check(
    operation_model: Operation,
    response_dict: MutableMapping[str, Any],
    customized_response_dict: dict[str, object],
    **event: object,
) -> None:
    """Note in the response which document it holds, as a handler of botocore's event ``before-parse``.

    A foreign document is taken out of the body, so that botocore does not take it for a failure that another attempt
    may mend. An ``<Error>`` is left to botocore, which knows what to do about one that comes with status 200.
    """
    operation, body, status = operation_model.name, response_dict["body"], response_dict["status_code"]
    if not 200 <= status < 300:
        return
    if status not in SUCCESSES.get(operation, (200,)):
        customized_response_dict[FOREIGN] = f"one with status {status}"
        if isinstance(body, bytes):
            response_dict["body"] = b""
        return
    expected = ROOTS.get(operation)
    if expected is None and operation not in WITHOUT_DOCUMENT:
        return
    found = root(body)
    if found == "Error":
        return
    if expected is not None and found == expected:
        customized_response_dict[DOCUMENT] = expected
        return
    is_foreign = found in FOREIGN_ROOTS or found.lower() == "html" if expected is not None else bool(body.strip())
    if is_foreign:
        customized_response_dict[FOREIGN] = _described(body, found)
        response_dict["body"] = b""


def check_elements(
    operation_model: Operation,
    response_dict: MutableMapping[str, Any],
    customized_response_dict: dict[str, object],
    **event: object,
) -> None:
    """Take a document with odd elements out of the response, as a handler of the same event, after `check`.

    botocore makes a list of an element that comes twice, and an object of an element that holds others, where it makes
    a text otherwise. Only the status of an error remains then.
    """
    body = response_dict["body"]
    found = oddity(body) if isinstance(body, bytes) else ""
    if not found:
        return
    response_dict["body"] = b""
    if response_dict["status_code"] < 300:
        customized_response_dict[FOREIGN] = f"a document {found}"
        customized_response_dict.pop(DOCUMENT, None)


def oddity(body: bytes) -> str:
    """Return what a body has that no document of S3's has.

    The result is "" where the document has nothing of that kind, or where the body is no document at all.

    >>> oddity(b"<Error><Code>A</Code><Code>B</Code></Error>"), oddity(b"<Error><Code><x/></Code></Error>")
    ('with <Code> twice', 'with an element in <Code>')
    >>> oddity(b"<R><IsTruncated>True</IsTruncated></R>"), oddity(b"<R><Part/><Part/></R>")
    ("whose IsTruncated is 'True'", '')
    """
    if not body.strip():
        return ""
    try:
        document = fromstring(body)  # noqa: S314  # bounded, and as botocore does
    except (ParseError, ValueError, LookupError):  # of unknown encodings, too
        return ""
    return next(filter(None, map(_oddity_in, document.iter())), "")


def local_name(tag: str) -> str:
    """Return the name of an element's tag, without the namespace that it may have in front.

    >>> local_name("{http://s3.amazonaws.com/doc/2006-03-01/}Key"), local_name("Key")
    ('Key', 'Key')
    """
    return tag.rpartition("}")[2]


def _oddity_in(element: Element) -> str:
    seen = set()
    for child in element:
        name = local_name(child.tag)
        if name not in SINGLE:
            continue
        if name in seen:
            return f"with <{name}> twice"
        if len(child):
            return f"with an element in <{name}>"
        if name == "IsTruncated" and (child.text or "").strip() not in ("true", "false"):
            return f"whose IsTruncated is {child.text!r}"
        seen.add(name)
    return ""


def _described(body: bytes, found: str) -> str:
    if not body.strip():
        return "no document at all"
    if found:
        return f"a document <{found}>"
    return "a document in JSON" if is_json(body) else TEXT


def is_json(body: bytes) -> bool:
    """Return whether bytes begin as a document in JSON does."""
    return body.lstrip()[:1] in (b"{", b"[")
