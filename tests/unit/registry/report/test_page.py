"""The page that shows a registry, made of tables."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_s3fs.model.text import printable, size_text
from registry_s3fs.registry.report import lists
from registry_s3fs.registry.report.page import TREEMAPS, page
from registry_s3fs.registry.report.price import Price
from registry_s3fs.registry.schemas import SCHEMAS
from registry_s3fs.registry.tables import Tables, table_of
from tests.unit.registry.report.made_tables import NOW, made_tables
from tests.unit.registry.report.reading import Page

MOST_BYTES = 400_000
PRICE = Price(Decimal("0.023"), "USD")
DIGEST = f"sha256:{5:064x}"


@pytest.fixture(scope="module")
def tables() -> Tables:
    return made_tables(40)


def sums(table: Any, column: str) -> int:
    return pc.sum(table[column]).as_py() or 0


def empty() -> Tables:
    filled = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    filled["snapshot"] = table_of("snapshot", [(NOW, NOW, "/root", 0, 0, None, "{}")])
    return Tables(**filled)


@pytest.mark.promise("Registry contents")
def test_the_report_is_below_400_kb_for_500_repositories() -> None:
    """The page of a report that shows 500 repositories, with costs, is below 400 KB."""
    made = page(made_tables(500), PRICE, "./inventory")
    assert len(Page(made).table("What each repository")) == 502
    assert len(made.encode()) < MOST_BYTES


@pytest.mark.promise("Registry contents")
def test_the_report_refers_to_nothing_outside(tables: Tables) -> None:
    """The page of a report loads nothing: links lead into the page, or to the inventory beside it."""
    made = page(tables, PRICE, "./inventory")
    read = Page(made)
    assert {each.tag for each in read.elements} & {"img", "link", "iframe", "object", "embed", "base", "form"} == set()
    links = {element.attributes["href"] for element in read.elements if "href" in element.attributes}
    assert all(link.startswith(("#", "./inventory/")) for link in links)
    assert not [each for each in read.elements if {"src", "srcset", "style", "xlink:href"} & set(each.attributes)]
    assert not re.search(r"://|url\(|@import|fetch\(|XMLHttp|import\(", made)


def test_links_into_the_page_lead_somewhere(tables: Tables) -> None:
    """Each names an element's id, and each id is one element's."""
    read = Page(page(tables))
    ids = [each.attributes["id"] for each in read.elements if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    labels = {each["href"][1:] for each in read.of("a")} | {each["aria-labelledby"] for each in read.of("section")}
    assert labels <= set(ids)


def test_only_the_pages_own_script_and_style_are_allowed(tables: Tables) -> None:
    """Its policy knows them by their hashes, and refuses all else."""
    read = Page(page(tables))
    (policy,) = [each["content"] for each in read.of("meta") if "http-equiv" in each]
    (script,), (style,) = read.texts["script"], read.texts["style"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{hashed(style)}'",
        "script-src": f"'sha256-{hashed(script)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def hashed(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_parts_add_up_to_what_is_stored(tables: Tables) -> None:
    """To the byte."""
    _, *parts, every = Page(page(tables)).table("What a listing")
    assert sum(row[1].number for row in parts) == every[1].number == sums(tables.snapshot, "bytes")
    assert parts[0][1].number == sums(tables.repositories, "fair")
    assert parts[1][1].number == sums(tables.blobs.filter(pc.invert(tables.blobs["marked"])), "size")


def test_what_an_inventory_does_not_tell_apart_is_a_part_of_its_own(tables: Tables) -> None:
    """So the parts add up whatever its options say; such as nothing, or no numbers."""
    for options in ("{}", "no JSON", '{"link_bytes": "many"}', None):
        snapshot = table_of("snapshot", [(NOW, NOW, "/root", 9, sums(tables.snapshot, "bytes"), None, options)])
        _, *parts, every = Page(page(replace(tables, snapshot=snapshot))).table("What a listing")
        assert sum(row[1].number for row in parts) == every[1].number
        assert parts[-1][0].text == "Other"


def test_every_repository_has_the_figures_of_its_row(tables: Tables) -> None:
    """The heaviest first, and the foot of the table is the sum."""
    _, *shown, foot = Page(page(tables)).table("What each repository")
    names = ("tags", "manifests", "untagged", "logical", "distinct", "unique", "shared", "fair")
    by_name = {row["name"]: row for row in tables.repositories.to_pylist()}
    for name, *cells, last_push in shown:
        assert [cell.number for cell in cells] == [by_name[name.text][column] for column in names]
        assert last_push.text == f"{by_name[name.text]['last_push']:%Y-%m-%d}"
    fair = [row[8].number for row in shown]
    assert fair == sorted(fair, reverse=True)
    assert foot[2].number == sum(fair) == sums(tables.repositories, "fair")


def test_repositories_beyond_the_room_are_counted_and_linked() -> None:
    """The page says how many more there are and what they weigh, and where they are found."""
    made = made_tables(lists.REPOSITORIES.rows + 30)
    read = Page(page(made, None, "./my%20inventory"))
    rows = read.table("What each repository")
    assert (len(rows), rows[-2][0].text) == (lists.REPOSITORIES.rows + 3, "30 more")
    shown = sum(row[8].number for row in rows[1:-2])
    assert shown + rows[-2][2].number == rows[-1][2].number == sums(made.repositories, "fair")
    assert "./my%20inventory/repositories" in [each["href"] for each in read.of("a")]
    assert "writes all of them as Parquet" in Page(page(made)).text


def test_the_largest_tags_come_first(tables: Tables) -> None:
    """With what each leads to, and what it has alone."""
    _, *shown = Page(page(tables)).table("The tags with the largest images")
    best = tables.tags.sort_by([("image_bytes", "descending")]).slice(0, lists.TAGS.rows).to_pylist()
    assert [row[1].number for row in shown] == [row["image_bytes"] for row in best]
    by_name = {f"{row['repository']}:{row['tag']}": row["unique_bytes"] for row in best}
    assert {row[0].text: row[2].number for row in shown} == by_name


def test_leftovers_are_told_with_their_bytes(tables: Tables) -> None:
    """Unused blobs, those that are new apart; uploads, their pending parts, dangling links, unknown files."""
    read = Page(page(tables))
    _, *shown, together = read.table("What nothing needs")
    unused = tables.blobs.filter(pc.invert(tables.blobs["marked"]))
    young = unused.filter(unused["young"])
    assert [(row[1].number, row[2].number) for row in shown] == [
        (unused.num_rows - young.num_rows, sums(unused, "size") - sums(young, "size")),
        (young.num_rows, sums(young, "size")),
        (2, 2 * 2**20 + 3_000),
        (430, 4300 * 2**20),
        (1, 71),
        (1, 6_148),
    ]
    assert young.num_rows == 1
    assert together[2].number == sum(row[2].number for row in shown)
    states = [row[2].text for row in read.table("The largest first. The age")[1:]]
    assert states == ["open", "no_folder", "open"]
    only_untagged = tables.blobs.filter(pc.and_(tables.blobs["marked"], pc.equal(tables.blobs["tags"], 0)))
    assert f"A further {size_text(sums(only_untagged, 'size'))} is needed only by manifests" in read.text


def test_growth_ends_with_all_blobs(tables: Tables) -> None:
    """Each blob counts from the time at which it was written, and each manifest from its link's."""
    _, *periods = Page(page(tables)).table("Bytes that are stored now")
    assert periods[-1][3].number == sum(row[2].number for row in periods) == sums(tables.blobs, "size")
    assert sum(row[1].number for row in periods) == tables.revisions.num_rows


