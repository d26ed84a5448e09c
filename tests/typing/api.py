"""The public names have types that users of mypy may rely on. mypy checks this; nothing runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, TextIO

from typing_extensions import assert_type

from registry_s3fs import DriverParameters, FileInfo, FileWriter, RegistryS3FileSystem, StorageDriver
from registry_s3fs.filesystem.mapper import Mapper
from registry_s3fs.model.info import Info, UploadInfo


def parameters_are_typed(mapping: dict[str, str]) -> None:
    """Strings go in, types come out."""
    parameters = DriverParameters.from_mapping(mapping)
    assert_type(parameters, DriverParameters)
    assert_type(parameters.chunksize, int)
    assert_type(parameters.encrypt, bool)
    assert_type(parameters.endpoint_url, str | None)
    assert_type(DriverParameters.from_config("config.yml", environ={}), DriverParameters)


def the_filesystem_is_typed(fs: RegistryS3FileSystem) -> None:
    """What fsspec fixes is typed; what it leaves open is Any."""
    assert_type(fs.parameters, DriverParameters)
    assert_type(RegistryS3FileSystem.from_config("config.yml"), RegistryS3FileSystem)
    assert_type(fs.exists("/a"), bool)
    assert_type(fs.cat_file("/a", 0, 10), bytes)
    assert_type(fs.info("/a"), Info)
    assert_type(fs.sign("/a", expiration=60), str)
    assert_type(fs.url("/a"), str)
    assert_type(fs.size("/a"), int)
    assert_type(fs.modified("/a"), datetime)
    assert_type(fs.metadata("/a"), dict[str, str])
    assert_type(fs.get_tags("/a"), dict[str, str])
    assert_type(fs.expand_path("/a*"), list[str])
    assert_type(fs.get_mapper("/a"), Mapper)
    assert_type(fs.cat("/a"), bytes | dict[str, bytes | Exception])
    assert_type(fs.cat(["/a", "/b"]), dict[str, bytes])
    assert_type(fs.cat(["/a"], on_error="return"), dict[str, bytes | Exception])
    assert_type(fs.cat_ranges(["/a"], 0, 1), list[bytes | Exception])
    assert_type(fs.cat_ranges(["/a"], 0, 1, on_error="raise"), list[bytes])
    assert_type(fs.read_text("/a"), str)
    assert_type(fs.read_bytes("/a"), bytes)
    assert_type(fs.read_block("/a", 0, 10), bytes)
    assert_type(fs.write_text("/a", "b"), int)
    assert_type(fs.stat("/a"), Info)
    assert_type(fs.sizes(["/a"]), list[int])
    assert_type(fs.tree("/"), str)
    assert_type(fs.to_json(include_password=False), str)
    assert_type(fs.iter_find("/"), Iterator[list[Info]])


def what_detail_and_mode_say_is_known(fs: RegistryS3FileSystem, detail: bool) -> None:
    """The words that decide what comes back decide its type."""
    assert_type(fs.ls("/"), list[Info])
    assert_type(fs.ls("/", detail=False), list[str])
    assert_type(fs.ls("/", detail), list[Info] | list[str])
    assert_type(fs.find("/"), list[str])
    assert_type(fs.find("/", detail=True), dict[str, Info])
    assert_type(fs.find("/", None, False, True), dict[str, Info])
    assert_type(fs.walk("/"), Iterator[tuple[str, list[str], list[str]]])
    assert_type(fs.walk("/", detail=True), Iterator[tuple[str, dict[str, Info], dict[str, Info]]])
    assert_type(fs.glob("/*"), list[str])
    assert_type(fs.glob("/*", detail=True), dict[str, Info])
    assert_type(fs.du("/"), int)
    assert_type(fs.du("/", total=False), dict[str, int])
    assert_type(fs.open("/a"), BinaryIO)
    assert_type(fs.open("/a", "wb", block_size=5 * 2**20), BinaryIO)
    assert_type(fs.open("/a", "r", encoding="utf-8"), TextIO)
    assert_type(fs.open("/a", "at"), TextIO)


def infos_are_typed(fs: RegistryS3FileSystem) -> None:
    """Type checkers know the keys of an info, which is a plain `dict`, and what each of them holds."""
    info = fs.info("/a")
    assert_type(info["name"], str)
    assert_type(info["size"], int)
    assert_type(info["type"], Literal["file", "directory"])
    assert_type(info.get("ETag"), str | None)
    assert_type(info.get("LastModified"), datetime | None)
    assert_type(info.get("metadata"), Mapping[str, str] | None)
    info["nmae"]  # type: ignore[typeddict-item]  # no such key
    assert_type(fs.object_version_info("/a"), list[Info])
    assert_type(fs.list_multipart_uploads(), list[UploadInfo])
    assert_type(fs.list_multipart_uploads()[0]["Initiated"], datetime | None)
    assert_type(fs.list_multipart_uploads(parts=True)[0].get("part_bytes"), int | None)


def paths_may_be_texts_or_objects(fs: RegistryS3FileSystem, path: PurePosixPath, local: Path) -> None:
    """A path is a `str` or any `os.PathLike`, alone or among several, in the bucket or on this machine."""
    assert_type(fs.cat_file(path), bytes)
    assert_type(fs.expand_path([path, "/a"]), list[str])
    assert_type(fs.cat([path]), dict[str, bytes])
    assert_type(fs.cat_ranges([path, path], 0, [1, None]), list[bytes | Exception])
    assert_type(fs.find(path), list[str])
    fs.get(path, local)
    fs.get(["/a", path], [local, "b"])
    fs.get_file(path, BytesIO())
    fs.put(local, path)
    fs.put_file(local, path)
    fs.pipe(path, bytearray(b""))
    fs.pipe({"/a": b"", "/b": memoryview(b"")})
    fs.cp_file(path, "/b")
    fs.mv(path, "/b")
    fs.rm([path])
    fs.touch(path)
    fs.info(1)  # type: ignore[arg-type]  # a number is no path
    fs.pipe_file(path, "text")  # type: ignore[arg-type]  # text is no bytes


def options_are_typed() -> None:
    """Each is known, with what it takes."""
    assert_type(
        RegistryS3FileSystem(bucket="demo", region="us-east-1", encrypt="true", chunksize=2**24), RegistryS3FileSystem
    )
    RegistryS3FileSystem(bucket="demo", encript=True)  # type: ignore[call-arg]  # no such option
    RegistryS3FileSystem(bucket=["demo"])  # type: ignore[arg-type]  # a list is no name


def the_driver_is_typed(driver: StorageDriver, names: list[str]) -> None:
    """All ten methods, and the writer."""
    assert_type(StorageDriver.from_parameters({"bucket": "demo"}), StorageDriver)
    assert_type(driver.name(), str)
    assert_type(driver.get_content("/a"), bytes)
    driver.put_content("/a", memoryview(b""))
    assert_type(driver.reader("/a", 3), BinaryIO)
    with driver.writer("/a", append=True) as writer:
        assert_type(writer, FileWriter)
        assert_type(writer.write(b""), int)
        assert_type(writer.size, int)
    found = driver.stat("/a")
    assert_type(found, FileInfo)
    assert_type(found.mod_time, datetime | None)
    assert_type(driver.list("/"), list[str])
    driver.walk("/", lambda info: names.append(info.path), start_after_hint="/a")
    assert_type(driver.redirect_url("/a", "HEAD"), str)
