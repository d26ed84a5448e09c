"""Names of headers and of boto3's fields: they are those of botocore's own model of S3, each written once."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.model.objects import OBJECT_HEADERS
from registry_s3fs.s3 import list_xml, listing_responses
from registry_s3fs.s3.client import object_fields
from registry_s3fs.s3.documents import SINGLE
from registry_s3fs.s3.fast_path import header_names
from registry_s3fs.s3.fast_path.header_names import GET_FIELDS, HEAD_FIELDS, QUERY, REQUEST_FIELDS

MODEL: Any = botocore.session.get_session().get_service_model("s3")


def fields_in(shape: Any, location: str) -> dict[str, str]:
    """boto3's names of the fields that are in headers or the query, with the name they have there."""
    members = {name: member.serialization for name, member in shape.members.items()}
    return {name: said["name"].lower() for name, said in members.items() if said.get("location") == location}


@pytest.mark.parametrize("headers", [GET_FIELDS, HEAD_FIELDS], ids=["get", "head"])
def test_the_headers_of_a_response_are_those_of_the_model(headers: dict[str, str]) -> None:
    """What the fast path reads has the name by which boto3 gives it; older ones give less of a HEAD."""
    shapes = [MODEL.operation_model(operation).output_shape for operation in ("HeadObject", "GetObject")]
    known = fields_in(shapes[0], "header") | fields_in(shapes[1], "header")
    assert {name: header for header, name in headers.items()}.items() <= known.items()


def test_the_headers_of_a_put_are_those_of_the_model() -> None:
    """What the fast path sends is what boto3 would send."""
    known = fields_in(MODEL.operation_model("PutObject").input_shape, "header")
    assert REQUEST_FIELDS.items() <= known.items()


def test_the_query_of_a_listing_is_that_of_the_model() -> None:
    """Each name, with boto3's for it."""
    assert QUERY.items() <= fields_in(MODEL.operation_model("ListObjectsV2").input_shape, "querystring").items()


def test_a_head_tells_all_object_headers() -> None:
    """A copy that changes one of them keeps the others, whichever way the HEAD went."""
    assert set(OBJECT_HEADERS) - {"Metadata"} <= set(HEAD_FIELDS.values())
    assert MODEL.shape_for("HeadObjectOutput").members["Metadata"].serialization["name"] == header_names.METADATA


def test_what_the_parameters_ask_of_each_object_takes_the_fast_path() -> None:
    """No option of the registry makes small files slow."""
    parameters = DriverParameters(
        bucket="demo", region="eu-west-1", encrypt=True, keyid="key", objectacl="private", storageclass="STANDARD"
    )
    assert object_fields(parameters).keys() <= REQUEST_FIELDS.keys()


def test_the_fields_of_a_page_are_those_of_the_model() -> None:
    """None is missed by which a page shows that it is one."""
    shape = MODEL.operation_model("ListObjectsV2").output_shape
    assert set(list_xml.PAGE_FIELDS) == shape.members.keys() - fields_in(shape, "header").keys()


def test_the_fields_that_an_object_needs_are_the_same_in_all_tables() -> None:
    """The parser, the completion by HEADs, and the guard against elements that come twice."""
    needs = list_xml.OBJECT_NEEDS.keys()
    assert needs == {"Key", *listing_responses.NEEDED}
    assert needs <= SINGLE
