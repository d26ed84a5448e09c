"""What a filesystem takes from the environment when it is made, and what it is made of afterwards."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from botocore import UNSIGNED
from fsspec import AbstractFileSystem

from registry_s3fs import DriverParameters, RegistryS3FileSystem

KEYS = {"accesskey": "a", "secretkey": "s"}
CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two profiles, one of which has a region."""
    (tmp_path / "config").write_text("[profile there]\nregion = eu-west-1\n[profile bare]\noutput = json\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("text", [b"[x\n", b"[profile a]\n[profile a]\n", b"\xff\xfe[profile a]\n"])
def test_a_profile_in_a_file_that_cannot_be_read_is_refused_at_once(
    text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `profile` is a `ValueError` where the AWS configuration files cannot be read."""
    (tmp_path / "config").write_bytes(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ValueError, match=r"^profile: 'a' (cannot be looked up|is not in the AWS)"):
        RegistryS3FileSystem(bucket="demo", region="us-east-1", profile="a")


def test_the_region_is_the_environments(profiles: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """`AWS_REGION`, then `AWS_DEFAULT_REGION`, then the profile's; an option has the first word."""
    fs = RegistryS3FileSystem(bucket="demo", profile="there")
    assert fs.parameters.region == "eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert RegistryS3FileSystem(bucket="demo", profile="there").parameters.region == "eu-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert RegistryS3FileSystem(bucket="demo").parameters.region == "eu-west-3"
    assert RegistryS3FileSystem(bucket="demo", region="eu-north-1").parameters.region == "eu-north-1"
    assert RegistryS3FileSystem(bucket="demo", regionendpoint="http://h:1").parameters.region == "us-east-1"
    assert fs.parameters.region == "eu-west-1"


@pytest.mark.promise("Configuration")
def test_a_region_that_was_found_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region that was found in the environment goes along with pickles and JSON.

    The cache of instances knows it too. In another process the environment may name another region.
    """
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    fs = RegistryS3FileSystem(bucket="demo", **KEYS)
    pickled, text = pickle.dumps(fs), fs.to_json()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert json.loads(text)["region"] == "eu-west-3"
    assert RegistryS3FileSystem.from_json(text).parameters.region == "eu-west-3"
    assert pickle.loads(pickled).parameters.region == "eu-west-3"  # our own
    assert RegistryS3FileSystem(bucket="demo", **KEYS).parameters.region == "eu-west-1"


def test_no_region_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the places where one may stand."""
    with pytest.raises(ValueError, match="region: required.*AWS_REGION"):
        RegistryS3FileSystem(bucket="demo")
    monkeypatch.setenv("AWS_REGION", "nowhere-1")
    with pytest.raises(ValueError, match="'nowhere-1' is no AWS region"):
        RegistryS3FileSystem(bucket="demo")


def test_a_profile_that_there_is_not_is_refused(profiles: None) -> None:
    """By its name, and those that there are, with a region or without."""
    for more in ({}, {"region": "us-east-1"}, {"regionendpoint": "http://h:1"}):
        with pytest.raises(ValueError, match="profile: 'typo'.*'bare', 'there'"):
            RegistryS3FileSystem(bucket="demo", profile="typo", **more)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"read_timout": 1}, "'read_timout'.*'read_timeout'"),
        ({"retries": {"mode": "often"}}, "config_kwargs: botocore refuses"),
        ({"s3": {"addressing_style": "sideways"}}, "config_kwargs: botocore refuses"),
    ],
)
def test_what_botocore_does_not_know_is_refused_at_once(given: dict[str, Any], told: str) -> None:
    """In `config_kwargs`, by name."""
    with pytest.raises(ValueError, match=told):
        RegistryS3FileSystem(bucket="demo", region="us-east-1", config_kwargs=given)


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("connect_timeout", "read_timeout") for value in ("7", 0, -1, True, math.nan, [1])),
        *(("max_pool_connections", value) for value in ("5", 0, -1, 1.5, True, None)),
        *(("proxies", value) for value in ("http://u:hunter2@p:1", ["http://p:1"], {"http": 1})),
        *(("retries", value) for value in ("often", 3, [1], {"mode": 1}, {"times": 1}, {"total_max_attempts": "4"})),
        *(("retries", {"total_max_attempts": value}) for value in (0, 1.5, True, None)),
        *(("retries", {"max_attempts": value}) for value in ("4", -1)),
        *((name, value) for name in CHECKSUMS for value in ("bogus", "", True, 1)),
        *(("s3", value) for value in ("path", [1], {"addressing_style": "up"}, {"use_accelerate_endpoint": "never"})),
        ("s3", {"us_east_1_regional_endpoint": "x"}),
        *((name, value) for name in ("connect_timeout", "read_timeout") for value in (10**400, math.inf)),
        *((f"user_agent{end}", value) for end in ("", "_extra", "_appid") for value in (1.5, True, "a\r\nX: 1", "é")),
        *(("signature_version", value) for value in (4, "nope", [4], date(2024, 1, 1))),
        *(("region_name", value) for value in (1.5, "a b\n")),
        *((name, "x") for name in ("defaults_mode", "account_id_endpoint_mode", "tcp_keepalive", "use_fips_endpoint")),
        *(("auth_scheme_preference", value) for value in ([1.5], {"a": 1})),
        ("client_context_params", 5),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_value_that_botocore_cannot_use_is_refused_at_once(name: str, value: object) -> None:
    """A bad value in `config_kwargs` is a `ValueError` when the filesystem is made, and shows no proxy's password."""
    with pytest.raises(ValueError, match="^config_kwargs: ") as failure:
        RegistryS3FileSystem(bucket="demo", region="us-east-1", config_kwargs={name: value})
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(
    "given",
    [
        {"connect_timeout": 0.5, "read_timeout": 7},
        {"connect_timeout": np.float32(0.5), "read_timeout": np.int64(7), "max_pool_connections": np.int64(3)},
        {"retries": {"max_attempts": np.int32(2)}},
        {"read_timeout": None, "proxies": None, "retries": None, "s3": None},
        {"proxies": {"http": "http://p:1", "https": None}},
        {"retries": {"mode": "adaptive", "total_max_attempts": 1}},
        {"retries": {"max_attempts": 0}},
        {"request_checksum_calculation": "WHEN_REQUIRED", "response_checksum_validation": None},
        {"read_timeout": Fraction(7, 2), "max_pool_connections": np.uint8(3)},
        {"user_agent": "mine/1", "user_agent_extra": "x", "user_agent_appid": 7, "signature_version": "s3v4"},
        {"signature_version": UNSIGNED, "defaults_mode": "standard"},
        {"tcp_keepalive": "true", "s3": {"use_accelerate_endpoint": "false", "addressing_style": "path"}},
    ],
)
def test_a_value_that_botocore_can_use_is_taken(given: dict[str, Any]) -> None:
    """As botocore itself takes it: a client can be made, and has numbers and booleans of Python's own."""
    fs = RegistryS3FileSystem(bucket="demo", region="us-east-1", **KEYS, config_kwargs=given)
    assert fs.sign("/a").startswith("https://")
    known = (str, int, float, bool, dict, list, type(None), type(UNSIGNED))
    assert {type(value) for value in values_of(fs.parameters.config_kwargs)} <= {*known}
    assert fs.parameters.config_kwargs.get("tcp_keepalive") in (None, True)


