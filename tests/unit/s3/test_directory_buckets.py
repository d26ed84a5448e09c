"""Directory buckets: listings without an order, that start after no key, of prefixes that end in a slash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.listing.walking import Walk
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.s3 import ambiguous_writes
from registry_s3fs.s3.bucket import Bucket

WHEN = datetime(2026, 11, 24, tzinfo=timezone.utc)
KEYS = ["r/b/2", "r/a/x/1", "r/a", "r/ab", "r/a/y", "r/b/1", "r/c"]


class DirectoryBucket(Bucket):
    """What S3 Express refuses is an AssertionError; the answer to a write is lost."""

    @property
    def client(self) -> Any:
        def put_object(**request: Any) -> None:
            raise ConnectionClosedError(endpoint_url="https://s3.example")

        return SimpleNamespace(put_object=put_object)

    def _page(self, request: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
        assert "StartAfter" not in request
        assert not request["Prefix"] or request["Prefix"].endswith("/")
        at = int(request.get("ContinuationToken", 0))
        found = [key for key in KEYS if key.startswith(request["Prefix"])]
        rows: dict[str, None] = {}
        for key in found:
            below, cut, _ = key[len(request["Prefix"]) :].partition("/")
            rows[request["Prefix"] + below + cut if cut and "Delimiter" in request else key] = None
        names = list(rows)[at : at + 2]
        more = {"NextContinuationToken": str(at + 2)} if at + 2 < len(rows) else {}
        return {
            "IsTruncated": bool(more),
            **more,
            "Contents": [
                {"Key": name, "Size": 1, "ETag": '"e"', "LastModified": WHEN} for name in names if name[-1] != "/"
            ],
            "CommonPrefixes": [{"Prefix": name} for name in names if name[-1] == "/"],
        }


@pytest.fixture
def fs() -> RegistryS3FileSystem:
    found = RegistryS3FileSystem(bucket="demo--use1-az4--x-s3", region="us-east-1", rootdirectory="/r")
    found.bucket = DirectoryBucket(found.parameters)
    return found


def keys(fs: RegistryS3FileSystem, *listing: str, **how: Any) -> list[str]:
    return [item.key for page in fs.bucket.list(*listing, **how) for item in page.objects]


@pytest.mark.promise("Odd stores and odd answers")
def test_keys_come_in_order(fs: RegistryS3FileSystem) -> None:
    """Listings of directory buckets are whole and in order."""
    assert keys(fs, "r/") == sorted(KEYS)
    assert keys(fs, "r/", start_after="r/ab") == ["r/b/1", "r/b/2", "r/c"]
    assert keys(fs, "r/a") == ["r/a", "r/a/x/1", "r/a/y", "r/ab"]
    assert keys(fs, "r/a", limit=1) == ["r/a"]
    assert [prefix for page in fs.bucket.list("r/", "/") for prefix in page.prefixes] == ["r/a/", "r/b/"]


def test_trees_are_walked_whole(fs: RegistryS3FileSystem) -> None:
    """By the calls that need an order, each directory once."""
    walked = [path for path, _ in Walk(fs.bucket, "/")]
    assert walked == ["/a", "/a", "/a/x", "/a/x/1", "/a/y", "/ab", "/b", "/b/1", "/b/2", "/c"]
    assert [info["name"] for info in fs.ls("/b")] == ["/b/1", "/b/2"]
    assert fs.glob("/b/*") == ["/b/1", "/b/2"]
    assert [path for path, _, _ in fs.walk("/")] == ["/", "/a", "/a/x", "/b"]


def test_an_etag_that_is_no_md5_proves_nothing(fs: RegistryS3FileSystem) -> None:
    """It looks like one, so that a write whose answer was lost is uncertain there, not undone."""
    found = ObjectInfo("r/a", 1, f'"{"0" * 32}"', WHEN)
    fs.bucket.head = lambda key, **how: found
    assert ambiguous_writes.is_ours(found, 1, ambiguous_writes.etag(b"x")) is False
    with pytest.raises(OSError, match="cannot be told"):
        fs.bucket.put("r/a", b"x", exclusive=True)
