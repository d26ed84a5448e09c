"""Answers become records only where they prove themselves; no socket is opened, no other exception escapes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.errors import InvalidResponseError
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.s3 import documents, listing_responses, responses
from registry_s3fs.s3.body_range import BodyRange, body_range
from registry_s3fs.s3.listing_responses import Listing
from registry_s3fs.s3.responses import Asked

ASKED = Asked("ListObjectsV2", "/a")
WHEN = datetime(2026, 11, 24, tzinfo=timezone.utc)
ROW = {"Key": "a/x", "Size": 1, "ETag": '"e"', "LastModified": WHEN}
odd = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just(WHEN) | st.lists(st.none(), max_size=1)


def read(operation: str, answer: dict[str, Any]) -> Any:
    asked = Asked(operation, "/a")
    calls: dict[str, Callable[[], Any]] = {
        "HeadObject": lambda: responses.described("a", answer, asked),
        "ListObjectsV2": lambda: listing_responses.page(answer, Listing("a/", "/"), asked),
        "ListParts": lambda: listing_responses.parts(answer, "a", "u", asked),
        "ListMultipartUploads": lambda: listing_responses.uploads(answer, "a", asked),
        "ListObjectVersions": lambda: listing_responses.versions(answer, "a", asked),
        "GetObjectTagging": lambda: responses.tags(answer, asked),
        "DeleteObjects": lambda: responses.not_deleted(answer, ["a"], asked, str),
        "CopyObject": lambda: responses.copied(answer, "CopyObjectResult", asked),
        "PutObject": lambda: responses.etag(answer, asked),
        "CompleteMultipartUpload": lambda: responses.completes(answer, asked),
        "GetObject": lambda: body_range(answer, 0, 9, None, asked),
    }
    return calls[operation]()


GOOD: dict[str, dict[str, Any]] = {
    "HeadObject": {"ContentLength": 1, "ETag": '"e"', "LastModified": WHEN},
    "ListParts": {"UploadId": "u", "Parts": [{"PartNumber": 1, "ETag": '"e"', "Size": 1}]},
    "PutObject": {"ETag": '"e"'},
    "GetObject": {"ContentRange": "bytes 0-8/20"},
}
ROWS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "ListObjectsV2": ("Contents", ROW, ("Key", "Size", "ETag", "LastModified")),
    "ListParts": ("Parts", {"PartNumber": 1, "ETag": '"e"', "Size": 1}, ("PartNumber", "ETag", "Size")),
    "ListMultipartUploads": ("Uploads", {"Key": "a", "UploadId": "u", "Initiated": WHEN}, ("Key", "UploadId")),
    "ListObjectVersions": ("Versions", {**ROW, "VersionId": "v"}, ("Key", "Size", "ETag", "LastModified")),
    "GetObjectTagging": ("TagSet", {"Key": "a", "Value": "b"}, ("Key",)),
}


@pytest.mark.parametrize("operation", ROWS)
def test_a_field_that_is_missing_is_named(operation: str) -> None:
    """With the operation and the path; a field that is only nice to have is not missed."""
    rows, row, needed = ROWS[operation]
    assert read(operation, {rows: [row]})
    for field in row:
        answer = {rows: [{name: value for name, value in row.items() if name != field}]}
        if field not in needed:
            assert read(operation, answer)
            continue
        with pytest.raises(InvalidResponseError, match=rf"{operation} is none of S3's: it has no {field}") as error:
            read(operation, answer)
        assert error.value.filename == "/a"


@pytest.mark.parametrize("operation", [name for name in ROWS if name != "GetObjectTagging"])
@given(data=st.data())
def test_no_other_exception_escapes_from_rows(operation: str, data: st.DataObject) -> None:
    """Whatever the fields hold that botocore's parser can give."""
    rows, row, _ = ROWS[operation]
    changed = {**row, data.draw(st.sampled_from(sorted(row))): data.draw(odd)}
    with suppress(InvalidResponseError):
        read(operation, {rows: [changed], "UploadId": "u"})


@given(start=st.integers(-20, 20), length=st.integers(1, 20), first=st.integers(0, 20), last=st.integers(0, 20))
def test_a_body_range_is_the_one_asked_for(start: int, length: int, first: int, last: int) -> None:
    """Of an object of 20 bytes: no other Content-Range is taken than the right one."""
    end = None if start < 0 else start + length
    wanted = slice(start, end).indices(20)
    answer = {"ContentRange": f"bytes {first}-{last}/20", "ContentLength": last + 1 - first}
    if (first, last + 1) == wanted[:2] and first <= last:
        assert body_range(answer, start, end, 20, ASKED) == BodyRange(first, last + 1, 20)
    else:
        with pytest.raises(InvalidResponseError):
            body_range(answer, start, end, 20, ASKED)


