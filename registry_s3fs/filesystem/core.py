"""`RegistryS3FileSystem`: fsspec's interface on a registry's bucket. Each method says what, its parts say how."""

from __future__ import annotations

import errno
import io
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TextIO, overload

from fsspec.core import get_compression
from fsspec.utils import stringify_path, tokenize

from registry_s3fs.config import environment, parsers, storage_options
from registry_s3fs.config.parameters import NAMES, SECRETS, DriverParameters, read_config, unknown
from registry_s3fs.config.storage_options import StorageOptions
from registry_s3fs.errors import BucketNotFoundError
from registry_s3fs.files import read_file, wrappers
from registry_s3fs.files.transaction import PublishingTransaction
from registry_s3fs.files.write_file import WriteFile
from registry_s3fs.filesystem import listings_caches
from registry_s3fs.filesystem.bulk import ManyPaths
from registry_s3fs.filesystem.downloads import Downloads
from registry_s3fs.filesystem.mapper import Mapper
from registry_s3fs.filesystem.s3_extras import Attributes
from registry_s3fs.filesystem.search import Searching
from registry_s3fs.filesystem.uploads import Uploads
from registry_s3fs.listing import directory
from registry_s3fs.listing.directory import Info
from registry_s3fs.model import paths
from registry_s3fs.model.object_headers import request_fields
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.model.paths import RegistryPath
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.client import check_config
from registry_s3fs.threads.pool import Pool, pool
from registry_s3fs.transfer import multipart

BinaryMode = Literal["rb", "wb", "xb", "ab"]
TextMode = Literal["r", "w", "x", "a", "rt", "wt", "xt", "at"]

if sys.version_info >= (3, 11):
    from typing import Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack

FSSPEC_OPTIONS = storage_options.BESIDE_THE_TABLE.keys() - {"config", "skip_instance_cache"}
"""Storage options that are fsspec's own, as far as it hands them on."""


