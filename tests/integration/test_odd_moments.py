"""What a second look at the wire found: kinds of answers, and moments, that were believed or waited for too long."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import Any

import pytest
from fsspec.callbacks import Callback

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BulkError, FileExpired, InvalidResponseError
from testbed.messages import Answer, Close, Pause, Reply, Request, Silence, Step
from testbed.plain_answers import plain
from testbed.s3_answers import S3Error, of_error
from testbed.scripted_server import ScriptedServer
from testbed.scripted_store import ScriptedStore

MIB = 1024 * 1024
DATA = bytes([7]) * (9 * MIB)


def filesystem(store: ScriptedStore, **options: Any) -> RegistryS3FileSystem:
    config = {"read_timeout": 2, "retries": {"total_max_attempts": 2}}
    return RegistryS3FileSystem(**store.options(**{"config_kwargs": config, **options}), skip_instance_cache=True)


def error_of(call: Callable[[], Any]) -> Exception | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001  # whichever it is
        return error
    return None


both_ways = pytest.mark.parametrize("fast_path", [True, False], ids=["fast", "boto3"])


@both_ways
@pytest.mark.parametrize("weak", [True, False], ids=["weak", "strong"])
def test_a_piece_that_is_past_the_end_is_of_another_version(fast_path: bool, weak: bool, tmp_path: Path) -> None:
    """A store that ignores If-Match says of a shorter object that the range lies past it: nothing is made up."""

    def change(request: Request, answer: Answer) -> Answer:
        asked = request.header("Range")
        if asked and not asked.startswith("bytes=0-"):
            return plain(416, b"", {"Content-Range": "bytes */100"})
        return answer.with_header("ETag", 'W/"e"') if weak else answer

    with ScriptedStore({"a": DATA}) as store:
        store.script("GetObject", change)
        fs = filesystem(store, fast_path=fast_path)
        with pytest.raises(FileExpired):
            fs.cat_file("/a")
        with pytest.raises(FileExpired):
            fs.get_file("/a", tmp_path / "a")
        with fs.open("/a") as file, pytest.raises(FileExpired):
            file.read()
    assert not list(tmp_path.iterdir())


@both_ways
@pytest.mark.parametrize("status", [201, 202, 203, 204])
def test_an_object_comes_with_status_200_or_206(fast_path: bool, status: int) -> None:
    """The bytes of another success are no object's, whichever way it came."""
    with ScriptedStore({"a": b"right"}) as store:
        store.script("GetObject", Answer(status, "Odd", (("ETag", '"e"'), ("Content-Length", "5")), b"WRONG"))
        store.script("HeadObject", lambda request, answer: replace(answer, status=status))
        store.script("ListObjectsV2", lambda request, answer: replace(answer, status=status))
        fs = filesystem(store, fast_path=fast_path)
        for call in (fs.cat_file, fs.info, fs.ls):
            with pytest.raises(OSError, match=r"\S"):
                call("/a")


WRITES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "put": ("PutObject", lambda fs: fs.pipe_file("/new", b"1")),
    "copy": ("CopyObject", lambda fs: fs.cp_file("/a", "/new")),
    "delete": ("DeleteObject", lambda fs: fs.rm_file("/a")),
    "tags": ("PutObjectTagging", lambda fs: fs.put_tags("/a", {"x": "y"})),
}
ODD = [(202, b""), (206, b""), (299, b"<Error><Code>X</Code></Error>"), (200, b"<error>no</error>"), (200, b'{"e":1}')]


@both_ways
@pytest.mark.parametrize(("status", "body"), ODD)
@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_not_done_by_another_success(fast_path: bool, status: int, body: bytes, write: str) -> None:
    """Of another status, or with a document where S3 sends none."""
    operation, call = WRITES[write]
    with ScriptedStore({"a": b"1"}) as store:
        headers = (("ETag", '"e"'), ("Content-Length", str(len(body))))
        store.script(operation, Answer(status, "Odd", headers, body), done=False)
        with pytest.raises(OSError, match=r"\S"):
            call(filesystem(store, fast_path=fast_path))


ENDS = (Close(),)


