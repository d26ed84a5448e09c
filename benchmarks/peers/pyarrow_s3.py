"""pyarrow's S3FileSystem, the AWS SDK for C++; many at once by threads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from pyarrow import fs

from benchmarks.peers.base import TAG_ENDING, Access, folders_below

THREADS = 32


class PyarrowPeer:
    """An `S3FileSystem`; its paths begin with the bucket."""

    def __init__(self, access: Access) -> None:
        scheme, _, host = access.endpoint.partition("://")
        self.fs = fs.S3FileSystem(
            access_key=access.access_key, secret_key=access.secret_key, region=access.region,
            endpoint_override=host, scheme=scheme,
            request_timeout=30,  # its 3 s are too few for a copy in the server
            allow_delayed_open=True,  # else each small object is a multipart upload
            **({"tls_ca_file_path": access.authority} if access.authority else {}),
        )  # fmt: skip
        self.root = f"{access.bucket}/"

    def write_stream(self, key: str, blocks: Iterable[memoryview]) -> None:
        with self.fs.open_output_stream(self.root + key) as file:
            for block in blocks:
                file.write(block)

    def read_stream(self, key: str, step: int) -> Iterator[Any]:
        with self.fs.open_input_stream(self.root + key) as file:
            while piece := file.read(step):
                yield piece

    def read_whole(self, key: str) -> Any:
        with self.fs.open_input_file(self.root + key) as file:
            return file.readall()

    def get_file(self, key: str, path: str) -> None:
        fs.copy_files(self.root + key, path, source_filesystem=self.fs, destination_filesystem=fs.LocalFileSystem())

    def put_file(self, path: str, key: str) -> None:
        fs.copy_files(path, self.root + key, source_filesystem=fs.LocalFileSystem(), destination_filesystem=self.fs)

    get_one, put_one = get_file, put_file

    def pipe_one(self, key: str, value: bytes) -> None:
        self._store(key, value)

    def get_files(self, paths: Mapping[str, str]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self.get_file, paths, paths.values()))

    def put_files(self, keys: Mapping[str, str]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self.put_file, keys, keys.values()))

    def random_reads(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        with self.fs.open_input_file(self.root + key) as file:
            return [file.read_at(size, start) for start in starts]

    def cat_ranges(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        with self.fs.open_input_file(self.root + key) as file, ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(partial(file.read_at, size), starts))

    def cat(self, keys: Sequence[str]) -> list[Any]:
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(self._bytes, keys))

    def _bytes(self, key: str) -> Any:
        with self.fs.open_input_file(self.root + key) as file:
            return file.readall()

    def pipe(self, values: Mapping[str, bytes]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda pair: self._store(*pair), values.items()))

    def _store(self, key: str, value: bytes) -> None:
        with self.fs.open_output_stream(self.root + key) as file:
            file.write(value)

    def info(self, keys: Sequence[str]) -> list[int]:
        return [self.fs.get_file_info(self.root + key).size for key in keys]

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return [self.fs.get_file_info(self.root + key).type != fs.FileType.NotFound for key in keys]

    def ls(self, folder: str) -> Collection[Any]:
        return [info.path for info in self.fs.get_file_info(fs.FileSelector(self.root + folder))]

    def find(self, folder: str) -> Collection[Any]:
        return [info.path for info in self.find_detail(folder)]

    def find_detail(self, folder: str) -> Collection[Any]:
        found = self.fs.get_file_info(fs.FileSelector(self.root + folder, recursive=True))
        return [info for info in found if info.type == fs.FileType.File]

    def walk(self, folder: str, depth: int) -> int:
        return folders_below(self.root + folder, depth, self._folders, THREADS)

    def _folders(self, folder: str) -> list[str]:
        found = self.fs.get_file_info(fs.FileSelector(folder))
        return [info.path for info in found if info.type == fs.FileType.Directory]

    def glob_tags(self, folder: str) -> Collection[Any]:
        return list(filter(re.compile(TAG_ENDING).search, self.find(folder)))

    def rm(self, keys: Sequence[str]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda key: self.fs.delete_file(self.root + key), keys))

    def copy(self, source: str, target: str) -> None:
        self.fs.copy_file(self.root + source, self.root + target)
