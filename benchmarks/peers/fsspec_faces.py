"""The filesystems that speak fsspec: the same calls, three implementations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.peers.base import TAGS, Access


def ours(access: Access) -> FsspecPeer:
    """registry_s3fs."""
    from registry_s3fs import RegistryS3FileSystem

    options: dict[str, Any] = {"bucket": access.bucket, "region": access.region, "regionendpoint": access.endpoint}
    options |= {"accesskey": access.access_key, "secretkey": access.secret_key}
    return FsspecPeer(RegistryS3FileSystem(**options), "/")


def s3fs(access: Access) -> FsspecPeer:
    """s3fs, on aiobotocore."""
    from s3fs import S3FileSystem

    fs = S3FileSystem(
        key=access.access_key, secret=access.secret_key, endpoint_url=access.endpoint,
        client_kwargs={"region_name": access.region},
    )  # fmt: skip
    return FsspecPeer(fs, f"{access.bucket}/")


def obstore(access: Access) -> FsspecPeer:
    """obstore's fsspec face."""
    from obstore.fsspec import FsspecStore

    from benchmarks.peers.native_obstore import client_options

    config = {
        "endpoint": access.endpoint, "region": access.region, "virtual_hosted_style_request": False,
        "access_key_id": access.access_key, "secret_access_key": access.secret_key,
    }  # fmt: skip
    return FsspecPeer(FsspecStore("s3", config=config, client_options=client_options(access)), f"{access.bucket}/")


class FsspecPeer:
    """Any fsspec filesystem; `root` stands before every key."""

    def __init__(self, fs: Any, root: str) -> None:
        self.fs, self.root = fs, root

    def paths(self, keys: Iterable[str]) -> list[str]:
        return [self.root + key for key in keys]

    def write_stream(self, key: str, blocks: Iterable[memoryview]) -> None:
        with self.fs.open(self.root + key, "wb") as file:
            for block in blocks:
                file.write(block)

    def read_stream(self, key: str, step: int) -> Iterator[Any]:
        with self.fs.open(self.root + key, "rb") as file:
            while piece := file.read(step):
                yield piece

    def read_whole(self, key: str) -> Any:
        return self.fs.cat_file(self.root + key)

    def get_file(self, key: str, path: str) -> None:
        self.fs.get_file(self.root + key, path)

    def put_file(self, path: str, key: str) -> None:
        self.fs.put_file(path, self.root + key)

    def get_one(self, key: str, path: str) -> None:
        self.fs.get(self.root + key, path)

    def put_one(self, path: str, key: str) -> None:
        self.fs.put(path, self.root + key)

    def pipe_one(self, key: str, value: bytes) -> None:
        self.fs.pipe(self.root + key, value)

    def get_files(self, paths: Mapping[str, str]) -> None:
        self.fs.get(self.paths(paths), list(paths.values()))

    def put_files(self, keys: Mapping[str, str]) -> None:
        self.fs.put(list(keys), self.paths(keys.values()))

    def random_reads(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        found = []
        with self.fs.open(self.root + key, "rb") as file:
            for start in starts:
                file.seek(start)
                found.append(file.read(size))
        return found

    def cat_ranges(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        ends = [start + size for start in starts]
        return list(self.fs.cat_ranges([self.root + key] * len(starts), list(starts), ends))

    def cat(self, keys: Sequence[str]) -> list[Any]:
        paths = self.paths(keys)
        found = self.fs.cat(paths)
        return [found[path] for path in paths]

    def pipe(self, values: Mapping[str, bytes]) -> None:
        self.fs.pipe({self.root + key: value for key, value in values.items()})

    def info(self, keys: Sequence[str]) -> list[int]:
        return [self.fs.info(path)["size"] for path in self.paths(keys)]

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return [self.fs.exists(path) for path in self.paths(keys)]

    def ls(self, folder: str) -> Collection[Any]:
        return list(self.fs.ls(self.root + folder, detail=False))

    def find(self, folder: str) -> Collection[Any]:
        return list(self.fs.find(self.root + folder))

    def find_detail(self, folder: str) -> Collection[Any]:
        return dict(self.fs.find(self.root + folder, detail=True))

    def walk(self, folder: str, depth: int) -> int:
        return sum(len(folders) for _, folders, _ in self.fs.walk(self.root + folder, maxdepth=depth))

    def glob_tags(self, folder: str) -> Collection[Any]:
        return list(self.fs.glob(f"{self.root}{folder}/{TAGS}"))

    def rm(self, keys: Sequence[str]) -> None:
        self.fs.rm(self.paths(keys))

    def copy(self, source: str, target: str) -> None:
        self.fs.cp_file(self.root + source, self.root + target)
