"""`RegistryS3FileSystem`: fsspec's interface to a registry's bucket. Its methods tell what, and its parts tell how."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TextIO, cast, overload

from fsspec.core import get_compression
from fsspec.utils import stringify_path, tokenize

from registry_s3fs import errors
from registry_s3fs.config import environment, parsers, storage_options
from registry_s3fs.config.parameters import NAMES, SECRETS, DriverParameters, read_config, unknown
from registry_s3fs.config.storage_options import FSSPEC_OPTIONS, StorageOptions, plain
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
from registry_s3fs.model import paths
from registry_s3fs.model.info import Info
from registry_s3fs.model.object_headers import request_fields
from registry_s3fs.model.objects import ObjectInfo
from registry_s3fs.model.paths import RegistryPath, StrPath
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.client import check_config
from registry_s3fs.threads.signal_errors import is_of_handler
from registry_s3fs.transfer import multipart

BinaryMode = Literal["rb", "wb", "xb", "ab"]
TextMode = Literal["r", "w", "x", "a", "rt", "wt", "xt", "at"]

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from typing_extensions import Unpack
elif sys.version_info >= (3, 11):
    from typing import Unpack


class RegistryS3FileSystem(Downloads, Uploads, ManyPaths, Searching, Attributes):
    """A Docker/OCI registry's S3 storage, or any prefix of a bucket, as a filesystem.

    Storage options are the registry's own S3 driver parameters, see `DriverParameters`. `config` is the path of a
    registry's ``config.yml`` to take them from. fsspec's own are `use_listings_cache` (off by default, since others
    write to the bucket), `listings_expiry_time`, `max_paths` and `skip_instance_cache`.

    Paths are absolute registry paths below `rootdirectory`, URLs are ``registrys3://BUCKET/path``. To make an instance
    sends no request. Instances may be shared between threads, pickled, and used after a fork.

    >>> fs = RegistryS3FileSystem(bucket="demo", region="us-east-1", rootdirectory="/registry")
    >>> fs.unstrip_protocol("/docker/registry/v2")
    'registrys3://demo/docker/registry/v2'

    Raises:
        TypeError: An option is unknown. The message names the closest one.
        ValueError: A value is bad. The message names the parameter.
    """

    __module__ = "registry_s3fs.filesystem"  # as pickles and `to_json` name it
    protocol = paths.PROTOCOL
    root_marker = "/"
    transaction_type = PublishingTransaction
    _surroundings = environment.Surroundings()
    _extra_tokenize_attributes = ("_surroundings",)

    __signature__ = storage_options.signature()

    def __init__(self, **storage_options: Unpack[StorageOptions]) -> None:
        given: dict[str, object] = {
            name: value for name, value in storage_options.items() if name not in FSSPEC_OPTIONS
        }
        for name in given:
            if name not in NAMES | {"config"}:
                raise TypeError(unknown(name, NAMES | FSSPEC_OPTIONS | {"config"}))
        config = given.pop("config", None)
        if not isinstance(config, str | os.PathLike | None):
            text = "config: is the path of a registry's config.yml; botocore's settings are config_kwargs={...}"
            raise TypeError(text)
        super().__init__(**{**storage_options, **parsers.listings_cache(storage_options)})
        self._text = parsers.text_options(storage_options)
        given = environment.combined(read_config(config) if config else {}, given)
        self._surrounding = environment.needed(given)
        self.parameters = DriverParameters.from_mapping({**given, **self._surrounding})
        check_config(self.parameters)
        self.bucket = Bucket(self.parameters)
        if self.dircache.use_listings_cache:
            self.dircache = listings_caches.shared(self.parameters, self.dircache)

    @classmethod
    def from_config(cls, path: StrPath, **storage_options: Unpack[StorageOptions]) -> RegistryS3FileSystem:
        """Return the filesystem of a registry, made from its ``config.yml``. Further options override its values."""
        return cls(config=os.fspath(path), **cast("dict[str, Any]", storage_options))

    @property
    def storage_options(self) -> dict[str, Any]:
        """Return the options that the filesystem was made with."""
        return self._storage_options

    @storage_options.setter
    def storage_options(self, options: dict[str, Any]) -> None:
        """Set the options. fsspec does so once the filesystem is made.

        They get plain types, and what was found in the environment, because elsewhere it may say something else.
        """
        self._storage_options = plain(options, self.parameters) | self._surrounding

    @property
    def fsid(self) -> str:
        """Return an id of the bucket at its endpoint."""
        return f"{self.protocol}_{tokenize(self.parameters.endpoint_url, self.parameters.bucket)}"

    def __repr__(self) -> str:
        return f"RegistryS3FileSystem({self.parameters!r})"

    def _repr_html_(self) -> str:
        """Return a table, for notebooks, of the parameters that differ from the defaults, without secrets."""
        return storage_options.as_html(self.unstrip_protocol("/"), self.parameters.given())

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Return the same dict as fsspec does. Without passwords, it has no credential of any name."""
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
    def _parent(cls, path: StrPath) -> str:
        stripped = cls._strip_protocol(path)
        return RegistryPath(paths.parent(stripped), stripped.bucket)

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        bucket, _ = paths.split_url(path)
        return {"bucket": paths.UrlBucket(bucket)} if bucket else {}

    def unstrip_protocol(self, name: str) -> str:
        """Return the full URL of a path. The root's URL has no ``/`` at its end, because callers append one."""
        return f"{self.protocol}://{self.parameters.bucket}{self._path(name)}".rstrip("/")

    def _path(self, path: StrPath) -> str:
        """Return a path that is valid and of this bucket. Every public method begins with this call."""
        stripped = paths.parse(stringify_path(path))
        paths.check_bucket(stripped, self.parameters.bucket)
        return str(stripped)

    def _key(self, path: StrPath) -> str:
        """Return the key of a file's path. Raise `IsADirectoryError` for the root, which is not a file."""
        path = self._path(path)
        if path == "/":
            raise errors.is_directory(path, "the root is a directory")
        return self.bucket.space.key(path)

    # Looking

    def info(self, path: StrPath, version_id: str = "", refresh: bool = False) -> Info:
        """Return the name, size and type of a path, and of a file also what a HEAD response tells.

        A file wins over a directory of its name. S3 is always asked, with `refresh` or without. Raise
        `FileNotFoundError` where there is neither.
        """
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
        raise errors.missing(path)

    def file_info(self, path: str, *, explain: bool = True, version_id: str = "") -> Info:
        """Return the `info` of a file by one HEAD request, where only a file is of use; see `file_head`."""
        return directory.file(path, self.file_head(path, explain=explain, version_id=version_id))

    def file_head(self, path: str, *, explain: bool = True, version_id: str = "", checksum: bool = False) -> ObjectInfo:
        """Return what a HEAD response tells about a file. `checksum` is as in `Bucket.head`.

        With `explain`, a second request tells a directory or a missing bucket from a missing file.
        """
        key = self._key(path)
        if version_id:
            return self.bucket.head(key, version_id=version_id, explain=explain, checksum=checksum)
        try:
            return self.bucket.head(key, explain=False, checksum=checksum)
        except FileNotFoundError as error:
            raise (self._told_apart(path, error) if explain else error) from error.__cause__

    def _told_apart(self, path: str, error: Exception) -> Exception:
        """Return the error of a read. For a missing file, return a plainer one if there is a directory or no bucket."""
        if not isinstance(error, FileNotFoundError) or isinstance(error, BucketNotFoundError):
            return error
        try:
            if directory.exists_below(self.bucket, self._path(path)):
                return errors.is_directory(str(path))
        except BucketNotFoundError as missing:
            return missing
        except OSError as other:  # it may not be listed
            if is_of_handler(other):
                raise
        return error

    def exists(self, path: StrPath, version_id: str = "") -> bool:
        """Return whether a path exists. Raise an error where a request is denied or fails."""
        return self._type(path, version_id) is not None

    def lexists(self, path: StrPath, version_id: str = "") -> bool:
        """Return the same as `exists`."""
        return self.exists(path, version_id)

    def isfile(self, path: StrPath, version_id: str = "") -> bool:
        """Return whether a path is a file. Raise errors as `exists` does."""
        return self._type(path, version_id) == "file"

    def isdir(self, path: StrPath, version_id: str = "") -> bool:
        """Return whether a path is a directory: a prefix of keys, which has no versions. Raise errors as `exists`."""
        return self._type(path, version_id) == "directory"

    def _type(self, path: StrPath, version_id: str = "") -> str | None:
        try:
            return self.info(path, version_id)["type"]
        except FileNotFoundError:
            return None

    @overload
    def ls(self, path: StrPath, detail: Literal[True] = True, refresh: bool = False) -> list[Info]: ...

    @overload
    def ls(self, path: StrPath, detail: Literal[False], refresh: bool = False) -> list[str]: ...

    @overload
    def ls(self, path: StrPath, detail: bool, refresh: bool = False) -> list[Info] | list[str]: ...

    def ls(self, path: StrPath, detail: bool = True, refresh: bool = False) -> list[Info] | list[str]:
        """Return what lies directly in a directory, by name. For a file, return the file itself."""
        path = self._path(path)
        found = None if refresh else self.dircache.get(path)
        if found is None:
            before = listings_caches.last_change(self.dircache)
            found = directory.children(self.bucket, path)
            if found is None:
                found = [] if path == "/" else [self.file_info(path, explain=False)]
            else:
                listings_caches.keep(self.dircache, path, found, before)
        return [info.copy() for info in found] if detail else [info["name"] for info in found]

    def get_mapper(
        self,
        root: StrPath = "",
        check: bool = False,
        create: bool = False,
        missing_exceptions: tuple[type[Exception], ...] | None = None,
    ) -> Mapper:
        """Return a directory as a mutable mapping of keys to bytes, as fsspec does. Keys are names, never patterns."""
        self._path(root)
        return Mapper(stringify_path(root), self, check, create, missing_exceptions)

    def tree(self, path: StrPath = "/", *args: object, **kwargs: object) -> str:
        """Return a directory's names as a drawing, as newer fsspec does."""
        path = self._path(path)
        return str(super().tree(path, *args, **kwargs))

    # Files

    @overload
    def open(self, path: StrPath, mode: BinaryMode = "rb", *args: Any, **kwargs: Any) -> BinaryIO: ...

    @overload
    def open(self, path: StrPath, mode: TextMode, *args: Any, **kwargs: Any) -> TextIO: ...

    @overload
    def open(self, path: StrPath, mode: str, *args: Any, **kwargs: Any) -> Any: ...

    def open(
        self,
        path: StrPath,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: Mapping[str, object] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Open a file. Text, compression and transactions are as in fsspec, through which the arguments go as Any.

        The modes are ``r``, ``w``, ``x`` and ``a``. For reading, `cache_type` is one of fsspec's, or the default
        ``"prefetch"``, which reads ahead. `version_id` and `size` are for reading, too. For writing, see `WriteFile`.
        `block_size` replaces `chunksize` for this file, with the same bounds. `content_type`, `metadata` and S3's own
        names (``CacheControl=``, ...) are the object headers.

        Raises:
            FileExistsError: In mode ``x``, the object exists. The open checks it, and the publishing does so
                atomically.
            DigestMismatchError: With ``verify=True`` (by default the filesystem's `verify_digests`), a registry's blob
                does not have the digest of its path. It must be read from its start to its end, in order. The last read
                raises this.
            ValueError: ``verify=True`` is given for a path that is no blob, or for writing. Or the mode is unknown.
        """
        if "b" not in mode:
            given = {name: kwargs.pop(name, None) for name in ("encoding", "errors", "newline")}
            text = self._text | {name: value for name, value in given.items() if value is not None}
            binary = self.open(path, mode.replace("t", "") + "b", block_size, cache_options, compression, **kwargs)
            if "r" in mode:
                return io.TextIOWrapper(binary, **text)
            binary.has_layer = True
            return wrappers.TextFile(binary, **text)
        if "r" in mode:
            return super().open(path, mode, block_size, cache_options, compression, **kwargs)
        file = super().open(path, mode, block_size, cache_options, **kwargs)
        codec = get_compression(self._path(path), compression)
        file.has_layer = codec is not None
        return wrappers.CompressedWriter(file, codec, mode) if codec else file

    def _open(
        self,
        path: StrPath,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Mapping[str, object] | None = None,
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
            raise errors.exists(path)
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

    def _chunk_bytes(self, block_size: int | str | None) -> int:
        if block_size in (None, "default"):
            return self.parameters.chunksize
        row = DriverParameters.__dataclass_fields__["chunksize"]
        return int(row.metadata["parse"]("block_size", block_size))

    # Writing

    def cp_file(self, path1: StrPath, path2: StrPath, version_id: str = "", **headers: object) -> None:
        """Copy one file within the bucket, in the server.

        The object headers are kept, but for those in `headers`, which are as in `pipe_file`.
        """
        source, target = self._path(path1), self._location(path2)
        changed = request_fields(headers)
        found = self.file_head(source, version_id=version_id)
        is_earlier = bool(version_id) and version_id != "null" and found.version_id == version_id
        if version_id:
            found = replace(found, version_id=version_id)
        said = {**found.headers, **changed} if changed else None
        multipart.copy(found, target, said, is_earlier=is_earlier)
        self.invalidate_cache(path2)

    def rm_file(self, path: StrPath) -> None:
        """Delete one file. Raise `FileNotFoundError` where it is missing."""
        path = self._path(path)
        self.file_info(path)
        self.bucket.delete(self._key(path))
        self.invalidate_cache(path)

    def invalidate_cache(self, path: StrPath | None = None) -> None:
        """Forget all cached listings, or those of a path, of what lies below it, and of its parents."""
        super().invalidate_cache(path)
        listings_caches.forget(self.parameters, "/" if path is None else self._path(path))

    def touch(self, path: StrPath, truncate: bool = True, data: ReadableBuffer | None = None, **headers: Any) -> None:
        """Store an empty file, or one of these `data`. The `headers` are as in `pipe_file`.

        With ``truncate=False``, an existing file keeps its bytes and gets a new LastModified. A directory stays as it
        is, because S3 keeps no time for it.
        """
        if not truncate and data is not None:
            raise ValueError("data: replaces the file's bytes; leave out truncate=False")
        kind = None if truncate else self._type(path)
        if kind is None:
            self.pipe_file(path, data or b"", **headers)
        elif kind == "file":
            self.cp_file(path, path, **headers)

    def mkdir(self, path: StrPath, create_parents: bool = True, *, mode: int = 0o777) -> None:
        """Do nothing, because a directory exists when a key lies below it. universal_pathlib passes a `mode`."""
        self._path(path)

    def makedirs(self, path: StrPath, exist_ok: bool = False) -> None:
        """Do nothing. Raise `FileExistsError` where the path exists and `exist_ok` is false."""
        path = self._path(path)
        if not exist_ok and self.exists(path):
            raise errors.exists(path)

    def rmdir(self, path: StrPath) -> None:
        """Delete the directory marker, if a tool left one. Raise `OSError` (ENOTEMPTY) where anything lies below."""
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
