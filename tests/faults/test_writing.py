"""Writing over a network that fails: whole or not at all, and never told the one when it is the other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.s3.bucket import Bucket
from testbed.messages import Answer
from testbed.plain_answers import plain, refusal
from testbed.proxy import ALWAYS, Fault, Proxy
from tests.faults.conftest import DATA, MIB

Through = Callable[..., RegistryS3FileSystem]
PARTS = {"block_size": 5 * MIB}
SMALL = DATA[: 2 * MIB]
GONE = refusal(404, "NoSuchUpload")
UNACCEPTED = plain(200, b"", {"ETag": '"0123"'})
"""What stores say of an upload that is completed already; moto's server says success once more."""
TWO_TRIES = {"config_kwargs": {"retries": {"total_max_attempts": 2}}}


def in_parts(fs: RegistryS3FileSystem, mode: str = "wb") -> None:
    with fs.open("/f", mode, **PARTS) as file:
        file.write(DATA)


def lost(answer: Answer, operation: str = "CompleteMultipartUpload") -> list[Fault]:
    """The first try is carried out and its answer lost; the second one gets this answer."""
    return [Fault(operation, "applied"), Fault(operation, "instead", nth=2, answer=answer)]


def pending(fs: RegistryS3FileSystem) -> list[str]:
    return [upload["name"] for upload in fs.list_multipart_uploads()]


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("kind", ["503", "500", "reset", "applied"])
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_write_in_parts_comes_through(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy, operation: str, kind: str
) -> None:
    """A request that fails is tried again, parts from memory. The bytes are stored once."""
    proxy.faults = [Fault(operation, kind)]
    in_parts(shaky)
    assert fs.cat_file("/f") == DATA
    assert proxy.count(operation) >= 2
    lost = operation == "CreateMultipartUpload" and kind == "applied"
    assert pending(fs) == ["/f"] * lost  # an upload whose id never came can be found, but not told from others'


@pytest.mark.parametrize("code", ["BadDigest", "XAmzContentSHA256Mismatch"])
@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
def test_what_was_damaged_on_its_way_is_sent_again(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy, operation: str, code: str
) -> None:
    """The server has told, and kept nothing of it; but not for ever."""
    refused = Fault(operation, "instead", answer=refusal(400, code))
    proxy.faults = [refused]
    shaky.pipe_file("/f", DATA if operation == "UploadPart" else SMALL, **PARTS)
    assert fs.cat_file("/f") == (DATA if operation == "UploadPart" else SMALL)
    proxy.faults = [Fault(operation, "instead", times=ALWAYS, answer=refusal(400, code))]
    with pytest.raises(OSError, match=code):
        shaky.pipe_file("/f", SMALL, block_size=5 * MIB) if operation == "PutObject" else in_parts(shaky)
    assert pending(fs) == []


@pytest.mark.parametrize("kind", ["503", "500", "reset", "applied"])
@pytest.mark.parametrize("size", [100, 2 * MIB])
def test_a_write_in_one_request_comes_through(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy, kind: str, size: int
) -> None:
    """Of small and larger files."""
    proxy.faults = [Fault("PutObject", kind)]
    shaky.pipe_file("/f", DATA[:size])
    assert fs.cat_file("/f") == DATA[:size]
    assert proxy.count("PutObject") == 2


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "CopyObject", "UploadPartCopy"])
def test_a_200_that_carries_an_error_is_none(
    fs: RegistryS3FileSystem, through: Through, proxy: Proxy, operation: str
) -> None:
    """An error that comes with status 200 is an error. The request is tried again, and nothing is published where the
    error stays.
    """
    shaky = through(multipartcopythresholdsize=MIB, multipartcopychunksize=5 * MIB, **TWO_TRIES)
    fs.pipe({"/small": b"small", "/large": DATA})

    def act(target: str) -> Any:
        if operation == "CompleteMultipartUpload":
            return shaky.pipe_file(target, DATA, **PARTS)
        return shaky.copy("/small" if operation == "CopyObject" else "/large", target)

    proxy.faults = [Fault(operation, "error-200")]
    act("/good")
    proxy.faults = [Fault(operation, "error-200", times=ALWAYS)]
    with pytest.raises(OSError, match="server failed"):
        act("/bad")
    assert fs.exists("/good")
    assert not fs.exists("/bad")
    assert pending(fs) == []


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize(("mode", "answer"), [("wb", GONE), ("xb", GONE), ("xb", refusal(412, "PreconditionFailed"))])
def test_a_completion_whose_answer_was_lost_is_one(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy, mode: str, answer: Answer
) -> None:
    """A completed upload whose answer was lost is found to be a success.

    The next try is told NoSuchUpload or, in mode `x`, that a file is there. The ETag shows that the file is ours.
    """
    proxy.faults = lost(answer)
    in_parts(shaky, mode)
    assert proxy.count("CompleteMultipartUpload") == 2
    assert fs.cat_file("/f") == DATA


