"""Documents of S3's kind that are not the answer: of another root, about another thing, with an element twice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import InvalidResponseError
from testbed.messages import Answer, Request
from testbed.plain_answers import entry, plain, refusal, xml
from testbed.s3_memory import Part, Upload, md5
from testbed.scripted_store import ScriptedStore
from tests.odd_store import Twist, instead, odd_store, source_etag, ways

MIB = 1024 * 1024
both_ways = pytest.mark.parametrize("fast", [True, False], ids=["fast", "boto3"])

MOVES: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "mv": lambda fs: fs.mv("/a", "/t"),
    "rename": lambda fs: fs.rename("/a", "/t"),
    "mv of a list": lambda fs: fs.mv(["/a"], ["/t"]),
    "driver's move": lambda fs: StorageDriver(fs).move("/a", "/t"),
}


def rooted(root: str) -> Twist:
    """A store that copies nothing, and says so with this document and the source's own ETag."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation not in ("CopyObject", "UploadPartCopy"):
            return None
        return xml(root, f"<ETag>{source_etag(store, request)}</ETag>")

    return twist


@pytest.mark.parametrize("root", ["Foo", "Result", "PutObjectResult", "CopyPartResult"])
@pytest.mark.parametrize("move", MOVES)
def test_a_copy_is_confirmed_by_its_own_document_alone(move: str, root: str) -> None:
    """An ETag in any other one is no proof: the source stays."""
    with odd_store(rooted(root)) as (store, fs):
        store.fill({"a": b"precious"})
        with pytest.raises(OSError, match="CopyObject is none of S3's"):
            MOVES[move](fs)
        assert store.contents()["a"] == b"precious"


@pytest.mark.parametrize("stored", [b"", None, b"less"], ids=["empty", "missing", "less"])
@pytest.mark.parametrize("move", MOVES)
def test_a_copy_in_parts_is_looked_at_before_its_source_goes(move: str, stored: bytes | None) -> None:
    """A store may put together less than the parts that it has."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "CompleteMultipartUpload":
            return None
        answer = store.carry_out(request)
        del store.s3.objects["t"]
        if stored is not None:
            store.fill({"t": stored})
        return answer

    options = {"multipartcopythresholdsize": MIB, "multipartcopychunksize": 5 * MIB}
    with odd_store(twist, **options) as (store, fs):
        data = b"p" * (6 * MIB)
        store.fill({"a": data})
        with pytest.raises(OSError, match="CompleteMultipartUpload stored"):
            MOVES[move](fs)
        assert store.contents()["a"] == data


COMPLETED = {
    "another root": xml("Foo", '<Key>f</Key><ETag>"e"</ETag>'),
    "two ETags": xml("CompleteMultipartUploadResult", "<Key>f</Key><ETag>a</ETag><ETag>b</ETag>"),
    "another object": xml("CompleteMultipartUploadResult", '<Key>other</Key><ETag>"e"</ETag>'),
    "an element in the ETag": xml("CompleteMultipartUploadResult", "<ETag><x/></ETag>"),
    "an error with two codes": xml("Error", "<Code>InternalError</Code><Code>B</Code>"),
}


@pytest.mark.parametrize("kind", COMPLETED)
def test_a_completion_is_confirmed_by_its_own_document_alone(kind: str) -> None:
    """A file of parts is not closed well otherwise."""
    with odd_store(instead("CompleteMultipartUpload", COMPLETED[kind])) as (_, fs):
        with pytest.raises(OSError, match="none of S3's"):
            fs.pipe("/f", b"x" * (11 * MIB))
        assert not fs.exists("/f")


def unfinished(data: bytes) -> Upload:
    """Of /w, with one part."""
    return Upload("w", parts={1: Part(data, md5(data))})


PARTS = {
    "nothing in it": "",
    "another upload": "<Key>w</Key><UploadId>other</UploadId><IsTruncated>false</IsTruncated>",
    "another object": "<Key>zz</Key><IsTruncated>false</IsTruncated>",
    "an odd flag": "<UploadId>upload-0</UploadId><IsTruncated>True</IsTruncated>",
    "a number beyond S3's": "<UploadId>upload-0</UploadId><Part><PartNumber>10001</PartNumber><ETag>e</ETag>"
    "<Size>1</Size></Part>",
}


@pytest.mark.parametrize("kind", PARTS)
def test_an_upload_is_gone_on_with_by_its_own_parts_alone(kind: str) -> None:
    """Parts that a listing does not tell of would be lost with the commit."""
    with odd_store(instead("ListParts", xml("ListPartsResult", PARTS[kind]))) as (store, fs):
        store.s3.uploads["upload-0"] = unfinished(b"x" * (5 * MIB))
        with pytest.raises(OSError, match="ListParts is none of S3's"):
            StorageDriver(fs).writer("/w", append=True)
        assert store.s3.uploads["upload-0"].parts


VERSIONED: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "cat_file": lambda fs: fs.cat_file("/a", version_id="v1"),
    "a range": lambda fs: fs.cat_file("/a", 1, 2, version_id="v1"),
    "open": lambda fs: fs.open("/a", version_id="v1").read(),
    "info": lambda fs: fs.info("/a", version_id="v1"),
}


@both_ways
@pytest.mark.parametrize("call", VERSIONED)
def test_a_version_is_the_one_that_was_asked_for(call: str, fast: bool) -> None:
    """A cache that drops the query gives the newest one's bytes."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation not in ("GetObject", "HeadObject"):
            return None
        return store.carry_out(request).with_header("x-amz-version-id", "v2")

    with odd_store(twist, **ways(fast)) as (store, fs):
        store.fill({"a": b"of another version"})
        with pytest.raises(InvalidResponseError, match="version 'v2', where 'v1' was asked for"):
            VERSIONED[call](fs)


