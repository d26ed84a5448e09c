"""JSON is read as Go's `encoding/json` reads it into a value of a type."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.registry.go_json import (
    BYTES,
    INTEGER,
    MAX_DEPTH,
    TEXT,
    TEXTS_BY_NAME,
    Type,
    Value,
    is_base64,
    parse,
    read,
)

LAYERS: Type = {"layers": [{"digest": TEXT, "size": INTEGER}]}


def decode(data: bytes, into: Type, *, floats: bool = False) -> Value:
    """Parse a document and read it."""
    return read(parse(data, floats=floats), into)


@pytest.mark.parametrize(
    ("text", "into", "expected"),
    [
        ('{"a": "x"}', {"a": TEXT}, {"a": "x"}),
        ('{"A": "x", "other": [{}]}', {"a": TEXT}, {"a": "x"}),
        ('{"\u017fize": 1, "\u212aey": 2}', {"size": INTEGER, "key": INTEGER}, {"size": 1, "key": 2}),
        ('{"a": "x", "a": null}', {"a": TEXT}, {"a": "x"}),
        ('{"a": ["x"], "a": null}', {"a": [TEXT]}, {"a": None}),
        ('{"a": [], "A": ["x", null]}', {"a": [TEXT]}, {"a": ["x", None]}),
        ('{"a": {"b": "x"}, "a": {"c": "y"}}', {"a": {"b": TEXT, "c": TEXT}}, {"a": {"b": "x", "c": "y"}}),
        ('{"a": {"b": null, "c": "y"}}', {"a": TEXTS_BY_NAME}, {"a": [("b", None), ("c", "y")]}),
        ('{"a": 1e999, "b": %s, "c": 1}' % ("9" * 5000), {"c": INTEGER}, {"c": 1}),
        ('{"a": -9223372036854775808}', {"a": INTEGER}, {"a": -(2**63)}),
        ('{"a": "YQ==\\n"}', {"a": BYTES}, {"a": "YQ==\n"}),
        ('{"a": [0, 255, null]}', {"a": BYTES}, {"a": [0, 255, None]}),
        ('null', {"a": TEXT}, None),
        ('{"layers": [{"digest": "x", "size": 1}, {"digest": "y"}], "Layers": [{"size": 2}]}', LAYERS,
         {"layers": [{"digest": "x", "size": 2}]}),
        ('{"layers": [{"digest": "x"}, {"digest": "y"}], "layers": [{}], "layers": [{}, {}]}', LAYERS,
         {"layers": [{"digest": "x"}, {"digest": "y"}]}),
        ('{"layers": [{"digest": "x"}], "layers": [], "layers": [{}]}', LAYERS, {"layers": [{}]}),
    ],
)  # fmt: skip
def test_it_is_read_as_go_reads_it(text: str, into: Type, expected: Value) -> None:
    """Names in any case, values over values, `null` that changes nothing, lists whose elements are found again."""
    assert decode(text.encode(), into) == expected


@pytest.mark.parametrize(
    ("text", "into", "message"),
    [
        ('{"a": 1}', {"a": TEXT}, "a must be a text"),
        ('{"a": 1.0}', {"a": INTEGER}, "a must be an integer of 64 bits"),
        ('{"a": 1e3}', {"a": INTEGER}, "a must be an integer of 64 bits"),
        ('{"a": true}', {"a": INTEGER}, "a must be an integer of 64 bits"),
        ('{"a": 9223372036854775808}', {"a": INTEGER}, "a must be an integer of 64 bits"),
        ('{"a": %s}' % ("9" * 5000), {"a": INTEGER}, "a must be an integer of 64 bits"),
        ('{"a": {}}', {"a": [TEXT]}, "a must be a list"),
        ('{"a": [1]}', {"a": [TEXT]}, r"a\[0\] must be a text"),
        ('{"a": [{"b": {"c": []}}]}', {"a": [{"b": {"c": TEXT}}]}, r"a\[0\].b.c must be a text"),
        ('{"a": []}', {"a": {}}, "a must be an object"),
        ('{"a": {"b": 1}}', {"a": TEXTS_BY_NAME}, "a must be an object of texts"),
        ('{"a": "YQ"}', {"a": BYTES}, "a must be bytes in base64"),
        ('{"a": [256]}', {"a": BYTES}, "a must be bytes in base64"),
        ('{"a": NaN}', {}, "NaN is no value of JSON"),
        ("[]", {"a": TEXT}, "the document must be an object"),
        ("", {}, "Expecting value"),
        ("{} x", {}, "Extra data"),
        ("{", {}, "Expecting property name"),
    ],
)  # fmt: skip
def test_what_go_refuses_is_refused(text: str, into: Type, message: str) -> None:
    """Also where another value of the same name comes later."""
    with pytest.raises(ValueError, match=message):
        decode(text.encode(), into)


def test_all_of_a_document_can_be_wanted_as_numbers_that_a_float_can_be() -> None:
    """As where it is first read without a type."""
    assert decode(b'{"a": 1, "b": %s}' % (b"9" * 300), {"a": INTEGER}, floats=True) == {"a": 1}
    for number in (b"1e999", b"9" * 400):
        with pytest.raises(ValueError, match="is beyond all numbers"):
            decode(b'{"a": 1, "b": [%s]}' % number, {"a": INTEGER}, floats=True)


@pytest.mark.parametrize("depth", [99, 100, 101, 250, MAX_DEPTH - 1])
@pytest.mark.parametrize("pair", ["[]", '{"x":}'])
def test_ten_thousand_levels_are_read(depth: int, pair: str) -> None:
    """What is deep must be JSON, and what is beside it counts."""
    opening, closing = pair[:-1], pair[-1]
    text = f'{{"deep": {opening * depth}{{}}{closing * depth}, "a": "\\"[x"}}'.replace("{}", "1")
    assert decode(text.encode(), {"a": TEXT}) == {"a": '"[x'}
    for wrong in (text.replace("1", "1 1"), text.replace("1", "]"), text.replace("1", '"'), text[:-1]):
        with pytest.raises(ValueError, match=r"."):
            decode(wrong.encode(), {"a": TEXT})


def test_more_levels_are_refused() -> None:
    """By Go's bound."""
    for depth in (MAX_DEPTH, 10**6):
        with pytest.raises(ValueError, match="no document of over 10000 levels"):
            decode(b'{"deep": ' + b"[" * depth + b"]" * depth + b"}", {"a": TEXT})


