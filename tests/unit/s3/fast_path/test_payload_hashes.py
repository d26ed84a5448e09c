"""What guards the bytes that are sent."""

from __future__ import annotations

import hashlib

import pytest

from registry_s3fs import RegistryS3FileSystem

SHA256 = hashlib.sha256(b"abc").hexdigest()
CRC32 = "NSRBwg=="
UNSIGNED = "UNSIGNED-PAYLOAD"


def fields(scheme: str, checksums: str, part: bool, **s3: bool) -> dict[str, str]:
    """The fields of the request for an object's or a part's bytes."""
    config = {"request_checksum_calculation": checksums, **({"s3": s3} if s3 else {})}
    fs = RegistryS3FileSystem(
        bucket="bucket", region="us-east-1", regionendpoint=f"{scheme}://s3.example", accesskey="a", secretkey="s",
        config_kwargs=config, skip_instance_cache=True,
    )  # fmt: skip
    fast_path = fs.bucket.fast_path
    call = (
        fast_path.upload_part("key", "id", 1, b"abc", None)
        if part
        else fast_path.put_object({"Key": "key"}, b"abc", None)
    )
    assert call is not None
    lines = call.exchange.request().decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines if line)


@pytest.mark.promise("boto3")
@pytest.mark.parametrize("part", [False, True], ids=["object", "part"])
@pytest.mark.parametrize(
    ("scheme", "checksums", "payload"),
    [
        ("https", "when_supported", UNSIGNED),
        ("https", "when_required", SHA256),
        ("http", "when_supported", SHA256),
        ("http", "when_required", SHA256),
    ],
)
def test_a_payload_hash_is_computed_where_nothing_else_guards_the_bytes(
    scheme: str, checksums: str, payload: str, part: bool
) -> None:
    """Over https with a checksum in the header, no SHA-256 of the bytes is computed. Elsewhere it guards them."""
    found = fields(scheme, checksums, part)
    assert found["x-amz-content-sha256"] == payload
    assert found.get("x-amz-checksum-crc32") == (CRC32 if checksums == "when_supported" else None)


@pytest.mark.parametrize(("signs", "payload"), [(True, SHA256), (False, UNSIGNED)])
def test_the_users_own_setting_has_precedence(signs: bool, payload: str) -> None:
    """The SDK's `payload_signing_enabled` decides."""
    for checksums in ("when_supported", "when_required"):
        assert fields("https", checksums, False, payload_signing_enabled=signs)["x-amz-content-sha256"] == payload