class RegistryS3FileSystem(Downloads, Uploads, ManyPaths, Searching, Attributes):
    """A Docker/OCI registry's S3 storage, or any prefix of a bucket, as a filesystem.

    Storage options are the registry's own S3 driver parameters, see `DriverParameters` and
    docs/parameters.md; `config`, the path of a registry's ``config.yml`` to take them from; and
    fsspec's `use_listings_cache` (off by default, since others write to the bucket),
    `listings_expiry_time`, `max_paths`, `skip_instance_cache`.

    Paths are absolute registry paths below `rootdirectory`; URLs are ``registrys3://BUCKET/path``.
    Making an instance sends no request. Instances may be shared between threads, pickled, and used
    after a fork.

    >>> fs = RegistryS3FileSystem(bucket="demo", region="us-east-1", rootdirectory="/registry")
    >>> fs.unstrip_protocol("/docker/registry/v2")
    'registrys3://demo/docker/registry/v2'

    Raises:
        TypeError: an unknown option; names the closest one.
        ValueError: a bad value; names the parameter.
    """

    __module__ = "registry_s3fs.filesystem"  # as pickles and `to_json` name it
    protocol = paths.PROTOCOL
    root_marker = "/"
    transaction_type = PublishingTransaction
    _surroundings = environment.Surroundings()
    _extra_tokenize_attributes = ("_surroundings",)

    __signature__ = storage_options.signature()

    def __init__(self, **storage_options: Unpack[StorageOptions]) -> None:
        given: dict[str, Any] = {name: value for name, value in storage_options.items() if name not in FSSPEC_OPTIONS}
        for name in given:
            if name not in NAMES | {"config"}:
                raise TypeError(unknown(name, NAMES | FSSPEC_OPTIONS | {"config"}))
        config = given.pop("config", None)
        if not isinstance(config, str | os.PathLike | None):
            text = "config: is the path of a registry's config.yml; botocore's settings are config_kwargs={...}"
            raise TypeError(text)
        super().__init__(**{**storage_options, **parsers.listings_cache(storage_options)})
        self._text = parsers.text_options(storage_options)
        given = {**(read_config(config) if config else {}), **given}
        self._surrounding = environment.region_needed(given)
        self.parameters = DriverParameters.from_mapping({**given, **self._surrounding})
        check_config(self.parameters)
        self.bucket = Bucket(self.parameters)
        if self.dircache.use_listings_cache:
            self.dircache = listings_caches.shared(self.parameters, self.dircache)

    @classmethod
    def from_config(cls, path: str | os.PathLike[str], **storage_options: Any) -> RegistryS3FileSystem:
        """The filesystem of a registry, from its ``config.yml``; further options override it."""
        return cls(config=os.fspath(path), **storage_options)

    @property
    def storage_options(self) -> dict[str, Any]:
        """What the filesystem was made with."""
        return self._storage_options

    @storage_options.setter
    def storage_options(self, options: dict[str, Any]) -> None:
        """fsspec sets it, once the filesystem is made. The bucket is a plain `str` from then on, and a region that was
        found in the environment is among the options: elsewhere there may be another one."""
        self._storage_options = {
            name: str(value) if isinstance(value, paths.UrlBucket) else value for name, value in options.items()
        } | self._surrounding

    @property
    def pool(self) -> Pool:
        """The process's threads for this many requests at once."""
        return pool(self.parameters.max_concurrency)

    @property
    def fsid(self) -> str:
        return f"{self.protocol}_{tokenize(self.parameters.endpoint_url, self.parameters.bucket)}"

    def __repr__(self) -> str:
        return f"RegistryS3FileSystem({self.parameters!r})"

    def _repr_html_(self) -> str:
        """A table of what differs from the defaults, for notebooks; without secrets."""
        return storage_options.as_html(self.unstrip_protocol("/"), self.parameters.given())

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """As fsspec's; without passwords, no credential of any name is in it."""
        found: dict[str, Any] = super().to_dict(include_password=include_password)
        hidden = () if include_password else (*SECRETS, "config_kwargs")
        return {name: value for name, value in found.items() if name not in hidden}

    # Paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return paths.parse(stringify_path(path))

    @classmethod
    def _parent(cls, path: Any) -> str:
        path = cls._strip_protocol(path)
        return RegistryPath(paths.parent(path), path.bucket)

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        bucket, _ = paths.split_url(path)
        return {"bucket": paths.UrlBucket(bucket)} if bucket else {}

    def unstrip_protocol(self, name: str) -> str:
        """The full URL of a path, with the bucket; the root's ends in none, as others put a ``/`` behind it."""
        return f"{self.protocol}://{self.parameters.bucket}{self._path(name)}".rstrip("/")

    def _path(self, path: Any) -> str:
        """A path that is valid and of this bucket; every public method begins here."""
        stripped: RegistryPath = self._strip_protocol(path)
        paths.check_bucket(stripped, self.parameters.bucket)
        return str(stripped)

    def _key(self, path: Any) -> str:
        """The key of a file's path; the root is no file."""
        path = self._path(path)
        if path == "/":
            raise IsADirectoryError(errno.EISDIR, "the root is a directory", path)
        return self.bucket.space.key(path)

    # Looking

    def info(self, path: Any, version_id: str = "", refresh: bool = False) -> Info:
        """Name, size, type; of a file what a HEAD tells. A file wins over a directory of its name. It is always asked
        for, with `refresh` or without."""
        path = self._path(path)
        if version_id:
            return self.file_info(path, version_id=version_id)
        if path != "/":
            try:
                return self.file_info(path, explain=False)
            except FileNotFoundError:
                pass
        if directory.exists_below(self.bucket, path) or path == "/":
            return directory.directory(path)
        raise directory.missing(path)

    def file_info(self, path: str, **how: Any) -> Info:
        """`info` of a file by one HEAD, where a directory would be of no use; `how` as of `Bucket.head`."""
        return directory.file(path, self.file_head(path, **how))

    def file_head(self, path: str, *, explain: bool = True, version_id: str = "", checksum: bool = False) -> ObjectInfo:
        """What a HEAD tells of a file; with `explain`, a second look tells a directory or a missing bucket from a
        missing file. `checksum` as of `Bucket.head`."""
        key = self._key(path)
        if version_id:
            return self.bucket.head(key, version_id=version_id, explain=explain, checksum=checksum)
        try:
            return self.bucket.head(key, explain=False, checksum=checksum)
        except FileNotFoundError as error:
            if not explain:
                raise
            raise self._told_apart(path, error) from error.__cause__

    def _told_apart(self, path: str, error: Exception) -> Exception:
        """Return the error of a read; where the file is missing, a plainer one of a directory or a missing bucket."""
        if not isinstance(error, FileNotFoundError) or isinstance(error, BucketNotFoundError):
            return error
        try:
            if directory.exists_below(self.bucket, self._path(path)):
                return IsADirectoryError(errno.EISDIR, "it is a directory", str(path))
        except BucketNotFoundError as missing:
            return missing
        except OSError:  # it may not be listed
            pass
        return error

    def exists(self, path: Any, version_id: str = "") -> bool:
        """False only for what is missing: a request that is denied or fails raises."""
        return self._type(path, version_id) is not None

    def lexists(self, path: Any, version_id: str = "") -> bool:
        """As `exists`."""
        return self.exists(path, version_id)

    def isfile(self, path: Any, version_id: str = "") -> bool:
        """As `exists`, for files."""
        return bool(self._type(path, version_id) == "file")

    def isdir(self, path: Any, version_id: str = "") -> bool:
        """As `exists`, for directories: prefixes that keys lie below. They have no versions."""
        return bool(self._type(path, version_id) == "directory")

    def _type(self, path: Any, version_id: str = "") -> Any:
        try:
            return self.info(path, version_id)["type"]
        except FileNotFoundError:
            return None

    @overload
    def ls(self, path: Any, detail: Literal[True] = True, refresh: bool = False) -> list[Info]: ...

    @overload
    def ls(self, path: Any, detail: Literal[False], refresh: bool = False) -> list[str]: ...

    @overload
    def ls(self, path: Any, detail: bool, refresh: bool = False) -> list[Info] | list[str]: ...

    def ls(self, path: Any, detail: bool = True, refresh: bool = False) -> list[Info] | list[str]:
        """What lies directly in a directory, by name; of a file, itself."""
        path = self._path(path)
        found = None if refresh else self.dircache.get(path)
        if found is None:
            before = listings_caches.last_change(self.dircache)
            found = directory.children(self.bucket, path)
            if found is None:
                found = [] if path == "/" else [self.file_info(path, explain=False)]
            else:
                listings_caches.keep(self.dircache, path, found, before)
        return [dict(info) for info in found] if detail else [info["name"] for info in found]

    def get_mapper(
        self,
        root: Any = "",
        check: bool = False,
        create: bool = False,
        missing_exceptions: tuple[type[Exception], ...] | None = None,
    ) -> Mapper:
        """A directory as a mutable mapping of keys to bytes, as fsspec's; its keys are names, never patterns."""
        self._path(root)
        return Mapper(stringify_path(root), self, check, create, missing_exceptions)

    def tree(self, path: Any = "/", *args: Any, **kwargs: Any) -> str:
        """A directory's names as a drawing, as fsspec's."""
        return str(super().tree(self._path(path), *args, **kwargs))

    # Files

    @overload
    def open(self, path: Any, mode: BinaryMode = "rb", *args: Any, **kwargs: Any) -> BinaryIO: ...

    @overload
    def open(self, path: Any, mode: TextMode, *args: Any, **kwargs: Any) -> TextIO: ...

    @overload
    def open(self, path: Any, mode: str, *args: Any, **kwargs: Any) -> Any: ...

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """A file; text, compression and transactions as in fsspec, `cache_type` (one of fsspec's, or ``"prefetch"``,
        which reads ahead and is the default), `version_id` and `size` for reading. For writing, `content_type`,
        `metadata` and S3's own names (``CacheControl=``, ...) are what the object says of itself.

        Modes ``r``, ``w``, ``x`` (the object must not exist, checked at the open and, atomically, when it
        is published) and ``a``. For writing, see `writer.WriteFile`; `block_size` stands in for
        `chunksize` for this one file, with the same bounds.

        For reading, ``verify=True`` (`verify_digests` of the filesystem by default) compares a registry's blob with
        the digest in its path, when it has been read from its start to its end, in order: the read that
        reaches the end raises `DigestMismatchError`. Of a path that is no blob it is a ValueError.
        """
        if "b" not in mode:
            given = {name: kwargs.pop(name, None) for name in ("encoding", "errors", "newline")}
            text = self._text | {name: value for name, value in given.items() if value is not None}
            binary = self.open(path, mode.replace("t", "") + "b", block_size, cache_options, compression, **kwargs)
            return io.TextIOWrapper(binary, **text) if "r" in mode else wrappers.TextFile(binary, **text)
        if "r" in mode:
            return super().open(path, mode, block_size, cache_options, compression, **kwargs)
        file = super().open(path, mode, block_size, cache_options, **kwargs)
        codec = get_compression(self._path(path), compression)
        return wrappers.CompressedWriter(file, codec, mode) if codec else file

    def _open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        path = self._path(path)
        self._key(path)  # the root is no file
        kwargs.pop("default_cache", None)  # dask's
        if mode == "rb":
            return read_file.ReadFile(self, path, block_size=block_size, cache_options=cache_options, **kwargs)
        if mode not in ("wb", "xb", "ab"):
            raise ValueError(f"{path}: mode {mode!r} is none of r, w, x and a, with or without b or t")
        if mode == "xb" and self._is_stored(path):
            raise FileExistsError(errno.EEXIST, "the file exists", path)
        for name in ("cache_type", "size"):  # of reading; pandas and others pass them in any mode
            kwargs.pop(name, None)
        if kwargs.pop("verify", None):
            raise ValueError(f"verify: {path}: compares what is read; leave it out for writing")
        return WriteFile(
            self,
            path,
            mode,
            block_size=self._chunk_bytes(block_size),
            autocommit=autocommit,
            changed=request_fields(kwargs),
        )

    def _is_stored(self, path: str) -> bool:
        try:
            self.file_info(path)
        except BucketNotFoundError:
            raise
        except (FileNotFoundError, IsADirectoryError):  # a file may stand beside a directory of its name
            return False
        return True

    def _chunk_bytes(self, block_size: Any) -> int:
        if block_size in (None, "default"):
            return self.parameters.chunksize
        row = DriverParameters.__dataclass_fields__["chunksize"]
        return int(row.metadata["parse"]("block_size", block_size))

    # Writing

    def cp_file(self, path1: Any, path2: Any, version_id: str = "", **headers: Any) -> None:
        """Copy one file within the bucket, in the server.

        What the object says of itself is kept, but for what `headers` say, as of `pipe_file`.
        """
        source, target = self._path(path1), self._key(path2)
        changed = request_fields(headers)
        found = self.file_head(source, version_id=version_id)
        is_earlier = bool(version_id) and version_id != "null" and found.version_id == version_id
        if version_id:
            found = replace(found, version_id=version_id)
        said = {**found.headers, **changed} if changed else None
        multipart.copy(self.bucket, self.pool, found, target, said, is_earlier=is_earlier)
        self.invalidate_cache(path2)

    def rm_file(self, path: Any) -> None:
        """Delete one file."""
        path = self._path(path)
        self.file_info(path)
        self.bucket.delete(self._key(path))
        self.invalidate_cache(path)

    def invalidate_cache(self, path: Any = None) -> None:
        """Forget cached listings: all, or those of a path, of what is below it and of its parents."""
        super().invalidate_cache(path)
        listings_caches.forget(self.parameters, "/" if path is None else self._path(path))

    def touch(self, path: Any, truncate: bool = True, data: Any = None, **headers: Any) -> None:
        """An empty file, or one of these `data`; with ``truncate=False`` an existing one keeps its bytes and gets a new
        LastModified, and a directory, of which S3 keeps no time, stays as it is. `headers` as of `pipe_file`."""
        if not truncate and data is not None:
            raise ValueError("data: replaces the file's bytes; leave out truncate=False")
        kind = None if truncate else self._type(path)
        if kind is None:
            self.pipe_file(path, data or b"", **headers)
        elif kind == "file":
            self.cp_file(path, path, **headers)

    def mkdir(self, path: Any, create_parents: bool = True, *, mode: int = 0o777) -> None:
        """Nothing: a directory is there when a key lies below it. (universal_pathlib gives a `mode`.)"""
        self._path(path)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Nothing, but `FileExistsError` where the path exists and may not."""
        path = self._path(path)
        if not exist_ok and self.exists(path):
            raise FileExistsError(errno.EEXIST, "the file exists", path)

    def rmdir(self, path: Any) -> None:
        """Remove a directory's marker, if a tool left one; `OSError` (ENOTEMPTY) where anything lies below."""
        path = self._path(path)
        marker = self.bucket.space.prefix(path)
        keys = [item.key for page in self.bucket.list(marker, limit=2) for item in page.objects]
        if any(key != marker for key in keys):  # be it one that no path can name
            raise OSError(errno.ENOTEMPTY, "the directory is not empty", path)
        if keys:
            self.bucket.delete(marker)
            self.invalidate_cache(path)
        elif self.isfile(path):
            raise NotADirectoryError(errno.ENOTDIR, "it is a file", path)


RegistryS3FileSystem.__doc__ = storage_options.described(RegistryS3FileSystem.__doc__ or "", storage_options.rows())
