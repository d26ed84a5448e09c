"""Answers to reads that hold other bytes than were asked for, or do not tell which: the right bytes, or an error."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import InvalidResponseError
from tests.odd_store import OddStore, Twist, etag, odd_store, ways
from tests.scripted import Answer, Handler, refusal

MIB = 1024 * 1024
DATA = random.Random(7).randbytes(10 * MIB + 17)

Change = Callable[[dict[str, str], bytes, Handler], Answer]


def ranged(change: Change) -> Twist:
    """Another answer to each GET that asks for a range."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation != "GetObject" or not request.headers.get("Range"):
            return None
        status, body, headers = honest()
        return change(dict(headers), body, request) if status == 206 else (status, body, headers)

    return twist


def content_range(text: str, status: int = 206) -> Change:
    def change(headers: dict[str, str], body: bytes, request: Handler) -> Answer:
        first, last, size = re.findall(r"\d+", headers["Content-Range"])
        return status, body, {**headers, "Content-Range": text.format(first=first, last=last, size=size)}

    return change


def without(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "Content-Range"}


REFUSED: dict[str, Change] = {
    "another range": content_range("bytes 1-4194304/{size}"),
    "another range of the right length": lambda headers, body, request: (
        206, DATA[5 : 5 + len(body)], {**headers, "Content-Range": f"bytes 5-{4 + len(body)}/{len(DATA)}"}
    ),
    "a range that ends early": lambda headers, body, request: (
        206, body[:9], {**headers, "Content-Range": f"bytes 0-8/{len(DATA)}"}
    ),
    "a reversed range": content_range("bytes {last}-{first}/{size}"),
    "a size of less": content_range("bytes {first}-{last}/100"),
    "10^18 bytes": content_range(f"bytes {{first}}-{{last}}/{10**18}"),
    "a range below 0": content_range("bytes -5-{last}/{size}"),
    "words": content_range("all of it"),
    "ContentLength says otherwise": lambda headers, body, request: (206, body[:-1], headers),
    "half a part": lambda headers, body, request: (206, body[: len(body) // 2], without(headers)),
}  # fmt: skip

READ: dict[str, Change] = {
    "as it is": lambda headers, body, request: (206, body, headers),
    "status 200 with the range's bytes": content_range("bytes {first}-{last}/{size}", 200),
    "odd case": content_range("Bytes {first}-{last}/{size}"),
    "odd spaces": content_range("bytes  {first} - {last}/{size} "),
    "no Content-Range": lambda headers, body, request: (206, body, without(headers)),
    "status 200 and no Content-Range": lambda headers, body, request: (200, body, without(headers)),
    "an unknown size": content_range("bytes {first}-{last}/*"),
}
UNTOLD = ("no Content-Range", "status 200 and no Content-Range")
"""Of which nothing tells which bytes they are: then an error will do."""

READS: dict[str, Callable[[RegistryS3FileSystem, Path], bytes]] = {
    "cat": lambda fs, folder: fs.cat("/f"),
    "read": lambda fs, folder: fs.open("/f").read(),
    "read in steps": lambda fs, folder: b"".join(iter(partial(fs.open("/f").read, 3 * MIB), b"")),
    "get_file": lambda fs, folder: (fs.get_file("/f", folder / "f"), (folder / "f").read_bytes())[1],
    "get": lambda fs, folder: (fs.get("/f", str(folder / "g")), (folder / "g").read_bytes())[1],
    "get_content": lambda fs, folder: StorageDriver(fs).get_content("/f"),
    "cat_ranges": lambda fs, folder: fs.cat_ranges(["/f"], [0], [len(DATA)], on_error="raise")[0],
}


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("fast", [True, False])
def test_a_body_of_another_range_is_refused(name: str, fast: bool, tmp_path: Path) -> None:
    """Bytes of another range than the one asked for, or of an object of another size, are not handed out."""
    with odd_store(ranged(REFUSED[name]), **ways(fast)) as (store, fs):
        store.objects["f"] = DATA
        for call, read in READS.items():
            with pytest.raises(OSError, match="answer to GetObject is none of S3's"):
                read(fs, tmp_path)
            assert list(tmp_path.iterdir()) == [], call


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("fast", [True, False])
def test_a_body_that_may_be_the_right_one_is_read_whole_or_refused(name: str, fast: bool, tmp_path: Path) -> None:
    """A body that does not tell which bytes it holds is read whole or refused, never cut short."""
    with odd_store(ranged(READ[name]), **ways(fast)) as (store, fs):
        store.objects["f"] = DATA
        store.objects["s"] = b"0123456789"
        for read in [*READS.values(), lambda fs, _: fs.head("/s", 4) * 2]:
            with suppress(OSError) if name in UNTOLD else nullcontext():
                assert read(fs, tmp_path) in (DATA, b"01230123")
        assert fs.cat_file("/s") == b"0123456789"


@pytest.mark.parametrize("size", [MIB, 4 * MIB, 4 * MIB + 1])
def test_a_server_that_ignores_ranges_is_read_from_its_start(size: int) -> None:
    """A whole object for its first range is that; whether there is more than the range, a HEAD tells."""

    def whole(headers: dict[str, str], body: bytes, request: Handler) -> Answer:
        return 200, DATA[:size], without(headers)

    with odd_store(ranged(whole)) as (store, fs):
        store.objects["f"] = DATA[:size]
        assert fs.cat_file("/f", 0, 4 * MIB) == DATA[: min(size, 4 * MIB)]
        with pytest.raises(OSError, match="ignores the Range header"):
            fs.cat_file("/f", 5, 10)
        with pytest.raises(OSError, match="ignores the Range header"):
            fs.tail("/f", 5)


def test_a_later_piece_of_another_size_is_refused() -> None:
    """The size that the first answer told is the object's."""

    def grown(headers: dict[str, str], body: bytes, request: Handler) -> Answer:
        told = headers["Content-Range"]
        return 206, body, {**headers, "Content-Range": told if "bytes 0-" in told else f"{told}0"}

    with odd_store(ranged(grown)) as (store, fs):
        store.objects["f"] = DATA
        for read in (lambda: fs.cat_file("/f"), lambda: fs.open("/f").read()):
            with pytest.raises(InvalidResponseError, match="where the object has 10485777"):
                read()


def test_a_body_cut_short_goes_on_only_with_the_right_bytes() -> None:
    """Where a body breaks, the rest is asked for; an answer that begins elsewhere is refused."""
    first = True

    def cut(headers: dict[str, str], body: bytes, request: Handler) -> Answer:
        nonlocal first
        was_first, first = first, False
        if was_first:
            return 206, body[:1000], {**headers, "Content-Length": str(len(body)), "Connection": "close"}
        return 206, DATA[: len(body)], {**headers, "Content-Range": f"bytes 0-{len(body) - 1}/{len(DATA)}"}

    with odd_store(ranged(cut)) as (store, fs):
        store.objects["f"] = DATA
        with pytest.raises(OSError, match="bytes=1000-4194303 was asked for|shorter than it said"):
            fs.cat_file("/f", 0, 4 * MIB)


def test_the_end_of_an_object_is_believed_only_where_it_is() -> None:
    """A 416 to the first range of a file that has bytes is no empty file."""
    answers = {
        "whole": refusal(416, "InvalidRange"),
        "told": refusal(416, "InvalidRange", **{"Content-Range": "bytes */9"}),
    }
    for answer in answers.values():

        def twist(store: OddStore, request: Handler, operation: str, honest: Any, answer: Answer = answer) -> Any:
            return answer if operation == "GetObject" else None

        with odd_store(twist) as (store, fs):
            store.objects |= {"f": b"123456789", "empty": b""}
            for call in (fs.cat_file, fs.cat):
                with pytest.raises(OSError, match="InvalidRange"):
                    call("/f")
            if answer is answers["whole"]:
                assert fs.cat_file("/empty") == b""
            assert fs.cat_file("/f", 9, 12) == b""


SIZES = [(size, False) for size in ("-1", "many", str(10**18), "")]


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize(("size", "fast"), [("-1", True), (str(10**18), True), *SIZES])
def test_sizes_are_bounded_before_memory_is_taken(size: str, fast: bool, tmp_path: Path) -> None:
    """Sizes of objects are bounded before memory is taken. A size that is no number is an `OSError`."""

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if operation not in ("HeadObject", "GetObject"):
            return None
        headers = {"ETag": etag(b"x"), "Last-Modified": "Tue, 24 Nov 2026 07:57:54 GMT", "Content-Length": size}
        return 200, b"", headers

    with odd_store(twist, **ways(fast)) as (_, fs):
        for call in (fs.info, fs.cat_file, fs.open, lambda path: fs.get_file(path, tmp_path / "f")):
            with pytest.raises(OSError):  # noqa: PT011  # of whichever layer, but no other exception
                call("/f")


def test_a_weak_etag_is_compared_here() -> None:
    """A proxy that compresses makes ETags weak, of which no condition ever holds."""
    weak = f"W/{etag(DATA)}"

    def twist(store: OddStore, request: Handler, operation: str, honest: Callable[[], Answer]) -> Answer | None:
        if request.headers.get("If-Match") or request.headers.get("x-amz-copy-source-if-match"):
            return refusal(412, "PreconditionFailed")
        status, body, headers = honest()
        return status, body, {**headers, "ETag": weak} if "ETag" in headers else headers

    with odd_store(twist) as (store, fs):
        store.objects["f"] = DATA
        assert fs.cat_file("/f") == DATA
        assert fs.open("/f").read() == DATA
        fs.cp_file("/f", "/g")
        fs.mv("/g", "/h")
        assert store.objects == {"f": DATA, "h": DATA}
