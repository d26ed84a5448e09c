"""What is measured. Each workload builds its inputs first, is timed in `run` alone, and checks its result after."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.data import KIB, MIB
from benchmarks.peers.base import Peer
from benchmarks.profiles import Sizes

STEP = MIB
"""Of streams: the bytes of a read, and of a write."""

WALK_DEPTH = 3
"""Teams, repositories, and what each repository has."""


@dataclass(frozen=True)
class Case:
    """What a workload works on."""

    sizes: Sizes
    scratch: Path
    """A folder for local files; `scratch/source` holds the large content."""

    @property
    def source(self) -> str:
        return str(self.scratch / "source")

    @property
    def fetched_folder(self) -> Path:
        """Where a workload puts what it fetches."""
        return self.scratch / "fetched"

    @property
    def target(self) -> str:
        return str(self.fetched_folder / "target")

    def local(self, key: str) -> str:
        """The local file that has, or is to have, what the file of a key has."""
        return str(self.scratch / key.removeprefix(data.ROOT + "/"))

    def fetched(self, key: str) -> str:
        """The local file that a key is fetched into; its folder is there."""
        return str(self.fetched_folder / key.rpartition("/")[2])

    def begin(self) -> None:
        """Have an empty folder for what is fetched next.

        What was fetched before is kept without its bytes: while files have been deleted within the last minute, ext4
        without a journal takes half a millisecond to make a new one, more than all else that is done for a small file.
        """
        folder = self.fetched_folder
        if folder.exists() and any(folder.iterdir()):
            for file in folder.rglob("*"):
                if file.is_file():
                    os.truncate(file, 0)
            folder.rename(tempfile.mkdtemp(dir=self.scratch))
        folder.mkdir(exist_ok=True)


class WrongResultError(Exception):
    """A peer answered, but not with what is stored."""


def expect(right: bool, what: str) -> None:
    """Refuse a result that is not `right`."""
    if not right:
        raise WrongResultError(what)


def written_large(case: Case) -> dict[str, int]:
    """The key that a workload has written, and how much of the large content must be in it."""
    return {data.WRITTEN: case.sizes.large_bytes}


def files_of(sizes: Sizes, folder: str) -> dict[str, int]:
    """The files of one of the folders that have some, and their sizes."""
    found = {
        data.TWO: [sizes.two_bytes] * 2,
        data.MANY: [sizes.many_bytes] * sizes.many,
        data.MIXED: data.mixed_sizes(sizes.mixed, sizes.mixed_largest_bytes),
    }[folder]
    return data.files(folder, found)


def as_written(key: str) -> str:
    """The key under `data.WRITTEN` of a file of another folder."""
    return f"{data.WRITTEN}/{key.rpartition('/')[2]}"


def nothing_written(case: Case) -> dict[str, int]:
    """Most workloads only read."""
    return {}


@dataclass(frozen=True)
class Workload:
    """One thing that users do."""

    name: str
    title: Callable[[Sizes], str]
    """What is done, with its sizes."""
    run: Callable[[Peer, Case, Any], Any]
    """The timed part: peer, case and inputs; gives the result."""
    check: Callable[[Case, Any], None]
    """Raises `WrongResultError`."""
    inputs: Callable[[Case], Any] = lambda case: None
    """What `run` needs, built before the clock starts."""
    written: Callable[[Case], dict[str, int]] = nothing_written
    """Large objects that must be there afterwards."""
    files_written: str = ""
    """The folder whose files must be there afterwards, under `data.WRITTEN`."""
    small_written: bool = False
    """Whether the small objects must be there afterwards, under `data.WRITTEN`."""
    deletes: bool = False
    """Whether it needs the keys under `data.DOOMED`, and none may be left."""
    is_large_upload: bool = False
    """Whether the client sends what is written, and much of it."""
    bytes_moved: Callable[[Sizes], int] = lambda sizes: 0
    """How many bytes of objects the client sends or receives, where they are the larger part of its work."""
    knobs: tuple[tuple[str, float], ...] = ()
    """Of the simulator, beside the profile's."""


def mib(size: int) -> str:
    return f"{size // MIB} MiB"


