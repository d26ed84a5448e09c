"""Tests of whether a write was carried out although its response was lost.

The error can tell, and so can the object that is there. The module does no I/O.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timezone

from registry_s3fs.errors import InvalidResponseError
from registry_s3fs.model.objects import Body, ObjectInfo, Part
from registry_s3fs.s3.error_codes import MAX_SKEW

_MD5 = re.compile(r'"[0-9a-f]{32}"')
_MD5_OF_PARTS = re.compile(r'"[0-9a-f]{32}-[0-9]+"')


def is_in_doubt(error: BaseException) -> bool:
    """Return whether the request that failed may have been carried out.

    It may where a response was lost or where the server failed. A response that is not S3's proves nothing, so the
    request is in doubt. A refusal of the first attempt leaves no doubt. A refusal of a later attempt may be the
    response to what an earlier attempt has done.
    """
    if isinstance(error, InvalidResponseError):
        return True
    cause = error.__cause__
    response = getattr(cause, "response", None)
    if not isinstance(response, dict):
        return cause is not None
    said = response.get("ResponseMetadata", {})
    return bool(said.get("RetryAttempts", 0) or said.get("HTTPStatusCode", 0) >= 500)


def etag(body: Body) -> str:
    """Return the ETag that an object stored whole has on a server whose ETags are MD5s.

    >>> etag(b"")
    '"d41d8cd98f00b204e9800998ecf8427e"'
    """
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def etag_of_parts(parts: Sequence[Part]) -> str:
    """Return the ETag that an object stored in these parts has on a server whose ETags are MD5s.

    The result is "" where an ETag of the parts is not an MD5.

    >>> etag_of_parts([Part(1, etag(b""), 0)])
    '"59adb24ef3cdbe0297f05b395827453f-1"'
    >>> etag_of_parts([Part(1, '"x"', 0)])
    ''
    """
    if not all(_MD5.fullmatch(part.etag) for part in parts):
        return ""
    digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'


def is_ours(found: ObjectInfo, size: int, expected_etag: str) -> bool | None:
    """Return whether an object is the one that should have been written.

    The result is None where the size and the ETag do not tell. ETags are MD5s on AWS unless objects are encrypted with
    KMS. They are MD5s on some other stores, too (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
    """
    if found.size != size:
        return False
    if found.etag == expected_etag:
        return True
    is_md5 = (_MD5_OF_PARTS if "-" in expected_etag else _MD5).fullmatch(found.etag)
    encrypted = str(found.head.get("ServerSideEncryption", "")).startswith("aws:kms")
    return False if expected_etag and is_md5 and not encrypted else None


def is_as_new(found: ObjectInfo, begun: datetime) -> bool:
    """Return whether an object may have been written since `begun`, by the server's clock.

    S3 takes no request of a client whose clock differs from its own by more than `MAX_SKEW`.
    """
    return found.last_modified >= begun.astimezone(timezone.utc) - MAX_SKEW
