"""The fast lane answers with success or not at all, signs once, and closes where it is of no use."""

from __future__ import annotations

from collections.abc import Callable
from http.client import IncompleteRead
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import IncompleteReadError

from registry_s3fs import DriverParameters
from registry_s3fs.bodies import Received
from registry_s3fs.client import fast_lane, s3_client
from registry_s3fs.lane import REFUSALS, Body, Lane
from registry_s3fs.signing import Signed, Signer

HEADERS = {
    "Content-Length": "3",
    "Content-Type": "application/xml",
    "ETag": '"e"',
    "Last-Modified": "Tue, 24 Nov 2026 07:57:54 GMT",
    "x-amz-meta-who": "me",
}


class Answer:
    """An answer of three bytes."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.headers = dict(HEADERS)
        self._left = b"abc"

    def read(self) -> bytes:
        data, self._left = self._left, b""
        return data

    def fill(self, view: memoryview) -> int:
        data = self.read()
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Nothing."""


class Session:
    """Stands in for the connections: notes requests, answers as told."""

    def __init__(self, *statuses: int | Exception) -> None:
        self.requests: list[Any] = []
        self._statuses = list(statuses)

    def exchange(self, method: str, target: str, headers: dict[str, str], body: Any = None) -> Any:
        self.requests.append(SimpleNamespace(url=target, headers=headers, body=body))
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        if isinstance(status, Exception):
            raise status
        return Answer(status)


def made(*statuses: int | Exception, **options: Any) -> tuple[Lane, Session]:
    mapping = {"bucket": "demo", "region": "eu-west-1", "accesskey": "AKIDEXAMPLE", "secretkey": "secret", **options}
    parameters = DriverParameters.from_mapping(mapping)
    session = Session(*statuses)
    signer = Signer(s3_client(parameters), parameters.bucket)
    return Lane(
        signer, "agent/1", lambda origin: session,  # type: ignore[arg-type,return-value]
        signs_headers=parameters.v4auth, sends_checksums=not parameters.regionendpoint,
    ), session  # fmt: skip


def get(lane: Lane) -> Any:
    return lane.get("a b", "", {"Range": "bytes=0-2"})


@pytest.mark.parametrize("v4auth", [True, False])
def test_one_signature_serves_many_ranges(v4auth: bool) -> None:
    """The Range header is not signed; the body and the fields are boto3's."""
    lane, session = made(206, v4auth=v4auth)
    for _ in range(3):
        answer = get(lane)
        view = memoryview(bytearray(3))
        Received(view).take(answer["Body"])
        assert (bytes(view), answer["ETag"], answer["ContentLength"]) == (b"abc", '"e"', 3)
    assert len({request.url for request in session.requests}) == 1
    assert "Signature=" in session.requests[0].url
    assert session.requests[0].headers["Range"] == "bytes=0-2"
    assert session.requests[0].headers["User-Agent"] == "agent/1"


def test_a_head_has_boto3s_fields() -> None:
    """With types and metadata."""
    lane, _ = made(200)
    found = lane.head("a", "v1") or {}
    assert (found["ContentLength"], found["Metadata"]) == (3, {"who": "me"})
    assert found["LastModified"].isoformat() == "2026-11-24T07:57:54+00:00"


def test_a_head_of_nothing_is_an_answer_too() -> None:
    """It has no body that boto3 could tell more from."""
    lane, _ = made(404)
    assert lane.head("a", "") == {}


PAGE = b"<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType></ListBucketResult>"


