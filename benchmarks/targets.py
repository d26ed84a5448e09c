"""What registry_s3fs must reach, and whether it does. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from benchmarks.data import MIB
from benchmarks.peers import OURS, PEERS
from benchmarks.profiles import LAN, MEASURED, TLS, WAN
from benchmarks.results import Record, Summary

FASTEST = "the fastest peer"
FASTEST_FSSPEC = "the fastest peer that speaks fsspec"
"""Where other interfaces have no such call: a level of folders is listed at once, not one folder after another."""

CONTENDERS = {FASTEST: set(PEERS) - {OURS}, FASTEST_FSSPEC: {"s3fs", "obstore-fsspec"}}


class Verdict(NamedTuple):
    """How a target was met or missed."""

    wanted: str
    measured: str
    met: bool | None
    """None where it cannot be said."""


class Target(Protocol):
    """Something to reach at a workload of a profile."""

    @property
    def profile(self) -> str: ...
    @property
    def workload(self) -> str: ...
    def judge(self, peers: dict[str, Record], others: Summary) -> Verdict:
        """Compare with what was measured.

        `peers` are the records of the workload; ours is among them, and worked. `others` has all workloads.
        """


@dataclass(frozen=True)
class Faster:
    """So many times faster in wall time than another peer; below 1: it may be that much slower."""

    profile: str
    workload: str
    times: float
    than: str
    is_stretch: bool = False

    def judge(self, peers: dict[str, Record], others: Summary) -> Verdict:
        """By the ratio of the medians. A peer that ran out of time was at least as slow as its bound."""
        wanted = f"{self.times:.2g}x as fast as {self.than}" + (" (stretch)" if self.is_stretch else "")
        other = self._other(peers)
        if other is None or not other.seconds:
            return Verdict(wanted, other.failure if other else "not measured", None)
        ratio = other.seconds / peers[OURS].seconds
        measured = f"{'over ' if other.failure else ''}{ratio:.2f}x"
        if self.than in CONTENDERS:
            measured += f" ({other.peer})"
        reached = ratio >= self.times
        return Verdict(wanted, measured, None if other.failure and not reached else reached)

    def _other(self, peers: dict[str, Record]) -> Record | None:
        contenders = CONTENDERS.get(self.than)
        return fastest(peers[name] for name in contenders & peers.keys()) if contenders else peers.get(self.than)


@dataclass(frozen=True)
class Cpu:
    """At most so large a share of another peer's CPU seconds."""

    profile: str
    workload: str
    at_most: float
    than: str

    def judge(self, peers: dict[str, Record], others: Summary) -> Verdict:
        """By the ratio of the medians."""
        wanted, other = f"{self.at_most:.2g}x the CPU of {self.than}", peers.get(self.than)
        if other is None or other.failure or not other.cpu_seconds:
            return Verdict(wanted, other.failure if other else "not measured", None)
        ratio = peers[OURS].cpu_seconds / other.cpu_seconds
        return Verdict(wanted, f"{ratio:.2f}x", ratio <= self.at_most)


LEVEL = 1.1
"""Two workloads of ours take equally long where one takes at most so many times as long as the other."""


@dataclass(frozen=True)
class AsFastAs:
    """No slower than another workload of ours, which does the same by another call."""

    profile: str
    workload: str
    other: str

    def judge(self, peers: dict[str, Record], others: Summary) -> Verdict:
        """By the ratio of the medians."""
        wanted, other = f"as fast as our {self.other}", others.get(self.other, {}).get(OURS)
        if other is None or other.failure:
            return Verdict(wanted, "not measured", None)
        ratio = peers[OURS].seconds / other.seconds
        return Verdict(wanted, f"{ratio:.2f}x its time", ratio <= LEVEL)


@dataclass(frozen=True)
class Memory:
    """At most so much beyond what was resident when the clock started."""

    profile: str
    workload: str
    at_most_bytes: int

    def judge(self, peers: dict[str, Record], others: Summary) -> Verdict:
        """By the median of the peaks."""
        wanted, peak = f"at most {self.at_most_bytes // MIB} MiB", peers[OURS].peak_bytes
        if peak is None:
            return Verdict(wanted, "not measured", None)
        return Verdict(wanted, f"{peak / MIB:.0f} MiB", peak <= self.at_most_bytes)


@dataclass(frozen=True)
class Requests:
    """No request beyond those that are needed."""

    profile: str
    workload: str
    at_most: int

    def judge(self, peers: dict[str, Record], others: Summary) -> Verdict:
        """By the median of the counts of all operations."""
        wanted, sent = f"at most {self.at_most} requests", sum(peers[OURS].requests.values())
        return Verdict(wanted, f"{sent}", sent <= self.at_most) if sent else Verdict(wanted, "not counted", None)


def fastest(records: Iterable[Record]) -> Record | None:
    """The fastest of those that did not fail."""
    return min((record for record in records if not record.failure), key=lambda record: record.seconds, default=None)


