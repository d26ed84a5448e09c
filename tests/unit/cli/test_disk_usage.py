"""`du`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.cli import disk_usage
from tests.unit.cli.conftest import FILES, Done

Good = Callable[..., Done]
TOTAL = sum(map(len, FILES.values()))


def test_du_sums_up_what_lies_below(good: Good, bucket: list[str], folder: Path) -> None:
    """One line for each path; for programs with the number of files."""
    assert good("du", *bucket, "/top").out.split() == [str(TOTAL), "/top"]
    assert good("du", *bucket, "/top", "/top/a/e", "--json").json == [
        {"size": TOTAL, "name": "/top", "files": len(FILES)},
        {"size": 3000, "name": "/top/a/e", "files": 1},
    ]
    assert good("du", f"file://{folder}").out.split() == [str(TOTAL), str(folder)]


def test_du_goes_down_and_shows_units(good: Good, bucket: list[str]) -> None:
    """Directories come before the one that holds them, as in du(1)."""
    lines = good("du", "-h", "--max-depth", 1, *bucket, "/top").lines
    assert [line.split() for line in lines] == [["2.9", "KiB", "/top/a"], ["2.9", "KiB", "/top"]]
    assert [line.split()[1] for line in good("du", "-d", 9, *bucket, "/top").lines] == ["/top/a/b", "/top/a", "/top"]
    assert good("du", "-d", 9, "--sort", "size:asc", "-q", *bucket, "/top").lines[0] == "/top/a/b"


def test_the_root_of_a_bucket(good: Good, bucket: list[str]) -> None:
    """It is a directory like any other."""
    assert good("du", "-d", 1, *bucket, "/").lines == [f"{TOTAL}  /top", f"{TOTAL}  /"]


def nested(entries: list[Any]) -> dict[str, Any]:
    """Give what ncdu makes of a directory: its name is the first entry's."""
    return {
        each[0]["name"]: nested(each) if len(each) > 1 else {} for each in entries[1:] if isinstance(each, list)
    } | {each["name"]: each["asize"] for each in entries[1:] if isinstance(each, dict)}


@pytest.mark.parametrize("target", ["-", "file"])
def test_the_file_for_ncdu_has_every_file_with_its_size(
    good: Good, bucket: list[str], tmp_path: Path, target: str
) -> None:
    """In version 1.2 of ncdu's format, in a file or on standard output."""
    path = target if target == "-" else str(tmp_path / "export.json")
    out = good("du", "--ncdu", path, *bucket, "/top").out
    major, minor, about, tree = json.loads(out if target == "-" else Path(path).read_text())
    assert (major, minor, about["progname"], tree[0]["name"]) == (1, 2, "registry-s3fs", "/top")
    assert nested(tree) == {"a": {"b": {"c": 5, "d.json": 2}, "e": 3000, "with space": 1}, "f": 0}


NAMES = st.lists(st.lists(st.sampled_from(["a", "b", "a-", "a.b", "\u00e4"]), min_size=1, max_size=4), unique_by=tuple)


@given(NAMES)
def test_ncdus_tree_is_that_of_any_names(names: list[list[str]]) -> None:
    """Also where a file and a directory have one name, and where a name sorts before another one's slash."""
    paths = sorted("/".join(["", "top", *each]) for each in names)
    lines = list(disk_usage.ncdu_lines("/top", [{"name": path, "size": 1} for path in paths]))
    tree = json.loads("[" + ",".join(['{"name": "/top"}', *lines]) + "]")

    def files(entries: list[Any], above: str) -> list[str]:
        found = []
        for each in entries[1:]:
            if isinstance(each, dict):
                found.append(f"{above}/{each['name']}")
            else:
                found += files(each, f"{above}/{each[0]['name']}")
        return found

    assert files(tree, "/top") == paths


@given(NAMES, st.integers(0, 4))
def test_sums_are_those_of_all_that_lies_below(names: list[list[str]], depth: int) -> None:
    """Each directory down to the depth has its own files and those of all below it."""
    infos = [{"name": "/".join(["", "top", *each]), "size": len(each)} for each in names]
    expected: defaultdict[str, int] = defaultdict(int, {"/top": 0})
    for info in infos:
        parts = info["name"].split("/")
        for end in range(2, min(len(parts) - 1, depth + 2) + 1):
            expected["/".join(parts[:end])] += info["size"]
    assert {name: usage.size for name, usage in disk_usage.usage_below("/top", infos, depth).items()} == expected
