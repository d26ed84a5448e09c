"""What the benchmark makes of its numbers: medians, ratios, targets, tables."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import data, report, results, runner, targets
from benchmarks.peers import OURS, baseline_name
from benchmarks.results import Record, Results
from registry_s3fs.model import registry_layout

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"


def measured(*records: Record, profile: str = "lan") -> Results:
    moved = {"find": 0, "cat": report.GIB // 2}
    return Results(profile, "a title", {"find": "find all", "cat": "read all"}, {"date": "today"}, list(records), moved)


def verdict(target: targets.Target, *records: Record) -> targets.Verdict:
    return target.judge({record.peer: record for record in records}, {})


@pytest.mark.parametrize("name", ["data", "growth", "peers", "report", "runner", "surroundings"])
def test_the_examples_of_the_modules_hold(name: str) -> None:
    """They are no decoration."""
    module: ModuleType = importlib.import_module(f"benchmarks.{name}")
    done = doctest.testmod(module)
    assert done.attempted > 0
    assert done.failed == 0


def test_a_summary_has_the_medians() -> None:
    """One slow round does not count."""
    rounds = [Record("s3fs", "find", seconds, 1.0, 10, {"GetObject": 4}) for seconds in (2.0, 90.0, 1.0)]
    found = results.summarise(rounds)["find"]["s3fs"]
    assert (found.seconds, found.peak_bytes, found.requests) == (2.0, 10, {"GetObject": 4})


@pytest.mark.parametrize(
    ("theirs", "is_settled"),
    [((9.0,), True), ((1.0, 9.0), False), ((3.0,), False), ((7.9,), False), ((), False)],
    ids=["far behind", "far behind once", "near", "near our slowest round", "not measured"],
)
def test_a_peer_that_is_far_behind_is_not_measured_again(theirs: tuple[float, ...], is_settled: bool) -> None:
    """Beside the slower of our rounds: one that chance made quick settles nothing."""
    ours = [Record(OURS, "find", seconds) for seconds in (1.0, 2.0)]
    rounds = [*ours, *(Record("s3fs", "find", seconds) for seconds in theirs), Record("s3fs", "cat", 90.0)]
    assert runner.is_settled(rounds, "s3fs", "find") is is_settled
    assert not runner.is_settled(rounds, OURS, "find")


def test_a_peer_that_failed_is_not_measured_again() -> None:
    """Nor is ours."""
    for peer in (OURS, "s3fs"):
        assert runner.is_settled([Record(peer, "find", failure="wrong result")], peer, "find")


def test_the_cpu_of_a_unit_is_that_of_a_gib_or_of_a_request() -> None:
    """Of a GiB where many bytes are moved, whatever the number of requests."""
    requests = {"GetObject": 20}
    text = report.report(
        measured(Record(OURS, "find", 1.0, 0.05, None, requests), Record(OURS, "cat", 1.0, 0.7, None, requests))
    )
    table = text.partition("### CPU of a GiB")[2].partition("###")[0]
    assert [row.split(" | ")[1].strip(" |") for row in table.splitlines() if row.startswith("| **")] == [
        "2.50 ms",
        "1.40 s",
    ]


@pytest.mark.parametrize(("cpu_seconds", "met"), [(0.5, True), (0.6, False)])
def test_a_share_of_another_peers_cpu_decides(cpu_seconds: float, met: bool) -> None:
    """The wall does not matter here."""
    ours, theirs = Record(OURS, "cat", 9.0, cpu_seconds), Record("obstore", "cat", 1.0, 1.0)
    target = targets.Cpu("tls", "cat", 0.55, "obstore")
    assert verdict(target, ours, theirs) == ("0.55x the CPU of obstore", f"{cpu_seconds:.2f}x", met)
    assert verdict(target, ours).met is None


@pytest.mark.parametrize(("seconds", "met"), [(1.05, True), (1.2, False)])
def test_a_call_is_compared_with_another_of_ours(seconds: float, met: bool) -> None:
    """Within a tenth they take equally long."""
    target, ours = targets.AsFastAs("lan", "get one", "get file"), {OURS: Record(OURS, "get one", seconds)}
    assert target.judge(ours, {"get file": {OURS: Record(OURS, "get file", 1.0)}}).met is met
    assert target.judge(ours, {}).met is None


def test_a_failure_in_one_round_stands_for_all() -> None:
    """Never a number for a peer that answered wrong once."""
    found = results.summarise([Record("s3fs", "find", 1.0), Record("s3fs", "find", failure="wrong result")])
    assert found["find"]["s3fs"].failure == "wrong result"


def test_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    """And a profile replaces its own last results only."""
    path = tmp_path / "results.json"
    lan, wan = measured(Record(OURS, "find", 1.0, requests={"ListObjectsV2": 100})), measured(profile="wan")
    for each in (measured(), wan, lan):
        results.save(path, each)
    assert results.load(path) == [lan, wan]


@pytest.mark.parametrize(
    ("theirs", "measured", "met"),
    [
        (Record("s3fs", "find", 7.0), "7.00x", True),
        (Record("s3fs", "find", 6.9), "6.90x", False),
        (Record("s3fs", "find", 30.0, failure="over 30 s"), "over 30.00x", True),
        (Record("s3fs", "find", 5.0, failure="over 5 s"), "over 5.00x", None),
        (Record("s3fs", "find", failure="wrong result"), "wrong result", None),
        (Record("boto3", "find", 7.0), "not measured", None),
    ],
)
def test_a_ratio_decides(theirs: Record, measured: str, met: bool | None) -> None:
    """A peer that ran out of time gives a lower bound, and any other failure nothing."""
    found = verdict(targets.Faster("lan", "find", 7, "s3fs"), Record(OURS, "find", 1.0), theirs)
    assert (found.measured, found.met) == (measured, met)


def test_the_fastest_peer_is_none_that_failed_and_not_ours() -> None:
    """It is named with the ratio."""
    peers = (
        Record(OURS, "cat", 1.0),
        Record("s3fs", "cat", 3.0),
        Record("obstore", "cat", 0.1, failure="wrong result"),
    )
    assert verdict(targets.Faster("wan", "cat", 2, targets.FASTEST), *peers) == (
        "2x as fast as the fastest peer", "3.00x (s3fs)", True,
    )  # fmt: skip


def test_the_fastest_of_the_filesystems_leaves_other_interfaces_out() -> None:
    """They have another call there."""
    peers = (Record(OURS, "walk", 1.0), Record("s3fs", "walk", 5.0), Record("obstore", "walk", 0.1))
    assert verdict(targets.Faster("wan", "walk", 5, targets.FASTEST_FSSPEC), *peers).measured == "5.00x (s3fs)"


@pytest.mark.parametrize(("extra", "met"), [(0, True), (1, False)])
def test_memory_and_requests_have_upper_bounds(extra: int, met: bool) -> None:
    """At the bound it is met, beyond it is not."""
    ours = Record(OURS, "cat", 1.0, peak_bytes=100 + extra, requests={"GetObject": 9, "HeadObject": 1 + extra})
    assert verdict(targets.Memory("lan", "cat", 100), ours).met is met
    assert verdict(targets.Requests("lan", "cat", 10), ours).met is met


def test_what_was_not_counted_is_not_judged() -> None:
    """Endpoints do not count requests, and some systems tell no peak."""
    ours = Record(OURS, "cat", 1.0)
    assert verdict(targets.Memory("lan", "cat", 100), ours).met is None
    assert verdict(targets.Requests("lan", "cat", 10), ours).met is None


def test_a_failure_of_ours_misses_every_target() -> None:
    """It is not left out."""
    summary = results.summarise([Record(OURS, "find", failure="wrong result"), Record("s3fs", "find", 1.0)])
    verdicts = targets.judged("lan", summary)
    assert [found.measured for _, found in verdicts] == ["wrong result"] * len(verdicts)
    assert {found.met for _, found in verdicts} == {False}


def test_the_tables_have_ratios_to_ours() -> None:
    """Ours first; failures in words."""
    text = report.report(
        measured(
            Record("s3fs", "find", 3.0, 1.0),
            Record(OURS, "find", 2.0, 0.5),
            Record("boto3", "find", failure="over 30 s"),
        )
    )
    assert "| workload | registry-s3fs | s3fs | boto3 | best / ours |" in text
    assert "| **find** | 2.00 | 3.00 (1.50) | over 30 s | 1.50 |" in text
    assert "| **find** | 0.500 | 1.00 (2.00) | over 30 s | 2.00 |" in text
    (target,) = [
        each for each in targets.TARGETS
        if isinstance(each, targets.Faster) and (each.profile, each.workload, each.than) == ("lan", "find", "s3fs")
    ]  # fmt: skip
    assert f"| find | {target.times:.0f}x as fast as s3fs | 1.50x | **missed** |" in text


def test_requests_are_told_by_short_names() -> None:
    """So that the table is not wider than the page."""
    sent = {"GetObject": 1000, "CreateMultipartUpload": 1, "UploadPart": 2, "ListObjectsV2": 3, "DeleteObjects": 4}
    text = report.report(measured(Record(OURS, "find", 1.0, requests=sent)))
    assert "| **find** | 1,010: 1 Create, 4 DeleteObjects, 1,000 Get, 3 List, 2 Part |" in text


def test_an_earlier_commit_stands_beside_ours() -> None:
    """With a ratio of its own, in wall and CPU seconds; it is no peer that could be the fastest."""
    old = baseline_name("0123456789")
    peers = [Record("s3fs", "find", 3.0, 2.0), Record(old, "find", 1.6, 1.0), Record(OURS, "find", 2.0, 0.5)]
    text = report.report(measured(*peers))
    assert "| workload | registry-s3fs | baseline 0123456 | s3fs | ours / baseline | best / ours |" in text
    assert "| **find** | 2.00 | 1.60 (0.80) | 3.00 (1.50) | 1.25 | 1.50 |" in text
    assert "| **find** | 0.500 | 1.00 (2.00) | 2.00 (4.00) | 0.50 | 4.00 |" in text


@pytest.mark.parametrize("failed", [OURS, baseline_name("0123456789")])
def test_no_ratio_where_ours_or_the_earlier_commit_failed(failed: str) -> None:
    """The other's seconds are shown alone."""
    old = baseline_name("0123456789")
    records = [Record(name, "find", 2.0, failure="over 30 s" if name == failed else "") for name in (OURS, old)]
    assert f"| **find** | {' | '.join(cells(records))} |  |  |" in report.report(measured(*records))


