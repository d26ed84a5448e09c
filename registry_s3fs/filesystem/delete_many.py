"""Many keys deleted: 1,000 a request, requests side by side, and one by one where it cannot be otherwise."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from registry_s3fs.errors import BulkError, not_supported
from registry_s3fs.s3.bucket import MAX_DELETE_KEYS, Bucket
from registry_s3fs.threads import cancellation, many_calls
from registry_s3fs.threads.pool import Pool

PASSING = (errno.EBUSY, errno.EREMOTEIO)
"""What S3 may say of single keys of a DeleteObjects request (SlowDown, InternalError)."""
LONGEST_PAUSES_S = (1.0, 2.0, 4.0)
"""Before such keys are asked for again: three times, and by chance a part of these, as boto3's standard mode does."""


def delete(bucket: Bucket, pool: Pool, keys: Iterable[str]) -> None:
    """Delete keys, 1,000 a request and requests side by side.

    Raises:
        BulkError: some could not be deleted; names each of them. All others are deleted.
    """
    singly: list[str] = []
    together: list[str] = []
    for key in dict.fromkeys(keys):
        (together if key.isprintable() else singly).append(key)  # XML cannot hold control characters
    if len(together) == 1 and bucket.space.path(together[0]) is not None:
        singly.append(together.pop())
    batches = [together[at : at + MAX_DELETE_KEYS] for at in range(0, len(together), MAX_DELETE_KEYS)]
    failed: dict[str, Exception] = {}
    for errors, left in pool.map(partial(_delete_together, bucket), batches):
        failed.update(errors)
        singly += left
    # A task for each, as a worker would send one after the other.
    failed |= many_calls.errors_of(pool, lambda pair: _delete_one(bucket, pair[1]), [(key, key) for key in singly])
    if failed:
        raise BulkError("rm", {bucket.space.path(key) or key: error for key, error in failed.items()})


def _delete_one(bucket: Bucket, key: str) -> None:
    if bucket.space.path(key) is None:  # HTTP clients resolve the dots of a URL
        raise not_supported("DeleteObjects, and a URL cannot name this key", bucket.path(key))
    bucket.delete(key)


def _delete_together(bucket: Bucket, keys: list[str]) -> tuple[dict[str, Exception], list[str]]:
    """Return the keys that failed, and those that are left to be deleted one at a time: the store cannot otherwise."""
    try:
        failed = bucket.delete_many(keys)
    except OSError as error:
        return dict.fromkeys(keys, error), []
    return ({}, keys) if failed is None else _tried_again(bucket, failed)


def _tried_again(bucket: Bucket, failed: dict[str, Exception]) -> tuple[dict[str, Exception], list[str]]:
    """Ask again for keys for which S3 was busy or failed, as boto3 does; return those that failed still."""
    for pause_s in LONGEST_PAUSES_S:
        again = [key for key, error in failed.items() if _passes(error)]
        if not again:
            break
        cancellation.pause(random.uniform(0, pause_s))  # noqa: S311  # spreads requests, hides nothing
        with suppress(OSError):  # then what S3 said of the keys before is their error
            answered = bucket.delete_many(again)
            if answered is None:
                return {key: error for key, error in failed.items() if key not in again}, again
            failed = {key: error for key, error in failed.items() if not _passes(error)} | answered
    return failed, []


def _passes(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in PASSING
