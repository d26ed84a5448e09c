"""Numbers that documents repeat are those of the code: each has one owner, and the text is held to it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.profiles import WAN
from registry_s3fs import DriverParameters
from registry_s3fs.driver import storage_driver
from registry_s3fs.files import read_ahead
from registry_s3fs.listing import partition, tree
from registry_s3fs.model import ranges
from registry_s3fs.s3 import client, error_codes, puts, retry, sockets, stall_watch, strict_http
from registry_s3fs.s3.fast_path import client as fast_path
from registry_s3fs.transfer import multipart, targets

HERE = Path(__file__).parents[1]
KIB, MIB, GIB = 1024, ranges.MIB, ranges.GIB
TIB = 1024 * GIB

ATTEMPTS, FRUITLESS = retry.TOTAL_MAX_ATTEMPTS, retry.FRUITLESS_ATTEMPTS
FIRST, SECOND, THIRD = (f"{pause:g}" for pause in retry.LONGEST_PAUSES_S)
SKEW_MINUTES = error_codes.MAX_SKEW // timedelta(minutes=1)
DEFAULTS = DriverParameters(bucket="demo", region="eu-west-1")
PARTS_BYTES = f"{multipart.MAX_BYTES_IN_MEMORY // MIB} MiB"
PIECE = f"{ranges.PIECE_BYTES // MIB} MiB"
READ_RANGES = read_ahead.RANGES_AHEAD + 1
SENT_FAST = f"{puts.MOST_BYTES // MIB} MiB"
PART_BOUNDS = f"{ranges.MIN_PART_BYTES // MIB} MiB to {ranges.MAX_PART_BYTES // GIB} GiB"
KEPT_ALIVE = dict(sockets.KEEP_ALIVE)
MOST_PAGES = float(1 + partition.MOST_MORE)
GONE_S = KEPT_ALIVE["TCP_KEEPIDLE"] + KEPT_ALIVE["TCP_KEEPINTVL"] * KEPT_ALIVE["TCP_KEEPCNT"]

PHRASES = {
    "docs/parameters.md": [
        rf"connection is tried .*for {client.CONNECT_TIMEOUT_S} s",
        rf"silent server (is )?waited for .*\b{client.READ_TIMEOUT_S} s",
        rf"request is tried .*\b{ATTEMPTS} times",
        rf"up to {FIRST}, {SECOND} and {THIRD} s",
        rf"is one of the {ATTEMPTS}\.",
        rf"after {ATTEMPTS} read timeouts",
        rf"{stall_watch.LEAST_BYTES_PER_S} bytes a second",
        rf"white space .*for up to {strict_http.MOST_WAITS} read timeouts",
        rf"idle .*\b{sockets.MAX_IDLE_S:g} s",
        rf"keepalive .*\b{GONE_S} s",
        rf"up to {retry.DAMAGED_ATTEMPTS} times",
        rf"after {FRUITLESS} attempts that brought nothing",
        rf"each {retry.BYTES_PER_ATTEMPT // KIB} KiB",
        rf"iles and parts of up to {SENT_FAST} carry a CRC32",
        rf"Part size of uploads in bytes, .*\b{PART_BOUNDS}",
        rf"Part size of server-side copies in bytes, .*\b{PART_BOUNDS}",
    ],
    "docs/performance.md": [
        rf"{READ_RANGES} × `block_size` \({PIECE}\): {READ_RANGES * ranges.PIECE_BYTES // MIB} MiB",
        rf"the bytes that are returned, and {PIECE}",
        rf"{targets.PIECES_AHEAD + 1} × {PIECE}",
        rf"open for writing \| {PARTS_BYTES} of parts",
        rf"`put_file`.*\| {multipart.MAX_BYTES_IN_MEMORY // MIB} MiB of parts",
        rf"pieces of {PIECE} side by side",
        rf"up to {partition.STREAMS} parts at once",
        rf"at most {MOST_PAGES} times the fewest",
        rf"up to {tree.MOST_AT_ONCE} directories at once",
        re.escape(WAN.title),
    ],
    "docs/architecture.md": [
        rf"max\({PARTS_BYTES}, 2 × chunk\)",
        rf"first {ranges.STEADY_PARTS:,} parts",
        rf"below {ranges.MAX_OBJECT_BYTES // TIB} TiB",
        rf"PUTs (of )?up to {SENT_FAST}",
        rf"doubling every {ranges.PARTS_PER_DOUBLING} from there",
        rf"within {MOST_PAGES} times the fewest",
        rf"at most {partition.AHEAD_PAGES} pages that wait",
        rf"are listed ahead, at most {tree.MOST_AT_ONCE}\b",
    ],
    "docs/differences.md": [
        rf"the {ranges.MAX_PARTS + 1:,}st",
        rf"over {ranges.STEADY_PARTS:,} parts",
        rf"{ranges.MAX_OBJECT_BYTES // TIB} TiB in {ranges.MAX_PARTS:,} parts",
        rf"one PutObject holds .*\b{ranges.MAX_PART_BYTES // GIB} GiB",
    ],
    "docs/troubleshooting.md": [
        rf"S3's {ranges.MAX_KEY_BYTES:,} bytes",
        rf"ore than {ranges.MAX_OBJECT_BYTES // TIB} TiB.*\b{ranges.MAX_PART_BYTES // GIB} GiB",
        rf"{stall_watch.LEAST_BYTES_PER_S} bytes a second",
    ],
}


@pytest.mark.parametrize(
    ("document", "phrase"), [(document, phrase) for document, phrases in PHRASES.items() for phrase in phrases]
)
def test_a_number_in_a_document_is_that_of_the_code(document: str, phrase: str) -> None:
    """Who changes a constant, or writes the sentence anew, is told of the other."""
    assert not re.search(phrase, ""), "it would be found in any text"
    paragraphs = [" ".join(lines.split()) for lines in re.split(r"\n\n|\n(?=[|#-])", (HERE / document).read_text())]
    assert [paragraph for paragraph in paragraphs if re.search(rf"(?<![\d.,]){phrase}(?![\d.,]*\d)", paragraph)]


def test_the_skew_that_an_error_tells_is_the_limit() -> None:
    """The message about clocks says how far they may differ."""
    assert f"over {SKEW_MINUTES} minutes apart" in error_codes.S3_CODES[error_codes.REQUEST_TIME_TOO_SKEWED].text


def test_a_redirects_seconds_are_those_that_its_docstring_tells() -> None:
    """A URL is valid for as many minutes as callers are told."""
    told = storage_driver.StorageDriver.redirect_url.__doc__ or ""
    assert f"for {storage_driver.URL_SECONDS // 60} minutes" in told


def test_a_signature_is_used_while_s3_takes_it() -> None:
    """Even of a client whose clock is as wrong as half of what S3 allows."""
    assert timedelta(seconds=fast_path.SIGNED_FOR_S) < error_codes.MAX_SKEW / 2


def test_parts_of_a_stream_hold_the_largest_object() -> None:
    """The number of steady parts and the doubling after them fit S3's limits, whatever the part size."""
    numbers = range(1, ranges.MAX_PARTS + 1)
    assert (
        sum(ranges.streamed_part_bytes(number, ranges.MIN_PART_BYTES) for number in numbers) >= ranges.MAX_OBJECT_BYTES
    )


def test_make_test_tells_how_many_tests_there_are(request: pytest.FixtureRequest) -> None:
    """So that whoever waits knows for what."""
    (told,) = re.findall(r"about ([\d,]+) tests", (HERE / "Makefile").read_text())
    number, found = int(told.replace(",", "")), len(request.session.items)
    if found < number / 2:
        pytest.skip("only a part of the tests runs")
    assert 0.9 * number <= found <= 1.1 * number
