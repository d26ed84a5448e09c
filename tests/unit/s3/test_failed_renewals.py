"""Credentials that could not be renewed: what all requests are told, and what of it is kept."""

from __future__ import annotations

import subprocess
import sys

RENEWALS = """
import gc, logging, weakref
from datetime import datetime, timedelta, timezone
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ConnectTimeoutError
from registry_s3fs.s3 import botocore_private

class Held: pass

class KeywordError(Exception):
    def __init__(self, *, word):
        super().__init__(word)

def told(make):
    held = []
    def renew():
        local = Held()
        held.append(weakref.ref(local))
        raise make()
    past = datetime.now(timezone.utc) - timedelta(hours=1)
    found = RefreshableCredentials("a", "s", "t", past, refresh_using=renew, method="container-role")
    botocore_private.credentials = lambda client: found
    botocore_private.share_failed_renewals(None)
    names = []
    for _ in range(3):
        try:
            found.get_frozen_credentials()
        except Exception as error:
            names.append(type(error).__name__)
    gc.collect()
    print(*names, len(held), held[0]())

logging.disable()
botocore_private.FAILURE_SHARED_S = 60
told(lambda: ConnectTimeoutError(endpoint_url="http://169.254.170.2", error=ValueError("x")))
told(lambda: KeywordError(word="x"))
told(lambda: ValueError("x"))
"""


def test_a_failure_is_repeated_without_what_its_frames_hold() -> None:
    """Whatever the exception, also one that cannot be made of its `args`; it happens once.

    Parts of an upload and signatures are among what frames hold. In a process of its own, nothing else holds a frame.
    """
    done = subprocess.run([sys.executable, "-c", RENEWALS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "ConnectTimeoutError ConnectTimeoutError ConnectTimeoutError 1 None",
        "KeywordError CredentialRetrievalError CredentialRetrievalError 1 None",
        "ValueError ValueError ValueError 1 None",
    ]
