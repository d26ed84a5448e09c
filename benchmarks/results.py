"""What was measured, and what is made of several rounds. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Record:
    """One run of one workload by one peer."""

    peer: str
    workload: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int | None = None
    requests: dict[str, int] = field(default_factory=dict)
    failure: str = ""
    """Why there are no numbers, in words; empty where there are."""

    def __str__(self) -> str:
        result = self.failure or f"{self.seconds:.3f} s, {self.cpu_seconds:.3f} s of CPU"
        return f"{self.workload}, {self.peer}: {result}"


Summary = dict[str, dict[str, Record]]
"""Workload, peer: one record that stands for all rounds."""


def summarise(records: Iterable[Record]) -> Summary:
    """Medians of each peer's rounds; a failure in any round stands for all."""
    groups: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        groups.setdefault(record.workload, {}).setdefault(record.peer, []).append(record)
    return {name: {peer: _middle(rounds) for peer, rounds in peers.items()} for name, peers in groups.items()}


def _middle(rounds: list[Record]) -> Record:
    for record in rounds:
        if record.failure:
            return Record(record.peer, record.workload, failure=record.failure)
    peaks = [record.peak_bytes for record in rounds if record.peak_bytes is not None]
    return Record(
        rounds[0].peer, rounds[0].workload,
        seconds=median(record.seconds for record in rounds),
        cpu_seconds=median(record.cpu_seconds for record in rounds),
        peak_bytes=int(median(peaks)) if peaks else None,
        requests={name: int(median(each.requests.get(name, 0) for each in rounds)) for name in _operations(rounds)},
    )  # fmt: skip


def _operations(rounds: Iterable[Record]) -> list[str]:
    return sorted({name for record in rounds for name in record.requests})
