"""What S3 keeps beside an object's bytes, under the names that s3fs gave the calls."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import FileExpired
from tests.listening import listen

MIB = 1024 * 1024
DESCRIBED = {"content_type": "text/csv", "metadata": {"who": "me"}}


def opened(fs: RegistryS3FileSystem, path: str, size: int) -> None:
    with fs.open(path, "wb", block_size=5 * MIB, **DESCRIBED) as file:
        file.write(bytes(size))


def piped(fs: RegistryS3FileSystem, path: str, size: int) -> None:
    fs.pipe({path: bytes(size)}, block_size=5 * MIB, **DESCRIBED)


@pytest.mark.parametrize("size", [10, 6 * MIB])
@pytest.mark.parametrize("write", [opened, piped])
def test_a_file_says_of_itself_what_the_writer_said(
    fs: RegistryS3FileSystem, write: Callable[..., None], size: int
) -> None:
    """content_type= and metadata=, in one request and in parts."""
    write(fs, "/f", size)
    info = fs.info("/f")
    assert (info["ContentType"], info["metadata"]) == ("text/csv", {"who": "me"})
    assert fs.metadata("/f") == {"who": "me"}


@pytest.mark.promise("Listing")
def test_an_info_tells_the_encryption(options: dict[str, Any]) -> None:
    """`info` has `ServerSideEncryption` and `SSEKMSKeyId` too. A listing has the storage class."""
    more = {"encrypt": True, "keyid": "key-1", "storageclass": "STANDARD_IA"}
    fs = RegistryS3FileSystem(**options, **more)
    fs.pipe_file("/f", b"x")
    info = fs.info("/f")
    assert (info["ServerSideEncryption"], info["StorageClass"]) == ("aws:kms", "STANDARD_IA")
    assert info["SSEKMSKeyId"].endswith("key-1")
    assert fs.ls("/")[0]["StorageClass"] == fs.find("/", detail=True)["/f"]["StorageClass"] == "STANDARD_IA"


def test_put_takes_a_content_type(fs: RegistryS3FileSystem, tmp_path: Any) -> None:
    """Without one it is the registry's application/octet-stream."""
    (tmp_path / "f").write_bytes(b"x")
    fs.put(str(tmp_path / "f"), "/named", content_type="text/plain")
    fs.put(str(tmp_path / "f"), "/plain")
    assert fs.info("/named")["ContentType"] == "text/plain"
    assert fs.info("/plain")["ContentType"] == "application/octet-stream"


@pytest.mark.parametrize("size", [10, 12 * MIB])
def test_setxattr_changes_metadata_and_keeps_all_else(options: dict[str, Any], size: int) -> None:
    """Bytes, content type, other headers and tags; None removes a name. Also where the copy goes in parts."""
    copying = {"multipartcopythresholdsize": 5 * MIB, "multipartcopychunksize": 5 * MIB}
    fs = RegistryS3FileSystem(**options, **copying)
    fs.bucket.client.put_object(
        Bucket=options["bucket"], Key="registry/f", Body=bytes(size), ContentType="text/csv",
        CacheControl="no-cache", Metadata={"a": "1", "b": "2"}, Tagging="team=x%20y",
    )  # fmt: skip
    fs.setxattr("/f", b=None, long_name="3")
    assert fs.metadata("/f") == {"a": "1", "long-name": "3"}
    assert (fs.getxattr("/f", "long_name"), fs.getxattr("/f", "b")) == ("3", None)
    fs.setxattr("/f", copy_kwargs={"ContentType": "text/plain"})
    head = fs.bucket.head("registry/f")
    assert (head.size, head.headers) == (
        size,
        {"ContentType": "text/plain", "CacheControl": "no-cache", "Metadata": {"a": "1", "long-name": "3"}},
    )
    assert fs.get_tags("/f") == {"team": "x y"}


def test_tags_are_replaced_or_merged(fs: RegistryS3FileSystem) -> None:
    """As s3fs's modes o and m."""
    fs.pipe_file("/f", b"")
    assert fs.get_tags("/f") == {}
    fs.put_tags("/f", {"a": "1", "b": "2"})
    fs.put_tags("/f", {"b": "3"}, mode="m")
    assert fs.get_tags("/f") == {"a": "1", "b": "3"}
    fs.put_tags("/f", {"c": "4"})
    assert fs.get_tags("/f") == {"c": "4"}
    with pytest.raises(ValueError, match="neither 'o'"):
        fs.put_tags("/f", {}, mode="x")


@pytest.fixture
def versioned(fs: RegistryS3FileSystem) -> RegistryS3FileSystem:
    fs.bucket.client.put_bucket_versioning(Bucket=fs.parameters.bucket, VersioningConfiguration={"Status": "Enabled"})
    for turn in (b"one", b"second", b"3"):
        fs.pipe_file("/f", turn)
    fs.pipe_file("/f2", b"another key that begins alike")
    return fs


def test_every_version_is_listed_newest_first(versioned: RegistryS3FileSystem) -> None:
    """Of this file and no other; deleting leaves them there."""
    found = versioned.object_version_info("/f")
    assert [version["size"] for version in found] == [1, 6, 3]
    assert [version["IsLatest"] for version in found] == [True, False, False]
    assert {version["name"] for version in found} == {"/f"}
    versioned.rm("/f")
    assert len(versioned.object_version_info("/f")) == 3
    assert versioned.object_version_info("/missing") == []


