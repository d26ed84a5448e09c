"""What botocore's own data says of AWS regions: their names, and which signatures S3 takes there."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _signatures() -> dict[str, tuple[str, ...]]:
    """Region -> signature versions of S3 there (``s3``: version 2, ``s3v4``: version 4)."""
    from botocore.loaders import Loader

    found: dict[str, tuple[str, ...]] = {}
    for partition in Loader().load_data("endpoints")["partitions"]:
        service: dict[str, Any] = partition["services"].get("s3", {})
        usual = {**partition.get("defaults", {}), **service.get("defaults", {})}
        for region in partition["regions"]:
            endpoint = {**usual, **service.get("endpoints", {}).get(region, {})}
            found[region] = tuple(endpoint.get("signatureVersions", ("s3v4",)))
    return found


def known() -> frozenset[str]:
    """The names of all AWS regions, of every partition."""
    return frozenset(_signatures())


def takes_only_v4(region: str) -> bool:
    """Whether S3 refuses signature version 2 there; False for a name that is no AWS region.

    >>> takes_only_v4("eu-central-1"), takes_only_v4("us-east-1"), takes_only_v4("minio")
    (True, False, False)
    """
    versions = _signatures().get(region)
    return versions is not None and "s3" not in versions
