"""S3's own inventory reports (Amazon S3 Inventory), read in place of a listing.

A report has a ``manifest.json``, which names files of CSV or Parquet. They are in a folder ``data`` beside the one
that ``manifest.json`` is in, or wherever the whole was copied to.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import posixpath
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from fsspec.core import url_to_fs

from registry_s3fs import errors
from registry_s3fs.registry.entries import Entry, entry
from registry_s3fs.registry.parquet import open_parquet

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Batch = dict[str, list[Any]]
"""Some of the rows: the values of each column."""

MAX_MANIFEST_BYTES = 64 * 1024 * 1024
"""A report on a billion objects names some thousands of files."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_PARQUET_COLUMNS = {
    "key": "Key",
    "size": "Size",
    "last_modified_date": "LastModifiedDate",
    "e_tag": "ETag",
    "storage_class": "StorageClass",
    "is_latest": "IsLatest",
    "is_delete_marker": "IsDeleteMarker",
}
"""What columns are called in Parquet, and in CSV."""
_ROWS_AT_A_TIME = 10_000
_NEEDED = ("Key", "Size", "LastModifiedDate")


class Report:
    """One of S3's inventory reports.

    Args:
        url: The URL or path of its ``manifest.json``.
        fs: The filesystem in which it is a path; by default the URL's, with that one's own defaults.

    Raises:
        ValueError: It is no such report, or one of a format or with columns that cannot be read.
    """

    def __init__(self, url: str, fs: AbstractFileSystem | None = None) -> None:
        self.url = url
        found: tuple[AbstractFileSystem, str] = url_to_fs(url) if fs is None else (fs, url)
        self._fs, self._path = found
        try:
            document: dict[str, Any] = json.loads(_content(self._fs, self._path))
            self.created = _EPOCH + timedelta(milliseconds=int(str(document["creationTimestamp"])))
            """When S3 began to make the report."""
            self.files = [str(file["key"]) for file in document["files"]]
            """The keys of its data files, each of which can be read by itself."""
            self._format = str(document["fileFormat"])
            self._columns = [name.strip() for name in str(document["fileSchema"]).split(",")]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _unusable(url, f"{type(error).__name__}: {error}") from error
        if self._format not in ("CSV", "Parquet"):
            raise _unusable(url, f"its format is {self._format[:40]}; have reports of CSV or Parquet made")
        missing = set(_NEEDED).difference(self._columns) if self._format == "CSV" else ()
        if missing:
            raise _unusable(
                url, f"it lacks the columns {sorted(missing)}; choose size and last modified date in its configuration"
            )

    def entries(self, fs: AbstractFileSystem, root: str) -> Iterator[list[Entry]]:
        """Yield what the report says of the files below a registry's root, some at a time.

        Args:
            fs: The filesystem that the report is about.
            root: The registry's root in it.
        """
        for key in self.files:
            yield from self.entries_of(key, fs, root)

    def entries_of(self, key: str, fs: AbstractFileSystem, root: str) -> Iterator[list[Entry]]:
        """Yield what one of its data files says."""
        prefixes = _prefixes(fs, root)
        batches = self._of_parquet if self._format == "Parquet" else self._of_csv
        for batch in batches(self._place(key)):
            yield list(_below(batch, prefixes, root, is_quoted=self._format == "CSV"))

    def _place(self, key: str) -> str:
        """Return where a data file is.

        Raises:
            FileNotFoundError: It is neither where S3 wrote it nor beside the manifest.
        """
        folder, name = posixpath.dirname(self._path), posixpath.basename(key)
        places = [
            posixpath.join(posixpath.dirname(folder), "data", name),
            posixpath.join(folder, "data", name),
            posixpath.join(folder, name),
        ]
        for place in places:
            if self._fs.exists(place):
                return place
        raise FileNotFoundError(errno.ENOENT, "the inventory report names a data file that is not beside it", key)

    def _of_parquet(self, path: str) -> Iterator[Batch]:
        file = open_parquet(self._fs, path)
        names = [name for name in _PARQUET_COLUMNS if name in file.schema_arrow.names]
        for batch in file.iter_batches(columns=names):
            yield {
                _PARQUET_COLUMNS[name]: column.to_pylist() for name, column in zip(names, batch.columns, strict=True)
            }

    def _of_csv(self, path: str) -> Iterator[Batch]:
        with self._fs.open(path, "rb") as file:
            content = gzip.GzipFile(fileobj=file) if path.endswith(".gz") else file
            rows = csv.reader(io.TextIOWrapper(content, "utf-8", newline=""))
            while some := list(islice(rows, _ROWS_AT_A_TIME)):
                columns = zip(*map(self._whole, some), strict=True)
                yield dict(zip(self._columns, map(list, columns), strict=True))

    def _whole(self, row: list[str]) -> list[str]:
        if len(row) != len(self._columns):
            raise _unusable(self._path, f"of its {len(self._columns)} columns, a row has {len(row)}")
        return row


def _content(fs: AbstractFileSystem, path: str) -> bytes:
    size = fs.info(path)["size"]
    if size > MAX_MANIFEST_BYTES:
        raise errors.file_too_large(path, MAX_MANIFEST_BYTES)
    return bytes(fs.cat_file(path))


def _prefixes(fs: AbstractFileSystem, root: str) -> tuple[str, ...]:
    """Return what the keys below a root may begin with. Ours knows; elsewhere a bucket's name may be in the path."""
    if hasattr(fs, "bucket"):
        return (fs.bucket.space.prefix(root),)
    path = root.strip("/") + "/"
    return (path, path.partition("/")[2])


def _below(batch: Batch, prefixes: tuple[str, ...], root: str, *, is_quoted: bool) -> Iterator[Entry]:
    """Yield the files of a batch that lie below a root; of several versions, the newest."""
    names = list(batch)
    for values in zip(*batch.values(), strict=True):
        row = dict(zip(names, values, strict=True))
        if str(row.get("IsLatest")).lower() == "false" or str(row.get("IsDeleteMarker")).lower() == "true":
            continue
        key = unquote_plus(row["Key"]) if is_quoted else row["Key"]
        prefix = next((prefix for prefix in prefixes if prefix and key.startswith(prefix)), None)
        if prefix is not None and not key.endswith("/"):
            size = int(row["Size"] or 0)
            yield entry(
                {**row, "name": f"{root}/{key[len(prefix) :]}", "size": size, "LastModified": row["LastModifiedDate"]}
            )


def _unusable(url: str, reason: str) -> ValueError:
    """Return the error for what is no inventory report that can be read."""
    return ValueError(f"{url}: it is no inventory report of S3's that can be read: {reason}")
