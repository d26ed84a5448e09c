"""``python -m reliability``: makes S3 fail, and says what became of the data.

It needs the simulator, whose folder `S3SIM` names. With nothing left out, the results are also written down:
reliability/results.json and docs/reliability.md. The status is 1 where anything is not as promised.
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
from reliability import faults, operations, report, rows, runner
from reliability.rows import Results

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "docs" / "reliability.md"
DISTRIBUTIONS = ("registry-s3fs", "boto3", "botocore", "urllib3", "fsspec")


def main() -> None:
    """Run it all, print the report, write it down where it is complete."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # the simulators end, as at ctrl-C
    args = _arguments()
    folder = simulator_folder()
    if folder is None:
        sys.exit("S3SIM: names no folder; `make faults` needs the simulator of S3 there")
    kept = environment()
    os.environ.clear()
    os.environ.update(kept, MALLOC_ARENA_MAX="2")  # no settings of AWS's tools; see docs/reliability.md
    results = measure(args, folder)
    print(report.report(results, operations.PROTECTED), flush=True)
    if not (args.operation or args.fault):
        rows.save(RESULTS, results)
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    sys.exit(1 if is_bad(results) else 0)


def measure(args: argparse.Namespace, folder: Path) -> Results:
    """The rows asked for, and the load where nothing was left out."""
    names = args.operation or list(operations.BY_NAME)
    plan = runner.Plan(names, args.fault or [fault.name for fault in faults.FAULTS], args.runs)
    surroundings = about("reliability", DISTRIBUTIONS) | {"runs": f"{plan.runs} of each row"}
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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reliability", description=__doc__.split("\n")[0])
    parser.add_argument("--operation", action="append", choices=operations.BY_NAME, help="again for more; default: all")
    names = [fault.name for fault in faults.FAULTS]
    parser.add_argument("--fault", action="append", choices=names, help="again for more; default: all")
    parser.add_argument("--runs", type=int, default=3, help="of each row; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the load; default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()
