"""What a new filesystem takes from the environment: a region, and whether a profile exists."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.session import Session

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""The variables that name a region, in the order in which they count. boto3 reads only the second."""
CONFIGURATION = (
    *REGION_VARIABLES,
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""The variables that decide the region."""


def region_needed(options: Mapping[str, object]) -> dict[str, str]:
    """Return the region of the environment or the profile, where none is given and one is needed.

    Raises:
        ValueError: There is no such profile.
    """
    if options.get("profile"):
        check_profile(str(options["profile"]))
    if options.get("region") or options.get("regionendpoint"):
        return {}
    found = region(str(options.get("profile") or ""))
    return {"region": found} if found else {}


def region(profile: str) -> str:
    """Return the region of the environment or of a profile (``""``: the usual one), or "" where there is none."""
    for variable in REGION_VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable]
    from botocore.exceptions import BotoCoreError

    try:
        return str(_session(profile).get_config_variable("region") or "")
    except BotoCoreError:  # of AWS_PROFILE, or a file that cannot be read: boto3 tells, when it is asked
        return ""


def check_profile(profile: str) -> None:
    """Raise `ValueError` where the AWS configuration files have no such profile."""
    found = _session("").available_profiles
    if profile not in found:
        known = ", ".join(map(repr, sorted(found))) or "none"
        raise ValueError(f"profile: {profile!r} is not in the AWS configuration files, which have {known}")


def _session(profile: str) -> Session:
    from botocore.session import Session

    return Session(profile=profile or None)


class Surroundings:
    """A class attribute that tells what the region of a new filesystem depends on, for fsspec's cache of instances."""

    def __get__(self, instance: object, owner: type) -> tuple[str | None, ...]:
        return tuple(os.environ.get(variable) for variable in CONFIGURATION)
