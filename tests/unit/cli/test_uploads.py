"""`uploads list` and `uploads abort`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.registries import MadeRegistry
from tests.unit.cli.conftest import Done, Run

Good = Callable[..., Done]
OLD = datetime.now(timezone.utc) - timedelta(days=30)


@pytest.fixture
def registry(fs: Any) -> MadeRegistry:
    """A registry in the bucket of `fs` with three uploads: one that S3 has begun, one with a file, one cancelled."""
    made = MadeRegistry(fs)
    made.image("team/app", "v1")
    begun = made.upload("team/app", name="begun")
    location = fs.bucket, fs.bucket.space.key(f"{made.root}/repositories/team/app/_uploads/{begun}/data")
    upload_id = location[0].create_upload(location[1])
    location[0].upload_part(location[1], upload_id, 1, b"12345")
    made.upload("team/app", b"123", name="stored")
    made.upload("math", name="cancelled", started_at=None)
    return made


def test_uploads_are_listed_with_what_they_weigh(good: Good, bucket: list[str], registry: MadeRegistry) -> None:
    """S3's pending ones joined with the folders of the registry, by the columns of the table."""
    rows = {row["uuid"]: row for row in good("uploads", "list", *bucket, "--json").json}
    assert {
        name: (row["repository"], row["state"], row["part_bytes"], row["data_bytes"]) for name, row in rows.items()
    } == {
        "begun": ("team/app", "open", 5, None),
        "stored": ("team/app", "open", None, 3),
        "cancelled": ("math", "cancelled", None, None),
    }
    assert set(rows["begun"]) == {
        *("repository", "uuid", "started_at", "upload_id", "initiated", "parts", "part_bytes", "data_bytes"),
        *("hashstates", "age", "state"),
    }
    assert rows["begun"]["parts"] == 1
    assert rows["begun"]["started_at"] == "2026-01-02T03:04:05Z"
    assert "3 uploads, 8 bytes" in good("uploads", "list", *bucket).out


def test_nothing_is_aborted_without_yes(good: Good, bucket: list[str], registry: MadeRegistry) -> None:
    """What would be is listed."""
    out = good("uploads", "abort", "--older-than", "0s", *bucket).out
    assert "would be aborted: 3 uploads" in out
    assert "--yes" in out
    assert len(good("uploads", "list", *bucket, "--json").json) == 3


def test_old_uploads_are_aborted_with_yes(good: Good, bucket: list[str], registry: MadeRegistry, fs: Any) -> None:
    """Their parts and their folders go; newer ones stay, and so does all else."""
    kept = fs.find(f"{registry.root}/blobs")
    assert "0 uploads" in good("uploads", "abort", "--older-than", "1d", "--yes", *bucket).out
    assert "aborted: 3 uploads" in good("uploads", "abort", "--older-than", "0s", "--yes", *bucket).out
    assert good("uploads", "list", *bucket, "--json").json == []
    assert fs.list_multipart_uploads() == []
    assert fs.find(f"{registry.root}/blobs") == kept
    assert [name for name in fs.find(registry.root) if "_uploads" in name] == []


def test_an_age_is_needed_to_abort(run: Run, bucket: list[str]) -> None:
    """And is a duration; else it is status 2."""
    assert run("uploads", "abort", *bucket).status == 2
    assert run("uploads", "abort", "--older-than", "7", *bucket).status == 2
    assert run("uploads").status == 2


def test_another_filesystem_has_only_folders(good: Good, memory: Any) -> None:
    """It has no multipart uploads."""
    made = MadeRegistry(memory)
    made.upload("team/app", b"123", name="stored")
    (row,) = good("uploads", "list", "memory://", "--json").json
    assert (row["uuid"], row["upload_id"], row["data_bytes"]) == ("stored", None, 3)


def test_a_place_without_a_registry_is_an_error(run: Run, memory: Any) -> None:
    """And so is none at all."""
    done = run("uploads", "list", "memory://nothing")
    assert done.status == 1
    assert "there is no registry" in done.err
    done = run("uploads", "list")
    assert done.status == 1
    assert "--config" in done.err