def test_an_old_version_is_restored_onto_its_own_path(versioned: RegistryS3FileSystem) -> None:
    """In place of a newer one, or where the file was deleted; and the store's conditions are asked for on."""
    old = versioned.object_version_info("/f")[2]["VersionId"]
    for copy in (versioned.cp_file, versioned.copy):
        copy("/f", "/f", version_id=old)
        assert versioned.cat("/f") == b"one"
        versioned.rm("/f")
        copy("/f", "/f", version_id=old)
        assert versioned.cat("/f") == b"one"
        versioned.pipe("/f", b"newer")
    asked: list[dict[str, Any]] = []
    listen(versioned, "provide-client-params.s3.CopyObject", lambda params, **event: asked.append(params))
    versioned.cp_file("/f", "/f", version_id=old)
    assert [params["CopySourceIfMatch"] for params in asked] == [versioned.info("/f")["ETag"]]


@pytest.mark.promise("Listing")
def test_an_old_version_is_read_by_its_id(versioned: RegistryS3FileSystem, tmp_path: Any) -> None:
    """`info` has `VersionId` where the bucket keeps versions, and an old version is read by its id."""
    old = versioned.object_version_info("/f")[2]["VersionId"]
    assert versioned.info("/f", version_id=old)["size"] == 3
    assert versioned.info("/f")["VersionId"] != old
    assert versioned.cat_file("/f", version_id=old) == b"one"
    assert versioned.cat_file("/f", -2, None, version_id=old) == b"ne"
    with versioned.open("/f", "rb", version_id=old) as file:
        assert pickle.loads(pickle.dumps(file)).read() == b"one"
        assert file.read() == b"one"
    out = io.BytesIO()
    versioned.get_file("/f", out, version_id=old)
    assert out.getvalue() == b"one"
    with pytest.raises(FileNotFoundError):
        versioned.cat_file("/f2", version_id=old)


def test_a_pickled_file_does_not_read_another_version(fs: RegistryS3FileSystem) -> None:
    """The ETag travels with it."""
    fs.pipe_file("/f", b"a" * 100)
    with fs.open("/f", "rb") as file:
        pickled = pickle.dumps(file)
    fs.pipe_file("/f", b"b" * 100)
    with pytest.raises(FileExpired), pickle.loads(pickled) as again:
        again.read(1)


def test_unfinished_uploads_are_listed_and_cleared(fs: RegistryS3FileSystem) -> None:
    """Those below a directory and older than asked; a younger one stays."""
    keys = ["registry/a/one", "registry/a/two", "registry/b", "registry2/foreign"]
    ids = {key: fs.bucket.create_upload(key) for key in keys}
    found = fs.list_multipart_uploads()
    assert {upload["name"]: upload["UploadId"] for upload in found} == {
        "/" + key.partition("/")[2]: ids[key] for key in keys[:3]
    }
    assert all(upload["Initiated"].tzinfo for upload in found)
    assert [upload["name"] for upload in fs.list_multipart_uploads("/a")] == ["/a/one", "/a/two"]
    age = datetime.now(timezone.utc) - found[0]["Initiated"]
    assert fs.clear_multipart_uploads(older_than=age + timedelta(days=1)) == []
    cleared = fs.clear_multipart_uploads("/a", older_than=timedelta(0))
    assert [upload["name"] for upload in cleared] == ["/a/one", "/a/two"]
    assert [upload["name"] for upload in fs.list_multipart_uploads()] == ["/b"]
    assert [upload.key for upload in fs.bucket.list_uploads("registry2")] == ["registry2/foreign"]


def test_unfinished_uploads_are_told_with_their_parts(fs: RegistryS3FileSystem) -> None:
    """How many there are, what they weigh, and when the newest came, where that is asked for."""
    key = fs.bucket.space.key("/a")
    upload_id = fs.bucket.create_upload(key)
    fs.bucket.create_upload(fs.bucket.space.key("/b"))
    before = datetime.now(timezone.utc) - timedelta(minutes=1)
    for number, size in ((1, 5 * 1024 * 1024), (2, 10)):
        fs.bucket.upload_part(key, upload_id, number, bytes(size))
    assert "parts" not in fs.list_multipart_uploads()[0]
    first, second = fs.list_multipart_uploads(parts=True)
    assert (first["UploadId"], first["parts"], first["part_bytes"]) == (upload_id, 2, 5 * 1024 * 1024 + 10)
    assert first["LastModified"] is not None
    assert first["LastModified"] > before
    assert (second["name"], second["parts"], second["part_bytes"], second["LastModified"]) == ("/b", 0, 0, None)


def test_one_unfinished_upload_is_aborted(fs: RegistryS3FileSystem) -> None:
    """Its neighbour of the same path stays; one that is gone is missing."""
    first, second = (fs.bucket.create_upload(fs.bucket.space.key("/a")) for _ in range(2))
    fs.abort_multipart_upload("/a", first)
    assert [upload["UploadId"] for upload in fs.list_multipart_uploads()] == [second]
    with pytest.raises(FileNotFoundError):
        fs.abort_multipart_upload("/a", first)


def test_an_upload_of_a_directorys_marker_is_cleared_too(fs: RegistryS3FileSystem) -> None:
    """Its key ends in a slash, which its path does not show; and one that ended meanwhile is no error."""
    fs.bucket.create_upload(fs.bucket.space.key("/d") + "/")
    assert [upload["name"] for upload in fs.clear_multipart_uploads(older_than=timedelta(0))] == ["/d"]
    assert list(fs.bucket.list_uploads("")) == []
