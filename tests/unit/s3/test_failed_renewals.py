"""Credentials that could not be renewed: what all requests are told, and what of it is kept."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest
from botocore.credentials import RefreshableCredentials

from registry_s3fs.s3 import botocore_private

RENEWALS = """
import errno, gc, logging, ssl, weakref
from datetime import datetime, timedelta, timezone
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError, ConnectionClosedError, ConnectTimeoutError, HTTPClientError, SSLError
from registry_s3fs.s3 import botocore_private, error_codes

class Held:
    body = b"WebIdentityToken=hunter2"

class KeywordError(Exception):
    def __init__(self, *, word):
        super().__init__(word)

def caused(error):
    local = Held()
    held.append(weakref.ref(local))
    try:
        raise error
    except Exception as found:
        return found

def told(make):
    times = []
    def renew():
        local = Held()
        held.append(weakref.ref(local))
        times.append(1)
        raise make()
    past = datetime.now(timezone.utc) - timedelta(hours=1)
    found = RefreshableCredentials("a", "s", "t", past, refresh_using=renew, method="container-role")
    botocore_private.credentials = lambda client: found
    botocore_private.share_failed_renewals(None)
    seen = []
    for _ in range(3):
        try:
            found.get_frozen_credentials()
        except Exception as error:
            meant = error_codes.translate(error, "/f")
            seen.append((type(error).__name__, str(error), type(meant).__name__, str(meant)))
    del meant
    gc.collect()
    how = "is told alike" if seen[0] == seen[1] == seen[2] else f"is told as {seen}"
    print(seen[0][0], how, len(times), [each() for each in held if each()])
    held.clear()

def bundle():
    error = ssl.SSLError(1, "no certificate or crl found")
    error.library, error.reason = "X509", "NO_CERTIFICATE_OR_CRL_FOUND"
    return error

held = []
logging.disable()
botocore_private.FAILURE_SHARED_S = 60
denied = {"Error": {"Code": "AccessDenied", "Message": "not you"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
told(lambda: ConnectTimeoutError(endpoint_url="http://169.254.170.2", error=caused(ValueError("x"))))
told(lambda: SSLError(endpoint_url="https://sts", error=caused(ssl.SSLError(1, "self-signed certificate"))))
told(lambda: SSLError(endpoint_url="https://sts", error=caused(OSError(caused(bundle())))))
told(lambda: SSLError(endpoint_url="https://sts", error=caused(ssl.SSLError(bundle()))))
told(lambda: HTTPClientError(error=caused(ValueError("boom"))))
told(lambda: ConnectionClosedError(endpoint_url="https://sts", error=caused(ValueError("x")), request=Held()))
told(lambda: ClientError(denied, "AssumeRole"))
told(lambda: FileNotFoundError(errno.ENOENT, "No such file", "/usr/bin/credentials"))
told(lambda: OSError(caused(ValueError("x"))))
told(lambda: KeywordError(word="x"))
told(lambda: ValueError("x"))
"""


def test_a_failure_is_repeated_without_what_its_frames_hold() -> None:
    """Whatever the exception, its type and text are those of the first, and so is what we make of it; it happens once.

    Parts of an upload and signatures are among what frames hold. In a process of its own, nothing else holds a frame.
    """
    done = subprocess.run([sys.executable, "-c", RENEWALS], capture_output=True, text=True, timeout=100)
    assert not done.stderr
    assert done.stdout.splitlines() == [
        f"{name} is told alike 1 []"
        for name in (
            *("ConnectTimeoutError", "SSLError", "SSLError", "SSLError", "HTTPClientError", "ConnectionClosedError"),
            *("ClientError", "FileNotFoundError", "OSError", "KeywordError", "ValueError"),
        )
    ]


def test_a_failure_is_forgotten_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then credentials are asked for anew."""
    tries, now = list[float](), [100.0]

    def renew() -> dict[str, str]:
        tries.append(now[0])
        raise ValueError("no")

    past = datetime.now(timezone.utc) - timedelta(hours=1)
    found = RefreshableCredentials("a", "s", "t", past, refresh_using=renew, method="container-role")
    monkeypatch.setattr(botocore_private, "credentials", lambda client: found)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    botocore_private.share_failed_renewals(cast("Any", None))
    for now[0] in (100.0, 100.9, 101.1, 102.0, 102.2):
        with pytest.raises(ValueError, match="no"):
            found.get_frozen_credentials()
    assert tries == [100.0, 101.1, 102.2]
