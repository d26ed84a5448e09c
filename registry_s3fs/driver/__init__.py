"""The registry's own storage interface, on the filesystem's parts."""

from registry_s3fs.driver.file_writer import FileWriter
from registry_s3fs.driver.storage_driver import FileInfo, FilledBuffer, SkipDir, StorageDriver

__all__ = ["FileInfo", "FileWriter", "FilledBuffer", "SkipDir", "StorageDriver"]
