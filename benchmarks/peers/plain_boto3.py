"""boto3 with its transfer manager; many at once by threads that share one client."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO, RawIOBase
from typing import IO, TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks.peers.base import TAG_ENDING, Access, folders_below

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

THREADS = 32


class Boto3Peer:
    """A client with as many connections as threads."""

    def __init__(self, access: Access) -> None:
        self.client = boto3.client(
            "s3", endpoint_url=access.endpoint, region_name=access.region,
            aws_access_key_id=access.access_key, aws_secret_access_key=access.secret_key,
            config=Config(max_pool_connections=THREADS, s3={"addressing_style": "path"}),
        )  # fmt: skip
        self.bucket = access.bucket

    def write_stream(self, key: str, blocks: Iterable[memoryview]) -> None:
        self.client.upload_fileobj(cast(IO[bytes], Blocks(blocks)), self.bucket, key)

    def read_stream(self, key: str, step: int) -> Iterator[Any]:
        body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"]
        while piece := body.read(step):
            yield piece

    def read_whole(self, key: str) -> Any:
        target = BytesIO()
        self.client.download_fileobj(self.bucket, key, target)
        return target.getbuffer()

    def get_file(self, key: str, path: str) -> None:
        self.client.download_file(self.bucket, key, path)

    def put_file(self, path: str, key: str) -> None:
        self.client.upload_file(path, self.bucket, key)

    get_one, put_one = get_file, put_file

    def pipe_one(self, key: str, value: bytes) -> None:
        self.client.upload_fileobj(BytesIO(value), self.bucket, key)

    def get_files(self, paths: Mapping[str, str]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self.get_file, paths, paths.values()))

    def put_files(self, keys: Mapping[str, str]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self.put_file, keys, keys.values()))

    def random_reads(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        return [self._range(key, size, start) for start in starts]

    def _range(self, key: str, size: int, start: int) -> bytes:
        return self._bytes(key, Range=f"bytes={start}-{start + size - 1}")

    def cat_ranges(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(partial(self._range, key, size), starts))

    def cat(self, keys: Sequence[str]) -> list[Any]:
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(self._bytes, keys))

    def _bytes(self, key: str, **extra: Any) -> bytes:
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=key, **extra)["Body"].read()
        return body

    def pipe(self, values: Mapping[str, bytes]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda pair: self._store(*pair), values.items()))

    def _store(self, key: str, value: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=value)

    def info(self, keys: Sequence[str]) -> list[int]:
        return [self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"] for key in keys]

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return [self._exists(key) for key in keys]

    def _exists(self, key: str) -> bool:
        try:
            self.client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            return False
        return True

    def ls(self, folder: str) -> Collection[Any]:
        pages = self._pages(folder, Delimiter="/")
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def find(self, folder: str) -> Collection[Any]:
        return [found["Key"] for found in self.find_detail(folder)]

    def find_detail(self, folder: str) -> Collection[Any]:
        return [found for page in self._pages(folder) for found in page.get("Contents", ())]

    def _pages(self, folder: str, **extra: Any) -> Iterable[Any]:
        pages: Iterable[Any] = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{folder.rstrip('/')}/", **extra
        )
        return pages

    def walk(self, folder: str, depth: int) -> int:
        return folders_below(folder, depth, self._folders, THREADS)

    def _folders(self, folder: str) -> list[str]:
        pages = self._pages(folder, Delimiter="/")
        return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", ())]

    def glob_tags(self, folder: str) -> Collection[Any]:
        return list(filter(re.compile(TAG_ENDING).search, self.find(folder)))

    def rm(self, keys: Sequence[str]) -> None:
        entries: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys]
        for start in range(0, len(entries), 1_000):  # as many as S3 takes
            self.client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": entries[start : start + 1_000], "Quiet": True}
            )

    def copy(self, source: str, target: str) -> None:
        self.client.copy({"Bucket": self.bucket, "Key": source}, self.bucket, target)


class Blocks(RawIOBase):
    """Blocks as a file to read from, since boto3 has none to write to."""

    def __init__(self, blocks: Iterable[memoryview]) -> None:
        self._blocks, self._rest = iter(blocks), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._blocks, memoryview(b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def read(self, size: int = -1) -> bytes:
        """A whole part: the transfer manager takes a short read for the end."""
        found = bytearray()
        while size < 0 or len(found) < size:
            piece = super().read(size - len(found) if size >= 0 else -1)
            if not piece:
                break
            found += piece
        return bytes(found)
