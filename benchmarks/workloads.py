"""What is measured. Each workload builds its inputs first, is timed in `run` alone, and checks its result after."""

from __future__ import annotations

import os
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
    def target(self) -> str:
        return str(self.scratch / "target")


class WrongResultError(Exception):
    """A peer answered, but not with what is stored."""


def expect(right: bool, what: str) -> None:
    """Refuse a result that is not `right`."""
    if not right:
        raise WrongResultError(what)


def written_large(case: Case) -> dict[str, int]:
    """The key that a workload has written, and how much of the large content must be in it."""
    return {data.WRITTEN: case.sizes.large_bytes}


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
    small_written: bool = False
    """Whether the small objects must be there afterwards, under `data.WRITTEN`."""
    deletes: bool = False
    """Whether it needs the keys under `data.DOOMED`, and none may be left."""
    is_large_upload: bool = False
    """Whether the client sends what is written, and much of it."""
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
    os.remove(case.target)


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


def _large_blocks(case: Case) -> list[memoryview]:
    return list(data.blocks(case.sizes.large_bytes))


def _lookups(case: Case) -> list[str]:
    return data.flat_keys(data.SMALL, case.sizes.small)[: case.sizes.lookups]


WORKLOADS = (
    Workload(
        "write stream",
        lambda s: f"write a stream of {mib(s.large_bytes)} in blocks of {mib(STEP)}",
        lambda peer, case, blocks: peer.write_stream(data.WRITTEN, blocks),
        _unchecked, inputs=_large_blocks, written=written_large, is_large_upload=True,
    ),
    Workload(
        "read stream",
        lambda s: f"read a stream of {mib(s.large_bytes)} in blocks of {mib(STEP)}",
        lambda peer, case, _: _sampled(peer),
        _check_stream,
    ),
    Workload(
        "read whole",
        lambda s: f"read {mib(s.large_bytes)} into one piece of memory",
        lambda peer, case, _: peer.read_whole(data.LARGE),
        _check_whole,
    ),
    Workload(
        "get file",
        lambda s: f"fetch {mib(s.large_bytes)} into a local file",
        lambda peer, case, _: peer.get_file(data.LARGE, case.target),
        _check_file,
    ),
    Workload(
        "put file",
        lambda s: f"store a local file of {mib(s.large_bytes)}",
        lambda peer, case, _: peer.put_file(case.source, data.WRITTEN),
        _unchecked, written=written_large, is_large_upload=True,
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
