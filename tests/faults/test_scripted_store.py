"""The scripted server says what it is told, and the store on it is an S3, seen with plain sockets and plain boto3."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from registry_s3fs import RegistryS3FileSystem
from testbed import certificates
from testbed.messages import Answer, Close, Pause, Reply, Request, Reset, Silence
from testbed.plain_answers import fitted, refusal
from testbed.scripted_server import ScriptedServer
from testbed.scripted_store import ScriptedStore
from testbed.servers import Server

MIB = 1024 * 1024
KEYS = {"a b": b"1", "d/x": b"22", "d/y/z": b"333", "e+ü&<": b"4444", "f": b""}


def talk(server: ScriptedServer, *sent: bytes) -> bytes:
    """All that comes back on one connection."""
    port = int(server.endpoint.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for each in sent:
            connection.sendall(each)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def client_of(endpoint: str, verify: str | None = None) -> Any:
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config, verify=verify, **keys)


@pytest.fixture
def store() -> Iterator[ScriptedStore]:
    with ScriptedStore(KEYS, page_keys=2) as running:
        yield running


def test_an_answer_is_sent_byte_for_byte() -> None:
    """Nothing is added, corrected or left out: not a header, not a line's end, not what follows the body."""
    odd = Answer(
        200, "", (("A", "1"), ("A", "2\r\n folded"), ("", "no colon"), ("N", "\0")), b"body", "length",
        before=b"HTTP/1.1 103 Early Hints\r\n\r\n", after=b"and more", line_end=b"\n",
    )  # fmt: skip
    with ScriptedServer(lambda request: odd) as server:
        got = talk(server, b"GET /b/k HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got == (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200\nA: 1\nA: 2\r\n folded\nno colon\nN: \0\n\nbodyand more"
    )


def test_steps_are_taken_in_their_order() -> None:
    """Bytes, a pause, bytes, the connection's end; what comes after it is not sent."""
    with ScriptedServer(lambda request: [b"one", Pause(0.01), b"two", Close(), b"three"]) as server:
        assert talk(server, b"GET / HTTP/1.1\r\n\r\n") == b"onetwo"


def test_a_reset_breaks_the_connection() -> None:
    """The client sees an error, not an end."""
    with ScriptedServer(lambda request: [b"one", Pause(0.05), Reset()]) as server, pytest.raises(ConnectionResetError):
        talk(server, b"GET / HTTP/1.1\r\n\r\n")


def test_requests_are_read_as_clients_send_them() -> None:
    """One after the other on a connection, with a length, in chunks, in S3's own chunks, after `Expect`."""
    with ScriptedServer(lambda request: Answer(204, "No Content")) as server:
        talk(
            server,
            b"PUT /b/k%20x?partNumber=2&uploadId=u HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPUT /b/c HTTP/1.1\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            b"PUT /b/a HTTP/1.1\r\nContent-Encoding: aws-chunked\r\nContent-Length: 37\r\n\r\n",
            b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:A\r\n\r\n",
            b"GET /b?list-type=2&prefix=a%2F HTTP/1.1\r\n\r\n",
        )
        first, *_, last = server.requests
    assert [request.body for request in server.requests] == [b"abc", b"abc", b"abc", b""]
    assert (first.operation, first.key, first.query["uploadId"]) == ("UploadPart", "k x", "u")
    assert (last.operation, last.query["prefix"], last.connection) == ("ListObjectsV2", "a/", 1)


