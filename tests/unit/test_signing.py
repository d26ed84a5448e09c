"""What is signed here is, to the letter, what boto3 signs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs import DriverParameters, sdk
from registry_s3fs.client import s3_client
from registry_s3fs.signing import METHODS, QUERY, Signer

PLACES = {
    "virtual": {"region": "eu-west-1"},
    "global": {"region": "us-east-1", "sessiontoken": "token+/="},
    "path": {"regionendpoint": "http://127.0.0.1:9000"},
    "dual": {"region": "eu-west-1", "usedualstack": True, "forcepathstyle": True},
}


def signer(**options: Any) -> Signer:
    mapping = {"bucket": "demo", "accesskey": "AKIDEXAMPLE", "secretkey": "secret", **options}
    parameters = DriverParameters.from_mapping(mapping)
    return Signer(s3_client(parameters), parameters.bucket)


def parsed(url: str) -> tuple[str, dict[str, list[str]]]:
    path, _, query = url.partition("?")
    return path, {name: sorted(values) for name, values in parse_qs(query, keep_blank_values=True).items()}


def both(by: Signer, operation: str, fields: dict[str, Any]) -> tuple[Any, Any]:
    """Our URL and boto3's, signed in one second."""
    while True:
        signed = by.sign(operation, fields)
        assert signed
        ours, theirs = parsed(signed.url), parsed(by._by_boto3(operation, fields))
        if ours[1]["X-Amz-Date"] == theirs[1]["X-Amz-Date"]:
            return ours, theirs


keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize("place", PLACES)
@given(key=keys, version=st.sampled_from(["", "v1"]), operation=st.sampled_from(["get_object", "head_object"]))
def test_a_read_is_signed_as_boto3_signs_it(place: str, key: str, version: str, operation: str) -> None:
    """Whatever the key, wherever the bucket, and with the header that asks for its checksum."""
    by = signer(**PLACES[place])
    fields = {"Key": key, **({"VersionId": version, "ChecksumMode": "ENABLED"} if version else {})}
    ours, theirs = both(by, operation, fields)
    assert ours == theirs
    assert by._place


@given(prefix=keys, more=st.sets(st.sampled_from([name for name in QUERY if name not in ("VersionId", "Prefix")])))
def test_a_listing_is_signed_as_boto3_signs_it(prefix: str, more: set[str]) -> None:
    """With each of its fields."""
    values = {"EncodingType": "url", "MaxKeys": 7}
    fields = {"Prefix": prefix, "EncodingType": "url", **{name: values.get(name, f"a/{name} +") for name in more}}
    for place in PLACES.values():
        ours, theirs = both(signer(**place), "list_objects_v2", fields)
        assert ours == theirs


@pytest.mark.parametrize(
    "guard", [{"ContentMD5": "kAFQmDzST7DWlj99KOF/cg=="}, {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": "NSRBwg=="}]
)
def test_a_put_is_signed_as_boto3_signs_it(guard: dict[str, str]) -> None:
    """With the headers that go with it."""
    fields = {
        "Key": "a/b c", "ContentType": "text/csv", **guard, "Metadata": {"who": "me"},
        "StorageClass": "STANDARD", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1", "ACL": "private",
    }  # fmt: skip
    ours, theirs = both(signer(region="eu-west-1"), "put_object", fields)
    assert ours == theirs
    signed = signer(region="eu-west-1").sign("put_object", fields)
    assert signed
    assert set(ours[1]["X-Amz-SignedHeaders"][0].split(";")) == {name.lower() for name in signed.headers} | {"host"}


@pytest.mark.parametrize("options", [{"v4auth": False}, {"anon": True, "accesskey": "", "secretkey": ""}])
def test_other_kinds_of_signatures_are_boto3s(options: dict[str, Any]) -> None:
    """Version 2, and none at all."""
    by = signer(regionendpoint="http://127.0.0.1:9000", **options)
    assert by._place is None
    signed = by.sign("get_object", {"Key": "a b"})
    assert signed
    assert signed.url.startswith("http://127.0.0.1:9000/demo/a%20b")


def test_where_botocore_hides_its_credentials_boto3_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The private look finds nothing then."""
    by = signer(region="eu-west-1")
    assert sdk.credentials(by._client)
    monkeypatch.setattr(sdk, "credentials", lambda client: None)
    assert by.sign("get_object", {"Key": "a"})
    assert by._place is None
    assert sdk.credentials(SimpleNamespace()) is None


def test_a_field_that_is_not_known_is_not_signed() -> None:
    """Nobody guesses how its header is spelled."""
    assert signer(region="eu-west-1").sign("put_object", {"Key": "a", "Tagging": "x"}) is None
    assert set(METHODS) == {"get_object", "head_object", "put_object", "list_objects_v2"}
