"""Tables of registries that were never stored: of any number of repositories, with real weights.

`python -m tests.unit.registry.report.made_tables 50 OUT.html` writes the page of one, such as that of docs/report.png.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from registry_s3fs.registry.report.page import page
from registry_s3fs.registry.report.price import Price
from registry_s3fs.registry.schemas import SCHEMAS
from registry_s3fs.registry.tables import Tables, table_of
from registry_s3fs.registry.weighing import weigh

MIB = 2**20
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
FOLDERS = ("platform", "shop", "data", "search", "payments", "mobile", "ml", "infra", "partners", "tools")
WORDS = ("api", "web", "worker", "gateway", "ingest", "billing", "catalog", "auth", "notify", "train", "proxy", "cron")
BASES = 6
LINK_BYTES = 71
Row = tuple[object, ...]


@dataclass
class _Made:
    """Rows on their way."""

    random: random.Random
    blobs: list[Row] = field(default_factory=list)
    manifests: list[Row] = field(default_factory=list)
    references: list[Row] = field(default_factory=list)
    revisions: list[Row] = field(default_factory=list)
    tags: list[Row] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    layers: list[Row] = field(default_factory=list)

    def blob(self, size: int, when: datetime) -> tuple[str, int]:
        digest = f"sha256:{self.random.getrandbits(256):064x}"
        self.blobs.append((digest, size, when, "STANDARD", *(None,) * 6))
        return digest, size

    def image(self, repository: str, tags: Sequence[str], layers: Sequence[tuple[str, int]], when: datetime) -> None:
        config, manifest = self.blob(7_000, when), self.blob(1_500, when)
        row = [manifest[0], manifest[1], None, None, "image", config[0], *(None,) * 4, 0, len(layers), *(None,) * 4]
        self.manifests.append(tuple(row))
        self.references.append((manifest[0], config[0], "config", 0, config[1], None, None, None))
        for position, (digest, size) in enumerate(layers):
            self.references.append((manifest[0], digest, "layer", position, size, None, None, None))
        self.revisions.append((repository, manifest[0], when, None))
        self.layers += [(repository, digest, when, None) for digest, _ in (*layers, config)]
        for tag in tags:
            self.tags.append((repository, tag, manifest[0], when, None, None, None))
            self.history.append((repository, tag, manifest[0], when, None, None))


def made_tables(repositories: int, seed: int = 1) -> Tables:
    """Give the tables of a registry of so many repositories, with shared bases, leftovers and problems."""
    made = _Made(random.Random(seed))
    begin = NOW - timedelta(days=1100)
    bases = [made.blob(made.random.randint(40, 900) * MIB, begin) for _ in range(BASES)]
    for name in _names(repositories, made.random):
        weight = made.random.lognormvariate(5.4, 1.5)
        first = begin + timedelta(days=made.random.random() * 900)
        for version in range(1, made.random.randint(2, 8)):
            when = first + timedelta(days=made.random.random() * (NOW - first).days)
            layers = [
                bases[made.random.randrange(BASES)],
                made.blob(int(weight * MIB * made.random.random()) + 900, when),
            ]
            made.image(name, [f"1.{version}"] if made.random.random() < 0.85 else [], layers, when)
    for days in (400, 200, 90, 30, 0):
        made.blob(made.random.randint(300, 9000) * MIB, NOW - timedelta(days=days))
    return _finished(made)


def _names(count: int, chance: random.Random) -> list[str]:
    names = [f"{chance.choice(FOLDERS[: 1 + count // 3])}/{chance.choice(WORDS)}" for _ in range(count)]
    return [name if names.index(name) == at else f"{name}-{at}" for at, name in enumerate(names)]


def _finished(made: _Made) -> Tables:
    tables = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    for name in ("blobs", "manifests", "references", "revisions", "tags", "layers"):
        tables[name] = table_of(name, getattr(made, name))
    tables["tag_history"] = table_of("tag_history", made.history)
    tables["uploads"] = _uploads(made)
    tables["problems"] = _problems(made)
    weighed = weigh(Tables(**tables), NOW - timedelta(days=1)).tables
    weighed.snapshot = _snapshot(weighed)
    return weighed


def _uploads(made: _Made) -> pa.Table:
    repository = str(made.tags[0][0]) if made.tags else "team/app"
    begun = NOW - timedelta(days=40)
    first, second = (f"1ce0c0e7-0000-4000-8000-00000000000{number}" for number in (1, 2))
    rows = [
        (repository, first, begun, "id1", begun, 310, 3100 * MIB, None, 31, 40 * 86400, "open"),
        (repository, second, begun, None, None, None, None, 2 * MIB, 1, 86400, "open"),
        (None, None, None, "2~id2", begun, 120, 1200 * MIB, None, 0, 90 * 86400, "no_folder"),
    ]
    return table_of("uploads", rows)


def _problems(made: _Made) -> pa.Table:
    lost, root = f"sha256:{7:064x}", "/docker/registry/v2"
    name, tag = made.tags[0][:2] if made.tags else ("team/app", "1")
    path = f"{root}/blobs/sha256/00/{lost[7:]}/data"
    strange = f"{root}/repositories/.DS_Store"
    rows = [
        ("error", "blob_missing", name, None, lost, path, "it is needed, and not stored", [f"{name}:{tag}"]),
        ("warning", "layer_link_dangling", name, None, lost, None, "its blob is not stored", []),
        ("warning", "unknown_key", None, None, None, strange, "no registry writes it; it has 6148 bytes", []),
    ]
    return table_of("problems", rows)


def _snapshot(tables: Tables) -> pa.Table:
    links = LINK_BYTES * sum(getattr(tables, name).num_rows for name in ("revisions", "tags", "tag_history", "layers"))
    uploads, unknown = 2 * MIB + 3_000, 6_148
    size = (pc.sum(tables.blobs["size"]).as_py() or 0) + links + uploads + unknown
    options = {"link_bytes": links, "upload_bytes": uploads, "unknown_bytes": unknown, "min_age_seconds": 86400}
    keys = tables.blobs.num_rows + links // LINK_BYTES + 6
    return table_of("snapshot", [(NOW, NOW, "/docker/registry/v2", keys, size, None, json.dumps(options))])


if __name__ == "__main__":
    count, out = sys.argv[1:]
    Path(out).write_text(page(made_tables(int(count)), Price(Decimal("0.023"), "USD"), "./inventory"), encoding="utf-8")
