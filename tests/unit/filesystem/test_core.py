"""What the filesystem does without a request: registration, identity, serialisation, secrets."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from importlib.metadata import entry_points

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem

OPTIONS = {
    "bucket": "demo",
    "region": "us-east-1",
    "accesskey": "AKIDOFMINE",
    "secretkey": "very-secret",
    "sessiontoken": "tokentoken",
    "config_kwargs": {"proxies": {"https": "http://user:proxypass@proxy"}},
}
SECRETS = ("AKIDOFMINE", "very-secret", "tokentoken", "proxypass")


def test_fsspec_finds_the_protocol_by_its_entry_point() -> None:
    """Nobody has to import the package first."""
    code = "import fsspec, sys; fs = fsspec.filesystem('registrys3', bucket='demo', region='us-east-1'); print(fs)"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "RegistryS3FileSystem" in shown
    assert [point.value for point in entry_points(group="fsspec.specs", name="registrys3")] == [
        "registry_s3fs.filesystem:RegistryS3FileSystem"
    ]


@pytest.mark.promise("Configuration")
def test_variables_of_fsspec_are_storage_options() -> None:
    """Variables named `FSSPEC_REGISTRYS3_*` are storage options.

    Their values are text, which is parsed as that of any option.
    """
    code = "import fsspec; print(fsspec.url_to_fs('registrys3://demo/a')[0].parameters)"
    told = {"FSSPEC_REGISTRYS3_REGION": "eu-west-1", "FSSPEC_REGISTRYS3_ENCRYPT": "true"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**os.environ, **told}
    )
    assert done.stdout == "DriverParameters(region='eu-west-1', bucket='demo', encrypt=True)\n"


OFFLINE = """
import socket

def refuse(*args):
    raise AssertionError("a request left the process")

socket.socket.connect = refuse
"""
MOCKED = """
import boto3, moto
from registry_s3fs import RegistryS3FileSystem

MIB = 1024 * 1024
with moto.mock_aws():
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="demo")
    fs = RegistryS3FileSystem(bucket="demo", region="us-east-1", rootdirectory="/reg")
    fs.pipe({"/a": b"1", "/d/b": b"22"})
    assert fs.cat(["/a", "/d/b"]) == {"/a": b"1", "/d/b": b"22"}
    assert fs.cat_ranges(["/d/b"], [1], [2]) == [b"2"]
    with fs.open("/big", "wb", block_size=5 * MIB) as file:
        file.write(bytes(11 * MIB))
    with fs.open("/big", "ab") as file:
        file.write(b"x")
    fs.mv("/big", "/moved")
    assert fs.open("/moved").read() == bytes(11 * MIB) + b"x"
    fs.setxattr("/a", who="me")
    fs.put_tags("/a", {"k": "v"})
    assert (fs.info("/a")["metadata"], fs.get_tags("/a")) == ({"who": "me"}, {"k": "v"})
    assert len(fs.object_version_info("/a")) == 1
    assert fs.list_multipart_uploads() == []
    assert fs.find("/") == ["/a", "/d/b", "/moved"]
    keys = boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket="demo")["Contents"]
    assert [found["Key"] for found in keys] == ["reg/a", "reg/d/b", "reg/moved"]
    fs.rm("/", recursive=True)
    assert not fs.exists("/a")
"""


@pytest.mark.promise("boto3")
def test_motos_mock_hears_of_every_call() -> None:
    """moto's `mock_aws` works for every call.

    It works in the process itself. There is no server, and no request leaves the process.
    """
    done = subprocess.run([sys.executable, "-c", OFFLINE + MOCKED], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.promise("Configuration")
def test_making_an_instance_imports_no_boto3() -> None:
    """A filesystem is made without a request.

    boto3 is imported only for the first request.
    """
    code = (
        "import registry_s3fs, sys; registry_s3fs.RegistryS3FileSystem(bucket='demo', region='us-east-1');"
        "sys.exit('boto3' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_equal_options_are_equal_filesystems_and_one_client() -> None:
    """fsspec caches an instance a thread; the client is the process's."""
    one = RegistryS3FileSystem(**OPTIONS)
    assert one == RegistryS3FileSystem(**OPTIONS)
    other = RegistryS3FileSystem(**OPTIONS, skip_instance_cache=True)
    assert one is not other
    assert one.parameters == other.parameters
    assert one.pool is other.pool


