"""Results as markdown. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from benchmarks import targets
from benchmarks.data import MIB
from benchmarks.peers import OURS, is_baseline
from benchmarks.results import Record, Results, Summary, summarise

GIB = 1024 * MIB
BEGIN = "<!-- results: written by `python -m benchmarks` -->"
END = "<!-- end of results -->"
PROGRESS = "ours / baseline"
_WALL = (
    "The number in brackets is the peer's time divided by ours: above 1, ours is faster. "
    "The last column has that of the fastest other peer."
)
_PROGRESS = f" `{PROGRESS}` is our time divided by the earlier commit's: below 1, ours is faster."
_PEAK = (
    "This is the most memory that was resident, less what was resident when the clock started. "
    "Results that the caller gets are part of it."
)
_UNIT = (
    "Where large objects are moved, these are CPU seconds for each GiB; elsewhere CPU milliseconds for each request. "
    "A peer that needs fewer requests has fewer to divide by."
)
_REQUESTS = (
    "`Get`, `Head`, `Put` and `Copy` are S3's operations on an object, and `List` is ListObjectsV2. `Create` and "
    "`Complete` are those of a multipart upload, `Part` and `PartCopy` are UploadPart and UploadPartCopy."
)
_SHORT = re.compile(r"ObjectsV2$|(?<=Get|Put)Object$|(?<=Head|Copy)Object$|MultipartUpload$|^Upload(?=Part)")
MET = {True: "met", False: "**missed**", None: "not known"}

Cell = Callable[[Record, "Record | None"], str]
"""A peer's record and ours, if ours worked."""

Column = tuple[str, Callable[[dict[str, Record]], str]]
"""The head of a column, and what it says of a workload's records by peer."""


def inserted(page: str, text: str, begin: str = BEGIN) -> str:
    """A page with what stands between its markers, `begin` and `END`, replaced.

    >>> inserted(f"before {BEGIN} old {END} after {END}", "new") == f"before {BEGIN}\\n\\nnew\\n\\n{END} after {END}"
    True
    """
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page lacks the lines {begin} and {END}")
    return pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{END}", page)


def report(results: Results, plot: str = "") -> str:
    """All tables of a profile; `plot` is the file name of its picture."""
    summary = summarise(results.records)
    parts = [
        f"## {results.profile}: {results.title}",
        "\n".join(f"- {name}: {value}" for name, value in results.about.items()),
        *([f"![Seconds of each peer, profile {results.profile}]({plot})"] if plot else []),
        "### Workloads",
        markdown(["workload", "what is done"], [[f"**{each}**", results.workloads[each]] for each in summary]),
        "### Wall seconds",
        _WALL + (_PROGRESS if _has_baseline(summary) else ""),
        _times(summary, lambda record: record.seconds),
        "### Targets",
        target_table(targets.judged(results.profile, summary)),
        "### CPU seconds",
        "These are user and system time of the client's process. Brackets and last column are as above.",
        _times(summary, lambda record: record.cpu_seconds),
        "### CPU of a GiB, and of a request",
        _UNIT,
        _table(summary, _cpu_of_a_unit(results.bytes_moved)),
        "### Peak memory, MiB",
        _PEAK,
        _table(summary, _memory),
        "### Requests",
        _REQUESTS,
        _table(summary, _requests),
    ]
    return "\n\n".join(part for part in parts if part)


def target_table(verdicts: Sequence[tuple[str, targets.Verdict]]) -> str:
    """What was to be reached, and whether it was."""
    if not verdicts:
        return "None for this run."
    met = sum(verdict.met is True for _, verdict in verdicts)
    rows = [[workload, verdict.wanted, verdict.measured, MET[verdict.met]] for workload, verdict in verdicts]
    return f"{met} of {len(verdicts)} met.\n\n" + markdown(["workload", "target", "measured", ""], rows)


def _times(summary: Summary, of: Callable[[Record], float]) -> str:
    def cell(record: Record, ours: Record | None) -> str:
        ratio = f" ({of(record) / of(ours):.2f})" if ours and ours is not record and of(ours) else ""
        return f"{seconds(of(record))}{ratio}"

    def best(peers: dict[str, Record]) -> str:
        others = [each for name, each in peers.items() if name != OURS and not is_baseline(name) and not each.failure]
        return _ratio(of, min(others, key=of, default=None), peers.get(OURS))

    def progress(peers: dict[str, Record]) -> str:
        return _ratio(of, peers.get(OURS), next((each for name, each in peers.items() if is_baseline(name)), None))

    columns: list[Column] = [(PROGRESS, progress)] if _has_baseline(summary) else []
    return _table(summary, cell, [*columns, ("best / ours", best)])


def _has_baseline(summary: Summary) -> bool:
    return any(map(is_baseline, peers_of(summary)))


def _ratio(of: Callable[[Record], float], one: Record | None, other: Record | None) -> str:
    if one is None or other is None or one.failure or other.failure or not of(other):
        return ""
    return f"{of(one) / of(other):.2f}"


def seconds(value: float) -> str:
    """Three digits are more than enough.

    >>> seconds(12.345), seconds(1.2345), seconds(0.012345)
    ('12.3', '1.23', '0.012')
    """
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _memory(record: Record, ours: Record | None) -> str:
    return "-" if record.peak_bytes is None else f"{record.peak_bytes / MIB:.0f}"


def _cpu_of_a_unit(bytes_moved: dict[str, int]) -> Cell:
    def cell(record: Record, ours: Record | None) -> str:
        moved, sent = bytes_moved.get(record.workload, 0), sum(record.requests.values())
        if moved:
            return f"{record.cpu_seconds * GIB / moved:.2f} s"
        return f"{record.cpu_seconds / sent * 1000:.2f} ms" if sent else "not counted"

    return cell


def _requests(record: Record, ours: Record | None) -> str:
    if not record.requests:
        return "not counted"
    total = sum(record.requests.values())
    names = ", ".join(f"{count:,} {_SHORT.sub('', name)}" for name, count in sorted(record.requests.items()))
    return names if len(record.requests) == 1 else f"{total:,}: {names}"


def _table(summary: Summary, cell: Cell, last: Sequence[Column] = ()) -> str:
    names = peers_of(summary)
    rows = []
    for workload, peers in summary.items():
        ours = peers.get(OURS)
        working = ours if ours and not ours.failure else None
        cells = [_shown(peers[name], working, cell) if name in peers else "" for name in names]
        rows.append([f"**{workload}**", *cells, *(of(peers) for _, of in last)])
    return markdown(["workload", *names, *(head for head, _ in last)], rows)


def peers_of(summary: Summary) -> list[str]:
    """All peers, in the order of their first record; but ours first, and then an earlier commit of it."""
    names = dict.fromkeys(name for peers in summary.values() for name in peers)
    return sorted(names, key=lambda name: (name != OURS, not is_baseline(name)))


def _shown(record: Record, ours: Record | None, cell: Cell) -> str:
    return _brief(record.failure) if record.failure else cell(record, ours)


def _brief(failure: str) -> str:
    return failure if len(failure) <= 60 else f"{failure[:57]}..."


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
