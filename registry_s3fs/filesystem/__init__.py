"""`RegistryS3FileSystem`: fsspec's interface on a bucket, and the parts that it is made of."""

from registry_s3fs.filesystem.core import RegistryS3FileSystem

__all__ = ["RegistryS3FileSystem"]
