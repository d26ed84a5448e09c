"""The registry's own storage interface, built on the parts of the filesystem."""

from registry_s3fs.driver.file_writer import FileWriter
from registry_s3fs.driver.storage_driver import FileInfo, FilledBuffer, SkipDir, StorageDriver

__all__ = ["FileInfo", "FileWriter", "FilledBuffer", "SkipDir", "StorageDriver"]
