"""What is added to boto3's requests and looked at in its answers, by the events of its client."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from registry_s3fs import pages
from registry_s3fs.s3 import documents


def register(client: Any, region: str, *, is_aws: bool) -> None:
    """Register the handlers of a client; `region` is the one that its requests are signed for."""
    events = client.meta.events
    # Wildcards come before botocore's own handler, which parses each body once more to look for an <Error>.
    for operation in (*documents.ROOTS, *documents.WITHOUT_DOCUMENT):
        events.register(f"before-parse.*.{operation}", documents.check)
    events.register("before-parse.*.ListObjectsV2", pages.fill)  # after the check: it leaves no body
    if not is_aws:
        events.register("before-call.s3.DeleteObjects", add_content_md5)
    if region != client.meta.region_name:
        events.register("choose-signer.s3", _signs_for(region))


def add_content_md5(params: dict[str, Any], **event: Any) -> None:
    """Handler of ``before-call``: older stores demand an MD5 beside or in place of the checksums of newer SDKs."""
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()


def _signs_for(region: str) -> Callable[..., None]:
    """Handler of ``choose-signer`` for a region that botocore takes for no name: some stores' have dots or colons."""

    def sign_for(context: dict[str, Any], **event: Any) -> None:
        context.setdefault("signing", {})["region"] = region

    return sign_for
