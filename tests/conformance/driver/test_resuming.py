"""Uploads that are closed without a commit are gone on with, and what becomes of their small last parts."""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.errors import PathNotFoundError, StorageDriverError
from registry_s3fs.model import ranges
from tests.conformance.driver import probes
from tests.conformance.driver.conftest import Place
from tests.conformance.driver.probes import needs

MIB = 1024 * 1024
DATA = random.Random(3).randbytes(24 * MIB)


@pytest.fixture
def fs(place: Place) -> RegistryS3FileSystem:
    """A filesystem with the smallest parts that S3 allows."""
    return place.fs(chunksize=5 * MIB)


@pytest.fixture
def driver(fs: RegistryS3FileSystem) -> StorageDriver:
    """The driver on it."""
    return StorageDriver(fs)


def pending(fs: RegistryS3FileSystem, path: str = "/data") -> list[list[int]]:
    """Of each unfinished upload of a path the sizes of its parts."""
    bucket = fs.bucket
    uploads = [upload for upload in bucket.list_uploads("") if upload.key == bucket.space.key(path)]
    return [[part.size for part in bucket.list_parts(upload.key, upload.upload_id)] for upload in uploads]


def steps(driver: StorageDriver, *sizes: int) -> None:
    """A writer for each size, closed without a commit."""
    at = 0
    for size in sizes:
        with driver.writer("/data", append=at > 0) as writer:
            assert writer.size == at
            writer.write(DATA[at : at + size])
        at += size


def finish(driver: StorageDriver) -> bytes:
    """Commit what is there; gives the file's bytes."""
    with driver.writer("/data", append=True) as writer:
        writer.commit()
    return driver.get_content("/data")


@pytest.mark.promise("The storage driver")
def test_an_upload_is_there_before_the_first_byte_and_no_file_before_the_commit(driver: StorageDriver) -> None:
    """An upload is there before its first byte, and no file is there before the commit."""
    writer = driver.writer("/data")
    assert pending(driver.fs) == [[]]
    writer.write(b"a")
    writer.close()
    assert pending(driver.fs) == [[1]]
    with pytest.raises(PathNotFoundError):
        driver.stat("/data")
    assert finish(driver) == b"a"
    assert pending(driver.fs) == []


@pytest.mark.promise("The storage driver")
def test_what_was_there_stays_until_the_commit(driver: StorageDriver) -> None:
    """The file that was there stays until the commit, and where the upload is cancelled."""
    driver.put_content("/data", b"old")
    writer = driver.writer("/data")
    writer.write(DATA[: 11 * MIB])
    assert driver.get_content("/data") == b"old"
    writer.cancel()
    writer.close()
    assert driver.get_content("/data") == b"old"
    assert pending(driver.fs) == []


@pytest.mark.promise("The storage driver")
def test_another_process_goes_on(place: Place, driver: StorageDriver) -> None:
    """Another process can continue an upload. It needs nothing but the path."""
    steps(driver, 7 * MIB)
    code = """if True:
        import json, os, sys
        from registry_s3fs import StorageDriver
        with StorageDriver.from_parameters(json.loads(sys.argv[1])).writer("/data", append=True) as writer:
            print(writer.size)
            writer.write(b"more")
    """
    options = json.dumps(place.options(chunksize=5 * MIB))
    done = subprocess.run([sys.executable, "-c", code, options], check=True, capture_output=True, text=True)
    assert int(done.stdout) == 7 * MIB
    assert finish(driver) == DATA[: 7 * MIB] + b"more"


def test_a_small_upload_is_read_back_as_the_go_driver_does(driver: StorageDriver) -> None:
    """1,000 and 2,000 bytes: a file of the first 1,000, and an upload with one part of all 3,000."""
    steps(driver, 1000, 2000)
    assert driver.stat("/data").size == 1000
    assert pending(driver.fs) == [[3000]]
    assert finish(driver) == DATA[:3000]


def test_an_upload_is_begun_again_once(driver: StorageDriver) -> None:
    """Whatever the number of writes."""
    steps(driver, 1000)
    with driver.writer("/data", append=True) as writer:
        for at in range(1000, 4000, 1000):
            writer.write(DATA[at : at + 1000])
    assert driver.stat("/data").size == 1000
    assert pending(driver.fs) == [[4000]]
    assert finish(driver) == DATA[:4000]


