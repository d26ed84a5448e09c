"""The command `report`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from registry_s3fs.registry.inventory import inventory
from tests.unit.cli.conftest import Run
from tests.unit.cli.sample import Sample

URL_OF_PAGE = "memory://pages/today.html"


@pytest.mark.promise("Commands")
def test_the_page_of_a_registry_or_of_an_inventory_is_written(good: Run, place: list[str], tmp_path: Path) -> None:
    """`report` writes one page of the registry, or of an inventory, where it was told to, and makes folders for it."""
    out = tmp_path / "new" / "report.html"
    done = good("report", *place, out)
    page = out.read_text(encoding="utf-8")
    assert re.fullmatch(rf"{re.escape(str(out))}: 3 repositories, \d+ bytes\n", done.out)
    assert page.startswith("<!doctype html>")
    assert {"math", "team/app", "team/tools"} <= set(re.findall(r'<th scope="row">([^<]+)</th>', page))


def test_the_page_goes_to_any_filesystem(good: Run, sample: Sample) -> None:
    """A URL names it, and the word before it the registry."""
    row = good("report", sample.url, URL_OF_PAGE, "--json").json
    data = sample.made.fs.cat_file("/pages/today.html")
    assert row == {"page": URL_OF_PAGE, "bytes": len(data), "repositories": 3, "problems": 0}
    assert good("report", sample.url, URL_OF_PAGE, "-q").out == f"{URL_OF_PAGE}\n"


@pytest.mark.parametrize("name", ["inventory", "an inventory of 100%", "javascript:alert(1)", '"><b>'])
def test_the_inventory_is_linked_relatively(good: Run, sample: Sample, tmp_path: Path, name: str) -> None:
    """So page and inventory may move together, and no name of a folder is taken for a script or markup."""
    inventory(sample.made.fs, root=sample.made.root).write(str(tmp_path / name))
    good("report", "--from", tmp_path / name, tmp_path / "pages" / "report.html")
    links = re.findall(r'href="([^"#]+)"', (tmp_path / "pages" / "report.html").read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert link.startswith("./../")
        assert (tmp_path / "pages" / unquote(link)).resolve() == tmp_path / name
        assert ":" not in link


def test_an_inventory_elsewhere_is_not_linked(good: Run, sample: Sample, tmp_path: Path) -> None:
    """A browser reaches no other filesystem from a page."""
    inventory(sample.made.fs, root=sample.made.root).write("memory://inventories/today")
    good("report", "--from", "memory://inventories/today", tmp_path / "report.html")
    assert re.findall(r'href="([^"#]+)"', (tmp_path / "report.html").read_text(encoding="utf-8")) == []


def test_costs_are_told_with_a_price_only(good: Run, place: list[str], tmp_path: Path) -> None:
    """There is no default price."""
    out = tmp_path / "report.html"
    good("report", *place, out, "--price", "1000", "--currency", "EUR")
    assert "EUR" in out.read_text(encoding="utf-8")
    good("report", *place, out, "--price", "1000")
    assert "costs at 1000" in out.read_text(encoding="utf-8")
    good("report", *place, out)
    assert not re.search(
        r"\bcosts?\b", re.sub(r"(?s)<(style|script)>.*?</\1>", "", out.read_text(encoding="utf-8")), re.I
    )


@pytest.mark.parametrize(
    "words",
    [
        ["report"],
        ["report", "memory://a", "memory://b", "c.html"],
        ["report", "--from", "inventory", "memory://srv", "c.html"],
        ["report", "--currency", "USD", "c.html"],
        ["report", "--price", "-1", "c.html"],
        ["report", "--price", "nan", "c.html"],
        ["report", "--price", "0.023", "--currency", "<b>", "c.html"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(run: Run, words: list[str]) -> None:
    """With status 2, before anything is listed."""
    done = run(*words)
    assert (done.status, done.out) == (2, "")
    assert "usage:" in done.err


def test_a_missing_library_is_named_with_what_brings_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1, and no traceback."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "registry_s3fs.registry.report.page", raising=False)
    done = run("report", "memory://srv", "out.html")
    assert (done.status, done.out) == (1, "")
    assert done.err.endswith("; pip install 'registry-s3fs[report]' brings what the report needs\n")
