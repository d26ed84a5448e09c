"""What `make faults` makes of what it sees: rules, verdicts, tables."""

from __future__ import annotations

import doctest
import importlib
from dataclasses import replace

import pytest

from reliability import faults, load, operations, report, rows
from reliability.__main__ import PAGE, RESULTS, is_bad, page
from reliability.rows import FINISHED, OVERDUE, Load, Outcome, Results, Row, Sample, Stored

NONE = Row("find", "none", {FINISHED: 3}, requests={"ListObjectsV2": 60}, seconds=0.5)
GOOD = Row("find", "503", {FINISHED: 2, "OSError": 1}, struck=6, requests={"ListObjectsV2": 66}, seconds=1.0)
CORRUPT = replace(GOOD, fault=faults.CORRUPT_ANSWER.name, wrong=2)
CALM = Load(
    threads=200, seconds=6.0, most_threads=210, most_sockets=400, most_growth_bytes=100, most_left_bytes=500,
    calls={"write": 5}, raised={"OSError": 1}, foreign=(), wrong=0, stuck=0, struck=9,
    samples=[Sample(float(second), 1_000, 210, 400) for second in range(1, 7)],
)  # fmt: skip


def results(*found: Row, under_load: Load | None = CALM) -> Results:
    return Results({"date": "today"}, {"find": "find all"}, [NONE, *found], under_load)


@pytest.mark.parametrize("name", ["faults", "report", "rows"])
def test_the_examples_of_the_modules_hold(name: str) -> None:
    """They are no decoration."""
    done = doctest.testmod(importlib.import_module(f"reliability.{name}"))
    assert done.attempted > 0
    assert done.failed == 0


def test_a_fault_of_frequent_requests_strikes_by_chance() -> None:
    """Each kind of request that it can strike, and what is sent only after a failure."""
    rules = faults.BY_NAME["503"].rules({"GetObject": 50, "HeadObject": 1}, 0)
    assert {(rule["op"], rule["probability"]) for rule in rules} == {
        (name, faults.CHANCE) for name in ("GetObject", "HeadObject", "AbortMultipartUpload")
    }


def test_a_fault_of_rare_requests_strikes_one_each_time() -> None:
    """By chance it might strike none, and its row would show nothing; the kinds take turns."""
    struck = [faults.BY_NAME["truncated"].rules({"CopyObject": 1, "ListParts": 3}, number) for number in range(3)]
    assert [[(rule["op"], rule["nth"]) for rule in rules] for rules in struck] == [
        [("ListParts", 2)],
        [("CopyObject", 1)],
        [("ListParts", 2)],
    ]


def test_a_fault_that_cannot_strike_has_no_rule() -> None:
    """So it has no row."""
    assert faults.BY_NAME["key of DeleteObjects"].rules({"GetObject": 50}, 0) == []


def test_the_keys_of_a_request_are_struck_and_not_the_request() -> None:
    """Where requests fail, the keys in them are left alone."""
    assert [rule["op"] for rule in faults.BY_NAME["key of DeleteObjects"].rules({"DeleteObjects": 20}, 0)] == [
        faults.ENTRY
    ]
    assert faults.ENTRY not in {rule["op"] for rule in faults.BY_NAME["503"].rules({"DeleteObjects": 20}, 0)}


def test_there_are_at_least_sixty_rows() -> None:
    """Ten operations, and enough that can go wrong."""
    assert len(operations.OPERATIONS) == 10
    assert sum(fault.among is None for fault in faults.FAULTS) * len(operations.OPERATIONS) >= 60


def test_a_row_sums_its_runs() -> None:
    """What was handed out wrong and what was left wrong count alike; time is the median."""
    runs = [
        (Outcome(1.0, wrong=1), Stored(wrong=2)),
        (Outcome(9.0, raised="KeyError", message="'ETag'", is_os_error=False), Stored(half=1, unheard=1)),
        (Outcome(2.0, raised="OSError", message="no"), Stored(left=1)),
    ]
    assert rows.row("find", "503", runs, 4, {"ListObjectsV2": 5}) == Row(
        "find", "503", {FINISHED: 1, "KeyError": 1, "OSError": 1}, 4, {"ListObjectsV2": 5},
        seconds=2.0, wrong=3, half=1, left=1, unheard=1, message="'ETag'", foreign=("KeyError",),
    )  # fmt: skip


