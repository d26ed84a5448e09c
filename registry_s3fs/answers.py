"""What S3's answers, in boto3's words, say in ours. Pure."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from registry_s3fs.records import ObjectInfo


def headed(key: str, answer: Mapping[str, Any]) -> ObjectInfo:
    """The object of a HeadObject."""
    return ObjectInfo(
        key,
        answer["ContentLength"],
        answer["ETag"],
        utc(answer["LastModified"]),
        answer.get("StorageClass", "STANDARD"),
        answer.get("VersionId", ""),
        head=answer,
    )


def listed(found: Mapping[str, Any]) -> ObjectInfo:
    """An object of a listing."""
    return ObjectInfo(
        found["Key"],
        found["Size"],
        found["ETag"],
        utc(found["LastModified"]),
        found.get("StorageClass", "STANDARD"),
        found.get("VersionId", ""),
        found.get("IsLatest", True),
    )


def utc(when: datetime) -> datetime:
    """botocore gives some times in the local zone and some in UTC."""
    return when if when.tzinfo is timezone.utc else when.astimezone(timezone.utc)


def extent(answer: Mapping[str, Any], asked_start: int, path: str) -> tuple[int, int, int]:
    """Where a body begins and ends, and the whole object's size; rclone answers a range with status 200.

    >>> extent({"ContentRange": "bytes 2-5/9"}, 2, "/a"), extent({"ContentLength": 9}, 0, "/a")
    ((2, 6, 9), (0, 9, 9))
    """
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.get("ContentRange", ""))
    if found:
        return int(found[1]), int(found[2]) + 1, int(found[3])
    if asked_start:
        answer["Body"].close()
        raise OSError(errno.ENOTSUP, "the server ignores the Range header, so parts of files cannot be read", path)
    size = int(answer["ContentLength"])
    return 0, size, size


def code(error: BaseException | None) -> str:
    """S3's code of an error of boto3, if it has one."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
