"""Objects compared with the checksums that S3 keeps beside them, while they are read."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.proxy import ALWAYS, Fault, Proxy
from tests.faults.conftest import DATA
from tests.faults.test_digests import READS, at_once

Through = Callable[..., RegistryS3FileSystem]
ASKED = {"config_kwargs": {"response_checksum_validation": "when_supported"}}
"""What the SDK does on AWS by default."""
FLIP = Fault("GetObject", "flip", times=ALWAYS)
OBJECTS = {"/large": DATA, "/small": b"small", "/empty": b""}
DAMAGED = "the bytes changed on their way; try again .*S3's CRC32 is"


@pytest.fixture
def raw(moto_server: Any) -> Any:
    return moto_server.client()


@pytest.fixture(autouse=True)
def _objects(fs: RegistryS3FileSystem, raw: Any) -> None:
    for path, data in OBJECTS.items():
        raw.put_object(Bucket=fs.parameters.bucket, Key=fs.bucket.space.key(path), Body=data, ChecksumAlgorithm="CRC32")


@pytest.fixture(params=[True, False], ids=["fast path", "boto3"])
def asking(request: Any, through: Through) -> RegistryS3FileSystem:
    """A filesystem that asks for checksums, by either way that requests take."""
    return through(**ASKED, fast_path=request.param)


@pytest.mark.promise("Reading")
@READS
@pytest.mark.parametrize("path", ["/large", "/small"])
def test_one_flipped_bit_is_told(
    asking: RegistryS3FileSystem, proxy: Proxy, read: Callable[..., bytes], path: str
) -> None:
    """Bytes of an object that is read whole are compared with the checksum that S3 keeps, where the SDK asks for
    checksums.

    Each way to read a whole object is tried.
    """
    proxy.faults = [FLIP]
    with pytest.raises(OSError, match="the bytes changed on their way; try again") as wrong:
        read(asking, path)
    assert (wrong.value.errno, wrong.value.filename) == (errno.EIO, path)


@READS
@pytest.mark.parametrize("path", OBJECTS)
def test_the_right_bytes_come_as_they_are(
    asking: RegistryS3FileSystem, proxy: Proxy, read: Callable[..., bytes], path: str
) -> None:
    """Of any size, and where a body broke and was taken up again."""
    assert read(asking, path) == OBJECTS[path]
    proxy.faults = [Fault("GetObject", "truncate", times=1)]
    assert read(asking, path) == OBJECTS[path]


@READS
def test_nothing_is_compared_where_the_sdk_asks_for_nothing(
    through: Through, proxy: Proxy, read: Callable[..., bytes]
) -> None:
    """As with regionendpoint by default."""
    proxy.faults = [FLIP]
    assert read(through(), "/large") != DATA


def test_a_local_file_with_wrong_bytes_does_not_appear(
    asking: RegistryS3FileSystem, proxy: Proxy, tmp_path: Path
) -> None:
    """Nor does a part of it."""
    asking.get_file("/large", str(tmp_path / "right"))
    assert (tmp_path / "right").read_bytes() == DATA
    proxy.faults = [FLIP]
    with pytest.raises(OSError, match=DAMAGED):
        asking.get_file("/large", str(tmp_path / "wrong"))
    assert [path.name for path in tmp_path.iterdir()] == ["right"]


@READS
def test_it_takes_no_further_request(through: Through, proxy: Proxy, read: Callable[..., bytes]) -> None:
    """The checksum comes with the first answer, or with the HEAD that tells the size."""
    sent = []
    for fs in (through(), through(**ASKED)):
        proxy.requests.clear()
        read(fs, "/large")
        sent.append(sorted(request.operation for request in proxy.requests))
    assert sent[0] == sent[1]


def test_checksums_of_parts_are_not_taken_for_the_objects(
    asking: RegistryS3FileSystem, fs: RegistryS3FileSystem, raw: Any
) -> None:
    """They say nothing of its bytes, if one does not know where the parts ended."""
    named = {"Bucket": fs.parameters.bucket, "Key": fs.bucket.space.key("/parts")}
    upload = raw.create_multipart_upload(**named, ChecksumAlgorithm="CRC32")["UploadId"]
    part = raw.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"part", ChecksumAlgorithm="CRC32")
    told = {"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}
    raw.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": [told]})
    assert raw.get_object(**named, ChecksumMode="ENABLED")["ChecksumCRC32"].endswith("-1")
    assert asking.cat_file("/parts") == at_once(asking, "/parts") == b"part"


def test_what_is_written_small_is_stored_with_its_checksum(
    through: Through, fs: RegistryS3FileSystem, raw: Any, proxy: Proxy
) -> None:
    """Where the SDK sends checksums, and in one request."""
    through(config_kwargs={"request_checksum_calculation": "when_supported"}).pipe_file("/written", b"abc")
    assert proxy.count("PutObject") == 1
    named = {"Bucket": fs.parameters.bucket, "Key": fs.bucket.space.key("/written")}
    assert raw.head_object(**named, ChecksumMode="ENABLED")["ChecksumCRC32"] == "NSRBwg=="
    assert fs.cat_file("/written") == b"abc"