def test_an_exception_is_no_problem() -> None:
    """It is what an honest filesystem does when S3 fails for too long."""
    assert rows.problems(GOOD, ()) == []
    assert rows.problems(replace(GOOD, unheard=1), ()) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (replace(GOOD, wrong=7), "7 wrong"),
        (replace(GOOD, half=1), "1 half published"),
        (replace(GOOD, left=2), "2 uploads left"),
        (replace(GOOD, foreign=("KeyError",)), "raised KeyError"),
        (replace(GOOD, outcomes={OVERDUE: 1}), "in time"),
        (replace(GOOD, struck=0), "nothing was struck"),
        (replace(NONE, outcomes={FINISHED: 2, "OSError": 1}, message="no"), "failed without a fault: no"),
        (replace(NONE, wrong=1), "1 wrong"),
        (replace(CORRUPT, half=1), "1 half published"),
    ],
)
def test_a_broken_promise_is_a_problem(row: Row, said: str) -> None:
    """One each, in words; and the program fails."""
    (problem,) = rows.problems(row, ())
    assert said in problem
    assert f"**{problem}**" in report.report(replace(results(), rows=[NONE, row] if row.fault != "none" else [row]), ())
    assert is_bad(results(row))


def test_a_bit_that_nothing_can_tell_is_nobodys_problem() -> None:
    """Until the answers of the operation are held against a digest."""
    assert rows.problems(CORRUPT, ()) == []
    assert report.verdict(CORRUPT, ()) == "nothing can tell"
    assert rows.problems(CORRUPT, {"find"}) == ["2 wrong"]
    assert report.verdict(replace(CORRUPT, wrong=0), ()) == "good"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wrong": 1}, "1 wrong"),
        ({"left": 1}, "1 uploads left"),
        ({"stuck": 1}, "1 threads did not end"),
        ({"foreign": ("KeyError",)}, "raised KeyError"),
        ({"struck": 0}, "nothing was struck"),
        ({"left_bytes": 501}, "501 bytes left"),
        ({"samples": [*CALM.samples, Sample(7.0, 1_000, 211, 400)]}, "211 threads"),
        ({"samples": [*CALM.samples, Sample(7.0, 1_000, 210, 401)]}, "401 sockets"),
        ({"samples": [*CALM.samples, *(Sample(6.5, 1_101, 1, 1) for _ in range(9))]}, "memory grew by 101"),
    ],
)
def test_a_bound_that_the_load_exceeds_is_a_problem(change: dict[str, object], said: str) -> None:
    """One each; and the program fails."""
    assert rows.load_problems(CALM) == []
    (problem,) = rows.load_problems(replace(CALM, **change))
    assert said in problem
    assert is_bad(results(under_load=replace(CALM, **change)))
    assert not is_bad(results())


def test_a_file_may_hold_either_value_after_a_failed_call() -> None:
    """Until it is read; after a call that succeeded it holds the new one and nothing else."""

    def fail() -> None:
        raise OSError("no")

    file = load.File("/a")
    assert file.compare(b"old") == 3
    file.change(b"old", lambda: None)
    assert (file.compare(None), file.compare(None)) == (1, 0)
    file.change(b"old", lambda: None)
    with pytest.raises(OSError, match="no"):
        file.change(b"newer", fail)
    assert (file.compare(b"newer"), file.compare(b"old")) == (0, 3)
    file.change(b"old", lambda: None)
    assert (file.compare(b"old"), file.compare(b"newer")) == (0, 5)


def test_the_load_strikes_as_often_as_it_says() -> None:
    """The first rule that strikes a request decides, so their chances add up to the whole."""
    chances = [rule["probability"] for rule in load.rules() if rule["op"] == "GetObject"]
    assert sum(chances) == pytest.approx(load.CHANCE)


def test_the_table_compares_with_the_run_without_faults() -> None:
    """Requests a run, and time."""
    lines = report.report(results(GOOD), ()).splitlines()
    assert "| none | 0 | 20 | 0 | 0 | 0 | finished 3 | 0.500 s | good |" in lines
    assert "| 503 | 6 | 22 (20) | 0 | 0 | 0 | `OSError` 1, finished 2 | 1.00 s (2.0x) | good |" in lines
    assert "2 rows, 6 runs, 6 faults; 0 problems." in lines


def test_results_come_back_as_they_were_saved() -> None:
    """All of them, the load too."""
    for each in (results(GOOD, replace(CORRUPT, foreign=("KeyError",))), results(under_load=None)):
        assert rows.loads(rows.dumps(each)) == each


def test_the_page_shows_the_results_that_are_kept() -> None:
    """No number in it is written by hand, and none of its rows has a problem."""
    kept = rows.loads(RESULTS.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, kept) == text
    assert len(kept.rows) - len(kept.operations) >= 60
