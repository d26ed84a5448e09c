"""Stores that lack a condition, a checksum or an operation: the same promise by other means, or an error says so."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import BulkError, FileExpired, InvalidResponseError
from tests.odd_store import OddStore, Twist, etag, keys_of, odd_store, ways
from tests.scripted import LEFT_OUT, WHEN, Answer, Handler, refusal

MIB = 1024 * 1024


def refusing(header: str, answer: Answer) -> Twist:
    """A store that refuses a condition, whether or not it holds."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        return answer if header in request.headers else None

    return twist


REFUSALS = {"501": refusal(501, "NotImplemented"), "412": refusal(412, "PreconditionFailed")}


def write_exclusively(fs: RegistryS3FileSystem, path: str, size: int) -> None:
    with fs.open(path, "xb", block_size=5 * MIB) as file:
        file.write(bytes(size))


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("answer", REFUSALS)
def test_exclusive_creation_without_the_condition(answer: str) -> None:
    """Exclusive creation works on stores without `If-None-Match`: a HEAD decides instead."""
    with odd_store(refusing("If-None-Match", REFUSALS[answer])) as (store, fs):
        fs.pipe_file("/a", b"1", mode="create")
        write_exclusively(fs, "/b", 6 * MIB)
        write_exclusively(fs, "/c", 3)
        assert {key: len(data) for key, data in store.objects.items()} == {"a": 1, "b": 6 * MIB, "c": 3}
        assert sum("if-none-match" in heard for heard in store.heard) == 1
        for path in ("/a", "/b"):
            with pytest.raises(FileExistsError):
                fs.pipe_file(path, b"2", mode="create")
        assert store.objects["a"] == b"1"
        assert store.uploads == {}