def test_a_body_is_asked_for_where_the_client_waits() -> None:
    """`Expect: 100-continue` is answered before the body is read, and no other request is."""
    with ScriptedServer(lambda request: Answer(204, "No Content")) as server:
        waiting = talk(server, b"PUT /b/k HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")
        other = talk(server, b"PUT /b/k HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
    assert waiting == b"HTTP/1.1 100 Continue\r\n\r\n" + other
    assert other == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_what_comes_before_a_body_is_as_the_test_chose() -> None:
    """It may end the connection; then the body is not read, and the answer is not sent."""
    early: list[Reply] = [[b"HTTP/1.1 100 Go\r\n\r\n"], [b"no", Close()]]
    put = b"PUT /b/k HTTP/1.1\r\nContent-Length: 1\r\n\r\n"
    with ScriptedServer(lambda request: Answer(204, "No Content"), early=lambda request: early.pop(0)) as server:
        assert talk(server, put, b"x") == b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
        assert talk(server, put) == b"no"
        assert [request.body for request in server.requests] == [b"x"]


@pytest.mark.parametrize("tls", [False, True])
def test_the_server_ends_at_once(tls: bool) -> None:
    """Whatever it waits for: a silent answer, a pause of an hour, an idle connection, half a request, a handshake."""
    before = set(threading.enumerate())
    with ScriptedServer(lambda request: [Pause(3600) if request.path == "/pause" else Silence()], tls=tls) as server:
        port = int(server.endpoint.rpartition(":")[2])
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
        for connection, sent in zip(connections, (b"", b"GET /", b"GET /pause HTTP/1.1\r\n\r\n"), strict=False):
            connection.sendall(sent)
        connections[3].sendall(b"GET / HTTP/1.1\r\n\r\n")
        time.sleep(0.05)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert set(threading.enumerate()) <= before  # other tests' threads may end meanwhile
    for connection in connections:
        connection.close()


def test_https_is_spoken_with_a_certificate_that_can_be_trusted(tmp_path: Path) -> None:
    """A client that knows the certificate needs no `skipverify`."""
    with ScriptedStore({"k": b"v"}, tls=True) as store:
        (tmp_path / "ca.pem").write_text(store.certificate)
        client = client_of(store.endpoint, verify=str(tmp_path / "ca.pem"))
        assert client.get_object(Bucket="b", Key="k")["Body"].read() == b"v"


def test_a_certificate_is_made_without_cryptography_too() -> None:
    """By openssl's program."""
    assert b"BEGIN CERTIFICATE" in certificates.by_openssl()


@pytest.fixture
def both(store: ScriptedStore, moto_server: Server) -> Iterator[list[Any]]:
    """Clients of the store and of moto's server, with the same keys in a bucket of one name."""
    clients = [client_of(store.endpoint), moto_server.client()]
    moto_server.create_bucket("scripted")
    for key, data in KEYS.items():
        clients[1].put_object(Bucket="scripted", Key=key, Body=data)
    yield clients
    moto_server.empty_bucket("scripted")


def told(answer: Any) -> Any:
    """An answer without what differs from server to server."""
    if isinstance(answer, dict):
        left_out = (
            *("ResponseMetadata", "LastModified", "UploadId", "Location", "Owner", "Initiator", "Initiated"),
            *("NextContinuationToken", "ContinuationToken", "ChecksumAlgorithm", "ChecksumType", "VersionId"),
            *("ChecksumCRC32", "ServerSideEncryption", "MaxKeys", "KeyCount", "EncodingType", "Prefix", "Name"),
            *("RequestCharged", "Delimiter", "StartAfter", "IsTruncated", "AcceptRanges", "BucketRegion"),
        )
        return {name: told(value) for name, value in answer.items() if name not in left_out}
    if isinstance(answer, list):
        return [told(each) for each in answer]
    return answer.read() if hasattr(answer, "read") else answer


CALLS: dict[str, dict[str, Any]] = {
    "get_object": {"Key": "d/x"},
    "get_object of a range": {"Key": "d/y/z", "Range": "bytes=1-"},
    "get_object of the last bytes": {"Key": "d/y/z", "Range": "bytes=-2"},
    "get_object if the ETag is another": {"Key": "d/x", "IfMatch": '"x"'},
    "get_object past the end": {"Key": "d/x", "Range": "bytes=9-"},
    "get_object of none": {"Key": "none"},
    "head_object": {"Key": "d/x"},
    "head_object of none": {"Key": "none"},
    "put_object": {"Key": "new", "Body": b"new", "Metadata": {"m": "1"}, "ContentType": "text/plain"},
    "put_object where one is": {"Key": "f", "Body": b"", "IfNoneMatch": "*"},
    "copy_object": {"Key": "copied", "CopySource": "scripted/d/x"},
    "copy_object of none": {"Key": "copied", "CopySource": "scripted/none"},
    "delete_object": {"Key": "f"},
    "delete_objects": {"Delete": {"Objects": [{"Key": "f"}, {"Key": "none"}]}},
    "list_objects_v2 after a key": {"StartAfter": "d/x", "MaxKeys": 2},
    "put_object_tagging": {"Key": "d/x", "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}},
    "get_object_tagging": {"Key": "d/x"},
    "abort_multipart_upload of none": {"Key": "k", "UploadId": "none"},
}


@pytest.mark.parametrize("name", CALLS)
def test_the_store_answers_as_another_s3_does(name: str, both: list[Any]) -> None:
    """The same fields and errors as moto's server."""
    found = []
    for client in both:
        try:
            found.append(told(getattr(client, name.split()[0])(Bucket="scripted", **CALLS[name])))
        except ClientError as error:
            found.append(error.response["Error"]["Code"])
    assert found[0] == found[1]


@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("prefix", ["", "d/", "d", "none"])
def test_listings_come_in_pages_that_miss_nothing(both: list[Any], prefix: str, delimiter: str) -> None:
    """Keys and common prefixes, each once, in pages of at most two."""
    found = []
    for client in both:
        pages = list(client.get_paginator("list_objects_v2").paginate(
            Bucket="scripted", Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": 2}
        ))  # fmt: skip
        assert all(len(page.get("Contents", ())) + len(page.get("CommonPrefixes", ())) <= 2 for page in pages)
        keys = [(each["Key"], each["Size"], each["ETag"]) for page in pages for each in page.get("Contents", ())]
        found.append((keys, [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]))
    assert found[0] == found[1]


def test_uploads_are_listed_in_pages_and_become_objects(store: ScriptedStore) -> None:
    """Parts, their pages, copies of ranges, the unfinished uploads' pages, completion, abortion."""
    client = client_of(store.endpoint)
    store.s3.store("source", bytes(6 * MIB))
    at = {"Bucket": "b", "Key": "k"}
    ids = [client.create_multipart_upload(**at)["UploadId"] for _ in range(3)]
    listed = client.get_paginator("list_multipart_uploads").paginate(Bucket="b")
    assert [each["UploadId"] for page in listed for each in page["Uploads"]] == ids
    upload = {**at, "UploadId": ids[0]}
    client.upload_part(**upload, PartNumber=2, Body=b"x" * 5 * MIB)
    client.upload_part_copy(**upload, PartNumber=1, CopySource="b/source", CopySourceRange=f"bytes=1-{5 * MIB}")
    client.upload_part(**upload, PartNumber=7, Body=b"end")
    parts = [each for page in client.get_paginator("list_parts").paginate(**upload) for each in page["Parts"]]
    assert [(each["PartNumber"], each["Size"]) for each in parts] == [(1, 5 * MIB), (2, 5 * MIB), (7, 3)]
    chosen = {"Parts": [{"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in parts]}
    client.complete_multipart_upload(**upload, MultipartUpload=chosen)
    assert store.contents()["k"] == bytes(5 * MIB) + b"x" * 5 * MIB + b"end"
    for each in ids[1:]:
        client.abort_multipart_upload(**at, UploadId=each)
    assert store.s3.uploads == {}


def test_documents_and_errors_are_chunked_and_objects_are_not(store: ScriptedStore) -> None:
    """As AWS has it, the HEAD of a missing key included."""
    for request, expected in (
        (b"GET /b?list-type=2", b"chunked"),
        (b"HEAD /b/none", b"chunked"),
        (b"GET /b/none", b"chunked"),
        (b"GET /b/d/x", b"Content-Length: 2"),
        (b"HEAD /b/d/x", b"Content-Length: 2"),
    ):
        got = talk(store, request + b" HTTP/1.1\r\n\r\n")
        assert expected in got
        assert b"Server: AmazonS3" in got
        assert b"x-amz-request-id" in got
        assert not (request.startswith(b"HEAD") and got.partition(b"\r\n\r\n")[2])


def test_the_nth_answer_of_an_operation_is_scripted(store: ScriptedStore) -> None:
    """The ones before and after it are the store's own, and the log has them all."""
    script = store.script("GetObject", Answer(500, "no", (("Content-Length", "0"),)), nth=2, times=1)
    client = client_of(store.endpoint)
    found = []
    for _ in range(3):
        try:
            found.append(client.get_object(Bucket="b", Key="d/x")["Body"].read())
        except ClientError as error:
            found.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
    assert found == [b"22", 500, b"22"]
    assert (script.seen, script.struck, len(store.of("GetObject")), store.counts["GetObject"]) == (3, 1, 3, 3)


def test_a_scripted_request_is_carried_out_or_not_as_told(store: ScriptedStore) -> None:
    """Its answer is the same."""
    client = client_of(store.endpoint)
    store.script("PutObject", lambda request, answer: answer, times=1, done=False)
    etags = [client.put_object(Bucket="b", Key="new", Body=b"x")["ETag"] for _ in range(1)]
    assert "new" not in store.contents()
    etags += [client.put_object(Bucket="b", Key="new", Body=b"x")["ETag"]]
    assert store.contents()["new"] == b"x"
    assert etags[0] == etags[1]


def test_who_has_the_first_word_decides_whether_a_request_is_carried_out() -> None:
    """What is said is sent, and no script strikes; where nothing is said, the store answers as ever."""

    def first_word(request: Request) -> Answer | None:
        return fitted(refusal(403, "AccessDenied"), request) if request.key == "no" else None

    with ScriptedStore({"f": b"1"}, first_word=first_word) as store:
        script = store.script("PutObject")
        client = client_of(store.endpoint)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket="b", Key="no", Body=b"x")
        with pytest.raises(ClientError, match="403"):
            client.head_object(Bucket="b", Key="no")
        client.put_object(Bucket="b", Key="yes", Body=b"x")
        store.fill({"more": b"2"})
        assert store.contents() == {"f": b"1", "yes": b"x", "more": b"2"}
        assert (script.seen, store.connections) == (1, 1)


def test_the_package_works_on_the_store_over_http_and_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is right without a script is right: reads, writes, parts, copies, moves, listings, deletions."""
    for tls in (False, True):
        with ScriptedStore(KEYS, page_keys=2, tls=tls) as store:
            (tmp_path / "ca.pem").write_text(store.certificate)
            monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
            fs = RegistryS3FileSystem(**store.options(chunksize=5 * MIB), skip_instance_cache=True)
            assert fs.cat(["/a b", "/e+ü&<"]) == {"/a b": b"1", "/e+ü&<": b"4444"}
            with fs.open("/large", "wb") as file:
                file.write(bytes(6 * MIB))
            fs.mv("/large", "/moved")
            fs.rm("/d", recursive=True)
            assert fs.find("/") == sorted(["/a b", "/e+ü&<", "/f", "/moved"])
            assert store.contents() == {"a b": b"1", "e+ü&<": b"4444", "f": b"", "moved": bytes(6 * MIB)}
