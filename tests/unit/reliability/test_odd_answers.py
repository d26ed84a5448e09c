"""How `make faults` judges a call under odd answers and a soak, what the odd answers are, and what it keeps."""

from __future__ import annotations

import argparse
import doctest
import importlib
import random
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reliability import judging, odd_kinds, odd_report, pages, soak
from reliability.__main__ import ODD_ANSWERS, under_faults
from reliability.judging import Ending, Intent, WrongError, problems, within
from reliability.odd_report import OddAnswers
from reliability.odd_runner import Cell
from reliability.soak import Sample, Soak
from testbed import mutations, random_mutations
from testbed.messages import Answer, Close, Pause, Request, Reset, Silence, steps
from testbed.s3 import S3
from testbed.s3_memory import token

PURE = (
    *("reliability.judging", "reliability.odd_kinds", "reliability.pages", "testbed.messages", "testbed.mutations"),
    *("testbed.reading", "testbed.s3", "testbed.s3_answers", "testbed.s3_memory"),
)
BEFORE = {"a": b"1", "b": b"2"}
MOVE = Intent(stores={"c": b"1"}, deletes=frozenset("a"), moves={"a": "c"})
FAILED = Ending(error=OSError("no"))


@pytest.mark.parametrize("name", PURE)
def test_the_examples_of_the_modules_hold(name: str) -> None:
    """They are no decoration."""
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted > 0
    assert done.failed == 0


@pytest.mark.parametrize(
    ("intent", "ending", "after"),
    [
        (Intent(b"1"), Ending(b"1"), BEFORE),
        (Intent(b"1"), FAILED, BEFORE),
        (Intent(stores={"a": b"3"}), Ending(), {"a": b"3", "b": b"2"}),
        (Intent(stores={"a": b"3"}), FAILED, {"a": b"3", "b": b"2"}),
        (Intent(stores={"a": b"3"}), FAILED, BEFORE),
        (Intent(deletes=frozenset("ab")), FAILED, {"b": b"2"}),
        (MOVE, Ending(), {"c": b"1", "b": b"2"}),
        (MOVE, FAILED, {"a": b"1", "c": b"1", "b": b"2"}),
        (MOVE, FAILED, {"c": b"1", "b": b"2"}),
    ],
)
def test_right_or_refused_and_nothing_lost_is_good(intent: Intent, ending: Ending, after: dict[str, bytes]) -> None:
    """A call that fails may have done some of what it was asked for, and nothing else."""
    assert problems(intent, ending, BEFORE, after) == []


@pytest.mark.parametrize(
    ("intent", "ending", "after", "said"),
    [
        (Intent(b"1"), Ending(b"2"), BEFORE, "gave b'2' instead of b'1'"),
        (Intent(b"1"), FAILED, {"a": b"1"}, "b is lost"),
        (Intent(stores={"a": b"3"}), FAILED, {"a": b"x", "b": b"2"}, "a holds b'x'"),
        (Intent(stores={"a": b"3"}), FAILED, {"b": b"2"}, "a is lost"),
        (Intent(stores={"a": b"3"}), Ending(), BEFORE, "a is not written"),
        (Intent(deletes=frozenset("a")), Ending(), BEFORE, "a is not deleted"),
        (Intent(deletes=frozenset("a")), Ending(), {}, "b is lost"),
        (Intent(b"1"), Ending(b"1"), {**BEFORE, "new": b"4"}, "new holds b'4'"),
        (Intent(b"1"), Ending(error=KeyError("ETag")), BEFORE, "raised KeyError: 'ETag'"),
        (Intent(b"1"), Ending(error=MemoryError()), BEFORE, "raised MemoryError: "),
        (Intent(b"1"), Ending(error=WrongError("half a file")), BEFORE, "half a file"),
        (Intent(b"1"), Ending(seconds=20, stack="where"), BEFORE, "not ended after 20 s"),
        (MOVE, FAILED, {"b": b"2"}, "a is deleted, and c does not hold its bytes"),
        (MOVE, FAILED, {"b": b"2", "c": b""}, "a is deleted, and c does not hold its bytes"),
    ],
)
def test_anything_else_is_a_problem(intent: Intent, ending: Ending, after: dict[str, bytes], said: str) -> None:
    """Other bytes, a loss, a write or deletion that was only said to be done, a raw exception, a call without end."""
    assert said in problems(intent, ending, BEFORE, after)


def test_where_a_lie_cannot_be_told_only_what_is_lost_counts() -> None:
    """A listing that leaves a name out makes a shorter list; it is no excuse for a deletion."""
    assert problems(Intent(["a"]), Ending([]), BEFORE, BEFORE, is_plausible=True) == []
    assert problems(Intent(["a"]), Ending([]), BEFORE, {"a": b"1"}, is_plausible=True) == ["b is lost"]