def test_problems_are_told_errors_first(tables: Tables) -> None:
    """With their code, place and words, and the tags that suffer."""
    _, *shown = Page(page(tables)).table("Errors first")
    assert [row[0].text for row in shown] == ["error", "warning", "warning"]
    assert [row[1].text for row in shown] == ["blob_missing", "layer_link_dangling", "unknown_key"]
    assert [row[4].text for row in shown] == [*tables.problems["affected_tags"][0].as_py(), "", ""]


@pytest.mark.promise("Registry contents")
def test_without_a_price_the_report_tells_no_costs(tables: Tables) -> None:
    """A report without a price tells no costs."""
    read = Page(page(tables))
    assert not re.search(r"\b(costs?|price|USD)\b", read.text, re.IGNORECASE)


def test_costs_are_bytes_by_the_gib_times_the_price(tables: Tables) -> None:
    """Of each repository by its fair share, of leftovers, and of all."""
    read = Page(page(tables, PRICE))
    for row in read.table("What each repository")[1:-1]:
        assert row[9].text == PRICE.cost(row[8].number)
    for caption in ("What nothing needs", "What a listing"):
        for row in read.table(caption)[1:]:
            size = row[2 if caption == "What nothing needs" else 1].number
            assert row[3].text == PRICE.cost(size)
    assert Price(Decimal(2), "EUR").cost(3 * 2**29) == "3.00 EUR"
    assert "costs at 0.023 USD for each GiB" in read.text


def test_an_empty_registry_has_a_page() -> None:
    """Without pictures, and with tables of nothing."""
    read = Page(page(empty(), PRICE, "./inventory"))
    assert read.of("svg") == []
    assert "No repository has any bytes." in read.text
    assert "Nothing was pushed." in read.text


def test_every_table_has_a_caption_and_headings(tables: Tables) -> None:
    """And each row a heading of its own; pictures have a text, or are hidden where a text stands beside them."""
    read = Page(page(tables, PRICE))
    assert len(read.of("caption")) == len(read.of("table")) == len(read.tables)
    assert all(each.get("scope") in ("col", "row") for each in read.of("th"))
    for picture in read.of("svg"):
        assert picture.get("aria-label") or picture.get("aria-hidden") or "x" in picture  # within one that has
    assert read.of("html") == [{"lang": "en"}]
    headings = [element.tag for element in read.elements if re.fullmatch(r"h\d", element.tag)]
    assert (headings[0], headings.count("h1")) == ("h1", 1)