def test_a_time_without_a_zone_is_utc() -> None:
    """Whatever the machine's own zone; times that are out of Python's reach are taken as they stand."""
    assert responses.utc(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=timezone.utc)
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert responses.utc(early).tzinfo is timezone.utc


def test_what_is_known_of_an_object_completes_its_row() -> None:
    """An object that is gone meanwhile is left out."""
    answer = {"Contents": [{"Key": "a/x"}, {"Key": "a/y"}, {**ROW, "Key": "a/z"}]}
    listing = Listing("a/")
    assert listing_responses.incomplete(answer, listing) == ["a/x", "a/y"]
    known = {"a/x": ObjectInfo("a/x", 7, '"h"', WHEN), "a/y": None}
    objects, _ = listing_responses.page(listing_responses.completed(answer, known), listing, ASKED)
    assert [(item.key, item.size) for item in objects] == [("a/x", 7), ("a/z", 1)]


DOCUMENTS = [
    ("DeleteObjects", b"<DeleteResult/>", {"Document": "DeleteResult"}),
    ("DeleteObjects", b'<?xml version="1.0"?>\n<!-- x --> <a:DeleteResult xmlns:a="b"/>', {"Document": "DeleteResult"}),
    ("DeleteObjects", b"", {"ForeignDocument": "no document at all"}),
    ("DeleteObjects", b"<ListBucketResult/>", {"ForeignDocument": "a document <ListBucketResult>"}),
    ("DeleteObjects", b"<!DOCTYPE html>\n<HTML>", {"ForeignDocument": "a document <HTML>"}),
    ("DeleteObjects", b'{"error": 1}', {"ForeignDocument": "a document in JSON"}),
    ("DeleteObjects", b"busy", {"ForeignDocument": "a text"}),
    ("DeleteObjects", b"<Error><Code>SlowDown</Code></Error>", {}),
    ("DeleteObjects", b"<OtherName/>", {}),
    ("PutObject", b"", {}),
    ("PutObject", b"<html>", {"ForeignDocument": "a document <html>"}),
    ("PutObject", b"<error>no</error>", {"ForeignDocument": "a document <error>"}),
    ("PutObject", b'{"error": "quota"}', {"ForeignDocument": "a document in JSON"}),
    ("DeleteObject", b" \n", {}),
    ("GetObjectAcl", b"<html>", {}),
]


@pytest.mark.parametrize(("operation", "body", "told"), DOCUMENTS)
def test_the_documents_root_is_told_or_what_is_there_instead(operation: str, body: bytes, told: dict[str, str]) -> None:
    """Of successes alone; a foreign one is taken out of what botocore parses."""
    for status in (200, 404):
        response: dict[str, Any] = {"status_code": status, "body": body}
        custom: dict[str, Any] = {}
        documents.check(SimpleNamespace(name=operation), response, custom)
        assert custom == (told if status == 200 else {})
        assert response["body"] == (b"" if "ForeignDocument" in custom else body)


@pytest.mark.parametrize("operation", documents.OPERATIONS)
@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 206, 299])
def test_a_success_has_the_status_that_s3_gives_it(operation: str, status: int) -> None:
    """With any other it is none, whatever it holds."""
    expected = documents.ROOTS.get(operation)
    response: dict[str, Any] = {"status_code": status, "body": f"<{expected}/>".encode() if expected else b""}
    custom: dict[str, Any] = {}
    documents.check(SimpleNamespace(name=operation), response, custom)
    good = status in {"GetObject": (200, 206), "DeleteObject": (200, 204), "AbortMultipartUpload": (200, 204)}.get(
        operation, (200, 204) if operation == "PutObjectTagging" else (200,)
    )
    assert ("ForeignDocument" in custom) is not good


@pytest.mark.parametrize("before", [b"<!-- -->", b"<!---->", b"<?a?>", b"  ", b"<!-- ", b"<? ", b"<!a>"])
def test_what_comes_before_a_root_takes_no_time(before: bytes) -> None:
    """However much of it there is; it took minutes."""
    assert documents.root(before * 2000 + b"text") == ""
    assert documents.root((before * 10 if before[-1:] == b">" else b"") + b"<Error>") == "Error"


def test_a_root_is_looked_for_in_time() -> None:
    """However many spaces or half declarations come first."""
    assert documents.root(b"<?" * 100_000) == ""
    assert documents.root(b"<!--" + b" " * 100_000) == ""
    assert documents.root(b" " * 100_000 + b"<CopyObjectResult>") == "CopyObjectResult"


@pytest.mark.parametrize("operation", GOOD)
def test_good_answers_are_read(operation: str) -> None:
    """As they are, with no more than is needed."""
    assert read(operation, GOOD[operation])
