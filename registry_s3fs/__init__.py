"""A Docker/OCI registry's S3 storage as an fsspec filesystem: ``registrys3://bucket/docker/registry/v2/...``."""

from importlib.metadata import version

from registry_s3fs.config import storage_options
from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.driver.storage_driver import FileInfo, FileWriter, FilledBuffer, SkipDir, StorageDriver
from registry_s3fs.errors import (
    BucketNotFoundError,
    BulkError,
    DigestMismatch,
    DigestMismatchError,
    FileExpired,
    ForeignBucketError,
    InvalidOffsetError,
    InvalidPathError,
    InvalidResponseError,
    PathNotFoundError,
    RefusedParameterError,
    StorageDriverError,
)
from registry_s3fs.filesystem.core import RegistryS3FileSystem

__all__ = [
    "BucketNotFoundError",
    "BulkError",
    "DigestMismatch",
    "DigestMismatchError",
    "DriverParameters",
    "FileExpired",
    "FileInfo",
    "FileWriter",
    "FilledBuffer",
    "ForeignBucketError",
    "InvalidOffsetError",
    "InvalidPathError",
    "InvalidResponseError",
    "PathNotFoundError",
    "RefusedParameterError",
    "RegistryS3FileSystem",
    "SkipDir",
    "StorageDriver",
    "StorageDriverError",
    "__version__",
]

DriverParameters.__doc__ = storage_options.described(DriverParameters.__doc__ or "", storage_options.of_parameters())

__version__ = version("registry-s3fs")
