"""Listings that name what was not asked for, that stand still, or that tell less than S3's."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import InvalidResponseError, SkipDir
from registry_s3fs.s3.listing_responses import Listing
from testbed.messages import Answer, Request
from testbed.plain_answers import LISTED_WHEN, PAGE, entry, plain, xml
from testbed.scripted_store import ScriptedStore
from tests.odd_store import Twist, instead, odd_store

LOOKS: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "rm": lambda fs: fs.rm("/a", recursive=True),
    "mv": lambda fs: fs.mv("/a", "/z", recursive=True),
    "driver's delete": lambda fs: StorageDriver(fs).delete("/a"),
    "find": lambda fs: fs.find("/a"),
    "find with directories": lambda fs: fs.find("/a", withdirs=True),
    "ls": lambda fs: fs.ls("/a"),
    "du": lambda fs: fs.du("/a"),
    "walk": lambda fs: list(fs.walk("/a", on_error="raise")),
    "glob": lambda fs: fs.glob("/a/*"),
    "deep glob": lambda fs: fs.glob("/a/**/x"),
    "exists": lambda fs: fs.exists("/a"),
    "rmdir": lambda fs: fs.rmdir("/a"),
    "driver's list": lambda fs: StorageDriver(fs).list("/a"),
    "driver's walk": lambda fs: StorageDriver(fs).walk("/a", lambda info: None),
}


def about(inner: str) -> Answer:
    return xml("ListBucketResult", "<Name>demo</Name><IsTruncated>false</IsTruncated>" + inner)


ELSEWHERE = {
    "outside rootdirectory": about(entry("precious") + entry("r/a/x")),
    "a sibling": about(entry("r/a/x") + entry("r/ab")),
    "encoded": about("<EncodingType>url</EncodingType>" + entry("r/a/x") + entry("r%2Fb")),
    "a directory elsewhere": about(entry("r/a/x") + "<CommonPrefixes><Prefix>r/b/</Prefix></CommonPrefixes>"),
    "the directory itself": about("<CommonPrefixes><Prefix>r/a/</Prefix></CommonPrefixes>"),
}


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_outside_the_prefix_are_refused_and_nothing_is_deleted(name: str) -> None:
    """A listing with a name that does not begin with the prefix asked for is an `OSError`, and nothing is deleted.

    A cache or gateway that drops the prefix must not have `rm` delete other directories, or the whole bucket.
    """
    calls = ["ls", "driver's list", "glob"] if name == "the directory itself" else LOOKS
    with odd_store(instead("ListObjectsV2", ELSEWHERE[name]), rootdirectory="/r") as (store, fs):
        store.fill({"precious": b"1", "r/ab": b"2", "r/b": b"3"})
        for call in calls:
            store.requests.clear()
            with pytest.raises(OSError, match="ListObjectsV2 is none of S3's"):
                LOOKS[call](fs)
            assert len(store.requests) < 6
        assert store.contents().keys() == {"precious", "r/ab", "r/b"}


BAD = {
    "a page": PAGE,
    "a tidy page": plain(200, b"<html><head></head><body>Hello</body></html>"),
    "nothing": plain(200),
    "a text": plain(200, b"OK"),
    "another document": xml("ListPartsResult", "<IsTruncated>false</IsTruncated>"),
    "no key": about("<Contents><Size>1</Size></Contents>"),
    "no prefix": about("<CommonPrefixes></CommonPrefixes>"),
    "a size below 0": about(entry("r/a/x").replace("<Size>0", "<Size>-1")),
    "a size that is none": about(entry("r/a/x").replace("<Size>0", "<Size>many")),
    "a time that is none": about(entry("r/a/x").replace(LISTED_WHEN, "yesterday")),
    "10^18 bytes": about(entry("r/a/x").replace("<Size>0", f"<Size>{10**18}")),
}


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_listing_is_not_an_empty_directory(name: str) -> None:
    """An answer with status 200 that is no listing is not taken for an empty directory."""
    with odd_store(instead("ListObjectsV2", BAD[name]), rootdirectory="/r") as (store, fs):
        for call in ("rm", "find", "ls", "exists", "rmdir", "glob", "driver's list"):
            store.requests.clear()
            with pytest.raises(OSError, match="none of S3's") as error:
                LOOKS[call](fs)
            assert isinstance(error.value, InvalidResponseError) or call.startswith("driver")
            assert len(store.requests) < 8


def test_a_listing_without_what_rclone_leaves_out_is_one() -> None:
    """IsTruncated where it is false; others leave out KeyCount, MaxKeys or the name."""
    for field, told in (("Name", "b"), ("Prefix", ""), ("MaxKeys", "1"), ("KeyCount", "0"), ("Delimiter", "/")):
        inner = f"<{field}>{told}</{field}>"
        with odd_store(instead("ListObjectsV2", xml("ListBucketResult", inner))) as (_, fs):
            assert fs.find("/") == []
            assert not fs.exists("/a")


TOKEN = "<NextContinuationToken>t</NextContinuationToken>"


def standing_still(kind: str) -> Twist:
    """A listing that never ends."""
    count = 0

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        nonlocal count
        if request.operation != "ListObjectsV2":
            return None
        count += 1
        token = {"same token": "t", "other tokens": str(count), "two tokens": str(count % 2)}.get(kind, str(count))
        next_token = "" if kind == "no token" else f"<NextContinuationToken>{token}</NextContinuationToken>"
        inner = {"no token": entry("a/x"), "other tokens": entry("a/x")}.get(kind, "")
        inner += {"same token": entry(f"a/{count:05}"), "two tokens": entry(f"a/{count:05}")}.get(kind, "")
        if kind == "same prefix":
            inner = (
                "<CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes>"
                if "delimiter" in request.target
                else entry("a/x")
            )
        return xml("ListBucketResult", "<IsTruncated>true</IsTruncated>" + next_token + inner)

    return twist


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("kind", ["same token", "two tokens", "other tokens", "no token", "empty", "same prefix"])
def test_a_listing_that_stands_still_is_told(kind: str) -> None:
    """A listing that never ends is an error within a few requests, and nothing is deleted."""
    with odd_store(standing_still(kind)) as (store, fs):
        store.fill({"a/x": b""})
        for call in ("rm", "find", "ls", "walk", "glob", "driver's list", "driver's walk"):
            store.requests.clear()
            with pytest.raises(OSError, match="none of S3's"):
                LOOKS[call](fs)
            assert len(store.requests) < 120
        assert store.contents() == {"a/x": b""}


def test_a_directory_of_many_pages_ends_where_the_delimiter_is_ignored() -> None:
    """Each of them names nothing but a directory that is known already, and still the listing goes on."""
    keys = {f"a/b/{number:03}": b"" for number in range(80)} | {"a/z": b""}
    with ScriptedStore(keys, page_keys=2) as store:
        store.script("ListObjectsV2", misread=lambda request: request.without_query("delimiter"))
        fs = RegistryS3FileSystem(**store.options())
        assert fs.ls("/a", detail=False) == ["/a/b", "/a/z"]


def test_a_page_that_comes_again_before_the_end_is_told() -> None:
    """What has one page says that more follows, and gives it again, or a part of it."""
    for second in (("a/x", "a/y"), ("a/y", "a/z")):

        def twist(store: ScriptedStore, request: Request, again: tuple[str, str] = second) -> Answer | None:
            if request.operation != "ListObjectsV2":
                return None
            is_second = request.query.get("continuation-token") == "t"
            more = "<IsTruncated>false</IsTruncated>" if is_second else f"<IsTruncated>true</IsTruncated>{TOKEN}"
            return xml("ListBucketResult", more + "".join(map(entry, again if is_second else ("a/x", "a/y"))))

        with odd_store(twist) as (store, fs):
            store.fill({"a/x": b"", "a/y": b""})
            for call in ("rm", "find", "ls", "walk", "driver's walk"):
                with pytest.raises(OSError, match="none of S3's"):
                    LOOKS[call](fs)
            assert store.contents().keys() == {"a/x", "a/y"}


@pytest.mark.promise("Odd stores and odd answers")
def test_an_empty_page_is_not_the_end() -> None:
    """An empty page with more to come is not the end of a listing."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "ListObjectsV2":
            return None
        if request.query.get("continuation-token") == "t":
            return store.carry_out(request.without_query("continuation-token"))
        return xml("ListBucketResult", f"<IsTruncated>true</IsTruncated>{TOKEN}")

    with odd_store(twist) as (store, fs):
        store.fill({"t/a": b"", "u/a/b": b"", "u/c": b""})
        assert fs.exists("/u")
        assert fs.isdir("/u/a")
        with pytest.raises(OSError, match="not empty"):
            fs.rmdir("/u")
        assert fs.find("/u") == ["/u/a/b", "/u/c"]
        assert fs.glob("/u/*/b") == ["/u/a/b"]
        assert fs.glob("/*/c") == ["/u/c"]
        assert [info["name"] for info in fs.ls("/u")] == ["/u/a", "/u/c"]