def partial(status: int) -> Twist:
    """The first 100 bytes whatever is asked for, and no word of which they are."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "GetObject":
            return None
        data = store.contents()["a"]
        return plain(status, data[:100], {"ETag": md5(data)})

    return twist


@both_ways
@pytest.mark.parametrize(("status", "count"), [(200, 100), (206, 100), (206, 200)])
def test_the_last_bytes_are_not_those_of_which_nobody_says_so(count: int, status: int, fast: bool) -> None:
    """As many as were asked for, or fewer, from the object's beginning."""
    with odd_store(partial(status), **ways(fast)) as (store, fs):
        store.fill({"a": bytes(range(250)) * 4})
        with pytest.raises(OSError, match=r"\S"):
            fs.tail("/a", count)


@both_ways
def test_a_partial_answer_to_a_request_for_all_is_refused(fast: bool) -> None:
    """Where checksums are compared, an object is asked for without a range."""
    options = ways(fast)
    options["config_kwargs"] |= {"response_checksum_validation": "when_supported"}
    with odd_store(partial(206), **options) as (store, fs):
        store.fill({"a": bytes(1000)})
        for call in (fs.cat_file, fs.cat):
            with pytest.raises(OSError, match="it has no ContentRange"):
                call("/a")


@both_ways
@pytest.mark.parametrize("flag", ["True", "1", "TRUE", "", "yes"])
def test_a_flag_that_is_none_is_no_end_of_a_listing(flag: str, fast: bool) -> None:
    """What follows would be neither listed nor deleted."""
    page = xml("ListBucketResult", f"<IsTruncated>{flag}</IsTruncated>" + entry("d/a"))
    with odd_store(instead("ListObjectsV2", page), **ways(fast)) as (_, fs):
        for call in (fs.find, fs.ls, lambda path: fs.rm(path, recursive=True), StorageDriver(fs).delete):
            with pytest.raises(OSError, match="IsTruncated is"):
                call("/d")


EMPTY = {
    "of another prefix": "<Prefix>other/</Prefix><IsTruncated>false</IsTruncated>",
    "that counts names": "<KeyCount>3</KeyCount><IsTruncated>false</IsTruncated>",
    "that says nothing": "",
}


@pytest.mark.parametrize("kind", EMPTY)
def test_an_empty_page_is_believed_where_nothing_speaks_against_it(kind: str) -> None:
    """It makes directories vanish."""
    with odd_store(instead("ListObjectsV2", xml("ListBucketResult", EMPTY[kind]))) as (store, fs):
        store.fill({"d/a": b"1"})
        for call in (fs.exists, fs.rmdir, fs.find):
            with pytest.raises(InvalidResponseError):
                call("/d")


ODD_TAGS = {
    "none at all": "",
    "a value twice": "<TagSet><Tag><Key>a</Key><Value>b</Value><Value>c</Value></Tag></TagSet>",
}


