"""``python -m reliability``: makes S3 fail and answer oddly, and says what became of the data.

Without options it does all but the soak. The operations under faults and the load need the simulator, whose folder
`S3SIM` names; without one they are left out, which it says. What is done as a whole is also written down: JSON
beside this file, and docs/reliability.md. The status is 1 where anything is not as promised.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from benchmarks.endpoints import simulator_folder
from benchmarks.report import inserted
from benchmarks.runner import environment
from benchmarks.surroundings import about
from reliability import (
    faults,
    fuzz,
    odd_calls,
    odd_kinds,
    odd_report,
    odd_runner,
    operations,
    pages,
    report,
    rows,
    runner,
    soak,
)
from reliability.odd_report import Chance, OddAnswers
from reliability.pages import HERE, PAGE
from reliability.rows import Results

RESULTS = HERE / "results.json"
ODD_ANSWERS = HERE / "odd_answers.json"
CHANCE = HERE / "fuzz.json"
SOAK = HERE / "soak.json"
DISTRIBUTIONS = ("registry-s3fs", "boto3", "botocore", "urllib3", "fsspec")


def main() -> None:
    """Run what was asked for, print it, write down what is complete."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # the simulators end, as at ctrl-C
    args = _arguments()
    folder = simulator_folder()
    kept = environment()
    os.environ.clear()
    os.environ.update(kept, MALLOC_ARENA_MAX="2")  # no settings of AWS's tools; see docs/reliability.md
    is_bad = False
    if args.faults:
        is_bad |= under_faults(args, folder)
    if args.odd:
        is_bad |= _odd(args)
    if args.fuzz:
        is_bad |= _fuzz(args)
    if args.soak:
        is_bad |= _soak(args.soak, folder)
    sys.exit(1 if is_bad else 0)


def under_faults(args: argparse.Namespace, folder: Path | None) -> bool:
    """Operations under faults, and the load; whether anything is not as promised."""
    is_selection = bool(args.operation or args.fault)
    if folder is None:
        if is_selection:
            sys.exit("S3SIM: names no folder; operations under faults need the simulator of S3 there")
        print(f"left out, since S3SIM names no simulator: {', '.join(operations.BY_NAME)} under faults; the load")
        return False
    results = measure(args, folder)
    print(report.report(results, operations.PROTECTED), flush=True)
    if not is_selection:
        rows.save(RESULTS, results)
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    return is_bad(results)


def measure(args: argparse.Namespace, folder: Path) -> Results:
    """The rows asked for, and the load where nothing was left out."""
    names = args.operation or list(operations.BY_NAME)
    plan = runner.Plan(names, args.fault or [fault.name for fault in faults.FAULTS], args.runs)
    surroundings = _about() | {"runs": f"{plan.runs} of each row"}
    found = runner.run(plan, folder)
    load = None if args.operation or args.fault else runner.load(folder, args.seconds)
    return Results(surroundings, {name: operations.BY_NAME[name].title for name in names}, found, load)


def page(text: str, results: Results) -> str:
    """The page with these results."""
    return inserted(text, report.report(results, operations.PROTECTED), report.BEGIN)


def is_bad(results: Results) -> bool:
    """Whether anything is not as promised."""
    return any(rows.problems(row, operations.PROTECTED) for row in results.rows) or bool(
        results.load and rows.load_problems(results.load)
    )


def _odd(args: argparse.Namespace) -> bool:
    """The table of odd answers; whether a cell has a problem."""
    kinds, calls = args.kind or list(odd_kinds.BY_NAME), args.call or list(odd_calls.BY_NAME)
    found = OddAnswers(_about(), odd_runner.table(kinds, calls))
    _tell("odd answers", odd_report.table(found))
    if not (args.kind or args.call):
        ODD_ANSWERS.write_text(odd_report.dumps(found), encoding="utf-8")
        pages.write("odd answers", odd_report.table(found))
    return bool(found.problems)


def _fuzz(args: argparse.Namespace) -> bool:
    """Odd answers by chance; whether a step has a problem."""
    print(f"seed {args.seed}", flush=True)
    is_one = args.episode is not None
    found = [fuzz.episode(args.episode, args.seed)] if is_one else fuzz.run(args.steps, args.seed)
    problems = [each.told(number) for each in found for number in each.problems]
    result = Chance(_about(), args.seed, dict(fuzz.summary(found)), problems)
    _tell("odd answers by chance", odd_report.chance(result))
    if not is_one and args.steps >= fuzz.STEPS:
        CHANCE.write_text(odd_report.dumps(result), encoding="utf-8")
        pages.write("odd answers by chance", odd_report.chance(result))
    return bool(problems)


def _soak(count: int, folder: Path | None) -> bool:
    """The long run; whether anything grew."""
    found = soak.run(count, folder, _about())
    _tell("soak", odd_report.soaked(found))
    if count >= soak.WRITTEN_DOWN:
        SOAK.write_text(odd_report.dumps(found), encoding="utf-8")
        pages.write("soak", odd_report.soaked(found))
    return bool(soak.problems(found))


def _about() -> dict[str, str]:
    return about("reliability", DISTRIBUTIONS)


def _tell(title: str, text: str) -> None:
    print(f"## {title}\n\n{text}\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reliability", description=(__doc__ or "").split("\n")[0])
    part = parser.add_argument_group("parts; default: the first three")
    part.add_argument("--faults", action="store_true", help="operations under faults, and the load (needs S3SIM)")
    part.add_argument("--odd", action="store_true", help="the table of odd answers")
    part.add_argument("--fuzz", action="store_true", help="odd answers by chance")
    part.add_argument("--soak", type=int, metavar="N", help="so many operations without a fault")
    some = parser.add_argument_group("selections, which are printed only; again for more")
    some.add_argument("--operation", action="append", choices=operations.BY_NAME, help="of --faults")
    some.add_argument("--fault", action="append", choices=[fault.name for fault in faults.FAULTS], help="of --faults")
    some.add_argument("--kind", action="append", choices=odd_kinds.BY_NAME, metavar="KIND", help="row of --odd")
    some.add_argument("--call", action="append", choices=odd_calls.BY_NAME, metavar="CALL", help="column of --odd")
    some.add_argument("--episode", type=int, help="one of --fuzz, to repeat it")
    some.add_argument("--steps", type=int, default=fuzz.STEPS, help="of --fuzz; default: %(default)s")
    parser.add_argument("--seed", type=int, default=fuzz.SEED, help="of --fuzz; default: %(default)s")
    parser.add_argument("--runs", type=int, default=3, help="of each row of --faults; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the load; default: %(default)s")
    args = parser.parse_args()
    args.faults |= bool(args.operation or args.fault)
    args.odd |= bool(args.kind or args.call)
    if not (args.faults or args.odd or args.fuzz or args.soak):
        args.faults = args.odd = args.fuzz = True
    return args


if __name__ == "__main__":
    main()
