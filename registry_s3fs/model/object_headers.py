"""The object headers that callers give for an object that they write or copy, as S3's request fields. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from registry_s3fs.model.objects import DEFAULT_HEADERS, OBJECT_HEADERS, ObjectHeaders

BRIEF = {"content_type": "ContentType", "metadata": "Metadata"}
"""A mapping from our names to S3's."""
OF_THE_FILESYSTEM = {
    "ACL": "objectacl",
    "Grant": "objectacl",
    "StorageClass": "storageclass",
    "ServerSideEncryption": "encrypt",
    "SSEKMS": "keyid",
    "SSECustomer": "encrypt, or encrypt and keyid",
    "BucketKeyEnabled": "keyid",
    "RequestPayer": "requester_pays",
}
"""A mapping from the beginnings of S3's names of other fields to the storage options that set them for all files."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of HTTP (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)."""


def object_headers(fields: Mapping[str, object]) -> ObjectHeaders:
    """Return the request fields of a new object; `fields` have our names (`content_type`, `metadata`) or S3's.

    >>> object_headers({"CacheControl": "no-cache"})
    {'ContentType': 'application/octet-stream', 'CacheControl': 'no-cache'}
    >>> object_headers({"StorageClass": "GLACIER_IR"})
    Traceback (most recent call last):
    TypeError: 'StorageClass' is said for the whole filesystem, by the storage option storageclass

    Raises:
        TypeError: There is no such field, or it cannot be given for a single file.
        ValueError: The value cannot be sent. A name of metadata is no word that a header's name may hold, or a text has
            line breaks or other control characters.
    """
    return {**DEFAULT_HEADERS, **request_fields(fields)}


def request_fields(fields: Mapping[str, object]) -> ObjectHeaders:
    """Return the request fields that a caller gives, and no others; raise as `object_headers` does."""
    found: dict[str, object] = {}
    for name, value in fields.items():
        field = BRIEF.get(name, name)
        if field not in OBJECT_HEADERS:
            raise TypeError(_unknown(name))
        if field in found:
            raise TypeError(f"{name!r} and {field!r} are the same, and both are given")
        if field == "Metadata":
            metadata = _metadata(cast("Mapping[str, object]", value or {}))
            found.update({field: metadata} if metadata or name == field else {})
        elif value or name == field:
            found[field] = value if isinstance(value, datetime) and field == "Expires" else _sendable(name, value)
    return found


def _unknown(name: str) -> str:
    option = next((option for start, option in OF_THE_FILESYSTEM.items() if name.startswith(start)), None)
    if option is not None:
        return f"{name!r} is said for the whole filesystem, by the storage option {option}"
    if name == "Tagging":
        return "'Tagging' is set by put_tags, once the file is written"
    return f"{name!r} is no keyword argument here; S3's fields are {', '.join(OBJECT_HEADERS)}"


def _metadata(metadata: Mapping[str, object]) -> dict[str, str]:
    for name in metadata:
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise ValueError(f"metadata: {name!r} is no name for it; use letters, digits and -_.")
    return {name: _sendable(f"metadata {name!r}", value) for name, value in metadata.items()}


def _sendable(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what}: {value!r} is no text")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError(f"{what}: {value!r} has control characters, which no header can hold")
    return value
