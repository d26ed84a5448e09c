"""The bucket on the simulator: filled, struck, and looked at from outside with plain boto3."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from benchmarks import data
from benchmarks.endpoints import Simulator, simulator
from reliability import contents
from reliability.operations import Operation
from reliability.rows import Outcome, Stored, stored_as, summed, uploads_left

SETTLING_SECONDS = 10.0
"""How long requests that the client has given up may still be on their way."""
LOST = ("reset", "truncate", "stall", "slow", "corrupt")
"""Kinds of faults after which a client does not know an upload that was begun."""


LOGGED = 200_000
"""Requests of a run that are remembered, to tell whose an unfinished upload is."""


@dataclass
class Struck:
    """What was seen of the requests of a run."""

    faults: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    uploads: Stored = field(default_factory=Stored)


def running(folder: Path) -> AbstractContextManager[Simulator]:
    """The simulator, with the digests that S3 makes and checks."""
    return simulator(folder, etag="md5", verify=True, logLimit=LOGGED)


def fill(store: Simulator) -> None:
    """Store what is read, listed and copied."""
    store.store_large(_key(contents.COPY_SOURCE), contents.WRITTEN_BYTES)
    store.store({_key(contents.large_path()): contents.large()})
    store.client.put_object(
        Bucket=store.access.bucket, Key=_key(contents.DEFAULT_HEADERS), Body=contents.large(), ChecksumAlgorithm="CRC32"
    )
    store.store({_key(path): value for path, value in contents.small_blobs().items()})
    store.store_flat(data.FLAT, contents.FLAT)
    store.store_tree(data.TREE, contents.TREE, contents.REPOSITORIES)


def prepare(store: Simulator, operation: Operation) -> None:
    """Store what the operation will overwrite or delete."""
    store.store({_key(path): before for path, (before, _) in operation.written().items()})
    if operation.deletes:
        store.store_flat(data.DOOMED, contents.FLAT)


@contextmanager
def struck(store: Simulator, rules: Sequence[Mapping[str, Any]], seed: int) -> Iterator[Struck]:
    """A block in which requests are struck; tells afterwards how many were, and of uploads left, which it aborts."""
    seen = Struck()
    with store.configured({"faults": list(rules), "seed": seed}), store.counting(seen.requests):
        try:
            yield seen
        finally:
            _settle(store)
            seen.faults = sum(rule.get("struck", 0) for rule in store.control.config()["faults"])
    seen.uploads = _uploads(store)


def check(store: Simulator, operation: Operation, outcome: Outcome) -> Stored:
    """What the operation left of the objects that it writes or deletes."""
    finished = not outcome.raised
    found = [
        stored_as(_content(store, path), before, after, finished=finished)
        for path, (before, after) in operation.written().items()
    ]
    if operation.deletes and (finished or outcome.failed):
        left = {f"/{key}" for key in store.keys(data.DOOMED)}
        found.append(Stored(wrong=len(left - set(outcome.failed))))
    return summed(found)


def _settle(store: Simulator) -> None:
    """Wait until nothing is being answered any more."""
    until = time.monotonic() + SETTLING_SECONDS
    while any(counts["inFlight"] for counts in store.control.stats()["operations"].values()):
        if time.monotonic() > until:
            raise TimeoutError("requests are still being answered")
        time.sleep(0.05)


def _uploads(store: Simulator) -> Stored:
    bucket = store.access.bucket
    pages = store.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
    left = [(found["Key"], found["UploadId"]) for page in pages for found in page.get("Uploads", ())]
    if not left:
        return Stored()
    log = store.control.log()
    used = {call["query"]["uploadId"] for call in log if "uploadId" in call["query"]}
    lost = sum(call["op"] == "CreateMultipartUpload" and call["fault"] in LOST for call in log)
    for key, upload in left:
        store.client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    return uploads_left([upload for _, upload in left], used, lost)


def _content(store: Simulator, path: str) -> bytes | None:
    try:
        return b"".join(store.read(_key(path)))
    except ClientError:
        return None


def _key(path: str) -> str:
    return path.lstrip("/")