def says_to_puts(first: bytes, more: Iterable[Step] = ENDS) -> ScriptedServer:
    """A server that answers the head of a PUT before its body has come."""

    def early(request: Request) -> Reply:
        return chain((first,), more) if request.method == "PUT" else ()

    return ScriptedServer(lambda request: plain(404), early=early)


def uploading_to(server: ScriptedServer, **config: Any) -> RegistryS3FileSystem:
    options = {"bucket": "demo", "regionendpoint": server.endpoint, "accesskey": "a", "secretkey": "s"}
    return RegistryS3FileSystem(**options, skip_instance_cache=True, config_kwargs=config)


ONCE = {"total_max_attempts": 1}
ENDLESS = repeat(b"X-More: 1\r\n" * 1000)
EARLY: dict[str, tuple[bytes, Iterable[Step]]] = {
    "the end within 100 Continue": (b"HTTP/1.1 100 Continue\r\n", ENDS),
    "the end within its headers": (b"HTTP/1.1 100 Continue\r\nA: b\r\n", ENDS),
    "headers without end": (b"HTTP/1.1 100 Continue\r\n", ENDLESS),
    "a line that trickles": (b"HTTP/1.1 ", cycle((b"x", Pause(0.1)))),
    "an error without end": (b"HTTP/1.1 500 No\r\nContent-Length: 999999999\r\n\r\n", ENDLESS),
    "a success": (b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n', ENDS),
    "100 and a success": (
        b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n', ENDS
    ),
    "what is no answer": (b"hello\r\n\r\n", ENDS),
}  # fmt: skip


@pytest.mark.parametrize("early", EARLY)
def test_an_answer_before_the_body_is_bounded_and_no_success(early: str) -> None:
    """Larger files are announced (Expect: 100-continue), and servers may answer that: never for ever, never as done."""
    with says_to_puts(*EARLY[early]) as server:
        fs = uploading_to(server, read_timeout=1, retries=ONCE)
        with pytest.raises(OSError, match=r"\S"):
            fs.pipe_file("/a", bytes(2 * MIB))


def test_an_empty_body_may_be_answered_at_once() -> None:
    """There is nothing to ask for; Go's servers do not."""
    answer = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'
    with says_to_puts(answer) as server:
        fs = uploading_to(server, retries=ONCE)
        assert fs.bucket.upload_part("a", "upload", 1, b"").etag == '"e"'


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["at once", "after 100"])
def test_a_refusal_before_the_body_is_told(before: bytes) -> None:
    """With S3's reason, as after it."""
    body = b"<Error><Code>QuotaExceeded</Code><Message>full</Message></Error>"
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with says_to_puts(before + head + body) as server:
        fs = uploading_to(server)
        with pytest.raises(OSError, match="QuotaExceeded"):
            fs.pipe_file("/a", bytes(2 * MIB))


@pytest.mark.parametrize("spaces", [b" " * 40, b"\n" * 3000, b"4\r\n    \r\n" * 40], ids=["forty", "many", "chunks"])
def test_white_space_before_a_document_takes_no_time(spaces: bytes) -> None:
    """S3 sends it while it works; it may come in one packet with the end. (A pattern took minutes for it.)"""

    def change(request: Request, answer: Answer) -> Answer:
        return plain(answer.status, body(answer))

    def body(answer: Answer) -> bytes:
        return answer.body.replace(b"?>", b"?>" + spaces)

    with ScriptedStore({"a": b"1"}) as store:
        store.script("CopyObject", change)
        fs = filesystem(store)
        if spaces[:1] == b"4":  # no chunks, but the text of some
            with pytest.raises(OSError, match=r"\S"):
                fs.cp_file("/a", "/b")
        else:
            fs.cp_file("/a", "/b")
            assert store.contents()["b"] == b"1"


@both_ways
def test_comments_before_a_document_take_no_time(fast_path: bool) -> None:
    """However many there are."""
    body = b"<!-- -->" * 400 + b"no"
    with ScriptedStore({}) as store:
        answer = plain(200, body, {"ETag": '"e"'})
        store.script("PutObject", answer)
        began = time.process_time()
        with suppress(OSError):
            filesystem(store, fast_path=fast_path).pipe_file("/a", b"1")
        assert time.process_time() - began < 15