def test_a_large_upload_with_a_small_last_part_is_copied_as_the_go_driver_does(
    place: Place, driver: StorageDriver
) -> None:
    """6 MiB, 2,000 and 1,000 bytes: a file of the first two, an upload that begins with that."""
    needs(place, probes.part_copies)
    steps(driver, 6 * MIB, 2000, 1000)
    assert driver.stat("/data").size == 6 * MIB + 2000
    assert pending(driver.fs) == [[5 * MIB, MIB + 3000]]
    assert finish(driver) == DATA[: 6 * MIB + 3000]


def test_parts_have_one_size_but_the_last(driver: StorageDriver) -> None:
    """As some stores (R2) demand; also behind what an earlier writer left."""
    steps(driver, 21 * MIB)
    assert pending(driver.fs) == [[5 * MIB, 5 * MIB, 5 * MIB, 5 * MIB, MIB]]
    with driver.writer("/data", append=True) as writer:
        writer.write(DATA[21 * MIB : 23 * MIB])
    assert pending(driver.fs) == [[5 * MIB, 5 * MIB, 5 * MIB, 5 * MIB, 3 * MIB]]
    assert finish(driver) == DATA[: 23 * MIB]


def test_nothing_written_changes_nothing(driver: StorageDriver) -> None:
    """An upload with a small last part is begun again when more comes, not when it is looked at."""
    steps(driver, 1000, 0)
    with driver.writer("/data", append=True) as writer:
        assert writer.write(b"") == 0
    assert pending(driver.fs) == [[1000]]
    with pytest.raises(PathNotFoundError):
        driver.stat("/data")


@pytest.mark.promise("The storage driver")
def test_encryption_key_class_and_acl_go_with_an_upload_that_is_begun_again(place: Place) -> None:
    """Encryption, key, storage class and ACL go with an upload that has to be begun again. The Go driver loses the
    key.
    """
    asked = {
        "encrypt": True,
        "keyid": "alias/mine",
        "storageclass": "REDUCED_REDUNDANCY",
        "objectacl": "bucket-owner-full-control",
    }
    needs(place, probes.kms)
    fs = place.fs(**asked)
    begun: list[dict[str, Any]] = []
    fs.bucket.client.meta.events.register(
        "provide-client-params.s3.CreateMultipartUpload", lambda params, **kwargs: begun.append(dict(params))
    )
    driver = StorageDriver(fs)
    steps(driver, 1000, 2000)
    finish(driver)
    fields = ("ServerSideEncryption", "SSEKMSKeyId", "StorageClass", "ACL", "ContentType")
    expected = ["aws:kms", *list(asked.values())[1:], "application/octet-stream"]
    assert [[each[name] for name in fields] for each in begun] == [expected, expected]
    found = fs.info("/data")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")


def test_the_upload_is_found_on_a_later_page_among_others(driver: StorageDriver, place: Place) -> None:
    """Uploads of paths that begin with the same letters are others."""
    steps(driver, 3000)
    create, others = driver.fs.bucket.create_upload, ["/data-1", "/data.x", "/data.d/x", "/dat", "/data0"]
    for path in others:
        create(driver.fs.bucket.space.key(path))
    place.paged(driver.fs, "ListMultipartUploads", MaxUploads=1)
    assert finish(driver) == DATA[:3000]
    assert [pending(driver.fs, path) for path in others] == [[[]]] * 5


def test_the_latest_upload_of_a_path_is_gone_on_with(driver: StorageDriver) -> None:
    """What an earlier, abandoned one holds is not mixed in."""
    abandoned = driver.writer("/data")
    abandoned.write(b"abandoned")
    abandoned.close()
    steps(driver, 3000)
    assert finish(driver) == DATA[:3000]


def test_parts_of_all_pages_are_counted(driver: StorageDriver) -> None:
    """An upload of 1,001 parts, one more than a page holds."""
    bucket, key = driver.fs.bucket, driver.fs.bucket.space.key("/data")
    upload_id = bucket.create_upload(key)
    driver.fs.pool.map(lambda number: bucket.upload_part(key, upload_id, number, b"."), range(1, 1002))
    writer = driver.writer("/data", append=True)
    assert writer.size == 1001
    writer.cancel()
    assert pending(driver.fs) == []


