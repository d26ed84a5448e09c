"""What reaches the server: encryption, class, signature and scheme, on each call that creates an object."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BucketNotFoundError
from testbed.messages import Silence
from testbed.plain_answers import plain
from testbed.scripted_server import ScriptedServer
from testbed.servers import Server

MIB = 1024 * 1024


def put(fs: RegistryS3FileSystem) -> None:
    fs.pipe_file("/f", b"x")


def multipart(fs: RegistryS3FileSystem) -> None:
    with fs.open("/f", "wb", block_size=5 * MIB) as file:
        file.write(bytes(11 * MIB))


def copy(fs: RegistryS3FileSystem) -> None:
    RegistryS3FileSystem(**{**fs.storage_options, "encrypt": False}).pipe_file("/source", b"x")
    fs.cp_file("/source", "/f")


def multipart_copy(fs: RegistryS3FileSystem) -> None:
    RegistryS3FileSystem(**{**fs.storage_options, "encrypt": False}).pipe_file("/source", bytes(11 * MIB))
    options = {**fs.storage_options, "multipartcopythresholdsize": 5 * MIB, "multipartcopychunksize": 5 * MIB}
    RegistryS3FileSystem(**options).cp_file("/source", "/f")


def append(fs: RegistryS3FileSystem) -> None:
    RegistryS3FileSystem(**{**fs.storage_options, "encrypt": False}).pipe_file("/f", bytes(6 * MIB))
    with fs.open("/f", "ab") as file:
        file.write(b"x")


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("create", [put, multipart, copy, multipart_copy, append])
def test_objects_are_encrypted_however_they_are_made(
    fs: RegistryS3FileSystem, create: Callable[[RegistryS3FileSystem], None]
) -> None:
    """`encrypt`, `keyid` and `storageclass` go with every object, however it is made.

    Plain boto3 sees the storage class, and `aws:kms` with the key. With `encrypt` alone, it sees AES256.
    """
    client = fs.bucket.client
    for options, algorithm, key in (
        ({"encrypt": True, "keyid": "key-1"}, "aws:kms", "key-1"),
        ({"encrypt": "true"}, "AES256", None),
    ):
        create(RegistryS3FileSystem(**fs.storage_options, **options, storageclass="standard_ia"))
        head = client.head_object(Bucket=fs.parameters.bucket, Key="registry/f")
        assert head["ServerSideEncryption"] == algorithm
        assert (head.get("SSEKMSKeyId") or "").endswith(key or "")
        assert head["StorageClass"] == "STANDARD_IA"
        assert head["ContentType"] == "application/octet-stream"


@pytest.fixture
def recorder() -> Iterator[ScriptedServer]:
    """A server that keeps each request, and answers 404."""
    with ScriptedServer(lambda request: plain(404)) as server:
        yield server


def place_of(server: ScriptedServer) -> str:
    """Return a server's host and port."""
    return server.endpoint.removeprefix("http://")


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(
    ("options", "authorization"),
    [
        ({}, r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-west-1/s3/aws4_request,"),
        ({"v4auth": "false"}, r"AWS AKIDEXAMPLE:[A-Za-z0-9+/]{27}=$"),
    ],
)
def test_the_server_sees_the_signature_and_plain_http(
    recorder: ScriptedServer, options: dict[str, Any], authorization: str
) -> None:
    """`v4auth` chooses the version of the signature, `secure=False` sends requests over http, and `useragent` reaches
    the server.
    """
    fs = RegistryS3FileSystem(
        bucket="demo", region="eu-west-1", regionendpoint=place_of(recorder), secure="false",
        accesskey="AKIDEXAMPLE", secretkey="secret", useragent="mirror/1.0", **options,
    )  # fmt: skip
    with pytest.raises(FileNotFoundError):
        fs.cat_file("/a b")
    fs.bucket.delete("a b")
    (deletion,) = recorder.of("DeleteObject")
    assert deletion.target == "/demo/a%20b"
    assert re.match(authorization, deletion.header("Authorization"))
    for request in recorder.requests:
        assert re.search("registry-s3fs/.* mirror/1.0", request.header("User-Agent"), re.IGNORECASE)


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize(
    ("given", "sent"),
    [({"user_agent": "mine/1"}, "^mine/1 .*more/2$"), ({"user_agent_appid": "my app"}, r"\bapp/my-app .*more/2$")],
)
def test_the_user_agent_in_config_kwargs_is_that_of_each_request(
    recorder: ScriptedServer, fast_path: bool, given: dict[str, str], sent: str
) -> None:
    """`user_agent`, `user_agent_extra` and `user_agent_appid` reach the server whichever way a call goes."""
    fs = RegistryS3FileSystem(
        bucket="demo", region="eu-west-1", regionendpoint=place_of(recorder), secure="false",
        accesskey="AKIDEXAMPLE", secretkey="secret", fast_path=fast_path,
        config_kwargs={"user_agent_extra": "more/2", **given},
    )  # fmt: skip
    with pytest.raises(FileNotFoundError):
        fs.cat_file("/a")
    assert recorder.requests
    for request in recorder.requests:
        assert re.search(sent, request.header("User-Agent"))


@pytest.mark.promise("Secrets and credentials")
def test_anonymous_requests_carry_no_signature(recorder: ScriptedServer) -> None:
    """Requests with `anon=True` carry no signature."""
    fs = RegistryS3FileSystem(bucket="demo", regionendpoint=place_of(recorder), secure=False, anon=True)
    with pytest.raises(FileNotFoundError):
        fs.cat_file("/a")
    assert not recorder.requests[0].header("Authorization")


@pytest.mark.promise("Errors")
def test_a_missing_bucket_is_told_from_a_missing_key(fs: RegistryS3FileSystem) -> None:
    """A missing bucket is a `FileNotFoundError` that says so, in every kind of call. It is never created."""
    nowhere = RegistryS3FileSystem(**{**fs.storage_options, "bucket": "no-such-bucket"})
    calls: list[Callable[[], Any]] = [
        lambda: nowhere.ls("/"),
        lambda: nowhere.info("/a"),
        lambda: nowhere.exists("/"),
        lambda: nowhere.cat_file("/a"),
        lambda: nowhere.open("/a", "rb"),
        lambda: nowhere.pipe_file("/a", b""),
        lambda: nowhere.find("/"),
    ]
    for call in calls[:2] + calls[3:]:
        with pytest.raises(BucketNotFoundError, match="bucket does not exist") as missing:
            call()
        assert missing.value.filename in ("/", "/a")
    with pytest.raises(FileNotFoundError):
        fs.cat_file("/a")


@pytest.mark.promise("Errors")
def test_a_dead_endpoint_answers_within_30_seconds() -> None:
    """An endpoint that cannot be reached is a `ConnectionError` that names what to check."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    fs = RegistryS3FileSystem(
        bucket="demo", regionendpoint=f"http://127.0.0.1:{port}", accesskey="a", secretkey="s", skip_instance_cache=True
    )
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="check regionendpoint") as dead:
        fs.cat_file("/a")
    assert time.monotonic() - began < 30
    assert dead.value.filename == "/a"
    assert dead.value.__cause__ is not None
    with pytest.raises(ConnectionError):
        fs.exists("/a")


@pytest.mark.promise("Errors")
def test_a_silent_endpoint_is_a_timeout() -> None:
    """An endpoint that takes the connection and does not answer is a `TimeoutError`."""
    quick = {"read_timeout": 0.2, "retries": {"total_max_attempts": 1}}
    with ScriptedServer(lambda request: [Silence()]) as silent:
        fs = RegistryS3FileSystem(**silent.options(config_kwargs=quick))
        with pytest.raises(TimeoutError, match="read_timeout"):
            fs.cat_file("/a")


@pytest.mark.promise("Listing")
def test_wrong_credentials_are_a_permission_error(rclone_server: Server) -> None:
    """`exists`, `isfile` and `isdir` raise where access is denied. They say False only for what is missing."""
    rclone_server.create_bucket("wrong-credentials")
    good = rclone_server.options("wrong-credentials")
    RegistryS3FileSystem(**good).pipe_file("/a", b"x")
    for wrong in ({"secretkey": "not-the-secret"}, {"accesskey": "NOT-THE-KEY"}):
        fs = RegistryS3FileSystem(**{**good, **wrong})
        for call in (fs.cat_file, fs.ls, fs.exists, fs.isfile, fs.isdir, fs.touch):
            with pytest.raises(PermissionError, match="check") as denied:
                call("/a")
            assert denied.value.filename == "/a"
            assert not any(value in str(denied.value) for value in wrong.values())
    assert RegistryS3FileSystem(**good).cat_file("/a") == b"x"


@pytest.mark.promise("Errors")
def test_no_credentials_at_all_are_a_permission_error(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing credentials are a `PermissionError` that names where they may come from."""
    bare = {name: value for name, value in fs.storage_options.items() if name not in ("accesskey", "secretkey")}
    with pytest.raises(PermissionError, match="accesskey and secretkey, a profile"):
        RegistryS3FileSystem(**bare).cat_file("/a")


def test_an_unknown_profile_is_a_value_error(fs: RegistryS3FileSystem) -> None:
    """The parameter is wrong, not the network."""
    bare = {name: value for name, value in fs.storage_options.items() if name not in ("accesskey", "secretkey")}
    with pytest.raises(ValueError, match="nobody"):
        RegistryS3FileSystem(**bare, profile="nobody").cat_file("/a")


def test_the_other_stores_ways_are_understood(rclone_server: Server) -> None:
    """rclone answers ranges with 200, Completes with another ETag, and checksums that fit no range."""
    rclone_server.create_bucket("other-ways")
    fs = RegistryS3FileSystem(**rclone_server.options("other-ways"), rootdirectory="/reg")
    data = bytes(range(256)) * 4096 * 12
    with fs.open("/d/big", "wb", block_size=5 * MIB) as file:
        file.write(data)
    assert fs.cat_file("/d/big") == data
    assert fs.cat_file("/d/big", 5 * MIB, 5 * MIB + 10) == data[5 * MIB : 5 * MIB + 10]
    assert fs.tail("/d/big", 7) == data[-7:]
    with fs.open("/d/big", "rb") as file:
        file.seek(MIB)
        assert file.read(10) == data[MIB : MIB + 10]
    fs.mv("/d/big", "/d/moved")
    assert fs.find("/") == ["/d/moved"]
    fs.rm("/d", recursive=True)
    assert fs.find("/") == []


@pytest.mark.promise("Writes whose answer is lost or odd")
def test_a_server_that_copies_no_parts_is_told_before_anything_is_lost(rclone_server: Server) -> None:
    """On a server that accepts copies of parts and stores nothing, `copy` and `mv` fail before anything is lost.

    rclone's server is one: it accepts UploadPartCopy and stores nothing. An append reads what is there and sends it.
    """
    rclone_server.create_bucket("no-copies")
    copying = {"multipartcopythresholdsize": 5 * MIB, "multipartcopychunksize": 5 * MIB}
    fs = RegistryS3FileSystem(**rclone_server.options("no-copies"), **copying)
    fs.pipe_file("/f", data := bytes(range(256)) * 4096 * 12)

    for call in (fs.cp_file, fs.mv):
        with pytest.raises(OSError, match="UploadPartCopy stored nothing; set multipartcopythresholdsize") as failed:
            call("/f", "/g")
        assert failed.value.filename == "/f"
    assert fs.find("/") == ["/f"]
    assert fs.cat_file("/f") == data
    assert fs.list_multipart_uploads() == []
    RegistryS3FileSystem(**rclone_server.options("no-copies")).mv("/f", "/g")
    with fs.open("/g", "ab") as file:
        file.write(b"x")
    assert fs.cat_file("/g") == data + b"x"