def test_a_directory_that_comes_on_two_pages_is_one() -> None:
    """The last common prefix of a page may be the next one's first."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "ListObjectsV2" or "delimiter" not in request.target:
            return None
        pages = {"": ("a/b/", "t"), "t": ("a/b/", "u"), "u": ("a/c/", "")}
        page, token = pages[request.query.get("continuation-token", "")]
        more = f"<IsTruncated>{str(bool(token)).lower()}</IsTruncated>"
        more += f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
        return xml("ListBucketResult", f"{more}<CommonPrefixes><Prefix>{page}</Prefix></CommonPrefixes>")

    with odd_store(twist) as (_, fs):
        assert fs.ls("/a", detail=False) == ["/a/b", "/a/c"]
        assert StorageDriver(fs).list("/a") == ["/a/b", "/a/c"]


def test_a_store_that_ignores_the_delimiter_shows_directories() -> None:
    """Keys that S3 folds into a common prefix are no files of the directory."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "ListObjectsV2":
            return None
        return about("".join(entry(key) for key in sorted(store.contents())))

    with odd_store(twist) as (store, fs):
        store.fill({"a/b/c": b"", "a/b/d/e": b"", "a/f": b""})
        assert {info["name"]: info["type"] for info in fs.ls("/a")} == {"/a/b": "directory", "/a/f": "file"}