def values_of(given: Mapping[str, Any]) -> Iterator[Any]:
    for value in given.values():
        yield from values_of(value) if isinstance(value, Mapping) else [value]


def test_numbers_of_numpy_are_numbers_in_json() -> None:
    """A filesystem goes to another process by `to_json`, whatever the numbers are of that it was made with."""
    fs = RegistryS3FileSystem(
        bucket="demo",
        region="us-east-1",
        **KEYS,
        max_concurrency=np.int64(8),
        chunksize=np.int32(5 * 2**20),
        config_kwargs={"read_timeout": np.float32(0.5), "retries": {"max_attempts": np.int8(2)}},
    )
    again = AbstractFileSystem.from_json(fs.to_json())
    assert isinstance(again, RegistryS3FileSystem)
    assert again.parameters == fs.parameters
    assert (again.parameters.max_concurrency, again.parameters.config_kwargs["read_timeout"]) == (8, 0.5)


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("setting", CHECKSUMS)
def test_a_setting_of_checksums_that_means_nothing_is_refused_at_once(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`AWS_REQUEST_CHECKSUM_CALCULATION` and its kin, and the profile's settings, are checked where they count."""
    keys: dict[str, Any] = {"bucket": "demo", "region": "us-east-1", **KEYS}
    (tmp_path / "config").write_text(f"[default]\n{setting} = bogus\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ValueError, match=f"^the profile's {setting}: 'bogus' is none of"):
        RegistryS3FileSystem(**keys)
    monkeypatch.setenv(f"AWS_{setting.upper()}", "never")
    with pytest.raises(ValueError, match=f"^AWS_{setting.upper()}: 'never' is none of"):
        RegistryS3FileSystem(**keys)
    for more in ({"config_kwargs": {setting: "when_required"}}, {"regionendpoint": "http://store:9000"}):
        assert "/a?" in RegistryS3FileSystem(**keys, **more).sign("/a")


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({}, "/a"),
        ({"forcepathstyle": True}, "/demo/a"),
        ({"regionendpoint": "http://store:9000"}, "/demo/a"),
        ({"regionendpoint": "http://store:9000", "forcepathstyle": False}, "/a"),
    ],
)
def test_redirectendpoint_takes_the_place_of_scheme_and_host(more: dict[str, Any], place: str) -> None:
    """`redirectendpoint` takes the place of scheme and host of a presigned URL, and of nothing else. It is signed."""
    options = {"bucket": "demo", "region": "eu-central-1", **KEYS, **more}
    url = urlsplit(RegistryS3FileSystem(**options, redirectendpoint="https://cdn.example.com:8443").sign("/a"))
    assert (url.scheme, url.netloc, url.path) == ("https", "cdn.example.com:8443", place)
    assert "X-Amz-SignedHeaders=host" in url.query
    other = urlsplit(RegistryS3FileSystem(**options, redirectendpoint="https://other.example.com").sign("/a"))
    assert url.query.rpartition("X-Amz-Signature=")[2] != other.query.rpartition("X-Amz-Signature=")[2]


