"""The page: an inventory's tables as one text of HTML, which needs no other file and no network. Pure.

Names are strangers'. The templates escape all of them, and characters that would not show, or that would turn the text
around, are written as escapes. The page's policy lets nothing run but its own script, which it knows by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from registry_s3fs.model.text import age_text, in_utc, printable, size_text
from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.report import figures, lists, treemap
from registry_s3fs.registry.report.bounds import fitting, page_bytes, shortened
from registry_s3fs.registry.report.curve import curve
from registry_s3fs.registry.report.growth import growth_of
from registry_s3fs.registry.report.price import Price
from registry_s3fs.registry.tables import Tables

_PAGE, _MACROS, _STYLE, _SCRIPT = "page.html", "macros.html", "style.css", "script.js"
_NOTHING = "\N{EN DASH}"
TREEMAPS = {"desk": (180, 42_000, 960.0, 440.0), "phone": (50, 12_000, 360.0, 440.0)}
"""How many repositories have a rectangle of their own, the bytes of the page for them, and the size of the picture."""
_CURVES = {"desk": (960.0, 280.0, 8), "phone": (360.0, 260.0, 3)}
"""The size of the picture, and how many times are written below it."""


def page(tables: Tables, price: Price | None = None, inventory: str | None = None) -> str:
    """Return the page.

    Args:
        tables: The tables of an inventory.
        price: What a GiB costs. Without a price, the page tells no costs.
        inventory: Where the tables are as Parquet, as a link from the page. What the page has no room for is there.
    """
    text: str = (
        _environment()
        .get_template(_PAGE)
        .render(
            price=price,
            cost=price and price.cost,
            inventory=inventory,
            snapshot=figures.snapshot_of(tables),
            parts=figures.parts(tables),
            leftovers=figures.leftovers(tables),
            pending_bytes=figures.total(tables.uploads, "part_bytes"),
            untagged_bytes=figures.untagged_bytes(tables),
            rows={name: getattr(tables, name).num_rows for name in ("repositories", "tags", "manifests", "blobs")},
            bars=lists.bars(tables),
            tags=lists.tags(tables),
            uploads=lists.uploads(tables),
            unused_blobs=lists.unused_blobs(tables),
            problems=lists.problems(tables),
            problem_counts=lists.problem_counts(tables),
            most_affected=lists.MOST_AFFECTED,
            **_repositories(tables),
            **_growth(tables),
            **_style_and_script(),
        )
    )
    return text


@cache
def _environment() -> Environment:
    """Return an environment of jinja2 where every value is made printable, and then escaped."""
    environment = Environment(
        loader=DictLoader({name: _source(name) for name in (_PAGE, _MACROS)}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        size=_size,
        time=_time,
        day=_day,
        age=_age,
        digest=_digest,
        number="{:,}".format,
        short=shortened,
        counted=_counted,
        share=_share,
    )
    return environment


def _printable(value: object) -> object:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _size(count: int | None) -> str:
    return _NOTHING if count is None else size_text(count)


def _time(time: datetime | None) -> str:
    return _NOTHING if time is None else in_utc(time).strftime("%Y-%m-%d %H:%M")


def _day(time: datetime | None) -> str:
    return _NOTHING if time is None else in_utc(time).strftime("%Y-%m-%d")


def _age(seconds: int | None) -> str:
    return _NOTHING if seconds is None else age_text(timedelta(seconds=seconds))


def _digest(digest: str | None) -> str:
    return _NOTHING if digest is None else shortened(digest, 24)


def _counted(count: int, noun: str) -> str:
    """Return a number of things in words, with commas.

    >>> _counted(1407, "repository"), _counted(1, "key")
    ('1,407 repositories', '1 key')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def _share(part: int, whole: int) -> str:
    """Return a part of a whole in percent.

    >>> _share(1, 3), _share(1, 10**6), _share(0, 0)
    ('33.3 %', '< 0.1 %', '0.0 %')
    """
    percent = 100 * part / whole if whole else 0.0
    return "< 0.1 %" if 0 < percent < 0.05 else f"{percent:.1f} %"


def _source(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _style_and_script() -> dict[str, object]:
    """Return style and script, with the hashes by which the page's policy knows them."""
    found: dict[str, object] = {}
    for name, file in (("style", _STYLE), ("script", _SCRIPT)):
        text = _source(file)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        found |= {name: Markup(text), f"{name}_hash": f"sha256-{digest}"}  # noqa: S704  # files of our own
    return found


def _repositories(tables: Tables) -> dict[str, object]:
    """Return the repositories by what they weigh, and the pictures of them, for a desk and for a phone."""
    shown = lists.repositories(tables)
    weights = [treemap.Weight(row.name, row.fair, rank) for rank, row in enumerate(shown.rows) if row.fair > 0]
    fair_bytes = figures.total(tables.repositories, "fair")
    every = rows(tables.repositories, "name", "fair")
    groups = treemap.groups([treemap.Weight(name, size, -1) for name, size in every if size > 0])
    pictures = {}
    for screen, (most, room, width, height) in TREEMAPS.items():
        large = fitting(weights[:most], most, room, lambda each: 200 + 2 * page_bytes(each.name)).rows
        others = treemap.Others(shown.total - len(large), fair_bytes - sum(each.bytes for each in large))
        cells = treemap.cells(large, others, groups, width, height)
        pictures[screen] = {"cells": cells, "width": width, "height": height}
    return {
        "repositories": shown,
        "fair_bytes": fair_bytes,
        "left_bytes": fair_bytes - sum(row.fair for row in shown.rows),
        "groups": groups,
        "treemaps": pictures,
    }


def _growth(tables: Tables) -> dict[str, object]:
    growth = growth_of(tables)
    curves = {
        screen: curve(growth.periods, width, height, most)
        for screen, (width, height, most) in _CURVES.items()
        if growth.periods
    }
    return {"growth": growth, "curves": curves}