def test_a_completion_of_which_every_answer_was_lost_is_one(
    fs: RegistryS3FileSystem, through: Through, proxy: Proxy
) -> None:
    """The object is looked at after the last try too."""
    proxy.faults = [Fault("CompleteMultipartUpload", "applied", times=ALWAYS)]
    in_parts(through(**TWO_TRIES))
    assert fs.cat_file("/f") == DATA


def test_a_storage_drivers_commit_whose_answer_was_lost_is_one(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy
) -> None:
    """It is completed in the same way."""
    proxy.faults = lost(GONE)
    with StorageDriver(shaky).writer("/f") as writer:
        writer.write(DATA)
        writer.commit()
    assert fs.cat_file("/f") == DATA


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("mode", ["wb", "xb"])
def test_an_upload_that_somebody_aborted_is_no_success(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy, mode: str
) -> None:
    """Another writer's file is never taken for one's own.

    Nothing is at the path, or a file of the same size that somebody else wrote.
    """

    def abort() -> None:
        [upload] = fs.list_multipart_uploads()
        fs.bucket.abort_upload(fs.bucket.space.key("/f"), upload["UploadId"])

    def abort_and_write() -> None:
        abort()
        fs.pipe_file("/f", DATA[::-1], **PARTS)

    for interfere in (abort, abort_and_write):
        proxy.faults = [Fault("CompleteMultipartUpload", "reset", after=interfere), lost(GONE)[1]]
        with pytest.raises(OSError):  # noqa: PT011  # NoSuchUpload, or FileExistsError
            in_parts(shaky, mode)
    assert fs.cat_file("/f") == DATA[::-1]
    assert pending(fs) == []


def without_md5s(monkeypatch: pytest.MonkeyPatch) -> None:
    """ETags are words, as of stores that do not use MD5s."""
    head = Bucket.head

    def other(self: Bucket, *args: Any, **kwargs: Any) -> ObjectInfo:
        found = head(self, *args, **kwargs)
        found.etag = '"a-word"'
        return found

    monkeypatch.setattr(Bucket, "head", other)


