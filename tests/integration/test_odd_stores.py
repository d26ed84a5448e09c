"""Stores that lack a condition, a checksum or an operation: the same promise by other means, or an error says so."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import BulkError, FileExpired, InvalidResponseError
from testbed.messages import Answer, Request
from testbed.plain_answers import plain, refusal
from testbed.s3_memory import Part, md5
from testbed.scripted_store import ScriptedStore
from tests.odd_store import Twist, odd_store, ways

MIB = 1024 * 1024


def refusing(header: str, answer: Answer) -> Twist:
    """A store that refuses a condition, whether or not it holds."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        return answer if request.header(header) else None

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
        assert {key: len(data) for key, data in store.contents().items()} == {"a": 1, "b": 6 * MIB, "c": 3}
        assert sum(bool(request.header("if-none-match")) for request in store.requests) == 1
        for path in ("/a", "/b"):
            with pytest.raises(FileExistsError):
                fs.pipe_file(path, b"2", mode="create")
        assert store.contents()["a"] == b"1"
        assert store.s3.uploads == {}


def test_exclusive_creation_keeps_what_came_meanwhile() -> None:
    """A 412 because somebody else wrote it is no lack of the store's."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation == "PutObject" and request.header("If-None-Match"):
            store.fill({"a": b"theirs"})
        return None

    with odd_store(twist) as (store, fs):
        with pytest.raises(FileExistsError):
            fs.pipe_file("/a", b"ours", mode="create")
        assert store.contents()["a"] == b"theirs"


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("answer", REFUSALS)
@pytest.mark.parametrize("fast", [True, False])
def test_reads_without_if_match(answer: str, fast: bool) -> None:
    """Reads are of one version on stores without `If-Match`: the ETag of each answer decides instead."""
    data = bytes(9 * MIB)
    with odd_store(refusing("If-Match", REFUSALS[answer]), **ways(fast)) as (store, fs):
        store.fill({"f": data})
        assert fs.cat_file("/f") == data
        store.requests.clear()
        with fs.open("/f") as file:
            assert file.read() == data
        assert not any(request.header("if-match") for request in store.requests)
        file = fs.open("/f")
        store.fill({"f": bytes(9 * MIB - 1) + b"x"})
        with pytest.raises(FileExpired):
            file.read()


def test_an_object_that_was_replaced_is_no_lack_of_the_store() -> None:
    """Then a 412 means what it says, and the condition is used on."""
    with odd_store() as (store, fs):
        store.fill({"f": bytes(9 * MIB)})
        file = fs.open("/f")
        store.fill({"f": b"other"})
        with pytest.raises(FileExpired):
            file.read()
        store.requests.clear()
        store.fill({"f": b"1" * 9 * MIB})
        assert fs.cat_file("/f") == b"1" * 9 * MIB
        assert any(request.header("if-match") for request in store.requests)


@pytest.mark.parametrize("answer", REFUSALS)
@pytest.mark.parametrize("size", [3, 40 * MIB])
def test_copies_without_a_condition(answer: str, size: int) -> None:
    """The source is looked at after the copy: where it is another one, it is no copy of what was meant."""
    replaced = threading.Event()

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.header("x-amz-copy-source-if-match"):
            return REFUSALS[answer]
        if request.operation in ("CopyObject", "UploadPartCopy") and replaced.is_set():
            found = store.carry_out(request)
            store.fill({"a": b"replaced"})
            return found
        return None

    with odd_store(twist, max_concurrency=1) as (store, fs):
        data = bytes(size)
        store.fill({"a": data})
        fs.mv("/a", "/b")
        assert store.contents() == {"b": data}
        store.requests.clear()
        fs.cp_file("/b", "/c")
        assert not any(request.header("x-amz-copy-source-if-match") for request in store.requests)
        replaced.set()
        store.fill({"a": data})
        with pytest.raises(OSError, match="replaced|PreconditionFailed"):
            fs.mv("/a", "/d")
        assert store.contents()["a"] == b"replaced"


def test_delete_objects_carries_an_md5() -> None:
    """Older stores demand it, and newer SDKs send none of their own accord."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation == "DeleteObjects" and not request.header("Content-MD5"):
            return refusal(400, "MissingContentMD5", "Missing required header for this request: Content-Md5.")
        return None

    with odd_store(twist) as (store, fs):
        store.fill({"d/a": b"", "d/b": b"", "e": b""})
        fs.rm("/d", recursive=True)
        assert store.contents() == {"e": b""}
        (sent,) = store.of("DeleteObjects")
        digest = hashlib.md5(sent.body, usedforsecurity=False).digest()
        assert base64.b64decode(sent.header("Content-MD5")) == digest
        assert sent.body.count(b"<Key>") == 2
        assert store.counts["DeleteObject"] == 0


