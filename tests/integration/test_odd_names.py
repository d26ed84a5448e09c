"""Odd keys and many keys: every character that S3 takes, on every call; thousands at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.servers import Server
from tests.fakes import on_both

MIB = 1024 * 1024
ODD = (
    *("with space", "a+b", "50%", "%20", "what?", "#1", "[x]", "k=v", "a&b", "a;b", "a:b", "a,b", "~", "'\"", "`"),
    *("back\\slash", "*star", "{brace}", "|", "^", "<tag>", "$HOME", "@", "!", "(p)", ".dot", "dot.", "-", "-- -"),
    *(
        "über",
        "日本",
        "🐳",
        "e\u0301",
        "\u00ad",
        "a" * 1000,
        "_manifests",
        " ends with a space ",
        "registrys3:",
        "x::y",
    ),
)
CONTROL = ("tab\there", "line\nbreak", "\x01", "\x7f", "return\r")

_numbers = itertools.count()


@pytest.fixture(params=["moto_server", "radosgw_server"])
def each_store(request: pytest.FixtureRequest) -> Iterator[RegistryS3FileSystem]:
    """A filesystem on a fresh bucket of each server."""
    server: Server = request.getfixturevalue(request.param)
    bucket = f"keys-{next(_numbers)}"
    server.create_bucket(bucket)
    yield RegistryS3FileSystem(**server.options(bucket, rootdirectory="/reg"))
    server.empty_bucket(bucket)


def round_trip(fs: RegistryS3FileSystem, names: tuple[str, ...]) -> None:
    paths = {f"/d/{name}": name.encode() for name in names}
    fs.pipe(paths)
    assert sorted(fs.ls("/d", detail=False)) == fs.find("/") == sorted(paths)
    assert {path: fs.cat_file(path) for path in paths} == paths
    for path, data in paths.items():
        assert fs.info(path)["size"] == len(data)
        assert fs.exists(path)
        assert fs.cat_file(fs.unstrip_protocol(path)) == data


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("name", ODD)
def test_odd_names_go_through_every_single_call(fs: RegistryS3FileSystem, name: str) -> None:
    """Every other character is taken as it is, by each call."""
    path, other = f"/odd/{name}/f", f"/odd/{name[:400]}/g"
    with fs.open(path, "wb") as file:
        file.write(b"1")
    with fs.open(path, "ab") as file:
        file.write(b"2")
    fs.cp_file(path, other)
    fs.mv([other], [other + "2"])
    assert fs.cat_file(other + "2") == b"12"
    assert fs.ls(f"/odd/{name}", detail=False)[0] == path
    assert fs.isdir(f"/odd/{name}")
    assert "Signature" in fs.sign(path)
    fs.rm_file(path)
    assert fs.find("/") == [other + "2"]


def test_odd_names_on_each_server(each_store: RegistryS3FileSystem) -> None:
    """They come back from listings as they were written, and a recursive rm takes them all."""
    round_trip(each_store, ODD)
    each_store.rm("/d", recursive=True)
    assert each_store.find("/") == []


def test_control_characters(radosgw_server: Server) -> None:
    """XML cannot hold them, so they are listed URL-encoded and deleted singly."""
    radosgw_server.create_bucket("control")
    fs = RegistryS3FileSystem(**radosgw_server.options("control"))
    round_trip(fs, CONTROL)
    fs.rm(fs.find("/"))
    assert fs.find("/") == []


def test_a_large_object_with_an_odd_name_is_copied_in_parts(fs: RegistryS3FileSystem) -> None:
    """CopySource is encoded there too."""
    small = RegistryS3FileSystem(
        **fs.storage_options, multipartcopythresholdsize=5 * MIB, multipartcopychunksize=5 * MIB
    )
    fs.pipe_file("/a b+%?é/f", bytes(11 * MIB))
    small.mv(["/a b+%?é/f"], ["/ä/g"])
    assert fs.find("/", detail=True)["/ä/g"]["size"] == 11 * MIB


def test_a_copy_that_fails_half_way_is_aborted(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """No object and no unfinished upload is left; the source stays."""
    small = RegistryS3FileSystem(
        **fs.storage_options, multipartcopythresholdsize=5 * MIB, multipartcopychunksize=5 * MIB
    )
    copy_part = small.bucket.upload_part_copy

    def failing(key: str, upload_id: str, number: int, *args: Any) -> Any:
        if number == 2:
            raise OSError(5, "the server failed", "/f")
        return copy_part(key, upload_id, number, *args)

    fs.pipe_file("/f", bytes(11 * MIB))
    monkeypatch.setattr(small.bucket, "upload_part_copy", failing)
    with pytest.raises(OSError, match="server failed"):
        small.mv("/f", "/g")
    assert fs.find("/") == ["/f"]
    assert fs.list_multipart_uploads() == []


@on_both
def test_a_copied_part_that_is_not_there_is_told(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stores other than AWS the server is asked what it has, before a copy or append is published."""
    small = RegistryS3FileSystem(
        **fs.storage_options, multipartcopythresholdsize=5 * MIB, multipartcopychunksize=5 * MIB
    )
    fs.pipe_file("/f", b"x" * 11 * MIB)
    monkeypatch.setattr(
        small.bucket,
        "upload_part_copy",
        lambda key, upload_id, number, source, extent: replace(
            small.bucket.upload_part(key, upload_id, number, b""), size=extent[1] - extent[0]
        ),
    )
    with pytest.raises(OSError, match="UploadPartCopy stored nothing"):
        small.cp_file("/f", "/g")
    with pytest.raises(OSError, match="UploadPartCopy stored nothing"), small.open("/f", "ab") as file:
        file.write(b"y")
    assert fs.cat("/", recursive=True) == {"/f": b"x" * 11 * MIB}
    assert fs.list_multipart_uploads() == []


@pytest.mark.promise("Copying, moving and deleting")
def test_ten_thousand_keys_are_deleted(rclone_server: Server) -> None:
    """`rm` of many files uses DeleteObjects, in batches side by side."""
    rclone_server.create_bucket("many")
    names = [f"{n:05}" for n in range(10_000)]
    rclone_server.plant("many", [f"d/{name}" for name in names] + ["d2/sibling"])
    fs = RegistryS3FileSystem(**rclone_server.options("many"))
    assert fs.ls("/d", detail=False) == [f"/d/{name}" for name in names]
    fs.rm("/d", recursive=True)
    assert fs.find("/") == ["/d2/sibling"]


def test_hive_directories_are_found_by_patterns(fs: RegistryS3FileSystem) -> None:
    """`=` is a character like any other; brackets and double stars are fsspec's."""
    paths = [f"/t/year={year}/month={month:02}/p.bin" for year in (2025, 2026) for month in (1, 2, 11)]
    fs.pipe(dict.fromkeys(paths, b""))
    assert fs.glob("/t/year=2026/*/p.bin") == paths[3:]
    assert fs.glob("/t/**/month=1[01]/*") == [paths[2], paths[5]]
    above = {path.rsplit("/", levels)[0] for path in paths for levels in (1, 2, 3)}
    assert fs.glob("/t/**") == sorted({*paths, *above})
    assert fs.expand_path("/t/year=2025", recursive=True)[-1] == paths[2]
    assert fs.expand_path(["/t/year=202?/month=02"]) == ["/t/year=2025/month=02", "/t/year=2026/month=02"]
