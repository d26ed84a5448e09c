"""What a new filesystem takes from the environment and the AWS configuration files, where its options are silent.

That is the region, the endpoint, and which of AWS's variants of endpoints is meant. boto3 reads the rest by itself,
such as credentials and certificates.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.config import config_kwargs, parsers

if TYPE_CHECKING:
    from botocore.session import Session

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""The variables that name a region, in the order in which they count. boto3 reads only the second."""
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""The variables that name an endpoint, in the order in which they count."""
FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
"""The variables that name a configuration file, and the files that there are without them."""
_CREDENTIALS = ("accesskey", "secretkey", "sessiontoken", "profile")
"""The parameters that are credentials, beside `anon`, which says that there are none."""
_KEY_PAIR = frozenset({"accesskey", "secretkey"})
IGNORE_ENDPOINTS = "ignore_configured_endpoint_urls"
VARIANTS = {"usefipsendpoint": "use_fips_endpoint", "usedualstack": "use_dualstack_endpoint"}
"""The parameters for variants of AWS's endpoints, and botocore's names for them."""
CONFIGURATION = (
    *REGION_VARIABLES,
    *ENDPOINT_VARIABLES,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    *FILES,
)
"""The variables that decide what is found here."""


class Settings(NamedTuple):
    """What the environment and a profile say."""

    profile: Mapping[str, object]
    """The profile's section of the configuration files."""
    services: Mapping[str, object]
    """The section of services that it names: a mapping for each service."""

    def text(self, name: str, *variables: str) -> str:
        """Return the value of the first variable that has one, else the profile's, or ""."""
        return _first(variables) or str(self.profile.get(name) or "")

    def is_on(self, name: str) -> bool:
        """Return whether a setting is turned on, by the name that the configuration files have for it."""
        return self.text(name, f"AWS_{name.upper()}").lower() == "true"

    def has_variant(self, name: str) -> bool:
        """Return whether a variant of endpoints is turned on.

        Of the variants, only dualstack may stand in the profile's section ``s3``.
        """
        section = self.profile.get("s3") if name == VARIANTS["usedualstack"] else None
        in_section = isinstance(section, Mapping) and str(section.get(name)).lower() == "true"
        return self.is_on(name) or (in_section and not os.environ.get(f"AWS_{name.upper()}"))

    @property
    def region(self) -> str:
        """Return the region, or "" where none is named."""
        return self.text("region", *REGION_VARIABLES)

    @property
    def endpoint(self) -> str:
        """Return the endpoint for S3, or "" where none is named.

        The order is that of all AWS SDKs: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html.
        """
        if self.is_on(IGNORE_ENDPOINTS):
            return ""
        own = self.services.get("s3")
        of_s3 = str(own.get("endpoint_url") or "") if isinstance(own, Mapping) else ""
        return _first(ENDPOINT_VARIABLES) or of_s3 or self.text("endpoint_url")


def needed(options: Mapping[str, object]) -> dict[str, object]:
    """Return the options that the environment or the profile has, and that are not given.

    Raises:
        ValueError: There is no such profile, or a setting of checksums is none that botocore knows.
    """
    profile = str(options.get("profile") or "")
    if profile:
        check_profile(profile)
    if options.get("regionendpoint"):
        return {}
    found: dict[str, object] = {}
    settings = _settings(profile)
    for_botocore = parsers.mapping("config_kwargs", options.get("config_kwargs") or {})
    if options.get("regionendpoint") is None and not for_botocore.get(IGNORE_ENDPOINTS):
        found["regionendpoint"] = settings.endpoint
    if not options.get("region"):
        found["region"] = settings.region
    if not found.get("regionendpoint"):
        _check_checksums(settings, for_botocore)
        found |= {name: settings.has_variant(other) for name, other in VARIANTS.items() if options.get(name) is None}
    return {name: value for name, value in found.items() if value}


def _first(variables: Iterable[str]) -> str:
    return next((os.environ[name] for name in variables if os.environ.get(name)), "")


def _check_checksums(settings: Settings, for_botocore: Mapping[str, object]) -> None:
    """Raise `ValueError` where a setting of checksums has no meaning. botocore reads it, as late as it can."""
    for name in config_kwargs.CHECKSUMS:
        variable = f"AWS_{name.upper()}"
        word = settings.text(name, variable)
        if word and for_botocore.get(name) is None:
            config_kwargs.checksums(variable if os.environ.get(variable) else f"the profile's {name}", word)


def check_profile(profile: str) -> None:
    """Raise `ValueError` where the AWS configuration files have no such profile, or cannot be read."""
    from botocore.exceptions import BotoCoreError

    try:
        found = _session("").available_profiles
    except BotoCoreError as error:
        raise ValueError(f"profile: {profile!r} cannot be looked up: {error}") from None
    if profile not in found:
        known = ", ".join(map(repr, sorted(found))) or "none"
        raise ValueError(f"profile: {profile!r} is not in the AWS configuration files, which have {known}")


def _settings(profile: str) -> Settings:
    """Return what is said of a profile (``""``: the usual one). The files are read again where they have changed."""
    usual = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or ""
    files = tuple(_state(os.environ.get(variable) or usual) for variable, usual in FILES.items())
    return _of_files(profile or usual, files) if any(files) else Settings({}, {})


def _state(path: str) -> tuple[str, int, int] | None:
    """Return what changes where a file changes, or None where there is none."""
    path = os.path.expanduser(path)
    try:
        found = os.stat(path)
    except OSError:
        return None
    return path, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=16)
def _of_files(profile: str, files: tuple[tuple[str, int, int] | None, ...]) -> Settings:
    from botocore.exceptions import BotoCoreError

    session = _session(profile)
    try:
        found, every = session.get_scoped_config(), session.full_config
    except BotoCoreError:  # of AWS_PROFILE, or a file that cannot be read: boto3 tells, when it is asked
        return Settings({}, {})
    services = every.get("services", {}).get(found.get("services"), {})
    return Settings(found, services)


def _session(profile: str) -> Session:
    from botocore.session import Session

    return Session(profile=profile or None)


class Surroundings:
    """A class attribute that tells what the region and the endpoint of a new filesystem depend on.

    fsspec's cache of instances looks at it.
    """

    def __get__(self, instance: object, owner: type) -> tuple[str | None, ...]:
        return tuple(os.environ.get(variable) for variable in CONFIGURATION)


def combined(farther: Mapping[str, object], nearer: Mapping[str, object]) -> dict[str, object]:
    """Return the options of two places. Those of the nearer one win, and its credentials replace all of the other's.

    Half a key pair replaces them, too, and is refused later, like every half. It completes nothing but the other half
    alone, as a file without secrets has it.

    >>> combined({"accesskey": "a", "secretkey": "b", "bucket": "c"}, {"profile": "mine"})
    {'bucket': 'c', 'profile': 'mine'}
    >>> combined({"profile": "theirs"}, {"accesskey": "a", "secretkey": "b"})
    {'accesskey': 'a', 'secretkey': 'b'}
    >>> combined({"accesskey": "a"}, {"secretkey": "b"})
    {'accesskey': 'a', 'secretkey': 'b'}
    """
    has, given = ({name for name in _CREDENTIALS if place.get(name)} for place in (farther, nearer))
    completes = len(has) == len(given) == 1 and has | given == _KEY_PAIR
    replaces = (given and not completes) or parsers.boolean("anon", nearer.get("anon") or False)
    dropped = (*_CREDENTIALS, "anon") if replaces else ()
    return {**{name: value for name, value in farther.items() if name not in dropped}, **nearer}
