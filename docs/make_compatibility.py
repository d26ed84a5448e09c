"""Writes down a run of the tests in docs/compatibility.json, and makes docs/compatibility.md of all runs.

``python docs/make_compatibility.py WHAT REPORT`` is run on what was tried, when its tests have passed. REPORT is
pytest's JUnit file.
"""

from __future__ import annotations

import json
import platform
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
RUNS, PAGE = HERE / "compatibility.json", HERE / "compatibility.md"
LIBRARIES = ("boto3", "botocore", "fsspec")
TOP = """\
# What it was tried on

`make matrix` runs the tests that show whether Python, boto3 or fsspec do otherwise than before: those of reading,
writing, listing, credentials, the fast path and fsspec's own suite, on moto's server. Warnings are errors. Each row is
a run that passed, and the command has written it. On Python 3.11 `make test` and `make thorough` run all tests, and
`.ci/run` runs most of them on the lowest and the newest releases of the dependencies, too.

- **Python** 3.10 to 3.13. 3.14 is not refused, and is untested: no build of it was at hand.
- **boto3** from 1.36.0 on. The command tries the last release of each quarter, and the newest.
- **fsspec** from 2024.10.0 on. The command tries the last release of each year, and the newest.

Only the runs in the table were made.

| tried | Python | boto3 | botocore | fsspec | passed | skipped | on |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
BOTTOM = """
A skipped test needs a program or a library that was not there, or a method that this release does not have.
"""
Run = dict[str, str]


def run_here(what: str, report: Path) -> Run:
    """What ran, and on what."""
    suite = next(ElementTree.parse(report).iter("testsuite"))  # noqa: S314  # pytest has just written it
    count = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    if count["failures"] or count["errors"] or not count["tests"]:
        raise SystemExit(f"{report}: the tests did not pass, so nothing is written down")
    return {
        "tried": what,
        "Python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "passed": str(count["tests"] - count["skipped"]),
        "skipped": str(count["skipped"]),
        "on": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }


def page(runs: list[Run]) -> str:
    """The page of these runs."""
    return TOP + "".join(f"| {' | '.join(run.values())} |\n" for run in runs) + BOTTOM


def place(run: Run) -> tuple[object, ...]:
    """Where a run stands: by what was tried, by Python, by release."""
    kind = ("newest", "lowest", "boto3", "fsspec").index(run["tried"].split()[0])
    numbers = (run["Python"], run["boto3"], run["fsspec"])
    return (kind, *([int(part) for part in number.split(".")] for number in numbers))


def main(what: str, report: str) -> None:
    """Write the run down in the place of an earlier one of the same."""
    run = run_here(what, Path(report))
    kept = [each for each in json.loads(RUNS.read_text()) if not _is_same(each, run)]
    runs = sorted([*kept, run], key=place)
    RUNS.write_text(json.dumps(runs, indent=1) + "\n")
    PAGE.write_text(page(runs))


def _is_same(one: Run, other: Run) -> bool:
    pythons = [run["Python"].rpartition(".")[0] for run in (one, other)]
    return one["tried"] == other["tried"] and pythons[0] == pythons[1]


if __name__ == "__main__":
    main(*sys.argv[1:])
