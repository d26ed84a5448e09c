"""The names that boto3 has for the fields of requests and responses, and the headers and queries that carry them.

The module does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from registry_s3fs.model.objects import OBJECT_HEADERS
from registry_s3fs.s3 import checksums
from registry_s3fs.s3.fast_path.response import Head, NotPlainError
from registry_s3fs.threads.signal_errors import is_of_handler

METADATA = "x-amz-meta-"
PAYER = {"x-amz-request-payer": "requester"}  # of each request, where the bucket's owner does not pay
HEADERS = {
    "ContentLength": "content-length",
    "ContentRange": "content-range",
    "ETag": "etag",
    "LastModified": "last-modified",
    "VersionId": "x-amz-version-id",
    "ContentType": "content-type",
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "Expires": "expires",
    "WebsiteRedirectLocation": "x-amz-website-redirect-location",
    "StorageClass": "x-amz-storage-class",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ACL": "x-amz-acl",
    "TagCount": "x-amz-tagging-count",
    "ChecksumType": "x-amz-checksum-type",
    "ChecksumAlgorithm": "x-amz-sdk-checksum-algorithm",
    **{field: f"x-amz-checksum-{algorithm.lower()}" for field, algorithm in checksums.FIELDS.items()},
}
"""The keys are boto3's names of fields, the values are the headers that carry them."""
_WRITTEN = ("StorageClass", "ServerSideEncryption", "SSEKMSKeyId")
"""These fields are sent with an object, and told of it."""
REQUEST_FIELDS = {
    name: HEADERS[name] for name in ("ContentType", "ChecksumAlgorithm", "ChecksumCRC32", "ACL", *_WRITTEN)
}
"""The keys are boto3's names, the values are the headers of a request that are signed and sent.

A request with any other field is left to boto3.
"""
QUERY = {
    "Prefix": "prefix",
    "Delimiter": "delimiter",
    "MaxKeys": "max-keys",
    "StartAfter": "start-after",
    "ContinuationToken": "continuation-token",
}
"""The keys are boto3's names, the values are the names in the query of a listing."""
GET_FIELDS = {
    HEADERS[name]: name
    for name in ("ContentLength", "ContentRange", "ETag", "VersionId", "ChecksumType", *checksums.FIELDS)
}
HEAD_FIELDS = {
    **GET_FIELDS,
    **{HEADERS[name]: name for name in ("LastModified", "TagCount", *_WRITTEN, *OBJECT_HEADERS) if name != "Metadata"},
}
"""The keys are headers of a response, the values are boto3's names for them."""
_CONVERTED: dict[str, Callable[[str], object]] = {
    "ContentLength": int,
    "TagCount": int,
    "LastModified": parsedate_to_datetime,
    "Expires": parsedate_to_datetime,
}
_DISPENSABLE = frozenset(("Expires", "TagCount"))
"""These fields are left out where they cannot be read.

Whoever needs another field says what is wrong with it.
"""


def fields_of(head: Head, names: Mapping[str, str]) -> dict[str, object]:
    """Return boto3's fields of a head, with `Metadata` among them where there is any."""
    fields: dict[str, object] = {}
    metadata: dict[str, str] = {}
    for name, value in head.fields.items():
        field = names.get(name)
        if field is not None:
            try:
                fields[field] = _CONVERTED.get(field, str)(value)
            except (ValueError, TypeError, IndexError, OverflowError) as error:
                if is_of_handler(error):
                    raise
                if field not in _DISPENSABLE:
                    raise NotPlainError(f"the field {name} cannot be read") from None
        elif name.startswith(METADATA):
            metadata[name[len(METADATA) :]] = value
    if metadata:
        fields["Metadata"] = metadata
    return fields
