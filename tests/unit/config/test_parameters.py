"""Driver parameters: every good value is taken, no bad one is, and no secret is shown."""

from __future__ import annotations

import pickle
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import DriverParameters
from registry_s3fs.config import foreign_names
from registry_s3fs.config.parameters import NAMES, SECRETS

HERE = Path(__file__).parent
LEAST: dict[str, Any] = {"bucket": "demo", "region": "us-east-1"}
STORE: dict[str, Any] = {"bucket": "demo", "regionendpoint": "localhost:9000"}
MIB = 1024 * 1024

GOOD = [
    *(("encrypt", text, True) for text in ("1", "t", "T", "TRUE", "true", "True", True, 1)),
    *(("encrypt", text, False) for text in ("0", "f", "F", "FALSE", "false", "False", False, 0, None)),
    ("secure", "false", False),
    ("skipverify", "true", True),
    ("forcepathstyle", "true", True),
    ("usedualstack", "true", True),
    ("accelerate", "true", True),
    ("usefipsendpoint", "true", True),
    ("anon", "true", True),
    ("chunksize", 5 * MIB, 5 * MIB),
    ("chunksize", str(5 * MIB), 5 * MIB),
    ("chunksize", 5 * 1024 * MIB, 5 * 1024 * MIB),
    ("multipartcopychunksize", "33554432", 32 * MIB),
    ("multipartcopymaxconcurrency", "1", 1),
    ("multipartcopythresholdsize", 0, 0),
    ("max_concurrency", "7", 7),
    ("region", "eu-central-1", "eu-central-1"),
    ("region", "cn-north-1", "cn-north-1"),
    ("region", "us-gov-west-1", "us-gov-west-1"),
    ("bucket", "a.b-c", "a.b-c"),
    ("bucket", "Old_Bucket", "Old_Bucket"),
    ("bucket", 123, "123"),
    ("rootdirectory", "", ""),
    ("rootdirectory", "/", "/"),
    ("rootdirectory", "/a/b/", "/a/b/"),
    ("rootdirectory", "a/b", "a/b"),
    ("storageclass", "standard_ia", "STANDARD_IA"),
    ("storageclass", "NONE", "NONE"),
    ("storageclass", "GLACIER_IR", "GLACIER_IR"),
    ("objectacl", "bucket-owner-full-control", "bucket-owner-full-control"),
    ("objectacl", "", ""),
    ("redirectendpoint", "https://cdn.example.com", "https://cdn.example.com"),
    ("redirectendpoint", "http://cdn.example.com:8080/", "http://cdn.example.com:8080"),
    ("useragent", "mirror/1.0 (+https://example.com)", "mirror/1.0 (+https://example.com)"),
    ("loglevel", "Debug", "debug"),
    ("loglevel", "debugwithsigning", "debugwithsigning"),
    ("loglevel", False, "off"),
    ("keyid", "arn:aws:kms:us-east-1:1:key/2", "arn:aws:kms:us-east-1:1:key/2"),
    ("profile", "work", "work"),
    ("config_kwargs", {"read_timeout": 5}, {"read_timeout": 5}),
    ("config_kwargs", '{"read_timeout": 5}', {"read_timeout": 5}),
    ("config_kwargs", "read_timeout: 5", {"read_timeout": 5}),
    ("v4auth", "false", False),
]

