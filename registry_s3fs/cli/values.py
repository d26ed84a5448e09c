"""The values of options: sizes, durations, shares, secrets. A bad one is an `ArgumentTypeError`, hence status 2."""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from registry_s3fs.cli.output import Sorting

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_STEPS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}
_SECRET_NAME = re.compile(
    r"\w*(?:secret|password|passphrase|session_?token|account_?key|sas_?token|connection_?string)\w*", re.IGNORECASE
)
"""Of what the options of fsspec's filesystems call their secrets."""
_URL_PASSWORD = re.compile(r"://[^/@\s:]*:[^/@\s]+@")
"""Of a URL such as a proxy's, which may stand in any option."""
_PARAMETERS = {
    "sessiontoken": "sessiontoken",
    "secretaccesskey": "secretkey",
    "secretkey": "secretkey",
    "accesskeyid": "accesskey",
    "accesskey": "accesskey",
}
"""The parameter that a variable is for, by what its name ends in, without underscores."""
_REGISTRYS = "REGISTRY_STORAGE_S3_"


def option(text: str) -> tuple[str, str]:
    """Return name and value of NAME=VALUE. A secret is refused, as every user of the machine could see it.

    >>> option("region=eu-central-1")
    ('region', 'eu-central-1')
    """
    name, equals, value = text.partition("=")
    found = _SECRET_NAME.search(name)
    in_url = not found and _URL_PASSWORD.search(value)
    if found or in_url:
        secret = found[0] if found else name
        from_env = f"--secret-from-env {secret}=VARIABLE"
        if in_url and name != "config_kwargs":
            from_env = "--secret-from-env, without user and password in the URL"
        raise ArgumentTypeError(
            f"{secret}: secrets do not go on the command line, which others on this machine can read; give it by "
            f"the environment, by --config, or by {from_env}"
        )
    if not equals:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def secret_from_env(text: str, environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """Return the parameter and the value of a secret that a variable of the environment holds.

    The text is PARAMETER=VARIABLE, or the name of a variable alone. Then its end tells the parameter, and without one
    it is the `secretkey`. Where there is no such variable, it may be the end of the registry's own.

    >>> secret_from_env("MINIO_PASSWORD", {"MINIO_PASSWORD": "x"})
    ('secretkey', 'x')
    >>> secret_from_env("sessiontoken=T", {"T": "y"}), secret_from_env("AWS_ACCESS_KEY_ID", {"AWS_ACCESS_KEY_ID": "id"})
    (('sessiontoken', 'y'), ('accesskey', 'id'))
    >>> secret_from_env("secretkey", {"REGISTRY_STORAGE_S3_SECRETKEY": "z"})
    ('secretkey', 'z')
    """
    parameter, equals, variable = text.rpartition("=")
    if not equals:
        ending = variable.replace("_", "").lower()
        parameter = next((name for end, name in _PARAMETERS.items() if ending.endswith(end)), "secretkey")
    for name in (variable, _REGISTRYS + variable.upper()):
        if environ.get(name):
            return parameter, environ[name]
    raise ArgumentTypeError(f"{variable}: there is no such variable in the environment, or it is empty")


def duration(text: str) -> timedelta:
    """Return a duration such as ``90d``.

    >>> duration("90d").days, duration("36h") == duration("1.5d")
    (90, True)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip().lower())
    try:
        if found:
            return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
    except OverflowError:
        pass
    raise ArgumentTypeError(f"{text!r} is no duration; write a number with s, m, h, d or w behind it, such as 90d")


def size(text: str) -> int:
    """Return a number of bytes. ``K``, ``M``, ``G``, ``T`` and ``P`` are powers of 1,024, with ``iB`` or without.

    >>> size("10"), size("1.5k"), size("2 GiB")
    (10, 1536, 2147483648)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?", text.strip().lower())
    if not found:
        raise ArgumentTypeError(f"{text!r} is no size; write bytes, or a number with K, M, G or T behind it")
    return int(float(found[1]) * _STEPS[found[2]]) if "." in found[1] else int(found[1]) * _STEPS[found[2]]


def share(text: str) -> float:
    """Return a share of the whole, between 0 and 1, of a percentage or a fraction.

    >>> share("1%"), share("0.25"), share("100%")
    (0.01, 0.25, 1.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"{text!r} is no share; write a percentage such as 1%")
    return value


def price(text: str) -> Decimal:
    """Return a price.

    >>> price("0.023")
    Decimal('0.023')
    """
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise ArgumentTypeError(f"{text!r} is no price of a GiB, such as 0.023")
    return Decimal(text)


def currency(text: str) -> str:
    """Return the name or sign of a currency.

    >>> currency("EUR"), currency("€")
    ('EUR', '€')
    """
    if not re.fullmatch(r"[^\s\d<>&'\"]{1,8}", text) or not text.isprintable():
        raise ArgumentTypeError(f"{text!r} is no currency, such as USD")
    return text


def count(text: str) -> int:
    """Return a whole number that is not negative.

    >>> count("20")
    20
    """
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise ArgumentTypeError(f"{text!r} is no whole number, such as 20")
    return int(text)


def sorting(text: str) -> Sorting:
    """Return the column to sort by, and the direction where one is given.

    >>> sorting("fair"), sorting("name:desc")
    (Sorting(column='fair', direction=''), Sorting(column='name', direction='desc'))
    """
    column, _, direction = text.partition(":")
    if direction not in ("", "asc", "desc"):
        raise ArgumentTypeError(f"{direction!r} is no direction; write asc or desc")
    return Sorting(column, direction)
