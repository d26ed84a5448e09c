"""Presigned URLs as boto3's `generate_presigned_url` makes them, in a tenth of its time.

What boto3 adds to a signature is the choice of an endpoint, which is the same for all keys of a bucket. It is
taken from two URLs that boto3 signs, and `sigv4` does the rest. Where that gives another URL than
boto3's (other kinds of signatures, directory buckets with their sessions), boto3 signs them all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote

from registry_s3fs import sdk
from registry_s3fs.redaction import redact
from registry_s3fs.sigv4 import Keys, presigned

METHODS = {"get_object": "GET", "head_object": "HEAD", "put_object": "PUT", "list_objects_v2": "GET"}
QUERY = {
    "VersionId": "versionId",
    "Prefix": "prefix",
    "Delimiter": "delimiter",
    "EncodingType": "encoding-type",
    "MaxKeys": "max-keys",
    "StartAfter": "start-after",
    "ContinuationToken": "continuation-token",
}
"""boto3's name -> name in the query."""
HEADERS = {
    "ContentType": "Content-Type",
    "ContentMD5": "Content-MD5",
    "ChecksumAlgorithm": "x-amz-sdk-checksum-algorithm",
    "ChecksumCRC32": "x-amz-checksum-crc32",
    "ChecksumMode": "x-amz-checksum-mode",
    "StorageClass": "x-amz-storage-class",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ACL": "x-amz-acl",
}
"""boto3's name -> header of a request, signed and sent."""
METADATA = "x-amz-meta-"
SIGNED_FOR_SECONDS = 900
PROBES = 3
"""Two signatures of one second are the same; so many tries to get both into one."""


class Signed(NamedTuple):
    """A request that may be sent for `SIGNED_FOR_SECONDS`."""

    method: str
    url: str
    headers: dict[str, str]

    def __repr__(self) -> str:
        return redact(f"Signed({self.method} {self.url})")


class _Place(NamedTuple):
    """Where a bucket is, and how requests to it are signed."""

    objects: str
    """A key's URL up to the key."""
    bucket: str
    region: str
    credentials: Any


class Signer:
    """Signs a client's requests to one bucket. Threads may share it."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def sign(self, operation: str, fields: Mapping[str, Any]) -> Signed | None:
        """A request of one of `METHODS`, with boto3's fields but the bucket; None where one of them is unknown here."""
        headers = {METADATA + name: value for name, value in fields.get("Metadata", {}).items()}
        query = {}
        for field, value in fields.items():
            if field in HEADERS:
                headers[HEADERS[field]] = value
            elif field in QUERY:
                query[QUERY[field]] = str(value)
            elif field not in ("Key", "Metadata"):
                return None
        if self._place is None:
            return Signed(METHODS[operation], self._by_boto3(operation, fields), headers)
        if operation == "list_objects_v2":
            url, query["list-type"] = self._place.bucket, "2"
        else:
            url = self._place.objects + quote(fields["Key"], safe="/~")
        return Signed(METHODS[operation], _signed_url(self._place, METHODS[operation], url, query, headers), headers)

    def _by_boto3(self, operation: str, fields: Mapping[str, Any]) -> str:
        request = {"Bucket": self._bucket, **fields}
        url: str = self._client.generate_presigned_url(operation, request, ExpiresIn=SIGNED_FOR_SECONDS)
        return url

    @cached_property
    def _place(self) -> _Place | None:
        """None where boto3 must sign."""
        for _ in range(PROBES):
            theirs = self._by_boto3("get_object", {"Key": "k"})
            objects, _, query = theirs.partition("?")
            signed = dict(parse_qsl(query))
            scope = signed.get("X-Amz-Credential", "").split("/")
            credentials = sdk.credentials(self._client)
            if len(scope) != 5 or credentials is None or not objects.endswith("/k"):
                return None
            bucket = self._by_boto3("list_objects_v2", {}).partition("?")[0]
            place = _Place(objects[:-1], bucket, scope[2], credentials)
            ours = dict(parse_qsl(_signed_url(place, "GET", objects, {}, {}).partition("?")[2]))
            if ours == signed:  # in whichever order: where awscrt is installed, boto3 has it sign
                return place
            if ours["X-Amz-Date"] == signed.get("X-Amz-Date"):
                return None
        return None


def _signed_url(place: _Place, method: str, url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    found = place.credentials.get_frozen_credentials()
    keys = Keys(found.access_key, found.secret_key, found.token, place.region)
    return presigned(keys, method, url, query, headers, at=time.time(), seconds=SIGNED_FOR_SECONDS)
