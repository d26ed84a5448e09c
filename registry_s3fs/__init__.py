"""A Docker/OCI registry's S3 storage as an fsspec filesystem: ``registrys3://bucket/docker/registry/v2/...``."""

from importlib.metadata import version

from registry_s3fs.driver import FileInfo, FileWriter, FilledBuffer, SkipDir, StorageDriver
from registry_s3fs.filesystem import RegistryS3FileSystem
from registry_s3fs.parameters import DriverParameters

__all__ = [
    "DriverParameters",
    "FileInfo",
    "FileWriter",
    "FilledBuffer",
    "RegistryS3FileSystem",
    "SkipDir",
    "StorageDriver",
    "__version__",
]

__version__ = version("registry-s3fs")