def judged(profile: str, summary: Summary) -> list[tuple[str, Verdict]]:
    """Workload and verdict of each target that this run can tell of."""
    return [(each.workload, _verdict(each, summary)) for each in TARGETS if _is_told(each, profile, summary)]


def _is_told(target: Target, profile: str, summary: Summary) -> bool:
    return target.profile == profile and OURS in summary.get(target.workload, {})


def _verdict(target: Target, summary: Summary) -> Verdict:
    peers = summary[target.workload]
    if peers[OURS].failure:
        return Verdict(
            target.judge({**peers, OURS: Record(OURS, target.workload, 1.0)}, summary).wanted,
            peers[OURS].failure,
            False,
        )
    return target.judge(peers, summary)


def _faster(profile: str, rows: dict[str, dict[str, float]]) -> list[Target]:
    return [Faster(profile, name, times, than) for name, row in rows.items() for than, times in row.items()]


def _calls_for_many(profile: str) -> list[Target]:
    """The calls that people write: one large file is no slower than by the call for one, and the rest leads."""
    single = {"get one": "get file", "put one": "put file", "pipe one": "put file"}
    leading = ("cat two", "get many", "put many", "get mixed", "put mixed")
    return [
        *(AsFastAs(profile, name, other) for name, other in single.items()),
        *(Faster(profile, name, 1 / 0.7, FASTEST) for name in leading),
    ]


STREAM_BYTES = 140 * MIB

TARGETS: list[Target] = [
    *_faster(
        TLS.name,
        {
            "read whole": {FASTEST: 1 / 0.55},
            "read stream": {FASTEST: 3},
            "get file": {FASTEST: 1 / 0.6},
            "write stream": {"obstore": 1},
            "put file": {"obstore": 1},
            "cat": {"obstore": 1.25},
            "pipe": {"obstore": 1.15},
            "random reads": {FASTEST: 1},
            "cat_ranges": {FASTEST: 1 / 0.8},
            "ls": {FASTEST: 1 / 0.8},
            "find": {FASTEST: 1 / 0.7},
        },
    ),
    Cpu(TLS.name, "read whole", 0.55, "obstore"),
    Cpu(TLS.name, "read stream", 0.9, "obstore"),
    Cpu(TLS.name, "cat", 0.55, "obstore"),
    Cpu(TLS.name, "pipe", 0.65, "obstore"),
    *(target for profile in MEASURED for target in _calls_for_many(profile.name)),
    *_faster(
        LAN.name,
        {
            "write stream": {"s3fs": 2.5},
            "read stream": {"s3fs": 4, "obstore-fsspec": 2},
            "read whole": {"s3fs": 5.5},
            "get file": {"s3fs": 4},
            "put file": {"s3fs": 2},
            "random reads": {"s3fs": 75, "obstore-fsspec": 1.3},
            "cat_ranges": {"s3fs": 4},
            "cat": {"s3fs": 9, "obstore-fsspec": 3},
            "pipe": {"s3fs": 5},
            "info": {"s3fs": 4.5},
            "exists": {"s3fs": 3},
            "ls": {"s3fs": 11},
            "find": {"s3fs": 11, "pyarrow": 1.7},
            "find detail": {"s3fs": 10, "pyarrow": 1.5},
            "walk": {"s3fs": 3},
            "glob": {"s3fs": 11},
            "rm": {"s3fs": 2.5},
            "copy": {"s3fs": 12},
        },
    ),
    Faster(LAN.name, "cat", 1, "obstore", is_stretch=True),
    Memory(LAN.name, "write stream", STREAM_BYTES),
    Memory(LAN.name, "read stream", STREAM_BYTES),
    *_faster(
        WAN.name,
        {
            "write stream": {"s3fs": 6, "obstore": 1 / 1.2},
            "read stream": {FASTEST: 4},
            "read whole": {"s3fs": 4},
            "get file": {"s3fs": 3.4},
            "put file": {"s3fs": 2},
            "random reads": {FASTEST: 1},
            "cat_ranges": {"obstore-fsspec": 2.5},
            "cat": {"s3fs": 12},
            "pipe": {"s3fs": 7.5},
            "ls": {"s3fs": 4.4},
            "find": {"s3fs": 9, "obstore": 2.1},
            "find detail": {"s3fs": 8.5, "obstore": 2},
            "walk": {FASTEST_FSSPEC: 8},
            "glob": {"s3fs": 8},
            "rm": {"s3fs": 1.5},
            "copy": {"s3fs": 10},
        },
    ),
    Requests(WAN.name, "random reads", WAN.sizes.reads + 1),  # one to learn the size
    Requests(WAN.name, "info", WAN.sizes.lookups),
    Requests(WAN.name, "exists", 2 * WAN.sizes.lookups),  # no such object, and nothing below it
    Memory(WAN.name, "write stream", STREAM_BYTES),
    Memory(WAN.name, "read stream", STREAM_BYTES),
]