@pytest.mark.promise("The storage driver")
def test_an_upload_that_has_used_up_half_its_part_numbers_gets_new_ones(
    place: Place, driver: StorageDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No writer runs out of S3's 10,000 parts: an upload that has used up half of them is completed, and another one
    takes over its bytes.
    """
    needs(place, probes.part_copies)
    steps(driver, 15 * MIB)
    (before,) = driver.fs.list_multipart_uploads()
    monkeypatch.setattr(ranges, "STEADY_PARTS", 1)
    with driver.writer("/data", append=True) as writer:
        writer.write(DATA[15 * MIB :])
    (after,) = driver.fs.list_multipart_uploads()
    assert after["UploadId"] != before["UploadId"]
    assert driver.stat("/data").size == 15 * MIB
    monkeypatch.undo()
    assert finish(driver) == DATA


def test_append_to_committed_content_is_refused(driver: StorageDriver) -> None:
    """As in Go: S3 adds nothing to an object."""
    driver.put_content("/data", b"1")
    with pytest.raises(StorageDriverError, match=r"s3aws: append: the file is committed, with 1 bytes"):
        driver.writer("/data", append=True)
    assert driver.get_content("/data") == b"1"


def test_append_to_nothing_is_refused(driver: StorageDriver) -> None:
    """A directory is nothing, and another path's upload neither."""
    driver.put_content("/data/below", b"")
    driver.fs.bucket.create_upload(driver.fs.bucket.space.key("/data1"))
    with pytest.raises(PathNotFoundError):
        driver.writer("/data", append=True)


def test_an_upload_with_a_gap_is_refused(driver: StorageDriver) -> None:
    """Nobody knows what the missing part was to hold."""
    bucket, key = driver.fs.bucket, driver.fs.bucket.space.key("/data")
    upload_id = bucket.create_upload(key)
    for number in (1, 3):
        bucket.upload_part(key, upload_id, number, b".")
    with pytest.raises(StorageDriverError, match=f"{upload_id} lacks part 2"):
        driver.writer("/data", append=True)
    bucket.abort_upload(key, upload_id)


ENDS: dict[str, Callable[[Any], None]] = {
    "committed": lambda writer: writer.commit(),
    "cancelled": lambda writer: writer.cancel(),
    "closed": lambda writer: writer.close(),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_writer_that_has_ended_takes_nothing_more(driver: StorageDriver, end: str) -> None:
    """Closing it is always allowed, and changes nothing."""
    writer = driver.writer("/data")
    writer.write(b"a")
    ENDS[end](writer)
    before = pending(driver.fs)
    for call in (lambda: writer.write(b"b"), writer.commit, writer.cancel):
        with pytest.raises(StorageDriverError, match=f"s3aws: .*: the writer is {end}"):
            call()
    writer.close()
    writer.close()
    assert pending(driver.fs) == before
    assert writer.size == 1


@pytest.mark.promise("The storage driver")
def test_a_failed_write_loses_nothing_that_was_stored(driver: StorageDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails loses no part that was stored. The next writer continues from there."""
    upload_part = driver.fs.bucket.upload_part

    def fail_at_third(key: str, upload_id: str, number: int, body: Any) -> Any:
        if number == 3:
            raise PermissionError(13, "no", key)
        return upload_part(key, upload_id, number, body)

    monkeypatch.setattr(driver.fs.bucket, "upload_part", fail_at_third)
    writer = driver.writer("/data")
    with pytest.raises(StorageDriverError, match="s3aws: no") as failed:
        writer.write(DATA + DATA)
    assert isinstance(failed.value.__cause__, PermissionError)
    with pytest.raises(StorageDriverError, match="failed; open it again with append=True"):
        writer.write(b"more")
    writer.close()
    monkeypatch.undo()
    with driver.writer("/data", append=True) as again:
        assert again.size == 10 * MIB
        again.write(DATA[again.size :])
        again.commit()
    assert driver.get_content("/data") == DATA


def test_an_interrupted_writer_is_at_its_end(driver: StorageDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how much of its last bytes was sent; the next writer sees what was stored."""

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    writer = driver.writer("/data")
    writer.write(b"a")
    with monkeypatch.context() as patch:
        patch.setattr(driver.fs.bucket, "upload_part", interrupt)
        with pytest.raises(KeyboardInterrupt):
            writer.close()
    with pytest.raises(StorageDriverError, match="failed; open it again with append=True"):
        writer.write(b"b")
    writer.close()
    with driver.writer("/data", append=True) as again:
        assert again.size == 0


@pytest.mark.parametrize(
    ("sizes", "call", "stored"),
    [
        *(((1000,), "create_upload", 1000), ((1000,), "complete_upload", 1000), ((1000,), "head", 0)),
        *(((1000,), "get", 0), ((6 * MIB, 1000), "upload_part_copy", 0)),
    ],
)
def test_an_upload_whose_beginning_again_fails_is_gone_on_with(
    place: Place, driver: StorageDriver, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int], call: str, stored: int
) -> None:
    """Whichever request it is: `size` tells from where, and no other upload is left behind."""
    if call == "upload_part_copy":
        needs(place, probes.part_copies)
    steps(driver, *sizes)
    with monkeypatch.context() as patch:
        patch.setattr(driver.fs.bucket, call, lambda *args, **kwargs: os.stat("/nowhere"))
        writer = driver.writer("/data", append=True)
        with pytest.raises(StorageDriverError):
            writer.write(b"lost")
            writer.close()
    with driver.writer("/data", append=True) as again:
        assert again.size == stored
        again.write(DATA[stored : 7 * MIB])
        again.commit()
    assert driver.get_content("/data") == DATA[: 7 * MIB]
    assert pending(driver.fs) == []


def test_a_file_that_appears_while_an_upload_is_begun_again_is_listed(place: Place) -> None:
    """Also where listings are cached."""
    driver = StorageDriver(place.fs(use_listings_cache=True))
    driver.put_content("/other", b"")
    steps(driver, 1000)
    assert driver.fs.ls("/", detail=False) == ["/other"]
    with driver.writer("/data", append=True) as writer:
        writer.write(b"more")
    assert driver.fs.ls("/", detail=False) == ["/data", "/other"]


@pytest.mark.parametrize(
    ("call", "size", "message"),
    [
        *(("complete_upload", 999, "somebody else wrote this file"), ("complete_upload", 1001, "somebody else wrote")),
        ("head", 1000, "the object was replaced while it was being read"),
    ],
)
def test_a_file_that_somebody_else_wrote_is_not_gone_on_with(
    driver: StorageDriver, monkeypatch: pytest.MonkeyPatch, call: str, size: int, message: str
) -> None:
    """One that is written right after a request of beginning again is told, and its bytes are not mixed in.

    The request is made twice where a completion's answer says nothing (radosgw), so that each time others are written.
    """
    steps(driver, 1000)
    request = getattr(driver.fs.bucket, call)
    written: list[bytes] = []

    def overwritten(*args: Any, **kwargs: Any) -> Any:
        answer = request(*args, **kwargs)
        written.append(bytes([len(written)]) * size)
        driver.put_content("/data", written[-1])
        return answer

    writer = driver.writer("/data", append=True)
    monkeypatch.setattr(driver.fs.bucket, call, overwritten)
    with pytest.raises(StorageDriverError, match=f"s3aws: .*{message}"):
        writer.write(b"more")
    writer.cancel()
    assert driver.get_content("/data") == written[-1]
    assert pending(driver.fs) == []


def test_a_failed_writer_can_be_cancelled(driver: StorageDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left then."""
    writer = driver.writer("/data")
    with monkeypatch.context() as patch:
        patch.setattr(driver.fs.bucket, "upload_part", lambda *args: os.stat("/nowhere"))
        writer.write(b"a")
        with pytest.raises(StorageDriverError):
            writer.close()
    writer.cancel()
    assert pending(driver.fs) == []


def test_an_upload_that_somebody_else_aborted_is_no_missing_path(place: Place) -> None:
    """Committing it is a StorageDriverError: it is not the path that is missing."""
    driver = StorageDriver(place.fs(config_kwargs={"retries": {"total_max_attempts": 1}}))
    writer = driver.writer("/data")
    (upload,) = driver.fs.bucket.list_uploads("")
    driver.fs.bucket.abort_upload(upload.key, upload.upload_id)
    with pytest.raises(StorageDriverError):
        writer.commit()


def test_an_upload_that_is_aborted_while_it_is_opened_is_no_missing_path(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was one when the uploads were listed."""
    driver = StorageDriver(place.fs(config_kwargs={"retries": {"total_max_attempts": 1}}))
    steps(driver, 1000)
    bucket = driver.fs.bucket
    (upload,) = bucket.list_uploads("")
    bucket.abort_upload(upload.key, upload.upload_id)
    monkeypatch.setattr(bucket, "list_uploads", lambda prefix: [upload])
    with pytest.raises(StorageDriverError):
        driver.writer("/data", append=True)


def test_a_writer_that_is_never_closed_warns(driver: StorageDriver) -> None:
    """Its last bytes are lost; its upload is there to go on with."""
    writer = driver.writer("/data")
    writer.write(b"a")
    with pytest.warns(ResourceWarning, match="/data was never closed"):
        del writer
        gc.collect()
    assert pending(driver.fs) == [[]]
