"""The process under test: one filesystem, of which each row of the report has a new one."""

from __future__ import annotations

import signal
import time
from typing import Any

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BulkError, DigestMismatchError
from reliability import contents, operations
from reliability.rows import Outcome

BOUND_SECONDS = 60.0
"""A run that takes longer ends its process, by SIGALRM, wherever it is."""

_filesystem: list[RegistryS3FileSystem] = []


def prepare(options: dict[str, Any]) -> None:
    """Make the process's filesystem, with its client made and its first connection open; import nothing later."""
    if not _filesystem:
        _filesystem.append(RegistryS3FileSystem(**options, skip_instance_cache=True))
        _filesystem[0].info(contents.large_path())


def perform(operation: str) -> Outcome:
    """Run an operation once, after `prepare`."""
    wrong = 0
    signal.setitimer(signal.ITIMER_REAL, BOUND_SECONDS)
    started = time.perf_counter()
    raised: Exception | None = None
    try:
        for count in operations.BY_NAME[operation].run(_filesystem[0]):
            wrong += count
    except Exception as error:  # noqa: BLE001  # whatever is raised is the result
        raised = error
    seconds = time.perf_counter() - started
    signal.setitimer(signal.ITIMER_REAL, 0)
    if raised is None:
        return Outcome(seconds, wrong)
    if isinstance(raised, DigestMismatchError):  # of a stream it comes with the last byte, and takes back all before
        wrong = 0
    return Outcome(
        seconds, wrong, type(raised).__name__, " ".join(str(raised).split())[:300], isinstance(raised, OSError),
        tuple(raised.errors) if isinstance(raised, BulkError) else (),
    )  # fmt: skip
