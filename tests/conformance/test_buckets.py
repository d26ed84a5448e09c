"""The bucket in memory and the one on moto's server give the same answers, call by call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import FileExpired, RefusedParameterError
from registry_s3fs.model.objects import ObjectVersion, Page, Part
from registry_s3fs.s3.bucket import Bucket
from tests.fakes import Blank, FakeBucket, on_both

MIB = 1024 * 1024
GIB = 1024 * MIB


def public(kind: type) -> dict[str, str]:
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: str(inspect.signature(call)) for name, call in found if not name.startswith("_")}


def test_the_fake_has_every_method_with_its_signature() -> None:
    """A method that Bucket gains, or changes, is missed here."""
    own = public(FakeBucket)
    assert own.pop("plant")
    assert own == public(Bucket)


@pytest.fixture
def bucket(fs: RegistryS3FileSystem) -> Any:
    return fs.bucket


@on_both
def test_pages_are_full_and_in_order(bucket: Any) -> None:
    """1,000 keys and prefixes a page; keys by their UTF-8 bytes; a prefix once, where it comes first."""
    keys = [f"k/{n:04}" for n in range(1100)] + [f"k/d{n:03}/{m}" for n in range(2) for m in range(3)]
    keys += ["k/\ufb00", "k/\U00010000", "k/é", "k/z", "k/Z", "k/d", "k/d!", "k/d0", "k2"]
    for key in keys:
        bucket.put(key, b"")
    flat = list(bucket.list("k/"))
    assert [len(page.objects) for page in flat] == [1000, 114]
    assert [item.key for page in flat for item in page.objects] == sorted(keys[:-1], key=str.encode)
    tree = list(bucket.list("k/", delimiter="/"))
    assert [len(page.objects) + len(page.prefixes) for page in tree] == [1000, 110]
    assert [prefix for page in tree for prefix in page.prefixes] == ["k/d000/", "k/d001/"]
    assert [[item.key for item in page.objects] for page in bucket.list("k/", limit=2)] == [["k/0000", "k/0001"]]
    assert [page.prefixes for page in bucket.list("", delimiter="/", limit=1)] == [["k/"]]
    assert list(bucket.list("none")) in ([], [Page([], [], last=True)])
    after = list(bucket.list("k/", start_after=flat[0].objects[-1].key))
    assert [item for page in after for item in page.objects] == [item for page in flat[1:] for item in page.objects]
    assert [page.last for page in flat] == [False] * (len(flat) - 1) + [True]


@on_both
def test_a_listed_object_is_the_one_of_its_head(bucket: Any) -> None:
    """Size, ETag, time and class; a HEAD tells more."""
    bucket.put("k", b"abc", headers={"ContentType": "text/csv", "Metadata": {"a": "1"}, "CacheControl": "no-cache"})
    (listed,) = [item for page in bucket.list("") for item in page.objects]
    head = bucket.head("k")
    assert listed == replace(head, head={})
    assert (head.size, head.etag, head.storage_class) == (3, '"900150983cd24fb0d6963f7d28e17f72"', "STANDARD")
    assert head.headers == {"ContentType": "text/csv", "Metadata": {"a": "1"}, "CacheControl": "no-cache"}
    assert [(each.key, each.size, each.version_id, each.is_latest) for each in bucket.versions("k")] == [
        ("k", 3, "null", True)
    ]
    assert list(bucket.versions("none")) == []


@on_both
@pytest.mark.parametrize("cut", [(0, None), (0, 3), (2, None), (9, 99), (10, 11), (50, None), (-3, None), (-30, None)])
@pytest.mark.parametrize("data", [b"0123456789", b""])
def test_ranges_give_what_is_there(bucket: Any, data: bytes, cut: tuple[int, int | None]) -> None:
    """Past the end nothing; the size is told where any byte is."""
    bucket.put("k", data)
    content = bucket.get("k", *cut)
    assert content.data == data[slice(*cut)]
    if content.data:
        assert (content.size, content.version) == (len(data), ObjectVersion(bucket.head("k").etag, size=len(data)))


def changed(bucket: Any) -> Any:
    """A HEAD of an object that was replaced since."""
    before = bucket.head("k")
    bucket.put("k", b"changed")
    return before


def planted(bucket: Any, size: int) -> Any:
    bucket.plant("large", size)
    return bucket.head("large")


def upload(bucket: Any, *sizes: int) -> tuple[str, list[Part]]:
    upload_id = bucket.create_upload("u")
    parts = [bucket.upload_part("u", upload_id, number, bytes(size)) for number, size in enumerate(sizes, 1)]
    return upload_id, parts


Refused = tuple[type[OSError], Callable[[Any], Any]]

REFUSED: dict[str, Refused] = {
    "head of nothing": (FileNotFoundError, lambda bucket: bucket.head("none")),
    "get of nothing": (FileNotFoundError, lambda bucket: bucket.get("none")),
    "get of another version": (
        FileExpired,
        lambda bucket: bucket.get("k", version=ObjectVersion(changed(bucket).etag)),
    ),
    "put onto": (FileExistsError, lambda bucket: bucket.put("k", b"", exclusive=True)),
    "copy of nothing": (FileNotFoundError, lambda bucket: bucket.copy(replace(bucket.head("k"), key="none"), "c")),
    "tags of nothing": (FileNotFoundError, lambda bucket: bucket.tags("none")),
    "put_tags of nothing": (FileNotFoundError, lambda bucket: bucket.put_tags("none", {})),
    "parts of no upload": (FileNotFoundError, lambda bucket: bucket.list_parts("u", "none")),
    "abort of no upload": (FileNotFoundError, lambda bucket: bucket.abort_upload("u", "none")),
    "complete with a strange part": (
        OSError,
        lambda bucket: bucket.complete_upload("u", upload(bucket, 1)[0], [Part(1, '"0"', 1)]),
    ),
    "complete with a small part": (
        OSError,
        lambda bucket: bucket.complete_upload("u", *upload(bucket, 5 * MIB - 1, 1)),
    ),
    "complete onto": (
        FileExistsError,
        lambda bucket: (bucket.put("u", b""), bucket.complete_upload("u", *upload(bucket, 1), exclusive=True)),
    ),
}

REFUSED_BY_S3: dict[str, Refused] = {
    "put of a long key": (RefusedParameterError, lambda bucket: bucket.put("k" * 1025, b"")),
    "put of a large object": (OSError, lambda bucket: bucket.put("k", Blank(5 * GIB + 1))),
    "copy of another version": (FileExpired, lambda bucket: bucket.copy(changed(bucket), "c")),
    "copy of a large object": (RefusedParameterError, lambda bucket: bucket.copy(planted(bucket, 5 * GIB + 1), "c")),
    "part of no upload": (FileNotFoundError, lambda bucket: bucket.upload_part("u", "none", 1, b"")),
    "part past the last": (
        RefusedParameterError,
        lambda bucket: bucket.upload_part("u", bucket.create_upload("u"), 10_001, b""),
    ),
    "complete of no upload": (FileNotFoundError, lambda bucket: bucket.complete_upload("u", "none", [Part(1, "e", 1)])),
    "complete without a part": (OSError, lambda bucket: bucket.complete_upload("u", bucket.create_upload("u"), [])),
    "delete of too many": (RefusedParameterError, lambda bucket: bucket.delete_many(["k"] * 1001)),
    "delete of what XML cannot hold": (RefusedParameterError, lambda bucket: bucket.delete_many(["a\x01", "k"])),
}
"""What moto's server takes, or fails at with a 500."""