def test_a_rewrite_in_place_does_not_replace_what_another_wrote() -> None:
    """`touch` reads and writes the object on other stores; what comes between stays."""
    with ScriptedStore({"a": b"old"}) as store:

        def overwrite(request: Request, answer: Answer) -> Answer:
            store.s3.store("a", b"another's")
            return answer

        store.script("GetObject", overwrite, times=1)
        with pytest.raises(FileExpired):
            filesystem(store).touch("/a", truncate=False)
        assert store.contents()["a"] == b"another's"


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_rewrite_in_place_names_the_version_it_replaces(known: bool) -> None:
    """By a condition, where the store knows it; a HEAD right before tells, too."""
    with ScriptedStore({"a": b"old"}) as store:
        if not known:
            unknown = plain(501)
            store.script("PutObject", lambda request, answer: unknown if request.header("If-Match") else answer)
        filesystem(store).touch("/a", truncate=False)
        conditions = [bool(request.header("If-Match")) for request in store.of("PutObject")]
        assert conditions == ([True] if known else [True, False])


@pytest.mark.parametrize("secret", ["sessiontoken", "accesskey"])
def test_credentials_beyond_ascii_do_not_leave_in_an_error(secret: str) -> None:
    """An encoder's error holds the whole signed head; boto3 sends such requests."""
    with ScriptedStore({"a": b"1"}) as store:
        fs = filesystem(store, **{"sessiontoken": "TOKEN", secret: "SECRET\u20ac-TOKEN"})
        for call in (fs.cat_file, fs.info, fs.ls, lambda path: fs.pipe_file(path, b"1")):
            error = error_of(partial(call, "/a"))
            assert error is None or isinstance(error, OSError)
            text = repr(error) + repr(getattr(error, "args", "")) + repr(getattr(error, "object", ""))
            assert "Signature=" not in text
            assert "SECRET" not in text


@both_ways
@pytest.mark.parametrize("when", ["Mon, 01 Jan 2024 00:00:00 +9999", "Mon, 01 Jan 2024 00:00:00 -2400"])
def test_a_time_with_an_offset_of_a_day_is_none(fast_path: bool, when: str) -> None:
    """It is an OSError that names the field, in HEADs and listings."""
    with ScriptedStore({"a": b"1"}) as store:
        store.script("HeadObject", lambda request, answer: answer.with_header("Last-Modified", when))
        listed = re.compile(rb"(?<=<LastModified>)[^<]*")
        store.script(
            "ListObjectsV2",
            lambda request, answer: answer.with_body(listed.sub(b"2026-01-01T00:00:00+99:00", answer.body)),
        )
        fs = filesystem(store, fast_path=fast_path)
        for call in (fs.info, fs.exists, lambda path: fs.ls("/"), lambda path: fs.find("/")):
            with pytest.raises(InvalidResponseError):
                call("/a")


@both_ways
def test_a_checksum_that_is_no_text_of_base64_is_none(fast_path: bool) -> None:
    """The bytes are handed out uncompared, as where there is none."""
    with ScriptedStore({"a": b"12345"}) as store:
        for operation in ("GetObject", "HeadObject"):
            store.script(operation, lambda request, answer: answer.with_header("x-amz-checksum-crc32", "\u00e9"))
        fs = filesystem(store, fast_path=fast_path, config_kwargs={"response_checksum_validation": "when_supported"})
        with suppress(OSError):  # boto3 itself may refuse it
            assert fs.cat_file("/a") == b"12345"


@both_ways
@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirection_that_names_no_region_is_an_error(fast_path: bool, status: int) -> None:
    """botocore asks for the bucket's region, is redirected again, and asks again: a RecursionError."""
    with ScriptedStore({}) as store:
        store.script("", plain(status, b"", {"Location": "http://127.0.0.1:9/"}))
        fs = filesystem(store, fast_path=fast_path)
        for call in (fs.cat_file, fs.info, fs.ls, lambda path: fs.pipe_file(path, b"1")):
            with pytest.raises(OSError, match=r"\S"):
                call("/a")
        assert len(store.requests) < 40


