"""Keyword arguments are honoured, or refused: none is swallowed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.servers import Server
from tests.fakes import on_both

CALLS: dict[str, Callable[..., Any]] = {
    "info": lambda fs, **more: fs.info("/a", **more),
    "stat": lambda fs, **more: fs.stat("/a", **more),
    "exists": lambda fs, **more: fs.exists("/a", **more),
    "lexists": lambda fs, **more: fs.lexists("/a", **more),
    "isfile": lambda fs, **more: fs.isfile("/a", **more),
    "isdir": lambda fs, **more: fs.isdir("/a", **more),
    "ls": lambda fs, **more: fs.ls("/", **more),
    "listdir": lambda fs, **more: fs.listdir("/", **more),
    "find": lambda fs, **more: fs.find("/", **more),
    "glob": lambda fs, **more: fs.glob("/*", **more),
    "glob of a name": lambda fs, **more: fs.glob("/a", **more),
    "walk": lambda fs, **more: list(fs.walk("/", **more)),
    "du": lambda fs, **more: fs.du("/", **more),
    "cat_file": lambda fs, **more: fs.cat_file("/a", **more),
    "read_bytes": lambda fs, **more: fs.read_bytes("/a", **more),
    "read_text": lambda fs, **more: fs.read_text("/a", **more),
    "cat": lambda fs, **more: fs.cat(["/a"], **more),
    "cat_ranges": lambda fs, **more: fs.cat_ranges(["/a"], [0], [1], on_error="raise", **more),
    "get_file": lambda fs, **more: fs.get_file("/a", io.BytesIO(), **more),
    "get": lambda fs, **more: fs.get("/a", "/dev/null", **more),
    "open": lambda fs, **more: fs.open("/a", **more).close(),
    "open text": lambda fs, **more: fs.open("/a", "r", **more).close(),
    "open to write": lambda fs, **more: fs.open("/b", "wb", **more).close(),
    "open to append": lambda fs, **more: fs.open("/a", "ab", **more).close(),
    "pipe_file": lambda fs, **more: fs.pipe_file("/b", b"", **more),
    "pipe": lambda fs, **more: fs.pipe({"/b": b"", "/c": b""}, **more),
    "put_file": lambda fs, **more: fs.put_file(__file__, "/b", **more),
    "put": lambda fs, **more: fs.put(__file__, "/b", **more),
    "cp_file": lambda fs, **more: fs.cp_file("/a", "/b", **more),
    "copy": lambda fs, **more: fs.copy("/a", "/b", **more),
    "mv": lambda fs, **more: fs.mv("/a", "/b", **more),
    "rm": lambda fs, **more: fs.rm("/a", **more),
    "touch": lambda fs, **more: fs.touch("/b", **more),
    "mkdir": lambda fs, **more: fs.mkdir("/d", **more),
    "makedirs": lambda fs, **more: fs.makedirs("/d", **more),
}
WRITES = ("open to write", "pipe_file", "pipe", "put_file", "put", "cp_file", "copy", "mv", "touch")
FIELDS = {"ContentType": "text/csv", "CacheControl": "no-cache", "ContentLanguage": "de", "Metadata": {"a": "b"}}


@pytest.mark.promise("Errors")
@on_both
@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_keyword_is_refused(fs: RegistryS3FileSystem, call: str) -> None:
    """A keyword argument that a call does not know is a `TypeError` that names it, and nothing is done."""
    fs.pipe("/a", b"1")
    with pytest.raises(TypeError, match="bogus"):
        CALLS[call](fs, bogus=1)
    assert fs.find("/") == ["/a"]


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("call", WRITES)
def test_what_an_object_says_of_itself_may_be_given_by_s3s_names(fs: RegistryS3FileSystem, call: str) -> None:
    """Writes and copies take S3's own field names, such as `ContentType` and `Metadata`. A copy keeps the fields that
    are not given.
    """
    fs.pipe("/a", b"1", ContentEncoding="identity")
    CALLS[call](fs, **FIELDS)
    told = fs.bucket.head(fs.bucket.space.key("/b")).head
    assert {name: told[name] for name in FIELDS} == FIELDS
    if call in ("cp_file", "copy", "mv"):
        assert told["ContentEncoding"] == "identity"
    assert fs.metadata("/b") == {"a": "b"}


@pytest.mark.promise("Errors")
@on_both
@pytest.mark.parametrize("call", WRITES)
@pytest.mark.parametrize(
    ("field", "option"),
    [
        *(("ACL", "objectacl"), ("StorageClass", "storageclass"), ("ServerSideEncryption", "encrypt")),
        *(("SSEKMSKeyId", "keyid"), ("SSECustomerKey", "encrypt"), ("GrantRead", "objectacl"), ("Tagging", "put_tags")),
    ],
)
def test_what_the_filesystem_says_of_all_files_is_refused_of_one(
    fs: RegistryS3FileSystem, call: str, field: str, option: str
) -> None:
    """A field that is an option of the filesystem is refused for a single file, and the error names the option."""
    fs.pipe("/a", b"1")
    with pytest.raises(TypeError, match=option):
        CALLS[call](fs, **{field: "x"})
    assert fs.find("/") == ["/a"]


@on_both
@pytest.mark.parametrize("name", ["CacheControl", "content_type", "Metadata", "metadata"])
def test_a_header_that_cannot_be_sent_is_refused(fs: RegistryS3FileSystem, name: str) -> None:
    """By either name."""
    bad: Any = {"a": "x\ny"} if name.lower() == "metadata" else "x\ny"
    for call in WRITES:
        fs.pipe("/a", b"1")
        with pytest.raises(ValueError, match="control characters"):
            CALLS[call](fs, **{name: bad})


@on_both
def test_find_lists_only_names_that_begin_with_a_prefix(fs: RegistryS3FileSystem) -> None:
    """As s3fs's; below a directory, and in the names of files in it."""
    fs.pipe({"/d/a1": b"", "/d/a2/x": b"", "/d/b": b"", "/a3": b""})
    assert fs.find("/d", prefix="a") == ["/d/a1", "/d/a2/x"]
    assert list(fs.find("/d", prefix="a", detail=True)) == ["/d/a1", "/d/a2/x"]
    assert fs.find("/d", prefix="a", withdirs=True) == ["/d/a1", "/d/a2", "/d/a2/x"]
    assert fs.find("/d", prefix="a", maxdepth=1) == ["/d/a1"]
    assert fs.find("/", prefix="a") == ["/a3"]


