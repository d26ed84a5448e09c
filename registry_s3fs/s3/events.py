"""The handlers of a boto3 client's events, which add to its requests and look at its responses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from registry_s3fs.redaction import know
from registry_s3fs.s3 import botocore_private, checksums, documents, list_xml
from registry_s3fs.s3.fast_path.header_names import PAYER

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.signers import RequestSigner
    from mypy_boto3_s3 import S3Client as Boto3Client


def register(client: Boto3Client, region: str, *, is_aws: bool, requester_pays: bool) -> None:
    """Register the handlers of a client.

    `region` is the one that the client's requests are signed for.
    """
    events = client.meta.events
    # Wildcards come before botocore's own handler, which parses each body once more to look for an <Error>.
    for operation in documents.OPERATIONS:
        events.register(f"before-parse.*.{operation}", documents.check)
    events.register("before-parse.*.ListObjectsV2", list_xml.fill)  # after the check: it leaves no body
    for operation in documents.OPERATIONS:
        events.register(f"before-parse.*.{operation}", documents.check_elements)
    events.register("before-call.s3.HeadBucket", begin_lookup)
    events.register("after-call.s3.HeadBucket", end_lookup)
    events.register("after-call-error.s3.HeadBucket", end_lookup)
    events.register("before-sign.s3", know_credentials)
    if not is_aws:
        events.register("before-call.s3.DeleteObjects", add_content_md5)
    if requester_pays:
        events.register("before-call.s3", pay)
    if region != client.meta.region_name:
        events.register("choose-signer.s3", _signs_for(region))


def know_credentials(request_signer: RequestSigner, **event: object) -> None:
    """Have the secrets that a request is signed with masked in every message, as a handler of ``before-sign``."""
    credentials = botocore_private.credentials_of(request_signer)
    if credentials is not None:
        found = credentials.get_frozen_credentials()
        know(found.secret_key or "", found.token or "")


def pay(params: dict[str, Any], **event: object) -> None:
    """Add the header by which the requester pays, as a handler of ``before-call``."""
    params["headers"].update(PAYER)


def change_presigned(client: Boto3Client, endpoint: str, *, requester_pays: bool) -> None:
    """Have a client sign URLs for another scheme and host than its own.

    The URLs also say who pays, since the header that says so would be for each user of the URL to send.
    """
    scheme, host, *_ = urlsplit(endpoint)
    payer = urlencode(PAYER) if requester_pays else ""

    def change(request: AWSRequest, **event: object) -> None:
        url = urlsplit(str(request.url))
        url = url._replace(scheme=scheme or url.scheme, netloc=host or url.netloc)
        request.url = url._replace(query="&".join(filter(None, (url.query, payer)))).geturl()

    client.meta.events.register("before-sign.s3", change)


_lookup = threading.local()


def begin_lookup(**event: object) -> None:
    """Refuse a HeadBucket within a HeadBucket, as a handler of ``before-call.s3.HeadBucket``.

    botocore sends a HeadBucket after a redirection to ask where a bucket is, and another after a redirection of that,
    without end.
    """
    from botocore.exceptions import ClientError

    if getattr(_lookup, "is_on", False):
        unknown: Any = {"Error": {"Code": "301"}, "ResponseMetadata": {"HTTPHeaders": {}}}
        raise ClientError(unknown, "HeadBucket")
    _lookup.is_on = True


def end_lookup(**event: object) -> None:
    """Note that a HeadBucket has ended, as a handler of the events after it.

    It is called after each request of this package, too, as no event comes after some errors.
    """
    _lookup.is_on = False


def add_content_md5(params: dict[str, Any], **event: object) -> None:
    """Add the header Content-MD5, as a handler of ``before-call``.

    Older stores demand an MD5 beside or in place of the checksums of newer SDKs.
    """
    params["headers"]["Content-MD5"] = checksums.md5(params["body"])


def _signs_for(region: str) -> Callable[..., None]:
    """Return a handler of ``choose-signer`` for a region that botocore does not take for a name.

    Some stores' regions have dots or colons.
    """

    def sign_for(context: dict[str, Any], **event: object) -> None:
        context.setdefault("signing", {})["region"] = region

    return sign_for