def _sampled(peer: Peer) -> list[tuple[int, bytes, bytes]]:
    return [(len(piece), _first(piece), _last(piece)) for piece in peer.read_stream(data.LARGE, STEP)]


def _first(piece: Any) -> bytes:
    return bytes(memoryview(piece)[:8])


def _last(piece: Any) -> bytes:
    return bytes(memoryview(piece)[-8:])


def _check_stream(case: Case, samples: list[tuple[int, bytes, bytes]]) -> None:
    position = 0
    for size, first, last in samples:
        expect(first == data.content(position, len(first)), f"other bytes at {position}")
        position += size
        expect(last == data.content(position - len(last), len(last)), f"other bytes before {position}")
    expect(position == case.sizes.large_bytes, f"{position} bytes")


def _slices(whole: Any) -> Iterator[memoryview]:
    view = memoryview(whole).cast("B")
    return (view[start : start + data.TILE_BYTES] for start in range(0, len(view), data.TILE_BYTES))


def _check_whole(case: Case, whole: Any) -> None:
    expect(data.matches(_slices(whole), case.sizes.large_bytes), f"{len(whole)} bytes, and not those stored")


def _check_file(case: Case, _: Any) -> None:
    with open(case.target, "rb") as file:
        pieces = iter(lambda: file.read(data.TILE_BYTES), b"")
        expect(data.matches(pieces, case.sizes.large_bytes), "the file differs")


def _check_fetched(folder: str) -> Callable[[Case, Any], None]:
    def check(case: Case, _: Any) -> None:
        for key, size in files_of(case.sizes, folder).items():
            with open(case.fetched(key), "rb") as file:
                expect(file.read() == data.file_content(key, size), f"{key} differs")

    return check


def _check_two(case: Case, values: list[Any]) -> None:
    files = files_of(case.sizes, data.TWO)
    for value, (key, size) in zip(values, files.items(), strict=True):
        expect(memoryview(value).cast("B") == memoryview(data.file_content(key, size)), f"{key} differs")


def _check_pieces(starts: list[int], size: int) -> Callable[[list[Any]], None]:
    def check(pieces: list[Any]) -> None:
        right = [data.content(start, size) for start in starts]
        expect([bytes(piece) for piece in pieces] == right, f"{len(pieces)} ranges, and not those stored")

    return check


def _read_starts(case: Case) -> list[int]:
    return data.starts(case.sizes.reads, case.sizes.read_bytes, case.sizes.large_bytes)


def _range_starts(case: Case) -> list[int]:
    return data.starts(case.sizes.ranges, case.sizes.range_bytes, case.sizes.large_bytes)


def _small(case: Case) -> dict[str, bytes]:
    return data.small(case.sizes.small, case.sizes.small_bytes)


def _written_small(case: Case) -> dict[str, bytes]:
    return {key.replace(data.SMALL, data.WRITTEN): value for key, value in _small(case).items()}


def _check_small(case: Case, values: list[Any]) -> None:
    expect([bytes(value) for value in values] == list(_small(case).values()), "other bytes than those stored")


def _unchecked(case: Case, result: Any) -> None:
    """What was stored or deleted is looked at from outside."""


def _counts(wanted: Callable[[Sizes], int]) -> Callable[[Case, Any], None]:
    def check(case: Case, found: Any) -> None:
        count = found if isinstance(found, int) else len(found)
        expect(count == wanted(case.sizes), f"{count} instead of {wanted(case.sizes)}")

    return check


def _to_fetch(folder: str) -> Callable[[Case], dict[str, str]]:
    return lambda case: {key: case.fetched(key) for key in files_of(case.sizes, folder)}


def _to_store(folder: str) -> Callable[[Case], dict[str, str]]:
    return lambda case: {case.local(key): as_written(key) for key in files_of(case.sizes, folder)}


def _whole_bytes(folder: str) -> Callable[[Sizes], int]:
    return lambda sizes: sum(files_of(sizes, folder).values())


def _large_bytes(sizes: Sizes) -> int:
    return sizes.large_bytes