WITHOUT = {
    "501": refusal(501, "NotImplemented"),
    "405": refusal(405, "MethodNotAllowed"),
    "no body": plain(405),
    "404": refusal(404, "NoSuchKey"),
    "400": refusal(400, "MissingContentMD5"),
}


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("name", WITHOUT)
def test_many_are_deleted_singly_where_there_is_no_delete_objects(name: str) -> None:
    """`rm` of many files works on stores without DeleteObjects, with one request for each, side by side."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation == "DeleteObjects":
            return WITHOUT[name]
        if request.operation == "DeleteObject" and request.target.endswith("/kept"):
            return refusal(403, "AccessDenied")
        return None

    with odd_store(twist) as (store, fs):
        store.fill({f"d/{n}": b"" for n in range(20)} | {"e": b""})
        fs.rm("/d", recursive=True)
        assert store.contents() == {"e": b""}
        store.fill({"d/a": b"", "d/kept": b""})
        with pytest.raises(BulkError, match="access denied") as error:
            fs.rm("/d", recursive=True)
        assert set(error.value.errors) == {"/d/kept"}
        assert store.contents() == {"e": b"", "d/kept": b""}
        assert store.counts["DeleteObjects"] == 1


def test_no_other_key_is_deleted_where_a_url_cannot_name_one() -> None:
    """HTTP clients resolve dots: without DeleteObjects a key that has such components stays, and that is told."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        return WITHOUT["501"] if request.operation == "DeleteObjects" else None

    with odd_store(twist, rootdirectory="/r") as (store, fs):
        store.fill({"r/d/../../x": b"", "r/d/a": b"", "x": b"", "r/x": b""})
        with pytest.raises(BulkError, match="no URL|URL cannot name"):
            fs.rm("/d", recursive=True)
        assert store.contents().keys() == {"r/d/../../x", "x", "r/x"}


@pytest.mark.parametrize("body", [refusal(404, "NoSuchKey"), plain(404)])
def test_a_deletion_that_finds_nothing_is_done(body: Answer) -> None:
    """As to a second try, whose first one's answer was lost."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "DeleteObject":
            return None
        store.carry_out(request)
        return body

    with odd_store(twist) as (store, fs):
        store.fill({"f": b""})
        fs.rm("/f")
        assert store.contents() == {}


def test_a_404_while_the_object_is_there_is_no_deletion() -> None:
    """A proxy may answer so to whatever it does not know."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        return plain(404, b"<html>no</html>") if request.operation == "DeleteObject" else None

    with odd_store(twist) as (store, fs):
        store.fill({"f": b""})
        with pytest.raises(InvalidResponseError, match="status 404"):
            fs.rm_file("/f")


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("left_out", ["Content-Length", "Last-Modified"])
@pytest.mark.parametrize("fast", [True, False])
def test_what_a_head_does_not_tell_a_listing_does(left_out: str, fast: bool) -> None:
    """A size or time that a store's HEAD leaves out is looked up in a listing. Where that has none either, the error
    names the field.
    """

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "HeadObject":
            return None
        return store.carry_out(request).with_header(left_out, None)

    with odd_store(twist, **ways(fast)) as (store, fs):
        store.fill({"f": b"12345", "f2": b""})
        assert fs.info("/f")["size"] == 5
        assert fs.open("/f").read() == b"12345"
        assert not fs.exists("/g")


def test_a_head_without_an_etag_is_refused_by_name() -> None:
    """No other field stands in for it."""
    for left_out in ("ETag", "ETag Last-Modified Content-Length"):

        def twist(store: ScriptedStore, request: Request, names: str = left_out) -> Answer | None:
            if request.operation != "HeadObject":
                return None
            answer = store.carry_out(request)
            return replace(answer, headers=tuple(each for each in answer.headers if each[0] not in names.split()))

        with odd_store(twist) as (store, fs):
            store.fill({"f": b"12345"})
            with pytest.raises(InvalidResponseError, match="answer to HeadObject is none of S3's: it has no"):
                fs.info("/f")