@pytest.mark.parametrize("kind", ODD_TAGS)
def test_tags_that_were_not_told_are_not_replaced(kind: str) -> None:
    """`put_tags` with mode "m" keeps those that are there, so it must know them."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if "tagging" not in request.target:
            return None
        return xml("Tagging", ODD_TAGS[kind])

    with odd_store(twist) as (store, fs):
        store.fill({"a": b"1"})
        with pytest.raises(InvalidResponseError, match="GetObjectTagging is none of S3's"):
            fs.put_tags("/a", {"new": "1"}, mode="m")
        assert store.counts["GetObjectTagging"]
        assert not store.counts["PutObjectTagging"]


def going_round(kind: str) -> Twist:
    """Pages that always begin with a new name, and go on with old ones."""
    count = 0

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        nonlocal count
        count += 1
        more, token = "<IsTruncated>true</IsTruncated>", f"<NextContinuationToken>{count}</NextContinuationToken>"
        if kind == "keys" and request.operation == "ListObjectsV2":
            old = "d/zzz" if count % 2 else "d/yyy"
            return xml("ListBucketResult", more + token + entry(f"d/{count:05}") + entry(old))
        if kind == "a key that comes before" and request.operation == "ListObjectsV2":
            return xml("ListBucketResult", more + token + entry(f"d/{count:05}") + entry("d/!"))
        if kind == "parts" and request.operation == "ListParts":
            number = min(count, 9000)
            rows = "".join(
                f"<Part><PartNumber>{each}</PartNumber><ETag>e</ETag><Size>1</Size></Part>" for each in (number, 9999)
            )
            marker = f"<NextPartNumberMarker>{count}</NextPartNumberMarker>"
            return xml("ListPartsResult", f"<UploadId>upload-0</UploadId>{more}{marker}{rows}")
        if kind == "uploads" and request.operation == "ListMultipartUploads":
            rows = "".join(
                f"<Upload><Key>w</Key><UploadId>{each}</UploadId></Upload>" for each in (f"new-{count}", "old")
            )
            return xml("ListMultipartUploadsResult", f"{more}<NextKeyMarker>w{count}</NextKeyMarker>{rows}")
        return None

    return twist


ROUNDS: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "keys": lambda fs: fs.find("/d"),
    "a key that comes before": lambda fs: fs.find("/d"),
    "parts": lambda fs: StorageDriver(fs).writer("/w", append=True),
    "uploads": lambda fs: fs.list_multipart_uploads(),
}


@pytest.mark.parametrize("kind", ROUNDS)
def test_a_listing_that_goes_round_is_noticed(kind: str) -> None:
    """By the names that come again, wherever they stand in a page."""
    with odd_store(going_round(kind)) as (store, fs):
        store.s3.uploads["upload-0"] = unfinished(b"1")
        with pytest.raises(OSError, match="never ends"):
            ROUNDS[kind](fs)
        assert len(store.requests) < 12


def test_a_walk_of_directories_without_end_ends() -> None:
    """No key has more than 1,024 bytes."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "ListObjectsV2":
            return None
        prefix = request.query["prefix"]
        return xml("ListBucketResult", f"<CommonPrefixes><Prefix>{prefix}x/</Prefix></CommonPrefixes>")

    with odd_store(twist) as (_, fs), pytest.raises(OSError, match="longer than any key"):
        list(fs.walk("/" + "d" * 600, on_error="raise"))


ODD_ERRORS = {
    "two codes": "<Code>NoSuchKey</Code><Code>B</Code>",
    "an element in the code": "<Code><x/></Code>",
    "two messages": "<Code>Odd</Code><Message>a</Message><Message>b</Message>",
}
CALLS: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "ls": lambda fs: fs.ls("/d"),
    "pipe": lambda fs: fs.pipe("/n", b"x"),
    "exclusive": lambda fs: fs.pipe("/n", b"x", mode="create"),
    "rm": lambda fs: fs.rm(["/a", "/d/x"]),
    "cp": lambda fs: fs.cp_file("/a", "/z"),
    "cat": lambda fs: fs.cat("/a"),
    "parts": lambda fs: fs.pipe("/n", b"x" * (11 * MIB)),
    "tags": lambda fs: fs.get_tags("/a"),
}
OPERATIONS = {
    "ls": "ListObjectsV2", "pipe": "PutObject", "exclusive": "PutObject", "rm": "DeleteObjects", "cp": "CopyObject",
    "cat": "GetObject", "parts": "CreateMultipartUpload", "tags": "GetObjectTagging",
}  # fmt: skip


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409, 501])
@pytest.mark.parametrize("kind", ODD_ERRORS)
def test_an_error_with_an_element_twice_is_told_by_its_status(kind: str, status: int) -> None:
    """It is an error of ours, whatever its document is."""
    for name, call in CALLS.items():
        if name == "rm" and status in (404, 501):  # a store without DeleteObjects
            continue
        bad = xml("Error", ODD_ERRORS[kind], status)
        with odd_store(instead(OPERATIONS[name], bad)) as (store, fs):
            store.fill({"a": b"1", "d/x": b"2"})
            with pytest.raises((OSError, ValueError), match=r"\S") as error:
                call(fs)
            assert type(error.value).__module__ in ("registry_s3fs.errors", "builtins")
            assert type(error.value) not in (ValueError, TypeError)


