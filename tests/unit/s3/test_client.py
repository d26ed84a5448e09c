"""The client is what the parameters say, and every object-creating call gets their fields."""

from __future__ import annotations

import logging
import ssl
import threading
import weakref
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
from botocore.loaders import JSONFileLoader

from registry_s3fs import DriverParameters
from registry_s3fs.redaction import redact
from registry_s3fs.s3 import botocore_private
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.client import CONNECT_TIMEOUT_S, MOST_CLIENTS, Clients, config_options, object_fields, s3_client
from registry_s3fs.s3.retry import TOTAL_MAX_ATTEMPTS

KEYS = {"accesskey": "AKIDEXAMPLE", "secretkey": "secret"}


def parameters(**options: Any) -> DriverParameters:
    return DriverParameters.from_mapping({"bucket": "demo", "region": "eu-west-1", **KEYS, **options})


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://demo.s3.eu-west-1.amazonaws.com/k"),
        ({"secure": False}, "http://demo.s3.eu-west-1.amazonaws.com/k"),
        ({"forcepathstyle": True}, "https://s3.eu-west-1.amazonaws.com/demo/k"),
        ({"usedualstack": True}, "https://demo.s3.dualstack.eu-west-1.amazonaws.com/k"),
        ({"accelerate": True}, "https://demo.s3-accelerate.amazonaws.com/k"),
        ({"region": "us-east-1", "usefipsendpoint": True}, "https://demo.s3-fips.us-east-1.amazonaws.com/k"),
        ({"region": "cn-north-1"}, "https://demo.s3.cn-north-1.amazonaws.com.cn/k"),
        ({"regionendpoint": "store:9000"}, "https://store:9000/demo/k"),
        ({"regionendpoint": "store:9000", "secure": "false"}, "http://store:9000/demo/k"),
        ({"regionendpoint": "store.example", "forcepathstyle": False}, "https://demo.store.example/k"),
    ],
)
def test_requests_go_where_the_parameters_say(options: dict[str, Any], url: str) -> None:
    """`regionendpoint`, `forcepathstyle`, `usedualstack`, `accelerate` and `usefipsendpoint` say where requests go."""
    signed = s3_client(parameters(**options)).generate_presigned_url("get_object", {"Bucket": "demo", "Key": "k"})
    assert signed.split("?")[0] == url


@pytest.mark.parametrize(
    ("options", "version"), [({}, "s3v4"), ({"v4auth": "false"}, "s3"), ({"anon": True}, botocore.UNSIGNED)]
)
def test_requests_are_signed_as_the_parameters_say(options: dict[str, Any], version: object) -> None:
    """v4auth and anon choose the signature."""
    keys = {"accesskey": "", "secretkey": ""} if "anon" in options else {}
    assert s3_client(parameters(**options, **keys)).meta.config.signature_version is version or (
        s3_client(parameters(**options, **keys)).meta.config.signature_version == version
    )


def test_version_2_urls_carry_a_version_2_signature() -> None:
    """v4auth=False signs as old stores expect."""
    client = s3_client(parameters(v4auth=False))
    assert "AWSAccessKeyId=AKIDEXAMPLE&Signature=" in client.generate_presigned_url(
        "get_object", {"Bucket": "demo", "Key": "k"}
    )


@pytest.mark.promise("Configuration")
def test_certificates_are_checked_unless_skipverify_says_not_to() -> None:
    """Certificates are checked unless `skipverify` is set.

    The fast path has connections of its own. It trusts whom the client trusts.
    """
    for skip, mode in ((False, ssl.CERT_REQUIRED), ("true", ssl.CERT_NONE)):
        client = s3_client(parameters(skipverify=skip))
        assert botocore_private.tls_context(client).verify_mode == mode


