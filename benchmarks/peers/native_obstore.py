"""obstore by its own interface: many at once by asyncio, one by one by the plain calls."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store

from benchmarks.peers.base import TAG_ENDING, Access

FILES_AT_ONCE = 64
"""Each is open, and each large one has parts of its own."""


class ObstorePeer:
    """An `S3Store`."""

    def __init__(self, access: Access) -> None:
        self.store = S3Store(
            access.bucket, endpoint=access.endpoint, region=access.region, virtual_hosted_style_request=False,
            access_key_id=access.access_key, secret_access_key=access.secret_key, client_options=client_options(access),
        )  # fmt: skip

    def write_stream(self, key: str, blocks: Iterable[memoryview]) -> None:
        with obstore.open_writer(self.store, key) as file:
            for block in blocks:
                file.write(block)

    def read_stream(self, key: str, step: int) -> Iterator[Any]:
        yield from obstore.get(self.store, key).stream(min_chunk_size=step)

    def read_whole(self, key: str) -> Any:
        return obstore.get(self.store, key).bytes()

    def get_file(self, key: str, path: str) -> None:
        with open(path, "wb") as file:
            file.writelines(obstore.get(self.store, key).stream())

    def put_file(self, path: str, key: str) -> None:
        obstore.put(self.store, key, Path(path))

    get_one, put_one = get_file, put_file

    def pipe_one(self, key: str, value: bytes) -> None:
        obstore.put(self.store, key, value)

    def get_files(self, paths: Mapping[str, str]) -> None:
        _together(self._fetch, paths.items(), FILES_AT_ONCE)

    async def _fetch(self, pair: tuple[str, str]) -> None:
        found = await obstore.get_async(self.store, pair[0])
        with open(pair[1], "wb") as file:
            async for piece in found.stream():
                file.write(piece)

    def put_files(self, keys: Mapping[str, str]) -> None:
        _together(lambda pair: obstore.put_async(self.store, pair[1], Path(pair[0])), keys.items(), FILES_AT_ONCE)

    def random_reads(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        return [obstore.get_range(self.store, key, start=start, length=size) for start in starts]

    def cat_ranges(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        return list(obstore.get_ranges(self.store, key, starts=starts, lengths=[size] * len(starts)))

    def cat(self, keys: Sequence[str]) -> list[Any]:
        return _together(self._bytes, keys)

    async def _bytes(self, key: str) -> Any:
        return await (await obstore.get_async(self.store, key)).bytes_async()

    def pipe(self, values: Mapping[str, bytes]) -> None:
        _together(lambda pair: obstore.put_async(self.store, *pair), values.items())

    def info(self, keys: Sequence[str]) -> list[int]:
        return [obstore.head(self.store, key)["size"] for key in keys]

    def exists(self, keys: Sequence[str]) -> list[bool]:
        return [self._exists(key) for key in keys]

    def _exists(self, key: str) -> bool:
        try:
            obstore.head(self.store, key)
        except FileNotFoundError:
            return False
        return True

    def ls(self, folder: str) -> Collection[Any]:
        found = obstore.list_with_delimiter(self.store, folder)
        return [*found["common_prefixes"], *(meta["path"] for meta in found["objects"])]

    def find(self, folder: str) -> Collection[Any]:
        return [meta["path"] for meta in self.find_detail(folder)]

    def find_detail(self, folder: str) -> Collection[Any]:
        return list(obstore.list(self.store, folder).collect())

    def walk(self, folder: str, depth: int) -> int:
        level, seen = [folder], 0
        for _ in range(depth):
            level = [name for found in _together(self._folders, level) for name in found]
            seen += len(level)
        return seen

    async def _folders(self, folder: str) -> list[str]:
        return list((await obstore.list_with_delimiter_async(self.store, folder))["common_prefixes"])

    def glob_tags(self, folder: str) -> Collection[Any]:
        return list(filter(re.compile(TAG_ENDING).search, self.find(folder)))

    def rm(self, keys: Sequence[str]) -> None:
        obstore.delete(self.store, keys)

    def copy(self, source: str, target: str) -> None:
        obstore.copy(self.store, source, target)


def client_options(access: Access) -> Any:
    """It refuses http unless it is allowed, and asks no environment whom to trust."""
    return {"root_certificate": Path(access.authority).read_text()} if access.authority else {"allow_http": True}


def _together(call: Callable[[Any], Awaitable[Any]], arguments: Iterable[Any], most: int = sys.maxsize) -> list[Any]:
    async def gathered() -> list[Any]:
        allowed = asyncio.Semaphore(most)

        async def one(argument: Any) -> Any:
            async with allowed:
                return await call(argument)

        return await asyncio.gather(*map(one, arguments))

    return asyncio.run(gathered())