def test_an_expiry_that_is_no_time_is_left_out() -> None:
    """``Expires: 0`` is what many tools write; files that have it are read and copied."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "HeadObject":
            return None
        return store.carry_out(request).with_header("Expires", "0").with_header("Cache-Control", "no-cache")

    with odd_store(twist, **ways(False)) as (store, fs):
        store.fill({"f": b"12345"})
        assert fs.info("/f")["size"] == 5
        fs.touch("/f", truncate=False)
        assert store.requests[-1].header("Cache-Control") == "no-cache"
        assert not store.requests[-1].header("Expires")


def test_a_delete_marker_is_missing() -> None:
    """By its version id, S3 answers 405; that is no operation that a store lacks."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if "versionId" not in request.target:
            return None
        return refusal(405, "MethodNotAllowed", **{"x-amz-delete-marker": "true"})

    with odd_store(twist) as (store, fs):
        store.fill({"f": b"12345"})
        for call in (fs.info, fs.cat_file):
            with pytest.raises(FileNotFoundError):
                call("/f", version_id="v1")


@pytest.mark.parametrize("region", ["auto", "zg_x", "eu.dc1", "a:b", "-x", "123"])
@pytest.mark.parametrize("fast", [True, False])
def test_any_region_is_signed_for(region: str, fast: bool) -> None:
    """botocore makes no client of some of these names; to another store they are words in a signature."""
    with odd_store(region=region, **ways(fast)) as (store, fs):
        fs.pipe_file("/f", b"1")
        assert fs.cat_file("/f") == b"1"
        fs.rm("/f")
        for request in store.requests:
            assert f"/{region}/s3/aws4_request" in unquote(request.target + request.header("Authorization"))
        assert f"/{region}/s3/aws4_request" in unquote(fs.sign("/f"))


class OneSize:
    """R2, which takes parts of one size alone, and a last one that is no larger; keeps the sizes in MiB."""

    def __init__(self) -> None:
        self.sizes: list[list[int]] = []

    def __call__(self, store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "CompleteMultipartUpload":
            return None
        parts = store.s3.uploads[request.query["uploadId"]].parts
        sizes = [len(parts[number].data) for number in sorted(parts)]
        self.sizes.append([size // MIB for size in sizes])
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
    one_size = OneSize()
    with odd_store(one_size) as (store, fs):
        write(fs, 32 * MIB)
        assert one_size.sizes == [sizes]
        assert store.contents() == {"f": bytes(32 * MIB)}


def test_a_copy_has_parts_of_one_size() -> None:
    """The last one is smaller."""
    one_size = OneSize()
    with odd_store(one_size) as (store, fs):
        store.fill({"f": bytes(70 * MIB)})
        fs.cp_file("/f", "/g")
        assert one_size.sizes == [[32, 32, 6]]


def test_a_writer_that_goes_on_makes_parts_of_one_size() -> None:
    """Behind a part that is too small, what is there is copied in parts of one size."""
    one_size = OneSize()
    with odd_store(one_size) as (store, fs):
        with StorageDriver(fs).writer("/f") as writer:
            writer.write(bytes(23 * MIB))
        with StorageDriver(fs).writer("/f", append=True) as writer:
            writer.write(bytes(9 * MIB))
            writer.commit()
        assert one_size.sizes == [[10, 10, 3], [10, 10, 10, 2]]
        assert store.contents() == {"f": bytes(32 * MIB)}


def test_parts_that_are_refused_say_what_to_do() -> None:
    """A writer that was closed behind 7 MiB of a part goes on behind them: on such a store, the error tells."""
    with odd_store(OneSize()) as (_, fs):
        with StorageDriver(fs).writer("/f") as writer:
            writer.write(bytes(17 * MIB))
        with StorageDriver(fs).writer("/f", append=True) as writer:
            writer.write(bytes(20 * MIB))
            with pytest.raises(OSError, match="larger chunksize.*must have the same length"):
                writer.commit()


def test_an_append_to_a_large_file_works_without_upload_part_copy() -> None:
    """What is there is read and sent, in an upload of its own: rclone takes each part once, be it an empty one."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation not in ("UploadPartCopy", "UploadPart"):
            return None
        number, upload = int(request.query["partNumber"]), store.s3.uploads[request.query["uploadId"]]
        if number in upload.parts:
            return refusal(501, "NotImplemented", "part has already been streamed")
        if request.operation == "UploadPart":
            return None
        parts = {**upload.parts, number: Part(b"", md5(b""))}
        store.s3.uploads[request.query["uploadId"]] = replace(upload, parts=parts)
        return plain(200, b"", {"ETag": md5(b"")})

    with odd_store(twist) as (store, fs):
        data = bytes(27 * MIB) + b"x"
        store.fill({"f": data})
        with fs.open("/f", "ab") as file:
            file.write(b"more")
        assert store.contents()["f"] == data + b"more"
        assert store.s3.uploads == {}
