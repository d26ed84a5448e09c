"""Rectangles as large as what repositories weigh, packed into one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import squarify

COLOURS = 7
"""How many groups have a colour of their own. All others share one."""
_LEAST_AREA = 16.0
"""In units of the picture. What is smaller goes into the rectangle of others."""
_GAP = 1.0
_LETTER = 7.3
"""The width of a letter, about."""


class Weight(NamedTuple):
    """What a repository weighs."""

    name: str
    bytes: int
    rank: int
    """Its place among all, by weight."""


class Others(NamedTuple):
    """All repositories that have no rectangle of their own."""

    number: int
    bytes: int


class Cell(NamedTuple):
    """A rectangle of the picture."""

    name: str
    """Empty for the one that all further repositories share."""
    bytes: int
    rank: int
    colour: int
    x: float
    y: float
    width: float
    height: float
    label: str
    """As much of the name as there is room for."""


class Group(NamedTuple):
    """The repositories below one folder."""

    name: str
    bytes: int
    colour: int


def folder(name: str) -> str:
    """Return the first folder of a repository's name, by which it is coloured.

    >>> folder("team/app/api"), folder("nginx")
    ('team', '')
    """
    first, slash, _ = name.partition("/")
    return first if slash else ""


def groups(weights: Sequence[Weight]) -> list[Group]:
    """Return the folders, the heaviest first; those that share a colour are one group, which is the last."""
    by_name = sorted(weights, key=lambda weight: folder(weight.name))
    sums = [(name, sum(each.bytes for each in found)) for name, found in groupby(by_name, lambda w: folder(w.name))]
    sums.sort(key=lambda item: (-item[1], item[0]))
    found = [Group(name, size, colour) for colour, (name, size) in enumerate(sums[:COLOURS])]
    return [*found, Group("others", sum(size for _, size in sums[COLOURS:]), COLOURS)] if sums[COLOURS:] else found


def cells(
    weights: Sequence[Weight], others: Others, colours: Sequence[Group], width: float, height: float
) -> list[Cell]:
    """Return the rectangles of a picture.

    Args:
        weights: What repositories weigh, the heaviest first.
        others: All further ones, which share a rectangle.
        colours: The groups, by which the repositories are coloured and stand together.
        width: Of the picture, in units of which a letter has about seven.
        height: Of the picture.
    """
    scale = width * height / (sum(each.bytes for each in weights) + others.bytes or 1)
    large = [each for each in weights if each.bytes * scale >= _LEAST_AREA]
    small = weights[len(large) :]
    others = Others(others.number + len(small), others.bytes + _sum(small))
    if others.bytes * scale >= _LEAST_AREA / 4:
        large.append(Weight("", others.bytes, -1))
    of_folders = {group.name: group.colour for group in colours if group.colour < COLOURS}
    packed = _packed(large, of_folders, width, height) if large else []
    return [cell if cell.name else cell._replace(label=f"{others.number:,} more") for cell in packed]


def _packed(weights: Sequence[Weight], colours: dict[str, int], width: float, height: float) -> list[Cell]:
    """Return the rectangles, those of a colour in a rectangle of their own."""
    coloured = sorted(weights, key=lambda each: (_colour(each, colours), each.rank))
    found = [list(each) for _, each in groupby(coloured, lambda each: _colour(each, colours))]
    found.sort(key=lambda group: (not group[0].name, -_sum(group)))
    packed: list[Cell] = []
    for group, box in zip(found, _boxes([_sum(group) for group in found], 0, 0, width, height), strict=True):
        group.sort(key=lambda each: -each.bytes)
        for each, (x, y, dx, dy) in zip(group, _boxes([one.bytes for one in group], *box), strict=True):
            cell = Cell(each.name, each.bytes, each.rank, _colour(each, colours), x, y, dx, dy, "")
            packed.append(_with_gap(cell))
    return packed


def _sum(group: Sequence[Weight]) -> int:
    return sum(each.bytes for each in group)


def _colour(weight: Weight, colours: dict[str, int]) -> int:
    return colours.get(folder(weight.name), COLOURS) if weight.name else COLOURS + 1


def _boxes(sizes: Sequence[int], x: float, y: float, dx: float, dy: float) -> list[tuple[float, float, float, float]]:
    normal = squarify.normalize_sizes(sizes, dx, dy)
    return [(box["x"], box["y"], box["dx"], box["dy"]) for box in squarify.squarify(normal, x, y, dx, dy)]


def _with_gap(cell: Cell) -> Cell:
    """Return a cell without its right and lower rim, and with as much of its name as fits."""
    width, height = (max(side - _GAP, side / 2) for side in (cell.width, cell.height))
    letters = int((width - 8) / _LETTER) if height >= 16 else 0
    return cell._replace(width=width, height=height, label=_label(cell.name, letters))


def _label(name: str, letters: int) -> str:
    """Return the name, or its last part, or the beginning of that, or nothing.

    >>> _label("team/app", 8), _label("team/app", 7), _label("team/worker", 4), _label("team/worker", 2)
    ('team/app', 'app', 'wor…', '')
    """
    last = name.rpartition("/")[2]
    if len(name) <= letters:
        return name
    if len(last) <= letters:
        return last
    return last[: letters - 1] + "…" if letters >= 3 else ""
