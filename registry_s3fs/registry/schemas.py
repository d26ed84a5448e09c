"""The columns of each table of an inventory, and the order of its rows.

Times are in UTC, to the microsecond. A digest is ``algorithm:hexadecimal``. Sizes are bytes.
`docs/registry.md` says what each column means.
"""

from __future__ import annotations

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
TEXT = pa.string()
COUNT = pa.int64()
BYTES = pa.int64()
FLAG = pa.bool_()
NAMES = pa.list_(pa.string())
ANNOTATIONS = pa.map_(pa.string(), pa.string())

SCHEMAS: dict[str, pa.Schema] = {
    "blobs": pa.schema(
        [
            ("digest", TEXT),
            ("size", BYTES),
            ("modified", TIME),
            ("storage_class", TEXT),
            ("kind", TEXT),
            ("manifests", COUNT),
            ("repositories", COUNT),
            ("tags", COUNT),
            ("marked", FLAG),
            ("young", FLAG),
        ]
    ),
    "manifests": pa.schema(
        [
            ("digest", TEXT),
            ("size", BYTES),
            ("media_type", TEXT),
            ("artifact_type", TEXT),
            ("kind", TEXT),
            ("config_digest", TEXT),
            ("subject", TEXT),
            ("os", TEXT),
            ("architecture", TEXT),
            ("variant", TEXT),
            ("children", COUNT),
            ("layers", COUNT),
            ("annotations", ANNOTATIONS),
            ("closure_bytes", BYTES),
            ("created", TIME),
            ("error", TEXT),
        ]
    ),
    "revisions": pa.schema([("repository", TEXT), ("digest", TEXT), ("linked_at", TIME), ("tagged", FLAG)]),
    "references": pa.schema(
        [
            ("parent", TEXT),
            ("child", TEXT),
            ("role", TEXT),
            ("position", COUNT),
            ("declared_size", BYTES),
            ("media_type", TEXT),
            ("title", TEXT),
            ("annotations", ANNOTATIONS),
        ]
    ),
    "tags": pa.schema(
        [
            ("repository", TEXT),
            ("tag", TEXT),
            ("digest", TEXT),
            ("pushed_at", TIME),
            ("image_bytes", BYTES),
            ("unique_bytes", BYTES),
            ("digest_tag_of", TEXT),
        ]
    ),
    "tag_history": pa.schema(
        [
            ("repository", TEXT),
            ("tag", TEXT),
            ("digest", TEXT),
            ("tagged_at", TIME),
            ("current", FLAG),
            ("still_there", FLAG),
        ]
    ),
    "layers": pa.schema([("repository", TEXT), ("digest", TEXT), ("linked_at", TIME), ("used_by_manifest", FLAG)]),
    "repositories": pa.schema(
        [
            ("name", TEXT),
            ("tags", COUNT),
            ("manifests", COUNT),
            ("logical", BYTES),
            ("distinct", BYTES),
            ("unique", BYTES),
            ("shared", BYTES),
            ("fair", BYTES),
            ("untagged", COUNT),
            ("link_only", COUNT),
            ("first_push", TIME),
            ("last_push", TIME),
        ]
    ),
    "uploads": pa.schema(
        [
            ("repository", TEXT),
            ("uuid", TEXT),
            ("started_at", TIME),
            ("upload_id", TEXT),
            ("initiated", TIME),
            ("parts", COUNT),
            ("part_bytes", BYTES),
            ("data_bytes", BYTES),
            ("hashstates", COUNT),
            ("age", COUNT),
            ("state", TEXT),
        ]
    ),
    "problems": pa.schema(
        [
            ("severity", TEXT),
            ("code", TEXT),
            ("repository", TEXT),
            ("tag", TEXT),
            ("digest", TEXT),
            ("key", TEXT),
            ("detail", TEXT),
            ("affected_tags", NAMES),
        ]
    ),
    "snapshot": pa.schema(
        [
            ("started", TIME),
            ("finished", TIME),
            ("root", TEXT),
            ("keys", COUNT),
            ("bytes", BYTES),
            ("requests", COUNT),
            ("options", TEXT),
        ]
    ),
    "links": pa.schema([("key", TEXT), ("modified", TIME), ("size", BYTES), ("etag", TEXT), ("text", TEXT)]),
}
"""The schema of each table. ``links`` has the links that were read, by which the next inventory knows what changed."""

ORDER: dict[str, tuple[str, ...]] = {
    "blobs": ("digest",),
    "manifests": ("digest",),
    "revisions": ("repository", "digest"),
    "references": ("parent", "role", "position"),
    "tags": ("repository", "tag"),
    "tag_history": ("repository", "tag", "tagged_at", "digest"),
    "layers": ("repository", "digest"),
    "repositories": ("name",),
    "uploads": ("repository", "uuid", "upload_id"),
    "problems": ("code", "repository", "tag", "digest", "key", "detail"),
    "snapshot": ("started",),
    "links": ("key",),
}
"""The columns that each table is sorted by, so that two inventories of the same registry are equal row for row."""

NOT_READ = "not read: "
"""The beginning of a manifest's ``error`` where its blob could not be read, and so is tried again next time."""
OTHER_DIGEST = "its bytes have the digest "
"""The beginning of a manifest's ``error`` where its bytes are not those that were pushed."""
CONFIG = "config: "
"""The beginning of a manifest's ``error`` where its config is no JSON that says what an image is."""

CODES = (
    "blob_missing",
    "size_mismatch",
    "digest_mismatch",
    "link_empty",
    "link_target_differs",
    "tag_dangling",
    "manifest_unreadable",
    "schema1",
    "child_missing",
    "orphan_referrer",
    "layer_link_dangling",
    "index_broken_by_gc",
    "unknown_key",
)
"""The codes of problems."""
