"""Odd answers, kind by kind: some of the calls and requests under which `make faults` tries each."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from reliability import odd_calls, odd_kinds, odd_runner
from reliability.odd_kinds import KINDS, Kind

pytestmark = [
    pytest.mark.usefixtures("dropped_connections"),
    # boto3 drops the connection of an answer that it cannot make out, and does not close it.
    pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning"),
]

CALLS = (
    *(
        "cat_file, large",
        "get_file",
        "open, read",
        "info, exists",
        "ls",
        "find",
        "pipe_file",
        "open, write (multipart)",
    ),
    *("cp_file", "mv", "rm of many", "rm of a tree"),
)
MOST_MORE_BYTES = 3 * 1024**3
CALLS_IF_SLOW = ("cat_file", "pipe_file")
CALLS_IF_RARE = tuple(odd_calls.BY_NAME)
"""Where none of the others sends a request that can be answered so."""


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    """What is read to its end although it has none fails here, and does not take the machine's memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    found = re.search(r"^VmSize:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    resource.setrlimit(resource.RLIMIT_AS, (int(found[1]) * 1024 + MOST_MORE_BYTES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def runs(kind: Kind) -> list[odd_runner.Run]:
    """One run of each call: from the first request on that can be answered so, always where that is tried."""
    for calls in (CALLS_IF_SLOW if kind.is_slow else CALLS, CALLS_IF_RARE):
        found = [list(odd_runner.runs(kind, call)) for call in calls]
        if any(found):
            return [max((run for run in each if run.operation == each[0].operation), key=lambda run: run.times)
                    for each in found if each]  # fmt: skip
    raise AssertionError(f"no call meets {kind.name}")


@pytest.mark.promise("Odd stores and odd answers")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_odd_answer_is_seen_through_or_refused(kind: Kind) -> None:
    """Whatever a server, proxy or cache says, a call soon gives the right result or an `OSError`. Nothing is lost."""
    found = [f"{run.call}: {run.title}: {text}" for run in runs(kind) for text in odd_runner.perform(run)[1]]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("call", odd_calls.BY_NAME)
def test_where_no_answer_is_odd_every_call_is_right(call: str) -> None:
    """So that what the table shows is the odd answers' doing."""
    unchanged = Kind("unchanged", lambda request, answer: answer)
    run = next(odd_runner.runs(unchanged, call))
    ending, problems = odd_runner.perform_kind(unchanged, run)
    assert problems == []
    assert ending.error is None


def test_a_wrong_result_and_a_lost_object_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filesystem that believed everything would not pass."""
    run = next(odd_runner.runs(odd_kinds.BY_NAME["no ETag"], "mv"))
    monkeypatch.setattr("registry_s3fs.RegistryS3FileSystem.mv", lambda fs, *paths: fs.rm(paths[0]))
    _, problems = odd_runner.perform(run)
    assert "registry/a is deleted, and registry/target does not hold its bytes" in problems
    run = next(odd_runner.runs(odd_kinds.BY_NAME["no ETag"], "cat_file"))
    monkeypatch.setattr("registry_s3fs.RegistryS3FileSystem.cat_file", lambda fs, path: b"other")
    _, problems = odd_runner.perform(run)
    assert any(problem.startswith("gave b'other' instead of 100 bytes") for problem in problems)