def test_a_key_with_more_delete_markers_than_pages_may_be_empty_is_listed() -> None:
    """Pages of delete markers alone are not empty."""
    marker = "<DeleteMarker><Key>a</Key><VersionId>m{0}</VersionId><IsLatest>false</IsLatest>{1}</DeleteMarker>"
    page = (
        "<ListVersionsResult><IsTruncated>{2}</IsTruncated><NextKeyMarker>a</NextKeyMarker>"
        "<NextVersionIdMarker>m{0}</NextVersionIdMarker>" + marker + "</ListVersionsResult>"
    )
    asked: list[int] = []

    def change(request: Request, answer: Answer) -> Answer:
        asked.append(1)
        time_of = "<LastModified>2026-01-01T00:00:00Z</LastModified>"
        return answer.with_body(page.format(len(asked), time_of, str(len(asked) < 40).lower()).encode())

    with ScriptedStore({"a": b"1"}) as store:
        store.script("ListObjectVersions", change)
        assert filesystem(store).object_version_info("/a") == []
    assert len(asked) == 40


def test_many_are_deleted_side_by_side_where_there_is_no_deleteobjects() -> None:
    """Some stores have none."""
    keys = {f"d/{number:03}": b"" for number in range(300)}
    with ScriptedStore(keys) as store:
        store.script("DeleteObjects", plain(501), done=False)
        filesystem(store).rm("/d", recursive=True)
        assert store.contents() == {}
        assert store.counts["DeleteObject"] == 300
        assert store.connections > 4


def test_a_file_whose_time_is_set_back_has_changed(tmp_path: Path) -> None:
    """As rsync and tar set it."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    os.utime(path, ns=(10**18, 10**18))

    class Rewriting(Callback):
        """Rewrites the file once it is open."""

        def set_size(self, size: int) -> None:
            time.sleep(0.05)  # a file's times tick every few milliseconds
            path.write_bytes(b"new")
            os.utime(path, ns=(10**18, 10**18))

    with ScriptedStore({}) as store:
        with pytest.raises(OSError, match="changed"):
            filesystem(store).put_file(str(path), "/f", callback=Rewriting())
        assert store.contents() == {}


def test_absolute_paths_do_without_a_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been removed."""
    (tmp_path / "gone").mkdir()
    (tmp_path / "f").write_bytes(b"1")
    with ScriptedStore({}) as store:
        fs = filesystem(store)
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        fs.put_file(str(tmp_path / "f"), "/f")
        fs.get_file("/f", str(tmp_path / "g"))
        monkeypatch.chdir(tmp_path)
    assert (tmp_path / "g").read_bytes() == b"1"


@pytest.mark.parametrize("pages", [[["x/1", "x/2"], ["a/1"], ["x/3"]], [["a/1", "x/2"], ["x/1"], ["x/3"]]])
def test_a_walk_finds_all_where_pages_come_in_no_order(pages: list[list[str]]) -> None:
    """Storj's do: each directory is listed by itself then."""
    names = [name for page in pages for name in page]
    with ScriptedStore({f"d/{name}": b"1" for name in names}) as store:
        store.script("ListObjectsV2", out_of_order(pages))
        found = [
            f"{path}/{name}" for path, _, files in filesystem(store).walk("/d", on_error="raise") for name in files
        ]
    assert sorted(found) == sorted(f"/d/{name}" for name in names)


def out_of_order(pages: list[list[str]]) -> Callable[[Request, Answer], Answer]:
    """Pages of a flat listing of ``d/``; others are as they should be."""

    def change(request: Request, answer: Answer) -> Answer:
        if request.query.get("prefix") != "d/" or request.query.get("delimiter") or request.query.get("max-keys"):
            return answer
        number = int(request.query.get("continuation-token") or 0)
        rows = "".join(
            f"<Contents><Key>d/{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"e"</ETag><Size>1</Size></Contents>'
            for name in pages[number]
        )
        more = number + 1 < len(pages)
        token = f"<NextContinuationToken>{number + 1}</NextContinuationToken>" if more else ""
        text = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}"
        body = f"<ListBucketResult>{text}</ListBucketResult>".encode()
        return plain(200, body)

    return change