def check_refused(bucket: Any, refused: Refused) -> None:
    kind, call = refused
    bucket.put("k", b"kept")
    with pytest.raises(kind) as error:
        call(bucket)
    assert error.value.errno
    assert error.value.filename.startswith("/")
    assert bucket.get("k").data in (b"kept", b"changed")


@on_both
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_alike(bucket: Any, name: str) -> None:
    """By the same class of error, with the path; what was there stays."""
    check_refused(bucket, REFUSED[name])


@pytest.mark.parametrize("backend", ["fake"], indirect=True)
@pytest.mark.parametrize("name", REFUSED_BY_S3)
def test_the_fake_has_the_limits_of_s3(bucket: Any, name: str) -> None:
    """Where it let more pass than S3 does, tests on it would prove nothing."""
    check_refused(bucket, REFUSED_BY_S3[name])


@on_both
def test_a_copy_keeps_or_replaces_what_the_source_says(bucket: Any) -> None:
    """Headers and tags; onto itself the bytes stay."""
    bucket.put("k", b"abc", headers={"ContentType": "text/csv", "Metadata": {"a": "1"}})
    bucket.put_tags("k", {"t": "1"})
    bucket.copy(bucket.head("k"), "kept")
    bucket.copy(bucket.head("k"), "said", {"ContentType": "text/plain"})
    bucket.copy(bucket.head("k"), "k")
    for key in ("k", "kept"):
        assert bucket.head(key).headers == {"ContentType": "text/csv", "Metadata": {"a": "1"}}
    assert bucket.head("said").headers == {"ContentType": "text/plain", "Metadata": {}}
    assert [(bucket.get(key).data, bucket.tags(key)) for key in ("k", "kept", "said")] == [(b"abc", {"t": "1"})] * 3


@on_both
def test_an_upload_becomes_an_object_when_it_is_complete(bucket: Any) -> None:
    """From sent and copied parts, in any order, with its headers and tags; the ETag counts the parts."""
    bucket.put("k", bytes(6 * MIB))
    said = {"ContentType": "text/csv", "Metadata": {"a": "1"}}
    upload_id = bucket.create_upload("u", headers=said, tags={"t": "x y"})
    last = bucket.upload_part("u", upload_id, 7, b"end")
    first = bucket.upload_part_copy("u", upload_id, 2, bucket.head("k"), (0, 5 * MIB))
    assert bucket.list_parts("u", upload_id) == [first, last]
    assert [(each.key, each.upload_id) for each in bucket.list_uploads("")] == [("u", upload_id)]
    assert list(bucket.list("u")) == [] or not any(page.objects for page in bucket.list("u"))
    bucket.complete_upload("u", upload_id, [last, first])
    assert bucket.get("u").data == bytes(5 * MIB) + b"end"
    assert bucket.head("u").etag.endswith('-2"')
    assert (bucket.head("u").headers, bucket.tags("u")) == (said, {"t": "x y"})
    assert list(bucket.list_uploads("")) == []


@on_both
def test_deleting_takes_what_is_there(bucket: Any) -> None:
    """One or many; what is not there is no error."""
    for key in ("a", "b", "c"):
        bucket.put(key, b"")
    bucket.delete("a")
    bucket.delete("a")
    assert bucket.delete_many(["b", "none"]) == {}
    assert [item.key for page in bucket.list("") for item in page.objects] == ["c"]
