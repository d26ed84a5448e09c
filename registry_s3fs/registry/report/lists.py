"""The rows of the page's tables: the largest ones, as many as there is room for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.report import figures
from registry_s3fs.registry.report.bounds import Shown, fitting, page_bytes
from registry_s3fs.registry.tables import Tables

MOST_AFFECTED = 3
"""How many of the tags that a problem hurts are named."""


class Bound(NamedTuple):
    """How much of the page a table may take."""

    rows: int
    room: int
    """The bytes of all rows."""
    markup: int
    """The bytes of a row beside its texts."""


REPOSITORIES = Bound(500, 200_000, 350)
BARS = Bound(15, 9_000, 400)
TAGS = Bound(60, 20_000, 240)
UPLOADS = Bound(30, 10_000, 330)
UNUSED_BLOBS = Bound(20, 7_000, 200)
PROBLEMS = Bound(150, 28_000, 250)


class Repository(NamedTuple):
    """A row of the table `repositories`."""

    name: str
    tags: int
    manifests: int
    untagged: int
    logical: int
    distinct: int
    unique: int
    shared: int
    fair: int
    last_push: datetime | None


class Tag(NamedTuple):
    """A row of the table `tags`."""

    repository: str
    tag: str
    digest: str | None
    image_bytes: int | None
    unique_bytes: int | None
    pushed_at: datetime | None


class Upload(NamedTuple):
    """A row of the table `uploads`."""

    repository: str | None
    uuid: str | None
    upload_id: str | None
    state: str
    age: int | None
    parts: int | None
    part_bytes: int | None
    data_bytes: int | None


class UnusedBlob(NamedTuple):
    """A row of the table `blobs`."""

    digest: str
    size: int
    modified: datetime | None
    young: bool | None


class Problem(NamedTuple):
    """A row of the table `problems`."""

    severity: str
    code: str
    repository: str | None
    tag: str | None
    digest: str | None
    key: str | None
    detail: str | None
    affected_tags: list[str] | None


Row = TypeVar("Row", Repository, Tag, Upload, UnusedBlob, Problem)


def repositories(tables: Tables) -> Shown[Repository]:
    """Return the repositories that weigh most by their fair share."""
    table = tables.repositories.sort_by([("fair", "descending"), ("name", "ascending")])
    return _fitting(table, Repository, REPOSITORIES)


def bars(tables: Tables) -> Shown[Repository]:
    """Return the repositories that would need most alone."""
    table = tables.repositories.sort_by([("distinct", "descending"), ("name", "ascending")])
    return _fitting(table, Repository, BARS)


def tags(tables: Tables) -> Shown[Tag]:
    """Return the tags with the largest images."""
    order = [("image_bytes", "descending"), ("repository", "ascending"), ("tag", "ascending")]
    return _fitting(tables.tags.sort_by(order), Tag, TAGS)


def uploads(tables: Tables) -> Shown[Upload]:
    """Return the uploads of which most is stored."""
    table = tables.uploads
    size = pc.add(pc.fill_null(table["part_bytes"], 0), pc.fill_null(table["data_bytes"], 0))
    order = [("stored", "descending"), ("repository", "ascending"), ("uuid", "ascending"), ("upload_id", "ascending")]
    return _fitting(table.append_column("stored", size).sort_by(order), Upload, UPLOADS)


def unused_blobs(tables: Tables) -> Shown[UnusedBlob]:
    """Return the largest blobs that no repository's manifests need."""
    return _fitting(figures.unused_blobs(tables), UnusedBlob, UNUSED_BLOBS)


def problems(tables: Tables) -> Shown[Problem]:
    """Return the problems, errors first."""
    table = tables.problems.sort_by([(name, "ascending") for name in ("severity", "code", "repository")])
    return _fitting(table, Problem, PROBLEMS)


def problem_counts(tables: Tables) -> list[tuple[str, str, int]]:
    """Return severity, code and number of the problems, errors first."""
    grouped = tables.problems.group_by(["severity", "code"]).aggregate([([], "count_all")])
    return sorted(rows(grouped, "severity", "code", "count_all"))


def _fitting(table: pa.Table, kind: type[Row], bound: Bound) -> Shown[Row]:
    """Return the first rows of a table for which there is room."""
    found = _rows(table.slice(0, bound.rows), kind)
    return fitting(found, table.num_rows, bound.room, lambda row: bound.markup + _texts_bytes(row))


def _rows(table: pa.Table, kind: type[Row]) -> Iterator[Row]:
    return (kind(*values) for values in rows(table, *kind._fields))


def _texts_bytes(row: tuple[object, ...]) -> int:
    texts = [text for each in row for text in (each[:MOST_AFFECTED] if isinstance(each, list) else [each])]
    return sum(page_bytes(text) for text in texts if isinstance(text, str))
