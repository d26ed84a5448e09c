"""What botocore's own data says of AWS regions: their names, and which signatures S3 takes there."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1)
def _signatures() -> dict[str, tuple[str, ...]]:
    """Return each region's signature versions for S3 (``s3``: version 2, ``s3v4``: version 4)."""
    from botocore.loaders import Loader

    found: dict[str, tuple[str, ...]] = {}
    for partition in Loader().load_data("endpoints")["partitions"]:
        service = partition["services"].get("s3", {})
        usual = {**partition.get("defaults", {}), **service.get("defaults", {})}
        for region in partition["regions"]:
            endpoint = {**usual, **service.get("endpoints", {}).get(region, {})}
            found[region] = tuple(endpoint.get("signatureVersions", ("s3v4",)))
    return found


def known() -> frozenset[str]:
    """Return the names of all AWS regions, of every partition."""
    return frozenset(_signatures())


def as_host_label(region: str) -> str:
    """Return a region that botocore makes a client for.

    botocore takes only names that AWS could have. Other stores' names are only words to sign with. They are put into
    the signatures.

    >>> as_host_label("auto"), as_host_label("zg_x"), as_host_label("eu.dc1")
    ('auto', 'us-east-1', 'us-east-1')
    """
    return region if re.fullmatch(r"(?![0-9]+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", region) else "us-east-1"


def takes_only_v4(region: str) -> bool:
    """Return whether S3 refuses signature version 2 in a region; False for a name that is no AWS region.

    >>> takes_only_v4("eu-central-1"), takes_only_v4("us-east-1"), takes_only_v4("minio")
    (True, False, False)
    """
    versions = _signatures().get(region)
    return versions is not None and "s3" not in versions
