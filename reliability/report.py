"""What was seen, as markdown. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from benchmarks.data import MIB
from benchmarks.report import markdown, seconds
from reliability import faults, rows
from reliability.rows import FINISHED, Load, Results, Row

BEGIN = "<!-- results: written by `python -m reliability` -->"
HEAD = ["fault", "struck", "requests", "wrong", "half published", "uploads left", "outcome", "time", ""]


def report(results: Results, protected: Collection[str]) -> str:
    """All of it; `protected` are the operations whose answers are held against a digest."""
    found = [problem for row in results.rows for problem in rows.problems(row, protected)]
    load = [_load(results.load)] if results.load else []
    return "\n\n".join(
        (
            "\n".join(f"- {name}: {value}" for name, value in results.about.items()),
            f"{len(results.rows)} rows, {_count(sum(row.runs for row in results.rows), 'run')}, "
            f"{sum(row.struck for row in results.rows):,} faults; {_count(len(found), 'problem')}.",
            *(_section(results, name, protected) for name in results.operations),
            *load,
        )
    )


def _section(results: Results, operation: str, protected: Collection[str]) -> str:
    found = [row for row in results.rows if row.operation == operation]
    (undisturbed,) = [row for row in found if row.fault == faults.NONE.name]
    table = markdown(HEAD, (_cells(row, undisturbed, protected) for row in found))
    return f"## {operation}: {results.operations[operation]}\n\n{table}"


def _cells(row: Row, undisturbed: Row, protected: Collection[str]) -> list[str]:
    ratio = row.seconds / undisturbed.seconds if undisturbed.seconds else 0.0
    is_first = row is undisturbed
    return [
        row.fault,
        f"{row.struck:,}",
        _requests(row) if is_first else f"{_requests(row)} ({_requests(undisturbed)})",
        f"{row.wrong:,}",
        str(row.half),
        uploads(row.left, row.unheard),
        ", ".join(f"{_bold(name)} {count}" for name, count in sorted(row.outcomes.items())),
        f"{seconds(row.seconds)} s" if is_first else f"{seconds(row.seconds)} s ({ratio:.1f}x)",
        verdict(row, protected),
    ]


def _requests(row: Row) -> str:
    return f"{sum(row.requests.values()) / row.runs:.0f}"


def _bold(outcome: str) -> str:
    return outcome if outcome == FINISHED else f"`{outcome}`"


def uploads(left: int, unheard: int) -> str:
    """Unfinished uploads, those that no client could know of beside the others.

    >>> uploads(0, 0), uploads(0, 2)
    ('0', '0 + 2 unheard of')
    """
    return f"{left} + {unheard} unheard of" if unheard else str(left)


def verdict(row: Row, protected: Collection[str]) -> str:
    """Good, not good and why, or nobody's fault."""
    found = rows.problems(row, protected)
    if found:
        return f"**{'; '.join(found)}**"
    return "nothing can tell" if row.wrong and rows.undetectable(row, protected) else "good"


def _load(load: Load) -> str:
    found = rows.load_problems(load)
    return "\n\n".join(
        (
            f"## Load: {load.threads} threads on one filesystem for {load.seconds:.0f} s",
            f"**{'; '.join(found)}**" if found else "No problem.",
            markdown(["what", "seen", "bound"], _load_rows(load)),
            markdown(["call", "times"], ([name, f"{count:,}"] for name, count in sorted(load.calls.items()))),
            markdown(["raised", "times", "the first"], _raised(load)) if load.raised else "Nothing was raised.",
        )
    )


def _load_rows(load: Load) -> Iterable[list[str]]:
    second, last = rows.most_in_use(load.samples, 1), rows.most_in_use(load.samples, 2)
    most_last = second + load.most_growth_bytes
    return [
        ["calls", f"{sum(load.calls.values()):,}", ""],
        ["requests", f"{sum(load.requests.values()):,}", ""],
        ["faults", f"{load.struck:,}", "5 % of the requests"],
        ["calls that raised", f"{sum(load.raised.values()):,}", ""],
        ["wrong bytes or names", f"{load.wrong:,}", "0"],
        ["uploads left", uploads(load.left, load.unheard), "0"],
        ["threads that did not end", str(load.stuck), "0"],
        ["most memory in use in the second third", f"{second / MIB:.0f} MiB", ""],
        ["in the last third", f"{last / MIB:.0f} MiB", f"{most_last / MIB:.0f} MiB"],
        [
            "what is left of it after the end",
            f"{load.left_bytes / MIB:.0f} MiB",
            f"{load.most_left_bytes / MIB:.0f} MiB",
        ],
        ["memory resident, most", f"{load.peak_bytes / MIB:.0f} MiB", ""],
        ["threads, most", str(max(sample.threads for sample in load.samples)), str(load.most_threads)],
        ["sockets, most", str(max(sample.sockets for sample in load.samples)), str(load.most_sockets)],
    ]


def _raised(load: Load) -> Iterable[list[str]]:
    return ([f"`{name}`", f"{count:,}", load.messages.get(name, "")] for name, count in sorted(load.raised.items()))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
