"""Listings on each server: pages as botocore parses them, parts as one page after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.parsers import create_parser

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BucketNotFoundError
from registry_s3fs.listing import directory
from registry_s3fs.listing.partition import STREAMS, Plan
from registry_s3fs.s3 import list_xml
from registry_s3fs.s3.first_pages import Started
from registry_s3fs.s3.listing_responses import Listing
from testbed.servers import Server
from tests.listening import listen

SHAPE = botocore.session.Session().get_service_model("s3").operation_model("ListObjectsV2").output_shape

_numbers = itertools.count()


@pytest.fixture(params=["moto_server", "rclone_server", "radosgw_server"])
def store(request: pytest.FixtureRequest) -> Iterator[RegistryS3FileSystem]:
    """A filesystem on a fresh bucket of each server."""
    server: Server = request.getfixturevalue(request.param)
    bucket = f"listing-{next(_numbers)}"
    server.create_bucket(bucket)
    yield RegistryS3FileSystem(**server.options(bucket, rootdirectory="/reg"))
    server.empty_bucket(bucket)


def watched(fs: RegistryS3FileSystem, event: str, handler: Any) -> None:
    """Have a handler called for this filesystem's requests."""
    listen(fs, f"{event}.s3.ListObjectsV2", handler)


@pytest.fixture
def small_pages(store: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Pages of seven keys, and requests side by side however fast the server is; gives the requests sent."""
    sent: list[dict[str, Any]] = []

    def ask_for_few(params: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        sent.append(dict(params))
        return {"MaxKeys": 7, **params}

    watched(store, "provide-client-params", ask_for_few)
    monkeypatch.setattr(Plan, "streams", STREAMS)
    return sent


NAMES = [f"{n:03}" for n in range(60)] + [f"sha256/{n * 41 % 256:02x}/data" for n in range(60)]
ODD = ["a b", "a+b", "50%", "ü/x", "日本", "🐳", "\ufb03", "&<>", "#?", "~/x", "=", "[x]", "'\"", "a-b/c", "a/b"]


def fill(fs: RegistryS3FileSystem, names: list[str]) -> list[str]:
    paths = [f"/d/{name}" for name in names] + ["/d2/sibling", "/c"]
    fs.pipe(dict.fromkeys(paths, b"1"))
    return sorted(path for path in paths if path.startswith("/d/"))


def test_pages_are_parsed_as_by_botocore(store: RegistryS3FileSystem) -> None:
    """Byte for byte what each server sends, with objects, directories and neither."""
    bodies = []
    fill(store, NAMES[:3] + ODD)
    before_ours = "before-parse.*.*"
    listen(store, before_ours, lambda response_dict, **kwargs: bodies.append(response_dict["body"]))
    list(store.bucket.list("reg/d/"))
    list(store.bucket.list("reg/d/", "/"))
    list(store.bucket.list("reg/d/", "/", start_after="reg/d/a b"))
    list(store.bucket.list("none"))
    assert len([body for body in bodies if body]) == 4
    for body in bodies:
        told = create_parser("rest-xml").parse({"body": body, "headers": {}, "status_code": 200}, SHAPE)
        del told["ResponseMetadata"]
        assert list_xml.parse(body) == told


@pytest.mark.parametrize("how", [{}, {"delimiter": "/"}, {"start_after": "reg/d/a b"}, {"limit": 3}])
def test_the_fast_path_lists_what_boto3_lists(
    store: RegistryS3FileSystem, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names with all characters, page after page."""
    fill(store, NAMES + ODD)
    fast_path, sent = store.bucket.fast_path, []

    def few(fields: dict[str, Any], for_whom: None) -> Any:
        sent.append(fields)
        return type(fast_path).list_objects(fast_path, {"MaxKeys": 7, **fields}, for_whom)

    monkeypatch.setattr(fast_path, "list_objects", few)
    listed = list(store.bucket.list("reg/d/", **how))
    assert len(sent) > (2 if "limit" not in how else 0)
    monkeypatch.undo()
    monkeypatch.setattr(fast_path, "is_open", lambda operation: False)
    expected = list(store.bucket.list("reg/d/", **how))
    for part in ("objects", "prefixes"):
        found, wanted = ([each for page in by for each in getattr(page, part)] for by in (listed, expected))
        assert found == wanted


@pytest.mark.parametrize("is_open", [True, False])
def test_listings_that_are_started_together_are_those_that_are_listed_alone(
    store: RegistryS3FileSystem, is_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the fast path and by boto3, of one page and of several, flat and by delimiter; what is missing is empty."""
    fill(store, NAMES + ODD)
    fast_path, listings = store.bucket.fast_path, [Listing("reg/d/"), Listing("reg/d/", "/"), Listing("reg/nothing/")]
    listings.append(Listing("reg/d/", "", "reg/d/a"))
    list_objects = type(fast_path).list_objects

    def few(fields: dict[str, Any], for_whom: Any) -> Any:
        return list_objects(fast_path, {"MaxKeys": 7, **fields}, for_whom)

    monkeypatch.setattr(fast_path, "list_objects", few)
    if not is_open:
        monkeypatch.setattr(fast_path, "is_open", lambda operation: False)
    for listing, started in zip(listings, store.bucket.start_lists(listings), strict=True):
        assert isinstance(started, Started)
        assert 0 <= started.waited_s < 60
        assert 0 <= started.worked_s < 60
        alone = store.bucket.list(listing.prefix, listing.delimiter, start_after=listing.start_after)
        assert list(started.pages) == list(alone)


def test_what_cannot_be_started_is_an_error_in_its_place(moto_server: Server) -> None:
    """Each has its own."""
    fs = RegistryS3FileSystem(**moto_server.options("no-such-bucket"))
    errors = fs.bucket.start_lists([Listing("a/"), Listing("b/")])
    assert [type(error) for error in errors] == [BucketNotFoundError] * 2


def test_parts_are_what_one_page_after_another_is(
    store: RegistryS3FileSystem, small_pages: list[dict[str, Any]]
) -> None:
    """Files beside directories of their name, odd characters, siblings outside; in the order of UTF-8's bytes."""
    paths = fill(store, NAMES + ODD)
    small_pages.clear()
    assert store.find("/d") == paths
    fewest = -(-len(paths) // 7)
    assert any("StartAfter" in request for request in small_pages)
    assert len(small_pages) <= 1.3 * fewest


def test_directories_in_parts(store: RegistryS3FileSystem, small_pages: list[dict[str, Any]]) -> None:
    """What lies below each is one entry, also at the cuts."""
    fill(store, [f"{n:03}/{m}" for n in range(0, 120, 2) for m in range(3)] + [f"{n:03}" for n in range(1, 120, 2)])
    small_pages.clear()
    assert store.ls("/d", detail=False) == [f"/d/{n:03}" for n in range(120)]
    assert len(small_pages) <= 1.3 * -(-120 // 7)


def test_a_small_directory_is_one_request(store: RegistryS3FileSystem, small_pages: list[dict[str, Any]]) -> None:
    """Looking for parts costs nothing."""
    fill(store, ["x", "y/z"])
    small_pages.clear()
    assert list(directory.keys(store.bucket, "/d")) == ["reg/d/x", "reg/d/y/z"]
    assert len(small_pages) == 1


@pytest.mark.promise("Listing")
def test_an_error_in_a_part_is_raised(store: RegistryS3FileSystem, small_pages: list[dict[str, Any]]) -> None:
    """A listing of which a part fails raises. Half of a listing is never given for the whole."""
    fill(store, NAMES)

    def refuse(params: dict[str, Any], **kwargs: Any) -> None:
        if "StartAfter" in params:
            raise PermissionError(13, "denied", "/d")

    watched(store, "provide-client-params", refuse)
    with pytest.raises(PermissionError):
        store.find("/d")
