"""The table of odd answers, what chance found, and the long run, as markdown and as they are kept. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.report import markdown
from reliability import soak
from reliability.judging import REFUSED, RIGHT
from reliability.odd_runner import Cell
from reliability.soak import Soak

LEAST_CELLS = 150
SHOWN = {RIGHT: "✓", REFUSED: "E"}
"""A table of so many columns has room for a letter."""


@dataclass(frozen=True)
class OddAnswers:
    """The table of a run."""

    about: dict[str, str]
    cells: list[Cell]

    @property
    def problems(self) -> list[str]:
        """What is not as promised."""
        return [f"{cell.kind}, {cell.call}: {text}" for cell in self.cells for text in cell.problems]


@dataclass(frozen=True)
class Chance:
    """What a run of odd answers by chance came to."""

    about: dict[str, str]
    seed: int
    rows: dict[str, str]
    problems: list[str]


def table(found: OddAnswers) -> str:
    """All of it."""
    calls = list(dict.fromkeys(cell.call for cell in found.cells))
    kinds = list(dict.fromkeys(cell.kind for cell in found.cells))
    by_place: Mapping[tuple[str, str], Cell] = {(cell.kind, cell.call): cell for cell in found.cells}
    counts = {name: sum(cell.verdict == name for cell in found.cells) for name in (RIGHT, REFUSED, "problem")}
    head = (
        f"{len(kinds)} kinds of answer, {len(calls)} calls, {len(found.cells)} cells, "
        f"{sum(cell.runs for cell in found.cells):,} runs: {counts[RIGHT]} right, {counts[REFUSED]} refused; "
        f"{counts['problem']} with a problem. The longest call took {max(cell.seconds for cell in found.cells):.1f} s."
    )
    body = ([kind, *(_word(by_place.get((kind, call))) for call in calls)] for kind in kinds)
    return "\n\n".join((_about(found.about), head, markdown(["answer", *calls], body), *_problems(found.problems)))


def _word(cell: Cell | None) -> str:
    return "" if cell is None else SHOWN.get(cell.verdict, f"**{cell.verdict}**")


def chance(found: Chance) -> str:
    """What it came to."""
    rows = [["seed", str(found.seed)], *([name, value] for name, value in found.rows.items())]
    return "\n\n".join((_about(found.about), markdown(["what", "seen"], rows), *_problems(found.problems)))


def soaked(found: Soak) -> str:
    """What the long run came to."""
    head = ["what", "second quarter", "last quarter", "at most"]
    calls = ([name, f"{count:,}"] for name, count in sorted(found.calls.items()))
    problems = soak.problems(found)
    return "\n\n".join((
        _about(found.about | {"server": found.server}),
        f"**{'; '.join(problems)}**" if problems else "Flat.",
        markdown(head, soak.rows(found)),
        markdown(["call", "times"], calls),
    ))  # fmt: skip


def _about(about: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in about.items())


def _problems(found: Sequence[str]) -> list[str]:
    return ["\n".join(["Problems:", "", *(f"- {text}" for text in found)])] if found else []


def dumps(found: OddAnswers | Chance | Soak) -> str:
    """JSON, with a line for each cell or sample."""
    fields = asdict(found)
    lists = {name: fields.pop(name) for name in ("cells", "samples") if name in fields}
    head = json.dumps(fields, indent=1).removesuffix("\n}")
    lines = "".join(
        f',\n "{name}": [\n  ' + ",\n  ".join(map(json.dumps, each)) + "\n ]" for name, each in lists.items()
    )
    return f"{head}{lines}\n}}\n"


def odd_answers(text: str) -> OddAnswers:
    """Back from `dumps`."""
    fields = json.loads(text)
    cells = [Cell(**{**cell, "problems": tuple(cell["problems"])}) for cell in fields["cells"]]
    return OddAnswers(fields["about"], cells)