def test_exclusive_creation_keeps_what_came_meanwhile() -> None:
    """A 412 because somebody else wrote it is no lack of the store's."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation == "PutObject" and "If-None-Match" in request.headers:
            store.objects["a"] = b"theirs"
        return None

    with odd_store(twist) as (store, fs):
        with pytest.raises(FileExistsError):
            fs.pipe_file("/a", b"ours", mode="create")
        assert store.objects["a"] == b"theirs"


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("answer", REFUSALS)
@pytest.mark.parametrize("fast", [True, False])
def test_reads_without_if_match(answer: str, fast: bool) -> None:
    """Reads are of one version on stores without `If-Match`: the ETag of each answer decides instead."""
    data = bytes(9 * MIB)
    with odd_store(refusing("If-Match", REFUSALS[answer]), **ways(fast)) as (store, fs):
        store.objects["f"] = data
        assert fs.cat_file("/f") == data
        store.heard.clear()
        with fs.open("/f") as file:
            assert file.read() == data
        assert not any("if-match" in heard for heard in store.heard)
        file = fs.open("/f")
        store.objects["f"] = bytes(9 * MIB - 1) + b"x"
        with pytest.raises(FileExpired):
            file.read()


def test_an_object_that_was_replaced_is_no_lack_of_the_store() -> None:
    """Then a 412 means what it says, and the condition is used on."""
    with odd_store() as (store, fs):
        store.objects["f"] = bytes(9 * MIB)
        file = fs.open("/f")
        store.objects["f"] = b"other"
        with pytest.raises(FileExpired):
            file.read()
        store.heard.clear()
        store.objects["f"] = b"1" * 9 * MIB
        assert fs.cat_file("/f") == b"1" * 9 * MIB
        assert any("if-match" in heard for heard in store.heard)


@pytest.mark.parametrize("answer", REFUSALS)
@pytest.mark.parametrize("size", [3, 40 * MIB])
def test_copies_without_a_condition(answer: str, size: int) -> None:
    """The source is looked at after the copy: where it is another one, it is no copy of what was meant."""
    replaced = threading.Event()

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if "x-amz-copy-source-if-match" in request.headers:
            return REFUSALS[answer]
        if operation in ("CopyObject", "UploadPartCopy") and replaced.is_set():
            found = honest()
            store.objects["a"] = b"replaced"
            return found
        return None

    with odd_store(twist, max_concurrency=1) as (store, fs):
        store.objects["a"] = data = bytes(size)
        fs.mv("/a", "/b")
        assert store.objects == {"b": data}
        store.heard.clear()
        fs.cp_file("/b", "/c")
        assert not any("x-amz-copy-source-if-match" in heard for heard in store.heard)
        replaced.set()
        store.objects["a"] = data
        with pytest.raises(OSError, match="replaced|PreconditionFailed"):
            fs.mv("/a", "/d")
        assert store.objects["a"] == b"replaced"


def test_delete_objects_carries_an_md5() -> None:
    """Older stores demand it, and newer SDKs send none of their own accord."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation == "DeleteObjects" and "Content-MD5" not in request.headers:
            return refusal(400, "MissingContentMD5", "Missing required header for this request: Content-Md5.")
        return None

    sent = []

    def body_of(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation == "DeleteObjects":
            sent.append(request.headers["Content-MD5"])
        return twist(store, request, operation, honest)

    with odd_store(body_of) as (store, fs):
        keep = store.DeleteObjects

        def checked(request: Handler, key: str, query: Any, body: bytes) -> Answer:
            assert base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() == sent[-1]
            assert len(keys_of(body)) == 2
            return keep(request, key, query, body)

        store.DeleteObjects = checked
        store.objects |= {"d/a": b"", "d/b": b"", "e": b""}
        fs.rm("/d", recursive=True)
        assert store.objects == {"e": b""}
        assert store.counts["DeleteObject"] == 0


WITHOUT = {
    "501": refusal(501, "NotImplemented"),
    "405": refusal(405, "MethodNotAllowed"),
    "no body": (405, b"", {}),
    "404": refusal(404, "NoSuchKey"),
    "400": refusal(400, "MissingContentMD5"),
}


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("name", WITHOUT)
def test_many_are_deleted_singly_where_there_is_no_delete_objects(name: str) -> None:
    """`rm` of many files works on stores without DeleteObjects, with one request for each, side by side."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation == "DeleteObjects":
            return WITHOUT[name]
        if operation == "DeleteObject" and request.path.endswith("/kept"):
            return refusal(403, "AccessDenied")
        return None

    with odd_store(twist) as (store, fs):
        store.objects |= {f"d/{n}": b"" for n in range(20)} | {"e": b""}
        fs.rm("/d", recursive=True)
        assert store.objects == {"e": b""}
        store.objects |= {"d/a": b"", "d/kept": b""}
        with pytest.raises(BulkError, match="access denied") as error:
            fs.rm("/d", recursive=True)
        assert set(error.value.errors) == {"/d/kept"}
        assert store.objects == {"e": b"", "d/kept": b""}
        assert store.counts["DeleteObjects"] == 1


def test_no_other_key_is_deleted_where_a_url_cannot_name_one() -> None:
    """HTTP clients resolve dots: without DeleteObjects a key that has such components stays, and that is told."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        return WITHOUT["501"] if operation == "DeleteObjects" else None

    with odd_store(twist, rootdirectory="/r") as (store, fs):
        store.objects |= {"r/d/../../x": b"", "r/d/a": b"", "x": b"", "r/x": b""}
        with pytest.raises(BulkError, match="no URL|URL cannot name"):
            fs.rm("/d", recursive=True)
        assert store.objects.keys() == {"r/d/../../x", "x", "r/x"}


@pytest.mark.parametrize("body", [refusal(404, "NoSuchKey"), (404, b"", {})])
def test_a_deletion_that_finds_nothing_is_done(body: Answer) -> None:
    """As to a second try, whose first one's answer was lost."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation != "DeleteObject":
            return None
        honest()
        return body

    with odd_store(twist) as (store, fs):
        store.objects["f"] = b""
        fs.rm("/f")
        assert store.objects == {}


def test_a_404_while_the_object_is_there_is_no_deletion() -> None:
    """A proxy may answer so to whatever it does not know."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        return (404, b"<html>no</html>", {}) if operation == "DeleteObject" else None

    with odd_store(twist) as (store, fs):
        store.objects["f"] = b""
        with pytest.raises(InvalidResponseError, match="status 404"):
            fs.rm_file("/f")


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("left_out", ["Content-Length", "Last-Modified"])
@pytest.mark.parametrize("fast", [True, False])
def test_what_a_head_does_not_tell_a_listing_does(left_out: str, fast: bool) -> None:
    """A size or time that a store's HEAD leaves out is looked up in a listing. Where that has none either, the error
    names the field.
    """

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation != "HeadObject":
            return None
        status, body, headers = honest()
        return status, body, {**headers, left_out: LEFT_OUT}

    with odd_store(twist, **ways(fast)) as (store, fs):
        store.objects |= {"f": b"12345", "f2": b""}
        assert fs.info("/f")["size"] == 5
        assert fs.open("/f").read() == b"12345"
        assert not fs.exists("/g")


def test_a_head_without_an_etag_is_refused_by_name() -> None:
    """No other field stands in for it."""
    for left_out in ("ETag", "ETag Last-Modified Content-Length"):

        def twist(store: OddStore, request: Handler, operation: str, honest: Any, names: str = left_out) -> Any:
            if operation != "HeadObject":
                return None
            status, body, headers = honest()
            return status, body, {**headers, **dict.fromkeys(names.split(), LEFT_OUT)}

        with odd_store(twist) as (store, fs):
            store.objects["f"] = b"12345"
            with pytest.raises(InvalidResponseError, match="answer to HeadObject is none of S3's: it has no"):
                fs.info("/f")


def test_an_expiry_that_is_no_time_is_left_out() -> None:
    """``Expires: 0`` is what many tools write; files that have it are read and copied."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation != "HeadObject":
            return None
        status, body, headers = honest()
        return status, body, {**headers, "Expires": "0", "Cache-Control": "no-cache"}

    with odd_store(twist, **ways(False)) as (store, fs):
        store.objects["f"] = b"12345"
        assert fs.info("/f")["size"] == 5
        fs.touch("/f", truncate=False)
        assert store.heard[-1]["cache-control"] == "no-cache"
        assert "expires" not in store.heard[-1]


def test_a_delete_marker_is_missing() -> None:
    """By its version id, S3 answers 405; that is no operation that a store lacks."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if "versionId" not in request.path:
            return None
        status, body, headers = refusal(405, "MethodNotAllowed")
        return status, b"" if request.command == "HEAD" else body, {**headers, "x-amz-delete-marker": "true"}

    with odd_store(twist) as (store, fs):
        store.objects["f"] = b"12345"
        for call in (fs.info, fs.cat_file):
            with pytest.raises(FileNotFoundError):
                call("/f", version_id="v1")


def test_times_and_etags_of_the_odd_store_are_as_s3s() -> None:
    """So that what the tests above twist is right otherwise."""
    with odd_store() as (store, fs):
        store.objects["f"] = b"1"
        assert fs.info("/f")["ETag"] == etag(b"1")
        assert fs.info("/f")["LastModified"].strftime("%a, %d %b %Y %H:%M:%S GMT") == WHEN
        assert {**fs.ls("/")[0]} == {name: value for name, value in fs.info("/f").items() if name in fs.ls("/")[0]}


@pytest.mark.parametrize("region", ["auto", "zg_x", "eu.dc1", "a:b", "-x", "123"])
@pytest.mark.parametrize("fast", [True, False])
def test_any_region_is_signed_for(region: str, fast: bool) -> None:
    """botocore makes no client of some of these names; to another store they are words in a signature."""
    with odd_store(region=region, **ways(fast)) as (store, fs):
        fs.pipe_file("/f", b"1")
        assert fs.cat_file("/f") == b"1"
        fs.rm("/f")
        for path, heard in zip(store.paths, store.heard, strict=True):
            assert f"/{region}/s3/aws4_request" in unquote(path + heard.get("authorization", ""))
        assert f"/{region}/s3/aws4_request" in unquote(fs.sign("/f"))


def one_size(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
    """R2, which takes parts of one size alone, and a last one that is no larger."""
    if operation != "CompleteMultipartUpload":
        return None
    _, parts = store.uploads[request.path.partition("uploadId=")[2]]
    sizes = [len(parts[number]) for number in sorted(parts)]
    store.sizes.append([size // MIB for size in sizes])
    if len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]:
        return refusal(400, "InvalidPart", "All non-trailing parts must have the same length.")
    return None


def driver_writes(fs: RegistryS3FileSystem, size: int) -> None:
    with StorageDriver(fs).writer("/f") as writer:
        writer.write(bytes(size))
        writer.commit()


def appends(first: int) -> Callable[[RegistryS3FileSystem, int], None]:
    def write(fs: RegistryS3FileSystem, size: int) -> None:
        fs.pipe_file("/f", bytes(first), block_size=5 * 1024 * MIB)
        with fs.open("/f", "ab") as file:
            file.write(bytes(size - first))

    return write


def streams(fs: RegistryS3FileSystem, size: int) -> None:
    with fs.open("/f", "wb") as file:
        for _ in range(size // MIB):
            file.write(bytes(MIB))


PARTS: dict[str, tuple[Callable[[RegistryS3FileSystem, int], None], list[int]]] = {
    "driver": (driver_writes, [10, 10, 10, 2]),
    "stream": (streams, [10, 10, 10, 2]),
    "pipe": (lambda fs, size: fs.pipe_file("/f", bytes(size)), [10, 10, 10, 2]),
    "append to 1 MiB": (appends(MIB), [10, 10, 10, 2]),
    "append to 7 MiB": (appends(7 * MIB), [10, 10, 10, 2]),
    "append to 10 MiB": (appends(10 * MIB), [10, 10, 10, 2]),
    "append to 27 MiB": (appends(27 * MIB), [10, 10, 10, 2]),
}


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("name", PARTS)
def test_parts_of_one_upload_have_one_size_but_the_last(name: str) -> None:
    """All parts of one upload have one size but the last, which is no larger. Only a stream that outgrows 5,000 parts
    gets larger ones.

    A file of 32 MiB is written in each way.
    """
    write, sizes = PARTS[name]
    with odd_store(one_size) as (store, fs):
        write(fs, 32 * MIB)
        assert store.sizes == [sizes]
        assert store.objects == {"f": bytes(32 * MIB)}


def test_a_copy_has_parts_of_one_size() -> None:
    """The last one is smaller."""
    with odd_store(one_size) as (store, fs):
        store.objects["f"] = bytes(70 * MIB)
        fs.cp_file("/f", "/g")
        assert store.sizes == [[32, 32, 6]]


def test_a_writer_that_goes_on_makes_parts_of_one_size() -> None:
    """Behind a part that is too small, what is there is copied in parts of one size."""
    with odd_store(one_size) as (store, fs):
        with StorageDriver(fs).writer("/f") as writer:
            writer.write(bytes(23 * MIB))
        with StorageDriver(fs).writer("/f", append=True) as writer:
            writer.write(bytes(9 * MIB))
            writer.commit()
        assert store.sizes == [[10, 10, 3], [10, 10, 10, 2]]
        assert store.objects == {"f": bytes(32 * MIB)}


def test_parts_that_are_refused_say_what_to_do() -> None:
    """A writer that was closed behind 7 MiB of a part goes on behind them: on such a store, the error tells."""
    with odd_store(one_size) as (_, fs):
        with StorageDriver(fs).writer("/f") as writer:
            writer.write(bytes(17 * MIB))
        with StorageDriver(fs).writer("/f", append=True) as writer:
            writer.write(bytes(20 * MIB))
            with pytest.raises(OSError, match="larger chunksize.*must have the same length"):
                writer.commit()


def test_an_append_to_a_large_file_works_without_upload_part_copy() -> None:
    """What is there is read and sent, in an upload of its own: rclone takes each part once, be it an empty one."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation not in ("UploadPartCopy", "UploadPart"):
            return None
        query = parse_qs(urlsplit(request.path).query)
        number, name = int(query["partNumber"][0]), query["uploadId"][0]
        if number in store.uploads[name][1]:
            return refusal(501, "NotImplemented", "part has already been streamed")
        if operation == "UploadPart":
            return None
        store.uploads[name][1][number] = b""
        return 200, b"", {"ETag": etag(b"")}

    with odd_store(twist) as (store, fs):
        store.objects["f"] = data = bytes(27 * MIB) + b"x"
        with fs.open("/f", "ab") as file:
            file.write(b"more")
        assert store.objects["f"] == data + b"more"
        assert store.uploads == {}