def ignoring_start_after(store: ScriptedStore, request: Request) -> Answer:
    """A store that lists from the beginning."""
    return store.carry_out(request.without_query("start-after"))


def test_a_walk_that_skips_ends_where_start_after_is_ignored() -> None:
    """The registry's own walk over a store that lists from the beginning: each file once, in a few requests."""
    with odd_store(ignoring_start_after) as (store, fs):
        store.s3.page_keys = 10
        store.fill({f"a/{n:02}/{m}": b"" for n in range(20) for m in range(15)})
        seen: list[str] = []

        def visit(info: Any) -> None:
            seen.append(info.path)
            if info.is_dir and int(info.path[-2:]) % 2:
                raise SkipDir

        StorageDriver(fs).walk("/a", visit)
        files = [f"/a/{n:02}/{m}" for n in range(0, 20, 2) for m in range(15)]
        assert sorted(path for path in seen if path.count("/") == 3) == sorted(files)
        assert len(seen) == len(set(seen))
        assert store.counts["ListObjectsV2"] <= 2 * 30 + 1
        hinted: list[str] = []
        StorageDriver(fs).walk("/a", lambda info: hinted.append(info.path), start_after_hint="/a/18/9")
        assert hinted == ["/a/19", *sorted(f"/a/19/{m}" for m in range(15))]


