"""A picture of a profile: for each workload, the seconds of each peer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.peers import OURS
from benchmarks.report import peers_of, seconds
from benchmarks.results import Record, Results, Summary, summarise

COLUMNS = 3
OUR_COLOUR, PEER_COLOUR, FAILED_COLOUR = "#c8501e", "#9fb4c7", "#8a8a8a"


def plot(results: Results, path: Path) -> None:
    """Write the picture as PNG."""
    summary = summarise(results.records)
    rows = -(-len(summary) // COLUMNS)
    figure = Figure(figsize=(9.6, 0.9 + 1.6 * rows), layout="constrained")
    figure.suptitle(f"Wall seconds, {results.profile}: {results.title}. Logarithmic; shorter is faster.", fontsize=11)
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False, sharey=True).flat)
    limits = _limits(summary)
    for panel, (workload, peers) in zip(panels, summary.items(), strict=False):
        _draw(panel, workload, [peers.get(name, Record(name, workload)) for name in peers_of(summary)], limits)
    for panel in panels[len(summary) :]:
        panel.set_axis_off()
    figure.savefig(path, dpi=150)


def _limits(summary: Summary) -> tuple[float, float]:
    measured = [each.seconds for peers in summary.values() for each in peers.values() if each.seconds]
    return min(measured) / 2, max(measured) * 4  # room for the numbers


def _draw(panel: Any, workload: str, records: list[Record], limits: tuple[float, float]) -> None:
    widths = [0.0 if record.failure else record.seconds for record in records]
    colours = [OUR_COLOUR if record.peer == OURS else PEER_COLOUR for record in records]
    panel.barh([record.peer for record in records], [max(width, limits[0]) for width in widths], color=colours)
    panel.set(xscale="log", xlim=limits, ylim=(len(records) - 0.5, -0.5))
    panel.set_title(workload, loc="left", fontsize=10, fontweight="bold")
    panel.spines[["top", "right"]].set_visible(False)
    for row, record in enumerate(records):
        text, colour = (record.failure[:34], FAILED_COLOUR) if record.failure else (seconds(record.seconds), "black")
        panel.text(max(widths[row], limits[0]) * 1.1, row, text, va="center", fontsize=9, color=colour)
