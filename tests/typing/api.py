"""The public names have types that users of mypy may rely on. mypy checks this; nothing runs it."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from registry_s3fs import DriverParameters, RegistryS3FileSystem


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
    assert_type(fs.info("/a"), dict[str, Any])
    assert_type(fs.sign("/a", expiration=60), str)
