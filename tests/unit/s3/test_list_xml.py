"""The page parser gives what botocore's own gives, or leaves the page to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.s3 import list_xml

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
SHAPE = botocore.session.Session().get_service_model("s3").operation_model("ListObjectsV2").output_shape


def botocores(body: bytes) -> dict[str, Any]:
    """What botocore's parser makes of a body."""
    parsed = create_parser("rest-xml").parse({"body": body, "headers": {}, "status_code": 200}, SHAPE)
    del parsed["ResponseMetadata"]
    return dict(parsed)


def element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def whole(*inside: str, namespace: str = NAMESPACE) -> bytes:
    declared = f' xmlns="{namespace}"' if namespace else ""
    return f'<?xml version="1.0"?>\n<ListBucketResult{declared}>{"".join(inside)}</ListBucketResult>'.encode()


ETAG = '"c4ca4238a0b923820dcc509a6f75849b"'
WHEN = "2026-11-24T19:38:28.000Z"
OBJECT = {"Key": "d/a", "LastModified": WHEN, "ETag": ETAG, "Size": "1", "StorageClass": "STANDARD"}

text = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20)
times = st.datetimes().map(lambda when: when.isoformat(timespec="milliseconds") + "Z") | st.just("2009-10-12T17:50:30Z")
objects = st.fixed_dictionaries(
    {
        "Key": text | text.map(quote) | text.map(quote_plus),
        "LastModified": times,
        "ETag": text,
        "Size": st.integers(0, 2**62).map(str),
    },
    optional={
        "StorageClass": text,
        "ChecksumAlgorithm": st.sampled_from(["CRC32", "SHA256"]),
        "ChecksumType": st.sampled_from(["COMPOSITE", "FULL_OBJECT"]),
        "Type": st.just("Normal"),
    },
)
AWS = ("Key", "LastModified", "ETag", "ChecksumAlgorithm", "ChecksumType", "Size", "StorageClass")


def as_aws_writes_it(fields: dict[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in AWS if name in fields}


page_fields = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("Name", "Prefix", "Delimiter", "StartAfter", "NextContinuationToken", "Unknown"), text),
        "EncodingType": st.just("url"),
        "IsTruncated": st.sampled_from(["true", "false", "TRUE", ""]),
        "KeyCount": st.integers(0, 1000).map(str),
    },
)


def listed(fields: dict[str, str]) -> str:
    return "<Contents>" + "".join(element(name, value) for name, value in fields.items()) + "</Contents>"


@given(st.data(), st.sampled_from([NAMESPACE, "", "urn:other"]))
def test_a_page_is_parsed_as_by_botocore(data: st.DataObject, namespace: str) -> None:
    """Whatever the order of elements, the namespace, the characters of keys and what is left out."""
    rows = st.lists(objects, max_size=4) | st.lists(objects.map(as_aws_writes_it), max_size=4)
    inside = [listed(fields) for fields in data.draw(rows)]
    inside += [f"<CommonPrefixes>{element('Prefix', name)}</CommonPrefixes>" for name in data.draw(st.lists(text))]
    fields = data.draw(page_fields)
    inside += [element(name, value) for name, value in fields.items()]
    body = whole(*data.draw(st.permutations(inside)), namespace=namespace)
    parsed = list_xml.parse(body)
    if fields.get("IsTruncated", "true") not in ("true", "false"):  # which botocore takes for false
        assert parsed is None
    else:
        assert parsed is not None
        assert parsed == botocores(body)


@given(objects.map(as_aws_writes_it))
def test_what_aws_writes_is_read_at_once(fields: dict[str, str]) -> None:
    """Without a look at each element, but where a character is written by its name."""
    row = listed(fields)
    assert (list_xml.only_objects(2 * row) is None) == ("&" in row)


ODD = {
    "a comment": whole("<!-- <Contents></Contents> -->", listed(OBJECT)),
    "a comment in between": whole(listed(OBJECT), "<!-- -->", listed(OBJECT)),
    "character data": whole(listed(OBJECT).replace("d/a", "<![CDATA[d/a]]>")),
    "something else in between": whole(listed(OBJECT), element("Name", "x"), listed(OBJECT)),
    "space between elements": whole(listed(OBJECT).replace("><", "> <"), " ", listed(OBJECT)),
    "another one at the end": whole(listed(OBJECT), listed({**OBJECT, "Type": "Normal"})),
    "a name of a character": whole(listed({**OBJECT, "Key": "a&b"}), listed(OBJECT).replace("d/a", "&#97;&amp;quot;")),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_an_odd_page_is_parsed_as_by_botocore(body: bytes) -> None:
    """Element by element."""
    assert list_xml.parse(body) == botocores(body)


def without(name: str) -> str:
    return listed({key: value for key, value in OBJECT.items() if key != name})


LEFT = {
    "an error with status 200": b"<Error><Code>InternalError</Code></Error>",
    "no body": b"",
    "cut short": whole(listed(OBJECT))[:-5],
    "html": b"<html><body>try later</body></html>",
    "bytes that are no UTF-8": whole(listed(OBJECT)).replace(b"d/a", b"d/\xff"),
    "an owner": whole(listed(OBJECT).replace("</Contents>", "<Owner><ID>me</ID></Owner></Contents>")),
    "two algorithms": whole(
        listed(OBJECT).replace("</Contents>", 2 * "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>" + "</Contents>")
    ),
    "a time of another form": whole(listed({**OBJECT, "LastModified": "Tue, 24 Nov 2026 19:38:28 GMT"})),
    "a time in another zone": whole(listed({**OBJECT, "LastModified": "2026-11-24T19:38:28+02:00"})),
    "no size in words": whole(listed({**OBJECT, "Size": "one"})),
    "a prefix without its name": whole("<CommonPrefixes/>"),
    "a field twice": whole("<KeyCount>1</KeyCount><KeyCount>1</KeyCount>"),
    **{f"no {name}": whole(without(name)) for name in ("Key", "LastModified", "ETag", "Size")},
}


@pytest.mark.parametrize("body", LEFT.values(), ids=LEFT)
def test_an_unexpected_page_is_left_to_botocore(body: bytes) -> None:
    """The body stays as it is, and nothing stands in for what botocore would make of it."""
    response, custom = {"status_code": 200, "body": body}, dict[str, Any]()
    list_xml.fill(response, custom, operation_model=None)
    assert response["body"] == body
    assert custom == {}


def test_a_failed_request_is_left_to_botocore() -> None:
    """Only the status tells some errors from pages."""
    response, custom = {"status_code": 503, "body": whole()}, dict[str, Any]()
    list_xml.fill(response, custom)
    assert response["body"]
    assert custom == {}


def test_a_page_is_taken_out_of_the_body() -> None:
    """So that botocore has nothing left to parse."""
    response, custom = {"status_code": 200, "body": whole(listed(OBJECT))}, dict[str, Any]()
    list_xml.fill(response, custom)
    assert response["body"] == b""
    assert custom == botocores(whole(listed(OBJECT)))