def test_a_store_that_spoils_the_target_is_no_excuse_to_lose_the_source() -> None:
    """A failed copy may leave anything at its target, but not in place of the very bytes that were to be kept."""
    spoiled = {"a": b"1", "b": b"2", "c": b""}
    assert problems(MOVE, FAILED, BEFORE, spoiled, spoils=True) == []
    assert problems(MOVE, FAILED, BEFORE, spoiled) == ["c holds b''"]
    assert "c is not written" in problems(MOVE, Ending(), BEFORE, spoiled, spoils=True)
    lost = "a is deleted, and c does not hold its bytes"
    assert lost in problems(MOVE, FAILED, BEFORE, {"b": b"2", "c": b""}, spoils=True)
    touched = Intent(stores={"a": b"1"})
    assert problems(touched, FAILED, BEFORE, {"a": b"", "b": b"2"}, spoils=True) == ["a holds b''"]


def test_a_call_that_does_not_end_is_left_with_its_stack() -> None:
    """The next one can be made, and the report says where it was."""
    ending = within(0.05, a_call_that_waits)
    assert "a_call_that_waits" in ending.stack
    assert within(5, lambda: 3).result == 3


def a_call_that_waits() -> None:
    threading.Event().wait(0.5)


# The odd answers

STORE = {"r/a": b"0123456789" * 10, "r/d/1": b"1", "r/d/2": b"2", "r/d/3": b"3"}
REQUESTS = (
    Request("GET", "/demo/r/a", (("Range", "bytes=0-9"),)),
    Request("GET", "/demo/r/a"),
    Request("GET", "/demo/r/none"),
    Request("HEAD", "/demo/r/a"),
    Request("HEAD", "/demo/r/none"),
    Request("PUT", "/demo/r/new", body=b"new"),
    Request("PUT", "/demo/r/copy", (("x-amz-copy-source", "demo/r/a"),)),
    Request("DELETE", "/demo/r/d/1"),
    Request("GET", "/demo?list-type=2&prefix=r%2Fd%2F"),
    Request("GET", "/demo?list-type=2&prefix=r%2F&delimiter=%2F"),
    Request("GET", f"/demo?list-type=2&prefix=r%2Fd%2F&delimiter=%2F&continuation-token={token('r/d/1')}"),
    Request("POST", "/demo/r/up?uploads"),
    Request("POST", "/demo?delete", body=b"<Delete><Object><Key>r/d/2</Key></Object></Delete>"),
)


def answered(request: Request) -> Answer:
    store = S3(page_keys=2)
    for key, data in STORE.items():
        store.store(key, data)
    return store.answer(request)


@pytest.mark.parametrize("kind", odd_kinds.KINDS, ids=lambda kind: kind.name)
def test_each_kind_changes_what_it_suits(kind: odd_kinds.Kind) -> None:
    """Of its operations' answers at least one: other bytes are sent, or the request is taken for another one."""
    found = [(request, answered(request)) for request in REQUESTS if request.operation in kind.operations]
    suited = [pair for pair in found if kind.suits(*pair)]
    changed = [pair for pair in suited if is_changed(kind, *pair)]
    assert changed or not {request.operation for request in REQUESTS} & {*kind.operations} or kind.name in RARE


RARE = (
    *("a HEAD that says 10^18 bytes", "ETag of another version from the second answer on"),
    "a listing gives its first page for ever",
)
"""What takes a large object, or three pages."""


def is_changed(kind: odd_kinds.Kind, request: Request, answer: Answer) -> bool:
    first = [step for _, step in zip(range(3), steps(kind.change(request, answer)), strict=False)]
    return first != [answer.render()] or kind.misread(request) != request


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: f"{request.operation} {request.target}")
def test_whatever_is_drawn_can_be_sent(request_: Request) -> None:
    """Of each answer, a hundred times; and the same chance draws the same."""
    answer = answered(request_)
    for number in range(100):
        drawn = [random_mutations.draw(random.Random(number), request_, answer) for _ in range(2)]
        sent = [step for _, step in zip(range(3), steps(drawn[0].reply(request_, answer)), strict=False)]
        assert all(isinstance(step, (bytes, Pause, Close, Reset, Silence)) for step in sent)
        assert drawn[0].title == drawn[1].title
        assert not random_mutations.draw(random.Random(number), request_, answer, lies=False).is_lie


def test_a_write_that_was_not_done_is_never_told_done() -> None:
    """None of the answers that come instead is S3's yes."""
    put = Request("PUT", "/demo/r/new", body=b"new")
    for number in range(50):
        drawn = random_mutations.draw_instead(random.Random(number), put)
        reply = drawn.reply(put, answered(put))
        assert not isinstance(reply, Answer) or not (reply.status == 200 and reply.header("ETag"))