@pytest.mark.promise("Secrets and credentials")
def test_without_keys_the_credentials_are_boto3s_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without keys, the credentials come from boto3's own chain.

    They come from its environment variables, or from a profile in its files.
    """
    files = tmp_path / "credentials"
    files.write_text("[work]\naws_access_key_id = AKIDOFPROFILE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(files))
    bare = {"accesskey": "", "secretkey": "", "useragent": str(tmp_path)}
    named = s3_client(parameters(**bare, profile="work"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    for client, key in ((named, "AKIDOFPROFILE"), (s3_client(parameters(**bare)), "AKIDOFENVIRONMENT")):
        assert f"Credential={key}%2F" in client.generate_presigned_url("get_object", {"Bucket": "demo", "Key": "k"})


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(("level", "expected"), [("off", logging.NOTSET), ("debugwithsigning", logging.DEBUG)])
def test_a_loglevel_sets_the_loggers(level: str, expected: int) -> None:
    """`loglevel` sets the levels of the loggers.

    They are this package's logger and botocore's. `off` leaves both as they are.
    """
    try:
        s3_client(parameters(loglevel=level, useragent="loglevel"))
        assert [logging.getLogger(name).level for name in ("registry_s3fs", "botocore")] == [expected, expected]
    finally:
        for name in ("registry_s3fs", "botocore"):
            logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.promise("boto3")
def test_one_client_serves_all_equal_parameters_and_threads() -> None:
    """Filesystems with equal parameters share one client, and one connection pool, in a process."""
    clients, found = Clients(), list[Any]()
    buckets = [Bucket(parameters(useragent="x")) for _ in range(8)]
    threads = [
        threading.Thread(target=lambda bucket=bucket: found.append(clients.of(bucket).prepared().client))
        for bucket in buckets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1
    assert clients.of(Bucket(parameters(useragent="y"))).prepared().client is not found[0]


def test_a_client_that_nobody_uses_any_more_is_let_go() -> None:
    """With its connections; one that somebody uses stays."""
    clients, bucket, other = Clients(), Bucket(parameters()), Bucket(parameters())
    held = weakref.ref(clients.of(bucket))
    assert clients.of(other) is held()
    del bucket
    assert held() is not None
    del other
    assert held() is None


def test_the_clients_at_a_time_are_bounded() -> None:
    """Of many credentials, whose filesystems fsspec's cache keeps; what was let go is made anew."""
    clients = Clients()
    buckets = [Bucket(parameters(sessiontoken=str(number))) for number in range(2 * MOST_CLIENTS)]
    held = [weakref.ref(clients.of(bucket)) for bucket in buckets]
    assert sum(each() is not None for each in held) == MOST_CLIENTS
    assert buckets[0].s3_client is None
    assert clients.of(buckets[0]) is buckets[0].s3_client


def test_a_client_hears_what_is_registered_on_the_session_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one is made with it. Where nothing changes, the client stays."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    shared = Clients().of(bucket := Bucket(parameters()))
    first = shared.prepared().client
    assert shared.prepared().client is first
    assert shared.fast_path.is_open("GetObject")
    boto3.setup_default_session()
    second = shared.prepared().client
    assert second is not first
    boto3.DEFAULT_SESSION.events.register("before-send.s3", lambda **event: None)
    assert shared.prepared().client is not second
    assert shared.prepared().client is shared.prepared().client
    assert not shared.fast_path.is_open("GetObject")
    assert bucket.s3_client is shared


def test_checksums_are_the_sdks_own_on_aws_and_gentle_elsewhere() -> None:
    """Older stores refuse the trailers of newer SDKs."""
    assert "request_checksum_calculation" not in config_options(parameters())
    options = config_options(parameters(regionendpoint="store:9000"))
    assert options["request_checksum_calculation"] == "when_required"
    assert options["response_checksum_validation"] == "when_required"