def test_a_deletion_that_names_two_keys_at_once_is_refused() -> None:
    """It proves neither."""
    odd = xml("DeleteResult", "<Deleted><Key>a</Key><Key>b</Key></Deleted>")
    with odd_store(instead("DeleteObjects", odd)) as (store, fs):
        store.fill({"a": b"1", "b": b"2"})
        with pytest.raises(OSError, match="DeleteObjects is none of S3's"):
            fs.rm(["/a", "/b"])


@pytest.mark.parametrize("operation", ["DeleteObjects", "PutObject"])
def test_status_501_is_unsupported_whatever_the_code(operation: str) -> None:
    """Bulk calls and conditions are done by other means then."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        exclusive = request.operation == "PutObject" and request.header("If-None-Match")
        unknown = request.operation == "DeleteObjects" or exclusive
        return refusal(501, "Weird") if unknown else None

    with odd_store(twist) as (store, fs):
        store.fill({"a": b"1", "b": b"2"})
        if operation == "DeleteObjects":
            fs.rm(["/a", "/b"])
            assert not store.contents()
        else:
            with fs.open("/new", "xb") as file:
                file.write(b"1")
            assert store.contents()["new"] == b"1"


@both_ways
@pytest.mark.parametrize("place", ["<Code>Odd</Code><Message>{}</Message>", "<Code>{}</Code>"])
def test_a_token_that_a_server_repeats_is_masked(
    place: str, fast: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a name beside it, too, in the error and in what led to it, wherever it is from."""
    token = "FwoGZXIvYXdzEBYaDHqa0AP1rmcgjJ3ntest"
    keys = {"AWS_ACCESS_KEY_ID": "TESTACCESSKEY0000001", "AWS_SECRET_ACCESS_KEY": "s" * 20, "AWS_SESSION_TOKEN": token}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    bad = xml("Error", place.format(token), 400)
    with (
        odd_store(instead("PutObject", bad), sessiontoken=token) as (_, fs),
        pytest.raises(OSError, match=r"\S") as error,
    ):
        fs.pipe("/a", b"1")
    assert token not in str(error.value)
    assert token not in str(error.value.__cause__)
    assert token not in repr(error.value.__cause__)
    assert token not in caplog.text


def test_a_negative_chunk_is_a_broken_body() -> None:
    """http.client takes a sign for part of a chunk's size."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "GetObject":
            return None
        headers = {"ETag": md5(b"hello"), "Content-Range": "bytes 0-4/5", "Transfer-Encoding": "chunked"}
        return plain(206, b"-5\r\nhello\r\n0\r\n\r\n", headers)

    with odd_store(twist) as (store, fs):
        store.fill({"a": b"hello"})
        with pytest.raises(ConnectionError, match=r"\S"):
            fs.cat_file("/a")


@pytest.mark.parametrize("version_id", ["null", "v1"])
def test_a_version_copied_onto_itself_never_empties_it(version_id: str) -> None:
    """Where there are no versions, or the store does not say which one this is, it may be the only copy."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "CopyObject":
            return None
        answer = store.carry_out(request)
        store.fill({"f": b""})
        return answer

    with odd_store(twist) as (store, fs):
        store.fill({"f": b"precious"})
        fs.cp_file("/f", "/f", version_id=version_id)
        assert store.contents()["f"] == b"precious"


def test_a_key_longer_than_s3s_is_listed() -> None:
    """Stores on file systems have them."""
    with odd_store() as (store, fs):
        store.fill({"d/" + "x" * 1100: b"1", "d/a": b"2"})
        assert len(fs.ls("/d")) == len(fs.find("/d")) == 2
