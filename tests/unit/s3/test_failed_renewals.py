"""Credentials that could not be renewed: what all requests are told, and what of it is kept."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ConnectTimeoutError, CredentialRetrievalError

from registry_s3fs.s3 import botocore_private


class Held:
    """What a frame of the failing call holds."""


class KeywordError(Exception):
    """An exception that cannot be made of its `args`."""

    def __init__(self, *, word: str) -> None:
        super().__init__(word)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ConnectTimeoutError(endpoint_url="http://169.254.170.2", error=ValueError("x")), ConnectTimeoutError),
        (lambda: KeywordError(word="x"), CredentialRetrievalError),
        (lambda: ValueError("x"), ValueError),
    ],
)
def test_a_failure_is_repeated_without_what_its_frames_hold(
    make: Callable[[], Exception], told: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the exception. Parts of an upload and signatures are among what frames hold."""
    held: list[weakref.ref[Held]] = []

    def renew() -> dict[str, str]:
        local = Held()
        held.append(weakref.ref(local))
        raise make()

    past = datetime.now(timezone.utc) - timedelta(hours=1)
    found = RefreshableCredentials("a", "s", "t", past, refresh_using=renew, method="container-role")
    monkeypatch.setattr(logging.getLogger("botocore.credentials"), "disabled", True)  # pytest keeps what is logged
    monkeypatch.setattr(botocore_private, "credentials", lambda client: found)
    botocore_private.share_failed_renewals(cast(Any, None))
    for expected in (type(make()), told, told):
        with pytest.raises(Exception) as raised:  # noqa: PT011  # which one is the question
            found.get_frozen_credentials()
        assert type(raised.value) is expected
        del raised
    gc.collect()
    assert [each() for each in held] == [None]
