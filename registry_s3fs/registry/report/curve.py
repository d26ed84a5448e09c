"""The geometry of the curve of what is stored. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from registry_s3fs.model.text import size_text
from registry_s3fs.registry.report.growth import Period, ticks

_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 12.0, 12.0, 26.0
"""The rims, with room for the labels."""
_MOST_LINES = 4


class Mark(NamedTuple):
    """A label of an axis."""

    at: float
    text: str


class Band(NamedTuple):
    """The part of the picture that is a period's."""

    x: float
    width: float
    period: Period


class Curve(NamedTuple):
    """The curve of what is stored, with its axes, in a picture of some width and height."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    line: str
    """The points of the curve, as SVG has them."""
    sizes: Sequence[Mark]
    times: Sequence[Mark]
    bands: Sequence[Band]


def curve(periods: Sequence[Period], width: float, height: float, most_times: int) -> Curve:
    """Return the curve of at least one period."""
    right, bottom = width - _RIGHT, height - _BOTTOM
    breadth = (right - _LEFT) / len(periods)
    step, lines = _lines(periods[-1].stored)
    scale = (bottom - _TOP) / (step * lines)
    stored = [0, *(period.stored for period in periods)]
    points = [f"{_LEFT + breadth * at:.1f},{bottom - scale * size:.1f}" for at, size in enumerate(stored)]
    sizes = [Mark(bottom - scale * step * line, _short(step * line)) for line in range(lines + 1)]
    names = [period.name for period in periods]
    times = [Mark(_LEFT + breadth * (at + 0.5), names[at]) for at in ticks(names, most_times)]
    bands = [Band(_LEFT + breadth * at, breadth, period) for at, period in enumerate(periods)]
    return Curve(width, height, _LEFT, right, bottom, " ".join(points), sizes, times, bands)


def _lines(most: int) -> tuple[int, int]:
    """Return the bytes between two lines of the grid, a power of two, and the number of lines above zero.

    >>> _lines(5 * 1024), _lines(0)
    ((2048, 3), (1, 1))
    """
    step = 1
    while step * _MOST_LINES < most:
        step *= 2
    return step, max(1, -(-most // step))


def _short(size: int) -> str:
    return size_text(size).replace(".0 ", " ")