def test_a_large_listing_is_whole_where_start_after_is_ignored() -> None:
    """It is cut into parts, which then are found to be none."""
    with odd_store(ignoring_start_after) as (store, fs):
        store.s3.page_keys = 20
        store.fill({f"a/{n:04}": b"" for n in range(1000)})
        assert fs.find("/a") == [f"/a/{n:04}" for n in range(1000)]
        assert [name for _, _, names in fs.walk("/a") for name in names] == [f"{n:04}" for n in range(1000)]


def by_utf16(store: ScriptedStore, request: Request) -> Answer | None:
    """A store that compares names as Java and JavaScript do, and takes StartAfter by that order, too."""
    if request.operation != "ListObjectsV2":
        return None
    time.sleep(0.005)  # so that it is asked for parts
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter")
    names = set()
    for key in store.contents():
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            names.add(key[: at + 1] if at >= 0 else key)
    after = request.query.get("continuation-token") or request.query.get("start-after", "")
    behind = sorted((utf16(name), name) for name in names if utf16(name) > utf16(after))
    page = [name for _, name in behind[:50]]
    more = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if len(behind) > len(page) else ""
    told = [
        f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" if name[-1] == "/" else entry(name) for name in page
    ]
    return xml("ListBucketResult", f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}" + "".join(told))


def utf16(name: str) -> bytes:
    return name.encode("utf-16-be")


@pytest.mark.parametrize("call", ["find", "find of few levels", "glob", "walk", "ls"])
def test_a_store_that_compares_utf_16_loses_no_name(call: str) -> None:
    """Where it is listed in parts, what it has after a cut may come before it in S3's order."""
    names = [f"{char}{number:03}" for char in "\u65e5\U0001f600\uff01" for number in range(130)]
    with odd_store(by_utf16) as (store, fs):
        store.fill({f"d/{name}/x": b"" for name in names})
        assert UTF16_CALLS[call](fs) == sorted(f"/d/{name}{'' if call == 'ls' else '/x'}" for name in names)
        assert call == "walk" or any("start-after" in request.query for request in store.requests)


UTF16_CALLS: dict[str, Callable[[RegistryS3FileSystem], list[str]]] = {
    "find": lambda fs: fs.find("/"),
    "find of few levels": lambda fs: fs.find("/", maxdepth=3),
    "glob": lambda fs: fs.glob("/d/*/x"),
    "walk": lambda fs: sorted(f"{above}/{name}" for above, _, files in fs.walk("/") for name in files),
    "ls": lambda fs: fs.ls("/d", detail=False),
}


def test_an_order_that_one_page_shows_is_known_to_all_that_follows() -> None:
    """Also where the page is all of a listing, and one of many that are asked for side by side."""
    for lists in (
        lambda fs: fs.ls("/d"),
        lambda fs: [list(started.pages) for started in fs.bucket.start_lists([Listing("d/"), Listing("e/")])],
    ):
        with odd_store(by_utf16) as (store, fs):
            store.fill({"d/\U0001f600": b"", "d/\uff01": b""})
            assert not fs.bucket.key_order.is_own
            lists(fs)
            assert fs.bucket.key_order.is_own


@pytest.mark.parametrize("field", ["Size", "ETag", "LastModified"])
def test_what_a_listing_does_not_tell_a_head_does(field: str) -> None:
    """Of a store other than AWS; there it is an error that names the field."""

    def twist(store: ScriptedStore, request: Request) -> Answer | None:
        if request.operation != "ListObjectsV2":
            return None
        answer = store.carry_out(request)
        return answer.with_body(re.sub(rf"<{field}>[^<]*</{field}>".encode(), b"", answer.body))

    with odd_store(twist) as (store, fs):
        store.fill({"a/x": b"123", "a/y": b""})
        for key, each in store.s3.objects.items():  # a HEAD tells no milliseconds
            store.s3.objects[key] = replace(each, modified=each.modified.replace(microsecond=0))
        found = fs.find("/a", detail=True)
        assert {name: info["size"] for name, info in found.items()} == {"/a/x": 3, "/a/y": 0}
        assert found["/a/x"]["ETag"] == fs.info("/a/x")["ETag"]
        assert found["/a/x"]["LastModified"] == fs.info("/a/x")["LastModified"]
        fs.rm("/a", recursive=True)
        assert store.contents() == {}


