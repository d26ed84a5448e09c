"""Stores and proxies whose answers to writes prove nothing: no write counts as done, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import BulkError, InvalidResponseError
from testbed.messages import Answer, Request
from testbed.plain_answers import PAGE, WHEN, plain, refusal, xml
from testbed.s3_memory import md5
from testbed.scripted_store import ScriptedStore
from tests.odd_store import Twist, instead, odd_store, source_etag

MIB = 1024 * 1024


def nothing_stored(confirmed: str) -> Twist:
    """A store that ignores the source of copies, and says that all is well."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation not in ("CopyObject", "UploadPartCopy"):
            return None
        told = confirmed.format(etag=md5(b""), source=source_etag(store, request))
        if request.operation == "CopyObject":
            store.fill({request.key: b""})
        return xml("CopyObjectResult" if request.operation == "CopyObject" else "CopyPartResult", told)

    return twist


EMPTY = plain(200)
BAD_COPIES = {
    "an empty body": instead("CopyObject", EMPTY),
    "no ETag": instead("CopyObject", xml("CopyObjectResult", "<LastModified>2026-11-24T07:57:54Z</LastModified>")),
    "an empty ETag": instead("CopyObject", xml("CopyObjectResult", "<ETag></ETag>")),
    "a page": instead("CopyObject", PAGE),
    "another document": instead("CopyObject", xml("CopyPartResult", f"<ETag>{md5(b'data')}</ETag>")),
    "an object of no bytes": nothing_stored("<ETag>{etag}</ETag>"),
}


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("name", BAD_COPIES)
def test_a_copy_that_is_not_confirmed_costs_no_source(name: str) -> None:
    """`mv` and the driver's `move` delete a source only once its copy is confirmed."""
    moves: list[Callable[[RegistryS3FileSystem], Any]] = [
        lambda fs: fs.mv("/d/a", "/b"),
        lambda fs: fs.mv("/d", "/c", recursive=True),
        lambda fs: StorageDriver(fs).move("/d/a", "/b"),
    ]
    with odd_store(BAD_COPIES[name]) as (store, fs):
        for move in moves:
            store.fill({"d/a": b"data"})
            with pytest.raises(OSError, match="CopyObject"):
                move(fs)
            assert store.contents()["d/a"] == b"data"
        assert not {"DeleteObject", "DeleteObjects"} & set(store.counts)


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("size", [1, 40 * MIB])
def test_a_file_copied_onto_itself_is_never_emptied(size: int) -> None:
    """`touch` and `setxattr` never empty a file, not even on a store whose copies store nothing."""
    for twist in (nothing_stored("<ETag>{etag}</ETag>"), nothing_stored("<ETag>{source}</ETag>"), None):
        with odd_store(twist) as (store, fs):
            data = bytes(size - 1) + b"x"
            store.fill({"f": data})
            for change in (lambda: fs.touch("/f", truncate=False), lambda: fs.setxattr("/f", who="me")):
                if twist and size > 32 * MIB:
                    with pytest.raises(OSError, match="UploadPartCopy"):
                        change()
                else:
                    change()
                assert store.contents()["f"] == data
            assert store.s3.uploads == {}


def test_a_file_rewritten_onto_itself_keeps_its_metadata() -> None:
    """A new value is added to the old ones, and the content type stays."""
    told = {"Content-Type": "text/csv", "x-amz-meta-old": "1", "ETag": md5(b"abc"), "Content-Length": "3"}
    head = plain(200, b"", {**told, "Last-Modified": WHEN})
    with odd_store(instead("HeadObject", head)) as (store, fs):
        store.fill({"f": b"abc"})
        fs.setxattr("/f", new="2")
        sent = store.requests[-1]
        kept = [sent.header(name) for name in ("Content-Type", "x-amz-meta-old", "x-amz-meta-new")]
        assert kept == ["text/csv", "1", "2"]


def write_parts(fs: RegistryS3FileSystem) -> None:
    with fs.open("/f", "wb", block_size=5 * MIB) as file:
        file.write(bytes(6 * MIB))