def test_the_requester_pays_in_presigned_urls_too() -> None:
    """As a field of the request."""
    fs = RegistryS3FileSystem(bucket="demo", region="us-east-1", **KEYS, requester_pays=True)
    assert "x-amz-request-payer=requester" in fs.sign("/a")


CONFIG = "storage:\n  s3:\n    bucket: demo\n    region: us-east-1\n"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("    bucket: [a, b]\n", "twice"),
        ("    accesskey: {a: b}\n", "accesskey: takes one value"),
        ("    secretkey: [1, 2]\n", "secretkey: takes one value"),
        ("    encrypt: &a [*a]\n", "encrypt: takes one value"),
        ("    config_kwargs: &a {x: *a}\n", "config_kwargs: .*contains itself"),
        ("    encrypt: true\n    encrypt: false\n", "'encrypt' is there twice"),
    ],
)
def test_a_nested_or_doubled_value_of_a_config_is_refused(tmp_path: Path, lines: str, told: str) -> None:
    """At once, with its key, and however it contains itself."""
    (tmp_path / "config.yml").write_text(CONFIG + lines)
    with pytest.raises(ValueError, match=told):
        DriverParameters.from_config(tmp_path / "config.yml", {})


def test_a_config_that_grows_by_its_aliases_is_refused(tmp_path: Path) -> None:
    """Nine lines that stand for a billion values."""
    lines = ["    config_kwargs:", "      a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"      a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "config.yml").write_text(CONFIG + "\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="config_kwargs: is too large"):
        DriverParameters.from_config(tmp_path / "config.yml", {})


def test_merged_keys_of_a_config_are_none_that_are_there_twice(tmp_path: Path) -> None:
    """YAML's ``<<`` brings those that the mapping has not."""
    text = "x: &x {bucket: other, region: us-east-1}\nstorage:\n  s3:\n    <<: *x\n    bucket: demo\n"
    (tmp_path / "config.yml").write_text(text)
    parameters = DriverParameters.from_config(tmp_path / "config.yml", {})
    assert (parameters.bucket, parameters.region) == ("demo", "us-east-1")