def _large_blocks(case: Case) -> list[memoryview]:
    return list(data.blocks(case.sizes.large_bytes))


def _lookups(case: Case) -> list[str]:
    return data.flat_keys(data.SMALL, case.sizes.small)[: case.sizes.lookups]


WORKLOADS = (
    Workload(
        "write stream",
        lambda s: f"write a stream of {mib(s.large_bytes)} in blocks of {mib(STEP)}",
        lambda peer, case, blocks: peer.write_stream(data.WRITTEN, blocks),
        _unchecked, inputs=_large_blocks, written=written_large, is_large_upload=True, bytes_moved=_large_bytes,
    ),
    Workload(
        "read stream",
        lambda s: f"read a stream of {mib(s.large_bytes)} in blocks of {mib(STEP)}",
        lambda peer, case, _: _sampled(peer),
        _check_stream, bytes_moved=_large_bytes,
    ),
    Workload(
        "read whole",
        lambda s: f"read {mib(s.large_bytes)} into one piece of memory",
        lambda peer, case, _: peer.read_whole(data.LARGE),
        _check_whole, bytes_moved=_large_bytes,
    ),
    Workload(
        "get file",
        lambda s: f"fetch {mib(s.large_bytes)} into a local file",
        lambda peer, case, _: peer.get_file(data.LARGE, case.target),
        _check_file, bytes_moved=_large_bytes,
    ),
    Workload(
        "put file",
        lambda s: f"store a local file of {mib(s.large_bytes)}",
        lambda peer, case, _: peer.put_file(case.source, data.WRITTEN),
        _unchecked, written=written_large, is_large_upload=True, bytes_moved=_large_bytes,
    ),
    Workload(
        "get one",
        lambda s: f"fetch {mib(s.large_bytes)} into a local file by the call for many (`fs.get`)",
        lambda peer, case, _: peer.get_one(data.LARGE, case.target),
        _check_file, bytes_moved=_large_bytes,
    ),
    Workload(
        "put one",
        lambda s: f"store a local file of {mib(s.large_bytes)} by the call for many (`fs.put`)",
        lambda peer, case, _: peer.put_one(case.source, data.WRITTEN),
        _unchecked, written=written_large, is_large_upload=True, bytes_moved=_large_bytes,
    ),
    Workload(
        "pipe one",
        lambda s: f"store {mib(s.large_bytes)} from memory by the call for many (`fs.pipe`)",
        lambda peer, case, value: peer.pipe_one(data.WRITTEN, value),
        _unchecked, inputs=lambda case: data.content(0, case.sizes.large_bytes), written=written_large,
        is_large_upload=True, bytes_moved=_large_bytes,
    ),
    Workload(
        "cat two",
        lambda s: f"read two objects of {mib(s.two_bytes)}",
        lambda peer, case, keys: peer.cat(keys),
        _check_two, inputs=lambda case: list(files_of(case.sizes, data.TWO)), bytes_moved=_whole_bytes(data.TWO),
    ),
    Workload(
        "get many",
        lambda s: f"fetch {s.many} objects of {mib(s.many_bytes)} into local files",
        lambda peer, case, paths: peer.get_files(paths),
        _check_fetched(data.MANY), inputs=_to_fetch(data.MANY), bytes_moved=_whole_bytes(data.MANY),
    ),
    Workload(
        "put many",
        lambda s: f"store {s.many} local files of {mib(s.many_bytes)}",
        lambda peer, case, keys: peer.put_files(keys),
        _unchecked, inputs=_to_store(data.MANY), files_written=data.MANY, is_large_upload=True,
        bytes_moved=_whole_bytes(data.MANY),
    ),
    Workload(
        "get mixed",
        lambda s: f"fetch {s.mixed:,} objects of 1 KiB to {mib(s.mixed_largest_bytes)} into local files",
        lambda peer, case, paths: peer.get_files(paths),
        _check_fetched(data.MIXED), inputs=_to_fetch(data.MIXED), bytes_moved=_whole_bytes(data.MIXED),
    ),
    Workload(
        "put mixed",
        lambda s: f"store {s.mixed:,} local files of 1 KiB to {mib(s.mixed_largest_bytes)}",
        lambda peer, case, keys: peer.put_files(keys),
        _unchecked, inputs=_to_store(data.MIXED), files_written=data.MIXED, is_large_upload=True,
        bytes_moved=_whole_bytes(data.MIXED),
    ),
    Workload(
        "random reads",
        lambda s: f"{s.reads} random reads of {s.read_bytes // KIB} KiB through one open file",
        lambda peer, case, starts: peer.random_reads(data.LARGE, starts, case.sizes.read_bytes),
        lambda case, found: _check_pieces(_read_starts(case), case.sizes.read_bytes)(found),
        inputs=_read_starts,
    ),
    Workload(
        "cat_ranges",
        lambda s: f"{s.ranges} ranges of {s.range_bytes // KIB} KiB of one object",
        lambda peer, case, starts: peer.cat_ranges(data.LARGE, starts, case.sizes.range_bytes),
        lambda case, found: _check_pieces(_range_starts(case), case.sizes.range_bytes)(found),
        inputs=_range_starts,
    ),
    Workload(
        "cat",
        lambda s: f"read {s.small:,} objects of {s.small_bytes // KIB} KiB",
        lambda peer, case, keys: peer.cat(keys),
        _check_small, inputs=lambda case: list(_small(case)),
    ),
    Workload(
        "pipe",
        lambda s: f"store {s.small:,} objects of {s.small_bytes // KIB} KiB",
        lambda peer, case, values: peer.pipe(values),
        _unchecked, inputs=_written_small, small_written=True,
    ),
    Workload(
        "info",
        lambda s: f"the sizes of {s.lookups} files, one by one",
        lambda peer, case, keys: peer.info(keys),
        lambda case, sizes: expect(sizes == [case.sizes.small_bytes] * case.sizes.lookups, "wrong sizes"),
        inputs=_lookups,
    ),
    Workload(
        "exists",
        lambda s: f"whether {s.lookups} missing files exist, one by one",
        lambda peer, case, keys: peer.exists(keys),
        lambda case, found: expect(found == [False] * case.sizes.lookups, "not False each time"),
        inputs=lambda case: data.flat_keys(data.MISSING, case.sizes.lookups),
    ),
    Workload(
        "ls",
        lambda s: f"list a folder of {s.flat:,} objects",
        lambda peer, case, _: peer.ls(data.FLAT),
        _counts(lambda sizes: sizes.flat),
    ),
    Workload(
        "find",
        lambda s: f"the names of all {s.tree:,} objects of a registry",
        lambda peer, case, _: peer.find(data.TREE),
        _counts(lambda sizes: sizes.tree),
    ),
    Workload(
        "find detail",
        lambda s: f"all {s.tree:,} objects of a registry with size, ETag and time",
        lambda peer, case, _: peer.find_detail(data.TREE),
        _counts(lambda sizes: sizes.tree),
    ),
    Workload(
        "walk",
        lambda s: f"walk {s.repositories} repositories",
        lambda peer, case, _: peer.walk(f"{data.WALKED}/{data.REPOSITORIES}", WALK_DEPTH),
        _counts(lambda sizes: data.walked_directories(sizes.repositories)),
    ),
    Workload(
        "glob",
        lambda s: f"the tags among {s.tree:,} objects of a registry, by glob",
        lambda peer, case, _: peer.glob_tags(data.TREE),
        _counts(lambda sizes: sizes.tree // 10),
    ),
    Workload(
        "rm",
        lambda s: f"delete {s.small:,} objects",
        lambda peer, case, keys: peer.rm(keys),
        _unchecked, inputs=lambda case: data.flat_keys(data.DOOMED, case.sizes.small), deletes=True,
    ),
    Workload(
        "copy",
        lambda s: f"copy {mib(s.copy_bytes)} in the server",
        lambda peer, case, _: peer.copy(data.COPY_SOURCE, data.WRITTEN),
        _unchecked, written=lambda case: {data.WRITTEN: case.sizes.copy_bytes}, knobs=(("copyMBps", 95),),
    ),
)  # fmt: skip

BY_NAME = {workload.name: workload for workload in WORKLOADS}
