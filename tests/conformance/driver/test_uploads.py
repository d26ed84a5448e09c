"""Unfinished multipart uploads and their parts are found, whatever the number of pages."""

from __future__ import annotations

from itertools import islice

import pytest

from registry_s3fs.errors import BucketNotFoundError
from tests.conformance.driver import probes
from tests.conformance.driver.conftest import Place
from tests.conformance.driver.probes import needs


def test_uploads_of_a_prefix_come_from_all_pages(place: Place) -> None:
    """Several of one key among them, which only a key marker and an upload id marker together can page through."""
    needs(place, probes.paged_uploads)
    fs = place.fs()
    keys = ["registry/a/1", "registry/a/1", "registry/a/1", "registry/a/2", "registry/a/3", "registry/b"]
    begun = [(key, fs.bucket.create_upload(key)) for key in keys]
    requests = place.paged(fs, "ListMultipartUploads", MaxUploads=2)
    found = list(islice(fs.bucket.list_uploads("registry/a/"), 20))  # one marker alone gives page 1 for ever
    assert sorted((each.key, each.upload_id) for each in found) == sorted(begun[:-1])
    assert len(requests) == 3
    assert all(each.initiated.tzinfo for each in found)
    for key, upload_id in begun:
        fs.bucket.abort_upload(key, upload_id)


def test_no_unfinished_upload_is_an_empty_list(place: Place) -> None:
    """And a finished one is none."""
    fs = place.fs()
    assert list(fs.bucket.list_uploads("")) == []
    upload_id = fs.bucket.create_upload("registry/a")
    assert [each.upload_id for each in fs.bucket.list_uploads("registry/")] == [upload_id]
    assert list(fs.bucket.list_uploads("other/")) == []
    fs.bucket.complete_upload("registry/a", upload_id, [fs.bucket.upload_part("registry/a", upload_id, 1, b"a")])
    assert list(fs.bucket.list_uploads("")) == []


def test_uploads_of_a_missing_bucket_are_no_empty_list(place: Place) -> None:
    """rclone's answer for no uploads is an error, which must not hide a real one."""
    fs = place.fs(bucket="driver-nowhere")
    with pytest.raises(BucketNotFoundError):
        list(fs.bucket.list_uploads(""))


def test_parts_come_from_all_pages(place: Place) -> None:
    """By number, with the size and ETag that completing the upload needs."""
    fs = place.fs()
    key = "registry/parts"
    upload_id = fs.bucket.create_upload(key)
    sent = [fs.bucket.upload_part(key, upload_id, number, b"." * number) for number in range(1, 6)]
    requests = place.paged(fs, "ListParts", MaxParts=2)
    assert fs.bucket.list_parts(key, upload_id) == sent
    assert [part.size for part in sent] == [1, 2, 3, 4, 5]
    assert len(requests) == 3
    fs.bucket.abort_upload(key, upload_id)