def write(file: Any) -> None:
    try:
        file.write(b"1")
    finally:
        file.discard()


@pytest.mark.promise("Errors")
def test_a_lack_of_memory_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A lack of memory is an `OSError` with the path, whichever call needs the memory."""

    def none(*sizes: object) -> bytearray:
        raise MemoryError

    with ScriptedStore({"a": DATA}) as store:
        fs = filesystem(store)
        monkeypatch.setattr("registry_s3fs.threads.buffers.bytearray", none, raising=False)
        calls: list[Callable[[], Any]] = [
            lambda: fs.get_file("/a", tmp_path / "a"), lambda: fs.open("/a").read(), lambda: write(fs.open("/b", "wb"))
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(OSError, match="there is no memory for") as caught:
                call()
            assert caught.value.filename in ("/a", "/b")
        monkeypatch.setattr("registry_s3fs.s3.fast_path.connection.bytearray", none, raising=False)
        store.s3.objects.update({f"d/{number}/f": store.s3.objects["a"] for number in range(40)})
        idle = fs.bucket.fast_path.connections.idle
        while idle:
            idle.pop().close()
        with pytest.raises(OSError, match="there is no memory") as caught:
            fs.glob("/d/*/f")
        assert str(caught.value.filename).startswith("/d")
        monkeypatch.undo()
        monkeypatch.setattr("registry_s3fs.s3.fast_path.response.ResponseReader.filled", none)
        with pytest.raises(OSError, match="there is no memory") as caught:
            fs.cat_file("/a")
        assert caught.value.filename == "/a"
    assert not list(tmp_path.iterdir())


def test_connections_leave_descriptors_for_the_rest_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take half of what the process may have, and keep a quarter when they are idle."""
    with ScriptedStore({f"k{number:03}": b"1" for number in range(200)}) as store:
        fs = filesystem(store)
        monkeypatch.setattr("registry_s3fs.s3.fast_path.connection.descriptors_allowed", lambda: 40)
        fs.cat(fs.find("/"))
        connections = fs.bucket.fast_path.connections
        assert len(connections.idle) <= 10
        assert store.connections <= 20


def test_keys_with_control_characters_end_at_a_silent_server_together() -> None:
    """They go one by one, as XML cannot hold them; the first silence is the last one waited for."""
    with ScriptedStore({f"d/{number:03}\x01": b"" for number in range(200)}) as store:
        fs = filesystem(store)
        keys = fs.find("/d")
        store.script("DeleteObject", [Silence()], done=False)
        with pytest.raises(BulkError):
            fs.rm(keys)
        assert store.counts["DeleteObject"] < 150


def test_keys_that_a_store_was_busy_with_are_deleted_where_it_then_lacks_deleteobjects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No answer of the second try is no success."""
    monkeypatch.setattr("registry_s3fs.s3.retry.LONGEST_PAUSES_S", (0.01, 0.01))
    busy = "".join(f"<Error><Key>d/{n}</Key><Code>SlowDown</Code><Message>m</Message></Error>" for n in range(3))
    with ScriptedStore({f"d/{number}": b"" for number in range(3)}) as store:
        body = f"<DeleteResult>{busy}</DeleteResult>".encode()
        first = plain(200, body)
        store.script("DeleteObjects", first, times=1, done=False)
        store.script("DeleteObjects", plain(501), done=False)
        filesystem(store).rm("/d", recursive=True)
        assert store.contents() == {}


def test_a_file_whose_memory_gives_out_is_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Going on would write some bytes twice."""
    with ScriptedStore({}) as store:
        fs = filesystem(store, chunksize=5 * MIB)
        file = fs.open("/f", "wb")
        file.write(bytes(5 * MIB))
        with monkeypatch.context() as patch:
            patch.setattr("registry_s3fs.threads.buffers.bytearray", lambda size: memory_error(), raising=False)
            with pytest.raises(OSError, match="no memory"):
                file.write(bytes(MIB))
        with pytest.raises(ValueError, match="takes no more bytes"):
            file.write(b"2")
        file.close()
        assert store.contents() == {}


