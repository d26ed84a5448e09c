"""Stores and proxies whose answers to writes prove nothing: no write counts as done, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import BulkError, InvalidResponseError
from tests.odd_store import PAGE, OddStore, document, etag, instead, odd_store
from tests.scripted import Answer, Handler, refusal

MIB = 1024 * 1024


def nothing_stored(confirmed: str) -> Callable[[OddStore, Handler, str, Callable[[], Answer]], Answer | None]:
    """A store that ignores the source of copies, and says that all is well."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation not in ("CopyObject", "UploadPartCopy"):
            return None
        data = store.source(request)
        if operation == "CopyObject":
            store.objects[request.path.partition("/demo/")[2]] = b""
            return document("CopyObjectResult", confirmed.format(etag=etag(b""), source=etag(data)))
        return document("CopyPartResult", confirmed.format(etag=etag(b""), source=etag(data)))

    return twist


EMPTY = (200, b"", {})
BAD_COPIES = {
    "an empty body": instead("CopyObject", EMPTY),
    "no ETag": instead("CopyObject", document("CopyObjectResult", "<LastModified>2026-11-24T07:57:54Z</LastModified>")),
    "an empty ETag": instead("CopyObject", document("CopyObjectResult", "<ETag></ETag>")),
    "a page": instead("CopyObject", PAGE),
    "another document": instead("CopyObject", document("CopyPartResult", f"<ETag>{etag(b'data')}</ETag>")),
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
            store.objects["d/a"] = b"data"
            with pytest.raises(OSError, match="CopyObject"):
                move(fs)
            assert store.objects["d/a"] == b"data"
        assert not {"DeleteObject", "DeleteObjects"} & set(store.counts)


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("size", [1, 40 * MIB])
def test_a_file_copied_onto_itself_is_never_emptied(size: int) -> None:
    """`touch` and `setxattr` never empty a file, not even on a store whose copies store nothing."""
    for twist in (nothing_stored("<ETag>{etag}</ETag>"), nothing_stored("<ETag>{source}</ETag>"), None):
        with odd_store(twist) as (store, fs):
            store.objects["f"] = data = bytes(size - 1) + b"x"
            for change in (lambda: fs.touch("/f", truncate=False), lambda: fs.setxattr("/f", who="me")):
                if twist and size > 32 * MIB:
                    with pytest.raises(OSError, match="UploadPartCopy"):
                        change()
                else:
                    change()
                assert store.objects["f"] == data
            assert store.uploads == {}


def test_a_file_rewritten_onto_itself_keeps_its_metadata() -> None:
    """A new value is added to the old ones, and the content type stays."""
    told = {"Content-Type": "text/csv", "x-amz-meta-old": "1", "ETag": etag(b"abc"), "Content-Length": "3"}
    head = 200, b"", {**told, "Last-Modified": "Tue, 24 Nov 2026 07:57:54 GMT"}
    with odd_store(instead("HeadObject", head)) as (store, fs):
        store.objects["f"] = b"abc"
        fs.setxattr("/f", new="2")
        sent = store.heard[-1]
        assert (sent["content-type"], sent["x-amz-meta-old"], sent["x-amz-meta-new"]) == ("text/csv", "1", "2")


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
    "a tidy page": (200, b"<html><head></head><body>Hello</body></html>", {}),
    "a text": (200, b"OK", {}),
    "another document": document("ListAllMyBucketsResult", "<Buckets/>"),
}


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_is_answered_by_none_of_s3s_answers_is_not_done(name: str) -> None:
    """A write or deletion counts as done only where its answer says so in S3's form. A proxy's page, another document
    or an empty answer proves nothing.
    """
    operation, write = WRITES[name]
    bad: list[Answer] = []
    with odd_store(lambda store, request, told, honest: bad[-1] if told == operation else None, rootdirectory="/r") as (
        store,
        fs,
    ):
        store.objects |= {"r/f": b"old", "r/g": b"old"}
        for answer in BAD_ANSWERS.values():
            store.requests.clear()
            bad.append(answer)
            with pytest.raises(OSError, match=rf"answer to {operation} is none of S3's"):
                write(fs)
            assert store.objects == {"r/f": b"old", "r/g": b"old"}
            assert store.counts[operation] <= 2