WRITES: dict[str, tuple[str, Callable[[RegistryS3FileSystem], Any]]] = {
    "pipe": ("PutObject", lambda fs: fs.pipe_file("/f", b"new")),
    "pipe of 2 MiB": ("PutObject", lambda fs: fs.pipe_file("/f", bytes(2 * MIB))),
    "write": ("PutObject", lambda fs: fs.open("/f", "wb").close()),
    "upload": ("CreateMultipartUpload", write_parts),
    "part": ("UploadPart", write_parts),
    "completion": ("CompleteMultipartUpload", write_parts),
    "rm of many": ("DeleteObjects", lambda fs: fs.rm(["/f", "/g"])),
    "rm of a tree": ("DeleteObjects", lambda fs: fs.rm("/", recursive=True)),
}
BAD_ANSWERS = {
    "nothing": EMPTY,
    "a page": PAGE,
    "a tidy page": plain(200, b"<html><head></head><body>Hello</body></html>"),
    "a text": plain(200, b"OK"),
    "another document": xml("ListAllMyBucketsResult", "<Buckets/>"),
}


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_is_answered_by_none_of_s3s_answers_is_not_done(name: str) -> None:
    """A write or deletion counts as done only where its answer says so in S3's form. A proxy's page, another document
    or an empty answer proves nothing.
    """
    operation, write = WRITES[name]
    bad: list[Answer] = []

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        return bad[-1] if request.operation == operation else None

    with odd_store(twist, rootdirectory="/r") as (store, fs):
        store.fill({"r/f": b"old", "r/g": b"old"})
        for answer in BAD_ANSWERS.values():
            store.requests.clear()
            bad.append(answer)
            with pytest.raises(OSError, match=rf"answer to {operation} is none of S3's"):
                write(fs)
            assert store.contents() == {"r/f": b"old", "r/g": b"old"}
            assert len(store.of(operation)) <= 2


@pytest.mark.parametrize("answer", [PAGE, plain(200, b"welcome")])
def test_a_page_in_place_of_a_deletion_is_an_error(answer: Answer) -> None:
    """DeleteObject is answered without a body; some stores do so with status 200."""
    with odd_store(instead("DeleteObject", answer)) as (store, fs):
        store.fill({"f": b""})
        with pytest.raises(BulkError, match="answer to DeleteObject is none of S3's"):
            fs.rm("/f")
        with pytest.raises(InvalidResponseError):
            fs.rm_file("/f")
    with odd_store(instead("DeleteObject", EMPTY)) as (store, fs):
        store.fill({"f": b""})
        fs.rm("/f")


DELETIONS: dict[str, tuple[Answer, set[str]]] = {
    "quiet": (xml("DeleteResult"), set()),
    "with a namespace": (plain(200, b"<DeleteResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'/>"), set()),
    "told though it was to be quiet": (
        xml("DeleteResult", "<Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted>"),
        set(),
    ),
    "told of one alone": (xml("DeleteResult", "<Deleted><Key>a</Key></Deleted>"), {"/b"}),
    "refused": (
        xml("DeleteResult", "<Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error>"),
        {"/b"},
    ),
    "refused without a code": (xml("DeleteResult", "<Error><Key>b</Key></Error>"), {"/b"}),
    "told of others": (xml("DeleteResult", "<Error><Key>x</Key><Code>AccessDenied</Code></Error>"), {"/a", "/b"}),
}


@pytest.mark.parametrize("name", DELETIONS)
def test_every_key_that_was_not_deleted_is_named(name: str) -> None:
    """Stores may answer a quiet request with all that was deleted; then what they leave out is not deleted."""
    answer, failed = DELETIONS[name]
    with odd_store(instead("DeleteObjects", answer)) as (_, fs):
        if not failed:
            fs.rm(["/a", "/b"])
            return
        with pytest.raises(BulkError) as error:
            fs.rm(["/a", "/b"])
        assert set(error.value.errors) == failed


COMPLETED = {
    "a page": PAGE,
    "nothing": EMPTY,
    "no field": xml("CompleteMultipartUploadResult"),
    "an empty ETag": xml("CompleteMultipartUploadResult", "<ETag></ETag>"),
}


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("name", COMPLETED)
@pytest.mark.parametrize("exclusive", [False, True])
def test_a_completion_that_proves_nothing_is_looked_after(name: str, exclusive: bool) -> None:
    """After a completion whose answer proves nothing, the object that is there is compared with what was sent."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "CompleteMultipartUpload":
            return None
        store.carry_out(request)
        return COMPLETED[name]

    with odd_store(twist) as (store, fs):
        with fs.open("/f", "xb" if exclusive else "wb", block_size=5 * MIB) as file:
            file.write(bytes(6 * MIB))
        assert len(store.contents()["f"]) == 6 * MIB


@pytest.mark.parametrize(
    "told", ["<Key>f</Key><ETag></ETag>", "<Location>http://x/f</Location>", '<ETag>"other"</ETag>']
)
def test_a_completion_with_another_etag_is_done(told: str) -> None:
    """rclone tells another than its HEADs; where there is none, as radosgw's, what is there is looked at."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "CompleteMultipartUpload":
            return None
        store.carry_out(request)
        return xml("CompleteMultipartUploadResult", told)

    with odd_store(twist) as (store, fs):
        write_parts(fs)
        assert store.counts["HeadObject"] == ('"other"' not in told)


def test_an_error_with_status_200_is_s3s_own() -> None:
    """S3 sends its head before a copy or completion is done, so that an error comes with status 200."""
    for operation in ("CopyObject", "CompleteMultipartUpload"):
        with odd_store(instead(operation, refusal(200, "AccessDenied"))) as (store, fs):
            store.fill({"a": b"data"})
            with pytest.raises(PermissionError):
                write_parts(fs) if operation != "CopyObject" else fs.cp_file("/a", "/b")
