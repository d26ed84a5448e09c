"""A Docker/OCI registry's S3 storage as an fsspec filesystem: ``registrys3://bucket/docker/registry/v2/...``.

A public name is imported when it is first asked for, so that the command ``registry-s3fs`` starts without what it does
not need.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_s3fs.config.parameters import DriverParameters
    from registry_s3fs.driver.storage_driver import FileInfo, FileWriter, FilledBuffer, SkipDir, StorageDriver
    from registry_s3fs.errors import (
        BucketNotFoundError,
        BulkError,
        DigestMismatch,
        DigestMismatchError,
        FileExpired,
        FileTooLargeError,
        ForeignBucketError,
        IncompleteError,
        InvalidOffsetError,
        InvalidPathError,
        InvalidReferenceError,
        InvalidResponseError,
        LayerError,
        LayoutError,
        LinkError,
        NotAFileError,
        NotInRegistryError,
        PathNotFoundError,
        PlatformError,
        RefusedNameError,
        RefusedParameterError,
        StorageDriverError,
        UnreadableDocumentError,
        UnreadableManifestError,
    )
    from registry_s3fs.filesystem.core import RegistryS3FileSystem

    __version__: str
else:
    _MODULES = {
        "config.storage_options": ("DriverParameters",),
        "driver.storage_driver": ("FileInfo", "FileWriter", "FilledBuffer", "SkipDir", "StorageDriver"),
        "errors": (
            *("BucketNotFoundError", "BulkError", "DigestMismatch", "DigestMismatchError"),
            *("FileExpired", "FileTooLargeError", "ForeignBucketError", "IncompleteError", "InvalidOffsetError"),
            *("InvalidPathError", "InvalidReferenceError", "InvalidResponseError", "LayerError", "LayoutError"),
            *("LinkError", "NotAFileError", "NotInRegistryError", "PathNotFoundError", "PlatformError"),
            *("RefusedNameError", "RefusedParameterError", "StorageDriverError"),
            *("UnreadableDocumentError", "UnreadableManifestError"),
        ),
        "filesystem.core": ("RegistryS3FileSystem",),
    }
    """The public names, by the module that each is taken from."""
    _MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
    _ROOMS = (
        *("config", "driver", "errors", "files", "filesystem", "listing", "model", "redaction", "registry", "s3"),
        *("threads", "transfer"),
    )

    def __getattr__(name: str) -> object:
        import importlib

        if name == "__version__":
            found = importlib.import_module("importlib.metadata").version("registry-s3fs")
        elif name in _MODULE_OF:
            found = getattr(importlib.import_module(f"registry_s3fs.{_MODULE_OF[name]}"), name)
        elif name in _ROOMS:
            found = importlib.import_module(f"registry_s3fs.{name}")
        else:
            raise AttributeError(f"registry_s3fs.{name}", name=name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "BucketNotFoundError",
    "BulkError",
    "DigestMismatch",
    "DigestMismatchError",
    "DriverParameters",
    "FileExpired",
    "FileInfo",
    "FileTooLargeError",
    "FileWriter",
    "FilledBuffer",
    "ForeignBucketError",
    "IncompleteError",
    "InvalidOffsetError",
    "InvalidPathError",
    "InvalidReferenceError",
    "InvalidResponseError",
    "LayerError",
    "LayoutError",
    "LinkError",
    "NotAFileError",
    "NotInRegistryError",
    "PathNotFoundError",
    "PlatformError",
    "RefusedNameError",
    "RefusedParameterError",
    "RegistryS3FileSystem",
    "SkipDir",
    "StorageDriver",
    "StorageDriverError",
    "UnreadableDocumentError",
    "UnreadableManifestError",
    "__version__",
]
