"""Answers to reads that hold other bytes than were asked for, or do not tell which: the right bytes, or an error."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import InvalidResponseError
from testbed.messages import Answer, Request
from testbed.plain_answers import WHEN, plain, refusal
from testbed.s3_memory import md5
from testbed.scripted_store import ScriptedStore
from tests.odd_store import Twist, instead, odd_store, ways

MIB = 1024 * 1024
DATA = random.Random(7).randbytes(10 * MIB + 17)

Change = Callable[[Answer], Answer]


def ranged(change: Change) -> Twist:
    """Another answer to each GET that asks for a range."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "GetObject" or not request.header("Range"):
            return None
        answer = store.carry_out(request)
        return change(answer) if answer.status == 206 else answer

    return twist


def content_range(text: str, status: int = 206) -> Change:
    def change(answer: Answer) -> Answer:
        first, last, size = re.findall(r"\d+", answer.header("Content-Range"))
        told = text.format(first=first, last=last, size=size)
        return replace(answer, status=status).with_header("Content-Range", told)

    return change


def without_range(answer: Answer) -> Answer:
    return answer.with_header("Content-Range", None)


REFUSED: dict[str, Change] = {
    "another range": content_range("bytes 1-4194304/{size}"),
    "another range of the right length": lambda answer: answer.with_body(DATA[5 : 5 + len(answer.body)]).with_header(
        "Content-Range", f"bytes 5-{4 + len(answer.body)}/{len(DATA)}"
    ),
    "a range that ends early": lambda answer: answer.with_body(answer.body[:9]).with_header(
        "Content-Range", f"bytes 0-8/{len(DATA)}"
    ),
    "a reversed range": content_range("bytes {last}-{first}/{size}"),
    "a size of less": content_range("bytes {first}-{last}/100"),
    "10^18 bytes": content_range(f"bytes {{first}}-{{last}}/{10**18}"),
    "a range below 0": content_range("bytes -5-{last}/{size}"),
    "words": content_range("all of it"),
    "ContentLength says otherwise": lambda answer: answer.with_body(answer.body[:-1]),
    "half a part": lambda answer: without_range(answer.with_body(answer.body[: len(answer.body) // 2])),
}

READ: dict[str, Change] = {
    "as it is": lambda answer: answer,
    "status 200 with the range's bytes": content_range("bytes {first}-{last}/{size}", 200),
    "odd case": content_range("Bytes {first}-{last}/{size}"),
    "odd spaces": content_range("bytes  {first} - {last}/{size} "),
    "no Content-Range": without_range,
    "status 200 and no Content-Range": lambda answer: without_range(replace(answer, status=200)),
    "an unknown size": content_range("bytes {first}-{last}/*"),
}
UNLISTED_WHEN = ("no Content-Range", "status 200 and no Content-Range")
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
        store.fill({"f": DATA})
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
        store.fill({"f": DATA})
        store.fill({"s": b"0123456789"})
        for read in [*READS.values(), lambda fs, _: fs.head("/s", 4) * 2]:
            with suppress(OSError) if name in UNLISTED_WHEN else nullcontext():
                assert read(fs, tmp_path) in (DATA, b"01230123")
        assert fs.cat_file("/s") == b"0123456789"


@pytest.mark.parametrize("size", [MIB, 4 * MIB, 4 * MIB + 1])
def test_a_server_that_ignores_ranges_is_read_from_its_start(size: int) -> None:
    """A whole object for its first range is that; whether there is more than the range, a HEAD tells."""

    def whole(answer: Answer) -> Answer:
        return without_range(replace(answer, status=200).with_body(DATA[:size]))

    with odd_store(ranged(whole)) as (store, fs):
        store.fill({"f": DATA[:size]})
        assert fs.cat_file("/f", 0, 4 * MIB) == DATA[: min(size, 4 * MIB)]
        with pytest.raises(OSError, match="ignores the Range header"):
            fs.cat_file("/f", 5, 10)
        with pytest.raises(OSError, match="ignores the Range header"):
            fs.tail("/f", 5)


def test_a_later_piece_of_another_size_is_refused() -> None:
    """The size that the first answer told is the object's."""

    def grown(answer: Answer) -> Answer:
        told = answer.header("Content-Range")
        return answer.with_header("Content-Range", told if "bytes 0-" in told else f"{told}0")

    with odd_store(ranged(grown)) as (store, fs):
        store.fill({"f": DATA})
        for read in (lambda: fs.cat_file("/f"), lambda: fs.open("/f").read()):
            with pytest.raises(InvalidResponseError, match="where the object has 10485777"):
                read()


def test_a_body_cut_short_goes_on_only_with_the_right_bytes() -> None:
    """Where a body breaks, the rest is asked for; an answer that begins elsewhere is refused."""
    first = True

    def cut(answer: Answer) -> Answer:
        nonlocal first
        was_first, first = first, False
        if was_first:
            return replace(answer, body=answer.body[:1000], closes=True)
        length = len(answer.body)
        return answer.with_body(DATA[:length]).with_header("Content-Range", f"bytes 0-{length - 1}/{len(DATA)}")

    with odd_store(ranged(cut)) as (store, fs):
        store.fill({"f": DATA})
        with pytest.raises(OSError, match="bytes=1000-4194303 was asked for|shorter than it said"):
            fs.cat_file("/f", 0, 4 * MIB)


def test_the_end_of_an_object_is_believed_only_where_it_is() -> None:
    """A 416 to the first range of a file that has bytes is no empty file."""
    answers = {
        "whole": refusal(416, "InvalidRange"),
        "told": refusal(416, "InvalidRange", **{"Content-Range": "bytes */9"}),
    }
    for answer in answers.values():
        with odd_store(instead("GetObject", answer)) as (store, fs):
            store.fill({"f": b"123456789", "empty": b""})
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

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation not in ("HeadObject", "GetObject"):
            return None
        return plain(200, b"", {"ETag": md5(b"x"), "Last-Modified": WHEN, "Content-Length": size})

    with odd_store(twist, **ways(fast)) as (_, fs):
        for call in (fs.info, fs.cat_file, fs.open, lambda path: fs.get_file(path, tmp_path / "f")):
            with pytest.raises(OSError):  # noqa: PT011  # of whichever layer, but no other exception
                call("/f")


def test_a_weak_etag_is_compared_here() -> None:
    """A proxy that compresses makes ETags weak, of which no condition ever holds."""
    weak = f"W/{md5(DATA)}"

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.header("If-Match") or request.header("x-amz-copy-source-if-match"):
            return refusal(412, "PreconditionFailed")
        answer = store.carry_out(request)
        return answer.with_header("ETag", weak) if answer.header("ETag") else answer

    with odd_store(twist) as (store, fs):
        store.fill({"f": DATA})
        assert fs.cat_file("/f") == DATA
        assert fs.open("/f").read() == DATA
        fs.cp_file("/f", "/g")
        fs.mv("/g", "/h")
        assert store.contents() == {"f": DATA, "h": DATA}