def test_an_endless_body_ends_after_all() -> None:
    """So that a client which reads it to its end does not fill the memory of the machine."""
    request = REQUESTS[0]
    sent = steps(mutations.endless(b"<Error>", b"x")(request, answered(request)))
    assert sum(len(step) for step in sent if isinstance(step, bytes)) < 2 * mutations.MOST_ENDLESS_BYTES


# The report

GOOD = Cell("no ETag", "cat_file", 2, 0, (), 0.1)
REFUSED = replace(GOOD, call="ls", refused=1)
BAD = replace(GOOD, kind="a page", problems=("once: b is lost",))


def test_a_cell_says_right_refused_or_that_there_is_a_problem() -> None:
    """Refused where any run was; an empty cell where the kind cannot strike; each problem in words below."""
    text = odd_report.table(OddAnswers({"date": "today"}, [GOOD, REFUSED, BAD]))
    assert "| answer | cat_file | ls |" in text
    assert "| no ETag | ✓ | E |" in text
    assert "| a page | **problem** |  |" in text
    assert "2 kinds of answer, 2 calls, 3 cells, 6 runs: 1 right, 1 refused; 1 with a problem." in text
    assert "- a page, cat_file: once: b is lost" in text


def test_the_page_shows_the_table_that_is_kept() -> None:
    """No cell in it is written by hand; there are at least 25 kinds, 8 calls and 150 cells, and no problem."""
    kept = odd_report.odd_answers(ODD_ANSWERS.read_text(encoding="utf-8"))
    text = pages.PAGE.read_text(encoding="utf-8")
    assert pages.inserted(text, "odd answers", odd_report.table(kept)) == text
    assert odd_report.odd_answers(odd_report.dumps(kept)) == kept
    assert len({cell.kind for cell in kept.cells}) >= 25
    assert len({cell.call for cell in kept.cells}) >= 8
    assert len(kept.cells) >= odd_report.LEAST_CELLS
    assert kept.problems == []


def test_without_the_simulator_what_needs_it_is_left_out_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """The rest runs; only who asks for that very part is told that it cannot be had."""
    nothing_chosen = argparse.Namespace(operation=None, fault=None)
    assert not under_faults(nothing_chosen, None)
    said = capsys.readouterr().out
    assert all(name in said for name in ("S3SIM", "read stream", "small writes", "the load"))
    with pytest.raises(SystemExit, match="S3SIM"):
        under_faults(argparse.Namespace(operation=["rm"], fault=None), None)


# The soak

MIB = 1024 * 1024
FLAT = Soak(
    {}, "the scripted store", 10.0, {"write": 100}, 0, {},
    [Sample(number, 100 * MIB + number, 20, 10) for number in range(0, 101, 5)],
)  # fmt: skip


def test_a_flat_soak_has_no_problem() -> None:
    """It says how much there was of each, and how fast it went."""
    assert soak.problems(FLAT) == []
    text = odd_report.soaked(FLAT)
    assert "| operations a second |  | 10 |  |" in text
    assert "| descriptors | 20 | 20 | 28 |" in text


@pytest.mark.parametrize(
    ("last", "changes", "said"),
    [
        ({"resident_bytes": 200 * MIB}, {}, "memory in use, bytes grew"),
        ({"descriptors": 29}, {}, "descriptors grew from 20 to 29"),
        ({"threads": 15}, {}, "threads grew from 10 to 15"),
        ({}, {"wrong": 3}, "3 wrong"),
        ({}, {"raised": {"OSError": "no"}}, "raised OSError: no"),
    ],
)
def test_what_grows_is_a_problem(last: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    """The last quarter is compared with the second; a call that raises is one too, since nothing goes wrong."""
    samples = [replace(each, **last) if each.operations >= 75 else each for each in FLAT.samples]
    (problem,) = soak.problems(replace(FLAT, samples=samples, **changes))
    assert said in problem


def test_what_a_call_takes_and_gives_back_is_no_growth() -> None:
    """A sample may fall into a large write."""
    peak = replace(FLAT.samples[-2], resident_bytes=200 * MIB)
    assert soak.problems(replace(FLAT, samples=[*FLAT.samples[:-2], peak, FLAT.samples[-1]])) == []


def test_a_section_of_a_page_is_replaced_and_no_other(tmp_path: Path) -> None:
    """Each has markers of its own; a page without them is an error that names them."""
    page = "\n".join(f"{pages.begin(name)} old <!-- end of {name} -->" for name in ("one", "two"))
    assert pages.inserted(page, "one", "new").endswith(f"{pages.begin('two')} old <!-- end of two -->")
    with pytest.raises(ValueError, match="three"):
        pages.inserted(page, "three", "new")


def test_a_value_in_a_text_is_short() -> None:
    """However large what was compared."""
    assert len(judging.shown(list(range(10_000)))) < 300
