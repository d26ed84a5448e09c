"""`RegistryS3FileSystem`, which is fsspec's interface to a bucket, and the classes that it is made of."""

from registry_s3fs.filesystem.core import RegistryS3FileSystem

__all__ = ["RegistryS3FileSystem"]
