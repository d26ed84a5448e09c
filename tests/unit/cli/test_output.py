"""Rows in the formats that the options name."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.cli.columns import Column, Style
from registry_s3fs.cli.output import Node, Output, Sorting, drawn
from registry_s3fs.model.text import printable

COLUMNS = (
    *(Column("name"), Column("size", "bytes"), Column("when", "time"), Column("tagged", "flag", shown=False)),
    *(Column("age", "age", shown=False), Column("annotations", shown=False)),
)
ROW = st.fixed_dictionaries(
    {
        "name": st.text(),
        "size": st.none() | st.integers(0, 2**60),
        "when": st.none() | st.datetimes(datetime(1980, 1, 1)).map(lambda each: each.replace(tzinfo=timezone.utc)),
        "tagged": st.booleans(),
        "age": st.none() | st.timedeltas(timedelta(0), timedelta(days=9)),
        "annotations": st.dictionaries(st.text(), st.text(), max_size=2),
    }
)


def written(monkeypatch: pytest.MonkeyPatch, output: Output, rows: list[Any], **how: Any) -> str:
    """Give what is written for rows."""
    stream = io.StringIO(newline="")
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        output.rows(iter(rows), COLUMNS, **how)
    return stream.getvalue()


def expected(row: Any) -> Any:
    """Give a row as JSON has it."""
    when, age = row["when"], row["age"]
    return {
        **row,
        "when": when and when.replace(tzinfo=None).isoformat() + "Z",
        "age": None if age is None else age.total_seconds(),
    }


@given(st.lists(ROW, max_size=5))
def test_json_and_its_lines_give_back_every_value(rows: list[Any]) -> None:
    """With all columns by their names, in bytes, seconds and UTC; a terminal finds no escape in it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        whole = written(monkeypatch, Output("json"), rows)
        lines = written(monkeypatch, Output("jsonl"), rows)
    assert json.loads(whole) == [json.loads(line) for line in lines.splitlines()] == [expected(row) for row in rows]
    assert whole.replace("\n", "").isprintable()
    assert len(lines.splitlines()) == len(rows)


@given(st.lists(ROW, max_size=5))
def test_csv_gives_back_every_value(rows: list[Any]) -> None:
    """With a heading of the columns' names. An empty cell is none, and what does not print is an escape."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        text = written(monkeypatch, Output("csv"), rows)
    heading, *lines = csv.reader(io.StringIO(text, newline=""))
    assert heading == [column.name for column in COLUMNS]
    for line, row in zip(lines, map(expected, rows), strict=True):
        assert line[0] == printable(row["name"])
        assert line[1] == ("" if row["size"] is None else str(row["size"]))
        assert line[3:] == [
            json.dumps(row["tagged"]),
            "" if row["age"] is None else str(row["age"]),
            printable(json.dumps(row["annotations"])),
        ]


@given(st.lists(ROW, max_size=5), st.sampled_from(["table", "tree", "csv"]))
def test_a_terminal_gets_nothing_to_obey(rows: list[Any], form: str) -> None:
    """Whatever the names are, in all formats."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert written(monkeypatch, Output(form), rows).replace("\n", "").isprintable()


ROWS = [
    {"name": "b", "size": 2048, "when": None, "tagged": True},
    {"name": "a", "size": None, "when": datetime(2026, 1, 2, tzinfo=timezone.utc), "tagged": False},
    {"name": "c", "size": 10, "when": datetime(2026, 1, 1, tzinfo=timezone.utc), "tagged": False},
]


@pytest.mark.parametrize(
    ("sorting", "names"),
    [
        (Sorting("name"), "abc"),
        (Sorting("name", "desc"), "cba"),
        (Sorting("size"), "bca"),
        (Sorting("size", "asc"), "cba"),
        (Sorting("when"), "acb"),
        (Sorting("tagged"), "bac"),
        (None, "bac"),
    ],
)
def test_rows_are_sorted_as_people_expect(monkeypatch: pytest.MonkeyPatch, sorting: Sorting | None, names: str) -> None:
    """Names from A to Z, the largest and newest first, unless told otherwise; rows without a value come last."""
    text = written(monkeypatch, Output(sorting=sorting, is_quiet=True), ROWS)
    assert "".join(text.split()) == names


def test_a_limit_takes_the_first_rows_and_asks_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows that nobody wants are not listed."""
    taken = []

    def rows() -> Any:
        for row in ROWS:
            taken.append(row)
            yield row

    assert json.loads(written(monkeypatch, Output("json", limit=1), rows()))[0]["name"] == "b"  # type: ignore[arg-type]  # an iterator
    assert len(taken) == 1


def test_a_table_has_a_heading_units_and_remarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are right-aligned; what is not known is a dash; columns for programs are left out."""
    text = written(monkeypatch, Output(style=Style(iec=True)), ROWS, notes=["3 rows"])
    assert text.splitlines() == [
        "NAME     SIZE  WHEN",
        "b     2.0 KiB  -",
        "a           -  2026-01-02 00:00:00",
        "c        10 B  2026-01-01 00:00:00",
        "",
        "3 rows",
    ]


def test_rows_without_a_tree_of_their_own_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the parts of their names."""
    rows = [{"name": "team/app", "size": 5}, {"name": "team/app/x"}, {"name": "z", "size": 1}]
    assert written(monkeypatch, Output("tree"), rows).splitlines() == [
        "team",
        "└── app  size 5",
        "    └── x",
        "z     size 1",
    ]


def test_a_tree_shows_which_line_is_the_last_of_its_kind() -> None:
    """And goes as deep as its nodes do."""
    tree = [Node("a", [Node("b", [Node("c")]), Node("d", note="1")])]
    assert list(drawn(tree)) == ["a", "├── b", "│   └── c", "└── d  1"]


def test_no_rows_are_an_empty_list_and_no_heading(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every format."""
    assert written(monkeypatch, Output(), []) == ""
    assert written(monkeypatch, Output("json"), []) == "[]\n"
    assert written(monkeypatch, Output("jsonl"), []) == ""