@pytest.mark.promise("Configuration")
def test_config_kwargs_have_the_last_word() -> None:
    """`config_kwargs` have the last word.

    They override our settings. Their `s3` options join ours.
    """
    extra = {
        "read_timeout": 7,
        "s3": {"payload_signing_enabled": True},
        "request_checksum_calculation": "when_supported",
    }
    options = config_options(parameters(regionendpoint="store:9000", config_kwargs=extra))
    assert options["read_timeout"] == 7
    assert options["s3"]["payload_signing_enabled"]
    assert options["s3"]["addressing_style"] == "path"
    assert options["request_checksum_calculation"] == "when_supported"


def test_a_dead_endpoint_is_given_up_within_30_seconds() -> None:
    """The fast path's try is one of all, between which are the longest pauses (standard mode: up to 2^n s)."""
    assert TOTAL_MAX_ATTEMPTS * CONNECT_TIMEOUT_S + sum(2**retry for retry in range(TOTAL_MAX_ATTEMPTS - 1)) < 30


@pytest.mark.promise("Configuration")
def test_the_connection_pool_is_as_wide_as_the_concurrency() -> None:
    """The connection pool is as wide as `max_concurrency`.

    No request waits for a connection, and no connection is thrown away.
    """
    assert s3_client(parameters(max_concurrency=17)).meta.config.max_pool_connections == 17


def test_the_user_agent_names_us_and_what_was_given() -> None:
    """Server logs tell who came."""
    agent = s3_client(parameters(useragent="mirror/1.0")).meta.config.user_agent_extra
    assert agent.startswith("registry-s3fs/")
    assert agent.endswith(" mirror/1.0")


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {"StorageClass": "STANDARD"}),
        ({"storageclass": "NONE"}, {}),
        ({"encrypt": True}, {"StorageClass": "STANDARD", "ServerSideEncryption": "AES256"}),
        (
            {"encrypt": "true", "keyid": "key-1", "storageclass": "standard_ia", "objectacl": "private"},
            {
                "StorageClass": "STANDARD_IA",
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": "key-1",
                "ACL": "private",
            },
        ),
    ],
)
def test_new_objects_get_encryption_class_and_acl(options: dict[str, Any], fields: dict[str, str]) -> None:
    """Every new object gets the class of `storageclass` and the canned ACL of `objectacl`."""
    assert object_fields(parameters(**options)) == fields


def test_no_signature_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """At loglevel=debug botocore logs how it signs; what would still work is masked."""
    caplog.set_level(logging.DEBUG)
    for v4auth in (True, False):
        client = s3_client(parameters(v4auth=v4auth, loglevel="debug", sessiontoken="TOKENTOKEN"))
        url = client.generate_presigned_url("get_object", {"Bucket": "demo", "Key": "k"})
        signature = url.split("Signature=")[1].split("&")[0]
        assert signature not in caplog.text
        assert "TOKENTOKEN" not in caplog.text
    assert "Calculating signature" in caplog.text  # of version 2 always, of version 4 where awscrt does not sign
    for name in ("registry_s3fs", "botocore"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: AWS4-HMAC-SHA256 Credential=A/B, SignedHeaders=host, Signature=XSECRETX",
        "{'Authorization': b'AWS AKID:XSECRETX', 'Host': 'h'}",
        "'X-Amz-Security-Token': 'XSECRETX'",
        "GET /k?AWSAccessKeyId=AKID&Signature=XSECRETX&Expires=1",
        "aws_secret_access_key='XSECRETX'",
    ],
)
def test_every_form_of_a_secret_is_masked(text: str) -> None:
    """Headers, queries and keyword arguments."""
    assert "XSECRETX" not in redact(text)
    assert "***" in redact(text)


def test_the_sdks_data_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 12 MiB in memory, and nine tenths of the time that a client takes."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    s3_client(parameters(useragent="first"))
    monkeypatch.setattr(JSONFileLoader, "load_file", lambda *args: pytest.fail("read again"))
    assert s3_client(parameters(useragent="second")) is not s3_client(parameters(useragent="first"))