@on_both
def test_touch_may_bring_bytes(fs: RegistryS3FileSystem) -> None:
    """As s3fs's."""
    fs.touch("/a", data=b"12")
    assert fs.cat("/a") == b"12"
    with pytest.raises(ValueError, match="data"):
        fs.touch("/a", truncate=False, data=b"3")
    assert fs.cat("/a") == b"12"


@on_both
@pytest.mark.parametrize("mode", ["rb", "r", "wb", "w", "ab"])
def test_what_clients_give_to_any_open_is_taken(fs: RegistryS3FileSystem, mode: str) -> None:
    """pandas and dask give these whatever the mode."""
    fs.pipe("/a", b"12")
    more = {"cache_type": "readahead", "cache_options": {}, "size": 2, "block_size": 5 * 2**20, "default_cache": None}
    with fs.open("/a", mode, **more) as file:
        assert not file.closed


def test_url_is_a_presigned_one(fs: RegistryS3FileSystem) -> None:
    """As s3fs's."""
    fs.pipe("/a", b"1")
    assert "X-Amz-Expires=60" in fs.url("/a", expires=60)


@pytest.fixture
def versions(moto_server: Server, options: dict[str, Any]) -> tuple[RegistryS3FileSystem, str]:
    """A filesystem with a file of two versions, and the id of the first."""
    s3 = boto3.client(
        "s3", endpoint_url=moto_server.endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    s3.put_bucket_versioning(Bucket=options["bucket"], VersioningConfiguration={"Status": "Enabled"})
    fs = RegistryS3FileSystem(**options)
    fs.pipe("/a", b"first", metadata={"n": "1"})
    fs.put_tags("/a", {"t": "1"})
    first = fs.info("/a")["VersionId"]
    fs.pipe("/a", b"another", metadata={"n": "2"})
    return fs, first


OF_A_VERSION: dict[str, tuple[Callable[..., Any], Any]] = {
    "info": (lambda fs, **v: fs.info("/a", **v)["size"], 5),
    "size": (lambda fs, **v: fs.size("/a", **v), 5),
    "exists": (lambda fs, **v: fs.exists("/a", **v), True),
    "isfile": (lambda fs, **v: fs.isfile("/a", **v), True),
    "isdir": (lambda fs, **v: fs.isdir("/a", **v), False),
    "cat_file": (lambda fs, **v: fs.cat_file("/a", **v), b"first"),
    "cat": (lambda fs, **v: fs.cat("/a", **v), b"first"),
    "cat_ranges": (lambda fs, **v: fs.cat_ranges(["/a", "/a"], [0, 3], [2, 5], **v), [b"fi", b"st"]),
    "head": (lambda fs, **v: fs.head("/a", 2, **v), b"fi"),
    "tail": (lambda fs, **v: fs.tail("/a", 2, **v), b"st"),
    "read_bytes": (lambda fs, **v: fs.read_bytes("/a", **v), b"first"),
    "read_text": (lambda fs, **v: fs.read_text("/a", **v), "first"),
    "metadata": (lambda fs, **v: fs.metadata("/a", **v), {"n": "1"}),
    "getxattr": (lambda fs, **v: fs.getxattr("/a", "n", **v), "1"),
    "get_tags": (lambda fs, **v: fs.get_tags("/a", **v), {"t": "1"}),
}


@pytest.mark.promise("Reading")
@pytest.mark.parametrize("call", OF_A_VERSION)
def test_a_version_is_the_one_that_is_read(versions: tuple[RegistryS3FileSystem, str], call: str) -> None:
    """`version_id=` holds in every call that reads a file or asks about it. A version that does not exist is a missing
    file.
    """
    fs, first = versions
    act, expected = OF_A_VERSION[call]
    assert act(fs, version_id=first) == expected
    if call in ("exists", "isfile", "isdir"):
        fs.rm("/a")
        assert act(fs) is False
        assert act(fs, version_id=first) == expected


def test_a_version_is_the_one_that_is_fetched_and_copied(
    versions: tuple[RegistryS3FileSystem, str], tmp_path: Path
) -> None:
    """By get, get_file, cp_file and copy."""
    fs, first = versions
    fs.get("/a", str(tmp_path / "1"), version_id=first)
    fs.get_file("/a", str(tmp_path / "2"), version_id=first)
    fs.cp_file("/a", "/b", version_id=first)
    fs.copy("/a", "/c", version_id=first)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == set(fs.cat(["/b", "/c"]).values()) == {b"first"}
    assert (fs.ukey("/a", first), fs.modified("/a", first)) != (fs.ukey("/a"), fs.modified("/a"))