@pytest.mark.parametrize("answer", [PAGE, (200, b"welcome", {})])
def test_a_page_in_place_of_a_deletion_is_an_error(answer: Answer) -> None:
    """DeleteObject is answered without a body; some stores do so with status 200."""
    with odd_store(instead("DeleteObject", answer)) as (store, fs):
        store.objects["f"] = b""
        with pytest.raises(BulkError, match="answer to DeleteObject is none of S3's"):
            fs.rm("/f")
        with pytest.raises(InvalidResponseError):
            fs.rm_file("/f")
    with odd_store(instead("DeleteObject", EMPTY)) as (store, fs):
        store.objects["f"] = b""
        fs.rm("/f")


DELETIONS: dict[str, tuple[Answer, set[str]]] = {
    "quiet": (document("DeleteResult"), set()),
    "with a namespace": ((200, b"<DeleteResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'/>", {}), set()),
    "told though it was to be quiet": (
        document("DeleteResult", "<Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted>"),
        set(),
    ),
    "told of one alone": (document("DeleteResult", "<Deleted><Key>a</Key></Deleted>"), {"/b"}),
    "refused": (
        document("DeleteResult", "<Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error>"),
        {"/b"},
    ),
    "refused without a code": (document("DeleteResult", "<Error><Key>b</Key></Error>"), {"/b"}),
    "told of others": (document("DeleteResult", "<Error><Key>x</Key><Code>AccessDenied</Code></Error>"), {"/a", "/b"}),
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
    "no field": document("CompleteMultipartUploadResult"),
    "an empty ETag": document("CompleteMultipartUploadResult", "<ETag></ETag>"),
}


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("name", COMPLETED)
@pytest.mark.parametrize("exclusive", [False, True])
def test_a_completion_that_proves_nothing_is_looked_after(name: str, exclusive: bool) -> None:
    """After a completion whose answer proves nothing, the object that is there is compared with what was sent."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation == "CompleteMultipartUpload":
            honest()
            data = store.objects["f"]
            half = etag(b"".join(bytes.fromhex(etag(each)[1:-1]) for each in (data[: 5 * MIB], data[5 * MIB :])))
            store.told = {"ETag": f'{half[:-1]}-2"'}
            return COMPLETED[name]
        if operation == "HeadObject" and "f" in store.objects:
            status, body, headers = honest()
            return status, body, {**headers, **store.told}
        return None

    with odd_store(twist) as (store, fs):
        with fs.open("/f", "xb" if exclusive else "wb", block_size=5 * MIB) as file:
            file.write(bytes(6 * MIB))
        assert len(store.objects["f"]) == 6 * MIB


@pytest.mark.parametrize(
    "told", ["<Key>f</Key><ETag></ETag>", "<Location>http://x/f</Location>", '<ETag>"other"</ETag>']
)
def test_a_completion_with_another_etag_is_done(told: str) -> None:
    """rclone tells another than its HEADs; where there is none, as radosgw's, what is there is looked at."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation != "CompleteMultipartUpload":
            return None
        honest()
        return document("CompleteMultipartUploadResult", told)

    with odd_store(twist) as (store, fs):
        write_parts(fs)
        assert store.counts["HeadObject"] == ('"other"' not in told)


def test_an_error_with_status_200_is_s3s_own() -> None:
    """S3 sends its head before a copy or completion is done, so that an error comes with status 200."""
    for operation in ("CopyObject", "CompleteMultipartUpload"):
        _, body, headers = refusal(200, "AccessDenied")
        with odd_store(instead(operation, (200, body, headers))) as (store, fs):
            store.objects["a"] = b"data"
            with pytest.raises(PermissionError):
                write_parts(fs) if operation != "CopyObject" else fs.cp_file("/a", "/b")
