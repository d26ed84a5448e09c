"""What is signed here is, to the letter, what botocore signs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs import DriverParameters
from registry_s3fs.s3 import botocore_private
from registry_s3fs.s3.client import s3_client
from registry_s3fs.s3.fast_path.signer import Keys, Signer, signer_like_boto3

PLACES = {
    "virtual": {"region": "eu-west-1"},
    "global": {"region": "us-east-1", "sessiontoken": "token+/="},
    "path": {"regionendpoint": "http://127.0.0.1:9000"},
    "port": {"regionendpoint": "https://Store.Example:443"},
    "IPv6": {"regionendpoint": "http://[::1]:9000"},
    "dual": {"region": "eu-west-1", "usedualstack": True, "forcepathstyle": True},
    "china": {"region": "cn-north-1"},
}


def signer(**options: Any) -> Signer | None:
    mapping = {"bucket": "demo", "accesskey": "AKIDEXAMPLE", "secretkey": "secret", **options}
    parameters = DriverParameters.from_mapping(mapping)
    return signer_like_boto3(s3_client(parameters), parameters.bucket)


SIGNERS = {name: signer(**options) for name, options in PLACES.items()}


def sent(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, target and fields of a head."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    return method, target, dict(line.split(": ", 1) for line in lines if line)


def botocores(method: str, by: Signer, target: str, fields: dict[str, str]) -> dict[str, str]:
    """The fields of a request as botocore's `S3SigV4Auth` signs it, now."""
    path, _, query = target.partition("?")
    own = {name: value for name, value in fields.items() if name not in ("host", "authorization", "x-amz-date")}
    request = AWSRequest(method, by.place.origin + path, own, b"", dict(parse_qsl(query, keep_blank_values=True)))
    keys = by.keys()
    S3SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), "s3", by.place.region).add_auth(request)
    return {name.lower(): str(value) for name, value in request.headers.items()}


keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize("place", PLACES)
@given(key=keys, query=st.dictionaries(st.sampled_from(["versionId", "prefix", "list-type"]), keys))
def test_a_request_is_signed_as_botocore_signs_it(place: str, key: str, query: dict[str, str]) -> None:
    """Whatever the key, wherever the bucket, with any query and further headers."""
    by = SIGNERS[place]
    assert by
    more = {"content-type": "text/csv", "x-amz-meta-who": "me  and  you"}
    while True:  # until both fall into one second
        method, target, fields = sent(by.sign("GET", key, query, more, keys=by.keys()).data)
        theirs = botocores(method, by, target, fields)
        if theirs["x-amz-date"] == fields["x-amz-date"]:
            break
    assert fields["authorization"] == theirs["authorization"]
    assert target.partition("?")[0] == by.place.before_key + quote(key, safe="/~")
    assert fields["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD"


def test_the_probe_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 makes one request, and nothing connects."""
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("connected"))
    assert signer(region="eu-west-1")


@pytest.mark.parametrize(
    "options",
    [
        {"v4auth": False, "regionendpoint": "http://127.0.0.1:9000"},
        {"anon": True, "accesskey": "", "secretkey": "", "region": "eu-west-1"},
        {"bucket": "demo--use1-az4--x-s3", "region": "us-east-1"},
    ],
)
def test_other_kinds_of_signatures_are_boto3s(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 2, none at all, and those of directory buckets, whose sessions no request is sent for."""
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("connected"))
    assert signer(**options) is None


def test_a_signature_that_is_not_botocores_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason: botocore may sign in another way one day, and its signatures look like ours still."""
    add_auth = S3SigV4Auth.add_auth

    def otherwise(self: Any, request: Any) -> None:
        add_auth(self, request)
        signed = request.headers["Authorization"]
        del request.headers["Authorization"]
        request.headers["Authorization"] = signed[:-1] + ("0" if signed[-1] != "0" else "1")

    assert signer(region="eu-west-1") is not None
    monkeypatch.setattr(S3SigV4Auth, "add_auth", otherwise)
    assert signer(region="eu-west-1") is None


def test_where_botocore_hides_its_credentials_boto3_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The private look finds nothing then."""
    monkeypatch.setattr(botocore_private, "credentials", lambda client: None)
    assert signer(region="eu-west-1") is None
    monkeypatch.undo()
    assert botocore_private.credentials(SimpleNamespace()) is None


def test_a_signature_is_not_shown() -> None:
    """It would still work."""
    by = SIGNERS["virtual"]
    assert by
    signed = by.sign("GET", "a", {}, {}, keys=Keys("AKIDEXAMPLE", "secret", "token"))
    signature = signed.data.rpartition(b"Signature=")[2].strip().decode()
    assert len(signature) == 64
    for shown in (repr(signed), str(signed), repr({"a": signed})):
        assert signature not in shown
        assert "token\\r" not in shown