BAD = [
    *(("encrypt", value) for value in ("yes", "on", "", "tRUE", " true", 2, 1.0, [], "2")),
    *(("v4auth", value) for value in ("v4", "no", -1)),
    *(("secure", value) for value in ("https", 10)),
    *(("chunksize", value) for value in (5 * MIB - 1, 5 * 1024 * MIB + 1, "10MB", "10_485_760", "", "5242880.0")),
    *(("chunksize", value) for value in (5242880.0, True, "0x500000", " 5242880", "1e7", "-5242880", [], "٥٢٤٢٨٨٠")),
    *(("multipartcopychunksize", value) for value in (0, 5 * MIB - 1, 5 * 1024 * MIB + 1)),
    *(("multipartcopymaxconcurrency", value) for value in (0, -1, "many")),
    *(("multipartcopythresholdsize", value) for value in (-1, 5 * 1024 * MIB + 1)),
    *(("max_concurrency", value) for value in (0, "all")),
    *(("region", value) for value in ("", "mars-north-1", "us-east-1a", "US-EAST-1", "us east", "us-east-1\n", True)),
    *(("bucket", value) for value in ("", "a", "ab", "a/b", "..", "a..b", "-ab", "a b", "b" * 256, "bücket", "a?b")),
    *(("rootdirectory", value) for value in ("/a//b", "/a/../b", "a/.", "..", "a\nb", 1.5)),
    *(("storageclass", value) for value in ("GLACIER", "DEEP_ARCHIVE", "fast", "", 1, True)),
    *(("objectacl", value) for value in ("public", "PRIVATE", 1, True)),
    *(("redirectendpoint", value) for value in ("cdn.example.com", "https://h/path", "https://u:p@h", "ftp://h")),
    *(("redirectendpoint", value) for value in ("https://", "https://h?x=1", "https://h:port")),
    *(("regionendpoint", value) for value in ("ftp://h", "http://", "http://u:p@h", "h:99999999", "h?x", "a b", "h#f")),
    *(("loglevel", value) for value in ("info", "loud", True, 1)),
    *(("useragent", value) for value in ("a\r\nX-Evil: 1", " padded ", 1.5)),
    *(("accesskey", value) for value in ("KEY\n", ["KEY"], True)),
    *(("config_kwargs", value) for value in ("read_timeout=5", [("read_timeout", 5)], {1: 2})),
    *(("config_kwargs", value) for value in ("", "{", "[1]", "{1: 2}", "{a: 1, a: 2}", "a: &a [*a]", "2024-13-45")),
    ("config_kwargs", "{a: !!bool b}"),
]


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(("name", "value", "expected"), GOOD, ids=repr)
def test_a_good_value_is_taken_and_typed(name: str, value: object, expected: object) -> None:
    """Values may be strings, as from YAML and environment variables. Booleans are Go's."""
    parsed = getattr(DriverParameters.from_mapping({**LEAST, name: value}), name)
    assert parsed == expected
    assert type(parsed) is type(expected)


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(("name", "value"), BAD, ids=repr)
def test_a_bad_value_is_refused_by_name(name: str, value: object) -> None:
    """A bad value is a `ValueError` that begins with the parameter's name."""
    with pytest.raises(ValueError, match=f"^{name}: "):
        DriverParameters.from_mapping({**LEAST, "secretkey": "s" if name == "accesskey" else "", name: value})


def test_the_tables_are_as_long_as_promised() -> None:
    """At least 60 parameter values are tried."""
    assert len(GOOD) + len(BAD) >= 60


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({**LEAST, "accesskey": "a"}, "secretkey: missing"),
        ({**LEAST, "secretkey": "s"}, "accesskey: missing"),
        ({**LEAST, "sessiontoken": "t"}, "sessiontoken: only goes with"),
        ({**LEAST, "anon": True, "accesskey": "a", "secretkey": "s"}, "anon: "),
        ({**LEAST, "profile": "p", "accesskey": "a", "secretkey": "s"}, "profile: "),
        ({"bucket": "demo"}, "region: required unless regionendpoint"),
        ({"region": "us-east-1"}, "bucket: required"),
        ({"bucket": "demo", "region": "eu-central-1", "v4auth": False}, "v4auth: .*eu-central-1"),
        ({"bucket": "demo", "region": "us-east-2", "v4auth": "false"}, "v4auth: .*us-east-2"),
        ({**STORE, "region": "eu-central-1", "v4auth": False}, "v4auth: .*eu-central-1"),
        ({**LEAST, "accelerate": True, "forcepathstyle": True}, "accelerate: "),
    ],
)
def test_values_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    """Two values that contradict each other are a `ValueError`: half a key pair, for instance, or `v4auth=false` where
    the region takes only version 4.
    """
    with pytest.raises(ValueError, match=message):
        DriverParameters.from_mapping(options)


@pytest.mark.parametrize("variant", ["usedualstack", "accelerate", "usefipsendpoint"])
def test_a_variant_of_awss_endpoints_is_nothing_to_another_store(variant: str) -> None:
    """As in Go: it is taken, and has no effect; whatever would contradict it on AWS."""
    parameters = DriverParameters.from_mapping({**STORE, variant: "true", "forcepathstyle": True})
    assert getattr(parameters, variant) is True
    assert not any(parameters.variant)
    assert any(DriverParameters.from_mapping({**LEAST, variant: True}).variant)


FOREIGN = {
    "key": "accesskey", "secret": "secretkey", "token": "sessiontoken", "endpoint_url": "regionendpoint",
    "use_ssl": "secure", "default_block_size": "chunksize", "username": "accesskey", "password": "secretkey",
    "client_kwargs": "region_name is region", "s3_additional_kwargs": "ServerSideEncryption is encrypt",
    "version_aware": "version_id=", "cache_regions": "region", "region_name": "region",
    "aws_access_key_id": "accesskey",
    "AWS_SECRET_ACCESS_KEY": "secretkey", "endpoint": "regionendpoint", "skip_signature": "anon", "acl": "objectacl",
    "storage_class": "storageclass", "verify": "skipverify", "session": "setup_default_session",
    "prefix": "rootdirectory",
    "read_timeout": "config_kwargs", "max_pool_connections": "max_concurrency", "addressing_style": "forcepathstyle",
}  # fmt: skip


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("name", FOREIGN)
def test_a_name_of_another_package_is_told_its_counterpart(name: str) -> None:
    """A name that users of s3fs or boto3 bring is refused with its counterpart.

    A table names it, never likeness: `key` is not `keyid`.
    """
    with pytest.raises(TypeError, match=f"{name}.*{FOREIGN[name]}") as caught:
        DriverParameters.from_mapping({**LEAST, name: "x"})
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("name", foreign_names.OURS.values())
def test_a_counterpart_is_a_parameter(name: str) -> None:
    """None of the table's was renamed."""
    assert name in NAMES


