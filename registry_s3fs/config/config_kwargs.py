"""The values in `config_kwargs` that botocore looks at late, or not at all. Pure.

Without a check here, a request would fail with an exception of urllib3, or of arithmetic.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from numbers import Integral, Real

from registry_s3fs.config import parsers

CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")
"""The settings of checksums. Variables and profiles have them, too."""
checksums = parsers.choice(("when_supported", "when_required"), lambda value: str(value).lower())
"""The parser of one of them."""


def check(config_kwargs: Mapping[str, object]) -> None:
    """Raise `ValueError` where a value cannot be used. None is taken where botocore takes it."""
    for name, value in config_kwargs.items():
        if name in _CHECKS and (value is not None or name == "max_pool_connections"):
            _CHECKS[name](f"config_kwargs: {name}", value)


def _timeout(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) <= threading.TIMEOUT_MAX:
        raise ValueError(f"{name}: {value!r} is no time to wait; give a number of seconds above 0")


def _count(name: str, value: object, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}: {value!r} is no count; give a whole number of {least} or more")


def _retries(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}: takes a mapping, such as {{'total_max_attempts': 5}}")
    least = {"total_max_attempts": 1, "max_attempts": 0}
    for each, number in value.items():
        if each in least:
            _count(f"{name}: {each}", number, least[each])


def _proxies(name: str, value: object) -> None:
    """Check proxies. They are not shown, as they may have a password."""
    if not isinstance(value, Mapping) or not all(isinstance(url, str | None) for url in value.values()):
        raise ValueError(f"{name}: takes a mapping of schemes to URLs, such as {{'https': 'http://proxy:3128'}}")


_CHECKS: Mapping[str, Callable[[str, object], object]] = {
    "connect_timeout": _timeout,
    "read_timeout": _timeout,
    "max_pool_connections": _count,
    "retries": _retries,
    "proxies": _proxies,
    **dict.fromkeys(CHECKSUMS, checksums),
}
