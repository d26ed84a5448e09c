"""What was measured, what is made of several rounds, and how it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
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
    """Why there are no numbers, in words; empty where there are. Where time ran out, `seconds` is the bound."""

    def __str__(self) -> str:
        result = self.failure or f"{self.seconds:.3f} s, {self.cpu_seconds:.3f} s of CPU"
        return f"{self.workload}, {self.peer}: {result}"


@dataclass(frozen=True)
class Results:
    """All that one run measured with one profile."""

    profile: str
    title: str
    workloads: dict[str, str]
    """What each workload does, with the sizes of this profile."""
    about: dict[str, str]
    """When, where and with what."""
    records: list[Record]
    bytes_moved: dict[str, int]
    """Of each workload, the bytes of objects that are sent or received; 0 where requests matter more."""


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
            return record
    peaks = [record.peak_bytes for record in rounds if record.peak_bytes is not None]
    operations = sorted({name for record in rounds for name in record.requests})
    return Record(
        rounds[0].peer, rounds[0].workload,
        seconds=median(record.seconds for record in rounds),
        cpu_seconds=median(record.cpu_seconds for record in rounds),
        peak_bytes=int(median(peaks)) if peaks else None,
        requests={name: int(median(each.requests.get(name, 0) for each in rounds)) for name in operations},
    )  # fmt: skip


def save(path: Path, results: Results) -> None:
    """Write results in place of those of the same profile; others in the file stay."""
    kept = {each.profile: each for each in (load(path) if path.exists() else [])}
    kept[results.profile] = results
    path.write_text(dumps(kept.values()), encoding="utf-8")


def load(path: Path) -> list[Results]:
    """All results of a file."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return [Results(**{**each, "records": [Record(**record) for record in each["records"]]}) for each in found]


def dumps(results: Iterable[Results]) -> str:
    """JSON with a line for each record, so that a comparison of two runs can be read."""
    return "[\n" + ",\n".join(_dump(each) for each in results) + "\n]\n"


def _dump(results: Results) -> str:
    fields = asdict(results)
    lines = ",\n  ".join(json.dumps(record) for record in fields.pop("records"))
    head = json.dumps(fields, indent=1).removesuffix("\n}")
    return f'{head},\n "records": [\n  {lines}\n ]\n}}'
