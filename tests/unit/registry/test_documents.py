"""JSON from strangers is read within bounds."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.errors import UnreadableDocumentError
from registry_s3fs.registry import documents

MIB = 1024 * 1024
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{}",\\ab'), inner),
)  # fmt: skip


@pytest.mark.thorough
@given(st.dictionaries(st.text('[]{}",\\ab'), values))
def test_every_document_within_the_bounds_is_read_as_it_is(document: dict[str, object]) -> None:
    """Whatever brackets, quotes and backslashes its texts have."""
    assert documents.parse(json.dumps(document).encode()) == document
    assert documents.parse(json.dumps(document, ensure_ascii=False).encode()) == document


@given(st.binary() | st.text('[]{}":,\\u d80').map(str.encode))
def test_any_bytes_are_an_object_or_the_error(data: bytes) -> None:
    """No other exception comes."""
    with suppress(UnreadableDocumentError):
        assert isinstance(documents.parse(data), dict)


@pytest.mark.parametrize("depth", [documents.MAX_DEPTH, documents.MAX_DEPTH + 1])
@pytest.mark.parametrize("quote", [b"", b'"\\\\\\"]]]]', b'"' + 3 * documents.MAX_DEPTH * b"[{,"])
def test_a_document_may_be_a_hundred_levels_deep(depth: int, quote: bytes) -> None:
    """Brackets in texts do not count."""
    text = quote + quote[:1]
    inner = b'{"a":' + (text or b"0") + b"}"
    document = b'{"a":' + (depth - 2) * b"[" + inner + (depth - 2) * b"]" + b"}"
    if depth > documents.MAX_DEPTH:
        with pytest.raises(UnreadableDocumentError, match="deeper than 100 levels"):
            documents.parse(document)
    else:
        assert documents.parse(document) == json.loads(document)


@pytest.mark.promise("Registry contents")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(100 * MIB * b" ", id="100 MiB"),
        pytest.param(10_000 * b"[", id="10,000 levels"),
        pytest.param(10_000 * b'{"a":', id="10,000 objects"),
        pytest.param(MIB * b'{"a', id="a million objects"),
        pytest.param(b'{"a":[' + MIB * b"[]," + b"0]}", id="a million lists"),
        pytest.param(b'{"a":[' + MIB * b"1," + b"0]}", id="a million numbers"),
        pytest.param(b'{"a":[' + 500_000 * b'"",' + b"0]}", id="half a million texts"),
        pytest.param(b'{"a":' + MIB * b"9" + b"}", id="a number of a million digits"),
        pytest.param(4 * MIB * b'"', id="quotes"),
        pytest.param(4 * MIB * b"\\", id="backslashes"),
        pytest.param(b"\xff\xfe{\0}\0", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": -1e999}', id="infinity"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{} {}", id="two"),
    ],
)
def test_a_hostile_document_is_an_error_that_costs_little(data: bytes) -> None:
    """A document of 100 MB, 10,000 levels or a million values is an error, and takes less than 32 MiB of memory."""
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableDocumentError):
            documents.parse(data)
        assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    finally:
        tracemalloc.stop()


def test_text_that_is_no_unicode_is_replaced() -> None:
    """As in Go, so that whatever is read can be written as UTF-8."""
    document = documents.parse(b'{"\\uD800": ["\\ud83d\\ude00", {"a": "\\udfff"}], "b": "\xff"}')
    assert document == {"\ufffd": ["\U0001f600", {"a": "\ufffd"}], "b": "\ufffd"}
