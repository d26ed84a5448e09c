"""The values of options."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import timedelta

import pytest

from registry_s3fs.cli import values


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        (values.option, "region"),
        (values.duration, "90"),
        (values.duration, "d"),
        (values.duration, "-1d"),
        (values.duration, "99999999999999999999w"),
        (values.size, "ten"),
        (values.size, "-1"),
        (values.size, "1.2.3"),
        (values.share, "0%"),
        (values.share, "101%"),
        (values.share, "half"),
        (values.count, "-1"),
        (values.count, "1e3"),
        (values.count, "٣"),
        (values.sorting, "name:down"),
        (values.secret_from_env, "NO_SUCH_VARIABLE"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(parser: Callable[[str], object], text: str) -> None:
    """With a sentence that repeats it, so that status 2 comes before any request."""
    with pytest.raises(ArgumentTypeError, match="."):
        parser(text)


@pytest.mark.parametrize("name", ["secretkey", "SessionToken", "password", "aws_secret_access_key", "account_key"])
def test_a_secret_is_refused_on_the_command_line(name: str) -> None:
    """The message tells the other ways, and does not repeat the secret, even where the option is garbled."""
    for text in (f"{name}=hunter2", f"{name}:hunter2"):
        with pytest.raises(ArgumentTypeError, match="--secret-from-env") as refused:
            values.option(text)
        assert "hunter2" not in str(refused.value)
        assert name in str(refused.value)


@pytest.mark.parametrize("value", ["http://me:hunter2@proxy:3128", '{"proxies": {"https": "https://:hunter2@p"}}'])
def test_a_password_in_a_url_is_refused_on_the_command_line(value: str) -> None:
    """Whatever the option; a URL without one is taken."""
    with pytest.raises(ArgumentTypeError, match="--secret-from-env config_kwargs=") as refused:
        values.option(f"config_kwargs={value}")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ArgumentTypeError, match="without user and password in the URL$") as refused:
        values.option(f"regionendpoint={value}")
    assert "hunter2" not in str(refused.value)
    assert values.option("config_kwargs=http://proxy:3128/@me") == ("config_kwargs", "http://proxy:3128/@me")


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("AWS_SECRET_ACCESS_KEY", "secretkey"),
        ("AWS_ACCESS_KEY_ID", "accesskey"),
        ("AWS_SESSION_TOKEN", "sessiontoken"),
        ("REGISTRY_STORAGE_S3_ACCESSKEY", "accesskey"),
        ("REGISTRY_STORAGE_S3_SECRETKEY", "secretkey"),
        ("CI_MINIO", "secretkey"),
        ("password=CI_MINIO", "password"),
    ],
)
def test_a_variable_gives_the_parameter_that_its_name_ends_in(text: str, parameter: str) -> None:
    """And the secret key, where it ends in none; another parameter is named before it."""
    assert values.secret_from_env(text, {text.rpartition("=")[2]: "hunter2"}) == (parameter, "hunter2")


def test_durations_and_sizes_have_their_usual_units() -> None:
    """From seconds to weeks, and from bytes to PiB."""
    assert values.duration("2w") == timedelta(days=14)
    assert values.duration("90m") == timedelta(hours=1.5)
    assert [values.size(text) for text in ("1", "1K", "1MiB", "1GB", "1t")] == [1, 2**10, 2**20, 2**30, 2**40]
