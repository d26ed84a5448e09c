"""The demo's registry: what its storage holds after three pushes, and one that was interrupted."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import Any

import pandas as pd

from demo import images
from registry_s3fs import StorageDriver
from registry_s3fs.model import registry_layout

MIB = 1024 * 1024


def fill(fs: Any) -> int:
    """Store what the registry would hold after three pushes; the number of objects."""
    base = images.layer({"lib/base.so": images.noise("base", 3 * MIB)})
    web = images.layer({"app/web.py": b"print('web')\n", "app/data": images.noise("web", 400_000)})
    worker = images.layer({"app/worker.py": b"print('worker')\n"})
    table = images.Blob("application/vnd.apache.parquet", parquet(builds()), "builds.parquet")
    tree = {
        **images.files("team/web", "v1", images.image([base, web])),
        **images.files("team/worker", "latest", images.image([base, worker])),
        **images.files("ci/builds", "2026", images.artifact("application/vnd.example.table", table)),
    }
    fs.pipe(tree)
    return len(tree) + leave_upload(fs)


def builds() -> pd.DataFrame:
    """How long some builds took."""
    return pd.DataFrame(
        {
            "build": range(1, 9),
            "branch": ["main", "main", "fix", "main", "fix", "main", "main", "fix"],
            "seconds": [212.5, 208.1, 190.0, 215.9, 187.4, 201.3, 199.8, 188.6],
        }
    )


def leave_upload(fs: Any) -> int:
    """What is left of a push that ended in the middle of a layer: an object, and parts that no listing shows.

    Gives the number of objects.
    """
    upload = ("team/worker", "1ce0c0e7-0000-4000-8000-000000000000")
    started = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    fs.pipe_file(registry_layout.UploadStartedAt(*upload).at(registry_layout.ROOT), started.encode())
    with StorageDriver(fs).writer(registry_layout.UploadData(*upload).at(registry_layout.ROOT)) as writer:
        writer.write(images.noise("upload", 12 * MIB))
    return 1


def parquet(frame: pd.DataFrame) -> bytes:
    """A table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()