def test_the_bounds_are_those_of_the_page_that_tells_them() -> None:
    """Each number has one owner."""
    told = (Path(__file__).parents[4] / "docs" / "registry.md").read_text(encoding="utf-8")
    shown = (lists.REPOSITORIES.rows, TREEMAPS["desk"][0], lists.TAGS.rows, lists.PROBLEMS.rows)
    assert "at most {} repositories, {} rectangles, {} tags and {} problems".format(*shown) in told
    assert f"below {MOST_BYTES // 1000} KB" in told


# Strangers' names

MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></script>",
    "&lt;",
    "'",
    "{{ 7 * 7 }}",
]
NAMES = st.one_of(
    st.sampled_from(MARKUP),
    st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc", "Cf"]), min_size=1, max_size=40),
    st.text("<>&\"'/=- a\x00\x1b\u202e\u2028", min_size=1, max_size=40),
)
OURS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "main",
        "footer",
        "nav",
        "section",
        "h1",
        "h2",
        "h3",
        "p",
        "dl",
        "dt",
        "dd",
        "div",
        "ul",
        "ol",
        "li",
        "span",
        "code",
        "svg",
        "rect",
        "text",
        "path",
        "polygon",
        "polyline",
        "table",
        "caption",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "details",
        "summary",
        "sup",
        "script",
    ]
)


def hostile(names: list[str]) -> Tables:
    """Give tables in which every text is a stranger's."""
    name = names.__getitem__
    weights = [2**30 >> at for at in range(8)]
    repositories = [
        (f"{name(at % 6)}{at}", 1, 1, size, size, size, 0, size, 0, 0, NOW, NOW) for at, size in enumerate(weights)
    ]
    return replace(
        empty(),
        repositories=table_of("repositories", repositories),
        blobs=table_of("blobs", [(name(0), 2**30, NOW, name(1), name(2), 0, 0, 0, False, False)]),
        tags=table_of("tags", [(name(0), name(1), name(2), NOW, 2**30, 5, name(3))]),
        uploads=table_of("uploads", [(name(3), name(4), NOW, name(5), NOW, 1, 2, 3, 4, 5, name(0))]),
        problems=table_of(
            "problems", [(name(0), name(1), name(2), name(3), name(4), None, name(5), [name(0), name(1)]),
                         (name(1), name(1), None, None, None, name(2), None, None)]
        ),
        snapshot=table_of("snapshot", [(NOW, NOW, name(0), 1, 2**31, None, name(1))]),
    )  # fmt: skip


@pytest.mark.promise("Registry contents")
@given(st.lists(NAMES, min_size=6, max_size=6))
@settings(deadline=None, max_examples=40)
def test_names_are_shown_and_never_obeyed(names: list[str]) -> None:
    """Names in a report are strangers': markup in them is shown as it is, and what would not show is an escape."""
    made = page(hostile(names), PRICE, "./inventory")
    read = Page(made)
    assert {each.tag for each in read.elements} <= OURS
    assert not [name for each in read.elements for name in each.attributes if name.startswith("on")]
    assert len(read.of("script")) == len(read.of("style")) == 1
    shown = [row[0].text for row in read.table("What each repository")[1:-1]]
    assert sorted(shown) == sorted(printable(f"{names[at % 6]}{at}") for at in range(8))
    ours = read.texts["script"][0] + read.texts["style"][0]
    assert made.replace("\n", "").replace(ours, "").isprintable()
    assert read.table("The tags with the largest images")[1][0].text == printable(f"{names[0]}:{names[1]}")


@pytest.fixture(scope="module")
def many() -> Tables:
    return made_tables(600)


@pytest.mark.parametrize("letter", ["a", "&", "\x1b", "\U000e0001"])
def test_the_longest_names_leave_the_page_below_400_kb(many: Tables, letter: str) -> None:
    """Then it has fewer rows. Each of its tables and pictures has its own bound."""
    text = letter * 250
    names = [f"{text}{at:05}" for at in range(600)]
    changed: dict[str, Any] = {}
    for table, columns in {
        "repositories": ["name"],
        "tags": ["repository", "tag"],
        "uploads": ["repository", "uuid"],
        "problems": ["repository", "tag", "detail"],
    }.items():
        rows = getattr(many, table).to_pylist() * (1 if table != "problems" else 100)
        for at, row in enumerate(rows):
            row.update(dict.fromkeys(columns, names[at % 600]))
        changed[table] = table_of(table, [list(row.values()) for row in rows])
    made_page = page(replace(many, **changed), PRICE, "./inventory")
    assert 100_000 < len(made_page.encode()) < MOST_BYTES
    assert len(Page(made_page).table("What each repository")) > 50