@pytest.mark.parametrize("text", ['"\\' * 500_000, '{"a": "' + "x" * 10**6, '{"a": "x' + "\\" * (10**6 + 1)])
def test_a_string_without_an_end_is_looked_at_once(text: str) -> None:
    """Where it was begun anew at each quote of 10^6, this would never end."""
    with pytest.raises(ValueError, match=r"char \d+"):
        decode(text.encode(), {})


def test_lone_surrogates_are_replaced() -> None:
    """As in Go, so that what is read can be written."""
    assert decode(b'{"a": "x\\ud800"}', {"a": TEXT}) == {"a": "x\ufffd"}


def test_bytes_are_what_gos_decoder_takes() -> None:
    """Padded, of the standard alphabet, with line ends anywhere."""
    assert all(map(is_base64, ["", "YQ==", "YWI=", "YWJj", "Y\r\nQ=\n="]))
    assert not any(map(is_base64, ["YQ", "YQ=", "Y===", "Y Q==", "YQ==YQ==", "_w=="]))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=30,
)


@given(values, st.integers(0, 300), st.data())
def test_it_is_json_for_go_where_it_is_json(value: object, depth: int, data: st.DataObject) -> None:
    """However deep; a character more or less is the same for both."""
    text = f'{{"x": {"[" * depth}{json.dumps(value)}{"]" * depth}}}'
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + data.draw(st.sampled_from(list('[]{}",:1\\ '))) + text[at + data.draw(st.integers(0, 1)) :]
    for each in (text, changed):
        try:
            decode(each.encode(), {})
        except ValueError:
            assert not is_json(each)
        else:
            assert is_json(each)


def is_json(text: str) -> bool:
    """Whether Python's decoder takes it."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