def test_uploads_of_unknown_age_are_left(caplog: pytest.LogCaptureFixture) -> None:
    """A push may still be working on them; a warning names each."""
    rows = "<Upload><Key>f</Key><UploadId>u1</UploadId></Upload><Upload><Key>g</Key><UploadId>u2</UploadId>"
    told = xml("ListMultipartUploadsResult", rows + "<Initiated>2020-01-01T00:00:00Z</Initiated></Upload>")
    with odd_store(instead("ListMultipartUploads", told)) as (store, fs):
        assert [info["Initiated"] is None for info in fs.list_multipart_uploads()] == [True, False]
        assert [info["UploadId"] for info in fs.clear_multipart_uploads(older_than=timedelta(days=1))] == ["u2"]
        assert store.counts["AbortMultipartUpload"] == 1
        assert "u1" in caplog.text


MARKED = {
    "ListParts": ("ListPartsResult", "<UploadId>u</UploadId>{more}<NextPartNumberMarker>1</NextPartNumberMarker>"),
    "ListMultipartUploads": ("ListMultipartUploadsResult", "{more}<NextKeyMarker>f</NextKeyMarker>"),
    "ListObjectVersions": ("ListVersionsResult", "<Name>demo</Name>{more}<NextKeyMarker>f</NextKeyMarker>"),
}
PAGED: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "ListParts": lambda fs: fs.bucket.list_parts("f", "u"),
    "ListMultipartUploads": lambda fs: fs.list_multipart_uploads("/"),
    "ListObjectVersions": lambda fs: fs.object_version_info("/f"),
}


@pytest.mark.parametrize("operation", MARKED)
@pytest.mark.parametrize("marker", ["the same", "none"])
def test_markers_that_stand_still_are_told(operation: str, marker: str) -> None:
    """Of parts, uploads and versions, as of keys."""
    root, inner = MARKED[operation]
    inner = inner.format(more="<IsTruncated>true</IsTruncated>")
    inner = inner if marker == "the same" else inner.partition("<Next")[0]
    with odd_store(instead(operation, xml(root, inner))) as (store, fs):
        with pytest.raises(InvalidResponseError, match=operation):
            PAGED[operation](fs)
        assert store.counts[operation] <= 3


@pytest.mark.parametrize("operation", MARKED)
def test_pages_in_place_of_other_listings_are_told(operation: str) -> None:
    """No part, upload or version is not what a proxy's page means."""
    for answer in (PAGE, plain(200), xml("ListBucketResult", "<IsTruncated>false</IsTruncated>")):
        with odd_store(instead(operation, answer)) as (_, fs), pytest.raises(InvalidResponseError, match=operation):
            PAGED[operation](fs)


@pytest.mark.parametrize("operation", ["ListMultipartUploads", "ListObjectVersions"])
def test_uploads_and_versions_of_other_prefixes_are_refused(operation: str) -> None:
    """As keys are."""
    version = f"<Version><VersionId>v</VersionId>{entry('x')[10:-11]}</Version>"
    upload = "<Upload><Key>x</Key><UploadId>u</UploadId></Upload>"
    rows = upload if operation == "ListMultipartUploads" else version
    told = xml(MARKED[operation][0], "<IsTruncated>false</IsTruncated>" + rows)
    refused = pytest.raises(InvalidResponseError, match="does not begin with the prefix")
    with odd_store(instead(operation, told), rootdirectory="/r") as (_, fs), refused:
        PAGED[operation](fs)
