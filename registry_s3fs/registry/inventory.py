"""A registry's contents as tables: one flat listing, then each tag's link and each manifest, read once.

Memory is bounded by the tables. Of the listing, only the tags' links and odd ones are kept as Python objects.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.model.registry_layout import ROOT, TagLink
from registry_s3fs.registry import changes, collector, uploads
from registry_s3fs.registry.configs import with_configs
from registry_s3fs.registry.contents import Contents
from registry_s3fs.registry.entries import Entry
from registry_s3fs.registry.links import LinksRead, read_links
from registry_s3fs.registry.previous import Previous
from registry_s3fs.registry.problems import found_problems
from registry_s3fs.registry.progress import Progress, silent
from registry_s3fs.registry.s3_inventory import Report
from registry_s3fs.registry.scan import Scan, Sums
from registry_s3fs.registry.schemas import SCHEMAS
from registry_s3fs.registry.tables import Tables, sorted_table, table_of
from registry_s3fs.registry.weighing import weigh
from registry_s3fs.registry.workers import ThisProcess, Workers

if TYPE_CHECKING:
    from distributed import Client
    from fsspec import AbstractFileSystem

logger = logging.getLogger(__name__)

MIN_AGE = timedelta(hours=24)
"""A blob that is newer is ``young``: a push may be about to refer to it."""
SKEW = timedelta(minutes=15)
"""Clocks may differ by that. S3 itself refuses requests whose clock differs by more."""
MAX_ROUNDS = 3
"""How often is read what was pushed meanwhile; after that, the rest counts as it was found."""


def inventory(
    fs: AbstractFileSystem,
    root: str = ROOT,
    *,
    previous: Tables | str | None = None,
    s3_inventory: Report | str | None = None,
    configs: bool = False,
    min_age: timedelta = MIN_AGE,
    client: Client | None = None,
    progress: Progress = silent,
) -> Tables:
    """Return a registry's contents as tables.

    The registry is listed once, flat. Then the link of each tag, each odd link and each manifest is read once, many at
    a time. What is pushed or deleted meanwhile is looked at once more, and is no problem.

    Args:
        fs: Any filesystem of fsspec.
        root: The path in it that ``blobs`` and ``repositories`` lie below.
        previous: An earlier inventory of the registry, or the URL of its directory. Links that have the same time,
            size and ETag, and manifests of the same digest, size and time are not read again.
        s3_inventory: The URL or path of the ``manifest.json`` of one of S3's own inventory reports, which is read in
            place of a listing, or the `Report` itself. It is a day old or more: what is gone since is left out, what
            is new is missing.
        configs: Read the config of each image, too, for ``created`` and what the image runs on.
        min_age: Blobs that are newer are ``young``.
        client: A client of dask.distributed, whose workers list and read the registry in place of this process. The
            filesystem's options travel to them. The tables are the same.
        progress: What is called with a stage (``listing``, ``links``, ``manifests``, ``configs``), the number of its
            items that are done, and how many there are, if that is known.

    Raises:
        OSError: The filesystem cannot be listed, or cannot be reached.
    """
    source = Source(fs, str(fs._strip_protocol(root)).rstrip("/"), previous, s3_inventory)
    with collector.seldom():
        return _inventory(source, client, configs=configs, min_age=min_age, progress=progress)


class Source(NamedTuple):
    """What an inventory is made of."""

    fs: AbstractFileSystem
    root: str
    previous: Tables | str | None
    s3_inventory: Report | str | None


def _inventory(
    source: Source, client: Client | None, *, configs: bool, min_age: timedelta, progress: Progress
) -> Tables:
    fs, root, previous, s3_inventory = source
    _earlier(previous)  # where there is none, that is told before the work
    started = datetime.now(timezone.utc)
    workers = _workers(fs, root, client)
    report = Report(s3_inventory) if isinstance(s3_inventory, str) else s3_inventory
    scan = workers.scan(report, progress)
    recent = (report.created if report else started) - SKEW
    found, links = _read(source, workers, scan, recent, configs=configs, progress=progress)
    found = replace(found, uploads=_uploads(fs, root, scan, links, started))
    weighed = weigh(_in_order(found), started - min_age)
    problems = found_problems(weighed.tables, weighed.registry, links.broken, scan.unknown, root)
    options: dict[str, object] = {
        "configs": configs,
        "min_age_seconds": int(min_age.total_seconds()),
        "previous": previous is not None,
        "s3_inventory": report.url if report else None,
        "link_bytes": scan.sums.links,
        "upload_bytes": scan.sums.uploads,
        "unknown_bytes": scan.sums.unknown,
    }
    return replace(weighed.tables, problems=problems, snapshot=_snapshot(started, root, scan.sums, options))


def _workers(fs: AbstractFileSystem, root: str, client: Client | None) -> Workers:
    if client is None:
        return ThisProcess(fs, root)
    from registry_s3fs.registry.dask_workers import DaskWorkers

    return DaskWorkers(client, fs, root)


def _read(
    source: Source, workers: Workers, scan: Scan, recent: datetime, *, configs: bool, progress: Progress
) -> tuple[Tables, LinksRead]:
    """Read what a listing does not tell. What is known of an earlier inventory is forgotten at the end."""
    earlier = Previous(_earlier(source.previous))
    links = read_links(workers.files, scan, earlier, progress)
    contents = Contents(workers.manifests, earlier, progress)
    found = _Pass(source.fs, source.root, recent, scan, links, contents).tables()
    if configs:
        known = contents.known() if earlier.has_configs() else ()
        manifests = with_configs(workers.configs, found.manifests, found.blobs, known, progress)
        found = replace(found, manifests=manifests)
    return found, links


def _earlier(previous: Tables | str | None) -> Tables | None:
    return Tables.read(previous) if previous is not None and not isinstance(previous, Tables) else previous


def _snapshot(started: datetime, root: str, sums: Sums, options: dict[str, object]) -> pa.Table:
    now = datetime.now(timezone.utc)
    return table_of(
        "snapshot", [(started, now, root, sums.keys, sums.bytes, None, json.dumps(options, sort_keys=True))]
    )


def _in_order(found: Tables) -> Tables:
    return replace(found, **{name: sorted_table(name, getattr(found, name)) for name in SCHEMAS})


def _uploads(fs: AbstractFileSystem, root: str, scan: Scan, links: LinksRead, started: datetime) -> pa.Table:
    folders = uploads.UploadFolders(root)
    for each in scan.uploads:
        folders.add(each)
    for name, text in links.started.items():
        folders.take(name, text)
    try:
        pending = uploads.pending_uploads(fs, root)
    except OSError as error:  # often it is a permission of its own, or the store has no such request
        logger.warning("%s: unfinished uploads cannot be listed, so their parts are not counted: %s", root, error)
        pending = []
    return uploads.table(uploads.joined(folders.listed(), pending, started, root))


class _Pass:
    """What was found, read and looked at once more, until nothing changes."""

    def __init__(
        self, fs: AbstractFileSystem, root: str, recent: datetime, scan: Scan, links: LinksRead, contents: Contents
    ) -> None:
        self._fs = fs
        self._root = root
        self._recent = recent
        self._scan = scan
        self._links = links
        self._contents = contents
        self._looked_for: set[str] = set()
        self._found = Tables(
            **{name: schema.empty_table() for name, schema in SCHEMAS.items() if name != "links"},
            links=links.links,
        )
        self._take(blobs=scan.blobs.table(), revisions=_distinct(scan.revisions.table()), tags=links.tags)
        self._take(layers=_distinct(scan.layers.table()))

    def _take(self, **tables: pa.Table) -> None:
        self._found = replace(self._found, **tables)

    def tables(self) -> Tables:
        """Return the tables, without the columns and tables that are computed of others."""
        for _ in range(MAX_ROUNDS):
            self._read_manifests()
            if not self._look_at_links():
                break
        else:
            self._read_manifests()
        self._take(tag_history=_with_current(self._scan.tag_history.table(), self._found.tags))
        return self._found

    def _read_manifests(self) -> None:
        """Read the manifests of revisions and tags, and look for the blobs that seem to be missing."""
        while True:
            found = self._found
            wanted = chain(*(pc.unique(table["digest"]).to_pylist() for table in (found.revisions, found.tags)))
            self._contents.read((digest for digest in wanted if digest is not None), found.blobs)
            manifests, references = self._contents.tables()
            self._take(manifests=manifests, references=references)
            self._remove_gone()
            missing = changes.missing_blobs(self._found, self._recent) - self._looked_for
            self._looked_for |= missing
            blobs = changes.blobs_now(self._fs, self._root, missing)
            if not blobs:
                return
            self._add_blobs(blobs)

    def _remove_gone(self) -> None:
        """Remove the blobs that were listed, and were gone when they were read."""
        gone = self._contents.gone - self._looked_for
        self._looked_for |= gone
        if gone:
            is_gone = pc.is_in(self._found.blobs["digest"], value_set=pa.array(gone, pa.string()))
            removed = self._found.blobs.filter(is_gone)
            self._scan.sums.keys -= removed.num_rows
            self._scan.sums.bytes -= pc.sum(removed["size"]).as_py() or 0
            self._take(blobs=self._found.blobs.filter(pc.invert(is_gone)))

    def _add_blobs(self, blobs: dict[str, Entry]) -> None:
        rows = [(digest, each.size, each.modified, each.storage_class) for digest, each in blobs.items()]
        self._scan.sums.keys += len(rows)
        self._scan.sums.bytes += sum(each.size for each in blobs.values())
        self._take(blobs=pa.concat_tables([self._found.blobs, table_of("blobs", rows)]))

    def _look_at_links(self) -> bool:
        """Look at the links that lead to nothing, and return whether any changed meanwhile."""
        tags = {
            (link.file.repository, link.file.tag): link.entry
            for link in self._scan.unread
            if isinstance(link.file, TagLink)
        }
        now = changes.links_now(self._fs, self._root, self._found, tags, self._links.odd_revisions, self._recent)
        if not (now.gone or now.new or now.tags):
            return False
        revisions, tags_now = changes.without_changed(self._found, now, changes.moved_tags(self._fs, now))
        self._take(revisions=revisions, tags=tags_now)
        return True


def _distinct(links: pa.Table) -> pa.Table:
    """Return links without those that an alias says again, whose path has another algorithm."""
    grouped = links.group_by(["repository", "digest"]).aggregate([("linked_at", "min")])
    if grouped.num_rows == links.num_rows:
        return links
    columns = [
        grouped["repository"],
        grouped["digest"],
        grouped["linked_at_min"],
        pa.nulls(grouped.num_rows, pa.bool_()),
    ]
    return pa.table(columns, schema=links.schema)


def _with_current(history: pa.Table, tags: pa.Table) -> pa.Table:
    """Return the history of tags with what each means now, where no link of its history says it."""
    keys = ["repository", "tag", "digest"]
    known = tags.filter(pc.is_valid(tags["digest"])).select([*keys, "pushed_at"])
    missing = known.join(history.select(keys), keys=keys, join_type="left anti")
    if not missing.num_rows:
        return history
    nulls = [pa.nulls(missing.num_rows, pa.bool_())] * 2
    return pa.concat_tables(
        [history, pa.table([*(missing[name] for name in known.schema.names), *nulls], schema=history.schema)]
    )
