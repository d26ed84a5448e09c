"""What every peer can be asked to do; keys are those of the bucket, without a leading slash."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Access:
    """An S3 endpoint, a bucket in it and the keys to it."""

    endpoint: str
    bucket: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    authority: str = ""
    """The file of the certificate authority that signed for an https endpoint; empty: one that every client knows."""


def folders_below(top: str, depth: int, inside: Callable[[str], list[str]], threads: int) -> int:
    """How many folders lie up to `depth` levels below `top`; `inside` lists those directly in one, side by side."""
    level, seen = [top], 0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(depth):
            level = [name for found in pool.map(inside, level) for name in found]
            seen += len(level)
    return seen


class Peer(Protocol):
    """One client. Each method is what a user who knows that client well would write for it, with its defaults."""

    def write_stream(self, key: str, blocks: Iterable[memoryview]) -> None:
        """Store an object whose bytes come block by block."""

    def read_stream(self, key: str, step: int) -> Iterator[Any]:
        """The bytes of an object from the first to the last, about `step` at a time."""

    def read_whole(self, key: str) -> Any:
        """The bytes of an object, in one piece of memory."""

    def get_file(self, key: str, path: str) -> None:
        """Fetch an object into a local file."""

    def put_file(self, path: str, key: str) -> None:
        """Store a local file."""

    def get_one(self, key: str, path: str) -> None:
        """As `get_file`, by the call that takes many, where there is one."""

    def put_one(self, path: str, key: str) -> None:
        """As `put_file`, by the call that takes many, where there is one."""

    def pipe_one(self, key: str, value: bytes) -> None:
        """Store a large object from memory."""

    def get_files(self, paths: Mapping[str, str]) -> None:
        """Fetch objects into local files, in one call or side by side."""

    def put_files(self, keys: Mapping[str, str]) -> None:
        """Store local files, in one call or side by side."""

    def random_reads(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        """`size` bytes from each of `starts`, one after another, through one open file."""

    def cat_ranges(self, key: str, starts: Sequence[int], size: int) -> list[Any]:
        """`size` bytes from each of `starts`, in one call or side by side."""

    def cat(self, keys: Sequence[str]) -> list[Any]:
        """The bytes of many objects, in one call or side by side."""

    def pipe(self, values: Mapping[str, bytes]) -> None:
        """Store many objects, in one call or side by side."""

    def info(self, keys: Sequence[str]) -> list[int]:
        """The size of each object, asked for one by one."""

    def exists(self, keys: Sequence[str]) -> list[bool]:
        """Whether each exists, asked for one by one."""

    def ls(self, folder: str) -> Collection[Any]:
        """The names in a folder."""

    def find(self, folder: str) -> Collection[Any]:
        """The names of all objects below a folder."""

    def find_detail(self, folder: str) -> Collection[Any]:
        """All objects below a folder with size, ETag and time."""

    def walk(self, folder: str, depth: int) -> int:
        """Look into a folder and the folders below it, `depth` levels in all; how many folders were named."""

    def glob_tags(self, folder: str) -> Collection[Any]:
        """The names below a folder that match `TAGS`."""

    def rm(self, keys: Sequence[str]) -> None:
        """Delete many objects."""

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the bucket, in the server."""


TAGS = "**/_manifests/tags/*/current/link"
"""The links that say which manifest each tag means."""

TAG_ENDING = r"/_manifests/tags/[^/]+/current/link$"
"""The same as a regular expression, for clients without glob."""
