"""What the storage driver does without a request: paths, URLs, and errors under the names of its interface."""

from __future__ import annotations

import pickle
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import cast

import pytest

import registry_s3fs
from registry_s3fs import StorageDriver, errors
from registry_s3fs.driver import file_writer
from registry_s3fs.model import ranges
from registry_s3fs.model.objects import Upload
from registry_s3fs.s3.bucket import Bucket, ObjectLocation
from tests import calls

DRIVER = StorageDriver.from_parameters({"bucket": "demo", "region": "us-east-1", "accesskey": "A", "secretkey": "very"})


@pytest.mark.promise("The storage driver")
@pytest.mark.parametrize("call", calls.DRIVER)
@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "a/b", "//a", "/a/", "/a//b", "/a/../b", "/..", "/.", "/a/.", "/a b", "/a*", "/é", "/a\n", "/k=v"),
        *("registrys3://demo/a", "/a%2fb", "\\a", "/a\x00"),
    ],
)
def test_a_bad_path_is_refused_before_any_request(call: str, path: str) -> None:
    """Every method refuses the paths that the Go driver refuses, and those that HTTP clients would resolve, before any
    request.
    """
    with pytest.raises(errors.InvalidPathError, match="s3aws"):
        calls.DRIVER[call](DRIVER, path)


@pytest.mark.parametrize("call", [call for call in calls.DRIVER if call not in ("stat", "list", "walk")])
def test_the_root_is_no_file(call: str) -> None:
    """Only what takes a directory takes it; nobody deletes it."""
    with pytest.raises(errors.InvalidPathError):
        calls.DRIVER[call](DRIVER, "/")


def test_a_negative_offset_is_refused_before_any_request() -> None:
    """With its path."""
    with pytest.raises(errors.InvalidOffsetError, match="s3aws: /a: offset -1 is negative"):
        DRIVER.reader("/a", -1)


def test_a_redirect_is_good_for_twenty_minutes_at_the_public_endpoint() -> None:
    """For GET and HEAD; for other methods there is none."""
    options = {**DRIVER.fs.storage_options, "redirectendpoint": "https://cdn.example.com", "forcepathstyle": True}
    driver = StorageDriver.from_parameters({**options, "rootdirectory": "/reg"})
    get, head = driver.redirect_url("/a"), driver.redirect_url("/a", method="HEAD")
    for url in (get, head):
        assert url.startswith("https://cdn.example.com/demo/reg/a?")
        assert "X-Amz-Expires=1200" in url
    assert get != head
    assert driver.redirect_url("/a", "DELETE") == ""


def test_a_redirect_that_cannot_be_signed_is_told() -> None:
    """As the driver's error; there are no credentials."""
    driver = StorageDriver.from_parameters({"bucket": "no-credentials", "region": "us-east-1"})
    with pytest.raises(errors.StorageDriverError, match="s3aws: no usable credentials"):
        driver.redirect_url("/a")


def test_an_unknown_parameter_is_a_type_error_with_the_closest_name() -> None:
    """As of the filesystem."""
    with pytest.raises(TypeError, match="'rootdir'.*'rootdirectory'"):
        StorageDriver.from_parameters({"bucket": "demo", "region": "us-east-1", "rootdir": "/x"})


def test_its_representation_has_no_secret() -> None:
    """It tells the place, not the key."""
    assert "demo" in repr(DRIVER)
    assert "very" not in repr(DRIVER)


def test_it_pickles() -> None:
    """To workers, as the filesystem does."""
    assert pickle.loads(pickle.dumps(DRIVER)).fs.parameters == DRIVER.fs.parameters


def test_the_driver_is_a_public_name() -> None:
    """With all that its users need."""
    names = {"StorageDriver", "FileWriter", "FileInfo", "SkipDir", "FilledBuffer"}
    assert names <= set(registry_s3fs.__all__)
    assert all(hasattr(registry_s3fs, name) for name in registry_s3fs.__all__)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FileNotFoundError(2, "gone", "/x"), errors.PathNotFoundError),
        (errors.BucketNotFoundError(2, "no bucket", "/x"), errors.StorageDriverError),
        (PermissionError(13, "denied", "/x"), errors.StorageDriverError),
        (errors.FileExpired(116, "replaced", "/x"), errors.StorageDriverError),
        (errors.BulkError("rm", {"/x": OSError(5, "no")}), errors.StorageDriverError),
        (TimeoutError(110, "slow", "/x"), errors.StorageDriverError),
    ],
)
def test_the_filesystems_errors_become_the_drivers(error: OSError, kind: type[OSError]) -> None:
    """Errno and text are kept, the driver is named, and the filesystem's error is the cause."""
    with pytest.raises(kind) as raised, errors.as_driver("/a"):
        raise error
    assert type(raised.value) is kind
    assert (raised.value.errno, raised.value.filename, raised.value.__cause__) == (error.errno, "/a", error)
    assert raised.value.strerror == f"s3aws: {error.strerror}"


def test_other_errors_pass_and_the_drivers_own_are_not_wrapped_again() -> None:
    """A bad path stays a bad path."""
    own = (errors.PathNotFoundError(2, "s3aws: gone", "/a"), errors.StorageDriverError(5, "s3aws: no", "/a"))
    for error in (*own, errors.InvalidPathError("/"), KeyError("a")):
        with pytest.raises(type(error)) as raised, errors.as_driver("/b"):
            raise error
        assert raised.value is error


def test_the_latest_of_several_uploads_is_gone_on_with() -> None:
    """In whatever order a server lists them."""
    latest = Upload("a", "2", datetime(2026, 11, 24, 12, tzinfo=timezone.utc))
    others = [Upload("a", "1", datetime(2026, 11, 24, 11, tzinfo=timezone.utc)), Upload("ab", "3", datetime.max)]
    for listed in ([latest, *others], [*others, latest]):
        bucket = cast(Bucket, SimpleNamespace(list_uploads=lambda prefix, listed=listed: listed))
        assert file_writer.pending_upload(ObjectLocation(bucket, "a"), "/a") is latest


def test_no_upload_runs_out_of_part_numbers() -> None:
    """One that is resumed with at most 5,000 parts has numbers left for the largest object that S3 takes."""
    numbers = range(ranges.STEADY_PARTS + 1, ranges.MAX_PARTS + 1)
    sizes = [ranges.streamed_part_bytes(number, ranges.MIN_PART_BYTES) for number in numbers]
    assert sum(sizes) >= ranges.MAX_OBJECT_BYTES
    assert max(sizes) <= ranges.MAX_PART_BYTES
