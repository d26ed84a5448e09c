"""How often a broken read is taken up again, and how long is waited between: a budget that grows with progress.

And what botocore does not send again, though it should.
"""

from __future__ import annotations

import random
from typing import Any

from registry_s3fs import interruption

FRUITLESS_ATTEMPTS = 4
"""Attempts in a row that bring nothing, after which a read gives up."""
BYTES_PER_ATTEMPT = 256 * 1024
"""So many received bytes earn one attempt more."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0


class Patience:
    """The budget of one read.

    >>> patience = Patience()
    >>> [patience.goes_on(received) for received in (0, 0, 0, 0)]
    [True, True, True, False]
    >>> patience = Patience()
    >>> all(patience.goes_on(BYTES_PER_ATTEMPT) for _ in range(100))
    True
    """

    def __init__(self) -> None:
        self._left: float = FRUITLESS_ATTEMPTS
        self._fruitless = 0

    def goes_on(self, received: int) -> bool:
        """Whether to try again after an attempt that brought so many bytes."""
        self._left = min(FRUITLESS_ATTEMPTS, self._left + received / BYTES_PER_ATTEMPT) - 1
        self._fruitless = 0 if received else self._fruitless + 1
        return self._left > 0

    def wait(self) -> None:
        """Pause, where the last attempt brought nothing: longer each time, and by chance, so that many readers
        do not come back at one moment."""
        if self._fruitless:
            interruption.pause(random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._fruitless)))  # noqa: S311


DAMAGED = frozenset(("BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"))
"""What S3 says of bytes that are not the ones that were signed (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""
DAMAGED_ATTEMPTS = 4


def repeats_damaged(response: Any = None, attempts: int = 1, **event: Any) -> float | None:
    """Handler of botocore's event ``needs-retry``: what was damaged on its way is sent again, at once. botocore
    takes it for the caller's own mistake."""
    code = response[1].get("Error", {}).get("Code") if response else None
    return 0.0 if code in DAMAGED and attempts < DAMAGED_ATTEMPTS else None
