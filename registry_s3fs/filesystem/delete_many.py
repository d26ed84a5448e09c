"""The deletion of many keys: many in one request, or one by one where there is no other way."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from registry_s3fs.errors import BulkError, not_supported
from registry_s3fs.model.ranges import MAX_DELETE_KEYS
from registry_s3fs.s3 import retry
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.threads import many_calls

PASSING = (errno.EBUSY, errno.EREMOTEIO)
"""The errors that S3 may send for single keys of a DeleteObjects request (SlowDown, InternalError)."""


def delete(bucket: Bucket, keys: Iterable[str]) -> None:
    """Delete keys: as many in one request as S3 takes, and several requests side by side.

    Raises:
        BulkError: Some keys could not be deleted, and each of them is named. All others are deleted.
    """
    singly: list[str] = []
    together: list[str] = []
    for key in dict.fromkeys(keys):
        (together if key.isprintable() else singly).append(key)  # XML cannot hold control characters
    if len(together) == 1 and bucket.space.path(together[0]) is not None:
        singly.append(together.pop())
    batches = [together[at : at + MAX_DELETE_KEYS] for at in range(0, len(together), MAX_DELETE_KEYS)]
    failed: dict[str, Exception] = {}
    for errors, left in bucket.pool.map(partial(_delete_together, bucket), batches):
        failed.update(errors)
        singly += left
    # A task for each, as a worker would send one after the other.
    failed |= many_calls.errors_of(
        bucket.pool, lambda pair: _delete_one(bucket, pair[1]), [(key, key) for key in singly]
    )
    if failed:
        raise BulkError("rm", {bucket.space.path(key) or key: error for key, error in failed.items()})


def _delete_one(bucket: Bucket, key: str) -> None:
    if bucket.space.path(key) is None:  # HTTP clients resolve the dots of a URL
        raise not_supported("DeleteObjects, and a URL cannot name this key", bucket.path(key))
    bucket.delete(key)


def _delete_together(bucket: Bucket, keys: list[str]) -> tuple[dict[str, Exception], list[str]]:
    """Return the errors of keys that failed, and the keys to delete one at a time, if the store knows no other way."""
    try:
        failed = bucket.delete_many(keys)
    except OSError as error:
        return dict.fromkeys(keys, error), []
    return ({}, keys) if failed is None else _tried_again(bucket, failed)


def _tried_again(bucket: Bucket, failed: dict[str, Exception]) -> tuple[dict[str, Exception], list[str]]:
    """Delete again the keys for which S3 was busy or failed, as boto3 does. Return those that fail, and those left.

    Keys are left where the store refuses requests for many keys. They are to be deleted one at a time.
    """
    for longest_s in retry.LONGEST_PAUSES_S:
        again = [key for key, error in failed.items() if _passes(error)]
        if not again:
            break
        retry.pause(longest_s)
        with suppress(OSError):  # then what S3 said of the keys before is their error
            answered = bucket.delete_many(again)
            if answered is None:
                return {key: error for key, error in failed.items() if key not in again}, again
            failed = {key: error for key, error in failed.items() if not _passes(error)} | answered
    return failed, []


def _passes(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in PASSING
