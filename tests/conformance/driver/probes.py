"""What a server lacks, seen by asking it with plain boto3; a test that needs it is skipped with the answer."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.driver.conftest import Place

MIB = 1024 * 1024


def needs(place: Place, probe: Callable[[Any, str], str]) -> None:
    """Skip the test where a probe, which is handed a client and a bucket, tells of something lacking."""
    lack = probe(place.server.client(retries={"total_max_attempts": 1}), place.bucket)
    if lack:
        pytest.skip(f"{place.server.name}: {lack}")


def paged_uploads(client: Any, bucket: str) -> str:
    """ListMultipartUploads keeps to MaxUploads."""
    begun = [client.create_multipart_upload(Bucket=bucket, Key="probe")["UploadId"] for _ in range(2)]
    found = client.list_multipart_uploads(Bucket=bucket, MaxUploads=1)["Uploads"]
    for upload_id in begun:
        client.abort_multipart_upload(Bucket=bucket, Key="probe", UploadId=upload_id)
    return "" if len(found) == 1 else f"ListMultipartUploads with MaxUploads=1 gives {len(found)}"


def checked_signatures(client: Any, bucket: str) -> str:
    """A presigned URL with another signature is refused."""
    url = client.generate_presigned_url("list_objects_v2", {"Bucket": bucket})
    try:
        urllib.request.urlopen(re.sub("Signature=[0-9a-f]{4}", "Signature=0000", url)).close()
    except urllib.error.HTTPError:
        return ""
    return "takes a presigned URL whose signature is wrong"


def part_copies(client: Any, bucket: str) -> str:
    """UploadPartCopy stores the bytes of its source."""
    client.put_object(Bucket=bucket, Key="probe", Body=b"12345")
    upload_id = client.create_multipart_upload(Bucket=bucket, Key="probe")["UploadId"]
    upload = {"Bucket": bucket, "Key": "probe", "UploadId": upload_id}
    client.upload_part_copy(**upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "probe"})
    stored = client.list_parts(**upload)["Parts"][0]["Size"]
    client.abort_multipart_upload(**upload)
    client.delete_object(Bucket=bucket, Key="probe")
    return "" if stored == 5 else f"UploadPartCopy of 5 bytes stores {stored}"


def kms(client: Any, bucket: str) -> str:
    """An object is encrypted with a KMS key, and HEAD gives back which."""
    key = {"Bucket": bucket, "Key": "probe"}
    try:
        client.put_object(**key, Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/mine")
        stored = client.head_object(**key).get("SSEKMSKeyId")
        client.delete_object(**key)
    except client.exceptions.ClientError as error:
        return f"refuses a KMS key: {error.response['Error']['Code']}"
    return "" if stored == "alias/mine" else "does not give back the KMS key of an object"


def storage_classes(client: Any, bucket: str) -> str:
    """An object is stored as STANDARD_IA, and HEAD says so."""
    key = {"Bucket": bucket, "Key": "probe"}
    try:
        client.put_object(**key, Body=b"", StorageClass="STANDARD_IA")
    except client.exceptions.ClientError as error:
        return f"refuses StorageClass=STANDARD_IA: {error.response['Error']['Code']}"
    stored = client.head_object(**key).get("StorageClass")
    client.delete_object(**key)
    return "" if stored == "STANDARD_IA" else f"HEAD of an object put as STANDARD_IA says {stored}"


def file_beside_directory(client: Any, bucket: str) -> str:
    """The keys `probe` and `probe/x` are two objects."""
    try:
        for key in ("probe", "probe/x"):
            client.put_object(Bucket=bucket, Key=key, Body=b"")
    except client.exceptions.ClientError as error:
        return f"takes no key probe/x beside the key probe: {error.response['Error']['Code']}"
    finally:
        for key in ("probe", "probe/x"):
            client.delete_object(Bucket=bucket, Key=key)
    return ""


def markers(client: Any, bucket: str) -> str:
    """The key `probe/` stands beside `probe/x`, and both are listed."""
    keys = ["probe/", "probe/x"]
    try:
        for key in keys:
            client.put_object(Bucket=bucket, Key=key, Body=b"")
        found = client.list_objects_v2(Bucket=bucket, Prefix="probe/").get("Contents", [])
    except client.exceptions.ClientError as error:
        return f"takes no key probe/x beside the key probe/: {error.response['Error']['Code']}"
    finally:
        for key in keys:
            client.delete_object(Bucket=bucket, Key=key)
    return "" if len(found) == 2 else "does not list the key probe/"