def test_it_pickles_and_goes_through_json() -> None:
    """Workers of dask and multiprocessing get the same filesystem."""
    fs = RegistryS3FileSystem(**OPTIONS)
    assert pickle.loads(pickle.dumps(fs)).parameters == fs.parameters
    assert fsspec.AbstractFileSystem.from_json(fs.to_json()).parameters == fs.parameters


@pytest.mark.promise("Secrets and credentials")
def test_json_without_passwords_has_no_secret() -> None:
    """`to_json(include_password=False)` has no secret.

    It has no credential of any name, and no proxy's password.
    """
    text = RegistryS3FileSystem(**OPTIONS).to_json(include_password=False)
    assert not any(secret in text for secret in SECRETS)
    assert json.loads(text)["bucket"] == "demo"


@pytest.mark.promise("Secrets and credentials")
def test_repr_and_str_have_no_secret() -> None:
    """`repr` and `str` of a filesystem show no secret."""
    fs = RegistryS3FileSystem(**OPTIONS)
    assert "demo" in repr(fs)
    assert not any(secret in repr(fs) + str(fs) for secret in SECRETS)


@pytest.mark.promise("Configuration")
def test_an_unknown_option_is_a_type_error_with_the_closest_name() -> None:
    """An unknown option is a `TypeError` that names the closest one.

    fsspec's own options are among those that are named.
    """
    with pytest.raises(TypeError, match="did you mean 'use_listings_cache'"):
        RegistryS3FileSystem(bucket="demo", region="us-east-1", use_listing_cache=True)


@pytest.mark.promise("Configuration")
def test_zarrs_options_are_accepted() -> None:
    """`asynchronous` and `loop` are accepted and ignored.

    zarr hands them to every filesystem.
    """
    RegistryS3FileSystem(bucket="demo", region="us-east-1", asynchronous=True, loop=None)


@pytest.mark.promise("Paths and names")
def test_a_url_comes_back_with_its_bucket() -> None:
    """`unstrip_protocol` gives the full URL, which `fsspec.open` takes."""
    fs = RegistryS3FileSystem(bucket="demo", region="us-east-1")
    assert fs.unstrip_protocol("a/b") == fs.unstrip_protocol("registrys3://demo/a/b") == "registrys3://demo/a/b"


@pytest.mark.promise("Paths and names")
def test_without_a_bucket_in_the_url_it_is_the_options() -> None:
    """Where the URL has no bucket, the option's bucket is taken."""
    fs, path = fsspec.url_to_fs("registrys3:///a/b", bucket="demo", region="us-east-1")
    assert (fs.unstrip_protocol(path), path) == ("registrys3://demo/a/b", "/a/b")
    with pytest.raises(ValueError, match="bucket: required"):
        fsspec.url_to_fs("registrys3:///a/b", region="us-east-1")


@pytest.mark.promise("Paths and names")
def test_another_bucket_beside_the_urls_is_refused() -> None:
    """`fsspec.open(url, bucket=other)` is refused."""
    with pytest.raises((ValueError, TypeError), match="bucket"):
        fsspec.open("registrys3://demo/a", bucket="other", region="us-east-1").open()


@pytest.mark.promise("Paths and names")
def test_a_list_of_urls_of_two_buckets_is_refused() -> None:
    """A foreign bucket is refused in the lists and write masks of `fsspec.open_files` too.

    The filesystem of the first must not read the second bucket's keys in its own.
    """
    files = fsspec.open_files(["registrys3://demo/a", "registrys3://other/b"], region="us-east-1")
    with pytest.raises(ValueError, match="'other'"):
        files[1].open()
    files = fsspec.open_files(["registrys3://demo/a", "registrys3://other/part-*"], mode="wb", region="us-east-1")
    with pytest.raises(ValueError, match="'other'"):
        files[1].open()


@pytest.mark.promise("Configuration")
def test_a_presigned_url_needs_no_request() -> None:
    """`sign` needs no request."""
    fs = RegistryS3FileSystem(**{**OPTIONS, "redirectendpoint": "https://cdn.example.com", "forcepathstyle": True})
    url = fs.sign("/a b", expiration=1200)
    assert url.startswith("https://cdn.example.com/demo/a%20b?")
    assert "X-Amz-Expires=1200" in url