@pytest.mark.parametrize(
    ("name", "value"),
    [("useragent", "grün"), ("max_concurrency", 0), ("max_concurrency", 1025), ("requester_pays", "yes")],
)
def test_a_value_that_could_not_be_used_is_refused_by_name(name: str, value: object) -> None:
    """Before any request."""
    with pytest.raises(ValueError, match=name):
        DriverParameters.from_mapping({**LEAST, name: value})


def test_an_unknown_name_is_a_type_error_with_the_closest_one() -> None:
    """A typing mistake is told with the name that was probably meant."""
    with pytest.raises(TypeError, match="'chunk_size' is no parameter.*did you mean 'chunksize'"):
        DriverParameters.from_mapping({**LEAST, "chunk_size": 1})


@pytest.mark.promise("Configuration")
def test_another_stores_region_may_be_anything_or_missing() -> None:
    """With `regionendpoint`, `region` may be any word. It defaults to `us-east-1`."""
    assert DriverParameters.from_mapping(STORE).region == "us-east-1"
    assert DriverParameters.from_mapping({**STORE, "region": "garage", "v4auth": False}).region == "garage"
    for word in ("auto", "default", "zg_x", "eu.dc1", "a:b", "-x", "123", "é"):
        assert DriverParameters.from_mapping({**STORE, "region": word}).region == word
    for word in ("a b", "a/b", "a\nb", "a\x01b"):
        with pytest.raises(ValueError, match="region"):
            DriverParameters.from_mapping({**STORE, "region": word})


@pytest.mark.parametrize(
    ("options", "endpoint"),
    [
        ({"regionendpoint": "localhost:9000"}, "https://localhost:9000"),
        ({"regionendpoint": "localhost:9000", "secure": False}, "http://localhost:9000"),
        ({"regionendpoint": "http://localhost:9000", "secure": True}, "http://localhost:9000"),
        ({"regionendpoint": "https://[::1]:9000", "secure": False}, "https://[::1]:9000"),
        ({"regionendpoint": "https://store.example/storage/v1/s3/"}, "https://store.example/storage/v1/s3"),
    ],
)
def test_secure_decides_where_the_endpoint_has_no_scheme(options: dict[str, Any], endpoint: str) -> None:
    """`secure` is the scheme of a bare host; an endpoint's own scheme wins."""
    assert DriverParameters(bucket="demo", **options).endpoint_url == endpoint


@pytest.mark.promise("Configuration")
def test_path_style_is_the_default_of_other_stores_only() -> None:
    """`forcepathstyle` is true with `regionendpoint`, else false, unless it is given."""
    assert DriverParameters.from_mapping(STORE).forcepathstyle is True
    assert DriverParameters.from_mapping({**STORE, "forcepathstyle": "false"}).forcepathstyle is False
    assert DriverParameters.from_mapping(LEAST).forcepathstyle is False


def test_secrets_are_masked_in_repr_and_messages() -> None:
    """No credential is in repr, str or the message of a refused value."""
    secrets = {"accesskey": "AKIDOFMINE", "secretkey": "very-secret", "sessiontoken": "tokentoken"}
    shown = repr(DriverParameters.from_mapping({**LEAST, **secrets}))
    assert secrets.keys() == SECRETS
    assert not any(secret in shown for secret in secrets.values())
    with pytest.raises(ValueError, match="secretkey") as refused:
        DriverParameters.from_mapping({**LEAST, **secrets, "secretkey": "very-secret\n"})
    assert "very-secret" not in str(refused.value)


def test_parameters_are_frozen_hashable_equal_and_pickle() -> None:
    """They can be a key of the client cache, and travel to other processes."""
    one = DriverParameters.from_mapping({**LEAST, "config_kwargs": {"read_timeout": 5}})
    other = pickle.loads(pickle.dumps(one))
    assert one == other
    assert hash(one) == hash(other)
    assert one != DriverParameters.from_mapping(LEAST)
    with pytest.raises(FrozenInstanceError):
        one.bucket = "other"


@pytest.mark.promise("Configuration")
def test_the_docs_page_has_a_row_for_each_parameter_with_its_default() -> None:
    """docs/parameters.md has every parameter and its default.

    It has them in the order of the dataclass.
    """
    page = (HERE.parents[2] / "docs" / "parameters.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", page, re.MULTILINE)
    expected = [(row.name, _documented_default(row.name, row.default)) for row in fields(DriverParameters)]
    assert rows == expected


def _documented_default(name: str, default: object) -> str:
    special = {
        "region": "–",
        "bucket": "–",
        "forcepathstyle": "`true` with `regionendpoint`, else `false`",
        "config_kwargs": "`{}`",
    }
    if name in special:
        return special[name]
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`" if default != "" else '`""`'
