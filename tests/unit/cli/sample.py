"""A small registry that shows what the commands tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from registry_s3fs.model.registry_layout import ROOT
from tests.registries import AMD64, ARM64, MadeRegistry, Pushed


@dataclass(frozen=True)
class Sample:
    """A registry in memory, and some of what is in it."""

    made: MadeRegistry
    v1: Pushed
    v2: Pushed
    index: Pushed
    arm64: Pushed
    signature: Pushed
    lost: Pushed
    """A blob that nothing refers to."""

    @property
    def url(self) -> str:
        return "memory://" + self.made.root.removesuffix(ROOT).lstrip("/")


def make_sample(made: MadeRegistry) -> Sample:
    """Push all that the sample has. It is the same each time, but for the times."""
    base = b"base" * 50_000
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [
            {"created": "2026-01-01T00:00:00Z", "created_by": "ADD rootfs.tar.gz /"},
            {"created": "2026-01-02T00:00:00Z", "created_by": 'CMD ["/bin/sh"]', "empty_layer": True},
            {"created": "2026-01-03T00:00:00Z", "created_by": "COPY app /app"},
        ],
    }
    v1 = made.image("team/app", "v1", [base, b"one" * 1000], config=config)
    made.tag("team/app", "latest", v1.digest)
    v2 = made.image("team/app", "v2", [base, b"two" * 2000], config=config, annotations={"owner": "team"})
    made.tag("team/app", "latest", v2.digest)
    amd64 = made.image("team/tools", None, [base, b"amd64" * 1000])
    arm64 = made.image("team/tools", None, [b"arm64" * 3000], platform=ARM64)
    index = made.index("team/tools", "1.0", [(amd64, AMD64), (arm64, ARM64)])
    signature = made.artifact(
        "team/app",
        f"sha256-{v2.digest[7:]}.sig",
        {"signature": b"signed"},
        artifact_type="application/vnd.sig",
        subject=v2,
    )
    made.mount("math", v1.layers[0].digest)
    begun = datetime(2024, 3, 2, 3, 4, 5, tzinfo=timezone.utc)
    made.upload("math", b"x" * 4000, name="1ce0c0e7-0000-4000-8000-000000000000", started_at=begun)
    return Sample(made, v1, v2, index, arm64, signature, made.blob(b"nobody's"))