def memory_error() -> bytearray:
    raise MemoryError


def test_a_lookup_that_is_interrupted_is_forgotten() -> None:
    """A HeadBucket that ended by Ctrl-C does not make the next one fail."""
    with ScriptedStore({}) as store:
        fs = filesystem(store)

        def interrupt(**event: Any) -> None:
            raise KeyboardInterrupt

        events = fs.bucket.client.meta.events
        events.register("before-send.s3.HeadBucket", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fs.bucket.head("missing")
        events.unregister("before-send.s3.HeadBucket", interrupt)
        with pytest.raises(FileNotFoundError):
            fs.bucket.head("missing")
        assert store.counts["HeadBucket"] == 1


def test_a_connection_on_which_a_refusal_came_early_is_not_used_again() -> None:
    """The server may still wait for the body, and would take the next request for it."""
    refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    with says_to_puts(refused, [Silence()]) as server:
        fs = uploading_to(server, read_timeout=2, retries=ONCE)
        for _ in range(2):
            with pytest.raises(PermissionError):  # and no TimeoutError
                fs.pipe_file("/a", bytes(2 * MIB))


@pytest.mark.parametrize("condition", [b"", b"ignored"], ids=["lacking", "ignored"])
def test_a_rewrite_in_place_looks_before_it_writes_where_no_condition_holds(condition: bytes) -> None:
    """A store that refuses If-Match, or does not look at it: a HEAD right before tells of another writer's object."""
    with ScriptedStore({"a": b"old"}) as store:

        def overwrite(request: Request, answer: Answer) -> Answer:
            store.s3.store("a", b"another's")
            return answer

        def put(request: Request) -> Request:
            return replace(request, headers=tuple(each for each in request.headers if each[0].lower() != "if-match"))

        def refuse(request: Request, answer: Answer) -> Answer:
            unknown = of_error(1, S3Error("NotImplemented"), request.key)
            return unknown if request.header("If-Match") else store.carry_out(request)

        fs = filesystem(store)
        if condition:
            store.script("PutObject", misread=put)
        else:
            store.script("PutObject", refuse, done=False)
            fs.touch("/a", truncate=False)
            assert store.counts["PutObject"] == 2  # one with the condition and one without
        store.script("GetObject", overwrite, times=1)
        with pytest.raises(FileExpired):
            fs.touch("/a", truncate=False)
        assert store.contents()["a"] == b"another's"


def test_a_copy_of_a_version_names_it_whatever_its_head_tells() -> None:
    """Some stores leave the version's id out of a HEAD."""
    with ScriptedStore({"a": b"1"}) as store:
        filesystem(store).cp_file("/a", "/b", version_id="v1")
        (copied,) = store.of("CopyObject")
        assert copied.header("x-amz-copy-source").endswith("/a?versionId=v1")


@pytest.mark.parametrize("call", ["copy", "mv"])
def test_a_header_that_cannot_be_given_is_refused_before_the_first_request(call: str) -> None:
    """Also of a tree, whose listing comes first."""
    with ScriptedStore({"d/a": b"1"}) as store:
        with pytest.raises(TypeError, match="objectacl"):
            getattr(filesystem(store), call)("/d", "/e", recursive=True, ACL="private")
        assert not store.requests


def test_find_lists_only_what_begins_with_a_prefix() -> None:
    """The request says so; nothing else comes over the wire."""
    with ScriptedStore({"d/a1": b"", "d/b": b""}) as store:
        assert filesystem(store).find("/d", prefix="a") == ["/d/a1"]
        assert {request.query.get("prefix") for request in store.of("ListObjectsV2")} == {"d/a"}


def test_a_recursive_rm_of_many_files_by_a_pattern_asks_of_none_of_them() -> None:
    """Whether a directory stands beside each is in one listing."""
    with ScriptedStore({f"d/{number:03}": b"" for number in range(300)}) as store:
        filesystem(store).rm("/d/*", recursive=True)
        assert store.contents() == {}
        assert store.counts["ListObjectsV2"] <= 4
        assert store.counts["HeadObject"] <= 2
