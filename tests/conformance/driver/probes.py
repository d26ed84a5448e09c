"""What a server lacks, seen by asking it with plain boto3; a test that needs it is skipped with the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.driver.conftest import Place

MIB = 1024 * 1024


def needs(place: Place, probe: Callable[[Any, str], str]) -> None:
    """Skip the test where a probe, which is handed a client and a bucket, tells of something lacking."""
    lack = probe(place.server.client(), place.bucket)
    if lack:
        pytest.skip(f"{place.server.name}: {lack}")


def paged_uploads(client: Any, bucket: str) -> str:
    """ListMultipartUploads keeps to MaxUploads."""
    begun = [client.create_multipart_upload(Bucket=bucket, Key="probe")["UploadId"] for _ in range(2)]
    found = client.list_multipart_uploads(Bucket=bucket, MaxUploads=1)["Uploads"]
    for upload_id in begun:
        client.abort_multipart_upload(Bucket=bucket, Key="probe", UploadId=upload_id)
    return "" if len(found) == 1 else f"ListMultipartUploads with MaxUploads=1 gives {len(found)}"