def cells(records: list[Record]) -> list[str]:
    """What the table says of records that no ratio can be made of."""
    return [record.failure or "2.00" for record in records]


def test_no_column_for_an_earlier_commit_that_is_not_there() -> None:
    """The page stays as it is."""
    assert "baseline" not in report.report(measured(Record(OURS, "find", 1.0), Record("s3fs", "find", 1.0)))


def test_no_ratio_to_a_failure_of_ours() -> None:
    """The others' seconds are shown alone."""
    text = report.report(measured(Record(OURS, "find", 30.0, failure="over 30 s"), Record("s3fs", "find", 3.0, 1.0)))
    assert "| **find** | over 30 s | 3.00 |  |" in text


def test_a_page_without_its_markers_is_refused() -> None:
    """Nothing is overwritten by guess."""
    with pytest.raises(ValueError, match="lacks the lines"):
        report.inserted("a page", "text")


def test_the_page_shows_the_results_that_are_kept() -> None:
    """docs/performance.md and benchmarks/results.json are of the same run."""
    from benchmarks.__main__ import RESULTS, tables

    page = PAGE.read_text(encoding="utf-8")
    assert report.inserted(page, tables(results.load(RESULTS))) == page


def test_large_contents_differ_wherever_a_part_could_be_mistaken() -> None:
    """Parts of common sizes, exchanged, are seen."""
    for part in (5, 8, 10, 16, 50):
        first, second = (data.content(number * part * data.MIB, 64) for number in (1, 2))
        assert first != second


def test_the_registry_is_one() -> None:
    """Its keys are a registry's, and those that the glob of tags and the walk are counted by."""
    keys = list(data.registry_keys(images=50, repositories=25))
    assert sum(registry_layout.blob_digest(f"/{key}") is not None for key in keys) == 5 * 50
    assert {registry_layout.tag_of(f"/{key}") for key in keys} > {registry_layout.Tag("team-03/app-0003", "v1")}
    assert sum(key.endswith("/current/link") for key in keys) == 50
    folders = {
        "/".join(parts[4 : 4 + depth])
        for parts in (key.split("/") for key in keys if "/repositories/" in key)
        for depth in (1, 2, 3)
    }
    assert len(folders) == data.walked_directories(25)