@pytest.mark.parametrize("body", [PAGE[:50], b"<Error><Code>SlowDown</Code></Error>", IncompleteRead(PAGE[:50])])
def test_a_page_that_is_not_whole_is_left_to_boto3(body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off, an error under a good status, broken on the way."""

    def read(answer: Answer, amount: int | None = None) -> bytes:
        if isinstance(body, Exception):
            raise body
        return bytes(body)

    lane, session = made(200)
    monkeypatch.setattr(Answer, "read", lambda answer, amount=None: PAGE)
    assert lane.list({"Prefix": "a", "MaxKeys": 7}) == {"IsTruncated": False, "EncodingType": "url"}
    asked = parse_qs(urlsplit(session.requests[0].url).query)
    assert (asked["prefix"], asked["max-keys"], asked["list-type"]) == (["a"], ["7"], ["2"])
    monkeypatch.setattr(Answer, "read", read)
    assert lane.list({"Prefix": "a"}) is None


def test_a_put_signs_its_headers_and_guards_its_bytes() -> None:
    """What is signed is what is sent; the MD5 tells the server what should arrive."""
    lane, session = made(200, regionendpoint="http://127.0.0.1:9000")
    request = {
        "Key": "a", "ContentType": "text/csv", "Metadata": {"who": "me"}, "StorageClass": "STANDARD",
        "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1", "ACL": "private",
    }  # fmt: skip
    assert lane.put(request, b"abc")
    sent = session.requests[0]
    signed = parse_qs(urlsplit(sent.url).query)["X-Amz-SignedHeaders"][0].split(";")
    assert set(signed) == {name.lower() for name in sent.headers} - {"user-agent"} | {"host"}
    assert sent.headers["Content-MD5"] == "kAFQmDzST7DWlj99KOF/cg=="
    assert sent.body == b"abc"


def test_a_put_is_guarded_by_a_crc32_where_the_sdk_sends_checksums() -> None:
    """As on AWS, which keeps it; signed like the other headers, and instead of the MD5."""
    lane, session = made(200)
    assert lane.put({"Key": "a"}, b"abc")
    sent = session.requests[0]
    assert sent.headers["x-amz-checksum-crc32"] == "NSRBwg=="
    assert "x-amz-checksum-crc32" in parse_qs(urlsplit(sent.url).query)["X-Amz-SignedHeaders"][0].split(";")
    assert "Content-MD5" not in sent.headers


def test_checksums_are_asked_for_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a signed header; the answer's have boto3's names."""
    monkeypatch.setitem(HEADERS, "x-amz-checksum-sha256", "abc=")
    monkeypatch.setitem(HEADERS, "x-amz-checksum-type", "FULL_OBJECT")
    lane, session = made(200)
    for answer in (lane.get("a", "", {}, checksum=True), lane.head("a", "", checksum=True)):
        assert answer
        assert (answer["ChecksumSHA256"], answer["ChecksumType"]) == ("abc=", "FULL_OBJECT")
    for sent in session.requests:
        assert sent.headers["x-amz-checksum-mode"] == "ENABLED"
        assert "x-amz-checksum-mode" in parse_qs(urlsplit(sent.url).query)["X-Amz-SignedHeaders"][0].split(";")
    lane.get("a", "", {})
    assert "x-amz-checksum-mode" not in session.requests[-1].headers


@pytest.mark.parametrize("field", ["Tagging", "Expires", "CacheControl"])
def test_a_put_with_other_fields_is_boto3s(field: str) -> None:
    """The lane does not guess how a header is spelled."""
    lane, session = made(200)
    assert not lane.put({"Key": "a", field: "x"}, b"abc")
    assert session.requests == []


def test_version_2_signatures_are_for_reads_only() -> None:
    """They would put headers into the URL."""
    lane, session = made(200, v4auth=False)
    assert not lane.put({"Key": "a"}, b"abc")
    assert session.requests == []


@pytest.mark.parametrize("failure", [500, 503, 403, 416, 412, 301, ConnectionResetError()])
def test_anything_but_success_is_left_to_boto3(failure: int | Exception) -> None:
    """Its retries and its errors hold; the lane stays open."""
    lane, _ = made(206, failure, 206)
    assert get(lane)
    assert get(lane) is None
    assert get(lane)


def test_an_error_with_status_200_is_left_to_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was stored, and its body is no object: there is no ETag."""
    lane, _ = made(200)
    assert lane.put({"Key": "a"}, b"abc")
    monkeypatch.delitem(HEADERS, "ETag")
    assert not lane.put({"Key": "a"}, b"abc")
    assert get(lane) is None
    assert lane.head("a", "") is None


def test_a_refused_signature_is_not_used_again() -> None:
    """The credentials that it was made with may have expired."""
    lane, session = made(206, 403, 206)
    get(lane), get(lane)
    lane._signer = SimpleNamespace(sign=lambda *args: Signed("GET", lane._origin + "/new", {}))  # type: ignore[assignment]
    get(lane)
    assert session.requests[-1].url == "/new"


def test_a_store_that_takes_no_signed_urls_is_not_asked_for_ever() -> None:
    """After a few refusals without a success before, all is boto3's."""
    lane, session = made(403)
    for _ in range(10):
        assert get(lane) is None
    assert len(session.requests) == REFUSALS


def test_a_store_that_has_taken_signed_urls_may_refuse_many() -> None:
    """Denied keys say nothing of the others."""
    lane, session = made(206, *[403] * 2 * REFUSALS, 206)
    assert get(lane)
    assert [get(lane) for _ in range(2 * REFUSALS)] == [None] * 2 * REFUSALS
    assert get(lane)
    assert len(session.requests) == 2 * REFUSALS + 2


def test_a_body_that_ends_early_is_told() -> None:
    """Not taken for the object's end."""
    body = Body(Answer(206), 4)  # type: ignore[arg-type]
    view = memoryview(bytearray(4))
    assert body.fill(view) == 3
    with pytest.raises(IncompleteReadError):
        body.fill(view)


def register(session: Any, event: str) -> None:
    session.events.register(event, lambda **kwargs: None)


@pytest.mark.parametrize("event", ["before-send.s3", "before-call.s3.GetObject", "request-created", "needs-retry.*"])
def test_who_listens_to_boto3s_events_hears_of_every_call(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler on the session closes the lane: moto's mock_aws and users' own go on working."""
    listening: Callable[[], Any] = boto3.session.Session
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session := listening())
    register(session, event)
    options = {"bucket": "demo", "region": "eu-west-1", "accesskey": "A", "secretkey": "S", "useragent": event}
    assert not fast_lane(DriverParameters.from_mapping(options))._open


def test_the_lane_is_open_on_the_installed_sdk() -> None:
    """The private look at the SDK's handlers still finds what it expects."""
    options = {"bucket": "demo", "region": "eu-west-1", "accesskey": "A", "secretkey": "S"}
    assert fast_lane(DriverParameters.from_mapping(options))._open
    for extra in ({"proxies": {"https": "http://proxy:1"}}, {"client_cert": "/cert.pem"}):
        assert not fast_lane(DriverParameters.from_mapping({**options, "config_kwargs": extra}))._open