def test_where_etags_tell_nothing_size_and_time_do(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload is gone, and a file of its size is there that is not older than it."""
    without_md5s(monkeypatch)
    proxy.faults = lost(GONE)
    in_parts(shaky)
    assert fs.cat_file("/f") == DATA


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("data", [SMALL, DATA])
def test_where_nothing_tells_an_error_says_so(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """Where nobody can tell whether a write was done, an error says so.

    The write is exclusive, in one request and in parts, and ETags are no MD5s. So it is neither a success nor a
    `FileExistsError`.
    """
    without_md5s(monkeypatch)
    proxy.faults = [Fault("PutObject", "applied"), *lost(refusal(412, "PreconditionFailed"))]
    with pytest.raises(OSError, match="cannot be told") as unknown:
        shaky.pipe_file("/f", data, mode="create", **PARTS)
    assert unknown.value.filename == "/f"
    assert unknown.value.__cause__ is not None
    assert not isinstance(unknown.value, FileExistsError)


def test_a_look_that_fails_is_no_success(fs: RegistryS3FileSystem, through: Through, proxy: Proxy) -> None:
    """The error says that the outcome is not known."""
    proxy.faults = [*lost(GONE), Fault("HeadObject", "500", times=ALWAYS)]
    with pytest.raises(OSError, match="cannot be told"):
        in_parts(through(**TWO_TRIES))


@pytest.mark.promise("Writes whose answer is lost or odd")
def test_an_exclusive_write_whose_answer_was_lost_is_one(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy
) -> None:
    """An exclusive write whose answer was lost is found to be a success.

    The next try of the PutObject with If-None-Match is told that a file is there. The MD5 shows that the file is ours.
    """
    proxy.faults = [Fault("PutObject", "applied")]
    shaky.pipe_file("/f", SMALL, mode="create")
    assert proxy.count("PutObject") == 2
    assert fs.cat_file("/f") == SMALL


def test_an_exclusive_write_that_came_second_is_none(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy
) -> None:
    """Somebody else's bytes, between a try that was lost and the next; and the very same bytes, where none was lost."""
    proxy.faults = [Fault("PutObject", "reset", after=lambda: fs.pipe_file("/f", SMALL[::-1]))]
    with pytest.raises(FileExistsError):
        shaky.pipe_file("/f", SMALL, mode="create")
    assert fs.cat_file("/f") == SMALL[::-1]
    early = refusal(404, "NoSuchKey")  # the look before the write, which came too early
    for data in (SMALL, DATA):
        proxy.faults = [Fault("HeadObject", "instead", answer=early)]
        fs.pipe_file("/lock", data, **PARTS)
        with pytest.raises(FileExistsError):
            shaky.pipe_file("/lock", data, mode="create", **PARTS)
        assert pending(fs) == []


def test_parts_that_the_server_does_not_accept_are_an_error(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy
) -> None:
    """InvalidPart: nothing is published, and the upload is aborted."""
    fs.pipe_file("/f", b"old")
    proxy.faults = [Fault("UploadPart", "instead", nth=2, answer=UNACCEPTED)]
    with pytest.raises(OSError, match="does not accept the uploaded parts"):
        in_parts(shaky)
    assert fs.cat_file("/f") == b"old"
    assert pending(fs) == []


@pytest.mark.promise("Whole or not at all")
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"])
@pytest.mark.parametrize("kind", ["500", "reset"])
def test_a_write_that_fails_to_the_end_leaves_nothing(
    fs: RegistryS3FileSystem, through: Through, proxy: Proxy, operation: str, kind: str
) -> None:
    """A write that fails to the end leaves the old object as it was, and no unfinished upload."""
    shaky = through(**TWO_TRIES)
    fs.pipe_file("/f", b"old")
    proxy.faults = [Fault(operation, kind, times=ALWAYS)]
    size = 100 if operation == "PutObject" else len(DATA)
    with pytest.raises(OSError), shaky.open("/f", "wb", **PARTS) as file:  # noqa: PT011  # others tell which
        file.write(DATA[:size])
    with pytest.raises(OSError):  # noqa: PT011  # as above
        shaky.pipe_file("/f", DATA[:size], **PARTS)
    assert fs.cat_file("/f") == b"old"
    assert pending(fs) == []


@pytest.mark.promise("Whole or not at all")
@pytest.mark.parametrize("kind", ["500", "reset"])
def test_an_upload_that_could_not_be_aborted_is_named(
    fs: RegistryS3FileSystem, through: Through, proxy: Proxy, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An unfinished upload that could not be aborted is named in the log, with its key and upload id.

    The call raises the write's own error.
    """
    proxy.faults = [
        Fault("UploadPart", "500", nth=2, times=ALWAYS),
        Fault("AbortMultipartUpload", kind, times=ALWAYS),
    ]
    with caplog.at_level(logging.WARNING, "registry_s3fs"), pytest.raises(OSError, match="server failed"):
        in_parts(through(**TWO_TRIES))
    [upload] = fs.list_multipart_uploads()
    assert upload["name"] == "/f"
    assert upload["UploadId"] in caplog.text
    assert fs.bucket.space.key("/f") in caplog.text


@pytest.mark.parametrize("kind", ["503", "500", "reset", "applied"])
def test_copies_come_through(fs: RegistryS3FileSystem, through: Through, proxy: Proxy, kind: str) -> None:
    """In one request and in parts; and a move deletes its source, whose deletion is tried again too."""
    shaky = through(multipartcopythresholdsize=MIB, multipartcopychunksize=5 * MIB)
    fs.pipe({"/small": b"small", "/large": DATA})
    proxy.faults = [
        Fault(each, kind) for each in ("CopyObject", "UploadPartCopy", "CompleteMultipartUpload", "DeleteObject")
    ]
    shaky.copy("/small", "/copied")
    shaky.mv("/large", "/moved")
    assert fs.cat(["/copied", "/moved"]) == {"/copied": b"small", "/moved": DATA}
    assert not fs.exists("/large")
    assert pending(fs) == []


def test_a_copy_onto_itself_whose_answer_was_lost_is_not_told_as_replaced(
    fs: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy
) -> None:
    """The first try has changed the ETag of an object that was uploaded in parts; the bytes stay."""
    fs.pipe_file("/f", DATA, **PARTS)
    proxy.faults = lost(refusal(412, "PreconditionFailed"), "CopyObject")
    key = fs.bucket.space.key("/f")
    with pytest.raises(OSError, match="cannot be told"):
        shaky.bucket.copy(shaky.bucket.head(key), key)
    assert fs.cat_file("/f") == DATA
