"""Calls on many keys, where the server is dead, or refuses some, or the credentials give out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BulkError
from testbed.messages import Answer, Pause, Silence
from testbed.plain_answers import plain
from testbed.scripted_store import ScriptedStore

KEYS = [f"k{number:03}" for number in range(120)]
PATHS = [f"/{key}" for key in KEYS]


@pytest.fixture
def store() -> Iterator[ScriptedStore]:
    with ScriptedStore({key: key.encode() for key in KEYS}) as found:
        yield found


def filesystem(store: ScriptedStore, **options: Any) -> RegistryS3FileSystem:
    config = {"read_timeout": 0.5, "retries": {"total_max_attempts": 2}}
    options = {"max_concurrency": 4, "config_kwargs": config, **options}
    return RegistryS3FileSystem(**store.options(**options), skip_instance_cache=True)


MANY: dict[str, Callable[[RegistryS3FileSystem, Path], Any]] = {
    "cat": lambda fs, local: fs.cat(PATHS, on_error="return"),
    "cat_ranges": lambda fs, local: fs.cat_ranges(PATHS, [0] * len(PATHS), [2] * len(PATHS)),
    "get": lambda fs, local: fs.get(PATHS, [str(local / key) for key in KEYS]),
    "pipe": lambda fs, local: fs.pipe(dict.fromkeys(PATHS, b"1")),
}


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("call", MANY)
def test_a_server_that_falls_silent_is_not_waited_for_by_each_of_many(
    store: ScriptedStore, tmp_path: Path, call: str, fast: bool
) -> None:
    """A server that falls silent is not waited for by each of many files. Files that were not begun have the same
    error, without a request.
    """
    fs = filesystem(store, fast_path=fast)
    operation = "PutObject" if call == "pipe" else "GetObject"
    store.script(operation, [Silence()])
    try:
        found = MANY[call](fs, tmp_path)
        errors = list(found.values() if isinstance(found, dict) else found)
    except BulkError as failed:
        errors = list(failed.errors.values())
    assert len(errors) == len(KEYS)
    assert all(isinstance(error, TimeoutError) for error in errors)
    assert len(store.of(operation)) <= 4 * 2 + 8
    assert not list(tmp_path.iterdir())


def test_get_of_what_is_missing_where_listings_are_denied(store: ScriptedStore, tmp_path: Path) -> None:
    """It may be a directory, which cannot be told. All others are fetched."""
    fs = filesystem(store)
    store.script("ListObjectsV2", plain(403))
    store.script("HeadObject", plain(404))
    paths = ["/none1", *PATHS[:20], "/none2"]
    with pytest.raises(BulkError) as failed:
        fs.get(paths, [str(tmp_path / path[1:]) for path in paths])
    assert set(failed.value.errors) == {"/none1", "/none2"}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {key: key.encode() for key in KEYS[:20]}


def test_a_range_that_cannot_be_told_from_the_end_is_one_error_of_many(store: ScriptedStore) -> None:
    """A store says that it has nothing of the range, and does not give the object's size."""
    store.script("GetObject", plain(416), key="k001")
    store.script("HeadObject", plain(403), key="k001")
    found = filesystem(store).cat_ranges(PATHS[:6], [1] * 6, [3] * 6)
    assert isinstance(found.pop(1), PermissionError)
    assert found == [b"00"] * 5


def test_get_makes_a_directory_of_what_is_one(store: ScriptedStore, tmp_path: Path) -> None:
    """As fsspec does, beside the files."""
    store.s3.store("d/e", b"1")
    fs = filesystem(store)
    fs.get(["/d", "/k000"], [str(tmp_path / "d"), str(tmp_path / "k")])
    assert (tmp_path / "d").is_dir()
    assert (tmp_path / "k").read_bytes() == b"k000"


def test_get_of_one_file_is_the_requests_of_its_bytes(store: ScriptedStore, tmp_path: Path) -> None:
    """It is not asked first whether the name is a directory's, which `get` leaves out without a local one."""
    store.s3.store("d/e", b"1")
    fs = filesystem(store)
    fs.get("/k000", str(tmp_path / "k"))
    assert (tmp_path / "k").read_bytes() == b"k000"
    assert [request.operation for request in store.requests] == ["GetObject"]
    fs.get("/d", str(tmp_path / "d"))
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


