"""The values in `config_kwargs` that botocore looks at late, or not at all. Pure.

Without a look at them here, a request would fail with an exception of urllib3 or http.client, or of arithmetic.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Mapping
from numbers import Real
from typing import SupportsIndex

from registry_s3fs.config import parsers

CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")
"""The settings of checksums. Variables and profiles have them, too."""
Parser = Callable[[str, object], object]


def _choice(*words: str) -> Callable[[str, object], str]:
    """Return a parser of one of a few words, in any case, as botocore takes them."""
    return parsers.choice(words, lambda value: str(value).lower())


checksums = _choice("when_supported", "when_required")
"""The parser of a setting of checksums."""


def parsed(name: str, value: object) -> dict[str, object]:
    """Return the settings with texts, numbers and booleans of Python's own, as text in YAML or numpy may have others.

    A setting may be None, which means botocore's own value. Names that are not known here are left to botocore.

    Raises:
        ValueError: A value cannot be used.
    """
    return _each(name, parsers.mapping(name, value), _PARSERS)


def _each(name: str, found: Mapping[str, object], by_name: Mapping[str, Parser]) -> dict[str, object]:
    return {
        each: by_name[each](f"{name}: {each}", value) if each in by_name and _is_told(each, value) else value
        for each, value in found.items()
    }


def _is_told(name: str, value: object) -> bool:
    """Return whether a value is one of the user's own, or is taken for one by botocore."""
    return value is not None or name in ("max_pool_connections", "total_max_attempts", "max_attempts")


def _section(by_name: Mapping[str, Parser], example: str) -> Parser:
    """Return a parser of a mapping of settings, each with a parser of its own."""

    def parse(name: str, value: object) -> dict[str, object]:
        if not isinstance(value, Mapping):
            raise ValueError(f"{name}: takes a mapping, such as {example}")
        return _each(name, value, by_name)

    return parse


def _seconds(name: str, value: object) -> float:
    try:
        found = float(value) if isinstance(value, Real) and not isinstance(value, bool) else 0.0
    except OverflowError:
        found = 0.0
    if not 0 < found <= threading.TIMEOUT_MAX:
        raise ValueError(f"{name}: {str(value)[:99]!r} is no time to wait; give a number of seconds above 0")
    return value if type(value) is int else found


def _count(least: int) -> Parser:
    def parse(name: str, value: object) -> int:
        number = operator.index(value) if isinstance(value, SupportsIndex) and not isinstance(value, bool) else None
        if number is None or number < least:
            raise ValueError(f"{name}: {value!r} is no count; give a whole number of {least} or more")
        return number

    return parse


def _signature_version(name: str, value: object) -> object:
    """Return the name of a signature version, or `botocore.UNSIGNED`, which is an object of a type of its own."""
    return value if type(value).__name__ == "UNSIGNED" else parsers.ascii_text(name, value)


def _client_cert(name: str, value: object) -> object:
    """Return the path of a client certificate, or a pair of it and its key's."""
    pair = value if isinstance(value, (list, tuple)) and len(value) == 2 else [value]
    if not all(isinstance(path, str) for path in pair):
        raise ValueError(f"{name}: takes the path of a certificate with its key, or a pair of paths")
    return value if isinstance(value, str) else tuple(pair)


def _proxies(name: str, value: object) -> object:
    """Return proxies. In errors they are not shown, as they may have a password."""
    if not isinstance(value, Mapping) or not all(isinstance(url, str | None) for url in value.values()):
        raise ValueError(f"{name}: takes a mapping of schemes to URLs, such as {{'https': 'http://proxy:3128'}}")
    return value


_PARSERS: Mapping[str, Parser] = {
    **dict.fromkeys(("region_name", "user_agent", "user_agent_extra", "user_agent_appid"), parsers.ascii_text),
    "signature_version": _signature_version,
    "connect_timeout": _seconds,
    "read_timeout": _seconds,
    "max_pool_connections": _count(1),
    "retries": _section({"total_max_attempts": _count(1), "max_attempts": _count(0)}, "{'total_max_attempts': 5}"),
    "proxies": _proxies,
    "client_context_params": _section({}, "{'name': 'value'}"),
    "proxies_config": _section({}, "{'proxy_ca_bundle': 'proxy.pem'}"),
    "client_cert": _client_cert,
    "defaults_mode": _choice("legacy", "standard", "in-region", "cross-region", "mobile", "auto"),
    "account_id_endpoint_mode": _choice("preferred", "disabled", "required"),
    "auth_scheme_preference": parsers.ascii_text,
    "request_min_compression_size_bytes": parsers.integer(1, 1_048_576, unit="bytes"),
    "s3": _section(
        {
            "us_east_1_regional_endpoint": parsers.choice(("legacy", "regional")),
            **dict.fromkeys(
                (
                    *("use_accelerate_endpoint", "use_dualstack_endpoint", "use_arn_region"),
                    *("payload_signing_enabled", "s3_disable_express_session_auth"),
                ),
                parsers.boolean,
            ),
        },
        "{'addressing_style': 'path'}",
    ),
    **dict.fromkeys(
        (
            *("parameter_validation", "inject_host_prefix", "tcp_keepalive", "disable_request_compression"),
            *("use_dualstack_endpoint", "use_fips_endpoint", "ignore_configured_endpoint_urls"),
            "s3_disable_express_session_auth",
        ),
        parsers.boolean,
    ),
    **dict.fromkeys(CHECKSUMS, checksums),
}
