"""The clients that are compared. Each has a module of its own, so that a process imports no other."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import cast

from benchmarks.peers.base import Access, Peer

OURS = "registry-s3fs"
BASELINE = "baseline"


@dataclass(frozen=True)
class Entry:
    """Where a peer is, and the distributions whose versions matter to it."""

    factory: str
    distributions: tuple[str, ...]


PEERS = {
    OURS: Entry("fsspec_faces:ours", ("registry-s3fs", "boto3", "botocore")),
    "s3fs": Entry("fsspec_faces:s3fs", ("s3fs", "aiobotocore", "aiohttp")),
    "obstore-fsspec": Entry("fsspec_faces:obstore", ("obstore", "fsspec")),
    "obstore": Entry("native_obstore:ObstorePeer", ("obstore",)),
    "pyarrow": Entry("pyarrow_s3:PyarrowPeer", ("pyarrow",)),
    "boto3": Entry("plain_boto3:Boto3Peer", ("boto3", "s3transfer")),
}


def baseline_name(commit: str) -> str:
    """How an earlier commit of ours is called.

    >>> baseline_name("4b7bd15f00")
    'baseline 4b7bd15'
    """
    return f"{BASELINE} {commit[:7]}"


def is_baseline(name: str) -> bool:
    """Whether it is a name by `baseline_name`."""
    return name.startswith(f"{BASELINE} ")


def connect(name: str, access: Access) -> Peer:
    """Import a peer and set it up; sends no request."""
    module, factory = PEERS[name].factory.split(":")
    return cast(Peer, getattr(importlib.import_module(f"benchmarks.peers.{module}"), factory)(access))