@pytest.mark.parametrize("call", MANY)
def test_credentials_that_give_out_are_each_ones_error(
    store: ScriptedStore, tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fetched or stored before is, and none of botocore's exceptions leaves."""
    fs = filesystem(store)
    signer = fs.bucket.fast_path.signer
    keys, asked = signer.keys, []

    def give_out() -> Any:
        asked.append(1)
        if len(asked) > 40:
            raise NoCredentialsError
        return keys()

    monkeypatch.setattr(signer, "keys", give_out)
    try:
        found = MANY[call](fs, tmp_path)
        errors = [
            each for each in (found.values() if isinstance(found, dict) else found) if isinstance(each, Exception)
        ]
    except BulkError as failed:
        errors = list(failed.errors.values())
    assert len(errors) == len(KEYS) - 40
    assert all(isinstance(error, PermissionError) for error in errors)


@pytest.mark.parametrize(
    "reply",
    [
        plain(200),
        plain(200, b"", {"ETag": ""}),
        plain(200, b"<html></html>", {"ETag": '"e"'}),
        Answer(204, "No Content", ()),
    ],
    ids=["no etag", "empty etag", "a document", "another status"],
)
def test_what_is_no_success_of_a_put_stores_nothing(store: ScriptedStore, reply: Answer) -> None:
    """Of one, and of one among many."""
    fs = filesystem(store)
    store.script("PutObject", reply, done=False, key="new")
    with pytest.raises(OSError, match="none of S3's"):
        fs.pipe_file("/new", b"1")
    with pytest.raises(BulkError, match="none of S3's") as failed:
        fs.pipe({"/new": b"1", "/other": b"2"})
    assert list(failed.value.errors) == ["/new"]
    assert store.contents()["other"] == b"2"


@pytest.mark.parametrize("declared", ["no-such-encoding", "utf-7", "cp037"])
def test_an_errors_unknown_encoding_is_no_error_of_ours(store: ScriptedStore, declared: str) -> None:
    """The status tells enough."""
    body = f'<?xml version="1.0" encoding="{declared}"?><Error><Code>AccessDenied</Code></Error>'.encode()
    store.script("GetObject", plain(403, body))
    found = filesystem(store).cat(PATHS[:3], on_error="return")
    assert all(isinstance(error, PermissionError) for error in found.values())


@pytest.mark.promise("Writing")
@pytest.mark.parametrize(
    "metadata", [{"a b": "1"}, {"a:": "1"}, {"": "1"}, {"a": "1\r\nx-amz-acl: public-read"}, {"a": 1}]
)
def test_metadata_that_no_header_holds_is_refused_before_anything_is_sent(store: ScriptedStore, metadata: Any) -> None:
    """Metadata that no header can hold is a `ValueError`, and nothing is sent.

    One file and many are written, whole and through `open`.
    """
    fs = filesystem(store)
    with pytest.raises(ValueError, match="metadata"):
        fs.pipe_file("/new", b"1", metadata=metadata)
    with pytest.raises(ValueError, match="metadata"):
        fs.pipe({"/new": b"1", "/other": b"1"}, metadata=metadata)
    with pytest.raises(ValueError, match="metadata"):
        fs.open("/new", "wb", metadata=metadata)
    assert not store.of("PutObject")


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "CompleteMultipartUpload", "UploadPart", "CopyObject"])
def test_a_document_that_trickles_is_a_timeout(store: ScriptedStore, operation: str) -> None:
    """Also where its bytes look like the sizes of chunks, with which S3 keeps a connection alive."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 1000\r\n\r\n<"
    trickle = [step for byte in b"abcdef" * 100 for step in (bytes([byte]), Pause(0.1))]
    store.script(operation, [head, *trickle], done=False)
    fs = filesystem(store, chunksize=5 * 1024 * 1024)
    began = time.monotonic()
    with pytest.raises(OSError, match=r"in time|stopped|timed out|trickles|cannot be told"):
        if operation == "CopyObject":
            fs.cp_file("/k000", "/copy")
        else:
            fs.pipe_file("/large", bytes(6 * 1024 * 1024))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("gap", [0, 0.1], ids=["declaration with the head", "declaration alone"])
def test_white_space_before_the_answer_keeps_a_completion_alive(store: ScriptedStore, gap: float) -> None:
    """S3 sends it while it works, for longer than the read timeout. It is waited for, and not asked again."""

    def slow(request: Any, answer: Answer) -> Any:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
        declaration, end, rest = answer.body.partition(b"?>")
        spaces = [step for _ in range(8) for step in (b"1\r\n \r\n", Pause(0.3))]
        first = b"%x\r\n%s\r\n" % (len(declaration + end), declaration + end)
        begin = [head, Pause(gap), first] if gap else [head + first]
        return [*begin, *spaces, b"%x\r\n%s\r\n0\r\n\r\n" % (len(rest), rest)]

    store.script("CompleteMultipartUpload", slow)
    fs = filesystem(store, chunksize=5 * 1024 * 1024)
    data = bytes(6 * 1024 * 1024)
    fs.pipe_file("/large", data)
    assert store.contents()["large"] == data
    assert len(store.of("CompleteMultipartUpload")) == 1
    assert not store.of("HeadObject")
